"""The paper in one command, in its quick form: a kill, a second run, and what is refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import torch
from click.testing import CliRunner

from cgmgm_seis.datasets.examples import write_example
from cgmgm_seis.evaluation.report import items_of
from cgmgm_seis.models.weights import load_model, weights_info
from cgmgm_seis_cli.main import main

pytestmark = pytest.mark.slow

NAMES = ("data", "summary", "search", "CGM-GM", "CGM-baseline", "EvolutionaryCGM", "non-ergodic")
FOLDERS = [f"{n:02d}-{name}" for n, name in enumerate((*NAMES, "evaluation", "maps", "report"), 1)]


def arguments(report, *options):
    out = str(report.parent / "paper")
    return ["reproduce", str(report), "--quick", "--out", out, "--device", "cpu", *options]


def killed_in_a_training(report):
    """Start the command and kill it in the middle of the training of CGM-GM."""
    command = [sys.executable, "-m", "cgmgm_seis", *arguments(report)]
    with subprocess.Popen(command, env=os.environ, stderr=subprocess.PIPE, text=True) as process:
        while not (found := list(report.parent.glob("paper/.04-*/content/metrics.csv"))):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        messages = process.stderr.read()
    assert not (report.parent / "paper" / FOLDERS[3]).exists()
    return messages, len(pd.read_csv(found[0]))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that was killed and continued: folder, and messages and output of both parts."""
    report = tmp_path_factory.mktemp("reproduce") / "data-report"
    write_example("data-report", report)
    before, epochs = killed_in_a_training(report)
    assert epochs == 1
    result = CliRunner().invoke(main, arguments(report))
    assert result.exit_code == 0, result.stderr
    return report, before, result


def test_the_steps(run):
    report, before, result = run
    out = report.parent / "paper"
    assert sorted(path.name for path in out.glob("[!.]*")) == [*FOLDERS, "recipe.json"]
    assert [path.name for path in out.glob(".*")] in ([], [".steps.lock"])
    assert "Step 3 of 10: search for the settings of CGM-GM." in before
    assert "Step 3 of 10: 03-search is there." in result.stderr
    assert "Step 4 of 10: train CGM-GM." in result.stderr
    assert (
        result.stdout.splitlines()[-1] == f"{out}/10-report/report.html: the report, for a browser"
    )


def test_models_are_the_papers(run):
    report, *_ = run
    out = report.parent / "paper"
    for folder, conditions in ((FOLDERS[3], "coordinates"), (FOLDERS[4], "distance")):
        info = weights_info(out / folder / folder[3:])
        assert info["model_args"]["published"] and info["model_args"]["component_order"] == "E"
        assert info["model_args"]["condition_set"] == conditions
        assert info["card"]["epochs"] == 2
        assert "simulated" in info["card"]["trained_on"]
    metrics = json.loads((out / FOLDERS[7] / "metrics.json").read_text())
    assert [*metrics["models"]] == ["CGM-GM", "CGM-baseline", "EvolutionaryCGM"]
    assert metrics["dataset"]["simulated"] and metrics["dataset"]["events"] >= 2
    models = {"ergodic, published", "non-ergodic, fitted to the training split"}
    assert models < metrics["ground_motion_models"].keys()


def test_the_report_has_the_figures_in_order(run):
    report, *_ = run
    page = (report.parent / "paper" / "10-report" / "report.html").read_text()
    names = ["data", "trials", "settings", "trainings", "panels_0", "panels_1", "panels_2"]
    names += ["sections", "envelopes", "picks", "spectral_residuals", "residuals_by_distance"]
    names += ["models_fas", "models_fas_ratio", "models_fas_sigma", "models_fas_epistemic"]
    names += ["ground_motion_models_E", "discriminator", "distributions"]
    found = [name for name in items_of(page) if name in names]
    metrics = json.loads((report.parent / "paper" / FOLDERS[7] / "metrics.json").read_text())
    if "picks" in metrics["not_available"]:
        names.remove("picks")
        assert "<b>picks</b>" in page
    assert found == names
    assert "The data are simulated" in page and "2 of the 5,000 epochs" in page


def test_a_missing_step_is_made_again_with_the_same_result(run):
    """The training that was killed gives the weights of one that was not."""
    report, *_ = run
    folder = report.parent / "paper" / FOLDERS[3]
    before = load_model(folder / "CGM-GM").state_dict()
    shutil.rmtree(folder)
    result = CliRunner().invoke(main, arguments(report))
    assert result.exit_code == 0, result.stderr
    assert [line for line in result.stderr.splitlines() if "is there" not in line] == [
        "Step 4 of 10: train CGM-GM."
    ]
    for name, tensor in load_model(folder / "CGM-GM").state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0.0, atol=0.0)


def test_other_settings_are_refused(run, tmp_path):
    report, *_ = run
    (tmp_path / "mine.json").write_text('{"trials": 3}')
    result = CliRunner().invoke(main, arguments(report, "--recipe", str(tmp_path / "mine.json")))
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: {report.parent}/paper/03-search was made with settings.trials = 2, not 3; delete "
        "it and the folders after it to make them again, or give another folder.\n"
    )
    assert json.loads((report.parent / "paper" / "recipe.json").read_text())["trials"] == 2


def test_a_folder_of_something_else_is_refused(run, tmp_path):
    report, *_ = run
    (tmp_path / "notes.txt").touch()
    result = CliRunner().invoke(main, [*arguments(report)[:-3], str(tmp_path)])
    assert result.exit_code == 1
    assert "is not a reproduction (recipe.json is missing)" in result.stderr
