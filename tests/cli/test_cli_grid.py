"""`cgmgm-seis grid` from the command line: good input, bad input, shards and what it says."""

import json

import h5py
import numpy as np
import obspy
import pytest
from click.testing import CliRunner
from obspy.core.event import Catalog, Event, Magnitude, Origin

from cgmgm_seis_cli.main import main

pytestmark = pytest.mark.usefixtures("one_thread")

SOURCE = ["grid", "--mag", "3.9", "--src", "37.861,-122.257", "--depth", "7.9"]
GRID = ["--region", "-122.4,-122.0,37.7,38.0", "--shape", "2x3"]


def run(*arguments):
    return CliRunner().invoke(main, [*map(str, arguments)])


@pytest.fixture
def quick(tiny_weights, tmp_path):
    """Arguments of a run that takes a second, with a model that knows no correlation."""
    return [*SOURCE, *GRID, "--weights", tiny_weights, "--workers", 1, "--measures", "eas,pgv",
            "--out", tmp_path / "out"]  # fmt: skip


def test_shards_then_the_whole(quick, tmp_path):
    part = run(*quick, "--shard", "1/1")
    assert part.exit_code == 0, part.output
    assert "part 1 of 1, 1 of 1 chunks" in part.output and not (tmp_path / "out").exists()
    whole = run(*quick)
    assert whole.exit_code == 0, whole.output
    assert "CGMGM, weights tiny, has no correlation between receivers" in whole.output
    assert "1 of 1 chunks are finished and verified" in whole.output
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        "maps.nc", "map.html", "map_spectra.png", "map_spectra.pdf", "map_peaks.png",
        "map_peaks.pdf", "gmf_data.csv", "sitemesh.csv", "waveforms", "stations.xml",
        "events.xml", "provenance.json",
    }  # fmt: skip
    assert not (tmp_path / ".out.chunks").exists()
    made_by = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert made_by["nodes"]["shape"] == [2, 3] and made_by["sampling"]["seed"] == 0
    again = run(*quick)
    assert again.exit_code == 1 and "already exists" in again.output


def test_spectra_without_waveforms(quick, tmp_path):
    """The method is in the provenance; a generator without spectra is refused before any work."""
    refused = run(*quick, "--method", "spectra")
    assert refused.exit_code == 1 and "has no spectra" in refused.output
    assert not list(tmp_path.iterdir())
    result = run(*SOURCE, *GRID, "--workers", 1, "--measures", "fas,eas", "--method", "spectra",
                 "--write", "maps", "-q", "--out", tmp_path / "out")  # fmt: skip
    assert result.exit_code == 0, result.output
    made_by = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert made_by["settings"]["method"] == "spectra"
    with h5py.File(tmp_path / "out" / "maps.nc") as file:
        assert np.isfinite(file["fas_median"][:]).all()


def test_outputs_that_cannot_hold_the_stations(tiny_weights, tmp_path):
    """By default they are left out with a sentence; asked for, they are refused."""
    path = tmp_path / "stations.csv"
    path.write_text("network,station,lat,lon\nBO,AKT013,37.9,-122.1\nNC,A,37.9,-122.1\n")
    common = [*SOURCE, "--stations", path, "--weights", tiny_weights, "--workers", 1]
    common += ["--measures", "pgv", "-q"]
    result = run(*common, "--out", tmp_path / "default")
    assert result.exit_code == 0, result.output
    assert "Output waveforms is left out: station_code = 'AKT013'" in result.stderr
    assert "Output openquake is left out: The sites BO.AKT013 and NC.A" in result.stderr
    names = {path.name for path in (tmp_path / "default").iterdir()}
    assert "maps.nc" in names and not names & {"sitemesh.csv", "waveforms"}
    for part in ("waveforms", "openquake"):
        result = run(*common, "--write", part, "--out", tmp_path / part)
        assert result.exit_code == 1 and "AKT013" in result.stderr
        assert not (tmp_path / part).exists()
    result = run(
        *common, "--format", "seisbench", "--write", "waveforms", "--out", tmp_path / "set"
    )
    assert result.exit_code == 0, result.output


def test_event_and_overrides(quick, tmp_path):
    """A catalogued event gives what no option gives, and needs none."""
    origin = Origin(
        time=obspy.UTCDateTime(2019, 10, 15), latitude=37.861, longitude=-122.257, depth=7900.0
    )
    event = Event(origins=[origin], magnitudes=[Magnitude(mag=3.9)])
    Catalog([event]).write(tmp_path / "event.xml", "QUAKEML")
    options = quick[len(SOURCE) : -1]
    catalogued = ["--event", tmp_path / "event.xml"]
    changed = [*catalogued, "--mag", 3.3, "--time", "2020-02-02"]
    for out, source in (("a", catalogued), ("b", changed), ("c", SOURCE[1:])):
        result = run("grid", *options, tmp_path / out, "--write", "maps,quakeml", *source)
        assert result.exit_code == 0, result.output
    maps = [h5py.File(tmp_path / out / "maps.nc")["pgv_median"][:] for out in "abc"]
    np.testing.assert_array_equal(maps[0], maps[2])
    assert (maps[1] != maps[0]).any()
    a, b = (obspy.read_events(tmp_path / out / "events.xml")[0] for out in "ab")
    assert a.preferred_origin().time == origin.time
    assert (a.preferred_magnitude().mag, b.preferred_magnitude().mag) == (3.9, 3.3)
    assert b.preferred_origin().time == obspy.UTCDateTime(2020, 2, 2)


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (["grid", *GRID, "--mag", "4"], "Missing --src: give --mag and --src, or --event FILE", 2),
        (["grid", *GRID, "--event", "none.xml"], "none.xml is not a readable QuakeML file", 1),
        ([*SOURCE], "--region with --shape, or --stations", 2),
        ([*SOURCE, "--region", "-122.5,-121.8,37.27,38.07"], "--region with --shape", 2),
        ([*SOURCE, *GRID, "--stations", "x.csv"], "--region with --shape", 2),
        ([*SOURCE, "--region", "1,2,3", "--shape", "2x2"], "west,east,south,north", 2),
        ([*SOURCE, *GRID[:2], "--shape", "2by2"], "ROWSxCOLUMNS", 2),
        ([*SOURCE, *GRID, "--shard", "3/2"], "must be i/n with i", 2),
        ([*SOURCE, *GRID, "--write", "maps,shapes"], "'shapes' must be one of", 2),
        ([*SOURCE, *GRID, "--periods", "0.3,inf"], "not finite", 2),
        ([*SOURCE, "--region", "-119,-122,37,38", "--shape", "2x2"], "trained range", 1),
        ([*SOURCE, "--region", "-122,-121,38,37", "--shape", "2x2"], "south below north", 1),
        ([*SOURCE, "--stations", "missing.csv"], "No file matches missing.csv", 1),
        ([*SOURCE, "--region", "-125,-121.8,37.27,38.07", "--shape", "2x2"], "trained range", 1),
        ([*SOURCE, *GRID, "--frequencies", "80"], "Frequency 80 Hz must be above 0", 1),
        ([*SOURCE, *GRID, "--weights", "nothing"], "Weights 'nothing' were not found", 1),
    ],
)
def test_bad_input_is_one_sentence(arguments, words, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert words in " ".join(result.output.split()) and "Traceback" not in result.output
    assert not list(tmp_path.iterdir())
