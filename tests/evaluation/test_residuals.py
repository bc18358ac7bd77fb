"""Bias, scatter and calibration against analytic cases, a simulation and statsmodels."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest
from statsmodels.regression.mixed_linear_model import MixedLM

from cgmgm_seis.evaluation.residuals import binned, compare, mixed_effects, pit

NAMES = pd.MultiIndex.from_product([list("ZNE"), ["a", "b"]], names=["component", "measure"])
STATISTICS = ["bias", "median_bias", "sigma"]
SPLITS = ["tau_recorded", "phi_recorded", "tau_generated", "phi_generated"]


def simulated(n_events, tau, phi, seed=0, mean=0.2):
    """Residuals of events with 1 to 20 records."""
    rng = np.random.default_rng(seed)
    events = np.repeat(np.arange(n_events), rng.integers(1, 21, n_events))
    return mean + tau * rng.standard_normal(n_events)[events] + phi * rng.standard_normal(
        len(events)
    ), events


@pytest.mark.parametrize(("tau", "phi"), [(0.4, 0.5), (0.1, 0.6), (1.0, 0.1)])
def test_known_tau_and_phi_come_back(tau, phi):
    residuals, events = simulated(800, tau, phi)
    split = mixed_effects(residuals, events)
    # Three standard errors and more; that of tau is (tau^2 + phi^2 / 10) / tau / sqrt(2 n).
    assert split.tau == pytest.approx(tau, abs=3.5 * (tau**2 + phi**2 / 10) / tau / 40)
    assert split.phi == pytest.approx(phi, rel=0.03)
    assert split.mean == pytest.approx(0.2, abs=3.5 * (tau + phi / 3) / 28)


@pytest.mark.parametrize(("tau", "phi"), [(0.3, 0.4), (0.5, 0.1), (1.0, 0.5)])
def test_unbalanced_events_agree_with_statsmodels(tau, phi):
    residuals, events = simulated(60, tau, phi, seed=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it often does not converge, and says so
        fit = MixedLM(residuals, np.ones((len(events), 1)), groups=events).fit()
    split = mixed_effects(residuals, events)
    assert split.tau == pytest.approx(np.sqrt(fit.cov_re[0, 0]), rel=1e-3)
    assert split.phi == pytest.approx(np.sqrt(fit.scale), rel=1e-3)
    assert split.mean == pytest.approx(fit.fe_params[0], abs=1e-4)


def test_balanced_events_give_the_analysis_of_variance():
    rng = np.random.default_rng(1)
    table = rng.standard_normal((30, 8)) + 0.7 * rng.standard_normal((30, 1))
    within = table.var(axis=1, ddof=1).mean()
    between = 8 * table.mean(axis=1).var(ddof=1)
    split = mixed_effects(table.ravel(), np.repeat(np.arange(30), 8))
    assert split.phi == pytest.approx(np.sqrt(within), rel=1e-6)
    assert split.tau == pytest.approx(np.sqrt((between - within) / 8), rel=1e-6)
    assert split.mean == pytest.approx(table.mean(), abs=1e-9)


def test_equal_event_means_have_no_tau():
    table = np.tile([-1.0, 0.0, 1.0], (20, 1))
    split = mixed_effects(table.ravel(), np.repeat(np.arange(20), 3))
    assert split.tau < 1e-3
    assert split.phi == pytest.approx(table.ravel().std(ddof=1), rel=1e-6)


@pytest.mark.parametrize("events", [["a", "b", "c", "d"], ["a", "a", "a", "a"]])
def test_inseparable_terms_are_nan(events):
    split = mixed_effects([1.0, 2.0, 3.0, 6.0], events)
    assert np.isnan([split.tau, split.phi]).all()
    assert split.mean == 3.0


def an_ensemble(scale=1.0, n_realizations=20, n_events=400, per_event=10, seed=0):
    """Records, realizations of the same law with its scatter times `scale`, and a scenario."""
    rng = np.random.default_rng(seed)
    events = np.repeat(np.arange(n_events), per_event)
    shape = (n_realizations + 1, len(NAMES))
    terms = 0.4 * rng.standard_normal((n_events, *shape))[events]
    values = terms + 0.5 * rng.standard_normal((len(events), *shape))
    median = rng.standard_normal((len(events), len(NAMES)))
    recorded, generated = values[:, 0] + median, scale * values[:, 1:] + median[:, None]
    scenario = pd.DataFrame(
        {
            "source_id": events,
            "source_magnitude": rng.uniform(1.0, 4.0, n_events)[events],
            "path_hyp_distance_km": rng.uniform(1.0, 100.0, len(events)),
        }
    )
    return recorded, generated, scenario


@pytest.mark.parametrize("n_realizations", [20, 24])
def test_a_generator_that_is_right_is_calibrated(n_realizations):
    recorded, generated, scenario = an_ensemble(n_realizations=n_realizations)
    found = compare(recorded, generated, scenario, NAMES)
    assert len(found.table) == 6
    assert found.table["coverage"].mean() == pytest.approx(0.68, abs=0.015)
    assert np.abs(found.table[["bias", "median_bias"]].to_numpy()).max() < 0.1
    # One record an event, since an event's are not independent.
    assert kstest(found.pit[::10].ravel(), "uniform").pvalue > 0.01


@pytest.mark.parametrize("n_realizations", [4, 20])
def test_tau_and_phi_agree_where_the_generator_is_right(n_realizations):
    table = compare(*an_ensemble(n_realizations=n_realizations), NAMES).table
    # The median of the other realizations scatters as well; it adds to the sum of both variances,
    # though not to each in proportion.
    medians = np.random.default_rng(0).standard_normal((100_000, n_realizations - 1))
    total = np.sqrt((0.4**2 + 0.5**2) * (1.0 + np.median(medians, axis=1).var()))
    for kind in ("recorded", "generated"):
        found = np.hypot(table[f"tau_{kind}"], table[f"phi_{kind}"])
        assert found.mean() == pytest.approx(total, rel=0.02)
    assert table["tau_generated"].mean() == pytest.approx(table["tau_recorded"].mean(), rel=0.05)
    assert table["phi_generated"].mean() == pytest.approx(table["phi_recorded"].mean(), rel=0.02)


def test_a_generator_with_half_the_scatter_is_found_out():
    recorded, generated, scenario = an_ensemble(scale=0.5)
    found = compare(recorded, generated, scenario, NAMES)
    assert (found.table["coverage"] < 0.45).all()
    ratio = found.table["tau_generated"] / found.table["tau_recorded"]
    assert ratio.mean() == pytest.approx(0.5, abs=0.06)
    outermost = ((found.pit < 0.1) | (found.pit > 0.9)).mean()
    assert outermost > 0.4


def test_copies_of_the_records_leave_nothing():
    recorded, generated, scenario = an_ensemble(n_events=20)
    generated[:] = recorded[:, None] + 1e-13 * generated
    table = compare(recorded, generated, scenario, NAMES).table
    assert np.abs(table[STATISTICS + SPLITS].to_numpy()).max() < 1e-9
    assert (table["coverage"] == 1.0).all()
    assert pit(recorded, generated).mean() == pytest.approx(0.5, abs=0.05)


def test_a_factor_is_a_bias():
    recorded, generated, scenario = an_ensemble(n_events=20)
    generated[:] = recorded[:, None] + 0.3
    table = compare(recorded, generated, scenario, NAMES).table
    np.testing.assert_allclose(table["bias"], 0.3)
    np.testing.assert_allclose(table["median_bias"], 0.3)
    assert np.abs(table[["sigma", *SPLITS]].to_numpy()).max() < 1e-9
    assert (table["coverage"] == 0.0).all()
    assert pit(recorded, generated).max() < 1.0 / 21


def test_rows_name_their_component_and_measure():
    recorded, generated, scenario = an_ensemble(n_events=20)
    generated[:] = recorded[:, None]
    generated[:, :, 5] += 1.0
    table = compare(recorded, generated, scenario, NAMES).table
    changed = table[table["bias"].abs() > 0.5]
    assert changed[["component", "measure"]].to_numpy().tolist() == [["E", "b"]]


def test_crps_prefers_the_right_scatter():
    right, narrow = (compare(*an_ensemble(scale=scale), NAMES).table for scale in (1.0, 0.3))
    assert right["crps"].mean() == pytest.approx(np.hypot(0.4, 0.5) / np.sqrt(np.pi), rel=0.05)
    assert (narrow["crps"] > right["crps"]).all()


def test_a_trend_shows_in_its_bins():
    rng = np.random.default_rng(0)
    events = np.repeat(np.arange(600), 10)
    magnitude, distance = rng.uniform(1.0, 4.0, 600)[events], rng.uniform(0.0, 60.0, len(events))
    scenario = pd.DataFrame(
        {"source_id": events, "source_magnitude": magnitude, "path_hyp_distance_km": distance}
    )
    terms = 0.4 * rng.standard_normal(600)[events]
    residuals = 0.5 * magnitude + terms + 0.3 * rng.standard_normal(len(events))
    table = binned(residuals[:, None], scenario, NAMES[:1])
    by_magnitude = table[table["by"] == "magnitude"]
    assert by_magnitude["records"].sum() == len(events)
    # A hundred events a bin: three standard errors of their mean, steps of 0.25.
    np.testing.assert_allclose(by_magnitude["bias"], 0.5 * by_magnitude["mean"], atol=0.13)
    assert by_magnitude["bias"].is_monotonic_increasing
    assert by_magnitude["phi"].mean() == pytest.approx(0.3, rel=0.05)
    assert by_magnitude["tau"].mean() == pytest.approx(0.4, rel=0.1)
    first = table[(table["by"] == "distance") & (table["low"] == 10.0)].iloc[0]
    inside = (distance >= 10.0) & (distance < 20.0)
    assert first["records"] == inside.sum()
    assert first["bias"] == pytest.approx(residuals[inside].mean())
    assert first["sigma"] == pytest.approx(residuals[inside].std())


def test_bins_of_few_records_are_left_out():
    scenario = pd.DataFrame(
        {
            "source_id": np.arange(12),
            "source_magnitude": [2.2] * 11 + [4.2],
            "path_hyp_distance_km": np.linspace(11.0, 19.0, 12),
        }
    )
    table = binned(np.zeros((12, 1)), scenario, NAMES[:1])
    assert table[["by", "low", "records"]].to_numpy().tolist() == [
        ["magnitude", 2.0, 11],
        ["distance", 10.0, 12],
    ]
