import eqsig.sdof
import numpy as np
import pytest
from scipy.signal import lfilter, lsim

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.measures.intensity import acceleration
from cgmgm_seis.measures.oscillator import recursion
from cgmgm_seis.measures.response_spectra import psa, rotd50, rotd50_psa

PERIODS = np.array([0.05, 0.07, 0.1, 0.15, 0.2, 0.4, 1.0, 2.0])


def motion(times, n_records):
    """Acceleration, m/s2, of band-limited pulses: shape (record, time), at any sampling."""
    rng = np.random.default_rng(0)
    total = np.zeros((n_records, len(times)))
    for frequency in np.geomspace(0.3, 25.0, 40):
        width = max(0.5, 1.5 / frequency)
        late = (times - rng.uniform(6.0, 12.0, (n_records, 1))) / width
        phase = 2 * np.pi * (frequency * late * width + rng.random((n_records, 1)))
        total += rng.standard_normal((n_records, 1)) * np.exp(-(late**2)) * np.sin(phase)
    return total


@pytest.fixture(scope="module")
def coarse():
    return motion(np.arange(2000) / 100.0, 4)


@pytest.fixture(scope="module")
def reference():
    """PSA by eqsig of the same motion sampled at 1600 Hz."""
    fine = motion(np.arange(32000) / 1600.0, 4)
    spectra = [eqsig.sdof.pseudo_response_spectra(x, 1 / 1600.0, PERIODS, 0.05) for x in fine]
    return np.array([psa for _, _, psa in spectra])


def test_the_filter_is_nigam_and_jennings_recursion(coarse):
    for period in (0.1, 0.5, 2.0):
        # eqsig's recursion starts after the first sample, ours with it: begin at rest.
        x = np.concatenate([[0.0], coarse[0]])
        displacement, _, _ = eqsig.sdof.nigam_and_jennings_response(x, 0.01, [period], 0.05)
        expected = displacement[0] * (2 * np.pi / period) ** 2
        ours = lfilter(*recursion(period, 0.05, 100.0), x)
        # eqsig's pi has 8 digits.
        np.testing.assert_allclose(ours, expected, atol=1e-5 * np.abs(expected).max())


def test_psa_is_that_of_finely_sampled_motion(coarse, reference):
    ours = psa(coarse, 100.0, PERIODS, quantity="acceleration")
    np.testing.assert_allclose(ours, reference, rtol=0.01)
    assert np.median(ours / reference) == pytest.approx(1.0, abs=1e-3)
    # Without oversampling short periods are clearly low: the tolerances tell the two apart.
    plain = [
        np.abs(lfilter(*recursion(period, 0.05, 100.0), coarse)).max(axis=-1)
        for period in PERIODS[:3]
    ]
    assert np.median(np.transpose(plain) / reference[:, :3]) < 0.98


def test_psa_of_velocity_is_psa_of_its_acceleration(coarse):
    velocity = np.cumsum(coarse, axis=-1) / 100.0
    np.testing.assert_allclose(
        psa(velocity, 100.0, PERIODS),
        psa(acceleration(velocity, 100.0), 100.0, PERIODS, quantity="acceleration"),
    )


def test_psa_at_resonance_is_the_amplitude_over_twice_the_damping():
    times = np.arange(6000) / 100.0
    for period in (0.1, 0.5, 1.0):
        sine = 0.3 * np.sin(2 * np.pi * times / period)
        ours = psa(sine, 100.0, [period], quantity="acceleration")[0]
        assert ours == pytest.approx(0.3 / (2 * 0.05), rel=5e-3)


def test_leading_axes_and_threads_change_nothing(coarse):
    velocity = coarse.reshape(2, 2, -1).astype(np.float32)
    together = psa(velocity, 100.0, PERIODS, threads=2)
    assert together.shape == (2, 2, len(PERIODS)) and together.dtype == np.float64
    for index in np.ndindex(2, 2):
        np.testing.assert_allclose(together[index], psa(velocity[index], 100.0, PERIODS))
    assert psa(velocity[:0], 100.0, PERIODS).shape == (0, 2, len(PERIODS))
    pair = rotd50_psa(velocity, 100.0, PERIODS, threads=2)
    np.testing.assert_allclose(pair[1], rotd50_psa(velocity[1], 100.0, PERIODS))


def test_rotd50_is_the_median_over_every_degree(coarse):
    pairs = np.concatenate([coarse.reshape(2, 2, -1), np.zeros((1, 2, 2000))])
    pairs = np.concatenate([pairs, [[coarse[0], 1e-3 * coarse[1]], [coarse[0], 2 * coarse[0]]]])
    angles = np.deg2rad(np.arange(180))[:, None]
    for pair, ours in zip(pairs, rotd50(pairs), strict=True):
        turned = np.cos(angles) * pair[0] + np.sin(angles) * pair[1]
        assert ours == pytest.approx(np.median(np.abs(turned).max(axis=-1)), rel=1e-12)


def test_rotd50_of_no_records_and_of_what_is_no_number():
    """Of other records it is not hidden; empty batches stay empty."""
    pairs = np.ones((2, 2, 50))
    pairs[0, 1, 7] = np.nan
    found = rotd50(pairs)
    assert np.isnan(found[0]) and found[1] == pytest.approx(rotd50(np.ones((2, 50))))
    assert rotd50(np.empty((0, 2, 50))).shape == (0,)


def test_rotd50_of_circular_and_of_linear_motion():
    angle = np.linspace(0.0, 2 * np.pi, 3601)
    assert rotd50([np.cos(angle), np.sin(angle)]) == pytest.approx(1.0, rel=1e-6)
    # The median of abs(cos) is cos 45 degrees; to the step of a degree.
    linear = 2.0 * np.outer([np.cos(0.3), np.sin(0.3)], np.sin(angle))
    assert rotd50(linear) == pytest.approx(2.0 * np.cos(np.pi / 4), rel=0.01)


def test_rotd50_psa_is_the_median_psa_of_turned_components(coarse):
    pair = coarse[:2]
    angles = np.deg2rad(np.arange(180))[:, None]
    turned = np.cos(angles) * pair[0] + np.sin(angles) * pair[1]
    periods = [0.05, 0.1, 0.5]
    expected = np.median(psa(turned, 100.0, periods, threads=2), axis=0)
    np.testing.assert_allclose(rotd50_psa(pair, 100.0, periods), expected, rtol=1e-9)


@pytest.mark.parametrize("measure", [psa, rotd50_psa])
def test_single_precision_is_double_precision_of_the_same_samples(measure, coarse):
    single = coarse[:2].astype(np.float32)
    double = measure(single.astype(float), 100.0, PERIODS)
    np.testing.assert_allclose(measure(single, 100.0, PERIODS), double, rtol=3e-6)
    assert (measure(single, 100.0, PERIODS) != double).any()
    # Long periods and little damping, where single precision would be wrong by up to 6 %.
    periods, long = [0.1, 3.0, 5.0, 10.0, 20.0], np.zeros((2, 6000), np.float32)
    long[:, 2000:4000] = single
    for damping in (0.2, 0.05, 0.02, 0.005, 1e-4):
        found = measure(long, 100.0, periods, damping)
        expected = measure(long.astype(float), 100.0, periods, damping)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_long_periods_are_those_of_a_simulation_in_state_space(coarse):
    """SciPy's, whose coefficients do not lose digits; acceleration is linear between samples."""
    time = np.arange(coarse.shape[1]) / 100.0
    records = coarse * np.hanning(coarse.shape[1])
    for period in (30.0, 100.0, 300.0, 1000.0):
        w = 2.0 * np.pi / period
        system = np.array([[0, 1], [-(w**2), -0.1 * w]]), [[0], [1]], [[1, 0]], [[0]]
        expected = [w**2 * abs(lsim(system, record, time)[1]).max() for record in records]
        found = psa(records, 100.0, [period], quantity="acceleration")[:, 0]
        np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_rotd50_psa_does_not_depend_on_the_orientation(coarse):
    c, s = np.cos(0.45), np.sin(0.45)
    turned = np.array([[c, s], [-s, c]]) @ coarse[:2]
    np.testing.assert_allclose(
        rotd50_psa(turned, 100.0, [0.1, 1.0]), rotd50_psa(coarse[:2], 100.0, [0.1, 1.0]), rtol=0.01
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"periods": [0.04, 1.0]},
            "0.04 s must be from 0.05 to 1000 s, 5 to 100,000 samples at 100",
        ),
        ({"periods": [1.0, 1e9]}, r"1e\+09 s must be from 0.05 to 1000 s"),
        ({"periods": [np.nan]}, "nan s must be"),
        ({"damping": 0.0}, "damping = 0 must be"),
        ({"damping": 1.0}, "damping = 1 must be"),
        ({"quantity": "displacement"}, "'displacement' is not known"),
    ],
)
def test_what_has_no_response_spectrum_is_refused(changes, message):
    arguments = {"sampling_rate": 100.0, "periods": [1.0], **changes}
    with pytest.raises(CgmgmError, match=message):
        psa(np.zeros(100), **arguments)


def test_three_components_are_refused():
    for function in (rotd50, lambda x: rotd50_psa(x, 100.0, [1.0])):
        with pytest.raises(CgmgmError, match="must be two components"):
            function(np.zeros((3, 100)))
