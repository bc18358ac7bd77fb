"""Minimum-phase filters: their amplitude, and nothing before zero."""

import numpy as np
import pytest

from cgmgm_seis.models.evolutionary.minimum_phase import hats, log_responses

NODES = np.geomspace(0.1, 40.0, 32)


def test_the_amplitude_is_that_of_the_nodes():
    gains = np.random.default_rng(0).standard_normal(32)
    response = np.exp(gains @ log_responses(NODES, 8192, 100.0))
    frequencies = np.fft.rfftfreq(8192, 0.01)
    assert np.log(np.abs(response)) == pytest.approx(gains @ hats(NODES, frequencies), abs=1e-9)


def test_it_is_causal():
    """The second half of the circle, which is the past, holds next to nothing."""
    gains = np.minimum(np.log(NODES), 0.0)
    impulse = np.fft.irfft(np.exp(gains @ log_responses(NODES, 8192, 100.0)))
    assert np.argmax(np.abs(impulse)) == 0
    assert np.abs(impulse[4096:]).max() < 1e-4 * np.abs(impulse[0])


def test_hats_add_up_to_one():
    assert hats(NODES, [0.0, 0.05, 0.3, 7.0, 50.0]).sum(axis=0) == pytest.approx(np.ones(5))
