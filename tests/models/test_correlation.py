"""Fields over receivers against their exact covariance, and its estimate from posteriors."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest, kurtosis

from cgmgm_seis.models.evolutionary.correlation import (
    N_WAVES,
    exponential_waves,
    fit_correlation,
    gaussian_fields,
)
from cgmgm_seis.models.evolutionary.random_effects import RandomEffects

POINTS = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 10.0], [30.0, 40.0]])
DISTANCE = np.hypot(*np.moveaxis(POINTS[:, None] - POINTS, -1, 0))


def test_covariance_over_realizations_is_exponential():
    """3,000 realizations of one field: standard error 0.018 at most, to 4 of them."""
    draws = [gaussian_fields(POINTS, 12.0, 1, np.random.default_rng(k))[:, 0] for k in range(3000)]
    covariance = np.cov(np.transpose(draws))
    np.testing.assert_allclose(covariance, np.exp(-DISTANCE / 12.0), atol=0.08)


@pytest.mark.parametrize("length", [3.0, 20.0])
def test_waves_have_the_spectral_density(length):
    """The mean of cos(k h) is the covariance (Bochner), to 5 standard errors of random waves."""
    random = np.random.default_rng(0)
    for distance in (0.5, 5.0, 25.0):
        means = [
            np.cos(exponential_waves(length, random)[:, 0] * distance).mean() for _ in range(400)
        ]
        error = 5.0 * (0.5 / (400 * N_WAVES)) ** 0.5
        assert np.mean(means) == pytest.approx(np.exp(-distance / length), abs=error)


def test_values_are_normal():
    """At a point exactly, and so are differences of neighbours, nearly: kurtosis to 0.25."""
    draws = [gaussian_fields(POINTS, 10.0, 1, np.random.default_rng(k))[:, 0] for k in range(3000)]
    values = np.array(draws)
    assert kstest(values[:, 1], "norm").pvalue > 0.01
    assert kurtosis(values[:, 1] - values[:, 0]) == pytest.approx(0.0, abs=0.25)


def test_a_realization_has_nearly_the_covariance():
    """One realization's waves stray by less than 0.1 from the exponential, 3 standard errors."""
    random = np.random.default_rng(1)
    fields = gaussian_fields(POINTS, 12.0, 20_000, random)
    covariance = np.cov(fields)
    np.testing.assert_allclose(covariance, np.exp(-DISTANCE / 12.0), atol=0.1)


def test_a_value_needs_no_other_receiver():
    random = [np.random.default_rng(7) for _ in range(2)]
    whole = gaussian_fields(POINTS, 10.0, 3, random[0])
    np.testing.assert_allclose(
        gaussian_fields(POINTS[2:3], 10.0, 3, random[1]), whole[2:3], atol=1e-12
    )


def posteriors(share, length, heard, n_events=300, per_event=12, seed=0):
    """Return posterior means and variances of latents with event terms, and where they are.

    A latent z of variance 1 within events is heard with noise; its posterior mean is
    a (z + noise), with a = heard = 1 - s^2.
    """
    rng = np.random.default_rng(seed)
    share, heard = np.array(share), np.array(heard)
    means, event, points = [], [], []
    for k in range(n_events):
        places = rng.uniform(0.0, 60.0, (per_event, 2))
        fields = gaussian_fields(places, length, len(share), rng)
        own = rng.standard_normal((per_event, len(share)))
        latents = np.sqrt(share) * fields + np.sqrt(1.0 - share) * own
        latents += 3.0 * rng.standard_normal(len(share))
        noise = np.sqrt((1.0 - heard) / heard) * rng.standard_normal(latents.shape)
        means.append(heard * (latents + noise))
        event += [k] * per_event
        points.append(places)
    means = np.concatenate(means)
    return means, np.broadcast_to(1.0 - heard, means.shape), event, np.concatenate(points)


def test_length_and_shares_are_found_behind_the_shrinkage():
    """300 events of 12 records: length to 30 %, shares to 0.12 (3 standard errors)."""
    found = fit_correlation(*posteriors((0.8, 0.4, 0.0, 0.8), 15.0, (0.95, 0.8, 0.9, 0.3)))
    assert found.length_km == pytest.approx(15.0, rel=0.3)
    assert found.share[:3] == pytest.approx([0.8, 0.4, 0.0], abs=0.12)
    assert found.share[2] == 0.0
    # Hardly heard: not asked.
    assert found.share[3] == 0.0


def test_independent_records_have_length_zero():
    found = fit_correlation(*posteriors((0.0, 0.0), 15.0, (0.9, 0.8), seed=3))
    assert found.length_km == 0.0
    assert found.share.tolist() == [0.0, 0.0]


def test_one_event_tells_nothing():
    found = fit_correlation(*posteriors((0.9,), 15.0, (0.9,), n_events=1))
    assert found.length_km == 0.0


def test_event_terms_lose_what_records_share():
    """1,000 events of 10 records within 60 km: covariances to 0.1, length to 20 %."""
    rng = np.random.default_rng(4)
    between, within, share = np.diag([0.3, 0.5]), np.array([[1.0, 0.5], [0.5, 1.0]]), [0.9, 0.9]
    root = np.linalg.cholesky(within)
    latents, event, points = [], [], []
    for k in range(1000):
        places = rng.uniform(0.0, 60.0, (10, 2))
        fields = gaussian_fields(places, 20.0, 2, rng)
        own = rng.standard_normal((10, 2))
        terms = (np.sqrt(share) * fields + np.sqrt(1.0 - np.array(share)) * own) @ root.T
        latents.append(terms + np.sqrt(np.diag(between)) * rng.standard_normal(2))
        event += [k] * 10
        points.append(places)
    mean = torch.tensor(np.concatenate(latents), dtype=torch.float32)
    nothing = torch.zeros_like(mean)
    effects = RandomEffects(2)
    effects.follow(mean, nothing, torch.tensor(event), momentum=1.0)
    # Records of an event share a third of the variance within events.
    assert effects.within[0, 0] < 0.8
    found = fit_correlation(
        *(x.numpy() for x in effects.standardised(mean, nothing)), event, np.concatenate(points)
    )
    effects.correlate(found)
    assert effects.within.numpy() == pytest.approx(within, abs=0.1)
    assert effects.between.numpy() == pytest.approx(between, abs=0.1)
    assert effects.correlated.numpy() == pytest.approx(share, abs=0.08)
    assert float(effects.length_km) == pytest.approx(20.0, rel=0.2)
