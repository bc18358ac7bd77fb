import eqsig
import numpy as np
import pykooh
import pytest
from obspy.signal.konnoohmachismoothing import konno_ohmachi_smoothing_window

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.measures.intensity import (
    GRAVITY,
    acceleration,
    arias_intensity,
    cav,
    eas,
    fas,
    konno_ohmachi_matrix,
    pga,
    pgv,
    significant_duration,
    smoothed_fas,
)

TIMES = np.arange(6000) / 100.0


def pulse(frequency, centre_s=30.0, width_s=1.0):
    """Velocity and acceleration of a sine under a Gaussian envelope."""
    t = TIMES - centre_s
    envelope, omega = np.exp(-((t / width_s) ** 2)), 2 * np.pi * frequency
    slope = -2 * t / width_s**2 * np.sin(omega * t) + omega * np.cos(omega * t)
    return envelope * np.sin(omega * t), envelope * slope


@pytest.fixture(scope="module")
def records():
    """Decaying noise below 25 Hz, m/s, shape (2, 3, 6000), and its acceleration."""
    rng = np.random.default_rng(1)
    centres, frequencies = rng.uniform(10.0, 40.0, 60), rng.uniform(0.5, 25.0, 60)
    weights = rng.standard_normal((2, 3, 60)) * np.exp(-(centres - 10.0) / 8.0)
    pulses = np.array([pulse(*pair) for pair in zip(frequencies, centres, strict=True)])
    return tuple(1e-3 * np.tensordot(weights, pulses[:, k], 1) for k in range(2))


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


def test_smoothing_is_pykoohs():
    x = np.random.default_rng(2).standard_normal(3000)
    frequencies, amplitudes = fas(x, 100.0)
    centres = np.geomspace(0.5, 40.0, 25)
    expected = pykooh.smooth(centres, frequencies[1:], amplitudes[1:], 20.0)
    np.testing.assert_allclose(smoothed_fas(x, 100.0, centres), expected, rtol=1e-12)


def test_many_records_are_smoothed_as_one():
    x = np.random.default_rng(3).standard_normal((40, 3, 6000)).astype(np.float32)
    many = smoothed_fas(x, 100.0, [2.0, 5.0])
    assert many.dtype == np.float64
    np.testing.assert_allclose(many[37, 1], smoothed_fas(x[37, 1], 100.0, [2.0, 5.0]))


def test_eas_is_the_root_mean_square_of_pykoohs_components():
    x = np.random.default_rng(4).standard_normal((3, 2, 3000))
    frequencies, amplitudes = fas(x, 100.0)
    centres = np.geomspace(0.5, 40.0, 25)
    for pair, ours in zip(amplitudes, eas(x, 100.0, centres), strict=True):
        effective = np.sqrt((pair[0] ** 2 + pair[1] ** 2) / 2)[1:]
        expected = pykooh.smooth(centres, frequencies[1:], effective, 20.0)
        np.testing.assert_allclose(ours, expected, rtol=1e-12)


def test_eas_does_not_depend_on_the_orientation():
    x = np.random.default_rng(5).standard_normal((2, 3000))
    c, s = np.cos(0.7), np.sin(0.7)
    turned = np.array([[c, s], [-s, c]]) @ x
    centres = [1.0, 5.0, 15.0]
    np.testing.assert_allclose(eas(turned, 100.0, centres), eas(x, 100.0, centres))
    assert not np.allclose(smoothed_fas(turned, 100.0, centres), smoothed_fas(x, 100.0, centres))


@pytest.mark.parametrize("frequency", [1.0, 15.0, 40.0])
@pytest.mark.parametrize("n_samples", [5999, 6000])
def test_acceleration_is_the_analytic_derivative(frequency, n_samples):
    velocity, expected = (x[:n_samples] for x in pulse(frequency))
    np.testing.assert_allclose(
        acceleration(velocity, 100.0), expected, atol=1e-9 * np.abs(expected).max()
    )


def test_acceleration_of_motion_that_does_not_end_at_rest():
    omega = 2 * np.pi * 3.3
    # The record stops in the middle of the motion, and drifts.
    velocity = np.sin(omega * TIMES + 0.4) + 0.2 * TIMES
    expected = omega * np.cos(omega * TIMES + 0.4) + 0.2
    error = np.abs(acceleration(velocity, 100.0) - expected) / omega
    assert error[50:-50].max() < 0.01


def test_peaks_are_the_largest_samples(records):
    velocity, expected = records
    np.testing.assert_array_equal(pgv(velocity), np.abs(velocity).max(axis=-1))
    np.testing.assert_allclose(pga(velocity, 100.0), np.abs(expected).max(axis=-1), rtol=1e-6)
    assert pga(velocity, 100.0).shape == (2, 3)


def test_energy_and_duration_are_eqsigs(records):
    velocity, acc = records
    ours = {
        "arias": arias_intensity(velocity, 100.0),
        "cav": cav(velocity, 100.0),
        "D5-95": significant_duration(velocity, 100.0),
        "D5-75": significant_duration(velocity, 100.0, 0.05, 0.75),
    }
    for index in np.ndindex(2, 3):
        signal = eqsig.AccSignal(acc[index], 0.01)
        # eqsig has g = 9.81.
        arias = eqsig.im.calc_arias_intensity(signal)[-1] * 9.81 / GRAVITY
        assert ours["arias"][index] == pytest.approx(arias, rel=1e-6)
        assert ours["cav"][index] == pytest.approx(eqsig.im.calc_cav(signal)[-1], rel=1e-6)
        # eqsig counts from the first sample above to the last below: one sample less.
        for name, high in (("D5-95", 0.95), ("D5-75", 0.75)):
            seconds = eqsig.im.calc_sig_dur(signal, 0.05, high) + 0.01
            assert ours[name][index] == pytest.approx(seconds, abs=0.0101)


def test_energy_and_duration_of_a_sine():
    # 1 m/s2 at 2 Hz for 60 s: the mean of the square is 1/2, of the absolute value 2 / pi.
    velocity = -np.cos(2 * np.pi * 2.0 * np.arange(6001) / 100.0) / (2 * np.pi * 2.0)
    expected = np.pi / (2 * GRAVITY) * 60.0 / 2
    assert arias_intensity(velocity, 100.0) == pytest.approx(expected, rel=2e-3)
    assert cav(velocity, 100.0) == pytest.approx(60.0 * 2 / np.pi, rel=2e-3)
    assert significant_duration(velocity, 100.0) == pytest.approx(54.0, abs=0.1)
    assert significant_duration(velocity, 100.0, high=0.75) == pytest.approx(42.0, abs=0.1)
    both = significant_duration([[velocity], [velocity]], 100.0, high=(0.75, 0.95))
    assert both.shape == (2, 1, 2)
    np.testing.assert_allclose(both, np.broadcast_to([42.0, 54.0], both.shape), atol=0.1)


@pytest.mark.parametrize("measure", [pga, arias_intensity, cav, significant_duration])
def test_acceleration_is_taken_as_it_is(measure, records):
    velocity, _ = records
    given = measure(acceleration(velocity, 100.0), 100.0, quantity="acceleration")
    np.testing.assert_array_equal(given, measure(velocity, 100.0))
    with pytest.raises(CgmgmError, match="'displacement' is not known"):
        measure(velocity, 100.0, quantity="displacement")


def test_a_record_without_motion_has_no_intensity():
    zeros = np.zeros((2, 600))
    for measure in (pga, arias_intensity, cav, significant_duration):
        assert not measure(zeros, 100.0).any()


def test_shares_out_of_order_and_other_than_two_components_are_refused():
    with pytest.raises(CgmgmError, match=r"0\.95 and high = 0\.05"):
        significant_duration(np.zeros(10), 100.0, 0.95, 0.05)
    with pytest.raises(CgmgmError, match=r"0\.95 and high = 0\.05"):
        significant_duration(np.zeros(10), 100.0, 0.95, (0.97, 0.05))
    with pytest.raises(CgmgmError, match=r"\(3, 100\) must be two components"):
        eas(np.zeros((3, 100)), 100.0, [2.0])


def test_single_precision_is_near_double_precision():
    """Relative to the largest value, to 2e-6; the result has the precision asked for."""
    decay = np.exp(-np.arange(6000) / 600.0)
    motion = (1e-3 * decay * np.random.default_rng(4).standard_normal((3, 6000))).astype(np.float32)
    for exact, single in (
        (fas(motion, 100.0)[1], fas(motion, 100.0, np.float32)[1]),
        (acceleration(motion, 100.0), acceleration(motion, 100.0, np.float32)),
    ):
        assert exact.dtype == np.float64 and single.dtype == np.float32
        np.testing.assert_allclose(single, exact, rtol=0.0, atol=2e-6 * np.abs(exact).max())
