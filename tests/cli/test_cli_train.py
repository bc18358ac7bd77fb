"""`cgmgm-seis train`: options, messages, and what bad input gets."""

import json
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from seisbench.data import WaveformDataWriter

from cgmgm_seis import CGMGM, EvolutionaryCGM, load_model
from cgmgm_seis.models import conditions
from cgmgm_seis.training import config
from cgmgm_seis.training.config import TrainingConfig
from cgmgm_seis_cli.main import main
from cgmgm_seis_cli.train import CONDITION_SETS, OPTIMIZERS, SCHEDULES
from cgmgm_seis_cli.train import train as command

SMALL = ("--model", "cgmgm", "--epochs", "2", "--latent", "4", "--prior", "4", "--device", "cpu")
# Options whose names differ from the settings they give.
SETTINGS = {"learning_rate": "lr", "final_learning_rate": "final_lr"}
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Noise of 60 s: 16 records of 8 events."""
    folder = tmp_path_factory.mktemp("data") / "noise"
    folder.mkdir()
    rng = np.random.default_rng(0)
    with WaveformDataWriter(folder / "metadata.csv", folder / "waveforms.hdf5") as writer:
        writer.data_format = {"dimension_order": "CW", "component_order": "ZNE", "unit": "mps"}
        for i in range(16):
            origin = pd.Timestamp("2020-01-01T00:00:00Z") + pd.Timedelta(hours=i // 2)
            row = {
                "source_id": f"event{i // 2}",
                "source_origin_time": origin.isoformat(),
                "source_latitude_deg": 37.0 + 0.2 * (i // 2),
                "source_longitude_deg": -122.0,
                "source_depth_km": 4.0 + i // 2,
                "source_magnitude": 2.0 + 0.2 * (i // 2),
                "station_network_code": "BK",
                "station_code": f"S{i % 2}",
                "station_latitude_deg": 37.6 + 0.4 * (i % 2),
                "station_longitude_deg": -122.2 + 0.2 * (i % 2),
                "trace_start_time": (origin - pd.Timedelta(seconds=5)).isoformat(),
                "trace_sampling_rate_hz": 100.0,
                "split": ("train", "train", "train", "dev")[i // 2 % 4],
            }
            writer.add_trace(row, 1e-6 * rng.standard_normal((3, 6000)).astype(np.float32))
    return folder


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def invoke(*args):
        return CliRunner().invoke(main, ("train", *map(str, args)), prog_name="cgmgm-seis")

    return invoke


def refused(result, status, text):
    assert result.exit_code == status, result.output
    assert result.stdout == ""
    assert text in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_trained_weights_generate_at_once(dataset, run, tmp_path):
    result = run(dataset, "--out", "mine", *SMALL, "--name", "noise", "--beta", "0.1", "-v")
    assert result.exit_code == 0, result.output
    assert "Trained 2 of 2 epochs (all epochs)" in result.stdout
    assert "cgmgm-seis generate --weights mine/noise" in result.stdout
    assert result.stderr.count("epoch ") == 2
    model = load_model(tmp_path / "mine" / "noise")
    assert isinstance(model, CGMGM)
    assert (model.beta, model.n_latents) == (0.1, 4)

    place = ("--mag", "3", "--src", "37.6,-122", "--sta", "37.8,-122.1")
    arguments = (*place, "--no-plot", "--out", "made")
    result = CliRunner().invoke(main, ("generate", "--weights", "mine/noise", *arguments))
    assert result.exit_code == 0, result.output
    assert any(path.suffix == ".mseed" for path in (tmp_path / "made").iterdir())


def test_going_on_from_weights(dataset, run, tmp_path):
    assert run(dataset, "--out", "first", *SMALL, "--no-past-dropout").exit_code == 0
    result = run(
        dataset, "--out", "mine", "--init", "first/cgmgm", "--only", "prior", "--epochs", "1"
    )
    assert result.exit_code == 0, result.output
    args = ("--init", "first/cgmgm", "--past-dropout", "--epochs", "1")
    assert run(dataset, "--out", "heard", *args).exit_code == 0
    first, second, third = (
        load_model(tmp_path / out / "cgmgm") for out in ("first", "mine", "heard")
    )
    dropouts = (first.past_dropout, second.past_dropout, third.past_dropout)
    assert dropouts == (False, False, True)
    assert second.n_latents == first.n_latents == 4
    refused(run(dataset, "--out", "x", "--init", "nowhere"), 1, "nowhere")
    both = ("--init", "first/cgmgm", "--components", "E")
    refused(run(dataset, "--out", "x", *both), 2, "--init and --components")
    refused(run(dataset, "--out", "x", "--only", "nowhere"), 1, "'nowhere'")


def test_published_is_trained_as_published(dataset, run, tmp_path):
    args = (dataset, "--out", "mine", *SMALL, "--components", "E", "--published", "-q")
    refused(run(*args, "--final-lr", "1e-6"), 2, "--final-lr belongs to the schedule cosine")
    result = run(*args)
    assert result.exit_code == 0, result.output
    training = load_model(tmp_path / "mine" / "cgmgm").card["training"]
    settings = (training["optimizer"], training["schedule"], training["gradient_clip"])
    assert settings == ("adam", "step", 0.0)
    assert (pd.read_csv(tmp_path / "mine" / "metrics.csv").learning_rate == 8e-4).all()


def test_the_seed_makes_the_run(dataset, run, tmp_path):
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert run(dataset, "--out", out, *SMALL, "--seed", seed, "-q").exit_code == 0
    losses = [pd.read_csv(tmp_path / out / "metrics.csv").train_loss.tolist() for out in "abc"]
    assert losses[0] == losses[1] != losses[2]


def test_resume_overwrite_or_refuse(dataset, run, tmp_path):
    args = (dataset, "--out", "mine", *SMALL)
    assert run(*args, "--max-minutes", "0").exit_code == 0
    refused(run(*args), 1, "mine already exists; --resume")
    refused(run(*args, "--resume", "--lr", "0.1"), 1, "learning_rate = 0.0008, not 0.1")
    result = run(*args, "--resume")
    assert "Trained 2 of 2 epochs" in result.stdout
    assert len(pd.read_csv(tmp_path / "mine" / "metrics.csv")) == 2
    assert run(*args, "--overwrite", "--epochs", "1").exit_code == 0
    assert json.loads((tmp_path / "mine" / "config.json").read_text())["config"]["epochs"] == 1


def test_bad_input_is_one_line(dataset, run, tmp_path):
    refused(run("nowhere", "--out", "mine"), 1, "nowhere is not a readable SeisBench data set")
    refused(run(dataset, "--out", "mine", "--epochs", "0"), 2, "'--epochs': 0 is not in the range")
    refused(run(dataset, "--out", "mine", "--device", "warp"), 1, "Device 'warp'")
    refused(run(dataset, "--out", "mine", "--condition-set", "all"), 2, "--condition-set")
    refused(run(dataset), 2, "--out")
    for components in ("", "XYZ", "ZZ"):
        arguments = ("--out", "mine", "--components", components)
        refused(run(dataset, *arguments), 2, f"'{components}' must be some of Z, N and E")
    for option, value in (("--latent", 0), ("--prior", -1), ("--embedding", 0), ("--seed", -1)):
        refused(run(dataset, "--out", "mine", option, value), 2, str(value))
    assert not (tmp_path / "mine").exists()


def test_defaults_are_those_of_the_library():
    defaults = command.make_context("train", ["dataset", "--out", "mine"]).params
    of_the_model = {**EvolutionaryCGM.training_defaults, **CGMGM.training_with["published"]}
    for field in fields(TrainingConfig):
        option = SETTINGS.get(field.name, field.name)
        wanted = None if field.name in of_the_model else field.default
        assert defaults[option] == wanted, option
    assert defaults["components"] is None
    assert set(CONDITION_SETS) == set(conditions.CONDITION_SETS)
    assert (config.OPTIMIZERS, config.SCHEDULES) == (OPTIMIZERS, SCHEDULES)


def test_the_help_says_the_defaults_of_a_model():
    helps = {
        parameter.name: parameter.help
        for parameter in command.params
        if parameter.name != "dataset"
    }
    for model in (CGMGM, EvolutionaryCGM):
        arguments = model.arguments()
        for option, argument in model.train_options.items():
            default = arguments[argument]
            if option != "latent" and not isinstance(default, bool):
                text = default if isinstance(default, str) else f"{default:g}"
                assert f"[default: {text}]" in helps[option]


def test_options_of_another_model_are_refused(dataset, run):
    refused(
        run(dataset, "--out", "mine", "--beta", "0.1"),
        2,
        "--beta is not an option of --model evolutionary",
    )
    refused(
        run(dataset, "--out", "mine", "--model", "cgmgm", "--width", "8"),
        2,
        "--width is not an option",
    )


def test_the_default_model_trains_and_resumes(dataset, run, tmp_path):
    args = (dataset, "--out", "evo", "--epochs", "2", "--width", "8", "--device", "cpu", "-q")
    assert run(*args, "--max-minutes", "0").exit_code == 0
    result = run(*args, "--resume")
    assert result.exit_code == 0, result.output
    model = load_model(tmp_path / "evo" / "evolutionarycgm")
    assert isinstance(model, EvolutionaryCGM) and model.width == 8
    assert (
        model.card["training"]["learning_rate"]
        == EvolutionaryCGM.training_defaults["learning_rate"]
    )


def test_a_recipe_is_trained_and_options_go_before_it(dataset, run, tmp_path):
    recipe = {
        "model": "CGMGM",
        "arguments": {"n_latents": 4, "prior_size": 4, "component_order": "E"},
        "training": {"epochs": 5, "learning_rate": 2e-3, "seed": 3},
        "score": 1.0,
    }
    (tmp_path / "best.json").write_text(json.dumps(recipe))
    args = ("--config", "best.json", "--epochs", "1", "--beta", "0.5", "--device", "cpu", "-q")
    result = run(dataset, "--out", "mine", *args)
    assert result.exit_code == 0, result.output
    model = load_model(tmp_path / "mine" / "cgmgm")
    assert (model.component_order, model.n_latents, model.beta) == ("E", 4, 0.5)
    training = model.card["training"]
    assert (training["epochs"], training["learning_rate"], training["seed"]) == (1, 2e-3, 3)
    refused(run(dataset, "--out", "x", "--config", "best.json", "--model", "cgmgm"), 2, "--config")
    refused(run(dataset, "--out", "x", "--config", "best.json", "--init", "w"), 2, "--init")
    refused(run(dataset, "--out", "x", "--config", "best.json", "--width", "8"), 2, "--width is")
    refused(run(dataset, "--out", "x", "--config", "none.json"), 1, "none.json is not a readable")
