"""Import of the data report of Ren et al. (2026), DesignSafe PRJ-4573, as a SeisBench data set."""

import logging
import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from obspy.core.event import Catalog
from obspy.signal.trigger import classic_sta_lta
from scipy.signal import butter, sosfilt
from tqdm.auto import tqdm

from cgmgm_seis.datasets.designsafe_csv import (
    COLUMNS,
    SHARED_COLUMNS,
    component_of,
    read_samples,
    scan,
    with_stations,
)
from cgmgm_seis.errors import DatasetError
from cgmgm_seis.output.seisbench_writer import new_dataset
from cgmgm_seis.scenario.sources import DEFAULT_ORIGIN_TIME, catalog_sources
from cgmgm_seis.scenario.times import read_times, time_texts
from cgmgm_seis.scenario.travel_times import TravelTimeTable, bay_area_travel_times

logger = logging.getLogger(__name__)

# Number of records used to measure the start offset, and the allowed scatter of their values, s.
OFFSET_RECORDS, OFFSET_SCATTER_S = 200, 2.0
# Error of the measured start offset, s: errors of the 1-D travel times and delays of the trigger
# have the same sign in many records, so that more records do not make it smaller.
OFFSET_ERROR_S = 0.3


def import_designsafe(
    paths: Sequence[str | Path],
    out: str | Path,
    start_offset_s: float | None = None,
    events: Catalog | None = None,
    travel_times: TravelTimeTable | None = None,
    strict: bool = False,
    overwrite: bool = False,
    progress: bool = False,
) -> pd.DataFrame:
    """Convert one to three CSV files, one per component, to a SeisBench data set.

    The files are streamed, with at most a few hundred records in memory.  Components are joined
    by event and station; records that are not in all files are left out and counted.

    Parameters
    ----------
    paths : sequence of path
        One file per component; the ending of the name must be EW or E, NS or N, or UD, V or Z.
    out : str or pathlib.Path
        Folder of the data set.
    start_offset_s : float, optional
        Time of the first sample relative to the origin time, seconds, which is not contained in
        the files.  By default it is measured with an uncertainty of `OFFSET_ERROR_S`, see
        `measured_start_offset`, and ``trace_start_time_is_estimated`` is true.
    events : obspy.Catalog, optional
        Catalogue with the origin times, which are not contained in the files; the identifier of
        an event must end with its number in the files.  Without it, events get arbitrary
        different times from 2020-01-01, and ``source_origin_time_is_placeholder`` is true.
    travel_times : TravelTimeTable, optional
        Travel times for measuring the start offset; by default those of the Bay Area.
    strict : bool
        Raise an error if a row is not a valid record, instead of leaving it out.
    overwrite : bool
        Replace an existing data set.
    progress : bool
        Show a progress bar if stderr is a terminal.

    Returns
    -------
    pandas.DataFrame
        The metadata.  Stations within 50 m of a bundled station get its codes, others network XX
        and a number.  Events with negative numbers are simulated (``trace_simulated``), see
        `cgmgm_seis.datasets.simulated_report`.

    Raises
    ------
    DatasetError
        If no row is a valid record, or one is not and `strict` is set (the message contains its
        number), components do not match, no record is in all files or the start offset cannot be
        measured.
    OutputError
        If ``out`` exists and may not be overwritten, or cannot be written.
    """
    order = _component_order(paths)
    with new_dataset(out, overwrite, component_order=order) as writer, ExitStack() as stack:
        by_component = {component_of(path): Path(path) for path in paths}
        ordered = [by_component[component] for component in order]
        table = _joined([scan(path, strict, progress) for path in ordered], ordered)
        table = _with_origin_times(with_stations(table), events)
        files: list[BinaryIO] = [stack.enter_context(path.open("rb")) for path in ordered]
        table["trace_start_time_is_estimated"] = start_offset_s is None
        if start_offset_s is None:
            start_offset_s = measured_start_offset(files[0], table, travel_times)
            logger.warning(
                "Start offset measured from onsets: %+.2f s, uncertain by some %g s; if you know "
                "it, set it with --start-offset (start_offset_s).",
                start_offset_s,
                OFFSET_ERROR_S,
            )
        starts = read_times(table["source_origin_time"]) + pd.to_timedelta(start_offset_s, unit="s")
        table["trace_start_time"] = time_texts(starts)
        metadata = table.drop(columns=table.filter(regex="^_").columns).to_dict("records")
        places = table[[f"_offset_{number}" for number in range(len(files))]].to_numpy(int)
        numbers = table[[f"_row_{number}" for number in range(len(files))]].to_numpy(int)
        kept: list[dict[Any, Any]] = []
        bad: list[str] = []
        bar = tqdm(metadata, desc="Records", unit="rec", disable=None if progress else True)
        for row, offsets, row_numbers in zip(bar, places, numbers, strict=True):
            components = [
                read_samples(file, int(offset)) for file, offset in zip(files, offsets, strict=True)
            ]
            if fault := _fault(components, ordered, row_numbers):
                bad.append(fault)
                continue
            samples = np.stack([data[: min(map(len, components))] for data in components])
            kept.append({**row, "trace_npts": samples.shape[1]})
            writer.add(kept[-1], samples)
        if bad and (strict or not kept):
            raise DatasetError(f"{len(bad)} of {len(metadata)} records are not valid: {bad[0]}")
        if bad:
            logger.warning("%d records left out, for example: %s", len(bad), bad[0])
    return pd.DataFrame(kept)


def measured_start_offset(
    file: BinaryIO, table: pd.DataFrame, travel_times: TravelTimeTable | None = None
) -> float:
    """Measure the start time of the records relative to their origin times.

    An onset is the first time at which the ratio of the short-term average (0.5 s) to the
    long-term average (5 s) of the power between 2 and 15 Hz exceeds 4.  The start offset is the
    P time of the 1-D model minus the time of the onset after the first sample.  The median over
    several records is robust against records whose onset is S or a disturbance.  Its error is
    some `OFFSET_ERROR_S`: it contains that of the 1-D travel times, the delay of the trigger after
    weak P, and false triggers before P.

    Parameters
    ----------
    file : binary file
        File of any component.
    table : pandas.DataFrame
        Scenario with the byte offsets of the rows in the column ``_offset_0``.
    travel_times : TravelTimeTable, optional
        Travel times, by default those of the Bay Area.

    Raises
    ------
    DatasetError
        If the values scatter by more than 2 s (median absolute deviation), or there are no onsets.
    """
    earth = travel_times or bay_area_travel_times()
    some = table.iloc[:: -(-len(table) // OFFSET_RECORDS)]
    p_times, _ = earth.at(some["source_depth_km"], some["path_ep_distance_km"])
    offsets = []
    for (_, row), p_time in zip(some.iterrows(), p_times, strict=True):
        rate = row["trace_sampling_rate_hz"]
        samples = np.nan_to_num(read_samples(file, row["_offset_0"]))
        if samples.size < 10.0 * rate or not np.ptp(samples):
            continue
        band = butter(2, (2.0, min(15.0, 0.4 * rate)), "bandpass", fs=rate, output="sos")
        filtered = sosfilt(band, samples - samples.mean())
        ratio = classic_sta_lta(filtered, int(0.5 * rate), int(5.0 * rate))
        triggered = np.flatnonzero(ratio > 4.0)
        if len(triggered):
            offsets.append(p_time - triggered[0] / rate)
    median = float(np.median(offsets)) if offsets else float("nan")
    scatter = float(np.median(np.abs(np.array(offsets) - median))) if offsets else float("nan")
    if not scatter <= OFFSET_SCATTER_S:
        raise DatasetError(
            f"The start offset cannot be measured: {len(offsets)} of {len(some)} records have an "
            f"onset, with a scatter of {scatter:.1f} s; set it with --start-offset "
            "(start_offset_s)."
        )
    return median


def _component_order(paths: Sequence[str | Path]) -> str:
    found = [component_of(path) for path in paths]
    if not found or len(set(found)) < len(found):
        raise DatasetError(
            f"The files have the components {', '.join(found) or 'none'}; there must be one to "
            "three files of different components."
        )
    return "".join(component for component in "ZNE" if component in found)


def _joined(tables: list[pd.DataFrame], paths: list[Path]) -> pd.DataFrame:
    """Join the components by event and station, and repeated rows in their order."""
    keyed = []
    for table in tables:
        key = ["source_id", "station_latitude_deg", "station_longitude_deg"]
        rounded = table.assign(**{column: table[column].round(5) for column in key[1:]})
        keyed.append(
            table.assign(
                _key=[
                    "/".join(map(str, parts))
                    for parts in zip(
                        *(rounded[column] for column in key),
                        rounded.groupby(key).cumcount(),
                        strict=True,
                    )
                ]
            ).set_index("_key")
        )
    common = keyed[0].index
    for other in keyed[1:]:
        common = common[common.isin(other.index)]
    lost = max(len(table) for table in keyed) - len(common)
    if lost:
        logger.warning("%d records left out, as they are not in all %d files.", lost, len(keyed))
    if not len(common):
        raise DatasetError(
            f"No records are in all of {', '.join(map(str, paths))}; event and station coordinates "
            "must be the same."
        )
    first = keyed[0].loc[common]
    joined = first.drop(columns=["_row", "_offset"])
    for number, (table, path) in enumerate(zip(keyed, paths, strict=True)):
        table = table.loc[common]
        joined[f"_offset_{number}"] = table["_offset"]
        joined[f"_row_{number}"] = table["_row"]
        for column in SHARED_COLUMNS:
            differ = ~np.isclose(table[column], first[column], rtol=0.0, atol=1e-4)
            if differ.any():
                k = int(np.argmax(differ))
                raise DatasetError(
                    f"{path}, row {table['_row'].iloc[k]} has {column} = "
                    f"{table[column].iloc[k]:g}, but {paths[0]}, row {first['_row'].iloc[k]} has "
                    f"{first[column].iloc[k]:g}; components must agree."
                )
    return joined.reset_index(drop=True)


def _with_origin_times(table: pd.DataFrame, events: Catalog | None) -> pd.DataFrame:
    """Add origin times from a catalogue, or placeholders, and columns that describe the traces."""
    # Catalogues of networks put their name before the number of an event, as in nc73291880.
    known = {
        re.sub(r"^[a-z=?]+", "", source["source_id"]): str(source["source_origin_time"])
        for _, source in catalog_sources(events or Catalog())[0]
    }
    names = table["source_id"]
    made_up = {
        name: str(DEFAULT_ORIGIN_TIME + 3600.0 * number)
        for number, name in enumerate(names.unique())
    }
    placeholder = ~names.isin(list(known))
    if events is not None and placeholder.any():
        logger.warning(
            "%d of %d records have no event in the catalogue; their origin times are placeholders.",
            placeholder.sum(),
            len(table),
        )
    return table.assign(
        source_origin_time=[known.get(name) or made_up[name] for name in names],
        source_origin_time_is_placeholder=placeholder,
        trace_units="m/s",
        trace_channel="HX",
        trace_simulated=names.str.startswith("-"),
    )


def _fault(
    components: list[NDArray[np.float64]], paths: list[Path], rows: NDArray[np.int_]
) -> str | None:
    """Return a message about the first sample of a record that is not finite, if any."""
    for data, path, row in zip(components, paths, rows, strict=True):
        if not np.isfinite(data).all():
            column = len(COLUMNS) + 1 + int(np.argmax(~np.isfinite(data)))
            return f"{path}, row {row}, column {column} must be a finite number."
    return None
