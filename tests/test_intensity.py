import numpy as np
import pytest
from obspy.signal.konnoohmachismoothing import konno_ohmachi_smoothing_window

from cgmgm_seis.intensity import fas, konno_ohmachi_matrix, smoothed_fas


def test_fas_obeys_parseval():
    x = np.random.default_rng(0).standard_normal((2, 600))
    frequencies, amplitudes = fas(x, 100.0)
    power = amplitudes**2
    # The energy: twice the integral of the one-sided spectrum, but zero and Nyquist once.
    energy = (2.0 * power.sum(axis=-1) - power[:, 0] - power[:, -1]) * frequencies[1]
    np.testing.assert_allclose(energy, (x**2).sum(axis=-1) / 100.0)


def test_fas_of_a_sine_is_half_amplitude_times_duration():
    time = np.arange(6000) / 100.0
    frequencies, amplitudes = fas(3.0 * np.sin(2 * np.pi * 5.0 * time), 100.0)
    assert frequencies[amplitudes.argmax()] == pytest.approx(5.0)
    assert amplitudes.max() == pytest.approx(3.0 / 2.0 * 60.0)


@pytest.mark.parametrize("centre", [1.0, 2.0, 5.0, 15.0, 40.0])
def test_rows_are_obspys_windows(centre):
    frequencies = np.fft.rfftfreq(3000, 0.01)
    window = konno_ohmachi_smoothing_window(frequencies, centre, 20.0, normalize=False)
    row = konno_ohmachi_matrix(frequencies, [centre])[0]
    np.testing.assert_allclose(row, window / window.sum(), atol=1e-9)


def test_rows_sum_to_one_and_leave_out_zero_frequency():
    matrix = konno_ohmachi_matrix(np.fft.rfftfreq(512, 0.01), np.geomspace(0.5, 50.0, 30))
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0)
    assert not matrix[:, 0].any()


def test_smoothing_keeps_a_flat_spectrum_and_the_leading_axes():
    impulse = np.zeros((4, 3, 1000))
    impulse[..., 0] = 100.0
    np.testing.assert_allclose(smoothed_fas(impulse, 100.0, [2.0, 5.0]), np.ones((4, 3, 2)))
