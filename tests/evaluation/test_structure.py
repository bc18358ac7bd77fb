"""What models have learned: cases with known terms, ranges, correlations, scaling and H/V."""

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from parrot import QUICK, WINDOW, Parrot

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.evaluation import evaluate
from cgmgm_seis.evaluation.comparisons import Compared
from cgmgm_seis.evaluation.measures import series
from cgmgm_seis.evaluation.pick_tables import RECORDED
from cgmgm_seis.evaluation.records import Records
from cgmgm_seis.evaluation.residuals import compare
from cgmgm_seis.evaluation.structure import structure_tables
from cgmgm_seis.evaluation.structure_frequencies import PUBLISHED, frequency_correlations
from cgmgm_seis.evaluation.structure_hv import hv_peaks, hv_summary, hv_table
from cgmgm_seis.evaluation.structure_scaling import DISTANCE, scaling_grid, scaling_table
from cgmgm_seis.evaluation.structure_terms import (
    FEWEST_EVENTS,
    TRUTH,
    take_apart,
    term_correlations,
    terms_table,
    why_no_terms,
)
from cgmgm_seis.evaluation.structure_variogram import (
    fit_semivariogram,
    model_semivariance,
    semivariogram,
    semivariogram_tables,
)
from cgmgm_seis.evaluation.tables import SIMULATOR
from cgmgm_seis.gmm.pygmm_models import frequency_correlation
from cgmgm_seis.models.cgmgm.model import CGMGM
from cgmgm_seis.scenario.geography import KM_PER_DEGREE
from cgmgm_seis.scenario.table import check_scenario
from cgmgm_seis.scenario.window import Window
from cgmgm_seis.simulator.region import true_fields
from cgmgm_seis.simulator.spectra import ln_spectrum

N_EVENTS, N_STATIONS = 40, 30


@pytest.fixture(scope="module")
def scenario():
    """Forty events at all of thirty stations within 60 km."""
    rng = np.random.default_rng(0)
    stations = rng.uniform(0.0, 60.0, (N_STATIONS, 2))
    events = pd.DataFrame(
        {
            "source_id": [f"e{number:02d}" for number in range(N_EVENTS)],
            "source_latitude_deg": 37.0 + rng.uniform(0.0, 0.6, N_EVENTS),
            "source_longitude_deg": -122.0 + rng.uniform(0.0, 0.6, N_EVENTS),
            "source_depth_km": rng.uniform(3.0, 15.0, N_EVENTS),
            "source_magnitude": rng.uniform(2.0, 4.5, N_EVENTS),
        }
    )
    receivers = pd.DataFrame(
        {
            "station_network_code": "XX",
            "station_code": [f"S{number:02d}" for number in range(N_STATIONS)],
            "station_latitude_deg": 37.0 + stations[:, 1] / KM_PER_DEGREE,
            "station_longitude_deg": -122.0
            + stations[:, 0] / KM_PER_DEGREE / np.cos(np.radians(37.27)),
        }
    )
    return check_scenario(events.merge(receivers, how="cross"))


def correlated(range_km, nugget, sill, seed=1):
    """Return residuals of the scenario with an exponential semivariogram, and event terms."""
    points = np.random.default_rng(0).uniform(0.0, 60.0, (N_STATIONS, 2))
    distance = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    covariance = (sill - nugget) * np.exp(-3.0 * distance / range_km) if range_km else 0.0
    covariance = covariance + (nugget if range_km else sill) * np.eye(N_STATIONS)
    rng = np.random.default_rng(seed)
    drawn = rng.multivariate_normal(np.zeros(N_STATIONS), covariance, N_EVENTS)
    return (drawn + rng.normal(0.0, 2.0, (N_EVENTS, 1))).ravel()


# ---- semivariograms ------------------------------------------------------------------------


def test_a_field_of_known_range_is_found(scenario):
    bins, semivariances = semivariogram(correlated(30.0, 0.1, 0.5)[:, None], scenario)
    expected = model_semivariance(bins["distance_km"], 0.1, 0.5, 30.0)
    # The first bin has few pairs.
    np.testing.assert_allclose(semivariances[1:, 0], expected[1:], rtol=0.25)
    fit = fit_semivariogram(bins, semivariances[:, 0])
    assert fit.range_km == pytest.approx(30.0, rel=0.3)
    assert fit.sill == pytest.approx(0.5, rel=0.15)
    assert fit.nugget == pytest.approx(0.1, abs=0.06)
    # An exact semivariogram is fitted to the spacing of the ranges tried.
    exact = fit_semivariogram(bins, expected)
    assert (exact.nugget, exact.sill) == pytest.approx((0.1, 0.5), rel=0.05)
    assert exact.range_km == pytest.approx(30.0, rel=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_white_residuals_have_no_range(scenario, seed):
    bins, semivariances = semivariogram(correlated(0.0, 0.3, 0.3, seed)[:, None], scenario)
    fit = fit_semivariogram(bins, semivariances[:, 0])
    assert fit.range_km == 0.0 and fit.nugget == fit.sill
    assert fit.sill == pytest.approx(0.3, rel=0.1)


def test_records_that_are_too_few_have_no_semivariogram(scenario):
    few = scenario[scenario["source_id"] == "e00"].iloc[:4].reset_index(drop=True)
    names = pd.MultiIndex.from_tuples([("E", "PGA"), ("E", "PGV")])
    residuals = {("a", "recorded"): np.zeros((4, 2))}
    table, fits = semivariogram_tables(residuals, few, names)
    assert table.empty and fits.empty
    some = scenario[scenario["source_id"] == "e00"].reset_index(drop=True)
    values = np.column_stack([np.arange(30.0), np.full(30, np.nan)])
    table, fits = semivariogram_tables({("a", "recorded"): values}, some, names)
    assert table["measure"].unique().tolist() == ["PGA"]  # not predicted: left out
    bins, semivariances = semivariogram(values, some)
    assert np.isnan(fit_semivariogram(bins.iloc[:3], semivariances[:3, 0]).range_km)


# ---- terms ---------------------------------------------------------------------------------


def known_terms(scenario):
    rng = np.random.default_rng(3)
    source = np.repeat(rng.normal(0.0, 0.3, N_EVENTS), N_STATIONS)
    site = np.tile(rng.normal(0.0, 0.4, N_STATIONS), N_EVENTS)
    path = rng.normal(0.0, 0.2, len(scenario))
    magnitude, distance = scenario["source_magnitude"], scenario["path_hyp_distance_km"]
    scaling = -14.0 + 2.0 * magnitude - 1.5 * np.log(distance) - 0.01 * distance
    return (scaling + source + site + path).to_numpy(), source, site, path


def test_known_terms_are_taken_apart(scenario):
    values, *expected = known_terms(scenario)
    found = take_apart(values[:, None], scenario)
    for (kind, term), known in zip(found.items(), expected, strict=True):
        assert np.corrcoef(term[:, 0], known)[0, 1] > 0.9, kind
        assert term.std() == pytest.approx(known.std(), rel=0.15)


def test_an_ergodic_model_has_no_terms(scenario):
    values = 2.0 * scenario["source_magnitude"] - np.log(scenario["path_hyp_distance_km"])
    terms = terms_table({"a": values.to_numpy()[:, None]}, scenario, "E", ["FAS 5 Hz"])
    assert (terms["term"] == 0.0).all()
    assert terms["kind"].value_counts().to_dict() == {
        "path": len(scenario),
        "source": N_EVENTS,
        "site": N_STATIONS,
    }


def test_site_terms_of_the_simulator_are_its_fields(scenario):
    frequencies = (2.0, 10.0)
    found = take_apart(ln_spectrum(scenario, frequencies), scenario)
    station = scenario["station_latitude_deg"], scenario["station_longitude_deg"]
    known = true_fields().site(*station, frequencies)
    for place in range(2):
        assert np.corrcoef(found["site"][:, place], known[:, place])[0, 1] > 0.85


def test_terms_are_compared_by_place(scenario):
    values, *_ = known_terms(scenario)
    models = {"own": values[:, None] + 5.0, "opposite": -values[:, None], "truth": values[:, None]}
    terms = terms_table(models, scenario, "E", ["FAS 5 Hz"])
    table = term_correlations(terms, ["own", "truth"]).set_index(["generator", "against", "kind"])
    table = table.sort_index()
    assert len(table) == 3 * 3  # each pair once
    np.testing.assert_allclose(table.loc[("own", "truth"), "correlation"], 1.0)
    np.testing.assert_allclose(table.loc[("opposite", "truth"), "correlation"], -1.0)
    assert table.loc[("own", "truth"), "terms"].to_dict() == {
        "source": N_EVENTS,
        "site": N_STATIONS,
        "path": len(scenario),
    }


def test_data_that_determine_no_terms_are_named(scenario):
    few = scenario[scenario["source_id"] < "e05"]
    assert why_no_terms(few).startswith("5 event(s) cannot tell source terms from scaling")
    alone = scenario.assign(station_code=np.arange(len(scenario)).astype(str))
    assert why_no_terms(alone).startswith("0 station(s) have records of 2 events")
    assert "too few different values" in why_no_terms(scenario.assign(source_depth_km=8.0))
    assert why_no_terms(scenario) is None


# ---- correlation between frequencies -------------------------------------------------------


def test_a_known_correlation_is_found():
    known = np.array([[1.0, 0.6, 0.2], [0.6, 1.0, 0.4], [0.2, 0.4, 1.0]])
    drawn = np.random.default_rng(0).multivariate_normal(np.ones(3), known, 4000)
    residuals = {("a", "recorded"): drawn, ("a", "generated"): drawn[:5]}
    table = frequency_correlations(residuals, [1.0, 5.0, 25.0], "H", np.full((3, 3), np.nan))
    own = table[(table["generator"] == "a")]
    assert own["residuals"].unique().tolist() == ["recorded"]  # five records are too few
    np.testing.assert_allclose(own["correlation"].to_numpy().reshape(3, 3), known, atol=0.04)
    assert not (table["generator"] == PUBLISHED).any()


def test_the_published_correlation_is_of_its_range():
    pytest.importorskip("pygmm", reason="the extra gmm is not installed")
    found = frequency_correlation([0.5, 5.0, 25.0])
    np.testing.assert_allclose(found[:2, :2], found[:2, :2].T)
    np.testing.assert_array_equal(np.diag(found)[:2], 1.0)
    assert 0.1 < found[0, 1] < 0.4
    assert np.isnan(found[2]).all() and np.isnan(found[:, 2]).all()


# ---- scaling -------------------------------------------------------------------------------


def test_scaling_goes_beyond_the_trained_ranges(scenario):
    model = CGMGM(ranges={"source_magnitude": [2.0, 4.0], "path_hyp_distance_km": [20.0, 80.0]})
    grid = scaling_grid(scenario, {"own": model}, WINDOW, seed=2)
    rows = grid.scenario
    assert len(rows) == 8 * 14 and rows["source_id"].is_unique
    far = grid.by == DISTANCE
    assert (rows["source_magnitude"][~far] == grid.values[~far]).all()
    assert (grid.values[~far].min(), grid.values[~far].max()) == (1.5, 4.5)
    np.testing.assert_allclose(rows["path_hyp_distance_km"][far], grid.values[far], rtol=0.01)
    np.testing.assert_allclose(rows["path_hyp_distance_km"][~far], grid.distance_km, rtol=0.01)
    assert grid.values[far].max() == pytest.approx(120.0)
    short = Window("ZNE", 100.0, -5.0, 3000)  # S from 75 km arrives at its end
    assert scaling_grid(scenario, {"own": model}, short).values[far].max() == pytest.approx(75.0)
    again = scaling_grid(scenario, {"own": model}, WINDOW, seed=2)
    pd.testing.assert_frame_equal(again.scenario, rows)  # resumed runs draw the same


def test_known_scaling_is_shown(scenario):
    grid = scaling_grid(scenario, {}, WINDOW)
    names = pd.MultiIndex.from_tuples([("E", "PGA"), ("E", "PGV")], names=["component", "measure"])
    magnitude = grid.scenario["source_magnitude"].to_numpy()
    median = np.column_stack([2.0 * magnitude, np.full(len(magnitude), np.nan)])
    outside = magnitude > 4.0
    table = scaling_table({"a": (median, np.full_like(median, 0.5), outside)}, grid, names)
    assert table["measure"].unique().tolist() == ["PGA"]
    own = table[table["by"] == "magnitude"]
    assert len(own) == 7
    np.testing.assert_allclose(own["ln_median"], 2.0 * own["value"])
    np.testing.assert_array_equal(own["extrapolated"], own["value"] > 4.0)
    np.testing.assert_allclose(own["sigma"], 0.5)


# ---- H/V -----------------------------------------------------------------------------------


def test_known_peaks_of_hv_are_found(scenario):
    frequencies = np.geomspace(0.5, 25.0, 20)
    own = scenario.groupby("station_code").head(5).sort_values("station_code")
    own = own.iloc[:12].reset_index(drop=True)  # the third station has two records
    peaks = np.where(own["station_code"] == "S00", 2.0, 6.0)[:, None]
    shape = np.log(4.0) - 1.5 * np.log(frequencies / peaks) ** 2
    noise = np.random.default_rng(0).normal(0.0, 0.01, shape.shape)
    rising = np.log(frequencies) * np.ones((12, 1))
    ratios = hv_table({RECORDED: shape + noise, "a": shape + 0.1, "b": rising}, own, frequencies)
    assert ratios["station"].unique().tolist() == ["XX.S00", "XX.S01"]
    found = hv_peaks(ratios).set_index(["generator", "station"])
    assert found.loc["a", "peak_frequency_hz"].tolist() == pytest.approx([2.0, 6.0])
    assert found.loc["a", "peak_hv"].tolist() == pytest.approx([4.0 * np.exp(0.1)] * 2)
    assert found.loc[RECORDED, "peak_frequency_hz"].tolist() == pytest.approx([2.0, 6.0], rel=0.05)
    assert found.loc["b", "peak_frequency_hz"].isna().all()  # at an end of the band
    summary = hv_summary(ratios, found.reset_index()).set_index("generator")
    assert summary.loc["a", "bias"] == pytest.approx(0.1, abs=0.01)
    assert summary.loc["a", "correlation"] > 0.99
    assert summary["peaks"].to_dict() == {"a": 2, "b": 0}


# ---- all together --------------------------------------------------------------------------


def tables_of(scenario, components):
    """Return the tables of a generator that follows the records, and what is missing."""
    window = Window(components, 100.0, -5.0, 6000)
    names = series(components, 100.0)
    rng = np.random.default_rng(0)
    recorded = rng.normal(0.0, 0.5, (len(scenario), len(names)))
    generated = rng.normal(0.0, 0.5, (len(scenario), 4, len(names)))
    records = Records(
        np.zeros((len(scenario), len(components), 1), np.float32),
        scenario,
        window,
        recorded,
        np.empty((0, 0)),
    )
    comparison = compare(recorded, generated, scenario, names)
    return structure_tables(records, {"own": Compared(None, comparison, None, {})}, {}, {})


def test_three_components_give_all_tables(scenario):
    simulated = scenario.assign(trace_simulated=True, source_stress_drop_pa=1e6)
    tables, missing = tables_of(simulated, "ZNE")
    assert not {name for name, table in tables.items() if table.empty}
    assert set(tables["terms"]["generator"]) == {"own", TRUTH}
    assert set(tables["term_correlations"]["against"]) == {TRUTH}
    assert set(missing) <= {"correlation between frequencies of Bayless & Abrahamson"}


def test_without_pygmm_its_correlation_is_missing(scenario, monkeypatch):
    monkeypatch.setitem(sys.modules, "pygmm", None)
    tables, missing = tables_of(scenario[:40], "ZNE")
    why = missing["correlation between frequencies of Bayless & Abrahamson"]
    assert "requires pyGMM, which is not installed" in why
    assert set(tables["frequency_correlations"]["generator"]) == {"own"}


def test_one_component_of_few_events_says_what_is_missing(scenario, caplog):
    tables, missing = tables_of(scenario[:8], "E")
    assert "need all three components" in missing["H/V spectral ratios"]
    assert "1 event(s) cannot tell" in missing["terms of sources, sites and paths"]
    assert str(FEWEST_EVENTS) in missing["terms of sources, sites and paths"]
    assert missing["correlation between frequencies"] == "8 records are fewer than 10"
    assert "no event has 10 pairs" in missing["semivariograms"]
    assert all(table.empty for table in tables.values())
    said = [record.message for record in caplog.records]
    assert any(message.startswith("No H/V spectral ratios: they need") for message in said)


@pytest.mark.usefixtures("one_thread", "quick")
def test_a_model_that_cannot_extrapolate_is_evaluated_without_scaling(catalogue, records):
    config = replace(QUICK, scaling=True)
    found = evaluate(catalogue, {"parrot": Narrow(records)}, config)
    assert found.metrics["not_available"]["scaling of parrot"] == "Only records are known."
    assert set(found.tables["scaling"]["generator"]) == {SIMULATOR}
    points = found.metrics["learned_structure"]["scaling"][SIMULATOR]["magnitude"]["E"]["PGV"]
    assert len(points) == 7


class Narrow(Parrot):
    """Refuses what it has no record of."""

    def sample(self, scenario, *args, **kwargs):
        if "trace_name" not in scenario:
            raise CgmgmError("Only records are known.")
        return super().sample(scenario, *args, **kwargs)
