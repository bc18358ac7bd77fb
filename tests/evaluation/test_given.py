"""Records of an earthquake for `--given`: which rows are read, and what commands make of them."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from cgmgm_seis import from_points
from cgmgm_seis.datasets.examples import PLEASANT_HILL
from cgmgm_seis.errors import DatasetError
from cgmgm_seis.evaluation.given import read_given
from cgmgm_seis.grid.model_plots import model_figures
from cgmgm_seis.models import load_model
from cgmgm_seis.scenario.sources import source
from cgmgm_seis_cli.main import main

SOURCE = (37.9, -122.1)
STATIONS = [(37.8, -122.2), (37.85, -122.0), (37.95, -122.25)]
RESPONSES = ["--inventory", str(PLEASANT_HILL / "stations.xml")]
ARGUMENTS = ["--mag", "4", "--src", "37.9,-122.1"]


@pytest.fixture(scope="module")
def model():
    return load_model("bay_area_evolutionary")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Amplitudes of two earthquakes, one of them 100 km away, and one value missing."""
    here = from_points(4.1, SOURCE, STATIONS).assign(source_id="here")
    away = from_points(4.1, (37.0, -122.1), STATIONS).assign(source_id="away")
    rows = pd.concat([here, away], ignore_index=True)
    rows = rows.assign(pgv_cmps=[3.0, 4.0, 5.0, 0.1, 0.1, 0.1], pga_g=[0.1, None, 0.2] * 2)
    path = tmp_path_factory.mktemp("given") / "amplitudes.csv"
    rows.to_csv(path, index=False)
    return path


def test_rows_of_the_earthquake_are_read(table, model):
    given = read_given(table, source(4.0, *SOURCE), model)
    assert given.scenario["source_id"].tolist() == ["here"] * 3
    np.testing.assert_allclose(np.exp(given.values[:, 1]), [0.03, 0.04, 0.05])
    np.testing.assert_allclose(np.exp(given.values[0, 0]), 0.980665)
    assert np.isnan(given.values[1, 0])
    assert given.measures(np.ones((2, 3, 6000), np.float32)).shape == (2, 2)


def test_another_earthquake_is_not_in_the_file(table, model):
    with pytest.raises(DatasetError, match="has 0 earthquakes within 10 km"):
        read_given(table, source(5.0, *SOURCE), model)
    with pytest.raises(DatasetError, match="waveforms in counts need the StationXML"):
        read_given(table.parent, source(4.0, *SOURCE), model)


def test_bytes_that_are_no_text_are_one_sentence(model, tmp_path):
    (tmp_path / "bad.csv").write_bytes(b"source_id,\xf6\n1,2\n")
    with pytest.raises(DatasetError, match="is not a readable CSV file: 'utf-8' codec"):
        read_given(tmp_path / "bad.csv", source(4.0, *SOURCE), model)


def test_records_of_a_larger_earthquake_are_used_if_it_may_be_extrapolated(table, model, tmp_path):
    """M 5.8, where the trained range ends at 5.5."""
    path = tmp_path / "larger.csv"
    pd.read_csv(table).assign(source_magnitude=5.8).to_csv(path, index=False)
    with pytest.raises(DatasetError, match="0 records within the trained ranges"):
        read_given(path, source(5.8, *SOURCE), model)
    arguments = ["generate", "--mag", "5.8", "--src", "37.9,-122.1", "--sta", "37.8,-122.2"]
    arguments += ["--no-plot", "--no-measures", "--extrapolate", "--given", str(path)]
    run = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path / "out")])
    assert run.exit_code == 0, run.output
    assert run.stderr.count("source_magnitude = 5.8 is outside the trained range") == 2


def test_given_raises_the_motion_of_generate_and_grid(table, model, tmp_path):
    """The amplitudes are some five times the median: PGV between the stations doubles at least."""
    run = CliRunner().invoke(
        main,
        ["grid", *ARGUMENTS, "--region=-122.2,-122.0,37.8,37.95", "--shape", "2x3", "-n", "4",
         "--measures", "pgv", "--write", "maps,figures", "--ln", "--given", str(table),
         "--workers", "2", "--out", str(tmp_path / "map")],
    )  # fmt: skip
    assert run.exit_code == 0, run.output
    with h5py.File(tmp_path / "map" / "maps.h5") as file:
        given = file["ln_pgv_median"][:]
        np.testing.assert_allclose(file.attrs["given_latitude_deg"], [37.8, 37.85, 37.95])
    drawn = model.sample(from_points(4.0, SOURCE, [(37.85, -122.1)]), 4)[0]
    assert given.mean() > np.log(2.0 * np.abs(drawn).max(axis=(1, 2)).mean())
    made_by = json.loads((tmp_path / "map" / "provenance.json").read_text())
    assert len(made_by["settings"]["given_sha256"]) == 64


@pytest.mark.parametrize("command", ["generate", "grid"])
def test_cgmgm_refuses(table, tmp_path, command):
    """Also as the second generator of a map, and before anything is read."""
    given = ["--given", str(tmp_path / "missing.csv"), "--out", str(tmp_path / "none")]
    if command == "generate":
        arguments = ["--weights", "bay_area", "--sta", "37.8,-122.2"]
    else:
        arguments = ["--region=-122.2,-122.0,37.8,37.95", "--shape", "2x2"]
        arguments += ["--weights", "bay_area_evolutionary", "--weights", "bay_area"]
    run = CliRunner().invoke(main, [command, *ARGUMENTS, *arguments, *given])
    assert run.exit_code == 1
    assert "CGMGM, weights bay_area, cannot be conditioned on records" in run.output
    assert not (tmp_path / "none").exists()


def test_a_ground_motion_model_beside_is_labelled(table, tmp_path):
    """Its panels say that it does not know the records, which are drawn in the others."""
    run = CliRunner().invoke(
        main,
        ["grid", *ARGUMENTS, "--region=-122.2,-122.0,37.8,37.95", "--shape", "2x2", "-n", "2",
         "--measures", "fas", "--frequencies", "5", "--write", "maps", "--ln",
         "--given", str(table), "--gmm", "ergodic", "--workers", "1",
         "--out", str(tmp_path / "map")],
    )  # fmt: skip
    assert run.exit_code == 0, run.output
    with h5py.File(tmp_path / "map" / "maps.h5") as file:
        assert file.attrs["given_models"].tolist() == ["bay_area_evolutionary"]
    figure = model_figures(tmp_path / "map" / "maps.h5", "M 4")["models_fas"]
    panels = {axes.get_title(): len(axes.lines) for axes in figure.axes if axes.get_title()}
    assert list(panels) == ["bay_area_evolutionary", "ergodic, not given records"]
    assert panels["bay_area_evolutionary"] == panels["ergodic, not given records"] + 1


# ---- waveforms in counts -------------------------------------------------------------------


def test_generate_and_grid_are_given_the_same_waveforms(tmp_path):
    """At 11 stations, for receivers elsewhere."""
    given = ["--event", str(PLEASANT_HILL / "event.xml")]
    given += ["--given", str(PLEASANT_HILL / "waveforms"), *RESPONSES]
    for arguments in (
        ["generate", *given, "--sta", "37.9,-122.1", "--no-plot", "--no-measures"],
        ["grid", *given, "--region=-122.1,-122,37.9,38", "--shape", "2x2", "--measures", "pgv"],
    ):
        run = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path / arguments[0])])
        assert run.exit_code == 0, run.output
    made_by = [
        json.loads((tmp_path / command / "provenance.json").read_text())["settings"]
        for command in ("generate", "grid")
    ]
    assert made_by[0]["given_sha256"] == made_by[1]["given_sha256"]
    with h5py.File(tmp_path / "grid" / "maps.nc") as file:
        assert len(file.attrs["given_latitude_deg"]) == 11


def test_responses_without_waveforms_are_refused():
    region = ["--region=-122.1,-122,37.9,38", "--shape", "2x2"]
    run = CliRunner().invoke(main, ["grid", *ARGUMENTS, *region, *RESPONSES])
    assert run.exit_code == 2 and "--inventory needs --given WAVEFORMS" in run.output
    run = CliRunner().invoke(main, ["generate", *ARGUMENTS, "--sta", "37.9,-122.1", *RESPONSES])
    assert run.exit_code == 2 and "Give only one of --sta, --stations and --inventory" in run.output
