"""Nodes of a map: a regular grid, or the receivers of a file."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cgmgm_seis.datasets.records import read_inventory
from cgmgm_seis.errors import ScenarioError, reason_of
from cgmgm_seis.scenario.geography import Region, middle_longitude, unwrapped_longitude
from cgmgm_seis.scenario.table import PATH_COLUMNS, check_scenario, inventory_stations

Floats = NDArray[np.float64]

NETWORK = "SY"
# Codes of virtual receivers count in base 36 from here: five characters, the first a letter.
FIRST_CODE = 10 * 36**4
MOST_NODES = 26 * 36**4
# Other names of the columns of a table of stations, lower case.
CSV_COLUMNS = {
    "station_latitude_deg": ("latitude", "lat"),
    "station_longitude_deg": ("longitude", "lon"),
    "station_elevation_m": ("elevation", "elevation_m"),
    "station_network_code": ("network",),
    "station_code": ("station", "code"),
}


@dataclass(frozen=True)
class Nodes:
    """Where the ground shakes.

    Parameters
    ----------
    latitude, longitude, elevation : numpy.ndarray
        Degrees and metres, shape (node,).
    shape : tuple of int, optional
        Rows (latitudes, northwards) and columns (longitudes, eastwards) of a regular grid, whose
        nodes are numbered row by row.
    codes : pandas.DataFrame, optional
        ``station_network_code`` and ``station_code`` of receivers; a grid's nodes are virtual.

    Examples
    --------
    >>> nodes = grid_nodes((-122.5, -121.8, 37.3, 38.1), (2, 3))
    >>> nodes.table(4, 6)[["station_code", "station_latitude_deg", "station_longitude_deg"]]
      station_code  station_latitude_deg  station_longitude_deg
    0        A0004                  38.1                -122.15
    1        A0005                  38.1                -121.80
    """

    latitude: Floats
    longitude: Floats
    elevation: Floats
    shape: tuple[int, int] | None = None
    codes: pd.DataFrame | None = None

    def __len__(self) -> int:
        return len(self.latitude)

    @property
    def unwrapped_longitude(self) -> Floats:
        """Longitudes without the step at the date line: beyond 180 degrees, eastwards."""
        if self.shape is not None:
            return self.longitude + 360.0 * (self.longitude < self.longitude[0])
        return unwrapped_longitude(self.longitude, middle_longitude(self.longitude))

    def table(self, first: int, last: int) -> pd.DataFrame:
        """Return the station columns of the nodes from `first` to before `last`."""
        part = slice(first, last)
        if self.codes is None:
            codes = pd.DataFrame(
                {
                    "station_network_code": NETWORK,
                    "station_code": [
                        np.base_repr(FIRST_CODE + k, 36) for k in range(first, min(last, len(self)))
                    ],
                }
            )
        else:
            codes = self.codes.iloc[part].reset_index(drop=True)
        return codes.assign(
            station_latitude_deg=self.latitude[part],
            station_longitude_deg=self.longitude[part],
            station_elevation_m=self.elevation[part],
        )

    def scenario(self, source: pd.DataFrame, first: int, last: int) -> pd.DataFrame:
        """Return the scenario of a source, a table of one row, at some of the nodes."""
        columns = {str(name): value for name, value in source.iloc[0].items()}
        return check_scenario(self.table(first, last).assign(**columns))

    def extremes(self, source: pd.DataFrame) -> pd.DataFrame:
        """Return the scenario of the outermost, the nearest and the farthest nodes."""
        far = _haversine(
            self.latitude,
            self.longitude,
            source["source_latitude_deg"].iloc[0],
            source["source_longitude_deg"].iloc[0],
        )
        places = [
            int(find(values))
            for values in (self.latitude, self.unwrapped_longitude, far)
            for find in (np.argmin, np.argmax)
        ]
        parts = [self.scenario(source, place, place + 1) for place in sorted(set(places))]
        return pd.concat(parts, ignore_index=True)

    def digest(self) -> str:
        """Return a checksum of places and codes."""
        total = hashlib.sha256(repr(self.shape).encode())
        for values in (self.latitude, self.longitude, self.elevation):
            total.update(np.ascontiguousarray(values).tobytes())
        if self.codes is not None:
            total.update(self.codes.to_csv().encode())
        return total.hexdigest()


def grid_nodes(region: Sequence[float], shape: tuple[int, int]) -> Nodes:
    """Return a regular grid of latitudes and longitudes.

    Parameters
    ----------
    region : sequence of float
        West, east, south, north, degrees (the order of GMT); west is greater than east across the
        date line.
    shape : tuple of int
        Rows and columns, two or more each.

    Raises
    ------
    ScenarioError
        If the region is no box on the Earth, or the shape too small or too large.
    """
    box = Region(*region)
    if box.west == box.east:
        raise ScenarioError(f"The region {box} is a line; its west and east must differ.")
    rows, columns = shape
    if min(shape) < 2 or rows * columns > MOST_NODES:
        raise ScenarioError(
            f"A grid of {rows}x{columns} nodes is not allowed; two or more each way and "
            f"{MOST_NODES} at most are."
        )
    east = box.east if box.west < box.east else box.east + 360.0
    latitude, longitude = np.meshgrid(
        np.linspace(box.south, box.north, rows), np.linspace(box.west, east, columns), indexing="ij"
    )
    flat = latitude.ravel(), unwrapped_longitude(longitude.ravel(), 0.0)
    return Nodes(*flat, elevation=np.zeros(rows * columns), shape=(rows, columns))


def read_nodes(path: Path) -> Nodes:
    """Read receivers from StationXML, or from CSV with latitudes and longitudes.

    A CSV needs the columns of a scenario table, or ``latitude`` and ``longitude`` (``lat``,
    ``lon``); ``network``, ``station`` and ``elevation`` (m) are used if they are there.

    Raises
    ------
    ScenarioError
        If the file cannot be read, lacks a column, or names a station twice.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ScenarioError(f"{path} cannot be read: {reason_of(error)}.") from error
    if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        table = inventory_stations(read_inventory([str(path)]))
    else:
        table = _read_csv(path, content)
    codes = table[["station_network_code", "station_code"]].astype(str).reset_index(drop=True)
    if codes.duplicated().any():
        network, code = codes[codes.duplicated()].iloc[0]
        raise ScenarioError(f"{path} names station {network}.{code} twice; once is allowed.")
    # Says which place is impossible.
    source = {f"source_{name}": 0.0 for name in ("latitude_deg", "longitude_deg", "depth_km")}
    checked = check_scenario(
        table.assign(**source, source_magnitude=0.0, **dict.fromkeys(PATH_COLUMNS, 0.0))
    )
    columns = ("station_latitude_deg", "station_longitude_deg", "station_elevation_m")
    latitude, longitude, elevation = (checked[column].to_numpy(float) for column in columns)
    return Nodes(latitude, longitude, elevation, codes=codes)


def _read_csv(path: Path, content: bytes) -> pd.DataFrame:
    try:
        table = pd.read_csv(
            StringIO(content.decode("utf-8-sig")), comment="#", dtype=str, keep_default_na=False
        )
    except (UnicodeDecodeError, ValueError) as error:
        raise ScenarioError(f"{path} is neither StationXML nor a CSV table: {error}") from error
    table.columns = [str(name).strip() for name in table.columns]
    lower = {str(name).lower(): name for name in table.columns}
    found = {}
    for column, others in CSV_COLUMNS.items():
        names = [lower[name] for name in (column, *others) if name in lower]
        if names:
            found[column] = table[names[0]].str.strip()
    missing = [
        name for name in ("station_latitude_deg", "station_longitude_deg") if name not in found
    ]
    if missing or table.empty:
        raise ScenarioError(
            f"{path} has {len(table)} rows with the columns {', '.join(lower) or '(none)'}; at "
            "least one row with latitude and longitude is needed."
        )
    virtual = [np.base_repr(FIRST_CODE + k, 36) for k in range(len(table))]
    defaults = {
        "station_network_code": NETWORK,
        "station_code": virtual,
        "station_elevation_m": "0",
    }
    stations = pd.DataFrame(found)
    stations = stations.assign(**{k: v for k, v in defaults.items() if k not in stations})
    elevation = pd.to_numeric(stations["station_elevation_m"], errors="coerce")
    return stations.assign(station_elevation_m=elevation.fillna(0.0))


def _haversine(
    latitude: Floats, longitude: Floats, latitude_0: float, longitude_0: float
) -> Floats:
    """Return distances on a sphere, radians."""
    a, b = np.radians(latitude), np.radians(latitude_0)
    half = np.sin(0.5 * (a - b)) ** 2
    half += np.cos(a) * np.cos(b) * np.sin(0.5 * np.radians(longitude - longitude_0)) ** 2
    return 2.0 * np.arcsin(np.sqrt(half))
