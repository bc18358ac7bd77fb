"""Command lines of mistakes and of malice: one sentence each, before any work begins."""

import json
from importlib import import_module

import click
import pytest
from click.testing import CliRunner

from cgmgm_seis_cli.main import COMMANDS, main
from cgmgm_seis_cli.numbers import Number

NOT_NUMBERS = (click.types.FloatParamType, click.types.IntParamType)
GENERATE = ("generate", "--mag", "4", "--src", "37.9,-122.1", "--sta", "37.8,-122.2")


def run(*args):
    return CliRunner().invoke(main, [*map(str, args)], prog_name="cgmgm-seis")


def commands():
    """Yield the name and every command of the program."""
    for name, (place, _) in COMMANDS.items():
        module, _, attribute = place.partition(":")
        waiting = [(name, getattr(import_module(module), attribute))]
        while waiting:
            name, command = waiting.pop()
            yield name, command
            if isinstance(command, click.Group):
                waiting += [(f"{name} {key}", own) for key, own in command.commands.items()]


def test_every_number_of_every_command_is_finite_and_bounded():
    seen = 0
    for name, command in commands():
        for option in command.params:
            kind, where = option.type, f"{name} {option.name}"
            kinds = kind.types if isinstance(kind, click.Tuple) else [kind]
            for own in kinds:
                if isinstance(own, click.types.FloatParamType):
                    assert isinstance(own, Number), where
                if isinstance(own, NOT_NUMBERS) and option.name != "verbosity":
                    assert own.min is not None and own.max is not None, where
                    seen += 1
    assert seen > 40


@pytest.mark.parametrize(
    "arguments",
    [
        ("--start", "nan"),
        ("--start=-inf",),
        ("--duration", "inf"),
        ("--depth", "nan"),
        ("--mag", "nan"),
        ("--seed", "1" + "0" * 30),
        ("-n", "1000000000"),
        ("--time", "9999-12-31T23:59:59"),
        ("--time", "0001-01-01"),
        ("--mag", "1e400"),
        ("--batch-size", "99999999999999"),
        ("--sta", "nan,0"),
        ("--given", ""),
        ("--periods", "nan"),
        ("--extrapolate-magnitude", "nan"),
        ("--components", "Z" * 10_000),
    ],
)
def test_values_that_are_no_scenario_are_wrong_usage(tmp_path, arguments):
    result = run(*GENERATE, "--out", tmp_path / "out", *arguments)
    assert result.exit_code == 2, result.output
    assert result.output.count("\n") == 1 and len(result.output) < 400
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--out", "/"), "must end with a name"),
        (("--out", "x" * 250), "has 250 bytes and must have at most 200"),
        (("--out", "a/" * 1500 + "b"), "bytes and must have at most 900"),
        (("--device", "privateuseone"), "Device 'privateuseone' is not available"),
        (("--device", "meta"), "Device 'meta' is not available"),
        (("--device", "cuda:99999999999999999999"), "is not available"),
        (("--event", "/dev/full"), "it is not a regular file"),
        (("--weights", "/dev/full"), "not found"),
        (("--periods", "1,1e9"), "1e+09 s must be from 0.05 to 1000 s"),
    ],
)
def test_places_devices_and_files_are_checked_first(tmp_path, arguments, text, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*GENERATE, "--out", "out", *arguments)
    assert result.exit_code == 1, result.output
    assert text in result.output
    assert result.output.count("\n") == 1 and len(result.output) < 400
    assert list(tmp_path.iterdir()) == []


def test_a_message_repeats_a_long_value_once_and_not_whole(tmp_path):
    for arguments in (("--mag", "9" * 5000), ("--src", "x" * 5000), ("--quantity", "y" * 5000)):
        result = run(*GENERATE, "--out", tmp_path / "out", *arguments)
        assert result.exit_code == 2
        assert len(result.output) < 400
    path = tmp_path / ("d" * 100) / ("e" * 100)
    assert str(path) in run("weights", "info", path / "none").output  # a path is shown whole


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 6.9 TiB for an array"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory\nException raised from x:\nframe"),
    ],
)
def test_too_little_memory_is_one_sentence(tmp_path, monkeypatch, error):
    def fail(*args):
        raise error

    monkeypatch.setattr("cgmgm_seis.models.weights.load_model", fail)
    result = run(*GENERATE, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "memory of this machine is not sufficient" in result.output
    assert "frame" not in result.output and result.output.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_made_by_another_is_left_alone(tmp_path):
    from cgmgm_seis.storage.folders import lock_output

    out = tmp_path / "out"
    for command in (GENERATE, ("grid", *GENERATE[1:5], "--region=-122.4,-122,37.6,38")):
        shape = ("--shape", "2x2") if command[0] == "grid" else ()
        with lock_output(out):
            before = sorted(tmp_path.rglob("*"))
            result = run(*command, *shape, "--out", out)
            assert result.exit_code == 1 and "is being written by process" in result.output
            assert sorted(tmp_path.rglob("*")) == before
    with lock_output(out):
        result = run("evaluate", "none", "--weights", "bay_area", "--out", out)
        assert "is being written by process" in result.output
    assert list(tmp_path.iterdir()) == []


def test_nested_json_of_a_user_is_one_sentence(tmp_path):
    (tmp_path / "nested.json").write_text("[" * 100_000)
    for arguments in (
        ("train", tmp_path / "none", "--out", tmp_path / "run", "--config"),
        ("tune", tmp_path / "none", "--out", tmp_path / "run", "--space"),
    ):
        result = run(*arguments, tmp_path / "nested.json")
        assert result.exit_code == 1 and "nested too deeply" in result.output
    (tmp_path / "recipe.json").write_text(
        json.dumps({"model": "CGMGM", "arguments": {"n_latents": 10**9}, "training": {}})
    )
    arguments = ("train", tmp_path / "none", "--out", tmp_path / "run", "--config")
    result = run(*arguments, tmp_path / "recipe.json")
    assert result.exit_code == 1 and "n_latents = 1000000000 must be" in result.output


@pytest.mark.parametrize("name", ["..", ".", ".x", "a/b", "checkpoint", "x" * 250])
def test_names_of_weights_are_checked_before_training(tmp_path, name):
    result = run("train", tmp_path / "none", "--out", tmp_path / "run", "--name", name)
    assert result.exit_code == 1 and "must be a file name without folders" in result.output
    assert list(tmp_path.iterdir()) == []
