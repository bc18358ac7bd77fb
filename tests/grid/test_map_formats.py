"""Maps as other programs read them: xarray, GDAL (rasterio), and ShakeMap's layout."""

import sys
from xml.etree import ElementTree

import h5py
import numpy as np
import pandas as pd
import pytest

from cgmgm_seis import receivers, source
from cgmgm_seis.errors import CgmgmError, OutputError
from cgmgm_seis.grid.geotiff import check_geotiff, write_geotiff
from cgmgm_seis.grid.maps import open_map_file
from cgmgm_seis.grid.measures import Measures
from cgmgm_seis.grid.nodes import Nodes, grid_nodes
from cgmgm_seis.grid.plots import map_figures
from cgmgm_seis.grid.shakemap import check_shakemap, psa_name, write_shakemap
from cgmgm_seis.grid.statistics import STATISTICS
from cgmgm_seis.measures.macroseismic_intensity import mmi

SOURCE = source(3.9, 37.861, -122.257, 7.9)
G = 9.80665
BAY, DATE_LINE = (-122.5, -121.7, 37.3, 38.1), (179.6, -179.6, -38.5, -37.7)
SHAPE = (5, 9)
MEASURES = Measures("ZNE", 100.0, periods=(0.3, 1.0, 12.0), frequencies=(2.0, 5.0))


def write_maps(path, region, n_realizations=3, measures=MEASURES, ln=False):
    """Write maps of known numbers; return their ln values (node, realization, series)."""
    nodes = grid_nodes(region, SHAPE)
    rng = np.random.default_rng(1)
    values = rng.normal(-3.0, 1.0, (len(nodes), 3, measures.n_series)).astype("f4")
    found = {
        **{key: np.full(values[:, 0].shape, np.nan) for key in STATISTICS},
        "median": np.median(values, axis=1),
        "mean": values.mean(axis=1),
        "p84": np.percentile(values, 84.0, axis=1),
    }
    if n_realizations > 1:
        found |= {
            "sigma_between": 0.3 + 0.0 * found["mean"],
            "sigma_within": 0.4 + found["p16"] * 0,
        }
        found["sigma_within"] = np.full_like(found["mean"], 0.4)
    about = {
        "title": "Generated ground motion", "source": "EvolutionaryCGM, trained on: simulations",
        "comment": "made by a model & not recorded", "n_realizations": n_realizations,
        "source_latitude_deg": 37.861, "source_longitude_deg": -122.257,
    }  # fmt: skip
    with open_map_file(path, nodes, measures, 3, about, ln=ln) as file:
        file.write(0, values, found)
    return values


@pytest.fixture(scope="module", params=[BAY, DATE_LINE], ids=["bay", "date line"])
def maps(request, tmp_path_factory):
    """Map file, its region and the ln values in it."""
    path = tmp_path_factory.mktemp("maps") / "maps.nc"
    return path, request.param, write_maps(path, request.param)


def of(kind, values, place=0):
    """Medians (latitude, longitude) of a series."""
    return np.median(values[..., MEASURES.slices[kind]][..., place], axis=1).reshape(SHAPE)


def test_xarray_reads_familiar_units(maps):
    xarray = pytest.importorskip("xarray")
    path, (west, _, south, north), values = maps
    with xarray.open_dataset(path) as file:
        pga = file.pga_median
        assert pga.dims == ("latitude", "longitude")
        np.testing.assert_allclose(pga, 100.0 / G * np.exp(of("pga", values)), rtol=1e-5)
        assert pga.attrs["units"] == "percent gravity"
        assert pga.attrs["long_name"] == "PGA (%g): median of the realizations"
        assert file[pga.attrs["grid_mapping"]].attrs["grid_mapping_name"] == "latitude_longitude"
        np.testing.assert_allclose(file.pgv_median, 100.0 * np.exp(of("pgv", values)), rtol=1e-5)
        psa = file.psa_median.sel(period=1.0)
        np.testing.assert_allclose(psa, 100.0 / G * np.exp(of("psa", values, 1)), rtol=1e-5)
        fas = file.fas_median.sel(component="E", frequency=5.0)
        np.testing.assert_allclose(fas, 100.0 * np.exp(of("fas", values, 5)), rtol=1e-5)
        kept = file.pgv.isel(realization=2).to_numpy().ravel()
        wanted = 100.0 * np.exp(values[:, 2, MEASURES.slices["pgv"]].ravel())
        np.testing.assert_allclose(kept, wanted, rtol=1e-5)
        mean = values[..., MEASURES.slices["pga"]].mean(axis=1).reshape(SHAPE)
        np.testing.assert_allclose(file.pga_geometric_mean, 100.0 / G * np.exp(mean), rtol=1e-5)
        # Standard deviations are those of logarithms.
        np.testing.assert_allclose(file.pga_sigma_within, 0.4)
        assert file.pga_sigma_within.attrs["units"] == "1"
        # Worden et al. (2012), Table 1.
        log10 = np.log10(file.pgv_median)
        line = np.where(log10 < 0.53, 3.78 + 1.47 * log10, 2.89 + 3.16 * log10)
        np.testing.assert_allclose(file.mmi_median, np.clip(line, 1.0, 10.0), atol=1e-4)
        assert "mmi_geometric_mean" not in file and "mmi_sigma_within" not in file
        assert "Modified Mercalli intensity of PGV" in file.mmi_median.attrs["comment"]
        assert file.longitude[0] == west and (np.diff(file.longitude) > 0.0).all()
        assert (file.latitude[0], file.latitude[-1]) == (south, north)


def test_logarithms_are_as_measured(tmp_path):
    values = write_maps(tmp_path / "maps.h5", BAY, ln=True)
    with h5py.File(tmp_path / "maps.h5") as file:
        np.testing.assert_allclose(file["ln_pga_median"], of("pga", values), rtol=1e-6)
        np.testing.assert_array_equal(
            file["ln_pgv"][1].ravel(), values[:, 1, MEASURES.labels.index("pgv")]
        )
        assert file["ln_pga_median"].attrs["long_name"].startswith("ln of PGA in m/s2: median")
        assert not [name for name in file if "mmi" in name]


def test_gdal_reads_place_and_values_of_netcdf(maps):
    rasterio = pytest.importorskip("rasterio")
    path, region, values = maps
    for name, wanted in (("pga_median", of("pga", values)), ("pgv_median", of("pgv", values))):
        with rasterio.open(f"netcdf:{path}:{name}") as image:
            assert image.crs.to_epsg() == 4326
            check_corners(image, region)
            factor = 100.0 / G if name[:3] == "pga" else 100.0
            np.testing.assert_allclose(image.read(1)[::-1], factor * np.exp(wanted), rtol=1e-5)
    with rasterio.open(f"netcdf:{path}:fas_median") as image:
        assert image.count == 6 and image.crs.to_epsg() == 4326


def check_corners(image, region):
    """The first and last node are half a pixel within the corners."""
    west, east, south, north = region
    east += 360.0 * (east < west)
    width, height = (east - west) / (SHAPE[1] - 1), (north - south) / (SHAPE[0] - 1)
    wanted = (west - 0.5 * width, south - 0.5 * height, east + 0.5 * width, north + 0.5 * height)
    np.testing.assert_allclose(image.bounds, wanted, atol=1e-9)


def test_geotiff_has_a_band_for_every_statistic(maps, tmp_path):
    rasterio = pytest.importorskip("rasterio")
    path, region, values = maps
    said = write_geotiff(tmp_path / "geotiff", path)
    assert said.startswith("GeoTIFF (EPSG:4326): fas.tif, eas.tif, pga.tif, pgv.tif, psa.tif, mmi")
    with rasterio.open(tmp_path / "geotiff" / "psa.tif") as image:
        assert image.count == 3 * len(STATISTICS) and image.crs.to_epsg() == 4326
        check_corners(image, region)
        band = image.descriptions.index("PSA (%g): median of the realizations, 1 s")
        wanted = 100.0 / G * np.exp(of("psa", values, 1))
        np.testing.assert_allclose(image.read(band + 1)[::-1], wanted, rtol=1e-5)
        assert image.units[band] == "percent gravity"
        assert image.tags()["source"] == "EvolutionaryCGM, trained on: simulations"
    with rasterio.open(tmp_path / "geotiff" / "fas.tif") as image:
        assert "FAS (cm/s s): median of the realizations, component E, 5 Hz" in image.descriptions
    with rasterio.open(tmp_path / "geotiff" / "mmi.tif") as image:
        assert image.descriptions[0] == "MMI: median of the realizations" and image.count == 3


def test_geotiff_without_rasterio_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.raises(CgmgmError, match=r"pip install 'cgmgm-seis\[geotiff\]'"):
        check_geotiff(grid_nodes(BAY, SHAPE))


def test_figures_are_labelled_in_familiar_units(tmp_path):
    values = write_maps(tmp_path / "maps.h5", BAY, ln=True)
    peaks = map_figures(tmp_path / "maps.h5", "title")["map_peaks"]
    bars = [axes for axes in peaks.axes if not axes.get_title()]
    titles = [axes.get_title() for axes in peaks.axes if axes.get_title()]
    assert titles[:3] == ["MMI of PGV", "PGA (%g)", "PGV (cm/s)"]
    for bar, kind, factor in ((bars[1], "pga", 100.0 / G), (bars[2], "pgv", 100.0)):
        texts = [float(text.get_text()) for text in bar.get_yticklabels()]
        np.testing.assert_allclose(texts, factor * np.exp(bar.get_yticks()), rtol=1e-6)
        ends = factor * np.exp(of(kind, values))
        assert len(texts) >= 3 and ends.min() <= min(texts) and max(texts) <= ends.max()
    shown = peaks.axes[0].collections[0].get_array().reshape(SHAPE)
    np.testing.assert_allclose(shown, mmi(pgv=np.exp(of("pgv", values))), rtol=1e-6)


def test_openquake_reads_shakemaps_grid(tmp_path):
    parsers = pytest.importorskip("openquake.hazardlib.shakemap.parsers")
    values = write_maps(tmp_path / "maps.nc", BAY)
    write_shakemap(tmp_path, tmp_path / "maps.nc", SOURCE)
    urls = {"grid_url": "grid.xml", "uncertainty_url": "uncertainty.xml"}
    paths = {name: str(tmp_path / file) for name, file in urls.items()}
    read = parsers.get_array(kind="usgs_xml", **paths)
    wanted = 100.0 / G * np.exp(of("psa", values, 1))[::-1].ravel()
    np.testing.assert_allclose(read["val"]["SA(1.0)"], wanted, rtol=1e-4)
    np.testing.assert_allclose(read["std"]["PGA"], 0.5)


NS = "{http://earthquake.usgs.gov/eqcenter/shakemap}"


def read_shakemap(path):
    """Return root and table of a grid, by the description in ShakeMap's manual."""
    root = ElementTree.parse(path).getroot()
    fields = {int(f.get("index")): f.get("name") for f in root.findall(f"{NS}grid_field")}
    rows = [line.split() for line in root.find(f"{NS}grid_data").text.strip().splitlines()]
    names = [fields[k] for k in range(1, len(fields) + 1)]
    return root, pd.DataFrame(np.array(rows, float), columns=names)


def test_shakemap_grid(maps, tmp_path):
    path, region, values = maps
    written = write_shakemap(tmp_path, path, SOURCE)
    assert written["grid.xml"] == (
        "ShakeMap grid of MMI, PGA, PGV, PSA03, PSA10: medians, without PSA at 12 s"
    )
    root, table = read_shakemap(tmp_path / "grid.xml")
    assert root.get("shakemap_event_type") == "SCENARIO"
    event = root.find(f"{NS}event")
    assert (event.get("magnitude"), event.get("depth"), event.get("lat")) == (
        "3.9",
        "7.9",
        "37.861000",
    )
    assert event.get("event_description") == "made by a model & not recorded"
    spec = root.find(f"{NS}grid_specification").attrib
    assert (int(spec["nlat"]), int(spec["nlon"])) == SHAPE
    # From the north-west corner eastwards, west of -180 as east of 180.
    west, east, south, north = region
    assert (float(spec["lon_min"]), float(spec["lon_max"])) == (west, east)
    assert table[["LON", "LAT"]].iloc[0].tolist() == [west, north]
    assert table[["LON", "LAT"]].iloc[8].tolist() == [east, north]
    assert table[["LON", "LAT"]].iloc[-1].tolist() == [east, south]
    assert float(spec["nominal_lon_spacing"]) == pytest.approx(0.1)
    units = {f.get("name"): f.get("units") for f in root.findall(f"{NS}grid_field")}
    assert (units["PGA"], units["PGV"], units["MMI"]) == ("%g", "cm/s", "intensity")
    for name, wanted in (
        ("PGA", 100.0 / G * np.exp(of("pga", values))),
        ("PGV", 100.0 * np.exp(of("pgv", values))),
        ("PSA10", 100.0 / G * np.exp(of("psa", values, 1))),
    ):
        np.testing.assert_allclose(table[name], wanted[::-1].ravel(), rtol=1e-4)
    _, scatter = read_shakemap(tmp_path / "uncertainty.xml")
    assert scatter.columns.tolist() == ["LON", "LAT", "STDPGA", "STDPGV", "STDPSA03", "STDPSA10"]
    np.testing.assert_allclose(scatter["STDPGA"], 0.5)


def test_one_realization_has_no_scatter(tmp_path):
    write_maps(tmp_path / "maps.nc", BAY, n_realizations=1)
    assert list(write_shakemap(tmp_path, tmp_path / "maps.nc", SOURCE)) == ["grid.xml"]
    rasterio = pytest.importorskip("rasterio")
    write_geotiff(tmp_path / "geotiff", tmp_path / "maps.nc")
    with rasterio.open(tmp_path / "geotiff" / "pga.tif") as image:
        assert image.count == len(STATISTICS) - 2


def test_names_of_periods_are_shakemaps():
    """Those of the list in OpenQuake's reader."""
    assert [psa_name(t) for t in (0.3, 0.6, 1.0, 3.0)] == ["PSA03", "PSA06", "PSA10", "PSA30"]


def test_stations_have_no_raster(tmp_path):
    (tmp_path / "stations.csv").write_text("lon,lat\n-122,38\n-122.4,37.7\n")
    nodes = Nodes.of(receivers(tmp_path / "stations.csv"))
    with pytest.raises(OutputError, match=r"GeoTIFF needs a regular grid .* are 2 station"):
        check_geotiff(nodes)
    with pytest.raises(OutputError, match=r"grid.xml needs a regular grid"):
        check_shakemap(nodes, MEASURES)
    spectra = Measures("ZNE", 100.0, ("fas", "eas"))
    with pytest.raises(OutputError, match="holds pga, pgv and psa, but the measures are fas, eas"):
        check_shakemap(grid_nodes(BAY, SHAPE), spectra)
