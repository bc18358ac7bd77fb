"""Metadata of data sets made by others, in this package's columns, numbers and times."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd
import seisbench.data.base
from seisbench.data import WaveformDataset

from cgmgm_seis.datasets.samples import check_links
from cgmgm_seis.scenario.columns import LIMITS
from cgmgm_seis.scenario.geography import wrapped_longitude
from cgmgm_seis.scenario.times import read_times, time_texts
from cgmgm_seis.storage.files import check_regular

NUMBER_COLUMNS = (*LIMITS, "station_elevation_m", "trace_snr_db")
TIME_COLUMNS = ("source_origin_time", "trace_start_time")
# Column names of some data sets (CEED; STEAD as published; INSTANCE), and SeisBench's usual names.
SYNONYMS = {
    "source_id_list": "source_id",
    "source_event_id": "source_id",
    "source_latitude": "source_latitude_deg",
    "source_longitude": "source_longitude_deg",
    "network_code": "station_network_code",
    "receiver_code": "station_code",
    "receiver_type": "trace_channel",
    "receiver_latitude": "station_latitude_deg",
    "receiver_longitude": "station_longitude_deg",
    "receiver_elevation_m": "station_elevation_m",
    "p_arrival_sample": "trace_p_arrival_sample",
    "s_arrival_sample": "trace_s_arrival_sample",
    "trace_P_arrival_sample": "trace_p_arrival_sample",
    "trace_S_arrival_sample": "trace_s_arrival_sample",
    "back_azimuth_deg": "path_back_azimuth_deg",
}


def check_metadata_files(folder: Path) -> None:
    """Raise a ValueError if the metadata of a data set are not files, but devices or pipes."""
    for path in folder.glob("metadata*.csv"):
        check_regular(path, sys.maxsize)


def open_as_written(
    kind: Callable[..., WaveformDataset], *args: Any, **options: Any
) -> WaveformDataset:
    """Open a data set with the origin times as they are written in its files.

    SeisBench's constructor reads them with pandas, which raises an error for the whole data set if
    one cannot be read, and takes seconds since 1970 for nanoseconds.

    Parameters
    ----------
    kind : callable
        `WaveformDataset` or another class of data sets.
    *args, **options
        Its arguments.

    Raises
    ------
    ValueError
        If a file of waveforms refers to other files, or metadata are read from a device.
    """
    for folder in (part for part in args if isinstance(part, Path)):
        check_metadata_files(folder)
    with patch.object(seisbench.data.base, "pd", _PandasWithoutTimes()):
        dataset = kind(*args, **options)
    for path in dataset._chunks_with_paths()[2]:
        check_links(Path(path))
    return dataset


class _PandasWithoutTimes:
    """Pandas, but times are left as they are."""

    def __getattr__(self, name: str) -> Any:
        return getattr(pd, name)

    @staticmethod
    def to_datetime(values: Any) -> Any:
        return values


def tidy_metadata(metadata: pd.DataFrame) -> None:
    """Adjust metadata in place, so that data sets of different origin look the same.

    Columns in `SYNONYMS` get SeisBench's usual names, `NUMBER_COLUMNS` become numbers, longitudes
    lie within -180 to 180 degrees, and times are text in ISO 8601, see
    `cgmgm_seis.scenario.times.read_times`.  Values that cannot be read become missing.
    """
    for old, new in SYNONYMS.items():
        if old in metadata and new not in metadata:
            metadata.columns = pd.Index([new if column == old else column for column in metadata])
    for column in metadata.columns.intersection([*NUMBER_COLUMNS]):
        values = pd.to_numeric(metadata[column], errors="coerce")
        if column.endswith("longitude_deg"):
            # A number beyond one more turn stands for a missing value, such as 999.
            turned = values.between(180.0, 540.0, inclusive="right")
            values = values.mask(turned, values.map(wrapped_longitude))
        metadata[column] = values
    for column in metadata.columns.intersection([*TIME_COLUMNS]):
        metadata[column] = time_texts(read_times(metadata[column]))
