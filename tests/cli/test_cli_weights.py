"""`cgmgm-seis weights`: tables for people, JSON for programs."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import seisbench
import torch
from click.testing import CliRunner
from small_datasets import TINY_RANGES, write_dataset

from cgmgm_seis.datasets.windows import read_records
from cgmgm_seis.models import conditions
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.models.cgmgm.checkpoints import IMPORTABLE
from cgmgm_seis.models.weights import load_model
from cgmgm_seis_cli.main import main
from cgmgm_seis_cli.weights_import import CONDITION_SETS


def run(*args):
    return CliRunner().invoke(main, args, prog_name="cgmgm-seis")


@pytest.fixture
def bundled(monkeypatch, tiny_weights, tmp_path):
    """Pretend that the tiny weights came with the package."""
    for suffix in (".json", ".pt"):
        shutil.copy(tiny_weights.with_suffix(suffix), tmp_path / f"tiny{suffix}.v1")
    monkeypatch.setattr(GroundMotionModel, "bundled_path", classmethod(lambda cls: tmp_path))


def test_list(bundled):
    result = run("weights", "list")
    assert result.exit_code == 0, result.output
    header, *rows = result.stdout.splitlines()
    assert header.split() == ["name", "model", "version", "parameters", "size", "trained", "on"]
    tiny = next(row for row in rows if row.startswith("tiny"))
    assert "CGMGM" in tiny
    assert tiny.endswith("nothing: simulated")
    found = json.loads(run("weights", "list", "--json").stdout)
    assert "tiny" in [info["name"] for info in found]


def test_info(tiny_weights):
    result = run("weights", "info", str(tiny_weights))
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("tiny (CGMGM, version 1)\nUntrained.")
    assert "source_magnitude" in result.stdout
    assert "trained on: nothing: simulated" in result.stdout
    info = json.loads(run("weights", "info", str(tiny_weights), "--json").stdout)
    for digest in info["sha256"].values():
        assert digest in result.stdout


def test_pack_and_add(tiny_weights, tmp_path, monkeypatch):
    monkeypatch.setattr(seisbench, "cache_model_root", tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    result = run("weights", "pack", str(tiny_weights), "--license", "MIT", "--name", "mine")
    assert result.exit_code == 0, result.output
    install = result.stdout.splitlines()[-1].removeprefix("Install: cgmgm-seis ").split()
    assert install[:3] == ["weights", "add", "mine-v1.zip"]
    result = run(*install)
    assert result.exit_code == 0, result.output
    assert "Installed mine (CGMGM, version 1)." in result.stdout
    assert run("weights", "info", "mine").stdout.startswith("mine (CGMGM, version 1)\nUntrained.")
    result = run("weights", "add", "mine-v1.zip", "--sha256", "00")
    assert result.exit_code == 1 and "Error: mine-v1.zip has the checksum" in result.stderr


def test_unknown_name():
    result = run("weights", "info", "atlantis")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: Weights 'atlantis' were not found")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("bad", [{"source_magnitude": ["low", 5]}, {"depth": 3}, [1, 2], "all"])
def test_ranges_that_are_no_numbers(tiny_weights, tmp_path, bad):
    for suffix in (".json", ".pt"):
        shutil.copy(tiny_weights.with_suffix(suffix), tmp_path)
    path = tmp_path / "tiny.json"
    metadata = json.loads(path.read_text())
    metadata["model_args"]["ranges"] = bad
    path.write_text(json.dumps(metadata))
    result = run("weights", "info", str(tmp_path / "tiny"))
    assert result.exit_code == 1
    assert "model_args.ranges" in result.output and "must be" in result.output


# ---- import --------------------------------------------------------------------------------------


@pytest.fixture
def checkpoint(published_numbers, tmp_path, monkeypatch):
    """A published checkpoint of a small network, and ranges, in the working folder."""
    monkeypatch.chdir(tmp_path)
    state = {
        name.removeprefix("state/"): torch.as_tensor(values)
        for name, values in published_numbers.items()
        if name.startswith("state/")
    }
    torch.save({"model": state}, "best_model.pt")
    low, high = published_numbers["log_amplitude_range"].tolist()
    ranges = {column: TINY_RANGES[column] for column in conditions.CONDITION_SETS["coordinates"]}
    Path("ranges.json").write_text(json.dumps({**ranges, "log_amplitude_range": [low, high]}))
    return published_numbers


IMPORT = ("weights", "import", "best_model.pt", "--condition-set", "coordinates", "--out", "made")


def test_an_imported_checkpoint_generates(checkpoint):
    result = run(*IMPORT, "--ranges", "ranges.json")
    assert result.exit_code == 0, result.output
    assert "latents 8, prior 8, embedding 8; scaling from the file ranges.json" in result.stdout
    model = load_model("made")
    assert model.published and model.component_order == "E"
    embedding = model.embedding(torch.as_tensor(checkpoint["conditions"]))
    np.testing.assert_allclose(embedding.detach(), checkpoint["embedding"], atol=1e-5)
    info = json.loads(run("weights", "info", "made", "--json").stdout)
    assert "best_model.pt" in info["card"]["trained_on"]
    place = ("--mag", "3", "--src", "37.9,-122.1", "--no-plot", "--out", "g", "-q")
    result = run("generate", "--weights", "made", *place)
    assert result.exit_code == 0, result.output

    result = run(*IMPORT, "--ranges", "ranges.json")
    assert result.exit_code == 1
    assert "made.json already exists; --overwrite" in result.stderr
    assert run(*IMPORT, "--ranges", "ranges.json", "--overwrite").exit_code == 0


def test_all_records_of_a_data_set_give_the_scaling(checkpoint, tmp_path):
    write_dataset(tmp_path / "data", n_events=6, per_event=2, n_samples=6000)
    result = run(*IMPORT, "--data", "data", "-q")
    assert result.exit_code == 0, result.output
    model = load_model("made")
    assert model.card["scaling_from"] == "all 12 records of the data set data"
    # Of all splits, where training would use the train split: M 1.0 to 2.0.
    assert model.ranges["source_magnitude"] == [1.0, 2.0]
    waveforms, _ = read_records(tmp_path / "data", model.window)
    amplitudes = model.spectrogram.transform(torch.as_tensor(waveforms)).abs()
    ends = [amplitudes.min().item(), amplitudes.max().item()]
    np.testing.assert_allclose(model.log_amplitude_range, np.log10(np.add(ends, 1e-10)), rtol=1e-6)


def test_bad_imports_are_one_line(checkpoint):
    assert CONDITION_SETS == IMPORTABLE
    for args, status, text in (
        (IMPORT, 2, "Give one of --data and --ranges"),
        ((*IMPORT, "--ranges", "ranges.json", "--data", "x"), 2, "Give one of --data and --ranges"),
        ((*IMPORT, "--ranges", "none.json"), 1, "none.json is not a readable JSON file"),
        ((*IMPORT, "--data", "nowhere"), 1, "nowhere is not a readable SeisBench data set"),
        ((*IMPORT, "--ranges", "r", "--condition-set", "distance_azimuth"), 2, "--condition-set"),
        ((*IMPORT, "--ranges", "r", "--condition-set", "depth"), 1, "'depth' does not fit"),
    ):
        result = run(*args)
        assert result.exit_code == status, result.output
        assert text in result.stderr.splitlines()[-1]
    assert not Path("made.json").exists()
