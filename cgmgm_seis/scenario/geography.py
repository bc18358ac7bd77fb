"""Regions of longitude and latitude, also across the date line, and local coordinates in km."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cgmgm_seis.errors import ScenarioError
from cgmgm_seis.scenario.arrays import Floats

KM_PER_DEGREE = 111.19


@dataclass(frozen=True)
class Region:
    """A box of longitude and latitude, degrees.

    Parameters
    ----------
    west, east : float
        Longitudes from -180 to 180; if west is greater than east, the box crosses the date
        line.
    south, north : float
        Latitudes from -90 to 90.

    Raises
    ------
    ScenarioError
        If the limits are not valid.

    Examples
    --------
    >>> fiji = Region(177.0, -178.0, -20.0, -15.0)
    >>> fiji.contains([-18.0, -18.0], [179.5, 0.0]).tolist()
    [True, False]
    """

    west: float
    east: float
    south: float
    north: float

    def __post_init__(self) -> None:
        longitudes = np.array([self.west, self.east])
        if not (np.abs(longitudes) <= 180.0).all() or not -90.0 <= self.south < self.north <= 90.0:
            raise ScenarioError(
                f"Region {self} is not valid; west,east,south,north must be degrees from -180 to "
                "180 and -90 to 90, with south below north (west above east crosses the date line)."
            )

    def __str__(self) -> str:
        return f"{self.west:g},{self.east:g},{self.south:g},{self.north:g}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``west,east,south,north``."""
        try:
            west, east, south, north = (float(part) for part in text.split(","))
        except ValueError as error:
            raise ScenarioError(
                f"Region '{text}' must be west,east,south,north, such as -122.5,-121.8,37.27,38.07."
            ) from error
        return cls(west, east, south, north)

    def contains(self, latitude_deg: ArrayLike, longitude_deg: ArrayLike) -> NDArray[np.bool_]:
        """Return which points are in the region, including its edges."""
        latitude, longitude = np.asarray(latitude_deg, float), np.asarray(longitude_deg, float)
        if self.west <= self.east:
            across = (longitude >= self.west) & (longitude <= self.east)
        else:
            across = (longitude >= self.west) | (longitude <= self.east)
        return across & (latitude >= self.south) & (latitude <= self.north)

    def boxes(self) -> list[tuple[float, float, float, float]]:
        """Return one or two boxes (west, east, south, north) that do not cross the date line."""
        if self.west <= self.east:
            return [(self.west, self.east, self.south, self.north)]
        return [
            (self.west, 180.0, self.south, self.north),
            (-180.0, self.east, self.south, self.north),
        ]


def wrapped_longitude(longitude_deg: float) -> float:
    """Return a longitude from -180 to 180 degrees; values in this range are not changed.

    Examples
    --------
    >>> wrapped_longitude(181.5)
    -178.5
    """
    if -180.0 <= longitude_deg <= 180.0:
        return longitude_deg
    return (longitude_deg + 180.0) % 360.0 - 180.0


def middle_longitude(longitude_deg: ArrayLike) -> float:
    """Return the circular mean of longitudes, degrees, which is valid across the date line.

    Examples
    --------
    >>> round(middle_longitude([179.0, -178.0]), 6)
    -179.5
    """
    directions = np.exp(1j * np.radians(np.asarray(longitude_deg, float)))
    return float(np.degrees(np.angle(directions.sum())))


def unwrapped_longitude(longitude_deg: ArrayLike, middle_deg: float) -> NDArray[np.float64]:
    """Return longitudes within 180 degrees of a middle longitude; they may exceed +-180.

    Examples
    --------
    >>> unwrapped_longitude([179.0, -178.0], 180.0).tolist()
    [179.0, 182.0]
    """
    turns = np.round((np.asarray(longitude_deg, float) - middle_deg) / 360.0)
    return np.asarray(longitude_deg, float) - 360.0 * turns


def longitude_label(longitude_deg: float, _position: float | None = None) -> str:
    """Return a tick label for an unwrapped longitude (usable as a Matplotlib formatter).

    Examples
    --------
    >>> [longitude_label(degrees) for degrees in (179.5, 180.0, 180.5)]
    ['179.5', '180', '−179.5']
    """
    wrapped = 180.0 - (180.0 - longitude_deg) % 360.0
    return f"{wrapped:.6g}".replace("-", "\N{MINUS SIGN}")


def local_km(latitude_deg: ArrayLike, longitude_deg: ArrayLike, centre: Sequence[float]) -> Floats:
    """Return east and north coordinates (.., 2), km, relative to a centre (latitude, longitude)."""
    latitude, longitude = np.broadcast_arrays(
        np.asarray(latitude_deg, float), np.asarray(longitude_deg, float)
    )
    # The shorter way around the Earth.
    degrees = (longitude - centre[1] + 180.0) % 360.0 - 180.0
    east = degrees * np.cos(np.radians(centre[0]))
    return KM_PER_DEGREE * np.stack([east, latitude - centre[0]], axis=-1)
