"""Downloads from several servers on loopback, with their faults; no other network is used."""

import json
import logging

import numpy as np
import obspy
import pytest
from click.testing import CliRunner
from fdsn_server import FDSNServer, recordings, two_earthquakes

from cgmgm_seis.datasets.download import data_centres as centres
from cgmgm_seis.datasets.download import mass_download as module
from cgmgm_seis.datasets.download.data_centres import data_centres
from cgmgm_seis.datasets.download.fdsn import PoliteClient
from cgmgm_seis.datasets.download.mass_download import mass_download
from cgmgm_seis.datasets.download.raw_archive import Request
from cgmgm_seis.errors import DatasetError, OutputError
from cgmgm_seis.scenario.obspy_files import read_inventory
from cgmgm_seis_cli.dataset import dataset as dataset_command

REQUEST = Request("2019-10-14", "2019-10-17", "-123,-121,37,39", 2.0)
# CTA is served by both.
STATIONS = (("CTA", "CRH"), ("CTA", "1691"))


@pytest.fixture(scope="module")
def catalog(pleasant_hill):
    """Two earthquakes, of which one has no waveforms."""
    return two_earthquakes(pleasant_hill)


@pytest.fixture
def servers(pleasant_hill, catalog):
    """Two servers, with two stations each."""
    servers = [
        FDSNServer(catalog, *recordings(pleasant_hill, catalog, codes)) for codes in STATIONS
    ]
    yield servers
    for server in servers:
        server.close()


@pytest.fixture
def clients(servers):
    return [
        PoliteClient(server.url, pause_s=0.0, tries=2, backoff_s=0.01, timeout_s=2.0)
        for server in servers
    ]


def waveforms(folder):
    return obspy.read(str(folder / "waveforms" / "*.mseed"))


def ids(folder):
    return {trace.id for trace in waveforms(folder)}


def stations(trace_ids):
    return {name.split(".")[1] for name in trace_ids}


def asked(server, service):
    return [what for name, what in server.asked if name == service]


def test_both_servers_give_what_they_have(servers, clients, tmp_path, capfd):
    assert mass_download(clients, REQUEST, tmp_path / "raw") == []
    assert stations(ids(tmp_path / "raw")) == {"CTA", "CRH", "1691"}
    assert len(ids(tmp_path / "raw")) == len(waveforms(tmp_path / "raw")) == 9
    inventory = read_inventory(tmp_path / "raw" / "stations.xml")
    for trace in waveforms(tmp_path / "raw"):
        assert inventory.get_response(trace.id, trace.stats.starttime) is not None
        assert trace.stats.npts > 7_500
    # What the first has the second is not asked for.
    first, second = asked(servers[1], "dataselect")
    assert "CTA" not in first and "CTA" in second
    assert not any("matchtimeseries" in what for what in asked(servers[0], "availability"))
    assert capfd.readouterr() == ("", "")
    assert not list((tmp_path / "raw").rglob(".*"))


def test_nothing_is_asked_twice(servers, clients, tmp_path):
    mass_download(clients, REQUEST, tmp_path / "raw")
    before = [len(server.asked) for server in servers]
    assert mass_download(clients, REQUEST, tmp_path / "raw") == []
    assert [len(server.asked) for server in servers] == before
    next((tmp_path / "raw" / "waveforms").glob("*.mseed")).unlink()
    assert mass_download(clients, REQUEST, tmp_path / "raw") == []
    assert len(ids(tmp_path / "raw")) == 9
    for server, number in zip(servers, before, strict=True):
        services = [service for service, _ in server.asked[number:]]
        assert services == ["station", "availability", "dataselect"]


@pytest.mark.parametrize("fault", [500, "slow", "truncated", "cut"])
@pytest.mark.parametrize("service", ["station", "availability", "responses", "dataselect"])
def test_passing_faults(servers, clients, tmp_path, service, fault, caplog):
    caplog.set_level("INFO", "cgmgm_seis")
    servers[1].faults = [(service, fault)]
    assert mass_download(clients, REQUEST, tmp_path / "raw") == []
    assert servers[1].faults == []
    assert caplog.text.count("is repeated in") == 1
    assert stations(ids(tmp_path / "raw")) == {"CTA", "CRH", "1691"}
    assert min(trace.stats.npts for trace in waveforms(tmp_path / "raw")) > 7_500


@pytest.mark.parametrize("service", ["availability", "responses", "dataselect"])
def test_lasting_faults_are_named_and_the_rest_is_kept(servers, clients, tmp_path, service, caplog):
    servers[1].faults = [(service, 500)] * 2
    (failed,) = mass_download(clients, REQUEST, tmp_path / "raw")
    assert failed.startswith(f"nc73291880: The request to {servers[1].url} failed: FDSNInternal")
    assert failed in caplog.text
    assert stations(ids(tmp_path / "raw")) == {"CTA", "CRH"}
    (unfinished,) = (tmp_path / "raw" / "waveforms").glob("*.failed")
    assert list(json.loads(unfinished.read_text())) == [servers[1].url]
    before = len(servers[0].asked)
    # Only the server that failed is asked again, for what is not there.
    assert mass_download(clients, REQUEST, tmp_path / "raw") == []
    assert len(servers[0].asked) == before
    assert "CTA" not in asked(servers[1], "dataselect")[-1]
    assert stations(ids(tmp_path / "raw")) == {"CTA", "CRH", "1691"}
    assert len(waveforms(tmp_path / "raw")) == 9
    assert not unfinished.exists()


def test_a_server_that_is_down_is_left_out(servers, clients, tmp_path, caplog):
    servers[0].faults = [("station", 503)] * 2
    failed = mass_download(clients, REQUEST, tmp_path / "raw")
    assert [text.split(":")[0] for text in failed] == ["nc73291880", "nc2"]
    assert caplog.text.count("It is not used in this run") == 1
    assert stations(ids(tmp_path / "raw")) == {"CTA", "1691"}
    assert mass_download(clients, REQUEST, tmp_path / "raw") == []
    assert stations(ids(tmp_path / "raw")) == {"CTA", "CRH", "1691"}
    assert len(waveforms(tmp_path / "raw")) == 9


def test_a_server_that_fails_event_after_event_is_left_alone(
    servers, clients, tmp_path, caplog, monkeypatch
):
    monkeypatch.setattr(centres, "LOST_AFTER", 1)
    servers[1].faults = [("dataselect", 500)] * 2
    failed = mass_download(clients, REQUEST, tmp_path / "raw")
    assert len(failed) == 2
    assert len(asked(servers[1], "dataselect")) == 2
    assert f"{servers[1].url} is not used again in this run" in caplog.text
    assert mass_download(clients, REQUEST, tmp_path / "raw") == []


def test_a_killed_download_goes_on(servers, clients, tmp_path, monkeypatch):
    """Halves of files that a kill leaves are not taken for whole ones."""
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "_add_channels", interrupt)
        mass_download(clients, REQUEST, tmp_path / "raw")
    parts = list((tmp_path / "raw" / "waveforms").glob(".*.parts/*.mseed"))
    assert len(parts) == 9 and not list((tmp_path / "raw" / "waveforms").glob("*.mseed"))
    for path in parts:
        path.write_bytes(path.read_bytes()[:1024])
    assert mass_download(clients, REQUEST, tmp_path / "raw") == []
    assert len(ids(tmp_path / "raw")) == 9
    assert min(trace.stats.npts for trace in waveforms(tmp_path / "raw")) > 7_500
    assert not list((tmp_path / "raw").rglob(".*"))


def interrupt(*_):
    raise KeyboardInterrupt


def test_what_mass_downloader_does_not_expect(servers, clients, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise NotImplementedError("Please contact the developers")

    with monkeypatch.context() as patch:
        patch.setattr(module.MassDownloader, "download", stop)
        with pytest.raises(DatasetError, match="no waveforms of"):
            mass_download(clients, REQUEST, tmp_path / "raw")
    names = [path.name for path in (tmp_path / "raw" / "waveforms").iterdir()]
    assert len(names) == 2 and all(name.endswith(".failed") for name in names)
    assert mass_download(clients, REQUEST, tmp_path / "raw") == []


def test_nobody_has_waveforms(clients, tmp_path):
    elsewhere = Request("2019-10-14", "2019-10-17", "-123,-121,37,39", 2.0, channels="HH?")
    for _ in range(2):
        with pytest.raises(DatasetError, match=r"2 server\(s\) have no waveforms of HH\?"):
            mass_download(clients, elsewhere, tmp_path / "raw")


def test_other_servers_need_another_folder(clients, tmp_path):
    mass_download(clients, REQUEST, tmp_path / "raw")
    with pytest.raises(OutputError, match="contains a download with client = "):
        mass_download(clients[::-1], REQUEST, tmp_path / "raw")


def test_responses_are_asked_for_once(servers, clients, catalog, tmp_path):
    """Two events of the same stations, a minute apart."""
    two = obspy.Catalog([catalog[0].copy(), catalog[1].copy()])
    two[1].preferred_origin().time = two[0].preferred_origin().time + 60
    assert mass_download(clients, REQUEST, tmp_path / "raw", two) == []
    assert len(list((tmp_path / "raw" / "waveforms").glob("*.mseed"))) == 2
    assert len(waveforms(tmp_path / "raw")) == 18
    assert [len(asked(server, "responses")) for server in servers] == [2, 1]
    assert not asked(servers[0], "event")


def test_too_large_is_asked_for_in_parts(servers, clients, tmp_path):
    """Too many stations around the region are stations, too."""
    servers[0].limit = 4
    servers[1].faults = [("station", 413)]
    assert mass_download(clients, REQUEST, tmp_path / "raw") == []
    assert len(ids(tmp_path / "raw")) == 9


def test_requests_keep_their_distance(servers, tmp_path):
    slow = [PoliteClient(server.url, pause_s=0.2, tries=1) for server in servers]
    assert mass_download(slow, REQUEST, tmp_path / "raw") == []
    for server in servers:
        assert len(server.times) > 4 and min(np.diff(server.times)) > 0.19


def test_the_first_description_of_a_channel_is_kept(pleasant_hill, tmp_path):
    path = pleasant_hill / "raw" / "NC.CTA.xml"
    inventory = obspy.Inventory()
    assert module._add_channels(inventory, path)
    number = len(inventory.get_contents()["channels"])
    other = obspy.read_inventory(path)
    for channel in other[0][0]:
        channel.start_date += 86400  # another server's idea of it
    other[0][0][0].code = "HNX"
    other.write(str(tmp_path / "other.xml"), "STATIONXML")
    assert module._add_channels(inventory, tmp_path / "other.xml")
    assert len(inventory.get_contents()["channels"]) == number + 1
    assert not module._add_channels(inventory, path)
    inventory.write(str(tmp_path / "all.xml"), "STATIONXML")
    assert read_inventory(tmp_path / "all.xml")


def test_data_centres():
    names = data_centres()
    assert names[-1] == "EARTHSCOPE" and {"NCEDC", "SCEDC", "GEOFON"} < set(names)
    assert not {"USGS", "ISC", "IRIS", "GFZ", "RASPISHAKE"} & set(names)


def arguments(servers, out, *more):
    given = ["download", "--start", "2019-10-14", "--end", "2019-10-17", "--min-mag", "2"]
    given += ["--region", "-123,-121,37,39", "--pause", "0", "--tries", "1", "--out", str(out)]
    for server in servers:
        given += ["--client", server if isinstance(server, str) else server.url]
    return [*given, *more]


def test_command_line(servers, tmp_path):
    servers[1].faults = [("dataselect", 500)]
    result = CliRunner().invoke(dataset_command, arguments(servers, tmp_path / "set"))
    assert result.exit_code == 0, result.output
    assert "2 records of 1 earthquakes" in result.stdout
    assert "1 event(s) failed; the same command with --overwrite tries them again" in result.stdout
    assert f"Event nc73291880: The request to {servers[1].url} failed" in result.stderr
    assert "availability" not in result.stderr
    again = arguments(servers, tmp_path / "set", "--overwrite", "-v")
    result = CliRunner().invoke(dataset_command, again)
    assert "3 records of 1 earthquakes" in result.stdout and "failed" not in result.stdout
    assert "Successfully requested availability" in result.stderr
    handlers = logging.getLogger("obspy.clients.fdsn.mass_downloader").handlers
    assert handlers == []


def test_all_data_centres_on_the_command_line(servers, tmp_path, pleasant_hill, monkeypatch):
    monkeypatch.setattr(centres, "data_centres", lambda: [server.url for server in servers])
    command = arguments(["all"], tmp_path / "set")
    result = CliRunner().invoke(dataset_command, command)
    assert result.exit_code == 2 and "--client all needs --events" in result.output
    command += ["--events", str(pleasant_hill / "event.xml"), "-q"]
    result = CliRunner().invoke(dataset_command, command)
    assert result.exit_code == 0, result.output
    assert "3 records of 1 earthquakes" in result.stdout and result.stderr == ""
    assert not asked(servers[0], "event")
