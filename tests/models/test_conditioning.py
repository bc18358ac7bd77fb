"""Models given records: against Gaussian conditioning by hand, and at recorded stations."""

import numpy as np
import pandas as pd
import pytest
import torch

from cgmgm_seis import CGMGM, EvolutionaryCGM, from_points
from cgmgm_seis.errors import CgmgmError, ScenarioError
from cgmgm_seis.measures.intensity import eas
from cgmgm_seis.models.evolutionary.conditioning import Conditioning, Evidence
from cgmgm_seis.models.evolutionary.scenario_input import receivers_km
from cgmgm_seis.scenario.seeding import Realization, record_keys

pytestmark = pytest.mark.usefixtures("one_thread")
SOURCE = (37.9, -122.1)
STATIONS = [(37.8, -122.2), (37.85, -122.2), (37.7, -121.9)]
ELSEWHERE = [(37.81, -122.2), (37.8, -122.2001), (38.6, -121.3)]
BETWEEN, CORRELATED, LENGTH = np.array([0.3, 0.1]), np.array([0.7, 0.4]), 12.0
FREQUENCIES = (2.0, 5.0, 10.0)


def small_model():
    ranges = {"path_hyp_distance_km": [1.0, 150.0], "source_magnitude": [1.0, 5.5]}
    ranges["source_depth_km"] = [0.0, 20.0]
    model = EvolutionaryCGM(component_order="Z", n_latents=2, centre=SOURCE, ranges=ranges)
    model.effects.between = torch.diag(torch.tensor(BETWEEN, dtype=torch.float32))
    model.effects.within = torch.eye(2)
    model.effects.correlated = torch.tensor(CORRELATED[::-1].copy(), dtype=torch.float32)
    model.effects.length_km = torch.tensor(LENGTH)
    return model


def evidence(n_latents=2, seed=0):
    rng = np.random.default_rng(seed)
    roots = rng.standard_normal((len(STATIONS), n_latents, n_latents))
    weighted = rng.standard_normal((len(STATIONS), n_latents))
    return Evidence.of(from_points(4.0, SOURCE, STATIONS), roots @ roots.mT, weighted)


def covariance(points, latent, between, correlated):
    """Of a latent at points, those within 30 m sharing their own part."""
    distance = np.hypot(*np.moveaxis(points[:, None] - points, -1, 0))
    share = correlated[latent]
    found = between[latent] + share * np.exp(-distance / LENGTH)
    return found + (1.0 - share) * (distance < 0.03)


def by_hand(known, points, between, correlated):
    """Posterior mean and covariance of latents (latent, point), stations first."""
    n, n_latents = len(points), len(between)
    prior = np.zeros((n_latents * n, n_latents * n))
    information, weighted = np.zeros_like(prior), np.zeros(n_latents * n)
    for k in range(n_latents):
        block = slice(k * n, (k + 1) * n)
        prior[block, block] = covariance(points, k, between, correlated)
    for s in range(len(STATIONS)):
        rows = np.arange(n_latents) * n + s
        information[np.ix_(rows, rows)] = known.precision[s]
        weighted[rows] = known.weighted[s]
    posterior = np.linalg.solve(np.eye(len(prior)) + prior @ information, prior)
    return (posterior @ weighted).reshape(n_latents, n).T, posterior


def test_mean_and_variance_are_those_of_a_gaussian_given_observations():
    """To 1e-9."""
    known, model = evidence(), small_model()
    scenario = from_points(4.0, SOURCE, [*STATIONS, *ELSEWHERE])
    points = receivers_km(scenario, SOURCE)
    conditioning = Conditioning(known, BETWEEN, CORRELATED, LENGTH, SOURCE)
    mean, posterior = by_hand(known, points[[0, 1, 2, 3, 5]], BETWEEN, CORRELATED)
    rows = np.array([0, 1, 2, 3, 5])
    np.testing.assert_allclose(conditioning.mean(points)[rows], mean, atol=1e-9)
    variance = np.diag(posterior).reshape(2, 5).T
    np.testing.assert_allclose(conditioning.variance(points)[rows], variance, atol=1e-9)
    # 9 m from the first station: its own part, to exp(-9 m / 12 km).
    np.testing.assert_allclose(conditioning.mean(points)[4], mean[0], atol=2e-3)
    assert model.conditioning is None


def drawn(model, scenario, n_realizations, seed=0):
    """Return the standardised latents (record, realization, latent) of realizations."""
    fields, keys = model.fields(scenario, n_realizations, seed), record_keys(scenario)
    found = []
    for row, key in enumerate(keys):
        own = [Realization(seed, key, k) for k in range(n_realizations)]
        event, record = (
            torch.as_tensor(np.stack([x.standard_normal(2, dtype=np.float32) for x in generators]))
            for generators in ([k.event() for k in own], [k.record() for k in own])
        )
        terms = [fields[name][row] for name in ("field", "correction")]
        found.append(model.effects.draw(event, record, *terms))
    transform, _ = model.effects.standardisation()
    return ((torch.stack(found) - model.effects.mean) @ transform.T).numpy()


def test_realizations_have_the_posterior_mean_and_covariance():
    """1,500 realizations, to 4 standard errors: 0.1 and, of the covariance, 0.15."""
    model, known = small_model(), evidence()
    # The standardisation orders the latents by their ratio of variances.
    between = np.sort(BETWEEN)
    conditioned = model.given(known)
    scenario = from_points(4.0, SOURCE, [*STATIONS, ELSEWHERE[0], ELSEWHERE[2]])
    z = drawn(conditioned, scenario, 1500)
    correlated = model.effects.correlated.double().numpy()
    mean, posterior = by_hand(known, receivers_km(scenario, SOURCE), between, correlated)
    np.testing.assert_allclose(z.mean(axis=1), mean, atol=0.1)
    flat = z.transpose(1, 2, 0).reshape(len(z[0]), -1)
    np.testing.assert_allclose(np.cov(flat.T), posterior, atol=0.15)


def test_records_at_one_place_count_once_as_a_place():
    """Two halves of the information at a station are as the whole."""
    known = evidence()
    twice = Evidence(
        known.source,
        np.concatenate([known.places, known.places]),
        np.concatenate([known.precision, known.precision]) / 2.0,
        np.concatenate([known.weighted, known.weighted]) / 2.0,
    )
    points = receivers_km(from_points(4.0, SOURCE, ELSEWHERE), SOURCE)
    one, other = (
        Conditioning(x, BETWEEN, CORRELATED, LENGTH, SOURCE).mean(points) for x in (known, twice)
    )
    np.testing.assert_allclose(one, other, atol=1e-9)


# ---- the bundled weights -------------------------------------------------------------------


def horizontal(waveforms):
    return np.log(eas(waveforms[..., 1:, :], 100.0, FREQUENCIES))


@pytest.fixture(scope="module")
def model():
    return EvolutionaryCGM.from_pretrained("bay_area_evolutionary")


@pytest.fixture(scope="module")
def event(model):
    """Scenario and waveforms of an earthquake that the model has drawn itself."""
    rng = np.random.default_rng(1)
    places = np.column_stack([37.9 + 0.1 * rng.normal(size=10), -122.1 + 0.1 * rng.normal(size=10)])
    scenario = from_points(4.0, SOURCE, [tuple(place) for place in places.round(4).tolist()])
    return scenario, model.sample(scenario, seed=11)[:, 0]


@pytest.mark.parametrize("given", ["waveforms", "amplitudes"])
def test_at_recorded_stations_the_record_comes_back(model, event, given):
    """EAS: errors of the mean of 8 realizations at most half of the unconditioned ones."""
    scenario, waveforms = event
    recorded = horizontal(waveforms)
    if given == "waveforms":
        conditioned = model.condition(waveforms, scenario)
    else:
        conditioned = model.condition(recorded, scenario, horizontal)
    before, after = (horizontal(x.sample(scenario, 8)).mean(axis=1) for x in (model, conditioned))
    assert (after - recorded).std() < 0.5 * (before - recorded).std()
    assert (after - recorded).std() < 0.3
    far = from_points(4.0, SOURCE, [(36.6, -121.2)])
    medians = [x.median_spectra(far).waves for x in (model, conditioned)]
    assert torch.allclose(*medians, rtol=1.0) and not torch.equal(*medians)


def test_batches_and_order_do_not_matter(model, event):
    scenario, waveforms = event
    conditioned = model.condition(waveforms[:4], scenario[:4])
    whole = conditioned.sample(scenario, 2, seed=5)
    turned = scenario[::-1].reset_index(drop=True)
    other = conditioned.sample(turned, 2, seed=5, batch_size=3)[::-1]
    assert np.abs(whole - other).max() < 1e-4 * np.abs(whole).max()


def test_missing_amplitudes_say_nothing(model, event):
    scenario, waveforms = event
    recorded = horizontal(waveforms[:2])
    recorded[1] = np.nan
    found = model.evidence(recorded, scenario[:2], horizontal)
    assert found.precision[0].any() and not found.precision[1].any()


@torch.no_grad()
def test_expected_measures_are_means_over_the_prior(model, event):
    """Of squares, the variance above those of the median: to 30 %, for 10 records."""

    def both(waveforms):
        level = horizontal(waveforms) + 10.0
        return np.concatenate([level, level**2], axis=-1)

    expected, drawn, slopes = model._responses(event[0], both)
    _, between = model.effects.standardisation()
    variance = (slopes[:, :3] ** 2 @ (1.0 + between.double().numpy())).mean(axis=0)
    above = (expected - drawn.mean(axis=1)).mean(axis=0)
    assert np.abs(above[:3]).max() < 0.1
    # The median of the square's linear part does not contribute; its own convexity does.
    middle = 2.0 * drawn.mean(axis=(0, 1))[:3] * above[:3]
    np.testing.assert_allclose(above[3:] - middle, variance, rtol=0.3)


def test_a_conditioned_model_is_of_one_earthquake(model, event):
    scenario, waveforms = event
    conditioned = model.condition(waveforms[:2], scenario[:2])
    with pytest.raises(ScenarioError, match=r"0\.6 magnitudes from the recorded earthquake"):
        conditioned.sample(scenario.assign(source_magnitude=4.6))
    with pytest.raises(CgmgmError, match="differs from place to place"):
        conditioned.scatter([1.0], 4.0)
    two = pd.concat([scenario[:1], scenario[1:2].assign(source_magnitude=3.0)])
    with pytest.raises(ScenarioError, match="2 earthquakes"):
        model.condition(waveforms[:2], two)
    with pytest.raises(ScenarioError, match=r"must have the shape \(2, 3, 6000\)"):
        model.condition(waveforms[:2, :1], scenario[:2])
    with pytest.raises(ScenarioError, match=r"must have the shape \(2, n\)"):
        model.condition(np.zeros(2), scenario[:2], horizontal)


def test_cgmgm_says_why_it_cannot_be_conditioned(event):
    with pytest.raises(CgmgmError, match="independent between records"):
        CGMGM().condition(event[1], event[0])
