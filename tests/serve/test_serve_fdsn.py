"""FDSN's services of generated folders, as ObsPy's client reads them."""

import numpy as np
import pytest
import requests
from obspy import UTCDateTime
from obspy.clients.fdsn import Client
from obspy.clients.fdsn.header import FDSNBadRequestException, FDSNNoDataException

from cgmgm_seis import from_points
from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.output.outputs import write_outputs
from cgmgm_seis.scenario.streams import to_stream
from cgmgm_seis.scenario.window import Window

pytest.importorskip("starlette", reason="the extra serve is not installed")
pytest.importorskip("uvicorn", reason="the extra serve is not installed")

from cgmgm_seis.serve.application import application
from cgmgm_seis.serve.archive import read_folders
from cgmgm_seis.serve.limits import Limits
from cgmgm_seis.serve.server import serving

TIME = UTCDateTime(2020, 1, 1)
POINTS = [(37.8, -122.2), (37.7, -122.1)]


def write_folder(folder, name="one", time=TIME, magnitude=4.0, **options):
    """Write a folder as ``generate`` does, with noise in place of generated records."""
    scenario = from_points(
        magnitude, (37.9, -122.1), POINTS, depth_km=9.0, origin_time=time, source_id=name
    )
    random = np.random.default_rng(len(name)).standard_normal((2, 2, 3, 2000))
    stream = to_stream(1e-4 * random.astype(np.float32), scenario, Window("ZNE", 100.0, -5.0, 2000))
    made_by = {
        "model": {"class": "Model", "weights": "none", "weights_version": "1"},
        "sampling": {"seed": 0},
        "trained_on": "nothing",
        "scenario": scenario.to_dict(orient="records"),
    }
    onsets = (np.full(2, 3.0), np.full(2, 5.0))
    write_outputs(folder, stream, scenario, made_by, arrivals=onsets, **options)
    return stream


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    top = tmp_path_factory.mktemp("served")
    streams = [
        write_folder(top / "a"),
        write_folder(top / "b", "three", TIME + 86400, 5.0, format="sac"),
    ]
    return top, streams


@pytest.fixture(scope="module")
def url(folders):
    top, _ = folders
    archive = read_folders([top / "a", top / "b"])
    limits = Limits(samples=30_000)
    with serving(application({}, limits=limits, archive=archive)) as address:
        yield address


@pytest.fixture(scope="module")
def client(url):
    return Client(url)


def test_the_client_finds_the_services(client):
    assert {"event", "station", "dataselect"} <= set(client.services)
    assert list(client.get_webservice_version("station")) == [1, 1, 0]
    assert "minmagnitude" in client.services["event"]


def test_events(client, url):
    catalog = client.get_events()
    assert [event.preferred_magnitude().mag for event in catalog] == [5.0, 4.0]
    assert len(client.get_events(minmagnitude=4.5)) == 1
    assert len(client.get_events(starttime=TIME, endtime=TIME + 60)) == 1
    assert len(client.get_events(latitude=37.9, longitude=-122.1, maxradius=0.1)) == 2
    assert len(client.get_events(mindepth=8, maxdepth=10, limit=1)) == 1
    assert client.get_events(eventid="one")[0].preferred_magnitude().mag == 4.0
    first = client.get_events(orderby="time-asc")[0]
    assert first.preferred_origin().time == TIME
    with pytest.raises(FDSNNoDataException):
        client.get_events(minlatitude=38.5)
    text = requests.get(f"{url}/fdsnws/event/1/query", params={"format": "text"}, timeout=60).text
    header, *lines = text.splitlines()
    assert header.startswith("#EventID|Time|Latitude")
    assert lines[1] == "one|2020-01-01T00:00:00.000000|37.9|-122.1|9|cgmgm-seis||||Mw|4|cgmgm-seis|"


def test_stations(client, url):
    inventory = client.get_stations(level="response", starttime=TIME, endtime=TIME + 60)
    channels = inventory.get_contents()["channels"]
    assert len(channels) == 12
    assert "SY.V0001.01.HXE" in channels
    sensitivity = inventory.networks[0][0][0].response.instrument_sensitivity
    assert (sensitivity.value, sensitivity.input_units) == (1.0, "m/s")
    stations = client.get_stations(network="SY", station="V0001", level="station")
    assert {station.code for network in stations for station in network} == {"V0001"}
    assert not stations.get_contents()["channels"]
    box = client.get_stations(maxlatitude=37.75, channel="HXZ,HXN", location="00", level="channel")
    assert set(box.get_contents()["channels"]) == {"SY.V0001.00.HXZ", "SY.V0001.00.HXN"}
    text = requests.get(
        f"{url}/fdsnws/station/1/query", params={"format": "text", "level": "channel"}, timeout=60
    ).text
    assert len(text.splitlines()) == 25
    bulk = [("SY", "V0000", "00", "HXZ", TIME, TIME + 10)]
    assert len(client.get_stations_bulk(bulk, level="channel").get_contents()["channels"]) == 1


def test_waveforms(client, folders):
    _, (first, second) = folders
    stream = client.get_waveforms("SY", "V0000", "00", "HX?", TIME, TIME + 10)
    assert [trace.stats.npts for trace in stream] == [1001] * 3
    for trace in stream:
        expected = first.select(id=trace.id)[0].slice(TIME, TIME + 10)
        np.testing.assert_array_equal(trace.data, expected.data)
    # SAC is in nm/s, and the response says so.
    day = TIME + 86400
    (trace,) = client.get_waveforms("SY", "V0001", "01", "HXZ", day, day + 10)
    inventory = client.get_stations(level="response", starttime=day)
    gain = inventory.get_response(trace.id, day).instrument_sensitivity.value
    expected = second.select(id=trace.id)[0].slice(day, day + 10)
    assert gain == 1e9
    np.testing.assert_allclose(trace.data / gain, expected.data, rtol=1e-5)
    with pytest.raises(FDSNNoDataException):
        client.get_waveforms("SY", "V0000", "00", "HXZ", TIME + 3600, TIME + 3700)


def test_lines_that_overlap_give_every_sample_once(client, folders):
    _, (first, _) = folders
    bulk = [
        ("SY", "V0000", "00", "HXZ", TIME, TIME + 6),
        ("SY", "V00*", "00", "HXZ", TIME + 4, TIME + 10),
        ("SY", "V0000", "00", "HXZ", TIME + 1, TIME + 2),
    ]
    stream = client.get_waveforms_bulk(bulk)
    trace = stream.select(station="V0000").merge(method=-1)
    assert [part.stats.npts for part in trace] == [1001]
    expected = first.select(id="SY.V0000.00.HXZ")[0].slice(TIME, TIME + 10)
    np.testing.assert_array_equal(trace[0].data, expected.data)
    assert sum(part.stats.npts for part in stream.select(station="V0001")) == 601


@pytest.mark.parametrize(
    ("service", "query", "status", "sentence"),
    [
        ("event", {"minmagnitude": "big"}, 400, "minmagnitude = 'big' must be a finite number"),
        ("event", {"orderby": "size"}, 400, "orderby = 'size' must be one of time"),
        ("event", {"maxradius": 1}, 400, "needs latitude and longitude"),
        ("event", {"limit": 0}, 400, "limit = '0' must be an integer from 1"),
        ("event", {"format": "json"}, 400, "must be one of xml, text"),
        ("station", {"level": "sensor"}, 400, "level = 'sensor' must be one of"),
        ("station", {"level": "response", "format": "text"}, 400, "level = 'response' must be"),
        ("station", {"net": "SY", "network": "SY"}, 400, "'network' is given twice"),
        ("station", {"updatedafter": "2020-01-01"}, 400, "'updatedafter' is not known"),
        ("dataselect", {"start": "now-ish"}, 400, "starttime = 'now-ish' must be a time"),
        ("dataselect", {"start": "2021-01-01", "end": "2020-01-01"}, 400, "must be before"),
        ("dataselect", {"format": "sac"}, 400, "format = 'sac' must be one of miniseed"),
        ("dataselect", {}, 413, "48000 samples; this server allows at most 30000"),
        ("dataselect", {"net": "XX", "nodata": "404"}, 404, "Nothing matches"),
    ],
)
def test_wrong_requests_get_a_sentence(url, service, query, status, sentence):
    answer = requests.get(f"{url}/fdsnws/{service}/1/query", params=query, timeout=60)
    assert answer.status_code == status
    assert sentence in answer.text
    assert answer.text.strip().count("\n") == 0


def test_wrong_bodies_get_a_sentence(url, client):
    for body, sentence in (
        ("", "no line with channels"),
        ("SY V0000 00 HXZ 2020-01-01", "must be network, station, location"),
        ("SY V0000 00 HXZ x *", "must be a time"),
    ):
        answer = requests.post(f"{url}/fdsnws/dataselect/1/query", data=body, timeout=60)
        assert (answer.status_code, sentence in answer.text) == (400, True), answer.text
    with pytest.raises(FDSNBadRequestException, match="level = '5' must be"):
        client.get_stations(level="5")


def test_folders_that_cannot_be_served(tmp_path, folders, caplog):
    top, _ = folders
    with pytest.raises(CgmgmError, match=r"has no stations\.xml"):
        read_folders([tmp_path])
    write_folder(tmp_path / "other", magnitude=4.5)
    with pytest.raises(CgmgmError, match="different events called"):
        read_folders([top / "a", tmp_path / "other"])
    write_folder(tmp_path / "same", "two")
    with pytest.raises(CgmgmError, match=r"Two folders have SY\.V0000\.00\.HXE at"):
        read_folders([top / "a", tmp_path / "same"])
    write_folder(tmp_path / "set", "four", TIME + 9000, format="seisbench")
    archive = read_folders([tmp_path / "set"])
    assert (len(archive.catalog), len(archive.stream)) == (1, 0)
    assert "without waveforms" in caplog.text
