"""The bundled coasts: where lighthouses and capes are, and maps keep their limits."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from cgmgm_seis.scenario.coastlines import (
    COVERAGE,
    coastlines,
    coastlines_in,
    plot_coastlines,
)

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


# Latitude and longitude of capes of the world, none of them in California.
CAPES = {
    "Cape Agulhas": (-34.83, 20.0),
    "Cabo da Roca": (38.78, -9.5),
    "Cape Byron": (-28.64, 153.64),
    "Cape Shionomisaki": (33.43, 135.75),
    "Taveuni, at the date line": (-16.8, -179.97),
}


@pytest.mark.parametrize("name", list(CAPES))
def test_capes_of_the_world_are_at_the_coast(name):
    # Natural Earth 1:110 million.
    assert distance_km(*CAPES[name]) < 60.0


@pytest.mark.parametrize("turn", [-360.0, 0.0, 360.0])
def test_the_coast_is_where_the_map_is(turn):
    figure = Figure()
    axes = figure.subplots()
    axes.set(xlim=(-124.0 + turn, -121.0 + turn), ylim=(36.0, 39.0))
    plot_coastlines(axes)
    figure.draw_without_rendering()
    drawn = np.concatenate(axes.collections[0].get_segments()) - (turn, 0.0)
    points = np.concatenate(coastlines())
    inside = points[(abs(points[:, 0] + 122.5) < 1.5) & (abs(points[:, 1] - 37.5) < 1.5)]
    assert len(drawn) >= len(inside) > 100
    gaps = np.abs(drawn[:, None] - inside).max(axis=-1)
    assert gaps.min(axis=0).max() < 1e-9  # all points of the region are drawn,
    assert gaps.min(axis=1).max() < 0.2  # and lines end soon outside of it


def test_a_region_across_the_date_line_is_in_one_piece():
    fiji = coastlines_in((176.0, 183.0, -20.0, -15.0))
    (beyond,) = (line for line in fiji if line[:, 0].max() > 180.0)
    before = [line for line in fiji if line[:, 0].max() == 180.0 and line[:, 0].min() < 180.0]
    # Vanua Levu and Taveuni: the lines of both sides meet.
    ends = np.concatenate([line[[0, -1]] for line in before])
    assert all(np.hypot(*(ends - end).T).min() < 0.02 for end in beyond[[0, -1]])
    west = coastlines_in((-184.0, -177.0, -20.0, -15.0))
    turned = np.concatenate(west) + np.array([360.0, 0.0])
    np.testing.assert_allclose(turned, np.concatenate(fiji))


def test_towns_inland_are_not():
    assert distance_km(37.938, -121.06) > 20.0  # east of Stockton
    assert distance_km(36.7378, -119.7871) > 80.0  # Fresno
    assert distance_km(43.24, 76.9) > 1000.0  # Almaty


def test_the_lines_of_both_scales_meet_and_do_not_overlap():
    west, east, south, north = COVERAGE
    middle = np.array([0.5 * (west + east), 0.5 * (south + north)])
    half = np.array([0.5 * (east - west), 0.5 * (north - south)])
    beyond = [(np.abs(line - middle) / half).max(axis=1) for line in coastlines()]
    # No line has points on both sides of the edge, but for rounding.
    assert all(part.max() < 1.0 or part.min() > 0.998 for part in beyond)
    ends = [
        line[k]
        for line, part in zip(coastlines(), beyond, strict=True)
        for k in (0, -1)
        if abs(part[k] - 1.0) < 0.002 and part.max() > 1.0
    ]
    assert len(ends) >= 3  # the Pacific in the north and in the south, the Gulf of California
    points = np.concatenate([line for line in coastlines() if inside_of(line, COVERAGE)])
    assert all(np.hypot(*(points - end).T).min() < 0.3 for end in ends)


def inside_of(line, region):
    west, east, south, north = region
    return ((line > (west, south)) & (line < (east, north))).all()


def test_no_line_jumps():
    points = np.concatenate(coastlines())
    assert len(points) > 5000 and np.isfinite(points).all()
    assert (np.abs(points) <= (180.0, 90.0)).all()
    assert max(np.abs(np.diff(line, axis=0)).max() for line in coastlines()) < 10.0
    california = [line for line in coastlines() if inside_of(line, COVERAGE)]
    assert max(np.abs(np.diff(line, axis=0)).max() for line in california) < 0.3
    # Nothing is drawn along the date line, or around the pole.
    for line in coastlines():
        steps = line[:-1][np.abs(np.diff(line[:, 0])) < 1e-6]
        assert (np.abs(steps[:, 0]) < 179.99).all()


@pytest.mark.parametrize("place", [(-122.0, 38.0), (10.0, 50.0)])
def test_maps_keep_their_limits(place):
    axes = Figure().subplots()
    axes.scatter(*place)
    before = axes.get_xlim(), axes.get_ylim()
    plot_coastlines(axes)
    axes.autoscale_view()
    assert (axes.get_xlim(), axes.get_ylim()) == before
