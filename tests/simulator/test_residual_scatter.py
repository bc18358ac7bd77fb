"""The split of residuals finds what was put in, and agrees with a plain multivariate normal."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from cgmgm_seis.simulator.residual_scatter import _variances, residual_scatter

N_EVENTS, N_STATIONS, LENGTH_KM = 60, 30, 14.0


def correlation(points, shared, length_km=LENGTH_KM):
    distance = np.hypot(*(points[:, None] - points).transpose(2, 0, 1))
    return shared * np.exp(-distance / length_km) + (1.0 - shared) * np.eye(len(points))


@pytest.fixture(scope="module")
def made_up():
    """Residuals of two measures with tau 0.4, phi 0.6 and a shared part of 0.8."""
    random = np.random.default_rng(0)
    event = np.repeat(np.arange(N_EVENTS), N_STATIONS)
    points = random.uniform(0.0, 60.0, (len(event), 2))
    residual = np.empty((len(event), 2))
    for number in range(N_EVENTS):
        rows = event == number
        factor = 0.6 * np.linalg.cholesky(correlation(points[rows], 0.8))
        residual[rows] = 0.3 + factor @ random.standard_normal((N_STATIONS, 2))
        residual[rows] += 0.4 * random.standard_normal(2)
    return residual, event, points


def test_finds_what_was_put_in(made_up):
    found = residual_scatter(*made_up, LENGTH_KM)
    # Standard errors with 60 events: 0.05 of tau, 0.02 of phi.
    assert np.allclose(found.tau, 0.4, atol=0.12)
    assert np.allclose(found.phi, 0.6, atol=0.04)
    assert found.shared == pytest.approx(0.8, abs=0.05)


def test_likelihood_is_that_of_a_normal_distribution(made_up):
    residual, event, points = made_up
    values = residual[:, 0].copy()
    values[::7] = np.nan
    groups = [np.flatnonzero(event == number) for number in range(N_EVENTS)]
    cost, tau, phi = _variances(values, groups, points, 0.8, LENGTH_KM)
    # The mean of generalised least squares, written out.
    parts = []
    for group in groups:
        rows = group[np.isfinite(values[group])]
        parts.append((rows, phi**2 * correlation(points[rows], 0.8) + tau**2))
    ones = [np.linalg.solve(covariance, np.ones(len(rows))) for rows, covariance in parts]
    mean = sum(one @ values[rows] for one, (rows, _) in zip(ones, parts, strict=True))
    mean /= sum(one.sum() for one in ones)
    exact = sum(
        multivariate_normal(np.full(len(rows), mean), covariance).logpdf(values[rows])
        for rows, covariance in parts
    )
    n = np.isfinite(values).sum()
    assert -0.5 * (cost + n * (1.0 + np.log(2.0 * np.pi))) == pytest.approx(exact, rel=1e-8)
