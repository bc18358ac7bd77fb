"""Data sets with one or two components, or with components that do not move."""

from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from small_datasets import N_SAMPLES, write_dataset

from cgmgm_seis import load_model
from cgmgm_seis.datasets.components import common_components, moving
from cgmgm_seis.datasets.summary import summarise
from cgmgm_seis.datasets.windows import choose_components, read_records
from cgmgm_seis.errors import DatasetError
from cgmgm_seis.scenario.window import Window
from cgmgm_seis_cli.main import main

WINDOW = Window("ZNE", 100.0, -5.0, N_SAMPLES)


@pytest.mark.parametrize(
    ("available", "expected"),
    [
        (["ZNE"] * 3, "ZNE"),
        (["ENZ"] * 2 + ["Z"] * 2, "ZNE"),
        (["ENZ"] * 2 + ["Z"] * 3, "Z"),
        (["EN"] * 3, "NE"),
        (["Z12"] * 3, "Z"),
        (["Z"] * 4 + ["N"] * 3 + ["E"] * 3, "Z"),
        (["", "Z"], "Z"),
        ([], "ZNE"),
    ],
)
def test_the_most_components_that_half_of_the_records_have(available, expected):
    assert common_components(available, "ZNE") == expected


@pytest.mark.parametrize("order", ["E", "ZN", "NE"])
def test_sets_of_fewer_components_are_read_on_those(tmp_path, order):
    folder = write_dataset(tmp_path / "set", component_order=order)
    window = choose_components(folder, WINDOW)
    assert window == replace(WINDOW, component_order=order)
    assert read_records(folder, window)[0].shape == (48, len(order), N_SAMPLES)
    with pytest.raises(DatasetError, match=f"48 have {order}: give --components {order} "):
        read_records(folder, WINDOW)
    said = dict(summarise(folder, WINDOW).lines)["train would"]
    assert f"no usable records; 48 have {order}: give --components {order}" in said


@pytest.mark.parametrize("filling", [0.0, 7.0, np.nan])
def test_a_component_that_never_moves_is_not_used(tmp_path, filling):
    def dead(event, row, motion):
        motion[1] = filling

    folder = write_dataset(tmp_path / "set", change=dead)
    window = choose_components(folder, WINDOW)
    assert window.component_order == "ZE"
    assert len(read_records(folder, window)[0]) == 48
    with pytest.raises(DatasetError, match="48 have ZE: give --components ZE"):
        read_records(folder, WINDOW)


def test_components_that_are_sometimes_dead_are_counted(tmp_path):
    def dead(event, row, motion):
        motion[2] = 0.0 if event == 0 else motion[2]
        motion[:2] = np.nan if event == 1 else motion[:2]

    folder = write_dataset(tmp_path / "set", change=dead)
    assert choose_components(folder, WINDOW) == WINDOW
    _, scenario = read_records(folder, WINDOW)
    expected = {"NaN or constant on E": 4, "NaN or constant on ZN": 4}
    assert scenario.attrs["left_out"] == expected
    assert len(scenario) == 40


def test_the_commands_choose_and_say_the_components(tmp_path, monkeypatch, one_thread):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        return CliRunner().invoke(main, [*map(str, arguments)], prog_name="cgmgm-seis")

    folder = write_dataset(tmp_path / "east", 6, 2, n_samples=6000, component_order="E")
    result = run("dataset", "info", folder, "--no-plot")
    assert "use 12 records of the components E with its own split" in result.stdout
    assert "note             Components Z, N are not used" in result.stdout
    assert (
        "fail: no usable"
        in run("dataset", "info", folder, "--no-plot", "--components", "ZNE").stdout
    )
    small = ("--model", "cgmgm", "--epochs", 1, "--latent", 4, "--prior", 4, "--device", "cpu")
    result = run("train", folder, "--out", "mine", *small)
    assert result.exit_code == 0, result.output
    assert "Warning: Components Z, N are not used" in result.stderr
    assert load_model(tmp_path / "mine" / "cgmgm").component_order == "E"
    result = run("train", folder, "--out", "all", *small, "--components", "ZNE")
    assert result.exit_code == 1
    assert "12 have E: give --components E" in result.stderr
    assert not (tmp_path / "all").exists()
    result = run("dataset", "from-seisbench", folder, "--out", "copy")
    assert result.exit_code == 0, result.output
    read = read_records(tmp_path / "copy", Window("E"))[0]
    np.testing.assert_array_equal(read, read_records(folder, Window("E"))[0])


def test_what_is_constant_not_finite_or_without_samples_does_not_move():
    still, moved = [1.0, 1.0, 1.0], [1.0, 1.0, 2.0]
    rows = [still, moved, [1.0, np.nan, 2.0], [np.inf, np.inf, 0.0]]
    assert moving(np.array(rows)).tolist() == [False, True, False, False]
    assert moving(np.zeros((3, 0))).tolist() == [False] * 3
