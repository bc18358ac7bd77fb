"""The fit of gains to residuals."""

import numpy as np
import pytest
import torch

from cgmgm_seis.models.evolutionary.calibration import N_TERMS, design, fit_gains, node_steps


def test_known_gains_are_found_and_go_on_where_nothing_is_heard():
    rng = np.random.default_rng(0)
    design = np.stack([np.ones(4000), *rng.uniform(-1.0, 1.0, (2, 4000))], axis=1)
    frequency = np.linspace(-1.0, 1.0, 20)
    true = np.stack([0.5 * frequency, 0.2 + 0.0 * frequency, -0.1 * frequency])
    residual = (design @ true)[:, None] + 0.5 * rng.standard_normal((4000, 2, 20))
    heard = np.ones(residual.shape, bool)
    heard[:, :, :3] = False
    found = fit_gains(residual, heard, design, np.zeros((3, 3)))
    assert found.shape == (3, 2, 20)
    for component in range(2):
        assert found[:, component, 3:] == pytest.approx(true[:, 3:], abs=0.07)
        assert found[:, component, 0] == pytest.approx(found[:, component, 3], abs=0.1)


def test_without_records_there_are_no_gains():
    found = fit_gains(
        np.ones((5, 1, 8)), np.zeros((5, 1, 8), bool), np.ones((5, 3)), np.zeros((3, 3))
    )
    assert not found.any()


def test_gains_follow_magnitude_and_distance_and_their_neighbours():
    """Small near earthquakes only, in two rounds: to 0.06, and flat where no record is."""
    rng = np.random.default_rng(1)
    plain = rng.uniform(-1.0, 1.0, (6000, 5))
    plain = plain[plain[:, 0] < 0.6]
    terms = design(torch.as_tensor(plain)).numpy()
    assert terms.sum(axis=1) == pytest.approx(1.0)

    def true(magnitude, distance):
        return 0.4 * np.maximum(-magnitude, 0.0) * np.maximum(-distance, 0.0)

    residual = true(plain[:, 0], plain[:, 3]) + 0.5 * rng.standard_normal(len(plain))
    residual = np.repeat(residual, 2).reshape(-1, 1, 2)
    found = fit_gains(residual, np.ones(residual.shape, bool), terms, node_steps())
    left = residual - np.einsum("rt,tcf->rcf", terms, found)
    found += fit_gains(left, np.ones(residual.shape, bool), terms, node_steps())
    assert found.shape == (N_TERMS, 1, 2)
    places = np.zeros((4, 5))
    places[:, [0, 3]] = [[-0.8, -0.8], [-0.5, 0.5], [0.5, -0.5], [1.0, -0.5]]
    gains = design(torch.as_tensor(places)).numpy() @ found[:, 0, 0]
    assert gains == pytest.approx([true(-0.8, -0.8), 0.0, 0.0, 0.0], abs=0.06)
