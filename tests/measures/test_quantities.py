"""Acceleration and displacement against analytic records and SciPy's filters."""

import numpy as np
import pytest
from scipy.integrate import cumulative_trapezoid
from scipy.signal import butter, sosfilt

from cgmgm_seis import EvolutionaryCGM, cross, receivers, source
from cgmgm_seis.errors import CgmgmError, OutputError
from cgmgm_seis.measures.quantities import displacement, in_quantity

RATE = 100.0
TIMES = np.arange(6000) / RATE - 5.0


def packet(frequency, centre=15.0, width=3.0):
    """Displacement, velocity and acceleration of a wave packet, exactly."""
    t = TIMES - centre
    # The real part of exp(a), whose derivatives are a' exp(a) and (a'' + a'^2) exp(a).
    motion = np.exp(-((t / width) ** 2) + 2j * np.pi * frequency * t)
    slope = -2.0 * t / width**2 + 2j * np.pi * frequency
    return motion.real, (slope * motion).real, ((slope**2 - 2.0 / width**2) * motion).real


@pytest.mark.parametrize("frequency", [1.0, 5.0, 20.0])
def test_wave_packets(frequency):
    d, v, a = packet(frequency)
    np.testing.assert_allclose(in_quantity(v, RATE, "acceleration"), a, atol=1e-9 * a.max())
    found = displacement(v, RATE, high_pass_hz=0.001)
    np.testing.assert_allclose(found, d, atol=2e-3 * d.max())
    # At its default corner the filter shifts 1 Hz by 0.14 and 20 Hz by 0.007 radians.
    shift = np.sqrt(2.0) * 0.1 / frequency
    found = in_quantity(v, RATE, "displacement")
    assert np.abs(found - d).max() == pytest.approx(shift, rel=0.1)


def test_the_filter_is_that_of_scipy():
    _, v, _ = packet(0.3)
    filtered = sosfilt(butter(2, 0.1, "highpass", fs=RATE, output="sos"), v)
    expected = cumulative_trapezoid(filtered, dx=1.0 / RATE, initial=0.0)
    found = displacement(v, RATE)
    np.testing.assert_allclose(found, expected, atol=2e-3 * np.abs(expected).max())


def test_offsets_do_not_drift_and_nothing_comes_before_the_onset():
    rng = np.random.default_rng(1)
    v = np.where(TIMES > 5.0, packet(2.0, centre=10.0)[1], 0.0) + 0.02
    v = v + 0.05 * rng.standard_normal((4, 6000))
    plain = cumulative_trapezoid(v, dx=1.0 / RATE, initial=0.0)
    found = displacement(v, RATE)
    peak = np.abs(found).max(axis=-1)
    assert (np.abs(plain[:, -1]) > 0.9 * peak).all()
    assert (np.abs(found[:, -1]) < 0.05 * peak).all()
    onset = np.zeros(6000)
    onset[1000:] = 1.0
    assert np.abs(displacement(onset, RATE)[:990]).max() < 1e-3
    # A step of velocity rings once and comes to rest.
    assert abs(displacement(onset, RATE)[-1]) < 1e-3 * displacement(onset, RATE).max()


def test_velocity_is_unchanged_and_others_are_refused():
    v = packet(1.0)[1].astype(np.float32)
    assert in_quantity(v, RATE, "velocity") is v
    with pytest.raises(OutputError, match="quantity = 'jerk' must be one of acceleration, vel"):
        in_quantity(v, RATE, "jerk")
    for corner in (0.0, 50.0, np.nan):
        with pytest.raises(CgmgmError, match="must be above 0 and below the Nyquist freq"):
            displacement(v, RATE, corner)


def test_generated_displacement_comes_to_rest():
    """At M 4.5 a plain integral ends at 15 % of its peak in the median, and at 70 % at most."""
    model = EvolutionaryCGM.from_pretrained("bay_area_evolutionary")
    scenario = cross(source(4.5, 37.938, -122.057, 8.0), receivers())
    scenario = scenario[scenario["path_ep_distance_km"] < 60.0].iloc[::2].reset_index(drop=True)
    velocity = model.sample(scenario, seed=1)[:, 0].astype(float)
    plain, found = (
        np.abs(motion[..., -1]) / np.abs(motion).max(axis=-1)
        for motion in (
            cumulative_trapezoid(velocity, dx=1.0 / RATE, initial=0.0),
            displacement(velocity, RATE),
        )
    )
    assert np.median(plain) > 0.08
    assert np.median(found) < 0.02
    assert found.max() < 0.15
