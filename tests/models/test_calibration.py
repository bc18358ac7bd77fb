"""The fit of gains to residuals."""

import numpy as np
import pytest

from cgmgm_seis.models.evolutionary.calibration import fit_gains


def test_known_gains_are_found_and_go_on_where_nothing_is_heard():
    rng = np.random.default_rng(0)
    design = np.stack([np.ones(4000), *rng.uniform(-1.0, 1.0, (2, 4000))], axis=1)
    frequency = np.linspace(-1.0, 1.0, 20)
    true = np.stack([0.5 * frequency, 0.2 + 0.0 * frequency, -0.1 * frequency])
    residual = (design @ true)[:, None] + 0.5 * rng.standard_normal((4000, 2, 20))
    heard = np.ones(residual.shape, bool)
    heard[:, :, :3] = False
    found = fit_gains(residual, heard, design)
    assert found.shape == (3, 2, 20)
    for component in range(2):
        assert found[:, component, 3:] == pytest.approx(true[:, 3:], abs=0.07)
        assert found[:, component, 0] == pytest.approx(found[:, component, 3], abs=0.1)


def test_without_records_there_are_no_gains():
    found = fit_gains(np.ones((5, 1, 8)), np.zeros((5, 1, 8), bool), np.ones((5, 3)))
    assert not found.any()
