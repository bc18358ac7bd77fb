"""The page of the service in a real browser: choose, generate, look, download; errors are shown."""

import io
import zipfile
from base64 import b64decode

import numpy as np
import obspy
import pytest
import requests

from cgmgm_seis import from_points, receivers
from cgmgm_seis.grid.measures import Measures

pytest.importorskip("starlette", reason="the extra serve is not installed")
pytest.importorskip("uvicorn", reason="the extra serve is not installed")

from cgmgm_seis.serve import page as answers
from cgmgm_seis.serve.application import application, load_models
from cgmgm_seis.serve.limits import Limits
from cgmgm_seis.serve.page import nodes_around
from cgmgm_seis.serve.server import serving
from cgmgm_seis.serve.syngine_request import from_bulk

pytestmark = pytest.mark.browser

NAME = "bay_area_evolutionary"
STATIONS = [(37.876, -122.236), (37.77, -122.42)]
BODY = (
    f"model={NAME}\nmagnitude=4\nsourcelatitude=37.9\nsourcelongitude=-122.1\n"
    "sourcedepthinmeters=8000\n37.8 -122.2 NETCODE=SY STACODE=V0000\n"
)


@pytest.fixture(scope="module")
def models():
    return load_models([NAME])


@pytest.fixture(scope="module")
def model(models):
    return models[NAME]


@pytest.fixture(scope="module")
def address(models):
    """The address of a service of two stations whose maps are small."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("page", "page_routes"):
            patch.setattr(f"cgmgm_seis.serve.{module}.SHAPE", (4, 5))
        limits = Limits(stations=4, map_records=110)
        with serving(application(models, receivers(STATIONS), limits)) as url:
            yield url


@pytest.fixture
def page(browser_page, address):
    """The opened page; at the end, nothing but this machine was asked for."""
    browser_page.open(address)
    yield browser_page
    own = (address, "data:", f"blob:{address}")
    assert all(url.startswith(own) for url in browser_page.requests)


def place_of(page, latitude, longitude):
    """Return where in the window a place of the map is."""
    return page.run(
        "(() => { const element = document.getElementById('map');"
        "element.scrollIntoView({ block: 'nearest' });"
        "const box = element.getBoundingClientRect();"
        f"const at = map.map.latLngToContainerPoint([{latitude}, {longitude}]);"
        "return [box.x + 1 + at.x, box.y + 1 + at.y]; })()"
    )


def fill(page, name, value):
    page.run(
        f"(() => {{ const field = document.getElementById('{name}'); field.value = '{value}';"
        "field.dispatchEvent(new Event('change')); })()"
    )


def generate(page):
    page.click_on("#generate")
    shown = "document.getElementById('error')"
    page.wait(
        f"document.getElementById('status').innerText.startsWith('Done') || !{shown}.hidden",
        100.0,
    )
    assert page.run(f"{shown}.innerText") == ""


def test_a_click_a_map_and_an_archive(page, model, tmp_path):
    assert page.text("#trained").startswith("EvolutionaryCGM, version ")
    assert "trained on simulated records" in page.text("#trained")
    assert page.text("#count") == "2 chosen"
    page.click(*place_of(page, 37.9, -122.1))
    latitude, longitude = (
        float(page.run(f"document.getElementById('{name}').value"))
        for name in ("latitude", "longitude")
    )
    assert (latitude, longitude) == pytest.approx((37.9, -122.1), abs=0.01)
    # One of the two stations is taken away, and another one is set.
    page.click(*place_of(page, *STATIONS[1]))
    assert page.text("#count") == "1 chosen"
    page.click_on("[value=station]")
    page.click(*place_of(page, 37.5, -122.0))
    assert page.text("#count") == "2 chosen"
    fill(page, "magnitude", 4)
    fill(page, "seed", 7)
    generate(page)

    # The map is that of the same earthquake, drawn with the package.
    nodes = nodes_around(latitude, longitude)
    source = from_points(4.0, (latitude, longitude), STATIONS).filter(regex="^source_").iloc[:1]
    scenario = nodes.scenario(source, 0, 20)
    inside = [k for k in range(20) if scenario["path_ep_distance_km"][k] < 145.0]
    measures = Measures("ZNE", 100.0, ("pgv",))
    records = model.sample(scenario.iloc[inside].reset_index(drop=True), 1, 7)
    expected = 100.0 * np.exp(measures(records)[:, 0, 0])
    for k in (0, 7, 12):
        node = scenario.iloc[inside[k]]
        page.move(*place_of(page, node["station_latitude_deg"], node["station_longitude_deg"]))
        assert page.text("#value").startswith(f"PGV {float(f'{expected[k]:.3g}'):g} cm/s")
    assert page.text("#legend .heading") == "PGV (cm/s), RotD50, of this earthquake"
    width = page.run(
        "document.getElementById('section').decode().then(() =>"
        "document.getElementById('section').naturalWidth)"
    )
    assert width > 1000
    assert "trained on simulated" in page.text("#said")

    page.send("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.click_on("#download")
    page.wait("document.getElementById('status').innerText.startsWith('The archive')", 60.0)
    path = tmp_path / "records.zip"
    while not path.exists():
        page.settle()
    with zipfile.ZipFile(path) as archive:
        assert {"waveforms.mseed", "stations.xml", "events.xml"} <= set(archive.namelist())
        stream = obspy.read(io.BytesIO(archive.read("waveforms.mseed")))
        inventory = obspy.read_inventory(io.BytesIO(archive.read("stations.xml")))
    assert [trace.id for trace in stream[::3]] == ["SY.V0000.00.HXZ", "SY.V0002.00.HXZ"]
    table = receivers([STATIONS[0], (0.0, 0.0), (0.0, 0.0)]).iloc[[0, 2]].reset_index(drop=True)
    place = inventory.select(station="V0002")[0][0]
    table.loc[1, ["station_latitude_deg", "station_longitude_deg"]] = (
        place.latitude,
        place.longitude,
    )
    assert (place.latitude, place.longitude) == pytest.approx((37.5, -122.0), abs=0.01)
    direct = model.generate(from_points(4.0, (latitude, longitude), table), seed=7)
    for trace, wanted in zip(stream, direct, strict=True):
        np.testing.assert_allclose(trace.data, wanted.data, rtol=1e-3, atol=1e-9)
    assert page.problems == []


def test_the_servers_sentence_is_shown(page):
    fill(page, "magnitude", 9)
    page.click_on("#generate")
    page.wait("!document.getElementById('error').hidden", 30.0)
    # Without the option of the command line that the reader of a page does not have.
    assert page.text("#error").endswith("is outside the trained range 1 to 5.5, by more than 0.5.")
    assert page.text("#status") == ""
    fill(page, "magnitude", "")
    page.click_on("#generate")
    page.wait("document.getElementById('error').innerText.includes('magnitude,')", 30.0)
    fill(page, "magnitude", 4)
    page.click_on("#no-stations")
    page.click_on("#generate")
    page.wait("document.getElementById('error').innerText.includes('at least one')", 30.0)


def test_the_keyboard_and_a_phone(browser_page, address):
    browser_page.open(address, 400, 800, touch=True)
    assert browser_page.overflow() == 0
    for _ in range(20):
        browser_page.press("Tab")
        if browser_page.run("document.activeElement.id") == "map":
            break
    browser_page.press("+")
    browser_page.press("ArrowRight")
    browser_page.wait("!map.map._panAnim?._inProgress", 5.0)
    browser_page.press("Enter")
    middle = browser_page.run("map.map.getCenter().lng")
    longitude = float(browser_page.run("document.getElementById('longitude').value"))
    assert longitude == pytest.approx(middle, abs=1e-3)
    generate(browser_page)
    assert browser_page.overflow() == 0
    assert browser_page.run("document.querySelector('.wide').scrollWidth") > 600
    assert browser_page.problems == []


def test_codes_of_stations_are_no_html(browser_page, models):
    code = "</script><b>"
    table = receivers(STATIONS).assign(station_code=[code, "B"])
    with serving(application(models, table)) as url:
        browser_page.open(url)
        assert browser_page.run("known[0].station") == code
        browser_page.click_on("summary")
        assert f"SY.{code}" in browser_page.text("#stations")
        assert browser_page.run("document.querySelectorAll('#stations b').length") == 0
    assert browser_page.problems == []


def test_limits(address):
    answer = requests.post(f"{address}/page/pgv.json?realizations=10", BODY, timeout=60)
    assert answer.status_code == 413 and "200 records" in answer.text
    answer = requests.post(f"{address}/page/pgv.json?realizations=x", BODY, timeout=60)
    assert answer.status_code == 400 and "realizations = 'x'" in answer.text
    many = BODY + "".join(f"37.{k} -122.2 STACODE=A{k}\n" for k in range(4))
    answer = requests.post(f"{address}/page/section.png", many, timeout=60)
    assert answer.status_code == 413 and "at most 4" in answer.text
    assert requests.get(f"{address}/page/section.png", timeout=60).status_code == 405


def test_nodes_out_of_range_are_blank(model, monkeypatch):
    monkeypatch.setattr(answers, "SHAPE", (3, 3))
    monkeypatch.setattr(answers, "HALF_KM", 120.0)
    wanted = from_bulk(BODY, {NAME: model}, receivers(), Limits())
    found = answers.pgv_map(wanted, 2)
    values = np.frombuffer(b64decode(found["data"]), "<f4").reshape(3, 3)
    # The corners are 170 km from the epicentre, beyond the records of the training.
    assert found["left_out"] == np.isnan(values).sum() >= 4
    assert np.isnan(values[[0, 0, 2, 2], [0, 2, 0, 2]]).all() and np.isfinite(values[1, 1])


def test_nodes_across_the_date_line():
    nodes = nodes_around(-17.0, 179.9)
    assert np.ptp(nodes.unwrapped_longitude) == pytest.approx(
        140.0 / 111.19 / np.cos(np.radians(17.0)), rel=1e-6
    )
    assert nodes.unwrapped_longitude.mean() == pytest.approx(179.9)
