"""Coastlines for maps, available offline: Natural Earth, 1:110 million, California 1:10 million.

Natural Earth (naturalearthdata.com) is in the public domain; `docs/make_coastlines.py` made the
files.  The lines of California are accurate to about 1 km, those of other regions to some ten
kilometres: for orientation, not for distances.
"""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

CALIFORNIA_FILE, WORLD_FILE = "california_coastline.csv", "world_coastline.csv"
COVERAGE = (-126.0, -114.0, 31.5, 42.5)  # of California: west, east, south, north, degrees

Line = NDArray[np.float64]


@cache
def coastlines() -> list[Line]:
    """Return the coastlines of California and of the world outside of `COVERAGE`.

    Returns
    -------
    list of numpy.ndarray
        One array per line: longitude and latitude, degrees, shape (point, 2).

    Examples
    --------
    >>> all(line.shape[1] == 2 for line in coastlines())
    True
    """
    return [line for name in (CALIFORNIA_FILE, WORLD_FILE) for line in _read(name)]


def _read(name: str) -> list[Line]:
    """Return the lines of a file, between which there are rows of NaN."""
    with (files("cgmgm_seis.scenario") / "data" / name).open("rb") as file:
        points = np.loadtxt(file, delimiter=",", skiprows=1)
    ends = np.flatnonzero(np.isnan(points[:, 0]))
    return [line[~np.isnan(line[:, 0])] for line in np.split(points, ends)]


def coastlines_in(region: Sequence[float]) -> list[Line]:
    """Return the parts of the coastlines in a region, up to the first point outside of it.

    Parameters
    ----------
    region : sequence of float
        West, east, south, north, degrees; longitudes may exceed 180 degrees, for maps that cross
        the date line.

    Examples
    --------
    >>> islands = coastlines_in((176.0, 182.0, -20.0, -15.0))  # Fiji
    >>> sorted(round(float(line[:, 0].max())) for line in islands)
    [179, 180, 180]
    """
    west, east, south, north = region
    found: list[Line] = []
    for line in coastlines():
        y = line[:, 1]
        if y.max() < south or y.min() > north:
            continue
        for turn in (-360.0, 0.0, 360.0):
            x = line[:, 0] + turn
            near = (np.maximum(x[1:], x[:-1]) >= west) & (np.minimum(x[1:], x[:-1]) <= east)
            near &= (np.maximum(y[1:], y[:-1]) >= south) & (np.minimum(y[1:], y[:-1]) <= north)
            ends = np.flatnonzero(np.diff(np.r_[False, near, False].astype(int)))
            found += [
                np.column_stack([x, y])[first : last + 1] for first, last in ends.reshape(-1, 2)
            ]
    return found


class _Coast(LineCollection):
    """The coastlines within the limits that a map has when it is drawn."""

    def draw(self, renderer: RendererBase) -> None:
        if self.axes is not None:
            self.set_segments(coastlines_in((*self.axes.get_xlim(), *self.axes.get_ylim())))
        super().draw(renderer)


def plot_coastlines(axes: Axes, above: bool = False) -> None:
    """Plot the coastlines on a map of longitude and latitude without changing its limits.

    The limits may exceed 180 degrees, for maps that cross the date line.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        A panel with longitudes (degrees) along x and latitudes along y.
    above : bool
        Plot the lines above filled areas instead of below everything else.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> axes = Figure().subplots()
    >>> axes.set(xlim=(-123.0, -121.5), ylim=(37.0, 38.5)) and plot_coastlines(axes)
    >>> len(axes.collections)
    1
    """
    colour, zorder = ("#4a5a66", 1.5) if above else ("#8fa3b0", 0.5)
    lines = _Coast([], colors=colour, linewidths=0.8, zorder=zorder)
    axes.add_collection(lines, autolim=False)
