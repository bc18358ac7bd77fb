import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from obspy import Catalog, Inventory, UTCDateTime, read_inventory
from obspy.core.event import Event, Magnitude, Origin, ResourceIdentifier
from obspy.core.inventory import Network, Station
from obspy.geodetics import gps2dist_azimuth

from cgmgm_seis import cross, receivers, source
from cgmgm_seis.errors import ScenarioError
from cgmgm_seis.scenario.stations import bay_area_stations
from cgmgm_seis.scenario.table import (
    COLUMNS,
    add_paths,
    check_scenario,
    from_event_and_inventory,
    from_points,
)

SOURCE = (37.938, -122.057)


def make_event(**missing):
    event = Event(resource_id=ResourceIdentifier("smi:local/event/ev1"))
    origin = Origin(time=UTCDateTime(2019, 10, 15), latitude=37.9, longitude=-122.0, depth=13970.0)
    for name, value in missing.items():
        if name != "magnitude":
            setattr(origin, name, value)
    event.origins = [origin]
    event.magnitudes = [] if "magnitude" in missing else [Magnitude(mag=4.46)]
    return event


def test_points_have_every_column_in_order():
    table = from_points(4.5, SOURCE, [(37.8, -122.2), (37.7, -122.1)])
    assert tuple(table.columns) == COLUMNS
    assert table["station_code"].tolist() == ["V0000", "V0001"]
    assert set(table["station_network_code"]) == {"SY"}
    assert (table["source_depth_km"] == 8.0).all()


def test_default_receivers_are_the_bundled_stations():
    table = from_points(4.5, SOURCE)
    stations = bay_area_stations()
    assert len(table) == len(stations) == 58
    assert table["station_code"].tolist() == stations["station_code"].tolist()


def test_bundled_stations_agree_with_the_facts(whole_pleasant_hill):
    facts = pd.read_csv(
        whole_pleasant_hill.parent / "bay_area_stations.csv",
        dtype={"station_code": str},
        keep_default_na=False,
    )
    pd.testing.assert_frame_equal(bay_area_stations(), facts)


@settings(max_examples=50, deadline=None)
@given(st.floats(36, 39), st.floats(-123, -121), st.floats(36, 39), st.floats(-123, -121))
def test_paths_are_the_geodesics_of_obspy(lat1, lon1, lat2, lon2):
    table = from_points(3.0, (lat1, lon1), [(lat2, lon2)], depth_km=10.0)
    metres, azimuth, _ = gps2dist_azimuth(lat1, lon1, lat2, lon2)
    row = table.iloc[0]
    assert row.path_ep_distance_km == pytest.approx(metres / 1000, abs=1e-9)
    assert row.path_azimuth_deg == pytest.approx(azimuth, abs=1e-9)
    assert row.path_hyp_distance_km == pytest.approx(np.sqrt((metres / 1000) ** 2 + 100), abs=1e-9)


def test_a_degree_of_latitude_is_the_ellipsoids():
    # Length of a degree on WGS84 at 37.5 N: 111132.954 - 559.822 cos 75 + 1.175 cos 150 m
    # (Rapp 1991, series of the meridian arc) = 110.987 km.
    table = from_points(3.0, (37.0, -122.0), [(38.0, -122.0)])
    assert table["path_ep_distance_km"].iloc[0] == pytest.approx(110.987, abs=0.002)
    assert table["path_azimuth_deg"].iloc[0] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("source_latitude_deg", -122.0),
        ("source_latitude_deg", np.nan),
        ("source_magnitude", np.inf),
        ("source_magnitude", "big"),
        ("source_depth_km", 900.0),
        ("station_longitude_deg", 200.0),
    ],
)
def test_impossible_values_are_named(column, value):
    table = from_points(4.5, SOURCE, [(37.8, -122.2)]).astype({column: object})
    table[column] = value
    with pytest.raises(ScenarioError, match=column) as error:
        check_scenario(table)
    assert str(value) in str(error.value)


def test_missing_columns_and_rows_are_named():
    table = from_points(4.5, SOURCE, [(37.8, -122.2)])
    with pytest.raises(ScenarioError, match="source_magnitude"):
        check_scenario(table.drop(columns="source_magnitude"))
    with pytest.raises(ScenarioError, match="0 rows"):
        check_scenario(table.iloc[:0])


def test_check_fills_defaults_and_keeps_other_columns():
    table = from_points(4.5, SOURCE, [(37.8, -122.2)])
    bare = table[[c for c in table if c.endswith(("_deg", "_km", "magnitude"))]].assign(note="x")
    full = check_scenario(bare.drop(columns=[c for c in bare if c.startswith("path")]))
    assert full["note"].tolist() == ["x"]
    assert full["station_code"].tolist() == ["V0000"]
    np.testing.assert_allclose(full["path_ep_distance_km"], table["path_ep_distance_km"])


def test_event_and_inventory(pleasant_hill):
    inventory = read_inventory(pleasant_hill / "raw" / "NC.C010.xml")
    table = from_event_and_inventory(make_event(), inventory)
    assert table["station_code"].tolist() == ["C010"]
    assert table["source_depth_km"].tolist() == [13.97]
    assert table["source_magnitude"].tolist() == [4.46]
    assert table["source_id"].tolist() == ["ev1"]


def test_event_overrides_and_default_receivers():
    table = from_event_and_inventory(make_event(magnitude=None), source_magnitude=3.0)
    assert len(table) == 58
    assert (table["source_magnitude"] == 3.0).all()


@pytest.mark.parametrize("name", ["magnitude", "latitude", "time"])
def test_incomplete_events_are_refused(name):
    with pytest.raises(ScenarioError, match=name):
        from_event_and_inventory(make_event(**{name: None}))


def test_an_event_without_origin_is_refused():
    event = Catalog([Event(magnitudes=[Magnitude(mag=3.0)])])[0]
    with pytest.raises(ScenarioError, match="source_latitude_deg"):
        from_event_and_inventory(event)


def test_an_empty_inventory_is_refused():
    with pytest.raises(ScenarioError, match="no stations"):
        from_event_and_inventory(make_event(), Inventory())


def test_duplicate_stations_are_refused():
    stations = bay_area_stations().iloc[[0, 0]]
    with pytest.raises(ScenarioError, match=r"BG\.DRK"):
        from_points(4.0, SOURCE, stations)


def test_paths_do_not_depend_on_the_order_of_rows():
    table = from_points(4.5, SOURCE)
    shuffled = add_paths(table.sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(shuffled.sort_index(), table)


def test_a_scenario_is_a_source_at_receivers(pleasant_hill):
    points = [(37.8, -122.2), (37.7, -122.1)]
    pair = source(4.5, *SOURCE, 12.5, "2021-02-03", "a"), receivers(points)
    expected = from_points(4.5, SOURCE, points, 12.5, "2021-02-03", "a")
    pd.testing.assert_frame_equal(cross(*pair), expected)
    inventory = read_inventory(pleasant_hill / "raw" / "NC.C010.xml")
    pd.testing.assert_frame_equal(
        cross(source(depth_km=8, event=make_event()), receivers(inventory)),
        from_event_and_inventory(make_event(), inventory, source_depth_km=8),
    )


def test_sources_have_defaults_and_given_values_override_an_event():
    assert source(4.5, *SOURCE).iloc[0].to_dict() == {
        "source_id": "scenario",
        "source_origin_time": "2020-01-01T00:00:00.000000Z",
        "source_latitude_deg": 37.938,
        "source_longitude_deg": -122.057,
        "source_depth_km": 8.0,
        "source_magnitude": 4.5,
    }
    changed = source(3.0, origin_time="2020-02-02", event=make_event()).iloc[0]
    assert (changed["source_id"], changed["source_magnitude"]) == ("ev1", 3.0)
    assert (changed["source_depth_km"], changed["source_origin_time"][:10]) == (13.97, "2020-02-02")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((4.5,), "has no source_latitude_deg, source_longitude_deg"),
        ((None, *SOURCE), "has no source_magnitude"),
        ((4.5, 137.9, -122.0), "source_latitude_deg = 137.9 is not valid"),
        ((4.5, *SOURCE, 900.0), "source_depth_km = 900"),
    ],
)
def test_impossible_sources_are_refused(values, words):
    with pytest.raises(ScenarioError, match=words):
        source(*values)


def test_several_sources_at_the_same_receivers():
    sources = pd.concat([source(m, *SOURCE, source_id=f"m{m}") for m in (3, 4)])
    # A scenario's receivers: the distances are those of the new sources.
    stations = from_points(4.5, (37.0, -121.0), [(37.8, -122.2), (37.7, -122.1)])
    table = cross(sources, stations)
    assert table["source_id"].tolist() == ["m3", "m3", "m4", "m4"]
    expected = from_points(4, SOURCE, [(37.8, -122.2), (37.7, -122.1)], source_id="m4")
    pd.testing.assert_frame_equal(table.iloc[2:].reset_index(drop=True), expected)


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ([], "receivers is 0"),
        ([(0, 0)] * 10_001, "10001"),
        ([(95.0, 1.0)], "row 0: .* = 95"),
    ],
)
def test_impossible_points_are_refused(points, words):
    with pytest.raises(ScenarioError, match=words):
        receivers(points)


def test_from_points_takes_all_kinds_of_receivers(tmp_path):
    epochs = [(1990, 37.8), (2010, 37.9)]
    stations = [
        Station("A", latitude, -122.2, 10.0, start_date=UTCDateTime(year, 1, 1))
        for year, latitude in epochs
    ]
    inventory = Inventory([Network("BK", stations)])
    inventory.write(str(tmp_path / "stations.xml"), "STATIONXML")
    for places in (inventory, tmp_path / "stations.xml", [str(tmp_path / "stations.xml")]):
        assert from_points(4.5, SOURCE, places)["station_latitude_deg"].tolist() == [37.9]
        early = from_points(4.5, SOURCE, places, origin_time="2000-01-01")
        assert early["station_latitude_deg"].tolist() == [37.8]
    table = pd.DataFrame({"latitude": [37.8], "Longitude": [-122.2]})
    assert from_points(4.5, SOURCE, table)["station_code"].tolist() == ["A0000"]
    assert len(from_points(4.5, SOURCE, np.array([[37.8, -122.2]]))) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((4.5, 37.9), "source = 37.9 must be a latitude and a longitude"),
        ((4.5, "here"), "source = 'here' must be"),
        ((4.5, SOURCE, (37.8, -122.2)), "A point = 37.8 must be a latitude and a longitude"),
        ((4.5, SOURCE, [(37.8, -122.2, 3.0)]), "must be a latitude and a longitude"),
        ((4.5, SOURCE, 3), "Receivers of the type int are not supported"),
        ((4.5, SOURCE, {"lat": 37.8}), "Receivers of the type dict are not supported"),
        ((4.5, SOURCE, ["a.xml", (37.8, -122.2)]), "points and files such as a.xml"),
        ((4.5, SOURCE, None, 8.0, "yesterday"), "'yesterday' is not a time"),
        (("big", (95.0, 0.0)), "source_latitude_deg = 95.0 .* and source_magnitude = big is not"),
    ],
)
def test_a_wrong_input_gets_a_sentence(arguments, said):
    with pytest.raises(ScenarioError, match=said) as caught:
        from_points(*arguments)
    assert str(caught.value).endswith(".")


def test_sources_of_the_wrong_type():
    with pytest.raises(ScenarioError, match=r"event = 'x' must be an obspy"):
        source(event="x")
    with pytest.raises(ScenarioError, match="must be a table with the columns"):
        cross((37.9, -122.1), [(37.8, -122.2)])
