"""map.html in a real browser without a network: values of the maps, pointer, touch and keyboard."""

import io
import re

import h5py
import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from cgmgm_seis import receivers
from cgmgm_seis.grid.html import write_html
from cgmgm_seis.grid.maps import open_map_file
from cgmgm_seis.grid.measures import Measures
from cgmgm_seis.grid.nodes import Nodes, grid_nodes
from cgmgm_seis.grid.page_content import colours
from cgmgm_seis.grid.statistics import STATISTICS
from cgmgm_seis.measures.macroseismic_intensity import mmi

pytestmark = pytest.mark.browser

MEASURES = Measures("ZNE", 100.0, ("pga", "pgv", "psa", "eas"), (5.0,), (0.3,))
TITLE = "M 4.4, 7.9 km deep: 20 realization(s) of a generator"


def write_page(folder, nodes, latitude, longitude, values=None):
    """Write maps of random statistics and their page; return the address of the page."""
    about = {
        "source_latitude_deg": latitude,
        "source_longitude_deg": longitude,
        "source_magnitude": 4.4,
        "source_depth_km": 7.9,
        "n_realizations": 20,
    }
    shape = (len(nodes), MEASURES.n_series)
    random = np.random.default_rng(1)
    found = {name: random.normal(-3.0, 1.0, shape).astype(np.float32) for name in STATISTICS}
    for name in ("sigma_between", "sigma_within"):
        found[name] = np.abs(found[name])
    with open_map_file(folder / "maps.h5", nodes, MEASURES, 0, about, ln=True) as maps:
        maps.write(0, np.empty((len(nodes), 0, MEASURES.n_series), np.float32), found)
    write_html(folder / "map.html", folder / "maps.h5", TITLE)
    return (folder / "map.html").as_uri()


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """Folder with maps of a grid, and their page."""
    folder = tmp_path_factory.mktemp("grid")
    write_page(folder, grid_nodes((-122.5, -121.8, 37.2, 38.0), (6, 5)), 37.861, -122.257)
    return folder


@pytest.fixture
def open_map(browser_page, grid):
    """Open the page of the grid, and check at the end that nothing was wrong or asked for."""

    def opened(width=1200, height=900, touch=False):
        browser_page.open((grid / "map.html").as_uri(), width, height, touch)
        return browser_page

    yield opened
    assert browser_page.problems == []
    assert all(url.startswith(("file:", "data:")) for url in browser_page.requests)


def place_of(page, latitude, longitude):
    """Return where in the window a place of the map is."""
    return page.run(
        "(() => { const box = document.getElementById('map').getBoundingClientRect();"
        f"const at = map.map.latLngToContainerPoint([{latitude}, {longitude}]);"
        "return [box.x + 1 + at.x, box.y + 1 + at.y]; })()"
    )


def read_at(page, latitude, longitude):
    page.move(*place_of(page, latitude, longitude))
    return page.text("#value")


def ln_values(folder, name):
    with h5py.File(folder / "maps.h5") as file:
        return file[name][...].astype(float), file["latitude"][:], file["longitude"][:]


def three_digits(value):
    return f"{float(f'{value:.3g}'):g}"


def test_it_opens_on_pga_in_percent_g(open_map, grid):
    page = open_map()
    assert page.text("h1") == "M 4.4, 7.9 km deep"
    assert page.text("#legend .heading") == "PGA (%g), median of the realizations"
    ln_pga, latitude, longitude = ln_values(grid, "ln_pga_median")
    for row, column in ((0, 0), (2, 3), (5, 4), (5, 0)):
        shown = three_digits(np.exp(ln_pga[row, column]) / 9.80665 * 100.0)
        text = read_at(page, latitude[row], longitude[column])
        assert text.startswith(f"PGA {shown} %g \N{MIDDLE DOT} {latitude[row]:.3f}°N"), text
        assert text.endswith(f"{-longitude[column]:.3f}°W")
    assert read_at(page, 37.2, -121.7) == "No value here."


@pytest.mark.parametrize(
    ("measure", "statistic", "name", "factor", "unit"),
    [
        ("PGV", "84th", "ln_pgv_p84", 100.0, "cm/s"),
        ("PSA 0.3 s", "geometric mean", "ln_psa_mean", 100.0 / 9.80665, "%g"),
        ("EAS 5 Hz", "median", "ln_eas_median", 100.0, "cm/s s"),
    ],
)
def test_values_are_those_of_the_maps(open_map, grid, measure, statistic, name, factor, unit):
    page = open_map()
    page.choose("#measure", measure)
    page.choose("#statistic", statistic)
    ln, latitude, longitude = ln_values(grid, name)
    ln = ln.reshape(6, 5)
    text = read_at(page, latitude[1], longitude[4])
    shown = three_digits(np.exp(ln[1, 4]) * factor)
    assert text.startswith(f"{measure} {shown} {unit} "), text
    page.click_on("#logarithms")
    text = read_at(page, latitude[1], longitude[4])
    assert f"{ln[1, 4]:.3f}".replace("-", "\N{MINUS SIGN}") in text and "ln of m/s" in text


def test_intensity_and_standard_deviations(open_map, grid):
    page = open_map()
    page.choose("#measure", "MMI")
    ln_pgv, latitude, longitude = ln_values(grid, "ln_pgv_median")
    value = float(mmi(pgv=np.exp(ln_pgv[3, 2])))
    assert f"MMI {value:.1f} (" in read_at(page, latitude[3], longitude[2])
    ticks = page.text("#legend .ticks").split()
    assert ticks == ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X"]
    page.choose("#measure", "PGA")
    page.choose("#statistic", "standard deviation within")
    sigma, _, _ = ln_values(grid, "ln_pga_sigma_within")
    assert f"PGA {sigma[3, 2]:.3f} (ln units)" in read_at(page, latitude[3], longitude[2])


def test_colours_are_those_of_the_values_at_their_places(open_map, grid):
    page = open_map()
    ln_pga, latitude, longitude = ln_values(grid, "ln_pga_median")
    page.run("map.stations.clearLayers(), true")
    picture = matplotlib.image.imread(io.BytesIO(page.picture(whole=False)))[..., :3] * 255
    scale = np.array(colours()["amplitude"], float)
    share = (ln_pga - ln_pga.min()) / np.ptp(ln_pga) * (len(scale) - 1)
    wrong = 0
    for row in range(6):
        for column in range(5):
            x, y = place_of(page, latitude[row], longitude[column])
            expected = [
                np.interp(share[row, column], np.arange(len(scale)), scale[:, c]) for c in range(3)
            ]
            # At a quarter of a cell from the node, at one of whose sides there is no coast or star.
            seen = [picture[round(y) + dy, round(x) + dx] for dx in (-12, 12) for dy in (-12, 12)]
            wrong += min(np.abs(colour - expected).max() for colour in seen) > 2
    assert wrong == 0


def test_the_keyboard_zooms_moves_and_reads(open_map, grid):
    page = open_map()
    for _ in range(20):
        page.press("Tab")
        if page.run("document.activeElement.id") == "map":
            break
    value = r"PGA \S+ %g"
    assert re.match(value, page.text("#value"))  # in the middle, where a cross is
    assert page.run("getComputedStyle(document.querySelector('.crosshair')).display") == "block"
    zoom, before = page.run("map.map.getZoom()"), page.text("#value")
    page.press("+")
    page.press("+")
    assert page.run("map.map.getZoom()") > zoom + 1
    west = page.run("map.map.getCenter().lng")
    for _ in range(4):  # a key is ignored while the map still moves
        page.press("ArrowRight")
        page.wait("!map.map._panAnim?._inProgress", 5.0)
    assert page.run("map.map.getCenter().lng") > west
    assert re.match(value, page.text("#value")) and page.text("#value") != before
    page.press("-")
    assert page.run("map.map.getZoom()") < zoom + 1.1
    page.click_on("#reset")
    assert page.run("map.map.getZoom()") == pytest.approx(zoom)


def test_a_phone(open_map, grid):
    page = open_map(400, 800, touch=True)
    assert page.overflow() == 0
    ln_pga, latitude, longitude = ln_values(grid, "ln_pga_median")
    page.run("document.getElementById('map').scrollIntoView({ block: 'nearest' })")
    page.tap(*place_of(page, latitude[2], longitude[1]))
    shown = three_digits(np.exp(ln_pga[2, 1]) / 9.80665 * 100.0)
    page.wait(f"document.getElementById('value').innerText.startsWith('PGA {shown} %g')", 5.0)
    zoom = page.run("map.map.getZoom()")
    page.pinch(*page.middle("#map"), 2.0)
    page.wait(f"map.map.getZoom() > {zoom} + 0.4", 5.0)
    assert page.overflow() == 0
    smallest = page.run(
        "Math.min(...[...document.querySelectorAll('p, label, select, #value, .ticks span')]"
        ".map((element) => parseFloat(getComputedStyle(element).fontSize)))"
    )
    assert smallest >= 12


def test_stations_are_read_by_their_codes_which_are_no_html(browser_page, tmp_path):
    code = "<b onmouseover=alert(1)>&amp;"
    table = pd.DataFrame(
        {"net": ["XX", "XX"], "sta": [code, "B"], "lat": [-17.8, -16.9], "lon": [179.8, -179.9]}
    )
    nodes = Nodes.of(receivers(table))
    address = write_page(tmp_path, nodes, -17.0, -179.5)
    browser_page.open(address)
    ln_pga, *_ = ln_values(tmp_path, "ln_pga_median")
    text = read_at(browser_page, -17.8, 179.8)
    assert text.startswith(f"PGA {three_digits(np.exp(ln_pga[0]) / 9.80665 * 100.0)} %g")
    assert text.endswith(f"XX.{code}, 17.800°S 179.800°E")
    # East of the date line: longitudes continue on the map, and are written as usual.
    assert read_at(browser_page, -16.9, 180.1).endswith("XX.B, 16.900°S 179.900°W")
    star = browser_page.run("[map.star.getLatLng().lng, map.star.getTooltip() !== null]")
    assert star == [180.5, True]
    assert browser_page.problems == []


def test_maps_without_a_value_say_so(browser_page, tmp_path):
    about = {"source_latitude_deg": 37.9, "source_longitude_deg": -122.0}
    nodes = grid_nodes((-122.5, -121.8, 37.2, 38.0), (2, 2))
    with open_map_file(tmp_path / "maps.h5", nodes, MEASURES, 0, about, ln=True):
        pass
    write_html(tmp_path / "map.html", tmp_path / "maps.h5", "</title><script>alert(1)</script>")
    browser_page.open((tmp_path / "map.html").as_uri())
    assert browser_page.text("h1") == "</title><script>alert(1)</script>"
    assert browser_page.text("#value") == "The maps have no values."
    assert browser_page.problems == []
