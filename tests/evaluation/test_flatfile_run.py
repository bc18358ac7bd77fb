"""Generators and ground-motion models against a flatfile, and the command."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from flatfiles import GOOD, pairs

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.evaluation import EvaluationConfig, evaluate_flatfile
from cgmgm_seis.evaluation.amplitude_tables import (
    INSIDE,
    OUTSIDE,
)
from cgmgm_seis.evaluation.measures import ln_rotd50
from cgmgm_seis.measures.intensity import GRAVITY
from cgmgm_seis.models.cgmgm.model import CGMGM
from cgmgm_seis.scenario.seeding import event_numbers, random_generator, record_keys
from cgmgm_seis.scenario.table import check_scenario
from cgmgm_seis_cli.main import main

pytestmark = pytest.mark.usefixtures("one_thread", "unarranged")


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
    assert "from 0.05 to 1000 s, 5 to" in found.metrics["not_available"]["PSA at 0.02 s"]
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
    refused(run(table, *weights), 1, "pga_g = -1 (row 1) must be an amplitude from 1e-12 to")
    refused(run("no.csv", *weights), 1, "no.csv is not a readable CSV file: No such file")
    refused(run(table, *weights, "--picker", "original"), 2, "it needs waveforms, which a")
    refused(run(tmp_path, *weights, "--columns", "nga_west2"), 2, "it needs a flatfile")
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
