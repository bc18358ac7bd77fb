"""Reading station files: inventories, FDSN text and tables, all into the same columns.

An inventory is StationXML or another format that ObsPy reads, such as SC3ML or dataless SEED.  A
table is a text file with a header line, separated by commas, semicolons, tabs, ``|`` or blanks.
`NAMES` lists the accepted column names, in upper or lower case: those of a scenario table
and of SeisBench's metadata, and common short ones such as ``lat``, ``lon``, ``elev``, ``net``
and ``sta``.  FDSN text (``#Network|Station|Latitude|..``) is such a table as well.  Columns such
as ``StartTime`` and ``EndTime`` give the epoch of a row.
"""

import csv
import re
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
from obspy import UTCDateTime

from cgmgm_seis.errors import ScenarioError, reason_of
from cgmgm_seis.scenario.codes import VIRTUAL_NETWORK, node_codes
from cgmgm_seis.scenario.columns import check_limits
from cgmgm_seis.scenario.obspy_files import Paths, expand, parse_inventory, read_file
from cgmgm_seis.scenario.station_epochs import (
    CODES,
    EPOCH,
    PLACE,
    inventory_epochs,
    open_stations,
)
from cgmgm_seis.storage.files import check_regular
from cgmgm_seis.storage.text import decoded

# Accepted names of a column, in lower case, with _ for spaces and without units in brackets.
NAMES = {
    "station_network_code": ("network", "net", "network_code", "station_network", "knetwk"),
    "station_code": ("station", "sta", "code", "kstnm"),
    "station_latitude_deg": (
        "station_latitude",
        "latitude",
        "latitude_deg",
        "lat",
        "station_lat",
        "sta_lat",
        "stla",
    ),
    "station_longitude_deg": (
        "station_longitude",
        "longitude",
        "longitude_deg",
        "lon",
        "long",
        "lng",
        "station_lon",
        "sta_lon",
        "stlo",
    ),
    "station_elevation_m": (
        "station_elevation",
        "elevation",
        "elevation_m",
        "elev",
        "elev_m",
        "altitude",
        "station_elev",
        "sta_elev",
        "stel",
    ),
}
# Accepted names of the columns with begin and end of an epoch.
EPOCH_NAMES = {
    "start_s": ("starttime", "start_time", "startdate", "start_date", "ondate", "on_date"),
    "end_s": ("endtime", "end_time", "enddate", "end_date", "offdate", "off_date"),
}
SEPARATORS = "|\t;,"
EMPTY = ("", "nan", "none")


def read_stations(paths: Paths, time: UTCDateTime | None = None) -> pd.DataFrame:
    """Read station files of any supported format.

    Parameters
    ----------
    paths : str, pathlib.Path or iterable of them
        Inventories, FDSN text (of stations or channels) or tables; ``*``, ``?`` and ``[]`` are
        expanded.
    time : obspy.UTCDateTime, optional
        Time of the earthquake: the location of each station at this time is used, and stations
        that were not open are left out, which is logged.  By default it is that of the last epoch.

    Returns
    -------
    pandas.DataFrame
        Codes, latitude, longitude (degrees) and elevation (m), one row per station.  Stations of
        tables without codes are named SY.A0000, SY.A0001, ..; missing elevations are set to 0.

    Raises
    ------
    ScenarioError
        If a file cannot be read, has no stations, latitudes or longitudes, or has one station
        at two locations without epochs, or no station was open; the message contains the file and
        the line.
    """
    epochs = pd.concat([_read(path) for path in expand(paths, ScenarioError)]).drop_duplicates()
    always = np.isinf(epochs[EPOCH].to_numpy(float)).all(axis=1)
    undated = epochs.loc[always].drop_duplicates([*CODES, *PLACE])
    repeated = undated[undated.duplicated(CODES)]
    if len(repeated):
        row = repeated.iloc[0]
        raise ScenarioError(
            f"{row.name}: station {row['station_network_code']}.{row['station_code']} occurs "
            "twice, at different locations; codes must be unique."
        )
    return open_stations(epochs, time)


def complete_stations(
    table: pd.DataFrame, where: str, rows: Sequence[str] | None = None
) -> pd.DataFrame:
    """Return the ``station_*`` columns of a table after checking and completing them.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns named as in `NAMES`; further ``station_*`` columns are kept.
    where : str
        Name of the table in error messages.
    rows : sequence of str, optional
        Names of its rows in error messages.

    Raises
    ------
    ScenarioError
        If latitudes or longitudes are missing or outside their limits, or an elevation is not a
        number.
    """
    named = _renamed(table)
    missing = [column for column in PLACE if column not in named]
    if missing or table.empty:
        raise ScenarioError(
            f"{where} has {len(table)} rows and the columns "
            f"{', '.join(map(str, table.columns)) or '(none)'}; at least one row with latitude "
            "and longitude is needed."
        )
    places = [f"{where}, {row}" for row in rows or [f"row {label}" for label in table.index]]
    for column in named.columns.intersection([*PLACE, *CODES]):
        empty = (named[column].isna() | named[column].astype(str).str.strip().eq("")).to_numpy()
        if empty.any():
            raise ScenarioError(
                f"{places[int(np.argmax(empty))]}: {column} is missing; every row must have one."
            )
    longitude = pd.to_numeric(named["station_longitude_deg"], errors="coerce")
    # Longitudes from 0 to 360 degrees are common as well.
    beyond = longitude.gt(180.0) & longitude.le(360.0)
    named["station_longitude_deg"] = named["station_longitude_deg"].mask(beyond, longitude - 360.0)
    named = check_limits(named, places)
    if "station_network_code" not in named:
        named["station_network_code"] = VIRTUAL_NETWORK
    if "station_code" not in named:
        named["station_code"] = node_codes(0, len(named))
    named["station_elevation_m"] = _elevations(named, places)
    named[CODES] = named[CODES].astype(str)
    others = [column for column in named if column not in NAMES]
    return named[[*NAMES, *others]].reset_index(drop=True)


def _renamed(table: pd.DataFrame) -> pd.DataFrame:
    """Return the station columns, renamed to the names of a scenario table."""
    plain = {_plain(str(name)): name for name in reversed(list(table.columns))}
    found = {}
    for column, others in NAMES.items():
        name = next((plain[name] for name in (column, *others) if name in plain), None)
        if name is not None:
            found[column] = table[name]
    further = {
        name: table[name]
        for name in table
        if str(name).startswith("station_") and _plain(str(name)) not in _UNDERSTOOD
    }
    return pd.DataFrame(found | further)


def _plain(name: str) -> str:
    """Return a column name in lower case, with _ for spaces and without a unit in brackets."""
    lower = re.sub(r"\s*[(\[](m|deg|degrees)[)\]]$", "", name.strip().lower())
    return re.sub(r"[\s-]+", "_", lower)


_UNDERSTOOD = {name for column, others in NAMES.items() for name in (column, *others)}


def _elevations(table: pd.DataFrame, places: Sequence[str]) -> pd.Series:
    """Return elevations in metres, 0 where they are missing."""
    if "station_elevation_m" not in table:
        return pd.Series(0.0, index=table.index)
    text = table["station_elevation_m"]
    values = pd.to_numeric(text, errors="coerce").astype(float)
    wrong = values.isna() & ~text.astype(str).str.lower().isin(EMPTY)
    if wrong.any():
        row = int(np.argmax(wrong.to_numpy()))
        raise ScenarioError(f"{places[row]}: elevation = {text.iloc[row]} must be a number.")
    return values.fillna(0.0)


def _read(path: Path) -> pd.DataFrame:
    """Read the epochs of one file; the index contains the file and line of each row."""
    try:
        check_regular(path)
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise ScenarioError(f"{path} cannot be read: {reason_of(error)}.") from error
    text = decoded(content)
    # str.splitlines also splits at characters of Latin-1.
    lines = [] if text is None else list(StringIO(text, newline=None))
    if content and not any(map(_is_header, lines)):
        try:
            inventory = read_file(parse_inventory, path, "StationXML", ScenarioError)
        except ScenarioError as error:
            if text is None:
                raise ScenarioError(
                    f"{path} is neither a table nor an inventory that ObsPy reads."
                ) from error
            if text.lstrip().startswith("<"):
                raise
        else:
            epochs = inventory_epochs(inventory)
            return epochs.set_axis([str(path)] * len(epochs))
    try:
        return _read_table(path, lines)
    except csv.Error as error:
        raise ScenarioError(f"{path} is not a table of stations: {error}.") from error


def _read_table(path: Path, lines: Sequence[str]) -> pd.DataFrame:
    """Read a table; empty lines and lines that start with # are ignored."""
    # Tabs at the ends of a line belong to cells that are empty.
    numbered = [(n, line.strip(" \r\n")) for n, line in enumerate(lines, 1) if line.strip()]
    # The header of FDSN text starts with #; a title may stand before a header.
    first, header = next(
        ((number, line.lstrip("#")) for number, line in numbered if _is_header(line)),
        next(((n, line) for n, line in numbered if not line.startswith("#")), (0, "")),
    )
    separator = max(SEPARATORS, key=header.count) if set(header) & set(SEPARATORS) else " "
    names = _cells(header, separator)
    rows: list[list[str]] = []
    numbers: list[str] = []
    for number, line in numbered:
        if number <= first or line.startswith("#") or line == header:
            continue
        cells = _cells(line, separator)
        if any(cells[len(names) :]):
            raise ScenarioError(
                f"{path}, line {number} has {len(cells)} values; at most {len(names)} are allowed."
            )
        rows.append((cells + [""] * len(names))[: len(names)])
        numbers.append(f"line {number}")
    table = pd.DataFrame(rows, columns=names, dtype=str)
    table = table.loc[:, ~table.columns.duplicated()]
    stations = complete_stations(table, str(path), numbers)[list(NAMES)]
    places = [f"{path}, {number}" for number in numbers]
    return stations.assign(**_epochs(table, places)).set_axis(places)


def _cells(line: str, separator: str) -> list[str]:
    """Return the cells of a line; blanks separate them if the header has no separator."""
    if separator in " |":
        # FDSN text has no quotes around cells, but may have them in a name.
        return [cell.strip() for cell in line.split(None if separator == " " else separator)]
    return [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]


def _epochs(table: pd.DataFrame, places: Sequence[str]) -> dict[str, list[float]]:
    """Return begin and end of the rows of a table, seconds since 1970; infinite if missing."""
    plain = {_plain(str(name)): name for name in reversed(list(table.columns))}
    found = {}
    for (column, names), missing in zip(EPOCH_NAMES.items(), (-np.inf, np.inf), strict=True):
        name = next((plain[name] for name in names if name in plain), None)
        texts = [""] * len(table) if name is None else table[name].tolist()
        found[column] = [
            missing if text.lower() in EMPTY else _seconds(text, str(name), place)
            for text, place in zip(texts, places, strict=True)
        ]
    return found


def _seconds(text: str, name: str, place: str) -> float:
    """Return a time as seconds since 1970."""
    try:
        return float(UTCDateTime(text).timestamp)
    except Exception as error:  # ObsPy raises several kinds of errors
        raise ScenarioError(
            f"{place}: {name} = {text} must be a time such as 2019-10-15 or 2019-10-15T05:33:42."
        ) from error


def _is_header(line: str) -> bool:
    """Return whether a line is a header that includes latitude and longitude."""
    separators = r"[|\t;,]" if set(line.strip()) & set(SEPARATORS) else r"\s+"
    names = {_plain(name.strip(' "')) for name in re.split(separators, line.strip().lstrip("#"))}
    return all(names & {column, *NAMES[column]} for column in PLACE)
