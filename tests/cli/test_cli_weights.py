"""`cgmgm-seis weights`: tables for people, JSON for programs."""

import json
import shutil

import pytest
from click.testing import CliRunner

from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis_cli.main import main


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
    assert "trained_on: nothing: simulated" in result.stdout
    info = json.loads(run("weights", "info", str(tiny_weights), "--json").stdout)
    for digest in info["sha256"].values():
        assert digest in result.stdout


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
    assert "has invalid ranges" in result.output
