"""Reading and writing CSV files of the data report of Ren et al. (2026), also as an ObsPy plugin.

A file contains one component, and each row one record: 14 columns of metadata, followed by the
samples of ground velocity, m/s.  There is no header.  Events have positive numbers; in files that
this package simulates they have negative ones.
"""

import logging
import sys
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from obspy import Stream, Trace
from obspy.core import AttribDict
from tqdm.auto import tqdm

from cgmgm_seis.errors import DatasetError, reason_of
from cgmgm_seis.scenario.columns import LIMITS
from cgmgm_seis.scenario.sources import DEFAULT_ORIGIN_TIME
from cgmgm_seis.scenario.stations import bay_area_stations
from cgmgm_seis.scenario.table import add_paths
from cgmgm_seis.storage.files import check_regular, write_file

logger = logging.getLogger(__name__)

COLUMNS = (
    "source_id",
    "source_latitude_deg",
    "source_longitude_deg",
    "station_latitude_deg",
    "station_longitude_deg",
    "source_depth_km",
    "source_magnitude",
    "trace_sampling_rate_hz",
    "trace_npts",
    "trace_dt_s",
    "trace_f_min_hz",
    "trace_f_max_hz",
    "trace_n_frequencies",
    "path_rup_distance_km",
)
# Columns that are the same for all components of a record.
SHARED_COLUMNS = COLUMNS[1:8]
# Endings of file names and the component they indicate.
SUFFIXES = {"EW": "E", "NS": "N", "UD": "Z", "E": "E", "N": "N", "Z": "Z", "V": "Z"}
# Rows within this distance of a bundled station get its codes, degrees (about 50 m).
SAME_PLACE_DEG = 5e-4


def is_designsafe(path: str) -> bool:
    """Return whether a file has the format of the data report, for `obspy.read`."""
    try:
        with Path(path).open("rb") as file:
            # Enough bytes for 14 numbers; most files in other formats are rejected here.
            if set(file.read(256)) - set(b"0123456789+-.eE, naNA"):
                return False
            file.seek(0)
            values, n_columns = _header(file.readline(), path, 1)
    except (OSError, DatasetError, TypeError):
        return False
    return n_columns - len(COLUMNS) == values["trace_npts"]


def read_designsafe(path: str, headonly: bool = False, **_: Any) -> Stream:
    """Read a file of the data report as a Stream, for `obspy.read`.

    Parameters
    ----------
    path : str
        The CSV file.
    headonly : bool
        Read only the metadata, not the samples.

    Returns
    -------
    obspy.Stream
        One trace per row, velocity in m/s.  ``stats.coordinates`` are the coordinates of the
        station, ``stats.designsafe`` contains the metadata of the row, and ``stats.distance`` is
        the epicentral distance in metres.  The file contains no absolute times; all traces start
        at 2020-01-01.

    Examples
    --------
    >>> obspy.read("Time_Series_Data_v5_EW.csv")[0].stats.coordinates  # doctest: +SKIP
    """
    table = with_stations(scan(path))
    component = component_of(path, default="E")
    traces = []
    with Path(path).open("rb") as file:
        for row in table.to_dict("records"):
            stats = {
                "network": row["station_network_code"],
                "station": row["station_code"],
                "channel": f"HX{component}",
                "sampling_rate": row["trace_sampling_rate_hz"],
                "starttime": DEFAULT_ORIGIN_TIME,
                "distance": row["path_ep_distance_km"] * 1000.0,
                "coordinates": AttribDict(
                    latitude=row["station_latitude_deg"],
                    longitude=row["station_longitude_deg"],
                    elevation=row["station_elevation_m"],
                ),
                "designsafe": AttribDict({column: row[column] for column in COLUMNS}),
            }
            if headonly:
                traces.append(Trace(header=stats | {"npts": int(row["trace_npts"])}))
            else:
                traces.append(Trace(read_samples(file, row["_offset"]), stats))
    return Stream(traces)


def scan(path: str | Path, strict: bool = False, progress: bool = False) -> pd.DataFrame:
    """Read the metadata of a file and the byte offsets of its rows.

    Parameters
    ----------
    path : str or pathlib.Path
        The CSV file.
    strict : bool
        Raise an error if a row is not a valid record, instead of leaving it out.
    progress : bool
        Show a progress bar if stderr is a terminal.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, ``_row`` (starting at 1) and ``_offset`` (bytes).

    Raises
    ------
    DatasetError
        If the file cannot be read, no row is a valid record, or one is not and `strict` is set; the
        message contains its number, the column and the allowed values.
    """
    rows, bad = [], []
    width = 0
    try:
        check_regular(Path(path), sys.maxsize)
        size = Path(path).stat().st_size
        bar = tqdm(
            total=size,
            desc=Path(path).name,
            unit="B",
            unit_scale=True,
            disable=None if progress else True,
        )
        with Path(path).open("rb") as file, bar:
            offset = 0
            for number, line in enumerate(file, 1):
                if line.strip():
                    try:
                        values, n_columns = _header(line, path, number)
                        width = width or n_columns
                        if n_columns != width:
                            raise DatasetError(
                                f"{path}, row {number} has {n_columns} columns; it must have "
                                f"{width}, as the rows before."
                            )
                        rows.append({**values, "_row": number, "_offset": offset})
                    except DatasetError as error:
                        if strict:
                            raise
                        bad.append(str(error))
                offset += len(line)
                bar.update(len(line))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read: {reason_of(error)}.") from error
    if bad:
        logger.warning("%d rows left out, for example: %s", len(bad), bad[0])
    if not rows:
        found = bad[0] if bad else "at least one is needed."
        raise DatasetError(f"{path} contains no records that are valid: {found}")
    table = pd.DataFrame(rows)
    declared = table["trace_npts"] != width - len(COLUMNS)
    if declared.any():
        logger.warning(
            "%s: the number of steps given in %d rows differs from their %d samples.",
            path,
            int(declared.sum()),
            width - len(COLUMNS),
        )
    return table


def read_samples(file: BinaryIO, offset: int) -> NDArray[np.float64]:
    """Return the samples of the row at a byte offset, m/s; text is replaced by NaN."""
    file.seek(offset)
    fields = file.readline().rstrip(b"\r\n").split(b",")[len(COLUMNS) :]
    try:
        return np.array(fields, dtype=float)
    except ValueError:
        return pd.to_numeric(pd.Series(fields).str.decode("ascii", "replace"), "coerce").to_numpy(
            float
        )


def write_designsafe(
    path: str | Path, waveforms: NDArray[np.floating], table: pd.DataFrame
) -> None:
    """Write a file of the data report: the inverse of `scan` and `read_samples`.

    Parameters
    ----------
    path : str or pathlib.Path
        The CSV file; the ending of its name gives the component, see `component_of`.
    waveforms : numpy.ndarray
        Velocity of one component, m/s, shape (record, sample), with the precision of float32.
    table : pandas.DataFrame
        One row per record with `COLUMNS`.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    rows = [
        ",".join([*map(str, row), *(f"{sample:.8e}" for sample in samples)]) + "\n"
        for row, samples in zip(
            table[list(COLUMNS)].itertuples(index=False, name=None), waveforms, strict=True
        )
    ]
    write_file(Path(path), "".join(rows).encode())


def component_of(path: str | Path, default: str = "") -> str:
    """Return the component that is given by the ending of a file name.

    Raises
    ------
    DatasetError
        If the ending is not known, and there is no default.

    Examples
    --------
    >>> component_of("Time_Series_Data_v5_EW.csv")
    'E'
    """
    ending = Path(path).stem.rsplit("_", 1)[-1].upper()
    if ending not in SUFFIXES and not default:
        raise DatasetError(
            f"The component of {path} is unknown; the name must end with _{', _'.join(SUFFIXES)}."
        )
    return SUFFIXES.get(ending, default)


def with_stations(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with path columns and station codes, which are not contained in the files.

    Stations within 50 m of a bundled station get its codes, others network XX and a number.
    """
    known = bay_area_stations()
    places = table[["station_latitude_deg", "station_longitude_deg"]].round(5)
    names: dict[tuple[float, float], dict[str, Any]] = {}
    for place in places.drop_duplicates().itertuples(index=False, name=None):
        distance = np.hypot(
            known["station_latitude_deg"] - place[0], known["station_longitude_deg"] - place[1]
        )
        if distance.min() < SAME_PLACE_DEG:
            station = known.loc[distance.idxmin()]
            code, network = station["station_code"], station["station_network_code"]
            elevation = float(station["station_elevation_m"])
        else:
            code, network, elevation = f"S{len(names):04d}", "XX", 0.0
        names[place] = {
            "station_network_code": network,
            "station_code": code,
            "station_location_code": "",
            "station_elevation_m": elevation,
        }
    stations = pd.DataFrame(
        [names[place] for place in places.itertuples(index=False, name=None)], index=table.index
    )
    return add_paths(table.join(stations))


def _header(line: bytes, path: str | Path, number: int) -> tuple[dict[str, Any], int]:
    """Return the metadata of a row and its number of columns, or raise an error."""
    fields = line.split(b",", len(COLUMNS))
    n_columns = line.count(b",") + 1
    where = f"{path}, row {number}"
    if n_columns <= len(COLUMNS) + 1:
        raise DatasetError(
            f"{where} has {n_columns} columns; it must have {len(COLUMNS)} and the samples."
        )
    values: dict[str, Any] = {}
    for position, (column, field) in enumerate(zip(COLUMNS, fields, strict=False), 1):
        try:
            values[column] = float(field)
        except ValueError:
            text = field.decode("ascii", "replace").strip()
            if column != "source_id" or not text:
                raise DatasetError(
                    f"{where}, column {position} ({column}) is '{text[:40]}'; it must be a number."
                ) from None
            values[column] = text
    _check_values(values, where)
    if isinstance(values["source_id"], float):
        if not np.isfinite(values["source_id"]):
            raise DatasetError(f"{where}, column 1 (source_id) is missing; a name is needed.")
        values["source_id"] = f"{values['source_id']:.15g}"
    return values, n_columns


def _check_values(values: dict[str, Any], where: str) -> None:
    """Raise `DatasetError` if a value in the metadata of a row is outside its limits."""
    for position, column in enumerate(COLUMNS, 1):
        low, high = LIMITS.get(column, (-np.inf, np.inf))
        if column in ("trace_sampling_rate_hz", "trace_npts", "trace_dt_s"):
            low = 1e-9
        if column in SHARED_COLUMNS and not low <= values[column] <= high:
            raise DatasetError(
                f"{where}, column {position} ({column}) = {values[column]:g} is not valid; "
                f"it must be from {low:g} to {high:g}."
            )
    rate, step = values["trace_sampling_rate_hz"], values["trace_dt_s"]
    if not abs(rate * step - 1.0) < 1e-3:
        raise DatasetError(f"{where} has {rate:g} Hz and steps of {step:g} s, which do not match.")
