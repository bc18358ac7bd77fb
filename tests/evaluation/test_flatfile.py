"""Flatfiles of recorded amplitudes: units, what is left out, known statistics, the command."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.evaluation import EvaluationConfig, evaluate_flatfile
from cgmgm_seis.evaluation.amplitude_tables import (
    INSIDE,
    OUTSIDE,
    Predicted,
    amplitude_groups_table,
    amplitudes_table,
    of_prediction,
    of_realizations,
    trends,
)
from cgmgm_seis.evaluation.flatfile import LAYOUTS, read_flatfile
from cgmgm_seis.evaluation.measures import ln_rotd50, rotd50_series
from cgmgm_seis.gmm.base import Prediction
from cgmgm_seis.measures.intensity import GRAVITY
from cgmgm_seis.models.cgmgm.model import CGMGM
from cgmgm_seis.scenario.seeding import event_numbers, random_generator, record_keys
from cgmgm_seis.scenario.table import check_scenario
from cgmgm_seis_cli.main import main

pytestmark = pytest.mark.usefixtures("one_thread", "unarranged")


def pairs(n_events=4, n_stations=3):
    """Return the places of some events and stations, all within the ranges of the tiny model."""
    event, station = np.divmod(np.arange(n_events * n_stations), n_stations)
    return pd.DataFrame(
        {
            "source_id": [f"e{k}" for k in event],
            "source_latitude_deg": 37.7 + 0.01 * (event % 7),
            "source_longitude_deg": -122.2,
            "source_depth_km": 5.0 + event % 5,
            "source_magnitude": 3.5 + 0.1 * (event % 11),
            "station_network_code": "NA",
            "station_code": [f"{k:03d}" for k in station],
            "station_latitude_deg": 37.8 + 0.02 * station,
            "station_longitude_deg": -122.1,
        }
    )


@pytest.fixture
def written(tmp_path):
    """Write a table and return its path."""

    def write(table, name="table.csv"):
        table.to_csv(tmp_path / name, index=False)
        return tmp_path / name

    return write


# ---- reading -------------------------------------------------------------------------------


def test_units_are_one(written):
    known = np.random.default_rng(0).uniform(0.001, 2.0, (12, 3))  # m/s2, m/s, m/s2
    factors = {"g": 1.0 / GRAVITY, "mps2": 1.0, "cmps2": 100.0}
    speeds = {"g": ("mps", 1.0), "mps2": ("cmps", 100.0), "cmps2": ("cmps", 100.0)}
    for unit, factor in factors.items():
        speed, other = speeds[unit]
        plain = {
            f"pga_{unit}": known[:, 0] * factor,
            f"pgv_{speed}": known[:, 1] * other,
            f"psa_0.300s_{unit}": known[:, 2] * factor,
        }
        logarithms = {f"ln_{name}": np.log(column) for name, column in plain.items()}
        for columns in (plain, logarithms):
            found = read_flatfile(written(pairs().assign(**columns)))
            np.testing.assert_allclose(found.values, np.log(known), atol=1e-12)
            assert found.names.equals(rotd50_series((0.3,)))
            assert found.periods == (0.3,)
            assert found.scenario.attrs["left_out"] == found.notes == {}


def test_codes_stay_what_they_are_and_paths_are_computed(written):
    found = read_flatfile(written(pairs().assign(pga_g=0.1, path_hyp_distance_km=1e6))).scenario
    assert found["station_network_code"].unique() == ["NA"]
    assert found["station_code"][:3].tolist() == ["000", "001", "002"]
    assert found["path_hyp_distance_km"].max() < 100.0
    bare = pairs().drop(columns=["station_network_code", "station_code"])
    bare = read_flatfile(written(bare.assign(pga_g=0.1))).scenario
    assert bare["station_code"][:4].tolist() == ["V0000", "V0001", "V0002", "V0000"]


def test_what_is_not_used_is_counted(written):
    table = (
        pairs()
        .astype({"source_magnitude": object})
        .assign(pga_g=0.1, **{"psa_1s_g": 0.1, "psa_2s_g": 0.1}, lowest_usable_frequency_hz=0.4)
    )
    table["pga_g"] = table["pga_g"].astype(object)
    table.loc[0, "source_magnitude"] = "unknown"
    table.loc[1, "station_latitude_deg"] = np.nan
    table.loc[2, ["pga_g", "psa_1s_g", "psa_2s_g"]] = np.nan
    table.loc[3, "pga_g"] = "n/a"
    table.loc[4, "lowest_usable_frequency_hz"] = 0.5
    table.loc[5, "lowest_usable_frequency_hz"] = np.nan
    table.loc[6, "lowest_usable_frequency_hz"] = 1.01
    found = read_flatfile(written(table))
    assert len(found.scenario) == 9
    assert found.scenario.attrs["left_out"] == {
        "without event, coordinates, depth or magnitude": 2,
        "without an amplitude": 1,
    }
    assert found.notes["some values of pga_g"] == "1 of 12 are not numbers"
    # 0.4 Hz ends at 2.5 s, 1.01 Hz at 0.99 s.
    assert found.notes["some PSA"].startswith("2 of 18 values")
    assert np.isnan(found.values).sum() == 3


def test_measures_without_a_value_are_said_and_rows_are_those_of_the_file(written):
    table = pairs().assign(pga_g=0.1, pgv_mps=np.nan, **{"psa_3s_g": 1.0})
    table["lowest_usable_frequency_hz"] = 0.5
    found = read_flatfile(written(table))
    assert found.names.get_level_values("measure").tolist() == ["RotD50 PGA"]
    assert found.periods == ()
    assert found.notes["RotD50 PGV"] == found.notes["RotD50 PSA 3 s"] == "no row has a value"
    table.loc[0, "source_magnitude"], table.loc[3, "pga_g"] = np.nan, -1.0
    with pytest.raises(CgmgmError, match=r"pga_g = -1 \(row 4\)"):
        read_flatfile(written(table))


def test_other_names_are_mapped(written, tmp_path):
    theirs = {
        "source_id": "EQID",
        "source_latitude_deg": "ev_lat",
        "source_longitude_deg": "ev_lon",
        "source_depth_km": "ev_depth_km",
        "source_magnitude": "M",
        "station_network_code": "net",
        "station_code": "sta",
        "station_latitude_deg": "sta_lat",
        "station_longitude_deg": "sta_lon",
    }
    assert {ours: name for name, ours in LAYOUTS["nga_west2"].items()}.items() >= theirs.items()
    table = (
        pairs()
        .rename(columns=theirs)
        .assign(
            **{
                "lnPGA_g": -3.0,
                "lnPGV_cms": 0.0,
                "lnPSA_g_0.300s": -2.0,
                "vs30": 400.0,
                "luf_hz": 0.1,
            }
        )
    )
    (tmp_path / "mine.json").write_text(json.dumps(LAYOUTS["nga_west2"]))
    for columns in ("nga_west2", tmp_path / "mine.json", LAYOUTS["nga_west2"]):
        found = read_flatfile(written(table), columns)
        expected = [np.log(GRAVITY) - 3.0, np.log(0.01), np.log(GRAVITY) - 2.0]
        np.testing.assert_allclose(found.values, [expected] * 12)
        assert (found.scenario["station_vs30_mps"] == 400.0).all()


GOOD = pairs().assign(pga_g=0.1)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (GOOD.drop(columns="source_magnitude"), r"lacks the columns source_magnitude\."),
        (GOOD.drop(columns="pga_g"), "0 columns of amplitudes; at least 1 is needed"),
        (
            GOOD.rename(columns={"pga_g": "pga_gal"}),
            "Unit 'gal' of column pga_gal must be one of g, mps2, cmps2",
        ),
        (
            GOOD.rename(columns={"pga_g": "pgv_g"}),
            "Unit 'g' of column pgv_g must be one of mps, cmps",
        ),
        (
            GOOD.rename(columns={"pga_g": "psa_0.3_g"}),
            "psa_0.3_g must be named pga_UNIT",
        ),
        (GOOD.rename(columns={"pga_g": "psa_0s_g"}), "psa_0s_g must be named"),
        (GOOD.assign(ln_pga_mps2=0.0), "pga_g and ln_pga_mps2 are the same measure; only one"),
        (
            GOOD.assign(pga_g=[0.1] * 4 + [-0.5] * 8),
            r"pga_g = -0\.5 \(row 5\) must be a positive",
        ),
        (GOOD.assign(pga_g=0.0), r"pga_g = 0 \(row 1\) must be a positive"),
        (GOOD.assign(ln_pgv_cmps=-999.0), "ln_pgv_cmps = -999 .* must be a positive"),
        (
            GOOD.assign(station_vs30_mps=-999),
            "station_vs30_mps = -999 .* must be at least 1, or empty",
        ),
        (GOOD.assign(station_latitude_deg=95.0), "must be a number from -90 to 90"),
        (GOOD.assign(source_depth_km=np.nan), r"0 usable rows \(12 without event, coordinates"),
        (GOOD.iloc[:0], "0 usable rows"),
    ],
)
def test_bad_tables_are_refused_in_a_sentence(written, table, said):
    with pytest.raises(CgmgmError, match=said) as raised:
        read_flatfile(written(table))
    assert "\n" not in str(raised.value)


def test_bad_files_are_refused_in_a_sentence(written, tmp_path):
    with pytest.raises(CgmgmError, match="nowhere is not a readable CSV file: No such file"):
        read_flatfile("nowhere")
    path = written(GOOD)
    with pytest.raises(CgmgmError, match=r"mine is neither a layout \(nga_west2\) nor a readable"):
        read_flatfile(path, "mine")
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(CgmgmError, match="must hold a JSON object of column names"):
        read_flatfile(path, tmp_path / "list.json")
    with pytest.raises(CgmgmError, match="more than one column source_id; only one"):
        read_flatfile(written(GOOD.assign(EQID=1)), "nga_west2")


# ---- statistics ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def law():
    """Records and realizations of one law, tau 0.4 and phi 0.6, about a median of zero."""
    scenario = check_scenario(pairs(80, 20))
    random = np.random.default_rng(1)
    event = np.unique(scenario["source_id"], return_inverse=True)[1]
    drawn = 0.4 * random.standard_normal((80, 25, 2))[event]
    drawn += 0.6 * random.standard_normal((len(scenario), 25, 2))
    return scenario, drawn[:, 0], drawn[:, 1:]


def test_records_of_a_generators_own_law(law):
    scenario, recorded, generated = law
    names = rotd50_series(())
    inside = np.arange(len(scenario)) % 4 > 0
    said = of_realizations(generated, recorded, scenario["source_id"], ~inside)
    told = Prediction(*(np.full(recorded.shape, v) for v in (0.0, 0.4, 0.6, 0.72)), ~inside)
    predicted = {"generator": said, "gmm": of_prediction(told, recorded)}
    table = amplitudes_table(predicted, recorded, scenario, names)
    assert table["generator"].tolist() == ["generator"] * 2 + ["gmm"] * 2
    assert (table["bias"].abs() < 0.15).all()
    for column, expected, near in (
        ("tau", 0.4, 0.08),
        ("phi", 0.6, 0.03),
        ("stated_tau", 0.4, 0.08),
        ("stated_phi", 0.6, 0.03),
        ("sigma", 0.72, 0.05),
        ("coverage", 0.68, 0.05),
        ("extrapolated", 0.25, 1e-9),
        ("slope_ln_distance", 0.0, 0.1),
        ("slope_magnitude", 0.0, 0.4),
    ):
        np.testing.assert_allclose(table[column], expected, atol=near, err_msg=column)
    groups = amplitude_groups_table(predicted, recorded, scenario, names)
    sizes = groups[groups["measure"] == "RotD50 PGA"].groupby("group")["records"].first()
    assert sizes["M < 4"] + sizes["M >= 4"] == len(scenario)
    assert sizes["R < 25 km"] + sizes["25 km <= R < 80 km"] == len(scenario)
    assert sizes[INSIDE] == inside.sum()
    assert sizes[OUTSIDE] == (~inside).sum()
    assert (groups["coverage"] - 0.68).abs().max() < 0.12


def test_what_is_added_to_records_is_found(law):
    scenario, recorded, _ = law
    plain = np.zeros(recorded.shape)
    known = Predicted(plain, plain > 1.0, *np.full((2, 2), np.nan), np.zeros(len(scenario), bool))
    shifted = recorded + 0.7  # records are stronger: generated - recorded falls
    before, after = (
        amplitudes_table({"a": known}, values, scenario, rotd50_series(()))
        for values in (recorded, shifted)
    )
    np.testing.assert_allclose(after["bias"], before["bias"] - 0.7)
    columns = ["sigma", "tau", "phi", "slope_magnitude", "slope_ln_distance"]
    np.testing.assert_allclose(after[columns], before[columns], atol=1e-5)
    louder = amplitudes_table({"a": known}, 2.0 * recorded, scenario, rotd50_series(()))
    np.testing.assert_allclose(louder[columns], 2.0 * before[columns], rtol=1e-4)


def test_trends_are_those_of_the_residuals(law):
    scenario, recorded, _ = law
    added = 0.3 * np.log(scenario["path_hyp_distance_km"]) - 0.5 * scenario["source_magnitude"]
    added = added.to_numpy()
    before, after = (trends(recorded[:, 0] + more, scenario) for more in (0.0, added))
    assert after["slope_ln_distance"] - before["slope_ln_distance"] == pytest.approx(0.3, abs=0.01)
    assert after["slope_magnitude"] - before["slope_magnitude"] == pytest.approx(-0.5, abs=0.01)
    # 80 events tell of magnitude, 1600 records of distance.
    assert after["slope_magnitude_se"] == pytest.approx(0.42 / 0.31 / 80**0.5, rel=0.15)
    exact = trends(added, scenario)
    assert exact["slope_magnitude"] == pytest.approx(-0.5, abs=1e-6)
    one = scenario["source_id"] == "e0"
    assert np.isnan(list(trends(recorded[one, 0], scenario[one]).values())).all()
    assert set(trends(np.ones(len(scenario)), scenario).values()) == {0.0}


def test_a_missing_value_takes_nothing_else_away(law):
    scenario, recorded, generated = law
    holes = recorded.copy()
    holes[::3, 1] = np.nan
    events, none = scenario["source_id"], np.zeros(len(scenario), bool)
    tables = [
        amplitudes_table(
            {"a": of_realizations(generated, values, events, none)},
            values,
            scenario,
            rotd50_series(()),
        )
        for values in (recorded, holes)
    ]
    pd.testing.assert_series_equal(tables[0].iloc[0], tables[1].iloc[0])
    assert tables[1]["records"].tolist() == [1600, 1066]
    assert tables[1].loc[1, "coverage"] == pytest.approx(tables[0].loc[1, "coverage"], abs=0.05)


# ---- generators ----------------------------------------------------------------------------


class Scaled(CGMGM):
    """Draws one short burst, times a factor with an event's and a record's share."""

    def __init__(self, tau=0.4, phi=0.5):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            super().__init__()
        self.n_samples, self.tau, self.phi = 200, tau, phi
        burst = np.random.default_rng(0).standard_normal((3, 200)) * np.hanning(200)
        self.burst = burst * [[1.0], [2.0], [1.5]]

    def sample(self, scenario, n_realizations=1, seed=0, *args, **kwargs):
        terms = [
            self.tau * random_generator(seed, "event", int(event), k).normal()
            + self.phi * random_generator(seed, *key, k).normal()
            for event, key in zip(event_numbers(scenario), record_keys(scenario), strict=True)
            for k in range(n_realizations)
        ]
        factors = np.exp(np.reshape(terms, (len(scenario), n_realizations, 1, 1)) - 5.0)
        return (factors * self.burst).astype(np.float32)


def amplitudes_of(model, table, seed=0, periods=(0.2,)):
    """Return the table with the amplitudes of one realization."""
    waveforms = model.sample(check_scenario(table), 1, seed)[:, 0]
    drawn = ln_rotd50(waveforms, "ZNE", model.sampling_rate, periods)
    pga, pgv, *psa = np.exp(drawn).T
    spectrum = {f"psa_{t:.3f}s_mps2": values for t, values in zip(periods, psa, strict=True)}
    return table.assign(pga_g=pga / GRAVITY, pgv_cmps=100.0 * pgv, **spectrum)


def test_a_generators_own_draws_are_right(written):
    model = Scaled()
    table = amplitudes_of(model, pairs(40, 5), seed=1)
    found = evaluate_flatfile(
        written(table), {"own": model}, EvaluationConfig(n_realizations=24, gmms=False, workers=1)
    )
    own = found.tables["amplitudes"].set_index("measure")
    assert own.index.tolist() == ["RotD50 PGA", "RotD50 PGV", "RotD50 PSA 0.2 s"]
    assert (own["bias"].abs() < 0.2).all()
    np.testing.assert_allclose(own["coverage"], 0.68, atol=0.07)
    np.testing.assert_allclose(own[["tau", "stated_tau"]], 0.4, atol=0.12)
    np.testing.assert_allclose(own[["phi", "stated_phi"]], 0.5, atol=0.08)


def test_without_scatter_nothing_is_left(written):
    model = Scaled(0.0, 0.0)
    # Shorter than five samples: no generator of 100 Hz resolves it.
    table = amplitudes_of(model, pairs()).assign(**{"psa_0.020s_g": 1.0})
    found = evaluate_flatfile(
        written(table), {"own": model}, EvaluationConfig(n_realizations=3, gmms=False)
    )
    own = found.tables["amplitudes"]
    assert own["measure"].tolist() == ["RotD50 PGA", "RotD50 PGV", "RotD50 PSA 0.2 s"]
    assert (own["coverage"] == 1.0).all()
    assert own[["bias", "sigma", "tau", "phi"]].abs().to_numpy().max() < 1e-6
    assert "at least 0.05 s, 5 samples" in found.metrics["not_available"]["PSA at 0.02 s"]
    metrics = found.metrics["amplitudes"]["own"]["H"]["RotD50 PGV"]
    assert metrics["records"] == 12
    assert found.metrics["amplitude_groups"]["own"]["H"]["RotD50 PGV"]["M < 4"]["records"] == 12


def test_ground_motion_models_stand_beside_and_their_sites_are_said(written, caplog):
    pytest.importorskip("pygmm", reason="the extra gmm is not installed")
    model = Scaled()
    table = amplitudes_of(model, pairs()).assign(station_vs30_mps=[400.0] * 10 + [np.nan] * 2)
    found = evaluate_flatfile(written(table), {"own": model}, EvaluationConfig(n_realizations=2))
    names = list(dict.fromkeys(found.tables["amplitudes"]["generator"]))
    assert names == ["own", "ASK14", "BSSA14", "CB14", "CY14"]
    assert list(found.metrics["amplitudes"]) == names
    said = "760 m/s is assumed for 2 of 12 records"
    assert said in found.metrics["not_available"]["Vs30 of some stations, for ground-motion models"]
    assert said in caplog.text
    table = found.tables["amplitudes"].set_index(["generator", "measure"])
    # CY14 begins at M 3.5.
    assert table.loc[("CY14", "RotD50 PGA"), "extrapolated"] == 0.0


def test_records_outside_of_the_trained_ranges_count_and_are_counted(written, tiny_ranges, caplog):
    model = Scaled(0.0, 0.0)
    model.ranges = {**tiny_ranges, "source_magnitude": [1.0, 3.65]}
    table = amplitudes_of(model, pairs())
    found = evaluate_flatfile(
        written(table), {"own": model}, EvaluationConfig(n_realizations=2, gmms=False)
    )
    own = found.tables["amplitudes"]
    assert (own["records"] == 12).all()
    assert (own["extrapolated"] == 0.5).all()
    groups = found.tables["amplitude_groups"].set_index(["measure", "group"])["records"]
    assert groups["RotD50 PGA", INSIDE] == groups["RotD50 PGA", OUTSIDE] == 6
    assert "outside the trained range 1 to 3.65 (6 of 12 rows)" in caplog.text
    (said,) = found.metrics["dataset"]["outside_trained_ranges"]["own"]
    assert "(6 of 12 rows)" in said
    assert f"own: {said}" in str(found)


def test_some_events_are_drawn_whole(written):
    model = Scaled()
    table = amplitudes_of(model, pairs(5, 3))
    table["psa_0.200s_mps2"] = table["psa_0.200s_mps2"].where(table["source_id"] == "e0")
    few = EvaluationConfig(n_realizations=2, max_records=4, gmms=False)
    found = [
        evaluate_flatfile(written(table), {"own": model}, replace(few, seed=seed))
        for seed in range(5)
    ]
    events = [own.scenario["source_id"].unique().tolist() for own in found]
    assert all(len(drawn) == 1 for drawn in events)
    assert len({*map(tuple, events)}) > 1
    for drawn, own in zip(events, found, strict=True):
        assert len(own.tables["amplitudes"]) == (3 if drawn == ["e0"] else 2)
    with pytest.raises(CgmgmError, match="must be at least 3, the number of records"):
        evaluate_flatfile(written(table), {"own": model}, replace(few, max_records=2))


def test_models_without_two_horizontals_are_left_out_or_refused(written):
    model = Scaled()
    model.component_order = "ZE"
    with pytest.raises(CgmgmError, match="Components ZE of the models must include two"):
        evaluate_flatfile(written(GOOD), {"own": model})
    few = EvaluationConfig(n_realizations=2, gmms=False, workers=1)
    found = evaluate_flatfile(written(GOOD), {"own": model, "whole": Scaled()}, few)
    assert found.metrics["not_available"]["own"].startswith("it generates ZE only")
    assert set(found.tables["amplitudes"]["generator"]) == set(found.metrics["models"]) == {"whole"}
    model.component_order = "ZNE"
    with pytest.raises(CgmgmError, match="cannot be named CB14"):
        evaluate_flatfile(written(GOOD), {"CB14": model})


def test_a_table_of_recorded_motion(nga_west2, written):
    pytest.importorskip("pygmm", reason="the extra gmm is not installed")
    table = pd.read_csv(nga_west2 / "bay_r80_measures.csv", dtype={"net": str, "sta": str})
    table = table[table["M"] < 5.0].iloc[::32]
    config = EvaluationConfig(n_realizations=2, columns="nga_west2", workers=1)
    found = evaluate_flatfile(written(table), {"own": Scaled()}, config)
    own = found.tables["amplitudes"].set_index(["generator", "measure"])
    assert len(table) > 40
    for measure, column, theirs in (
        ("RotD50 PGA", "lnPGA_g", "lnCB14_PGA"),
        ("RotD50 PGV", "lnPGV_cms", "lnCB14_PGV"),
        ("RotD50 PSA 1 s", "lnPSA_g_1.000s", "lnCB14_1.000s"),
    ):
        residuals = (table[theirs] - table[column]).dropna()
        row = own.loc[("CB14", measure)]
        assert row["records"] == len(residuals)
        assert row["bias"] == pytest.approx(residuals.mean(), abs=1e-3)
        assert row["sigma"] == pytest.approx(residuals.std(ddof=0), abs=1e-3)
    # 0.02 and 0.03 s are beyond 100 Hz.
    assert own.loc["CB14"].index.str.contains("PSA").sum() == 14


# ---- the command ---------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cgmgm_seis.evaluation.figures.DPI", 40)

    def invoke(*args):
        arguments = ("evaluate", *map(str, args), "-n", "2", "--device", "cpu")
        return CliRunner().invoke(main, arguments, prog_name="cgmgm-seis")

    return invoke


def refused(result, status, text):
    assert result.exit_code == status, result.output
    assert text in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr


def test_the_command_writes_a_report(written, run, tiny_weights, tmp_path):
    table = pairs().assign(pga_g=0.01, **{"psa_0.3s_g": 0.02, "psa_1s_g": 0.01})
    table.loc[0, "source_magnitude"] = np.nan
    arguments = (written(table), "--weights", tiny_weights, "--out", "report")
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert "generated - recorded" in result.stdout
    assert "1 without event, coordinates, depth or magnitude" in result.stdout
    assert "RotD50 PSA 0.3 s" in result.stdout
    page = (tmp_path / "report" / "report.html").read_text()
    assert "residuals are generated minus recorded" in page
    assert "1 without event, coordinates, depth or magnitude" in page
    figures = {path.stem for path in (tmp_path / "report" / "figures").iterdir()}
    assert figures == {
        "amplitudes",
        "amplitude_residuals_by_distance",
        "amplitude_residuals_by_magnitude",
        "amplitude_maps",
    }
    metrics = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert metrics["amplitudes"]["tiny"]["H"]["RotD50 PGA"]["records"] == 11
    records = pd.read_csv(tmp_path / "report" / "amplitude_records.csv")
    assert len(records) == 33
    assert "ln_median tiny" in records
    # What a killed run would go on from is gone.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report", "table.csv"]
    refused(run(*arguments), 1, "report already exists; --overwrite")
    result = run(*arguments, "--overwrite", "--no-gmms", "--max-records", "5")
    assert result.exit_code == 0, result.output
    assert "CB14" not in (tmp_path / "report" / "amplitudes.csv").read_text()
    assert len(pd.read_csv(tmp_path / "report" / "amplitude_records.csv")) <= 15


def test_a_killed_command_goes_on_where_it_was(written, run, tiny_weights, tmp_path, monkeypatch):
    table = written(pairs(2, 2).assign(pga_g=0.01))
    arguments = (table, "--weights", tiny_weights, "--no-gmms", "--out", "report")

    def full(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("cgmgm_seis.evaluation.report.render", full)
        assert run(*arguments).exit_code != 0
    assert list((tmp_path / ".report.chunks").glob("*.chunk"))
    monkeypatch.setattr("cgmgm_seis.models.cgmgm.model.CGMGM.sample", full)
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert not (tmp_path / ".report.chunks").exists()


def test_what_the_command_cannot_do_is_one_line(written, run, tiny_weights, tmp_path):
    table, weights = written(GOOD.assign(pga_g=-1.0)), ("--weights", tiny_weights, "--out", "a")
    refused(run(table, *weights), 1, "pga_g = -1 (row 1) must be a positive")
    refused(run("no.csv", *weights), 1, "no.csv is not a readable CSV file: No such file")
    refused(run(table, *weights, "--picker", "original"), 2, "it needs waveforms, which a")
    refused(run(tmp_path, *weights, "--columns", "nga_west2"), 2, "it needs a flatfile")
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
