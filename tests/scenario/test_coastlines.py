"""The bundled coast: where lighthouses are, and maps keep their limits."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from cgmgm_seis.scenario.coastlines import COVERAGE, coastlines, plot_coastlines

# Light lists: latitude, longitude.
LIGHTHOUSES = {
    "Point Reyes": (37.9957, -123.0231),
    "Pigeon Point": (37.1819, -122.3939),
    "Point Arena": (38.9547, -123.7406),
    "Point Conception": (34.4486, -120.4710),
}


def distance_km(latitude, longitude):
    points = np.concatenate(coastlines())
    east = (points[:, 0] - longitude) * np.cos(np.radians(latitude))
    return 111.2 * np.hypot(east, points[:, 1] - latitude).min()


@pytest.mark.parametrize("name", list(LIGHTHOUSES))
def test_lighthouses_are_at_the_coast(name):
    # Natural Earth 1:10 million: about 1 km, rounded to 0.3 km; points are up to 3 km apart.
    assert distance_km(*LIGHTHOUSES[name]) < 2.5


@pytest.mark.parametrize("turn", [-360.0, 0.0, 360.0])
def test_the_coast_is_where_the_map_is(turn):
    axes = Figure().subplots()
    axes.set(xlim=(-124.0 + turn, -121.0 + turn), ylim=(36.0, 39.0))
    plot_coastlines(axes)
    drawn = np.concatenate(axes.collections[0].get_segments())
    np.testing.assert_allclose(drawn - (turn, 0.0), np.concatenate(coastlines()), atol=1e-9)


def test_towns_inland_are_not():
    assert distance_km(37.938, -121.06) > 20.0  # east of Stockton
    assert distance_km(36.7378, -119.7871) > 80.0  # Fresno


def test_lines_lie_in_the_coverage():
    west, east, south, north = COVERAGE
    points = np.concatenate(coastlines())
    assert len(points) > 1000
    assert np.isfinite(points).all()
    assert ((points > (west, south)) & (points < (east, north))).all()
    # No line jumps.
    assert max(np.abs(np.diff(line, axis=0)).max() for line in coastlines()) < 0.3


@pytest.mark.parametrize("place", [(-122.0, 38.0), (10.0, 50.0)])
def test_maps_keep_their_limits(place):
    axes = Figure().subplots()
    axes.scatter(*place)
    before = axes.get_xlim(), axes.get_ylim()
    plot_coastlines(axes)
    axes.autoscale_view()
    assert (axes.get_xlim(), axes.get_ylim()) == before
