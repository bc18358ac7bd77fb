"""The split of residuals finds what was put in, also where some events are far from normal."""

import numpy as np
import pytest

from cgmgm_seis.simulator.residual_scatter import residual_scatter

N_EVENTS, N_STATIONS, LENGTH_KM = 60, 30, 14.0


def correlation(points, shared):
    distance = np.hypot(*(points[:, None] - points).transpose(2, 0, 1))
    return shared * np.exp(-distance / LENGTH_KM) + (1.0 - shared) * np.eye(len(points))


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
    assert found.shared == pytest.approx(0.8, abs=0.1)


def test_missing_values_do_not_count(made_up):
    residual, event, points = made_up
    gaps = residual.copy()
    gaps[::5, 0] = np.nan
    found = residual_scatter(gaps, event, points, LENGTH_KM)
    all_but = np.isfinite(gaps[:, 0])
    alone = residual_scatter(residual[all_but, :1], event[all_but], points[all_but], LENGTH_KM)
    assert found.phi[0] == pytest.approx(alone.phi[0], rel=0.02)
    assert found.tau[0] == pytest.approx(alone.tau[0], abs=0.02)


def test_drawn_residuals_have_the_moments_of_the_given_ones(made_up):
    """Variance of events' means and about them, at the same stations, also if a third is louder."""
    residual, event, points = made_up
    louder = residual * np.where(event % 3 == 0, 1.6, 1.0)[:, None]
    found = residual_scatter(louder, event, points, LENGTH_KM)
    random = np.random.default_rng(1)
    moments = []
    for _ in range(40):
        drawn = np.empty(len(event))
        for number in range(N_EVENTS):
            rows = event == number
            factor = found.phi[0] * np.linalg.cholesky(correlation(points[rows], found.shared))
            drawn[rows] = factor @ random.standard_normal(N_STATIONS)
            drawn[rows] += found.tau[0] * random.standard_normal()
        moments.append(split(drawn, event))
    assert np.allclose(np.mean(moments, axis=0), split(louder[:, 0], event), rtol=0.04)


def split(values, event):
    """Return the standard deviation of the events' means and about them."""
    means = np.array([values[event == number].mean() for number in range(N_EVENTS)])
    return means.std(ddof=1), (values - means[event]).std(ddof=1)
