"""Fourier features of places against the Gaussian process that they stand for."""

import numpy as np
import pytest
from obspy.geodetics import gps2dist_azimuth

from cgmgm_seis import bay_area_stations, from_points
from cgmgm_seis.models.evolutionary.places import (
    fourier_features,
    random_waves,
    scenario_features,
    station_spacing_km,
)
from cgmgm_seis.scenario.geography import local_km

CENTRE = (37.8, -122.2)


def test_local_kilometres_are_distances_on_the_ellipsoid():
    metres, azimuth, _ = gps2dist_azimuth(*CENTRE, 38.1, -121.9)
    east, north = local_km(38.1, -121.9, CENTRE)
    assert np.hypot(east, north) == pytest.approx(metres / 1000.0, rel=5e-3)
    assert np.degrees(np.arctan2(east, north)) == pytest.approx(azimuth, abs=0.5)


def test_the_date_line_is_no_edge():
    east, _ = local_km(-20.0, -179.5, (-20.0, 179.5))
    assert east == pytest.approx(111.19 * np.cos(np.radians(20.0)), rel=1e-3)


def test_the_covariance_of_the_features_is_the_mean_of_the_kernels():
    """Rahimi & Recht (2007): squared exponentials of 1, 1, 2 and 4 lengths; sampled, hence 0.03."""
    length = 10.0
    waves = random_waves(8192, length)
    points = np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 10.0], [20.0, -10.0]])
    features = fourier_features(points, waves)
    squared = (points[:, None] - points).__pow__(2).sum(axis=-1)
    kernels = [np.exp(-0.5 * squared / (scale * length) ** 2) for scale in (1, 1, 2, 4)]
    assert features @ features.T == pytest.approx(np.mean(kernels, axis=0), abs=0.03)


def test_spacing_is_the_median_distance_to_the_nearest_station():
    points = [(37.8, -122.2), (37.8, -122.1), (37.9, -122.2)]
    metres = gps2dist_azimuth(*points[0], *points[1])[0]
    north = gps2dist_azimuth(*points[0], *points[2])[0]
    spacing = station_spacing_km(from_points(3, (37.5, -122), points), CENTRE)
    assert spacing == pytest.approx(np.median([metres, metres, north]) / 1000.0, rel=5e-3)
    assert station_spacing_km(from_points(3, (37.5, -122), points[:1]), CENTRE) == 10.0


def test_path_features_are_the_mean_along_the_line():
    """A field that is linear in the features has the integral of the field for its path term."""
    table = from_points(3, (37.5, -122.4), [(38.1, -121.9)])
    waves = random_waves(64, 15.0)
    station, source, path = scenario_features(table, waves, CENTRE)
    ends = [local_km(37.5, -122.4, CENTRE), local_km(38.1, -121.9, CENTRE)]
    shares = np.linspace(0.0, 1.0, 2001)[:, None]
    exact = np.trapezoid(
        fourier_features(ends[0] + shares * (ends[1] - ends[0]), waves), shares[:, 0], axis=0
    )
    assert path[0] == pytest.approx(exact, abs=2e-3)
    assert source[0] == pytest.approx(fourier_features(ends[0], waves))
    assert station[0] == pytest.approx(fourier_features(ends[1], waves))


def test_a_learned_map_is_smooth_between_stations():
    """Between neighbours of half the shortest length, features hardly differ."""
    stations = bay_area_stations()
    places = list(zip(stations.station_latitude_deg, stations.station_longitude_deg, strict=True))
    spacing = station_spacing_km(from_points(3, (37.5, -122), places), CENTRE)
    assert 3.0 < spacing < 12.0
    waves = random_waves(64, 2.5 * spacing)
    here, there = fourier_features(np.array([[0.0, 0.0], [0.5 * spacing, 0.0]]), waves)
    assert here @ there > 0.95
