"""Downloads from a small server on loopback, with its faults; no other network is used."""

import os

import numpy as np
import obspy
import pytest
from click.testing import CliRunner
from fdsn_server import FDSNServer, recordings, two_earthquakes

from cgmgm_seis.datasets.archive import import_records
from cgmgm_seis.datasets.download.fdsn import PoliteClient, _around, download
from cgmgm_seis.datasets.download.mass_download import mass_download
from cgmgm_seis.datasets.download.raw_archive import RawArchive, Request
from cgmgm_seis.errors import DatasetError, OutputError
from cgmgm_seis.scenario.geography import Region
from cgmgm_seis.scenario.obspy_files import read_catalog, read_inventory
from cgmgm_seis.storage.run_lock import run_lock
from cgmgm_seis_cli.dataset import dataset as dataset_command

STATIONS = ("CTA", "CRH", "1691")
REQUEST = Request("2019-10-14", "2019-10-17", "-123,-121,37,39", 2.0)


@pytest.fixture(scope="module")
def archive(pleasant_hill):
    """Two earthquakes, of which one has no waveforms, and three stations."""
    catalog = two_earthquakes(pleasant_hill)
    return catalog, *recordings(pleasant_hill, catalog, STATIONS)


@pytest.mark.parametrize("many", [False, True])
def test_one_process_downloads_to_a_folder(many, tmp_path):
    client, folder = PoliteClient("http://127.0.0.1:65530"), tmp_path / "raw"
    with run_lock(folder), pytest.raises(OutputError, match="raw is being written by process"):
        if many:
            mass_download([client], REQUEST, folder)
        else:
            download(client, REQUEST, folder)
    assert not folder.exists()


def test_files_are_named_after_readable_ids(archive, tmp_path):
    raw = RawArchive(tmp_path / "raw", "NCEDC", REQUEST)
    first, second = (event.copy() for event in archive[0])
    first.resource_id = "quakeml:usgs.gov/query?eventid=nc73291880&format=quakeml"
    second.resource_id = "smi:nc.org/Event/1"
    third = second.copy()
    third.resource_id, third.preferred_origin().time = "smi:uw.org/Event/1", "2019-10-16T12:00:00"
    raw.write_events(obspy.Catalog([first, first, second, third]))
    expected = ["nc73291880", "nc.org_Event_1", "uw.org_Event_1"]
    assert [path.stem for _, path in raw.sources()] == expected


@pytest.fixture
def server(archive):
    server = FDSNServer(*archive)
    yield server
    server.close()


@pytest.fixture
def client(server):
    return PoliteClient(server.url, pause_s=0.0, tries=3, backoff_s=0.01, timeout_s=2.0)


def test_archive_and_data_set(server, client, archive, pleasant_hill, tmp_path):
    """The data set is that of the same records on disk."""
    assert download(client, REQUEST, tmp_path / "raw") == []
    services = [service for service, _ in server.asked]
    assert services.count("dataselect") == 2
    metadata = import_records(
        tmp_path / "raw" / "events.xml",
        tmp_path / "raw" / "stations.xml",
        tmp_path / "raw" / "waveforms" / "*.mseed",
        tmp_path / "set",
    )
    local = import_records(
        pleasant_hill / "event.xml",
        archive[1],
        [pleasant_hill / "raw" / f"*.{code}.*HN*.mseed" for code in STATIONS],
        tmp_path / "local",
    )
    assert sorted(metadata["station_code"]) == sorted(STATIONS)
    # The download holds a minute around the window, the files hold seven: tapers differ.
    for code in STATIONS:
        peaks = [
            float(table.loc[table["station_code"] == code, "trace_pgv_mps"].iloc[0])
            for table in (metadata, local)
        ]
        assert peaks[0] == pytest.approx(peaks[1], rel=1e-3)


def test_nothing_is_asked_twice(server, client, tmp_path):
    download(client, REQUEST, tmp_path / "raw")
    before = len(server.asked)
    assert download(client, REQUEST, tmp_path / "raw") == []
    assert len(server.asked) == before
    (next((tmp_path / "raw" / "waveforms").glob("*.mseed"))).unlink()
    download(client, REQUEST, tmp_path / "raw")
    assert [service for service, _ in server.asked[before:]] == ["dataselect"]


@pytest.mark.parametrize("fault", [500, 503, 429, "slow", "truncated", "cut"])
@pytest.mark.parametrize("service", ["event", "station", "dataselect"])
def test_passing_faults(server, client, tmp_path, service, fault, caplog):
    caplog.set_level("INFO", "cgmgm_seis")
    server.faults = [(service, fault)] * (1 if fault == "slow" else 2)
    expected = len(server.faults)
    assert download(client, REQUEST, tmp_path / "raw") == []
    assert server.faults == []
    assert len(read_catalog(tmp_path / "raw" / "events.xml")) == 2
    assert caplog.text.count("is repeated in") == expected
    for path in (tmp_path / "raw" / "waveforms").glob("*.mseed"):
        assert sum(trace.stats.npts for trace in obspy.read(path)) > 90_000


def test_the_same_events_are_the_same_file(pleasant_hill, tmp_path):
    files = []
    for folder in (tmp_path / "first", tmp_path / "second"):
        RawArchive(folder, "none", REQUEST).write_events(read_catalog(pleasant_hill / "event.xml"))
        files.append((folder / "events.xml").read_bytes())
    assert files[0] == files[1]


def test_what_a_killed_download_left_is_deleted(client, tmp_path):
    raw = tmp_path / "raw"
    RawArchive(raw, client.name, REQUEST)
    (raw / "waveforms").mkdir()
    for folder in (raw, raw / "waveforms"):
        (folder / ".part-0").write_bytes(b"half")
        os.utime(folder / ".part-0", (0, 0))
    RawArchive(raw, client.name, REQUEST)
    assert not list(raw.rglob(".part-*"))


def test_too_large_is_asked_for_in_parts(server, client, tmp_path):
    server.limit = 2
    assert download(client, REQUEST, tmp_path / "raw") == []
    stream = obspy.read(tmp_path / "raw" / "waveforms" / "*.mseed")
    assert len({trace.id for trace in stream}) == 9
    assert len(read_catalog(tmp_path / "raw" / "events.xml")) == 2
    assert len(read_inventory(tmp_path / "raw" / "stations.xml").get_contents()["stations"]) >= 3


def test_too_many_stations(server, client, tmp_path):
    server.faults = [("station", 413)]
    with pytest.raises(DatasetError, match="use a smaller region"):
        download(client, REQUEST, tmp_path / "raw")


def test_lasting_faults_stop_one_event_and_pass_later(server, client, tmp_path, caplog):
    server.faults = [("dataselect", 500)] * 3
    failed = download(client, REQUEST, tmp_path / "raw")
    assert len(failed) == 1 and "The request to " in failed[0]
    assert "FDSNInternalServerException" in caplog.text
    assert download(client, REQUEST, tmp_path / "raw") == []
    assert len(list((tmp_path / "raw" / "waveforms").glob("*.mseed"))) == 1


@pytest.mark.parametrize("service", ["event", "station"])
def test_lasting_faults_leave_nothing_half_written(server, client, tmp_path, service):
    server.faults = [(service, 500)] * 3
    with pytest.raises(DatasetError, match="failed: FDSNInternalServerException"):
        download(client, REQUEST, tmp_path / "raw")
    names = {"event": "events.xml", "station": "stations.xml"}
    assert not (tmp_path / "raw" / names[service]).exists()
    assert download(client, REQUEST, tmp_path / "raw") == []


def test_refused_requests_are_not_repeated(server, client, tmp_path):
    server.faults = [("event", 400)]
    with pytest.raises(DatasetError, match="FDSNBadRequestException"):
        download(client, REQUEST, tmp_path / "raw")
    assert len(server.asked) == 1


def test_no_events_and_no_stations(client, tmp_path):
    nothing = Request("2019-10-14", "2019-10-17", "-123,-121,37,39", 9.0)
    with pytest.raises(DatasetError, match="has no events of M 9 or more"):
        download(client, nothing, tmp_path / "one")
    far = Request("2019-10-14", "2019-10-17", "-123,-121,37,39", 2.0, channels="HH?")
    assert download(client, far, tmp_path / "two") == []


def test_another_request_needs_another_folder(client, tmp_path):
    download(client, REQUEST, tmp_path / "raw")
    other = Request("2019-10-14", "2019-10-17", "-123,-121,37,39", 3.0)
    with pytest.raises(OutputError, match=r"min_magnitude = 2\.0, not 3\.0"):
        download(client, other, tmp_path / "raw")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("")
    with pytest.raises(OutputError, match="is not a download"):
        download(client, REQUEST, tmp_path / "mine")


def test_another_catalogue_needs_another_folder(client, tmp_path):
    """The catalogue of before may be given again; others would be passed over without a word."""
    download(client, REQUEST, tmp_path)
    kept = obspy.read_events(tmp_path / "events.xml")
    assert download(client, REQUEST, tmp_path, events=kept) == []
    with pytest.raises(OutputError, match=r"download of 2 event\(s\) without quakeml"):
        download(client, REQUEST, tmp_path, events=obspy.read_events())


def test_requests_keep_their_distance(server, tmp_path):
    slow = PoliteClient(server.url, pause_s=0.2, tries=1)
    download(slow, REQUEST, tmp_path / "raw")
    assert min(np.diff(server.times)) > 0.19


def test_requests_that_make_no_sense():
    with pytest.raises(DatasetError, match="must be after"):
        Request("2020-01-01", "2019-01-01", "0,1,0,1")
    with pytest.raises(DatasetError, match="must be times"):
        Request("yesterday", "today", "0,1,0,1")
    with pytest.raises(DatasetError, match="FDSN server NOWHERE is not known"):
        PoliteClient("NOWHERE")
    lonely = PoliteClient("http://127.0.0.1:9999", pause_s=0.0, tries=2, backoff_s=0.01)
    with pytest.raises(DatasetError, match=r"The request to .* failed"):
        lonely.events(REQUEST)


def test_margins_around_regions():
    fiji = _around(Region(177.0, -178.0, -20.0, -15.0), 111.19)
    assert fiji.west < 176.0 and -177.0 < fiji.east < -176.8
    assert (fiji.south, fiji.north) == (-21.0, -14.0)
    assert _around(Region(-1.0, 1.0, 88.0, 90.0), 500.0).boxes()[0][:2] == (-180.0, 180.0)


def test_command_line(server, tmp_path):
    arguments = ["download", "--client", server.url, "--start", "2019-10-14", "--end", "2019-10-17"]
    arguments += ["--region", "-123,-121,37,39", "--min-mag", "2", "--pause", "0", "--tries", "1"]
    arguments += ["--out", str(tmp_path / "set")]
    result = CliRunner().invoke(dataset_command, arguments)
    assert result.exit_code == 0, result.output
    assert "3 records of 1 earthquakes" in result.stdout
    assert (tmp_path / "set-archive" / "request.json").is_file()
    result = CliRunner().invoke(dataset_command, arguments)
    assert "already exists" in str(result.exception)
