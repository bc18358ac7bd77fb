"""`cgmgm-seis tune`: options, messages, and what bad input gets."""

import json

import pytest
from click.testing import CliRunner
from small_datasets import write_dataset

from cgmgm_seis.tuning.objective import OBJECTIVES
from cgmgm_seis.tuning.search import Search
from cgmgm_seis_cli.main import main
from cgmgm_seis_cli.tune import tune as command

pytestmark = pytest.mark.usefixtures("one_thread")
SPACE = {"n_latents": [2, 4], "learning_rate": {"from": 1e-4, "to": 1e-2}}


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "space.json").write_text(json.dumps(SPACE))

    def invoke(*args):
        return CliRunner().invoke(main, list(map(str, args)), prog_name="cgmgm-seis")

    return invoke


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "short"
    return write_dataset(folder, n_samples=6000)


ARGS = ("--model", "cgmgm", "--space", "space.json", "--epochs", "1", "--device", "cpu", "-q")


def test_what_is_found_is_trained(dataset, run, tmp_path):
    result = run("tune", dataset, "--out", "s", "--trials", "2", "--components", "Z", *ARGS)
    assert result.exit_code == 0, result.output
    assert "Best of 2 trials: trial" in result.stdout
    result = run("tune", dataset, "--out", "s", "--trials", "2", "--components", "Z", *ARGS)
    assert result.exit_code == 1
    assert "s already exists; --resume" in result.stderr
    arguments = ("--trials", "3", "--components", "Z", *ARGS, "--resume")
    result = run("tune", dataset, "--out", "s", *arguments)
    assert "Best of 3 trials: trial" in result.stdout
    result = run("train", dataset, "--config", "s/best.json", "--out", "t", "--device", "cpu", "-q")
    assert result.exit_code == 0, result.output
    again, best = (
        json.loads((tmp_path / path / "cgmgm.json").read_text())["card"] for path in ("t", "s/best")
    )
    assert again["best_dev_loss"] == best["best_dev_loss"]


def test_condition_sets_are_compared_as_published(dataset, run, tmp_path):
    small = {"n_latents": [2], "prior_size": [4], "embedding_size": [4], "batch_size": [32]}
    (tmp_path / "space.json").write_text(json.dumps(small))
    sets = ("--condition-set", "distance", "--condition-set", "epicentral_distance")
    arguments = ("--trials", "4", "--components", "E", *sets, "--published", *ARGS)
    result = run("tune", dataset, "--out", "s", *arguments)
    assert result.exit_code == 0, result.output
    trials = json.loads((tmp_path / "s" / "trials.json").read_text())["trials"]
    tried = {trial["settings"]["condition_set"] for trial in trials}
    assert tried == {"distance", "epicentral_distance"}
    assert all(trial["settings"]["n_latents"] == 2 for trial in trials)
    card = json.loads((tmp_path / "s" / "best" / "cgmgm.json").read_text())
    assert card["model_args"]["published"] and card["model_args"]["condition_set"] in tried
    assert card["card"]["training"]["optimizer"] == "adam"


def test_bad_input_is_one_line(dataset, run, tmp_path):
    (tmp_path / "file").write_text("")
    for args, status, text in (
        (("nowhere", "--out", "s"), 1, "nowhere is not a readable SeisBench data set"),
        ((dataset, "--out", "s", "--trials", "0"), 2, "'--trials': 0 is not in the range"),
        ((dataset, "--out", "file"), 1, "file"),
        (("nowhere", "--out", "s", "--objective", "beauty"), 2, "--objective"),
        (("nowhere", "--out", "s", "--space", "file"), 1, "file is not a readable JSON file"),
        (("nowhere", "--out", "s", "--published"), 2, "--published is not an option of --model"),
        (("nowhere", "--out", "s", "--condition-set", "all"), 2, "--condition-set"),
        (("nowhere",), 2, "--out"),
    ):
        result = run("tune", *args)
        assert result.exit_code == status, result.output
        assert text in result.stderr.splitlines()[-1]
        assert "Traceback" not in result.stderr
    assert not (tmp_path / "s").exists()


def test_choices_and_defaults_are_those_of_the_library():
    options = {option.name: option for option in command.params}
    assert tuple(options["objective"].type.choices) == OBJECTIVES
    assert options["random_trials"].default == Search.n_random
    assert options["early_stopping"].default == Search.stops
