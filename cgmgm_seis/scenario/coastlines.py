"""The coastline of California for maps, available offline: Natural Earth, 1:10 million.

Natural Earth (naturalearthdata.com) is in the public domain; `docs/make_coastlines.py` extracted
the region.  The lines are accurate to about 1 km: for orientation, not for distances.
"""

from functools import cache
from importlib.resources import files

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

from cgmgm_seis.scenario.geography import unwrapped_longitude

COASTLINE_FILE = "california_coastline.csv"
COVERAGE = (-126.0, -114.0, 31.5, 42.5)  # west, east, south, north, degrees


@cache
def coastlines() -> list[NDArray[np.float64]]:
    """Return the coastlines in `COVERAGE`.

    Returns
    -------
    list of numpy.ndarray
        One array per line: longitude and latitude, degrees, shape (point, 2).

    Examples
    --------
    >>> all(line.shape[1] == 2 for line in coastlines())
    True
    """
    with (files("cgmgm_seis.scenario") / "data" / COASTLINE_FILE).open() as file:
        points = np.loadtxt(file, delimiter=",", skiprows=1)
    ends = np.flatnonzero(np.isnan(points[:, 0]))
    return [line[~np.isnan(line[:, 0])] for line in np.split(points, ends)]


def plot_coastlines(axes: Axes, above: bool = False) -> None:
    """Plot the coastlines on a map of longitude and latitude without changing its limits.

    Nothing is plotted outside of `COVERAGE`.  The limits may exceed 180 degrees, for maps that
    cross the date line.

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
    west, east = COVERAGE[:2]
    middle = 0.5 * (west + east)
    turn = float(unwrapped_longitude(middle, float(np.mean(axes.get_xlim())))) - middle
    segments = [line + np.array([turn, 0.0]) for line in coastlines()]
    lines = LineCollection(segments, colors=colour, linewidths=0.8, zorder=zorder)
    axes.add_collection(lines, autolim=False)
