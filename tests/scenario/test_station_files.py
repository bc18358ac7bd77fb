"""Files of stations in every dialect: the same receivers, and errors that name file and line."""

from pathlib import Path

import obspy
import pandas as pd
import pytest

from cgmgm_seis import bay_area_stations, receivers
from cgmgm_seis.errors import ScenarioError
from cgmgm_seis.scenario.obspy_files import read_inventory
from cgmgm_seis.scenario.station_files import complete_stations, read_stations

STATIONS = pd.DataFrame(
    {
        "station_network_code": ["BK", "NC"],
        "station_code": ["BKS", "JFP"],
        "station_latitude_deg": [37.8762, 37.9],
        "station_longitude_deg": [-122.2356, -122.0],
        "station_elevation_m": [243.9, 0.0],
    }
)
OURS = ",".join(STATIONS)
FDSN = "#Network|Station|Latitude|Longitude|Elevation|SiteName|StartTime|EndTime"
CHANNELS = (
    "#Network | Station | Location | Channel | Latitude | Longitude | Elevation | Depth | "
    "Azimuth | Dip | SensorDescription | Scale | ScaleFreq | ScaleUnits | SampleRate | "
    "StartTime | EndTime"
)
BKS, JFP = "37.8762|-122.2356|243.9", "37.9|-122.0|0.0"
END = "0.0|0.0|-90.0|Sensor|1.0|1.0|M/S|100.0|2000-01-01T00:00:00|"
DIALECTS = {
    "a scenario's": f"{OURS}\nBK,BKS,37.8762,-122.2356,243.9\nNC,JFP,37.9,-122.0,\n",
    "metadata of SeisBench": (
        "index,trace_name,source_latitude_deg,station_network_code,station_code,"
        "station_latitude_deg,station_longitude_deg,station_elevation_m\n"
        "0,a,37.1,BK,BKS,37.8762,-122.2356,243.9\n1,b,37.1,NC,JFP,37.9,-122.0,0\n"
        "2,c,37.2,BK,BKS,37.8762,-122.2356,243.9\n"
    ),
    "short names": "Lat,Lon,Elev,NET,Sta\n37.8762,-122.2356,243.9,BK,BKS\n37.9,-122,0,NC,JFP\n",
    "units": (
        "network; station; Latitude (deg); Longitude [deg]; Elevation(m)\n"
        "BK; BKS; 37.8762; -122.2356; 243.9\nNC; JFP; 37.9; -122.0; nan\n"
    ),
    "tabs": "net\tsta\tlatitude\tlongitude\televation\nBK\tBKS\t37.8762\t-122.2356\t243.9\n"
    "NC\tJFP\t37.9\t-122.0\t0\n",
    "tabs, with an index and an empty last column": (
        "\tnet\tsta\tlatitude\tlongitude\televation\t\n"
        "0\tBK\tBKS\t37.8762\t-122.2356\t243.9\t\n1\tNC\tJFP\t37.9\t-122.0\t\t\n"
    ),
    "blanks": (
        "NET STA  LAT     LON       ELEV\nBK  BKS  37.8762 -122.2356 243.9\nNC  JFP  37.9 -122.0\n"
    ),
    "a spreadsheet's": (
        'sep=;\n"network";"station";"latitude";"longitude";"elevation"\n'
        '"BK";"BKS";37.8762;237.7644;243.9\n"NC";"JFP";37.9;238.0;\n'
    ),
    "comments": (
        "# made by hand: lat, lon of stations\n\nnetwork,code,lat,lon,elevation,note\n"
        'BK,BKS,37.8762,-122.2356,243.9,"Berkeley, Byerly"\n# a comment\nNC,JFP,37.9,-122.0,0\n'
    ),
    "stations of FDSN": (
        f"{FDSN}\nBK|BKS|37.0|-122.0|1.0|Byerly #1|1962-01-01T00:00:00|1990-01-01T00:00:00\n"
        f"BK|BKS|{BKS}|Byerly|1990-01-01T00:00:00|\n{FDSN}\nNC|JFP|{JFP}|Joaquin|2000-01-01|\n"
    ),
    "channels of FDSN": (
        f"{CHANNELS}\nBK|BKS|00|HHZ|{BKS}|{END}\nBK|BKS|00|HHN|{BKS}|{END}\n"
        f"NC|JFP||EHZ|{JFP}|{END}\n"
    ),
    "a byte order mark": (
        f"\ufeff{OURS}\r\nBK,BKS,37.8762,-122.2356,243.9\r\nNC,JFP,37.9,-122,0\r\n"
    ),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_gives_the_same_stations(dialect, tmp_path):
    path = tmp_path / "stations"
    path.write_bytes(DIALECTS[dialect].encode())
    found = receivers(path)
    pd.testing.assert_frame_equal(
        found.sort_values("station_code", ignore_index=True), STATIONS, check_dtype=False
    )


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-8-sig", "utf-32"])
@pytest.mark.parametrize("separator", [",", "\t", "|"])
def test_encodings_of_spreadsheets(encoding, separator, tmp_path):
    names = ("network", "station", "latitude", "longitude", "elevation", "site")
    rows = (
        names,
        ("BK", "BKS", 37.8762, -122.2356, 243.9, "Zürich"),
        ("NC", "JFP", 37.9, -122, 0, "…"),
    )
    text = "\r\n".join(separator.join(map(str, row)) for row in rows)
    path = tmp_path / "stations"
    path.write_bytes(text.replace("…", "-" if encoding == "latin-1" else "…").encode(encoding))
    pd.testing.assert_frame_equal(receivers(path), STATIONS, check_dtype=False)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-8-sig"])
def test_fdsn_text_of_any_encoding_is_an_inventory(encoding, tmp_path):
    path = tmp_path / "stations.txt"
    text = f"{FDSN}\nBK|BKS|{BKS}|Zürich|1962-01-01T00:00:00|\n"
    path.write_bytes(text.encode(encoding))
    (station,) = read_inventory(path)[0]
    assert (station.latitude, station.site.name) == (37.8762, "Zürich")


def test_fdsn_text_agrees_with_obspy(tmp_path):
    obspy.read_inventory().write(tmp_path / "a.txt", "STATIONTXT", level="channel")
    obspy.read_inventory().write(tmp_path / "a.xml", "STATIONXML")
    text, xml = (read_stations(tmp_path / name) for name in ("a.txt", "a.xml"))
    assert len(xml) == 3
    pd.testing.assert_frame_equal(text, xml)
    pd.testing.assert_frame_equal(receivers(obspy.read_inventory()), xml)


def test_several_files_are_joined_and_a_station_counts_once(tmp_path):
    one = "net,sta,lat,lon\nBK,BKS,37.8,-122.2\n"
    (tmp_path / "a.csv").write_text(one)
    (tmp_path / "b.csv").write_text(f"{one}NC,JFP,37,-122\n")
    assert receivers(tmp_path / "*.csv")["station_code"].tolist() == ["BKS", "JFP"]
    assert len(receivers([tmp_path / "b.csv", tmp_path / "a.csv"])) == 2


def test_rows_without_a_name_are_numbered(tmp_path):
    (tmp_path / "a.csv").write_text("lat,lon\n" + "37,-122\n" * 2)
    with pytest.raises(ScenarioError, match="at least"):
        receivers(pd.DataFrame({"lat": [], "lon": []}))
    table = receivers(tmp_path / "a.csv")
    assert table["station_code"].tolist() == ["A0000", "A0001"]
    assert set(table["station_network_code"]) == {"SY"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "0 rows and the columns (none); at least one row with latitude"),
        ("hello", "0 rows and the columns hello"),
        ("lat,lon\n", "0 rows and the columns lat, lon"),
        ("sta,lat\nA,37\n", "columns sta, lat; at least one row with latitude and longitude"),
        ("lat,lon\n37,-122\n,-122\n", "line 3: station_latitude_deg is missing"),
        ("lat,lon\n37\n", "line 2: station_longitude_deg is missing"),
        ("sta,lat,lon\n,37,-122\n", "line 2: station_code is missing"),
        ("lat,lon\n# no\n\nnorth,2\n", "line 4: station_latitude_deg = north is not valid"),
        ("lat,lon\n37,-122\n-122,37\n", "line 3: station_latitude_deg = -122 is not valid"),
        ("lat,lon,elev\n37,-122,high\n", "line 2: elevation = high must be a number"),
        ("lat,lon\n37,9,-122,1\n", "line 2 has 4 values; at most 2 are allowed"),
        ("net,sta,lat,lon\nA,B,1,2\nA,B,3,4\n", "line 3: station A.B occurs twice"),
        (f"{FDSN}\nBK|BKS|{BKS}|a|15.10.2019|\n", "line 2: StartTime = 15.10.2019 must be a time"),
        ("#Network|Description|StartTime\nBK|Berkeley|1990\n", "columns BK, Berkeley, 1990"),
    ],
)
def test_errors_name_the_file_and_the_line(text, words, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(ScenarioError) as error:
        receivers(path)
    assert words in str(error.value) and str(path) in str(error.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("io/seiscomp/tests/data/channel_level.sc3ml", ["NL", "HGN", 50.764, 5.9317, 135.0]),
        ("io/xseed/tests/data/G.SPB.dataless", ["G", "SPB", -23.592691, -47.426979, 647.0]),
        ("io/arclink/tests/data/gols_station.xml", ["SL", "GOLS", 46.0108, 15.6245, 559.0]),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_inventories_that_obspy_reads(name, expected):
    assert read_stations(Path(obspy.__file__).parent / name).to_numpy().tolist() == [expected]


def test_unreadable_files(tmp_path):
    with pytest.raises(ScenarioError, match="No file matches"):
        receivers(tmp_path / "none.csv")
    (tmp_path / "a.csv").write_bytes(b"lat,lon\n\xff\0,2\n")
    with pytest.raises(ScenarioError, match="neither a table nor an inventory that ObsPy reads"):
        receivers(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("x" * 200_000 + ",2\n")
    with pytest.raises(ScenarioError, match="not a table of stations: field larger"):
        receivers(tmp_path / "a.csv")
    (tmp_path / "a.xml").write_text("<html>not found</html>")
    with pytest.raises(ScenarioError, match="not a readable StationXML file: unknown format"):
        receivers(tmp_path / "a.xml")


def test_tables_keep_further_columns_of_stations():
    given = pd.DataFrame({"Lat": [37.0], "lon": [-122.0], "station_vs30_mps": [440.0], "x": [1]})
    table = complete_stations(given, "The table")
    assert table.columns.tolist() == [*STATIONS, "station_vs30_mps"]
    stations = bay_area_stations()
    pd.testing.assert_frame_equal(receivers(stations), stations)
