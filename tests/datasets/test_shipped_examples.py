"""The shipped earthquake is a cut of the recordings; simulated archives are called simulated."""

import numpy as np
import obspy
import pytest
from click.testing import CliRunner

from cgmgm_seis.datasets.archive import import_records
from cgmgm_seis.datasets.examples import write_example
from cgmgm_seis.errors import OutputError
from cgmgm_seis.scenario.obspy_files import read_event, read_inventory
from cgmgm_seis.scenario.streams import SYNTHESIZED
from cgmgm_seis_cli.main import main


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples") / "pleasant-hill"
    written = write_example("pleasant-hill", folder)
    assert [path for path, _ in written if not path.exists()] == []
    return folder


def test_the_samples_are_those_of_the_recordings(example, whole_pleasant_hill):
    cut = obspy.read(example / "waveforms" / "*.mseed")
    assert len(cut) == 36 and len({trace.stats.station for trace in cut}) == 11
    whole = obspy.read(whole_pleasant_hill / "raw" / "*.mseed")
    for trace in cut:
        stats = trace.stats
        (original,) = whole.select(id=trace.id).slice(stats.starttime, stats.endtime)
        np.testing.assert_array_equal(trace.data, original.data)


def test_responses_are_those_of_the_recordings(example, whole_pleasant_hill):
    cut = read_inventory(example / "stations.xml")
    whole = read_inventory(whole_pleasant_hill / "raw" / "*.xml")
    for trace in obspy.read(example / "waveforms" / "*.mseed", headonly=True):
        found, expected = (
            inventory.get_response(trace.id, trace.stats.starttime) for inventory in (cut, whole)
        )
        assert found.response_stages and found == expected


def test_the_window_lies_inside(example):
    """Records of 60 s from 5 s before the origin time, with margins for the taper."""
    origin = read_event(example / "event.xml").preferred_origin().time
    stream = obspy.read(example / "waveforms" / "*.mseed", headonly=True)
    margins = [
        (origin - 5 - trace.stats.starttime, trace.stats.endtime - (origin + 55))
        for trace in stream
        if trace.stats.network != "CE"  # they stop before
    ]
    assert len(margins) == 27
    assert np.min(margins, axis=0) == pytest.approx((10.0, 5.0), abs=0.05)


def test_other_content_is_kept(example, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="already exists; give the example a new folder"):
        write_example("pleasant-hill", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(OutputError, match="no example 'atlantis'; use one of pleasant-hill, ker"):
        write_example("atlantis", tmp_path / "new")


def test_synthesized_channels_make_simulated_records(example, tmp_path):
    inventory = read_inventory(example / "stations.xml")
    for channel in inventory.select(station="CTA")[0][0]:
        channel.types = [*channel.types, SYNTHESIZED]
    files = [example / "waveforms" / f"NC.{code}.mseed" for code in ("CTA", "CRH")]
    metadata = import_records(example / "event.xml", inventory, files, tmp_path / "set")
    simulated = dict(zip(metadata["station_code"], metadata["trace_simulated"], strict=True))
    assert simulated == {"CTA": True, "CRH": False}


def test_an_archive_of_generate_is_simulated(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for line in (
        "generate -q --mag 4 --src 37.9,-122.1 --sta 37.8,-122.2 --no-plot --out gen",
        "dataset from-records --events gen/events.xml --inventory gen/stations.xml "
        "--waveforms gen/waveforms.mseed --out set",
        "dataset info set",
    ):
        result = CliRunner().invoke(main, line.split())
        assert result.exit_code == 0, result.output
    assert "1 simulated" in result.stdout
    line = "generate --event gen/events.xml --inventory gen/stations.xml --out beside -q"
    result = CliRunner().invoke(main, [*line.split(), "--observed", "gen/waveforms.mseed"])
    assert result.exit_code == 0, result.output
    assert "are simulated, not recorded" in result.stderr
