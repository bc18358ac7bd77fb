"""BA19 and the NGA-West2 models against pyGMM itself and published medians; their units."""

import logging
import sys
import warnings

import numpy as np
import pandas as pd
import pytest

from cgmgm_seis.errors import CgmgmError, RangeError
from cgmgm_seis.gmm.pygmm_models import BA19, NGA_WEST2, NGAWest2
from cgmgm_seis.measures.intensity import GRAVITY, fas
from cgmgm_seis.scenario.table import from_points

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
    with pytest.raises(CgmgmError, match="no frequencies"):
        BA19().predict(some_scenario(4.0))
    with pytest.raises(RangeError, match=r"no 200 Hz; it has 0\.1 to 100 Hz"):
        BA19().fit(some_scenario(4.0), np.empty(0), (2.0, 200.0))


# ---- NGA-West2 -----------------------------------------------------------------------------


def nga_scenario(table):
    """Return the scenario of rows of the NGA-West2 tables, their ruptures among it."""
    columns = {
        "M": "source_magnitude",
        "ev_depth_km": "source_depth_km",
        "ztor_km": "source_top_depth_km",
        "dip": "source_dip_deg",
        "rake": "source_rake_deg",
        "width_km": "source_width_km",
        "rrup_km": "path_rup_distance_km",
        "rjb_km": "path_jb_distance_km",
        "vs30": "station_vs30_mps",
        "z2p5_km": "station_z2p5_km",
    }
    unused = dict.fromkeys(["path_ep_distance_km", "path_hyp_distance_km"], np.nan)
    return table[list(columns)].rename(columns=columns).assign(**unused)


def test_medians_are_those_of_the_authors_table(pygmm, nga_west2):
    table = pd.read_csv(nga_west2 / "bay_r80_measures.csv")
    # Of Loma Prieta, on whose hanging wall stations lie is not in the table.
    table = table[table["M"] < 5.0].iloc[::20]
    periods = (0.03, 0.1, 0.3, 1.0, 3.0)
    told = NGAWest2("CB14", periods).predict(nga_scenario(table))
    theirs = table[["lnCB14_PGA", "lnCB14_PGV", *(f"lnCB14_{t:.3f}s" for t in periods)]].to_numpy()
    theirs[:, 1] += np.log(0.01)
    theirs[:, [0, 2, 3, 4, 5, 6]] += np.log(GRAVITY)
    np.testing.assert_allclose(told.mean, theirs, atol=1e-3)
    assert not told.extrapolated.all()


@pytest.mark.parametrize("name", NGA_WEST2)
def test_a_point_source_is_strike_slip_upright_and_at_the_hypocentre(pygmm, name):
    scenario = some_scenario(4.0)
    told = NGAWest2(name, (1.0,), vs30_mps=500.0).predict(scenario)
    for row, pair in scenario.iterrows():
        inputs = {
            "mag": 4.0,
            "dist_rup": pair["path_hyp_distance_km"],
            "dist_jb": pair["path_ep_distance_km"],
            "dist_x": -pair["path_ep_distance_km"],
            "depth_tor": 8.0,
            "depth_hyp": 8.0,
            "dip": 90.0,
            "v_s30": 500.0,
            "depth_1_0": pygmm.ChiouYoungs2014.calc_depth_1_0(500.0, "california"),
            "mechanism": "SS",
            "region": "california",
            "vs_source": "inferred",
        }
        theirs = getattr(pygmm, NGA_WEST2[name])(pygmm.Scenario(**inputs))
        peaks = [theirs.pga * GRAVITY, theirs.pgv / 100.0]
        expected = np.log([*peaks, theirs.interp_spec_accels(1.0) * GRAVITY])
        np.testing.assert_allclose(told.mean[row], expected, rtol=1e-9)
        expected = [theirs.ln_std_pga, theirs.ln_std_pgv, theirs.interp_ln_stds(1.0)]
        np.testing.assert_allclose(told.sd[row], expected, rtol=1e-9)
    if name != "CY14":
        np.testing.assert_allclose(np.hypot(told.tau, told.phi), told.sd, rtol=1e-9)
    # Shakes, in m/s2 and m/s, as a magnitude 4 at 20 km does.
    assert 0.005 < np.exp(told.mean[0, 0]) < 1.0
    assert 1e-4 < np.exp(told.mean[0, 1]) < 0.05


def test_columns_of_rupture_and_site_are_heard_where_they_are_filled(pygmm):
    scenario = pd.concat([some_scenario(6.0)] * 2, ignore_index=True)
    changes = {
        "station_vs30_mps": ("CB14", 200.0),
        "station_z2p5_km": ("CB14", 6.0),
        "station_z1p0_km": ("ASK14", 1.0),
        "path_rup_distance_km": ("CB14", 5.0),
        "path_jb_distance_km": ("BSSA14", 5.0),
        "source_top_depth_km": ("ASK14", 0.0),
        "source_mechanism": ("BSSA14", "RS"),
        "source_rake_deg": ("BSSA14", 90.0),
        "source_dip_deg": ("CY14", 45.0),
    }
    for column, (name, value) in changes.items():
        told = NGAWest2(name)
        known = told.predict(scenario.assign(**{column: [value, None, None, None]})).mean
        plain = told.predict(scenario).mean
        assert abs(known[0, 0] - plain[0, 0]) > 1e-3, column
        np.testing.assert_array_equal(known[1:], plain[1:])
    rakes = scenario.assign(source_rake_deg=[29.0, 31.0, -149.0, -151.0])
    slips = scenario.assign(source_mechanism=["SS", "RS", "NS", "SS"])
    model = NGAWest2("BSSA14")
    np.testing.assert_array_equal(model.predict(rakes).mean, model.predict(slips).mean)


def test_outside_of_their_limits_they_are_extrapolated_without_a_word(pygmm, caplog):
    handlers = list(logging.getLogger().handlers)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for magnitude, outside in ((3.4, True), (3.6, False)):
            told = NGAWest2("CY14").predict(some_scenario(magnitude))
            assert told.extrapolated.tolist() == [outside] * 2
        soft = NGAWest2("CB14", vs30_mps=100.0).predict(some_scenario(4.0))
    assert soft.extrapolated.all()
    assert not caplog.records
    assert logging.getLogger().handlers == handlers


def test_unknown_models_periods_and_mechanisms_are_said(pygmm):
    with pytest.raises(RangeError, match="I14 is not known; it must be one of ASK14, BSSA14"):
        NGAWest2("I14")
    with pytest.raises(RangeError, match=r"CB14 is not available at 20 s, only from 0\.01 to 10 s"):
        NGAWest2("CB14", (1.0, 20.0))
    with pytest.raises(RangeError, match="source_mechanism = oblique is not known; it must be"):
        NGAWest2("CB14").predict(some_scenario(4.0).assign(source_mechanism="oblique"))
