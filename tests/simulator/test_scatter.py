"""Scatter of the simulator: what is drawn has the stated deviations and correlations."""

import numpy as np
import pygmm
import pytest

from cgmgm_seis.simulator.scatter import Scatter, bay_area_scatter

FREQUENCIES = (0.5, 2.0, 8.0)


@pytest.fixture(scope="module")
def scatter():
    return Scatter(0.5, 0.3, FREQUENCIES, (0.3, 0.5, 0.6), 0.2, 0.8, 14.0, 2.0)


@pytest.fixture(scope="module")
def drawn(scatter):
    """P and S of 2,000 events at two stations 10 km apart, (event, wave, station, frequency)."""
    points = np.array([[0.0, 0.0], [10.0, 0.0]])
    return np.array(
        [scatter.record_terms(1, f"{i}", ["A", "B"], points, FREQUENCIES) for i in range(2000)]
    )


def test_record_terms_have_their_deviations_and_correlations(scatter, drawn):
    s = drawn[:, 1]
    np.testing.assert_allclose(s.std(axis=0), [scatter.record] * 2, rtol=0.06)
    between_stations = np.corrcoef(s[:, 0, 1], s[:, 1, 1])[0, 1]
    assert between_stations == pytest.approx(0.8 * np.exp(-10.0 / 14.0), abs=0.05)
    between_frequencies = np.corrcoef(s[:, 0, 0], s[:, 0, 2])[0, 1]
    assert between_frequencies == pytest.approx(np.exp(-np.log(16.0) / 2.0), abs=0.05)


def test_p_shares_the_term_of_s_and_has_one_of_its_own(drawn):
    own = drawn[:, 0] - drawn[:, 1]
    np.testing.assert_allclose(own.std(axis=0), 0.2, rtol=0.06)
    assert np.ptp(own, axis=-1).max() < 1e-12


def test_terms_depend_on_neither_order_nor_the_other_stations(scatter):
    points = np.array([[0.0, 0.0], [10.0, 0.0], [3.0, 4.0]])
    names = ["A", "B", "C"]
    _, every = scatter.record_terms(1, "e", names, points, FREQUENCIES)
    _, one = scatter.record_terms(1, "e", names[2:], points[2:], FREQUENCIES)
    np.testing.assert_allclose(one, every[2:])


def test_event_terms_have_their_deviations(scatter):
    terms = np.array([scatter.event_terms(3, f"{i}") for i in range(3000)])
    np.testing.assert_allclose(terms.std(axis=0), [0.5, 0.3], rtol=0.05)


def test_the_bundled_scatter_is_near_what_was_recorded():
    """Unseen residuals: phi 0.49 to 0.68 of peaks and PSA, path terms over 20 km."""
    found = bay_area_scatter()
    assert 0.05 < found.event < 0.35 and 0.3 < found.stress_drop < 0.8
    # At 25 Hz, which hardly changes a measure, it is extrapolated.
    assert all(0.25 < sd < 0.9 for sd in found.record[:-1])
    # Of residuals 0.95 is shared; what is not is mostly the randomness of each waveform.
    assert 0.65 <= found.shared < 1.0 and found.length_km == 20.0


def test_frequencies_correlate_as_published():
    """Bayless & Abrahamson (2019), through pyGMM; 0.5 to 15 Hz within 0.06."""
    frequencies = np.array([0.5, 1.0, 2.0, 5.0, 10.0, 15.0])
    steps = np.subtract.outer(np.log(frequencies), np.log(frequencies))
    found = np.exp(-np.abs(steps) / bay_area_scatter().ln_f_length)
    published = pygmm.BaylessAbrahamson2018.corr(frequencies)
    np.testing.assert_allclose(found, published, atol=0.06)
