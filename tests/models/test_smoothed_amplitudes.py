"""Smoothed amplitudes are distributed as the root of a sum of decaying energies."""

import numpy as np
import pytest
import torch

from cgmgm_seis.models.evolutionary.smoothed_amplitudes import squared_factors


@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.6, 0.9])
def test_amplitudes_are_those_of_decaying_energies(ratio):
    """Mean within 0.5 % and standard deviation of ln within 3 % of 200,000 random sums.

    A ratio of 0 is a single energy: Rayleigh, whose ln scatters by pi / sqrt(24).
    """
    random = np.random.default_rng(0)
    energies = ratio ** np.arange(80.0) @ random.exponential(size=(80, 200_000))
    amplitudes = np.sqrt(energies)
    amplitudes /= amplitudes.mean()
    variance = torch.full((200_000,), amplitudes.var(), dtype=torch.float64)
    numbers = torch.as_tensor(random.standard_normal(200_000))
    drawn = squared_factors(variance, numbers, variance).sqrt().numpy()
    assert drawn.mean() == pytest.approx(1.0, abs=0.005)
    assert np.log(drawn).std() == pytest.approx(np.log(amplitudes).std(), rel=0.03)
    if ratio == 0.0:
        assert np.log(drawn).std() == pytest.approx(np.pi / np.sqrt(24.0), rel=0.03)
