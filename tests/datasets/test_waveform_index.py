"""Recordings found by station and time: in files, in folders and in SDS archives."""

import numpy as np
import obspy
import pandas as pd
import pytest
from click.testing import CliRunner
from obspy import UTCDateTime
from obspy.clients.filesystem.sds import SDS_FMTSTR
from seisbench.data import WaveformDataset

from cgmgm_seis.datasets.waveform_index import WaveformIndex, is_sds
from cgmgm_seis.errors import DatasetError
from cgmgm_seis.scenario.obspy_files import read_catalog
from cgmgm_seis_cli.dataset import dataset as dataset_command

MIDNIGHT = UTCDateTime("2019-10-16")
# Of a record that begins before midnight, in the file of the day before.
BEYOND_S = 3.0


def lay_out_sds(stream, root):
    """Write an SDS archive with the layout of ObsPy's client; days end late, with a record."""
    for trace in stream:
        stats, start = trace.stats, trace.stats.starttime
        while start <= stats.endtime:
            end = UTCDateTime(start.date) + 86400 + BEYOND_S
            day = trace.slice(start, end, nearest_sample=False)
            path = root / SDS_FMTSTR.format(
                year=start.year, doy=start.julday, sds_type="D", **stats
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            day.write(str(path), "MSEED")
            start = day.stats.endtime + stats.delta
    return root


@pytest.fixture(scope="module")
def stream(pleasant_hill):
    """The accelerometers of the seven stations that recorded long enough."""
    return obspy.read(str(pleasant_hill / "raw" / "N*.HN*"))


@pytest.fixture
def origin(pleasant_hill):
    return read_catalog(pleasant_hill / "event.xml")[0].preferred_origin().time


def from_records(pleasant_hill, waveforms, out, events=None):
    """Return metadata and waveforms of the data set that the command makes."""
    arguments = ["from-records", "-q", "--events", str(events or pleasant_hill / "event.xml")]
    arguments += ["--inventory", str(pleasant_hill / "raw" / "*.xml")]
    arguments += ["--waveforms", str(waveforms), "--out", str(out)]
    result = CliRunner().invoke(dataset_command, arguments)
    assert result.exit_code == 0, result.output or result.exception
    dataset = WaveformDataset(out, component_order="ZNE")
    return dataset.metadata, np.stack(dataset.get_waveforms())


def test_sds_archives_give_the_records_of_the_files(pleasant_hill, stream, tmp_path):
    root = lay_out_sds(stream, tmp_path / "SDS")
    assert (root / "2019/NC/CTA/HNZ.D/NC.CTA..HNZ.D.2019.288").is_file()
    metadata, records = from_records(
        pleasant_hill, pleasant_hill / "raw" / "N*.HN*", tmp_path / "files"
    )
    assert len(metadata) == 7
    for number, waveforms in enumerate((root, root / "**" / "*.D.*")):
        sds = from_records(pleasant_hill, waveforms, tmp_path / f"sds{number}")
        pd.testing.assert_frame_equal(sds[0], metadata)
        np.testing.assert_array_equal(sds[1], records)


def test_day_files_are_joined_at_midnight(pleasant_hill, stream, origin, tmp_path):
    """The earthquake happens 20 s before; the record that lasts into the next day is found."""
    later = MIDNIGHT - 20.0 - origin
    catalog, moved = read_catalog(pleasant_hill / "event.xml"), stream.copy()
    catalog[0].preferred_origin().time += later
    catalog.write(str(tmp_path / "event.xml"), "QUAKEML")
    for trace in moved:
        trace.stats.starttime += later
    root = lay_out_sds(moved, tmp_path / "SDS")
    assert len(list(root.glob("2019/NC/CTA/HNZ.D/*"))) == 2
    (tmp_path / "files").mkdir()
    for trace in moved:
        trace.write(str(tmp_path / "files" / f"{trace.id}.mseed"), "MSEED")
    files = from_records(
        pleasant_hill, tmp_path / "files", tmp_path / "plain", tmp_path / "event.xml"
    )
    sds = from_records(pleasant_hill, root, tmp_path / "sds", tmp_path / "event.xml")
    assert len(sds[0]) == 7 and not sds[0]["trace_has_gaps"].any()
    pd.testing.assert_frame_equal(sds[0], files[0])
    np.testing.assert_array_equal(sds[1], files[1])
    (found,) = WaveformIndex(root).read("NC.CTA", MIDNIGHT + 1, MIDNIGHT + 9).values()
    assert len(found.merge()) == 3
    assert all(trace.stats.npts == 801 and not np.ma.is_masked(trace.data) for trace in found)


def test_other_days_and_stations_are_not_opened(stream, origin, tmp_path):
    root = lay_out_sds(stream.select(station="CTA"), tmp_path / "SDS")
    damaged = root / "2019/NC/CTA/HNZ.D/NC.CTA..HNZ.D.2019.200"
    damaged.write_bytes(b"no waveform at all")
    index = WaveformIndex([root])
    assert index.stations == ["NC.CTA"]
    (found,) = index.read("NC.CTA", origin, origin + 5).values()
    assert len(found) == 3 and index.unreadable == {}
    assert index.read("NC.CRH", origin, origin + 5) == {}
    assert index.read("NC.CTA", UTCDateTime("2019-07-19"), UTCDateTime("2019-07-19T01")) == {}
    assert list(index.unreadable) == [str(damaged)]


def test_files_are_read_only_where_asked_for(stream, origin, tmp_path):
    """A folder that is no SDS archive stands for all files in it."""
    (tmp_path / "raw [1]" / "2019").mkdir(parents=True)
    for trace in stream.select(station="CTA"):
        trace.write(str(tmp_path / "raw [1]" / "2019" / f"{trace.id}.mseed"), "MSEED")
    assert not is_sds(tmp_path / "raw [1]")
    index = WaveformIndex(tmp_path / "raw [1]")
    (found,) = index.read("NC.CTA", origin, origin + 5).values()
    assert len(found) == 3 and max(trace.stats.npts for trace in found) <= 502
    assert index.read("NC.CTA", origin + 86400, origin + 86405) == {}
    assert index.read("NC.NONE", origin, origin + 5) == {}
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="No file matches"):
        WaveformIndex(tmp_path / "empty")
