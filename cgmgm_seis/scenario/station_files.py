"""Files of stations: StationXML, FDSN text and tables, all read into the same columns.

A table is a CSV with a line of column names, divided by commas, semicolons, tabs or ``|``.
`NAMES` lists the names that are understood, in upper or lower case: those of a scenario table
and of SeisBench's metadata, and the usual short ones such as ``lat``, ``lon``, ``elev``, ``net``
and ``sta``.  FDSN text (``#Network|Station|Latitude|..``) is such a table too.
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

# Names that mean a column, after lower case, with _ for spaces, and without a unit in brackets.
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
    """Read files of stations, each of any kind.

    Parameters
    ----------
    paths : str, pathlib.Path or iterable of them
        StationXML, FDSN text (of stations or channels) or tables; ``*``, ``?`` and ``[]`` are
        expanded.

    Returns
    -------
    pandas.DataFrame
        Codes, latitude, longitude (degrees) and elevation (m) of every station, once.  Where
        StationXML or FDSN text has several epochs or channels of a station, the last counts.
        Stations of tables without codes are called SY.A0000, SY.A0001, ..; elevations are 0
        where they are missing.

    Raises
    ------
    ScenarioError
        If a file cannot be read, has no stations or no latitudes or longitudes, or names one
        station at two places; the message names the file and the line.
    """
    table = pd.concat([_read(path) for path in expand(paths, ScenarioError)]).drop_duplicates()
    repeated = table[table.duplicated(list(CODES))]
    if len(repeated):
        row = repeated.iloc[0]
        raise ScenarioError(
            f"{row.name}: station {row['station_network_code']}.{row['station_code']} occurs "
            "twice, at different places; codes must be unique."
        )
    return table.reset_index(drop=True)


def inventory_stations(inventory: Inventory) -> pd.DataFrame:
    """List the stations of an inventory once each, whatever the number of their epochs."""
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
        raise ScenarioError("The inventory holds 0 stations; at least one is needed.")
    return pd.DataFrame(list(rows.values()))


def complete_stations(
    table: pd.DataFrame, where: str, rows: Sequence[str] | None = None
) -> pd.DataFrame:
    """Return the ``station_*`` columns of a table, complete and checked.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns with names of `NAMES`; further ``station_*`` columns are kept.
    where : str
        What the table is, for the message of an error.
    rows : sequence of str, optional
        What its rows are called there.

    Raises
    ------
    ScenarioError
        If latitudes or longitudes are missing or impossible, or an elevation is not a number.
    """
    named = _renamed(table)
    missing = [column for column in PLACE if column not in named]
    if missing or table.empty:
        raise ScenarioError(
            f"{where} has {len(table)} rows with the columns "
            f"{', '.join(map(str, table.columns)) or '(none)'}; at least one row with latitude "
            "and longitude is needed."
        )
    places = [f"{where}, {row}" for row in rows or [f"row {label}" for label in table.index]]
    for column in named.columns.intersection([*PLACE, *CODES]):
        empty = (named[column].isna() | named[column].astype(str).str.strip().eq("")).to_numpy()
        if empty.any():
            raise ScenarioError(
                f"{places[int(np.argmax(empty))]}: {column} is missing; every row needs one."
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
    """Return the columns of stations by the names that a scenario has for them."""
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
    """Return a column's name in lower case, with _ for spaces and without a unit in brackets."""
    lower = re.sub(r"\s*[(\[](m|deg|degrees)[)\]]$", "", name.strip().lower())
    return re.sub(r"[\s-]+", "_", lower)


_UNDERSTOOD = {name for column, others in NAMES.items() for name in (column, *others)}


def _elevations(table: pd.DataFrame, places: Sequence[str]) -> pd.Series:
    """Return elevations in metres, 0 where there is none."""
    if "station_elevation_m" not in table:
        return pd.Series(0.0, index=table.index)
    text = table["station_elevation_m"]
    values = pd.to_numeric(text, errors="coerce").astype(float)
    wrong = values.isna() & ~text.astype(str).str.lower().isin(EMPTY)
    if wrong.any():
        row = int(np.argmax(wrong.to_numpy()))
        raise ScenarioError(f"{places[row]}: elevation = {text.iloc[row]} is not a number.")
    return values.fillna(0.0)


def _read(path: Path) -> pd.DataFrame:
    """Read one file; the index says where a row comes from."""
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
    """Read a table; empty lines, and lines that begin with #, are left out."""
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    # FDSN text has its column names behind a #.
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
                f"{path}, line {number} has {len(cells)} values; there are {len(names)} columns."
            )
        rows.append((cells + [""] * len(names))[: len(names)])
        numbers.append(f"line {number}")
    table = pd.DataFrame(rows, columns=names, dtype=str)
    table = table.loc[:, ~table.columns.duplicated()]
    stations = complete_stations(table, str(path), numbers)[list(NAMES)]
    stations = stations.set_axis([f"{path}, {number}" for number in numbers])
    # FDSN text has a row for every epoch, or channel, of a station.
    return stations.drop_duplicates(list(CODES), keep="last") if separator == "|" else stations


def _is_header(line: str) -> bool:
    """Tell whether a line holds column names, among them latitude and longitude."""
    names = {_plain(name) for name in re.split(r"[|\t;,]", line.strip().lstrip("#"))}
    return all(names & {column, *NAMES[column]} for column in PLACE)
