"""Smooth functions of place: random Fourier features of stations, sources and paths."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import diric

from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.geography import local_km
from cgmgm_seis.scenario.seeding import random_generator

# Correlation lengths of the features in units of the shortest; repeated over the waves.
_SCALES = (1.0, 1.0, 2.0, 4.0)
_PATH_POINTS = 16


def station_spacing_km(scenario: pd.DataFrame, centre: Sequence[float]) -> float:
    """Return the median distance from a station to its nearest neighbour, at least 1 km."""
    places = scenario[["station_latitude_deg", "station_longitude_deg"]].drop_duplicates()
    latitude, longitude = places.to_numpy(float).T
    points = local_km(latitude, longitude, centre)
    if len(points) < 2:
        return 10.0
    distances = np.hypot(*(points[:, None] - points).T)
    np.fill_diagonal(distances, np.inf)
    return max(float(np.median(distances.min(axis=0))), 1.0)


def random_waves(n_waves: int, length_km: float) -> Floats:
    """Return wave vectors (wave, 2), 1/km, of random Fourier features (Rahimi & Recht 2007).

    A linear function of the features with standard normal weights is a Gaussian process whose
    covariance is a sum of squared exponentials of correlation lengths 1, 2 and 4 times
    `length_km`.
    """
    scales = length_km * np.resize(_SCALES, n_waves)[:, None]
    return random_generator("fourier features").standard_normal((n_waves, 2)) / scales


def fourier_features(points_km: Floats, waves: Floats) -> Floats:
    """Return cosines and sines (.., 2 wave) of points (.., 2); the sum of their squares is 1."""
    phases = points_km @ waves.T
    return np.concatenate([np.cos(phases), np.sin(phases)], axis=-1) / np.sqrt(len(waves))


def scenario_features(
    scenario: pd.DataFrame, waves: Floats, centre: Sequence[float]
) -> tuple[Floats, Floats, Floats]:
    """Return the Fourier features of stations, epicentres and paths of a scenario.

    Features of a path are the mean along the straight line from epicentre to station.  A linear
    function of them is the mean of a smooth field along the path, like attenuation and slowness
    (cell-specific attenuation: Dawood & Rodriguez-Marek 2013).

    Returns
    -------
    tuple of numpy.ndarray
        Each of shape (record, 2 wave).
    """
    station, source = (
        local_km(scenario[f"{name}_latitude_deg"], scenario[f"{name}_longitude_deg"], centre)
        for name in ("station", "source")
    )
    # The mean of exp(i phase) over points of a line: that in the middle, times a Dirichlet kernel.
    steps = (station - source) @ waves.T / _PATH_POINTS
    path = fourier_features(0.5 * (source + station), waves)
    path *= np.tile(diric(steps, _PATH_POINTS), 2)
    return fourier_features(station, waves), fourier_features(source, waves), path
