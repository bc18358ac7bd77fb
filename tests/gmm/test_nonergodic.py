"""The non-ergodic model: its algebra against scikit-learn, what it finds against hidden truth.

What is hidden is of a region of this file, with sources, paths and sites that are smooth over
15 km and strong enough for a hundred events to show them.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import multivariate_normal
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from small_datasets import small_network

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.evaluation.residuals import mixed_effects
from cgmgm_seis.gmm.base import ErgodicGMM
from cgmgm_seis.gmm.mixed_model import MixedModel
from cgmgm_seis.gmm.nonergodic import NonErgodicFAS
from cgmgm_seis.gmm.sine_basis import SineBasis, path_mean_variance
from cgmgm_seis.scenario.geography import local_km
from cgmgm_seis.scenario.table import from_points
from cgmgm_seis.simulator.earthquakes import draw_catalogue
from cgmgm_seis.simulator.random_field import RandomField
from cgmgm_seis.simulator.region import true_fields
from cgmgm_seis.simulator.sites import CENTRE
from cgmgm_seis.simulator.spectra import bay_area, ln_spectrum, saturation_km

FREQUENCIES = (5.0, 10.0)
LENGTH_KM = 20.0


def some_points(n, seed=0, extent=60.0):
    return np.random.default_rng(seed).uniform(0.0, extent, (n, 2))


def wide_basis(n_functions=900):
    """Sines in a box whose edges are five correlation lengths away."""
    return SineBasis.around([[-90.0, -90.0], [150.0, 150.0]], n_functions)


def kernel(basis, first, second):
    """Covariance of the means of a field of unit variance along paths (start, end)."""
    return (basis.means(*first) * basis.variances(LENGTH_KM)) @ basis.means(*second).T


def straight(points, seed):
    """Paths between two sets of points, and 200 points along each."""
    start, end = points, some_points(len(points), seed)
    shares = (np.arange(200) + 0.5)[:, None] / 200
    return (start, end), start[:, None] + shares * (end - start)[:, None]


# ---- fields as sums of sines ---------------------------------------------------------------


def test_sines_give_the_squared_exponential_kernel():
    points = some_points(30)
    found = kernel(wide_basis(), (points, points), (points, points))
    np.testing.assert_allclose(found, RBF(LENGTH_KM)(points), atol=1e-6)


def test_path_kernel_is_the_double_integral_along_both_paths():
    first, along_first = straight(some_points(4, 1), 2)
    second, along_second = straight(some_points(5, 3), 4)
    exact = [[RBF(LENGTH_KM)(one, other).mean() for other in along_second] for one in along_first]
    np.testing.assert_allclose(kernel(wide_basis(), first, second), exact, atol=1e-5)


def test_variance_of_a_path_mean_is_the_double_integral():
    for length in (0.01, 5.0, 60.0, 500.0):
        along = np.linspace(0.0, length, 2001)[1::2, None]
        exact = RBF(LENGTH_KM)(along).mean()
        assert path_mean_variance(length, LENGTH_KM) == pytest.approx(exact, rel=1e-4)
    assert path_mean_variance(0.0, LENGTH_KM) == pytest.approx(1.0, abs=1e-6)


# ---- likelihood and posterior --------------------------------------------------------------


def test_likelihood_and_posterior_are_those_of_scikit_learn():
    points, new = some_points(25), some_points(10, 1)
    y = np.random.default_rng(2).standard_normal(25)
    basis, variance = wide_basis(), 2.5
    prior = variance * basis.variances(LENGTH_KM)
    features = basis.means(points, points)
    events, nothing_free = np.arange(25), np.zeros(len(prior), bool)
    [model] = MixedModel.of(features, y[:, None], events, nothing_free)
    found = model.posterior(prior, 0.0)

    # phi follows from the rest here, and is given there.
    noise = found.phi**2
    their_kernel = ConstantKernel(variance * noise) * RBF(LENGTH_KM) + WhiteKernel(noise)
    theirs = GaussianProcessRegressor(their_kernel, optimizer=None).fit(points, y)
    likelihood = theirs.log_marginal_likelihood_value_
    assert model.evidence(prior, 0.0).deviance == pytest.approx(-2.0 * likelihood, abs=1e-5)
    mean, sd = theirs.predict(new, return_std=True)
    features = basis.means(new, new)
    np.testing.assert_allclose(features @ found.mean, mean, atol=1e-6)
    np.testing.assert_allclose(np.hypot(found.sd(features), found.phi), sd, atol=1e-6)


def a_tiny_model(free=(False,) * 6):
    rng = np.random.default_rng(5)
    features = rng.standard_normal((40, 6))
    events = rng.integers(0, 12, 40)
    y = features @ rng.standard_normal(6) + rng.standard_normal(12)[events]
    y += 0.5 * rng.standard_normal(40)
    [model] = MixedModel.of(features, y[:, None], events, free)
    return model, features, y, events


def test_likelihood_with_events_is_that_of_the_dense_normal_law():
    model, features, y, events = a_tiny_model()
    variances, ratio = np.linspace(0.5, 3.0, 6), 1.7
    phi = model.posterior(variances, ratio).phi
    same = events[:, None] == events
    covariance = phi**2 * ((features * variances) @ features.T + ratio * same + np.eye(40))
    expected = -2.0 * multivariate_normal(cov=covariance).logpdf(y)
    assert model.evidence(variances, ratio).deviance == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("n_free", [0, 2])
def test_slopes_are_those_of_finite_differences(n_free):
    model, *_ = a_tiny_model(np.arange(6) < n_free)
    point = np.log([*np.linspace(0.5, 3.0, 6), 1.7])
    found = model.evidence(np.exp(point[:6]), np.exp(point[6]))
    expected = approx_fprime(
        point, lambda x: model.evidence(np.exp(x[:6]), np.exp(x[6])).deviance, 1e-6
    )
    slopes = [*found.by_ln_variance, found.by_ln_ratio]
    np.testing.assert_allclose(slopes, expected, rtol=1e-4, atol=1e-4)


def test_a_mean_alone_is_the_mixed_effects_split():
    _, _, y, events = a_tiny_model()
    split = mixed_effects(y, events)
    [model] = MixedModel.of(np.ones((40, 1)), y[:, None], events, [True])
    found = model.posterior(np.ones(1), (split.tau / split.phi) ** 2)
    assert found.mean[0] == pytest.approx(split.mean, rel=1e-6)
    assert found.phi == pytest.approx(split.phi, rel=1e-6)
    assert model.evidence(np.ones(1), (split.tau / split.phi) ** 2).by_ln_ratio == pytest.approx(
        0.0, abs=1e-4
    )


# ---- what is hidden is found ---------------------------------------------------------------


SITES = RandomField("site", 0.5, (15.0, 15.0, 1.0))
SOURCES = RandomField("source", 0.35, (15.0, 15.0, 1.0))


def smooth_terms(field, latitude, longitude, frequencies):
    """Return terms (place, frequency) that change smoothly, also over ln f."""
    places = local_km(latitude, longitude, CENTRE)
    return np.column_stack(
        [field(np.insert(places, 2, ln_f, axis=-1)) for ln_f in np.log(frequencies)]
    )


FIELDS = replace(
    true_fields(),
    sites=partial(smooth_terms, SITES),
    sources=partial(smooth_terms, SOURCES),
    attenuation_field=RandomField("attenuation", 0.55, (15.0, 15.0)),
)


def draw_events(n_events, seed):
    """Draw earthquakes recorded by a network of about 60 stations, each by many of them."""
    with small_network():
        return draw_catalogue(n_events, seed)


@pytest.fixture(scope="module")
def known():
    """A scenario, its ln FAS at one frequency, and the terms that it is made of."""
    scenario = draw_events(250, seed=11)
    rng = np.random.default_rng(11)
    _, event = np.unique(scenario["source_id"], return_inverse=True)
    _, station = np.unique(scenario["station_code"], return_inverse=True)
    site = 0.5 * rng.standard_normal(station.max() + 1)[station]
    ln_fas = ErgodicGMM().fit(scenario, np.empty(0), (5.0,)).predict(scenario).mean[:, 0]
    ln_fas = ln_fas + site + 0.4 * rng.standard_normal(event.max() + 1)[event]
    return scenario, ln_fas + 0.3 * rng.standard_normal(len(scenario)), site


def test_known_standard_deviations_come_back(known):
    scenario, ln_fas, site = known
    model = NonErgodicFAS(n_functions=64).fit(scenario, ln_fas[:, None], (5.0,))
    found = model.hyperparameters.iloc[0]
    # Three standard errors: those of 250 events, 3,000 records and about 60 stations.
    assert found["tau"] == pytest.approx(0.4, abs=0.06)
    assert found["phi"] == pytest.approx(0.3, rel=0.04)
    assert np.hypot(found["site_sd"], found["station_sd"]) == pytest.approx(0.5, abs=0.14)
    assert np.corrcoef(model.terms(scenario)["site"].mean[:, 0], site)[0, 1] > 0.97


@pytest.mark.parametrize("form", ["refitted", "published"])
def test_coefficients_are_those_of_the_data(known, form):
    scenario, ln_fas, site = known
    model = NonErgodicFAS(fields=["site"], form=form, n_functions=16)
    model.fit(scenario, (ln_fas + 0.7)[:, None], (5.0,))
    mean = model.predict(scenario).mean[:, 0]
    published = ErgodicGMM().fit(scenario, np.empty(0), (5.0,)).predict(scenario).mean[:, 0]
    assert (mean - published - site).mean() == pytest.approx(0.7, abs=0.1)
    assert (mean - published - site).std() < 0.15


@pytest.fixture(scope="module")
def simulated():
    """Scenario and ln FAS of 200 events in the region of this file, with terms of their own."""
    scenario = draw_events(200, seed=7)
    rng = np.random.default_rng(7)
    _, event = np.unique(scenario["source_id"], return_inverse=True)
    stress, term = rng.standard_normal((2, event.max() + 1))
    median = bay_area().median_stress_drop(
        scenario["source_magnitude"], scenario["source_depth_km"]
    )
    ln_fas = ln_spectrum(scenario, FREQUENCIES, median * np.exp(0.6 * stress[event]), fields=FIELDS)
    record = 0.3 * rng.standard_normal((len(scenario), 1))  # and what smoothed noise scatters
    record = record + 0.3 * rng.standard_normal(ln_fas.shape)
    return scenario, ln_fas + 0.3 * term[event, None] + record


@pytest.fixture(scope="module")
def fitted(simulated):
    """Unseen records with their ln FAS, and both models of the others."""
    scenario, ln_fas = simulated
    _, event = np.unique(scenario["source_id"], return_inverse=True)
    unseen = event % 4 == 0
    seen = scenario[~unseen]
    models = [
        NonErgodicFAS(fields, n_functions=120).fit(seen, ln_fas[~unseen], FREQUENCIES)
        for fields in ([], ["source", "site", "path"])
    ]
    return scenario[unseen], ln_fas[unseen], *models


@pytest.mark.parametrize("k", range(2), ids=[f"{f:g} Hz" for f in FREQUENCIES])
def test_hidden_fields_of_the_region_are_found(fitted, k):
    scenario, _, _, model = fitted
    fields, f = FIELDS, FREQUENCIES[k]
    found = model.terms(scenario)
    ends = [
        scenario[f"{end}_{axis}_deg"]
        for end in ("source", "station")
        for axis in ("latitude", "longitude")
    ]
    site = fields.site(*ends[2:], [f])[:, 0]
    saturation = saturation_km(scenario["source_magnitude"])
    distance = np.hypot(scenario["path_hyp_distance_km"], saturation)
    path = -np.pi * f * bay_area().t_star(distance, f) * fields.attenuation(*ends)
    truth = {"site": site, "path": path, "source": fields.source(*ends[:2], [f])[:, 0]}
    # Chance would give 0 +- 0.15 for about 60 stations or as many clusters of events or paths.
    bars = {"site": 0.9, "path": 0.65, "source": 0.5}
    for name, true in truth.items():
        assert np.corrcoef(found[name].mean[:, k], true)[0, 1] > bars[name], name


def test_unseen_events_scatter_less_around_the_non_ergodic_model(fitted):
    scenario, ln_fas, ergodic, non_ergodic = fitted
    spread = [(ln_fas - model.predict(scenario).mean).std(axis=0) for model in fitted[2:]]
    assert (spread[1] < 0.85 * spread[0]).all()
    assert (ergodic.predict(scenario).phi > non_ergodic.predict(scenario).phi).all()


def test_stated_scatter_is_that_of_unseen_events(fitted):
    scenario, ln_fas, *models = fitted
    for model in models:
        told = model.predict(scenario)
        normalised = (ln_fas - told.mean) / told.sd
        # Forty events: three standard errors of a scatter that they share by half.
        np.testing.assert_allclose(normalised.std(axis=0), 1.0, atol=0.2)
        assert np.abs(normalised.mean(axis=0)).max() < 0.35


def test_far_from_all_data_only_the_form_is_left(fitted):
    scenario, _, _, model = fitted
    far = from_points(3.0, (45.0, -110.0), [(45.2, -110.1)])
    prior = model.hyperparameters
    for name, columns in {"source": ["source_sd"], "site": ["site_sd", "station_sd"]}.items():
        term = model.terms(far)[name]
        np.testing.assert_allclose(term.mean, 0.0, atol=1e-9)
        np.testing.assert_allclose(term.sd[0], np.hypot.reduce(prior[columns], axis=1), rtol=1e-6)
        known = model.terms(scenario)[name].sd
        assert known.mean() < 0.9 * term.sd.mean()
    told = model.predict(far)
    assert (told.sd**2 > told.tau**2 + told.phi**2 + prior["site_sd"].to_numpy() ** 2).all()


def test_the_same_records_give_the_same_model(known):
    scenario, ln_fas, _ = known
    first, second = (
        NonErgodicFAS(n_functions=32).fit(scenario, ln_fas[:, None], (5.0,)) for _ in range(2)
    )
    np.testing.assert_array_equal(first.predict(scenario).mean, second.predict(scenario).mean)


def test_magnitudes_beyond_the_data_are_extrapolated(fitted):
    _, _, _, model = fitted
    scenario = pd.concat(
        [from_points(m, (37.9, -122.2), [(37.8, -122.1)]) for m in (0.5, 3.0, 6.5)]
    )
    assert model.predict(scenario).extrapolated.tolist() == [True, False, True]


# ---- what cannot be fitted -----------------------------------------------------------------


def test_unknown_names_are_refused():
    with pytest.raises(CgmgmError, match=r"'sight' is not known; .* source, site, path"):
        NonErgodicFAS(fields=["sight"])
    with pytest.raises(CgmgmError, match=r"'old' is not known; .* refitted, published"):
        NonErgodicFAS(form="old")


def test_what_cannot_be_fitted_is_said(known):
    scenario, ln_fas, _ = known
    y = ln_fas[:, None]
    for unfitted in (NonErgodicFAS().predict, NonErgodicFAS().terms):
        with pytest.raises(CgmgmError, match=r"has not been fitted; call fit\(\) first"):
            unfitted(scenario)
    with pytest.raises(CgmgmError, match=r"shape \(\d+, 1\) cannot .* shape \(\d+, 2\)"):
        NonErgodicFAS().fit(scenario, y, FREQUENCIES)
    with pytest.raises(CgmgmError, match="finite"):
        NonErgodicFAS().fit(scenario, np.where(np.arange(len(y)) == 3, np.nan, y.T).T, (5.0,))
    with pytest.raises(CgmgmError, match=r"^1 record\(s\) of 1 event"):
        NonErgodicFAS().fit(scenario[:1], y[:1], (5.0,))
    with pytest.raises(CgmgmError, match="must vary independently"):
        NonErgodicFAS().fit(scenario.assign(source_magnitude=3.0), y, (5.0,))
