"""Events as catalogues have them: ids, magnitudes, depths, and the same event more than once."""

import io

import obspy
import pytest
from obspy import Catalog, UTCDateTime
from obspy.core.event import CreationInfo, Event, Magnitude, Origin, Pick, ResourceIdentifier

from cgmgm_seis.errors import ScenarioError
from cgmgm_seis.models.conditions import (
    ExtrapolationWarning,
    check_magnitude_types,
    magnitude_types,
)
from cgmgm_seis.scenario.events import event_id, preferred_magnitude, unique_events
from cgmgm_seis.scenario.obspy_files import read_event
from cgmgm_seis.scenario.sources import catalog_sources, event_source, source
from cgmgm_seis.scenario.streams import to_catalog
from cgmgm_seis.scenario.table import cross, from_points

TIME = UTCDateTime("2019-10-15T05:33:42.81")


def make_event(name="smi:local/x/ev1", delay=0.0, magnitude=4.46, magnitude_type="Mw", **values):
    place = {"latitude": 37.938, "longitude": -122.057, "depth": 13970.0} | values
    return Event(
        resource_id=ResourceIdentifier(name) if name else None,
        origins=[Origin(time=TIME + delay, **place)],
        magnitudes=[Magnitude(mag=magnitude, magnitude_type=magnitude_type)],
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("quakeml:earthquake.usgs.gov/fdsnws/event/1/query?eventid=nc7&format=quakeml", "nc7"),
        ("quakeml:earthquake.usgs.gov/event/nc73291880", "nc73291880"),
        ("smi:webservices.ingv.it/fdsnws/event/1/query?eventId=863301", "863301"),
        ("smi:ISC/evid=600516598", "600516598"),
        ("quakeml:nc.anss.org/Event/NC/73291880", "73291880"),
        ("smi:local/event/a1/", "a1"),
    ],
)
def test_readable_ids(name, expected):
    assert event_id(make_event(name)) == expected


def test_events_of_formats_without_ids_are_named_after_their_time():
    """ObsPy's identifiers are random: two readings of a file must give the same events."""
    first, second = make_event(None), make_event(None)
    assert first.resource_id != second.resource_id
    assert event_id(first) == event_id(second) == "20191015T053342"


def test_agencies_that_number_their_events_stay_apart():
    events = [make_event("smi:nc/Event/1"), make_event("smi:uw/Event/1", delay=1.2, magnitude=4.0)]
    usable, left_out = catalog_sources(Catalog(events))
    assert [values["source_id"] for _, values in usable] == ["nc_Event_1", "uw_Event_1"]
    assert [values["source_magnitude"] for _, values in usable] == [4.46, 4.0]
    assert not left_out


def test_the_same_event_twice_is_used_once(caplog):
    picked = make_event("smi:nc/7")
    picked.picks = [Pick(time=TIME + 3.0)]
    catalog = [make_event("smi:nc/7"), picked, make_event("smi:uw/8"), make_event("smi:uw/9", 60.0)]
    assert list(unique_events(catalog)) == [picked, catalog[3]]
    assert "1 event(s) are listed more than once and used once: 7." in caplog.text


def test_the_latest_version_of_an_event_is_used():
    old, new = make_event(magnitude=4.4), make_event(magnitude=4.5)
    for event, day in ((old, 1), (new, 2)):
        event.creation_info = CreationInfo(creation_time=UTCDateTime(2020, 1, day))
    for events in ([old, new], [new, old]):
        assert list(unique_events(events)) == [new]


def test_close_events_are_kept_and_named(caplog):
    events = [make_event("smi:a/1"), make_event("smi:b/2", 1.0, 4.3), make_event("smi:c/3", 3.5)]
    assert len(unique_events(events)) == 3
    assert "1 pair(s) of events" in caplog.text
    assert "smi:a/1 and smi:b/2" in caplog.text


def test_a_file_with_one_event_twice_is_a_file_of_one_event(tmp_path):
    Catalog([make_event(), make_event()]).write(tmp_path / "twice.xml", "QUAKEML")
    assert event_id(read_event(tmp_path / "twice.xml")) == "ev1"


def test_magnitude_that_is_used():
    event = make_event(magnitude=4.2, magnitude_type="ML")
    assert preferred_magnitude(event).mag == 4.2
    event.magnitudes.append(Magnitude(mag=4.5, magnitude_type="Mwr"))
    assert preferred_magnitude(event).mag == 4.5
    event.preferred_magnitude_id = event.magnitudes[0].resource_id
    assert preferred_magnitude(event).mag == 4.2
    assert preferred_magnitude(Event()) is None


@pytest.mark.parametrize(
    ("given", "written"), [("ML", "ML"), ("Md", "Md"), ("mww", "mww"), (None, None)]
)
def test_the_type_of_a_magnitude_is_kept(given, written):
    table = cross(source(event=make_event(magnitude_type=given)), from_points(4.0, (37.9, -122.0)))
    buffer = io.BytesIO()
    to_catalog(table).write(buffer, "QUAKEML")
    buffer.seek(0)
    assert obspy.read_events(buffer)[0].preferred_magnitude().magnitude_type == written


def test_given_magnitudes_are_moment_magnitudes():
    ml = make_event(magnitude_type="ML")
    assert source(4.1, event=ml)["source_magnitude_type"].tolist() == ["Mw"]
    assert to_catalog(from_points(4.0, (37.9, -122.0)))[0].magnitudes[0].magnitude_type == "Mw"


def test_other_magnitudes_than_those_of_the_training_are_said():
    events = [make_event(f"smi:x/{t}", magnitude_type=t) for t in ("ML", "mw", "Mwc", "M", "md")]
    tables = [cross(source(event=event), from_points(4.0, (37.9, -122.0))) for event in events]
    ml, *_, md = tables
    with pytest.warns(ExtrapolationWarning, match="1 of 1 .* type ML .1., which .* without conv"):
        (message,) = check_magnitude_types(ml)
    assert message.endswith("the model was trained on Mw.")
    assert [check_magnitude_types(table) for table in tables[1:4]] == [[], [], []]
    assert check_magnitude_types(ml, ["ml"]) == []
    with pytest.warns(ExtrapolationWarning, match="trained on ML"):
        assert check_magnitude_types(md, ["ML"])
    assert check_magnitude_types(from_points(4.0, (37.9, -122.0))) == []
    assert magnitude_types(ml) == {"ML": 1}


def test_events_without_depth_get_8_km(caplog):
    values = event_source(make_event(depth=None))
    assert values["source_depth_km"] == 8.0 and values["source_depth_is_estimated"]
    assert "1 event(s) without depth get 8 km, for example ev1." in caplog.text
    assert "source_depth_is_estimated" not in event_source(make_event())
    given = source(depth_km=5.0, event=make_event(depth=None)).iloc[0]
    assert given["source_depth_km"] == 5.0 and "source_depth_is_estimated" not in given


def test_events_that_cannot_be_used_are_counted(caplog):
    nameless, timeless = make_event("smi:x/1"), make_event("smi:x/2")
    nameless.magnitudes, timeless.origins[0].time = [], None
    usable, left_out = catalog_sources(Catalog([nameless, timeless, make_event("smi:x/3")]))
    assert [values["source_id"] for _, values in usable] == ["3"]
    assert [name for name, _ in left_out] == ["1", "2"]
    assert "has no source_magnitude" in left_out[0][1]
    assert "has no source_origin_time" in left_out[1][1]
    assert "2 of 3 event(s) left out" in caplog.text
    with pytest.raises(ScenarioError, match="Event 2 has no source_origin_time"):
        event_source(timeless)
