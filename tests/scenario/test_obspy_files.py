"""Files found by patterns, and station metadata in the formats that ObsPy reads."""

from pathlib import Path

import obspy
import pytest
from small_archives import catalogue, inventory

from cgmgm_seis.errors import DatasetError, ScenarioError
from cgmgm_seis.scenario.obspy_files import expand, read_catalog, read_inventory

RESP = """B050F03     Station:     AAA
B050F16     Network:     XX
B052F03     Location:    ??
B052F04     Channel:     HNZ
B052F22     Start date:  2007,001
B052F23     End date:    No Ending Time
B058F03     Stage sequence number:                 0
B058F04     Sensitivity:                           1.0E+00
B058F05     Frequency of sensitivity:              1.0E+00
B058F06     Number of calibrations:                0
"""


def files(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def found(folder, pattern):
    paths = expand(f"{folder}/{pattern}", DatasetError)
    return [path.relative_to(folder).as_posix() for path in paths]


def test_patterns(tmp_path):
    folder = files(tmp_path / "raw [1]", "a.ms", "x/b.ms", "x/y/c.ms", ".hidden/d.ms", "x/.e.ms")
    (tmp_path / "link").symlink_to(folder)
    assert found(tmp_path, "link/**/*.ms") == ["link/a.ms", "link/x/b.ms", "link/x/y/c.ms"]
    assert found(tmp_path, "link/**") == ["link/a.ms", "link/x/b.ms", "link/x/y/c.ms"]
    assert found(tmp_path, "link/**/y/*") == ["link/x/y/c.ms"]
    assert found(tmp_path, "**/y/**") == ["link/x/y/c.ms"]
    assert found(tmp_path, "*/x/*.ms") == ["link/x/b.ms", "raw [1]/x/b.ms"]
    with pytest.raises(DatasetError, match="No file matches"):
        found(tmp_path, "**/none")


def test_links_in_circles_end(tmp_path):
    folder = files(tmp_path / "raw", "a.ms", "x/b.ms")
    for name in ("x/up", "x/again", "again"):
        (folder / name).symlink_to(folder)
    assert found(folder, "**/*.ms") == ["a.ms", "x/b.ms"]


def test_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    files(tmp_path, "a.ms")
    catalogue().write(str(tmp_path / "event.xml"), "QUAKEML")
    assert expand("~/*.ms", DatasetError) == [tmp_path / "a.ms"]
    assert len(read_catalog("~/event.xml")) == 1
    with pytest.raises(DatasetError, match="No file matches ~nobody-of-this-name/"):
        expand("~nobody-of-this-name/*", DatasetError)


def test_unreadable_files_among_the_matches_of_a_pattern(tmp_path, caplog):
    inventory().write(str(tmp_path / "stations.xml"), "STATIONXML")
    files(tmp_path, "README.xml")
    assert len(read_inventory(tmp_path / "*.xml")) == 1
    assert "README.xml is not a readable StationXML file: unknown format." in caplog.text
    with pytest.raises(ScenarioError, match=r"README\.xml is not a readable StationXML"):
        read_inventory([tmp_path / "stations.xml", tmp_path / "README.xml"])
    with pytest.raises(ScenarioError, match=r"README\.xml is not a readable StationXML"):
        read_inventory(tmp_path / "R*.xml")


def test_resp_has_no_coordinates(tmp_path):
    (tmp_path / "RESP.XX.AAA..HNZ").write_text(RESP)
    with pytest.raises(ScenarioError, match=r"HNZ is a RESP file, which has no coordinates;"):
        read_inventory(tmp_path / "RESP*")


@pytest.mark.parametrize(
    ("name", "code", "latitude"),
    [
        ("xseed/tests/data/BN.LPW._.BHE.dataless", "LPW", 52.1136),
        ("seiscomp/tests/data/EB_response_sc3ml", "EBR", 40.8206),
    ],
)
def test_dataless_seed_and_sc3ml(name, code, latitude):
    """Files of ObsPy's own tests."""
    path = Path(obspy.__file__).parent / "io" / name
    if not path.is_file():
        pytest.skip("this ObsPy was installed without its tests")
    (station,) = read_inventory(path)[0]
    assert (station.code, station.latitude) == (code, pytest.approx(latitude, abs=1e-4))
    assert station[0].response.response_stages[0].input_units == "M/S"
