"""Reading station files: StationXML, FDSN text and tables, all into the same columns.

A table is a text file with a header line, separated by commas, semicolons, tabs or ``|``.
`NAMES` lists the accepted column names, in upper or lower case: those of a scenario table
and of SeisBench's metadata, and common short ones such as ``lat``, ``lon``, ``elev``, ``net``
and ``sta``.  FDSN text (``#Network|Station|Latitude|..``) is such a table as well.
"""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from obspy import Inventory

from cgmgm_seis.errors import ScenarioError
from cgmgm_seis.scenario.codes import VIRTUAL_NETWORK, node_codes
from cgmgm_seis.scenario.columns import check_limits
from cgmgm_seis.scenario.obspy_files import Paths, expand, read_inventory

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
PLACE = ("station_latitude_deg", "station_longitude_deg")
CODES = ("station_network_code", "station_code")
SEPARATORS = "|\t;,"
EMPTY = ("", "nan", "none")


def read_stations(paths: Paths) -> pd.DataFrame:
    """Read station files of any supported format.

    Parameters
    ----------
    paths : str, pathlib.Path or iterable of them
        StationXML, FDSN text (of stations or channels) or tables; ``*``, ``?`` and ``[]`` are
        expanded.

    Returns
    -------
    pandas.DataFrame
        Codes, latitude, longitude (degrees) and elevation (m), one row per station.  If
        StationXML or FDSN text has several epochs or channels of a station, the last is used.
        Stations of tables without codes are named SY.A0000, SY.A0001, ..; missing elevations
        are set to 0.

    Raises
    ------
    ScenarioError
        If a file cannot be read, has no stations, latitudes or longitudes, or has one station
        at two locations; the message contains the file and the line.
    """
    table = pd.concat([_read(path) for path in expand(paths, ScenarioError)]).drop_duplicates()
    repeated = table[table.duplicated(list(CODES))]
    if len(repeated):
        row = repeated.iloc[0]
        raise ScenarioError(
            f"{row.name}: station {row['station_network_code']}.{row['station_code']} occurs "
            "twice, at different locations; codes must be unique."
        )
    return table.reset_index(drop=True)


def inventory_stations(inventory: Inventory) -> pd.DataFrame:
    """Return a table of the stations of an inventory, one row for all epochs of a station."""
    rows = {
        (network.code, station.code): {
            "station_network_code": network.code,
            "station_code": station.code,
            "station_latitude_deg": float(station.latitude),
            "station_longitude_deg": float(station.longitude),
            "station_elevation_m": float(station.elevation or 0.0),
        }
        for network in inventory
        for station in network
    }
    if not rows:
        raise ScenarioError("The inventory contains no stations; at least one is needed.")
    return pd.DataFrame(list(rows.values()))


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
    named = check_limits(named, places)
    if "station_network_code" not in named:
        named["station_network_code"] = VIRTUAL_NETWORK
    if "station_code" not in named:
        named["station_code"] = node_codes(0, len(named))
    named["station_elevation_m"] = _elevations(named, places)
    named[list(CODES)] = named[list(CODES)].astype(str)
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
    """Read one file; the index contains the file and line of each row."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ScenarioError(f"{path} cannot be read: {error.strerror or error}.") from error
    if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        stations = inventory_stations(read_inventory(path))
        return stations.set_axis([str(path)] * len(stations))
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path} is neither StationXML nor a table: {error}.") from error
    return _read_table(path, lines)


def _read_table(path: Path, lines: Sequence[str]) -> pd.DataFrame:
    """Read a table; empty lines and lines that start with # are ignored."""
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    # The header of FDSN text starts with #.
    header = next(
        (line.strip().lstrip("#") for _, line in numbered if _is_header(line)),
        next((line for _, line in numbered if not line.lstrip().startswith("#")), ""),
    )
    separator = max(SEPARATORS, key=header.count)
    names = [name.strip() for name in next(csv.reader([header], delimiter=separator), [])]
    rows: list[list[str]] = []
    numbers: list[str] = []
    for number, line in numbered:
        if line.lstrip().startswith("#") or line.strip() == header.strip():
            continue
        cells = [cell.strip() for cell in next(csv.reader([line], delimiter=separator))]
        if any(cells[len(names) :]):
            raise ScenarioError(
                f"{path}, line {number} has {len(cells)} values; at most {len(names)} are allowed."
            )
        rows.append((cells + [""] * len(names))[: len(names)])
        numbers.append(f"line {number}")
    table = pd.DataFrame(rows, columns=names, dtype=str)
    table = table.loc[:, ~table.columns.duplicated()]
    stations = complete_stations(table, str(path), numbers)[list(NAMES)]
    stations = stations.set_axis([f"{path}, {number}" for number in numbers])
    # FDSN text has one row for each epoch or channel of a station.
    return stations.drop_duplicates(list(CODES), keep="last") if separator == "|" else stations


def _is_header(line: str) -> bool:
    """Return whether a line is a header that includes latitude and longitude."""
    names = {_plain(name) for name in re.split(r"[|\t;,]", line.strip().lstrip("#"))}
    return all(names & {column, *NAMES[column]} for column in PLACE)
