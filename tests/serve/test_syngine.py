"""Syngine's interface: ObsPy's client gets records, and wrong requests get a sentence."""

import io
import zipfile

import numpy as np
import obspy
import pytest
import requests
from obspy import UTCDateTime
from obspy.clients.base import ClientHTTPException
from obspy.clients.syngine import Client

from cgmgm_seis import from_points, load_model
from cgmgm_seis.output.quantities import converted
from cgmgm_seis.serve.limits import Limits

pytest.importorskip("starlette", reason="the extra serve is not installed")
pytest.importorskip("uvicorn", reason="the extra serve is not installed")

from cgmgm_seis.serve.application import application
from cgmgm_seis.serve.moment import moment_magnitude, scalar_moment
from cgmgm_seis.serve.server import serving

NAME = "bay_area_evolutionary"
SOURCE = {
    "sourcelatitude": 37.938,
    "sourcelongitude": -122.057,
    "sourcedepthinmeters": 9000.0,
}
RECEIVER = {"receiverlatitude": 37.876, "receiverlongitude": -122.236}
# Mw 4 by Hanks & Kanamori (1979): log10(M0 in dyne cm) = 1.5 x (4 + 10.7).
MOMENT = 10.0 ** (1.5 * (4.0 + 10.7) - 7.0)
STRIKE_SLIP = [0.0, MOMENT, -MOMENT, 0.0, 0.0, 0.0]


@pytest.fixture(scope="module")
def model():
    return load_model(NAME)


@pytest.fixture(scope="module")
def address(model):
    limits = Limits(stations=70, body_bytes=10_000)
    with serving(application({NAME: model}, limits=limits)) as url:
        yield f"{url}/irisws/syngine/1"


@pytest.fixture(scope="module")
def client(address):
    return Client(base_url=address)


@pytest.fixture(scope="module")
def velocity(model):
    """What the model generates of the same scenario."""
    scenario = from_points(4.0, (37.938, -122.057), [(37.876, -122.236)], depth_km=9.0)
    return model.generate(scenario)


def get(address, **given):
    query = {"model": NAME, "magnitude": 4, **SOURCE, **RECEIVER, **given}
    query = {name: value for name, value in query.items() if value is not None}
    return requests.get(f"{address}/query", params=query, timeout=60)


def refused(address, status=400, **given):
    answer = get(address, **given)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.strip().count("\n") == 0
    assert answer.text.strip().endswith(".")
    return answer.text


def test_moment_magnitudes():
    # Hanks & Kanamori (1979): Mw 5 is 3.5e23 dyne cm.
    assert moment_magnitude(3.548e16) == pytest.approx(5.0, abs=1e-4)
    # The double couple of a vertical strike-slip fault, and one turned by 45 degrees.
    assert scalar_moment([0, 0, 0, 0, 0, 2e15]) == pytest.approx(2e15)
    assert scalar_moment([0, 2e15, -2e15, 0, 0, 0]) == pytest.approx(2e15)


def test_the_client_gets_the_records_of_the_model(client, velocity):
    stream = client.get_waveforms(
        NAME.upper(), **SOURCE, **RECEIVER, sourcemomenttensor=STRIKE_SLIP, units="velocity"
    )
    assert [trace.id for trace in stream] == [f"XX.S0001.SE.HX{c}" for c in "ZNE"]
    assert stream[0].stats.starttime == UTCDateTime(1900, 1, 1) - 5
    # The moment is sent with six digits, so that the magnitude, a key of the draws, differs.
    rms = [np.log(np.std(trace.data)) for trace in stream]
    assert rms == pytest.approx([np.log(np.std(trace.data)) for trace in velocity], abs=1.5)


def test_magnitude_seed_and_units(address, velocity, model):
    answer = get(address, units="velocity")
    stream = obspy.read(io.BytesIO(answer.content))
    for trace, expected in zip(stream, velocity, strict=True):
        np.testing.assert_allclose(trace.data, expected.data, rtol=1e-4, atol=1e-9)
    assert "Mw 4 as given" in answer.headers["X-Cgmgm-Seis"]
    assert get(address, units="velocity").content == answer.content
    assert get(address, units="velocity", seed=1).content != answer.content
    scaled = obspy.read(io.BytesIO(get(address, units="acceleration", scale=100).content))
    assert scaled[0].stats.channel == "HNZ"
    expected = 100 * converted(velocity, "acceleration")[0].data
    np.testing.assert_allclose(scaled[0].data, expected, atol=1e-4 * np.abs(expected).max())
    answer = get(address)
    assert "displacement high-passed at 0.1 Hz" in answer.headers["X-Cgmgm-Seis"]


def test_a_moment_says_its_magnitude_and_that_the_mechanism_is_not_used(address):
    couple = f"10,80,170,{MOMENT:g}"
    answer = get(address, magnitude=None, sourcedoublecouple=couple)
    assert "Mw 4.000 of M0 1.122e+15 N m" in answer.headers["X-Cgmgm-Seis"]
    assert "mechanism is not used" in answer.headers["X-Cgmgm-Seis"]


def test_times(client, address, model):
    origin = UTCDateTime(2019, 10, 15, 5, 33, 42)
    given = {**SOURCE, **RECEIVER, "sourcemomenttensor": STRIKE_SLIP, "origintime": origin}
    stream = client.get_waveforms(NAME, starttime=origin + 1, endtime=10.0, **given)
    assert {trace.stats.starttime - origin for trace in stream} == {1.0}
    assert {trace.stats.npts for trace in stream} == {1000}
    scenario = from_points(4.0, (37.938, -122.057), [(37.876, -122.236)], depth_km=9.0)
    p, s = model.onsets(scenario)
    (trace,) = client.get_waveforms(NAME, starttime="P-2", endtime="S+5", components="Z", **given)
    assert trace.stats.starttime - origin == pytest.approx(p[0] - 2, abs=0.006)
    assert trace.stats.endtime - origin == pytest.approx(s[0] + 5, abs=0.016)


def test_components_and_sampling_interval(address):
    whole = obspy.read(io.BytesIO(get(address, components="NERT").content))
    north, east, radial, transverse = (trace.data.astype(float) for trace in whole)
    assert [trace.stats.component for trace in whole] == list("NERT")
    # The horizontal energy does not depend on the axes, and the source is to the east-north-east.
    np.testing.assert_allclose(
        np.hypot(north, east), np.hypot(radial, transverse), rtol=1e-3, atol=1e-9
    )
    azimuth = np.radians(whole[0].stats.get("azimuth", 246.4))
    expected = north * np.cos(azimuth) + east * np.sin(azimuth)
    np.testing.assert_allclose(radial, expected, atol=0.01 * np.abs(expected).max())
    fine = obspy.read(io.BytesIO(get(address, components="Z", dt=0.004).content))[0]
    coarse = obspy.read(io.BytesIO(get(address, components="Z").content))[0]
    assert fine.stats.sampling_rate == pytest.approx(250.0)
    assert fine.stats.channel == "CXZ"
    # Every fifth of one is every second of the other.
    peak = np.abs(coarse.data).max()
    np.testing.assert_allclose(fine.data[::5], coarse.data[::2][: len(fine.data[::5])],
                               atol=1e-3 * peak)  # fmt: skip


def test_sac(client, address):
    given = {**SOURCE, **RECEIVER, "sourcemomenttensor": STRIKE_SLIP, "units": "velocity"}
    sac = client.get_waveforms(NAME, format="saczip", components="ZRT", label="mine", **given)
    mseed = client.get_waveforms(NAME, components="ZRT", **given)
    sac.sort(["channel"]), mseed.sort(["channel"])
    for one, other in zip(sac, mseed, strict=True):
        assert one.id == other.id
        np.testing.assert_array_equal(one.data, other.data)
    header = sac.select(component="Z")[0].stats.sac
    assert (header.evdp, header.idep) == (9.0, 5)
    assert header.mag == pytest.approx(4.0, abs=1e-3)
    with zipfile.ZipFile(io.BytesIO(get(address, format="saczip", label="a").content)) as archive:
        assert "Syngine.log" in archive.namelist()
        assert "a_XX.S0001.SE.HXZ.sac" in archive.namelist()
        assert b"generated, not recorded" in archive.read("Syngine.log")


def test_stations_by_code_and_bulk(client):
    stream = client.get_waveforms(
        NAME, network="BK", station="BKS,BR*", **SOURCE, sourcemomenttensor=STRIKE_SLIP,
        components="Z", units="velocity",
    )  # fmt: skip
    assert {trace.stats.network for trace in stream} == {"BK"}
    bulk = [
        {"network": "BK", "station": stream[0].stats.station},
        {"latitude": 37.8, "longitude": -122.2},
        {"latitude": 37.7, "longitude": -122.1, "networkcode": "AA", "stationcode": "BB",
         "locationcode": "CC"},
        [37.6, -122.0],
    ]  # fmt: skip
    many = client.get_waveforms_bulk(
        NAME, bulk, **SOURCE, sourcemomenttensor=STRIKE_SLIP, components="Z", units="velocity"
    )
    ids = {trace.id for trace in many}
    assert ids == {stream[0].id, "XX.S0002.SE.HXZ", "AA.BB.CC.HXZ", "XX.S0004.SE.HXZ"}
    # A record does not depend on what else is asked for, except for rounding.
    again = many.select(id=stream[0].id)[0].data
    np.testing.assert_allclose(again, stream[0].data, atol=1e-5 * np.abs(again).max())


def test_models_info_and_version(client):
    assert client.get_service_version() == "1.0.0"
    assert list(client.get_available_models()) == [NAME]
    info = client.get_model_info(NAME)
    assert (info.components, info.dt, info.length) == ("ZNE", 0.01, 60.0)
    assert "simulated" in info.trained_on
    with pytest.raises(ClientHTTPException, match="must be one of bay_area_evolutionary"):
        client.get_model_info("ak135f_5s")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"model": None}, "'model' is missing"),
        ({"model": "prem"}, "model = 'prem' must be one of bay_area_evolutionary"),
        ({"magnitude": None}, "has 0 of magnitude"),
        ({"magnitude": 9}, "source_magnitude"),
        ({"magnitude": "nan"}, "must be a finite number"),
        ({"sourcemomenttensor": "1,2,3,4,5,6"}, "has 2 of magnitude"),
        ({"magnitude": None, "sourceforce": "1,0,0"}, "sourceforce cannot be answered"),
        ({"magnitude": None, "sourcemomenttensor": "1,2"}, "2 numbers; it must have 6"),
        ({"magnitude": None, "sourcemomenttensor": "1e15,1e15,1e15,0,0,0"}, "isotropic"),
        ({"magnitude": None, "sourcemomenttensor": "0,0,0,0,0,0"}, "above 0"),
        ({"magnitude": None, "sourcedoublecouple": "10,80,170"}, "source_magnitude = 6.63"),
        ({"eventid": "GCMT:C201002270634A"}, "eventid cannot be answered"),
        ({"receiverlatitude": 95}, "station_latitude_deg = 95"),
        ({"receiverlatitude": None}, "'receiverlatitude' is missing"),
        ({"receiverlatitude": None, "receiverlongitude": None}, "receiver is missing"),
        ({"network": "BK"}, "either network and station"),
        ({"sourcelatitude": None}, "'sourcelatitude' is missing"),
        ({"sourcedepthinmeters": 90000}, "source_depth_km"),
        ({"networkcode": "TOOLONG"}, "must have 1 to 2"),
        ({"locationcode": "ABC"}, "must have 0 to 2"),
        ({"components": "ZQ"}, "components = 'ZQ' must be some of ZNERT"),
        ({"components": "ZZ"}, "each once"),
        ({"units": "counts"}, "units = 'counts' must be one of"),
        ({"dt": 0.1}, "dt = 0.1 must be from 0.001 to 0.01"),
        ({"kernelwidth": 0}, "from 1 to 64"),
        ({"scale": "big"}, "must be a finite number"),
        ({"format": "gse2"}, "format = 'gse2' must be one of miniseed, saczip"),
        ({"label": "../x"}, "label = '../x' must"),
        ({"seed": -1}, "seed = '-1' must be an integer from 0"),
        ({"origintime": "yesterday"}, "must be a time such as"),
        ({"origintime": "3020-01-01"}, "must be in 1900 to 2200"),
        ({"starttime": -20}, "must lie within the model's window"),
        ({"endtime": 100}, "must lie within the model's window"),
        ({"endtime": -1}, "must lie within the model's window"),
        ({"starttime": "1e400"}, "must be within 1e+06 s"),
        ({"starttime": "PKP+1"}, "must be a time such as"),
        ({"greensfunction": 1}, "Parameter 'greensfunction' is not known"),
    ],
)
def test_wrong_requests_get_a_sentence(address, given, sentence):
    assert sentence in refused(address, **given)


def test_limits(address):
    post = f"{address}/query"
    head = f"model={NAME}\nmagnitude=4\nsourcelatitude=37.9\nsourcelongitude=-122.1\n"
    many = "".join(f"37.{k:03d} -122.0\n" for k in range(100, 171))
    answer = requests.post(post, data=head + many, timeout=60)
    assert (answer.status_code, "at most 70" in answer.text) == (413, True)
    answer = requests.post(post, data="x" * 10_001, timeout=60)
    assert (answer.status_code, "10000 bytes" in answer.text) == (413, True)
    for body, sentence in (
        ("", "no line with a receiver"),
        (head, "no line with a receiver"),
        (f"{head}37.9\n", "is not a receiver"),
        (f"{head}37.9 -122 DEPTH=3\n", "is not a receiver"),
        (f"{head}BK NONE\n", "match none of this server's 58 stations"),
        (f"{head}37.9 -122 STACODE=A\n37.8 -122 STACODE=A\n", "given twice"),
        (f"{head}dt=0.01\ndt=0.01\n37.9 -122\n", "given twice"),
        (f"{head}receiverlatitude=3\n37.9 -122\n", "belongs in a receiver's line"),
        ("\u00e9".encode(), "ASCII"),
    ):
        answer = requests.post(post, data=body, timeout=60)
        assert answer.status_code == 400, body
        assert sentence in answer.text


def test_addresses_that_do_not_exist(address):
    answer = requests.get(f"{address}/greens", timeout=60)
    assert answer.status_code == 404
    assert "/irisws/syngine/1/greens is not answered" in answer.text
    assert requests.delete(f"{address}/query", timeout=60).status_code == 405
