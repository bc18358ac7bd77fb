"""`cgmgm-seis evaluate`: what it prints and writes, and what bad input gets."""

import json

import pytest
from click.testing import CliRunner

from cgmgm_seis_cli.main import main

pytestmark = pytest.mark.usefixtures("one_thread")

QUICK = ("-n", "2", "--max-records", "16", "--classifiers", "0", "--device", "cpu", "--no-gmms")
NO_PICKER = ("--picker", "nowhere/picker")


@pytest.fixture
def catalogue(whole_catalogue):
    return whole_catalogue


@pytest.fixture(autouse=True)
def coarse(unarranged, monkeypatch):
    monkeypatch.setattr("cgmgm_seis.evaluation.figures.DPI", 40)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def invoke(*args):
        return CliRunner().invoke(main, ("evaluate", *map(str, args)), prog_name="cgmgm-seis")

    return invoke


def refused(result, status, text):
    assert result.exit_code == status, result.output
    assert result.stdout == ""
    assert text in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_a_table_is_printed_and_a_folder_written(catalogue, tiny_weights, run, tmp_path):
    arguments = (catalogue, "--weights", tiny_weights, *QUICK, *NO_PICKER, "--out", "report")
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert "tiny (CGMGM, version 1)" in result.stdout
    assert "simulator itself" in result.stdout
    assert "tau_recorded" in result.stdout
    assert "report/metrics.json" in result.stdout
    assert "Warning: No picks" in result.stderr
    metrics = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert metrics["dataset"]["records"] <= 16
    assert set(metrics["generators"]) == {"tiny", "simulator itself"}
    made_by = json.loads((tmp_path / "report" / "provenance.json").read_text())
    assert made_by["command"][:2] == ["cgmgm-seis", "evaluate"]
    page = (tmp_path / "report" / "report.html").read_text()
    assert "nothing: simulated" in page
    assert "--no-gmms" in page
    # What a killed run would go on from is gone.
    assert [path.name for path in tmp_path.iterdir()] == ["report"]

    refused(run(*arguments), 1, "report already exists; --overwrite")


def test_what_a_killed_run_finished_is_kept_and_used(
    catalogue, tiny_weights, run, tmp_path, monkeypatch
):
    arguments = (catalogue, "--weights", tiny_weights, *QUICK, *NO_PICKER, "--out", "report")

    def full(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("cgmgm_seis.evaluation.report.render", full)
        assert run(*arguments).exit_code != 0
    (folder,) = tmp_path.iterdir()
    assert folder.name == ".report.chunks"
    assert {path.suffix for path in folder.iterdir()} == {".chunk"}
    # Nothing is left to draw.
    with monkeypatch.context() as patch:
        patch.setattr("cgmgm_seis.models.cgmgm.model.CGMGM.sample", full)
        patch.setattr("cgmgm_seis.evaluation.simulator_draws.simulate_waveforms", full)
        result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_nothing_is_read_where_nothing_may_be_written(tiny_weights, run, tmp_path):
    (tmp_path / "mine").mkdir()
    result = run("nowhere", "--weights", tiny_weights, "--out", "mine", "--overwrite")
    refused(result, 1, "only such a folder can be replaced")


def test_unknown_weights_and_data_are_one_line(catalogue, tiny_weights, run, tmp_path):
    refused(
        run(catalogue, "--weights", "nothing", "--out", "a"), 1, "Weights 'nothing' were not found"
    )
    refused(run("nowhere", "--weights", tiny_weights, "--out", "a"), 1, "nowhere is not a readable")
    refused(run(catalogue, "--out", "a"), 2, "Missing option '--weights'")
    refused(run(catalogue, "--weights", tiny_weights, "--out", "a", "-n", "1"), 2, "2<=x<=10000")
    assert not list(tmp_path.iterdir())


def test_help_says_what_is_compared(run):
    result = run("--help")
    assert result.exit_code == 0
    assert "--max-records" in result.stdout
    assert "simulator itself is compared too" in " ".join(result.stdout.split())
    assert "--tsne" in result.stdout
