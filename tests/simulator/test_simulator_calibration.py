"""The calibration's algebra against independent formulas, and that it finds what was put in."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cgmgm_seis.measures.intensity import acceleration
from cgmgm_seis.measures.response_spectra import rotd50
from cgmgm_seis.scenario.table import from_points
from cgmgm_seis.simulator import calibration as cal
from cgmgm_seis.simulator import linearisation as lin
from cgmgm_seis.simulator import spectra

N_MEASURES, N_NODES = len(lin.MEASURES), len(lin.NODES)


@pytest.fixture(scope="module")
def scenario():
    """Twelve events at 15 stations."""
    random = np.random.default_rng(1)
    points = list(
        zip(random.uniform(37.4, 38.2, 15), random.uniform(-122.5, -121.8, 15), strict=True)
    )
    tables = [
        from_points(
            float(random.uniform(3.4, 4.4)),
            (float(random.uniform(37.4, 38.2)), float(random.uniform(-122.5, -121.8))),
            points,
            source_id=f"{i}",
        )
        for i in range(12)
    ]
    return pd.concat(tables, ignore_index=True)


def made_up(scenario, seed, variances, coefficients):
    """Return recordings that follow the mixed model, and the station terms in them."""
    random = np.random.default_rng(seed)
    shape = (len(scenario), N_MEASURES)
    sensitivity = random.uniform(0.0, 1.0, (*shape, N_NODES)) ** 4
    sensitivity /= sensitivity.sum(axis=-1, keepdims=True)
    event = np.repeat(np.arange(12), 15)
    station = np.tile(np.arange(15), 12)
    points = random.uniform(0.0, 500.0, (15, 2))[station]
    kernel = np.linalg.cholesky(variances.station * cal._kernel(cal.STATION_LN_F))
    terms = random.standard_normal((15, N_NODES)) @ kernel.T
    _, by_stress = cal.spectrum_gradient(scenario, coefficients)
    effect = terms[station]
    effect = effect + np.sqrt(variances.event) * random.standard_normal(12)[event, None]
    effect += np.sqrt(variances.stress_drop) * random.standard_normal(12)[event, None] * by_stress
    median = random.normal(0.0, 1.0, shape)
    path = random.standard_normal(shape) @ np.linalg.cholesky(variances.path).T
    observed = median + np.einsum("rmk,rk->rm", sensitivity, effect) + path
    line = lin.Linearisation(median, sensitivity, np.eye(N_MEASURES))
    return cal.Recordings(scenario, observed, line, event, station, points), terms


def test_coefficients_survive_the_vector():
    c = spectra.bay_area()
    vector = cal.to_vector(c)
    np.testing.assert_allclose(cal.to_vector(cal.from_vector(vector, c)), vector)
    assert cal.from_vector(vector, c).spreading == c.spreading


def test_gradient_is_that_of_a_larger_step(scenario):
    c = spectra.bay_area()
    gradient, _ = cal.spectrum_gradient(scenario.head(5), c)
    vector = cal.to_vector(c)
    for k in (0, 2, 5, 7, 8, 9, 12):
        step = np.zeros_like(vector)
        step[k] = 1e-2 * max(abs(vector[k]), 0.1)
        two = [
            spectra.ln_spectrum(
                scenario.head(5),
                lin.NODES,
                wave=spectra.S,
                fields=lin.AVERAGE,
                coefficients=cal.from_vector(vector + sign * step, c),
            )
            for sign in (-1.0, 1.0)
        ]
        expected = (two[1] - two[0]) / (2.0 * step[k])
        np.testing.assert_allclose(gradient[:, :, k], expected, rtol=0.02, atol=0.02)


def test_sensitivities_of_a_measure_add_up_to_one(scenario):
    """All spectra twice as large make every measure twice as large."""

    def peaks(waveforms):
        horizontals = np.asarray(waveforms[:, 1:], float)
        return np.log(
            np.column_stack([rotd50(acceleration(horizontals, 100.0)), rotd50(horizontals)])
        )

    few = scenario.iloc[::20].reset_index(drop=True)
    line = lin.linearise(few, spectra.bay_area(), np.zeros((len(few), N_NODES)), peaks)
    total = line.sensitivity.sum(axis=-1)
    # A peak that gives way to another adds a little.
    np.testing.assert_allclose(total, 1.0, atol=0.25)
    np.testing.assert_allclose(total.mean(axis=0), 1.0, atol=0.05)
    # PGV is of lower frequencies than PGA.
    centre = line.sensitivity @ np.log(lin.NODES)
    assert (centre[:, 1] < centre[:, 0]).mean() > 0.8


def test_station_terms_are_the_conditional_mean_of_gaussians(scenario):
    """E[t | y] = cov(t, y) cov(y)^-1 (y - E y), the other way to write the same."""
    c = spectra.bay_area()
    variances = cal.Variances(shared=0.0)
    recordings, _ = made_up(scenario, 0, variances, c)
    zeros = np.zeros((15, N_NODES))
    found = cal.fit(recordings, zeros, [], c, variances, zeros, update=False)

    j, n = recordings.linearisation.sensitivity, recordings.observed.size
    by_vector, by_stress = cal.spectrum_gradient(scenario, c)
    mean, precision = cal.prior(len(c.amplification))
    y = recordings.observed - recordings.linearisation.median
    x = (j @ by_vector).reshape(n, -1)
    covariance = x @ np.linalg.inv(precision) @ x.T
    rows = np.repeat(np.arange(len(j)), N_MEASURES)
    same_event = recordings.event[rows][:, None] == recordings.event[rows]
    same_station = recordings.station[rows][:, None] == recordings.station[rows]
    flat = j.reshape(n, N_NODES)
    g = np.einsum("rmk,rk->rm", j, by_stress).ravel()
    shape = cal.EVENT_SHAPE_SIGMA**2 * flat @ cal._kernel(cal.EVENT_LN_F) @ flat.T
    covariance += same_event * (variances.event + variances.stress_drop * np.outer(g, g) + shape)
    site = variances.station * cal._kernel(cal.STATION_LN_F)
    covariance += same_station * (flat @ site @ flat.T)
    covariance += np.kron(np.eye(len(j)), variances.path)
    left = y.ravel() - x @ (mean - cal.to_vector(c))
    solved = np.linalg.solve(covariance, left)
    expected = np.stack(
        [
            site @ flat[same].T @ solved[same]
            for same in (recordings.station[rows] == k for k in range(15))
        ]
    )
    np.testing.assert_allclose(found.station, expected, atol=1e-6)


def test_variances_and_terms_that_were_put_in_are_found(scenario):
    c = spectra.bay_area()
    true = cal.Variances(event=0.09, stress_drop=0.25, station=0.2, shared=0.0)
    recordings, terms = made_up(scenario, 3, true, c)
    zeros = np.zeros((15, N_NODES))
    variances = replace(true, station=0.1, path=np.eye(N_MEASURES))
    for _ in range(6):
        found = cal.fit(recordings, zeros, [], c, variances, zeros)
        variances = found.variances
    assert np.corrcoef(found.station.ravel(), terms.ravel())[0, 1] > 0.8
    assert variances.station == pytest.approx(0.2, rel=0.35)
    np.testing.assert_allclose(np.diag(variances.path), np.diag(true.path), rtol=0.3)


def test_missing_measures_are_left_out(scenario):
    c = spectra.bay_area()
    variances = cal.Variances()
    recordings, _ = made_up(scenario, 4, variances, c)
    observed = recordings.observed.copy()
    observed[::3, -1] = np.nan
    zeros = np.zeros((15, N_NODES))
    found = cal.fit(replace(recordings, observed=observed), zeros, [], c, variances, zeros)
    assert np.isfinite(found.station).all() and np.isfinite(found.variances.path).all()
    assert np.isnan(found.residual[::3, -1]).all()
