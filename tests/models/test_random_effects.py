"""Latents of events and records against simulations and brute force."""

import numpy as np
import pytest
import torch

from cgmgm_seis.models.evolutionary.random_effects import RandomEffects

pytestmark = pytest.mark.usefixtures("one_thread")


def simulated(n_events, per_event, between, within, seed=0):
    rng = np.random.default_rng(seed)
    event = np.repeat(np.arange(n_events), per_event)
    terms = rng.multivariate_normal(np.zeros(len(between)), between, n_events)
    rest = rng.multivariate_normal(np.zeros(len(within)), within, len(event))
    values = torch.tensor(3.0 + terms[event] + rest, dtype=torch.float32)
    return values, torch.tensor(event)


BETWEEN = np.array([[0.5, 0.2], [0.2, 0.3]])
WITHIN = np.array([[1.0, -0.3], [-0.3, 0.4]])


def test_running_moments_find_the_covariances():
    """400 batches of 8 events: standard error about 0.05 with the running mean's memory of 100."""
    effects = RandomEffects(2)
    for batch in range(400):
        values, event = simulated(8, 10, BETWEEN, WITHIN, seed=batch)
        effects.follow(values, torch.zeros_like(values), event)
    assert effects.mean.numpy() == pytest.approx([3.0, 3.0], abs=0.1)
    assert effects.within.numpy() == pytest.approx(WITHIN, abs=0.08)
    assert effects.between.numpy() == pytest.approx(BETWEEN, abs=0.12)


def test_draws_have_the_covariances():
    """20,000 draws: to 0.03."""
    effects = RandomEffects(2)
    effects.between = torch.tensor(BETWEEN, dtype=torch.float32)
    effects.within = torch.tensor(WITHIN, dtype=torch.float32)
    effects.mean = torch.tensor([1.0, -1.0])
    rng = torch.Generator().manual_seed(0)
    event, first, second = torch.randn(3, 20000, 2, generator=rng)
    one, two = effects.draw(event, first), effects.draw(event, second)
    both = np.cov(np.concatenate([one, two], axis=1).T)
    assert both[:2, :2] == pytest.approx(BETWEEN + WITHIN, abs=0.05)
    assert both[:2, 2:] == pytest.approx(BETWEEN, abs=0.05)
    assert one.mean(dim=0).numpy() == pytest.approx([1.0, -1.0], abs=0.05)


def test_divergence_is_that_of_the_joint_normal_distributions():
    """Against torch.distributions on the full covariance of an event's records."""
    effects = RandomEffects(2)
    effects.between = torch.tensor(BETWEEN, dtype=torch.float32)
    effects.within = torch.tensor(WITHIN, dtype=torch.float32)
    effects.mean = torch.tensor([0.3, -0.2])
    rng = torch.Generator().manual_seed(1)
    mean = torch.randn(5, 2, generator=rng)
    log_variance = torch.randn(5, 2, generator=rng)
    event = torch.tensor([0, 0, 1, 0, 1])
    wanted = 0.0
    for number in (0, 1):
        rows = event == number
        n = int(rows.sum())
        covariance = np.kron(np.eye(n), WITHIN) + np.kron(np.ones((n, n)), BETWEEN)
        prior = torch.distributions.MultivariateNormal(
            effects.mean.repeat(n).double(), torch.tensor(covariance)
        )
        posterior = torch.distributions.MultivariateNormal(
            mean[rows].flatten().double(), torch.diag(log_variance[rows].flatten().exp().double())
        )
        wanted += float(torch.distributions.kl_divergence(posterior, prior))
    assert float(effects.divergence(mean, log_variance, event)) == pytest.approx(wanted, rel=1e-4)
    assert wanted > 1.0


def test_batches_of_one_event_leave_the_moments_alone():
    effects = RandomEffects(2)
    effects.follow(torch.ones(4, 2), torch.ones(4, 2), torch.zeros(4, dtype=torch.long))
    assert torch.equal(effects.mean, torch.zeros(2))
    assert torch.equal(effects.within, torch.eye(2))


def test_the_spread_is_that_of_all_draws():
    """Exactly: the matrix times its transpose is the sum of both covariances."""
    effects = RandomEffects(2)
    effects.between = torch.tensor(BETWEEN, dtype=torch.float32)
    effects.within = torch.tensor(WITHIN, dtype=torch.float32)
    spread = effects.spread()
    assert (spread @ spread.T).numpy() == pytest.approx(BETWEEN + WITHIN, abs=1e-5)


def test_fields_take_their_share_of_the_record_terms():
    """20,000 draws: the field explains 70 % of the first latent and nothing of the second."""
    effects = RandomEffects(2)
    effects.between = torch.zeros(2, 2)
    event, record, field = torch.randn(3, 20000, 2, generator=torch.Generator().manual_seed(0))
    effects.correlated = torch.tensor([0.7, 0.0])
    drawn = effects.draw(0.0 * event, record, field)
    assert drawn.var(dim=0).numpy() == pytest.approx([1.0, 1.0], abs=0.05)
    found = np.sort(np.abs(np.corrcoef(drawn.T, field.T)[:2, 2:]).max(axis=1))
    assert found == pytest.approx([0.0, 0.7**0.5], abs=0.03)
