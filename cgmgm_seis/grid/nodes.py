"""Nodes of a map: a regular grid, or receivers."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from cgmgm_seis.errors import OutputError, ScenarioError
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.codes import MOST_NODES, VIRTUAL_NETWORK, node_codes
from cgmgm_seis.scenario.geography import Region, middle_longitude, unwrapped_longitude
from cgmgm_seis.scenario.table import cross


@dataclass(frozen=True)
class Nodes:
    """Nodes of a map.

    Parameters
    ----------
    latitude, longitude, elevation : numpy.ndarray
        Degrees and metres, shape (node,).
    shape : tuple of int, optional
        Rows (latitudes, northwards) and columns (longitudes, eastwards) of a regular grid, whose
        nodes are numbered row by row.
    codes : pandas.DataFrame, optional
        ``station_network_code`` and ``station_code`` of receivers; by default those of virtual
        stations.

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

    @classmethod
    def of(cls, receivers: pd.DataFrame) -> Self:
        """Return nodes at receivers, see `cgmgm_seis.receivers`."""
        columns = ("station_latitude_deg", "station_longitude_deg", "station_elevation_m")
        codes = receivers[["station_network_code", "station_code"]].reset_index(drop=True)
        latitude, longitude, elevation = (receivers[column].to_numpy(float) for column in columns)
        return cls(latitude, longitude, elevation, codes=codes)

    def __len__(self) -> int:
        return len(self.latitude)

    @property
    def unwrapped_longitude(self) -> Floats:
        """Longitudes that continue eastwards beyond 180 degrees at the date line."""
        if self.shape is not None:
            return self.longitude + 360.0 * (self.longitude < self.longitude[0])
        return unwrapped_longitude(self.longitude, middle_longitude(self.longitude))

    def table(self, first: int, last: int) -> pd.DataFrame:
        """Return the station columns of nodes `first` to `last` - 1."""
        part = slice(first, last)
        if self.codes is None:
            codes = pd.DataFrame(
                {
                    "station_network_code": VIRTUAL_NETWORK,
                    "station_code": node_codes(first, min(last, len(self))),
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
        """Return the scenario of a source (a table of one row) at nodes `first` to `last` - 1."""
        return cross(source, self.table(first, last))

    def extremes(self, source: pd.DataFrame) -> pd.DataFrame:
        """Return the scenario at the outermost, the nearest and the farthest nodes."""
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
        """Return a checksum of coordinates and codes."""
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
        West, east, south, north, degrees (the order of GMT); west is greater than east if the
        region crosses the date line.
    shape : tuple of int
        Rows and columns, at least 2 each.

    Raises
    ------
    ScenarioError
        If the region is invalid, or the shape is too small or too large.
    """
    box = Region(*region)
    if box.west == box.east:
        raise ScenarioError(f"Region {box} has no width; west and east must differ.")
    rows, columns = shape
    if min(shape) < 2 or rows * columns > MOST_NODES:
        raise ScenarioError(
            f"A grid of {rows}x{columns} nodes must have at least 2 rows and 2 columns, and at "
            f"most {MOST_NODES} nodes."
        )
    east = box.east if box.west < box.east else box.east + 360.0
    latitude, longitude = np.meshgrid(
        np.linspace(box.south, box.north, rows), np.linspace(box.west, east, columns), indexing="ij"
    )
    flat = latitude.ravel(), unwrapped_longitude(longitude.ravel(), 0.0)
    return Nodes(*flat, elevation=np.zeros(rows * columns), shape=(rows, columns))


def check_regular(nodes: Nodes, what: str) -> None:
    """Raise `OutputError` if the nodes are no regular grid, which an output needs.

    Raises
    ------
    OutputError
        With the name of the output.
    """
    if nodes.shape is None:
        raise OutputError(
            f"{what} needs a regular grid (--region with --shape), but the nodes are "
            f"{len(nodes)} station(s) of a file."
        )


def _haversine(
    latitude: Floats, longitude: Floats, latitude_0: float, longitude_0: float
) -> Floats:
    """Return distances on the unit sphere, radians."""
    a, b = np.radians(latitude), np.radians(latitude_0)
    half = np.sin(0.5 * (a - b)) ** 2
    half += np.cos(a) * np.cos(b) * np.sin(0.5 * np.radians(longitude - longitude_0)) ** 2
    return 2.0 * np.arcsin(np.sqrt(half))
