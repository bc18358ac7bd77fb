"""BA19 against pyGMM itself, its units against a harmonic motion."""

import sys
import warnings

import numpy as np
import pytest

from cgmgm_seis.errors import CgmgmError, RangeError
from cgmgm_seis.intensity import GRAVITY, fas
from cgmgm_seis.pygmm_models import BA19
from cgmgm_seis.scenario import from_points

FREQUENCIES = (2.0, 5.0, 10.0, 15.0)


@pytest.fixture(scope="module")
def pygmm():
    return pytest.importorskip("pygmm", reason="the extra gmm is not installed")


def some_scenario(magnitude):
    return from_points(magnitude, (37.9, -122.2), [(37.8, -122.1), (37.5, -122.0)])


def test_a_missing_extra_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "pygmm", None)
    with pytest.raises(CgmgmError, match=r"pip install 'cgmgm-seis\[gmm\]'"):
        BA19()


def test_spectra_are_those_of_pygmm_as_velocity(pygmm):
    scenario = some_scenario(4.0)
    told = BA19(vs30_mps=400.0).fit(scenario, np.empty(0), FREQUENCIES).predict(scenario)
    # The ratio of both spectra of v = sin(2 pi f t), whose acceleration is 2 pi f cos(2 pi f t).
    t = np.arange(1000) / 100.0
    for k, f in enumerate(FREQUENCIES):
        at_f = round(f * 10)
        velocity = fas(np.sin(2.0 * np.pi * f * t), 100.0)[1][at_f]
        acceleration = fas(2.0 * np.pi * f * np.cos(2.0 * np.pi * f * t), 100.0)[1][at_f]
        for row, distance in enumerate(scenario["path_hyp_distance_km"]):
            inputs = {"mag": 4.0, "dist_rup": distance, "depth_tor": 8.0, "v_s30": 400.0}
            theirs = pygmm.BaylessAbrahamson2019(pygmm.Scenario(**inputs))
            eas_gs = np.exp(np.interp(np.log(f), np.log(theirs.freqs), theirs.ln_eas))
            expected = np.log(eas_gs * GRAVITY * velocity / acceleration)
            assert told.mean[row, k] == pytest.approx(expected, abs=1e-6)


def test_level_is_that_of_a_magnitude_three_earthquake(pygmm):
    # The published Bay Area model gives 2.7e-5 m/s s at 2 Hz, M 3, 10 km.
    scenario = from_points(3.0, (37.9, -122.2), [(37.9, -122.2)], depth_km=10.0)
    told = BA19().fit(scenario, np.empty(0), (2.0,)).predict(scenario)
    assert told.mean[0, 0] == pytest.approx(np.log(2.7e-5), abs=1.0)


def test_large_earthquakes_scatter_as_in_pygmm(pygmm):
    scenario = some_scenario(7.0)
    known = pygmm.BaylessAbrahamson2019.FREQS[[70, 130, 170]]
    told = BA19().fit(scenario, np.empty(0), known).predict(scenario)
    inputs = {"mag": 7.0, "dist_rup": 20.0, "depth_tor": 8.0, "v_s30": 760.0}
    theirs = pygmm.BaylessAbrahamson2019(pygmm.Scenario(**inputs)).ln_std[[70, 130, 170]]
    np.testing.assert_allclose(told.sd, [theirs] * 2, rtol=1e-9)


def test_small_earthquakes_scatter_more_between_events(pygmm):
    index = [70, 170]
    known, coefficients = (
        pygmm.BaylessAbrahamson2019.FREQS[index],
        pygmm.BaylessAbrahamson2019.COEFF[index],
    )
    for magnitude, share in ((3.0, 0.0), (4.0, 0.0), (5.0, 0.5), (6.0, 1.0)):
        scenario = some_scenario(magnitude)
        told = BA19().fit(scenario, np.empty(0), known).predict(scenario)
        tau = (1.0 - share) * coefficients["s1"] + share * coefficients["s2"]
        np.testing.assert_allclose(told.tau, [tau] * 2, rtol=1e-9)


def test_below_magnitude_three_is_extrapolated_without_a_word(pygmm):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for magnitude, outside in ((2.9, True), (3.0, False)):
            scenario = some_scenario(magnitude)
            told = BA19().fit(scenario, np.empty(0), FREQUENCIES).predict(scenario)
            assert told.extrapolated.tolist() == [outside] * 2
            assert np.isfinite(told.mean).all()


def test_frequencies_are_chosen_before_a_prediction(pygmm):
    with pytest.raises(CgmgmError, match="0 frequencies"):
        BA19().predict(some_scenario(4.0))
    with pytest.raises(RangeError, match=r"no 200 Hz; it has 0\.1 to 100 Hz"):
        BA19().fit(some_scenario(4.0), np.empty(0), (2.0, 200.0))
