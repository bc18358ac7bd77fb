"""Stations that moved, opened or closed: where they were at the time of an earthquake."""

import obspy
import pytest
from obspy import Inventory, UTCDateTime
from obspy.core.inventory import Network, Station

from cgmgm_seis import from_event_and_inventory, receivers
from cgmgm_seis.datasets.archive import near_stations
from cgmgm_seis.errors import ScenarioError
from cgmgm_seis.scenario.station_epochs import inventory_epochs, report_overlaps

BEFORE, MOVED, AFTER = UTCDateTime(2019, 10, 15), UTCDateTime(2021, 1, 1), UTCDateTime(2023, 5, 5)
LONGITUDE = -122.0
# Code, latitude, begin and end of every epoch: one moved, one closed, one opened later.
EPOCHS = (
    ("CTA", 38.0, UTCDateTime(2000, 1, 1), MOVED),
    ("CTA", 38.3, MOVED, None),
    ("OLD", 37.0, None, UTCDateTime(2010, 1, 1)),
    ("NEW", 37.5, UTCDateTime(2022, 1, 1), None),
    ("ANY", 37.2, None, None),
)


def inventory(epochs=EPOCHS):
    stations = [
        Station(code, latitude, LONGITUDE, 10.0, start_date=start, end_date=end)
        for code, latitude, start, end in epochs
    ]
    return Inventory([Network("NC", stations)])


def text(epochs=EPOCHS):
    lines = ["#Network|Station|Latitude|Longitude|Elevation|SiteName|StartTime|EndTime"]
    return "\n".join(
        lines
        + [
            f'NC|{code}|{latitude}|{LONGITUDE}|10.0|a "site|{start or ""}|{end or ""}'
            for code, latitude, start, end in epochs
        ]
    )


def table(epochs=EPOCHS):
    return text(epochs).replace("|", ";").replace("#", "").replace('a "site', "a")


@pytest.fixture(params=["inventory", "StationXML", "FDSN text", "table"])
def places(request, tmp_path):
    """The same epochs in every form that `receivers` reads."""
    if request.param == "inventory":
        return inventory()
    path = tmp_path / "stations"
    if request.param == "StationXML":
        inventory().write(path, "STATIONXML")
    else:
        path.write_text(text() if request.param == "FDSN text" else table())
    return path


def found(stations):
    return dict(zip(stations["station_code"], stations["station_latitude_deg"], strict=True))


def test_stations_are_where_they_were_at_the_time(places, caplog):
    assert found(receivers(places, BEFORE)) == {"CTA": 38.0, "ANY": 37.2}
    assert found(receivers(places, str(AFTER))) == {"CTA": 38.3, "NEW": 37.5, "ANY": 37.2}
    before, after = caplog.messages
    assert before == (
        "2 of 4 stations are left out (not open at 2019-10-15T00:00:00.000000Z: NC.OLD, NC.NEW)."
    )
    assert after.startswith("1 of 4 stations are left out (not open at 2023")


def test_without_a_time_the_last_epoch_is_used_and_said(places, caplog):
    assert found(receivers(places)) == {"CTA": 38.3, "OLD": 37.0, "NEW": 37.5, "ANY": 37.2}
    assert caplog.messages == [
        "No event time is given: the last epoch is used of the 1 station(s) that moved (NC.CTA by "
        "33.4 km)."
    ]


def test_data_sets_and_scenarios_choose_the_same_stations():
    source = {
        "source_origin_time": str(BEFORE),
        "source_latitude_deg": 37.9,
        "source_longitude_deg": LONGITUDE,
    }
    near = near_stations(inventory(), source, 100.0)
    assert {row["station_code"]: row["station_latitude_deg"] for row in near} == {
        "CTA": 38.0,
        "ANY": 37.2,
    }
    event = obspy.read_events()[0]
    event.preferred_origin().time = BEFORE
    scenario = from_event_and_inventory(event, inventory())
    assert found(scenario) == {"CTA": 38.0, "ANY": 37.2}
    scenario = from_event_and_inventory(event, inventory(), source_origin_time=str(AFTER))
    assert found(scenario)["CTA"] == 38.3


def test_epochs_touch_and_overlap(caplog):
    assert found(receivers(inventory(EPOCHS[:2]), MOVED)) == {"CTA": 38.3}
    overlapping = inventory([("CTA", 38.3, UTCDateTime(2015, 1, 1), None), *EPOCHS[:1]])
    caplog.clear()
    assert found(receivers(overlapping, BEFORE)) == {"CTA": 38.3}
    assert "two locations at the same time (NC.CTA by 33.4 km)" in caplog.text
    assert found(receivers(overlapping, UTCDateTime(2014, 1, 1))) == {"CTA": 38.0}
    caplog.clear()
    report_overlaps(inventory_epochs(inventory()))
    assert not caplog.messages
    report_overlaps(inventory_epochs(overlapping))
    assert "the one whose epoch began last is used" in caplog.text


def test_no_station_is_open():
    with pytest.raises(ScenarioError, match=r"None of the 1 station\(s\) .* at 2019.*: NC.NEW\)"):
        receivers(inventory(EPOCHS[3:4]), BEFORE)
    with pytest.raises(ScenarioError, match="contains no stations"):
        receivers(Inventory([]))


def test_stations_without_coordinates(caplog):
    """ObsPy reads RESP files as stations at 0, 0 and 123456 m above the sea."""
    bare = Station("CTA", 0.0, 0.0, 123456.0, start_date=UTCDateTime(2005, 1, 1))

    def with_bare(epochs):
        return Inventory([Network("NC", [bare]), *inventory(epochs)])

    with pytest.raises(ScenarioError, match=r"no coordinates, as in RESP files: NC\.CTA"):
        receivers(with_bare([]), BEFORE)
    assert found(receivers(with_bare(EPOCHS[:2]), BEFORE)) == {"CTA": 38.0}
    assert not caplog.messages
    assert found(receivers(with_bare(EPOCHS[4:]), BEFORE)) == {"ANY": 37.2}
    assert "1 of 2 stations are left out (no coordinates" in caplog.text
    unknown = inventory(EPOCHS[4:])
    unknown[0][0].elevation = 123456.0
    assert receivers(unknown)["station_elevation_m"].tolist() == [0.0]
