"""Streams, inventories and catalogues against ObsPy's own readers and validators."""

from io import BytesIO

import numpy as np
import obspy
import pandas as pd
import pytest
from obspy import UTCDateTime
from obspy.geodetics import gps2dist_azimuth
from obspy.io.quakeml.core import _validate
from obspy.io.stationxml.core import validate_stationxml

from cgmgm_seis import receivers
from cgmgm_seis.errors import OutputError, ScenarioError
from cgmgm_seis.scenario.streams import (
    channel_code,
    location_code,
    to_catalog,
    to_inventory,
    to_stream,
)
from cgmgm_seis.scenario.table import PATH_COLUMNS, from_event_and_inventory, from_points
from cgmgm_seis.scenario.window import Window

POINTS = [(37.876, -122.236), (37.9, -122.0)]


def make(scenario, n_realizations=2, component_order="ZNE", sampling_rate=100.0, n_samples=50):
    shape = (len(scenario), n_realizations, len(component_order), n_samples)
    waveforms = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    window = Window(component_order, sampling_rate, -5.0, n_samples)
    return waveforms, to_stream(waveforms, scenario, window)


@pytest.fixture
def scenario():
    return from_points(4.5, (37.938, -122.057), POINTS, origin_time="2019-10-15T05:33:42.81")


def test_traces_carry_samples_codes_times_and_places(scenario):
    waveforms, stream = make(scenario)
    assert len(stream) == 2 * 2 * 3
    trace = stream[(1 * 2 + 1) * 3 + 2]  # record 1, realization 1, component E
    assert trace.id == "SY.V0001.01.HXE"
    np.testing.assert_array_equal(trace.data, waveforms[1, 1, 2])
    assert trace.data.dtype == np.float32
    assert trace.stats.starttime == UTCDateTime("2019-10-15T05:33:37.81")
    assert trace.stats.coordinates == {"latitude": 37.9, "longitude": -122.0, "elevation": 0.0}
    distance, _, back_azimuth = gps2dist_azimuth(37.938, -122.057, 37.9, -122.0)
    assert trace.stats.distance == pytest.approx(distance)
    assert trace.stats.back_azimuth == pytest.approx(back_azimuth)


@pytest.mark.parametrize(
    ("rate", "band"),
    [(1000, "F"), (250, "C"), (200, "H"), (100, "H"), (40, "B"), (5, "M"), (1, "L")],
)
def test_band_codes(rate, band):
    assert channel_code("Z", rate) == f"{band}XZ"


def test_location_codes_are_base_36():
    assert [location_code(k) for k in (0, 9, 10, 36, 1295)] == ["00", "09", "0A", "10", "ZZ"]


def test_too_many_realizations(scenario):
    with pytest.raises(OutputError, match=r"1297 realizations .* 1296"):
        make(scenario, n_realizations=1297, n_samples=1)


def test_wrong_shape(scenario):
    with pytest.raises(OutputError, match=r"\(1, 1, 3, 9\)"):
        to_stream(np.zeros((1, 1, 3, 9)), scenario, Window("ZNE", n_samples=9))
    with pytest.raises(OutputError, match="10 samples"):
        to_stream(np.zeros((2, 1, 3, 9)), scenario, Window("ZNE", n_samples=10))


@pytest.mark.parametrize("code", ["", " ", "A\nB"])
def test_codes_that_no_format_can_hold(scenario, code):
    scenario.loc[0, "station_code"] = code
    with pytest.raises(OutputError, match=r"station_code = .* at least one printable character"):
        make(scenario)


def test_one_channel_at_one_time(scenario):
    twice = pd.concat([scenario, scenario.iloc[:1]], ignore_index=True)
    with pytest.raises(OutputError, match=r"SY\.V0000 has two records"):
        make(twice)
    # A later earthquake at the same stations is no contradiction.
    later = scenario.assign(source_id="later", source_origin_time="2020-01-01T00:00:00")
    _, stream = make(pd.concat([scenario, later], ignore_index=True))
    assert len(stream) == 4 * 2 * 3


def test_inventory_validates_and_reads_back(scenario):
    _, stream = make(scenario)
    buffer = BytesIO()
    inventory = to_inventory(stream, "CGMGM, seed 1")
    inventory.write(buffer, format="STATIONXML")
    valid, errors = validate_stationxml(BytesIO(buffer.getvalue()))
    assert valid, errors
    back = obspy.read_inventory(BytesIO(buffer.getvalue()))
    # The receivers can be used again for an earthquake of another year.
    assert len(receivers(back, "1990-01-01")) == len(scenario)
    assert back.get_contents()["channels"] == inventory.get_contents()["channels"]
    assert set(back.get_contents()["channels"]) == {trace.id for trace in stream}
    channel = back[0][0][0]
    assert channel.comments[0].value == "CGMGM, seed 1"
    assert "realization 00" in channel.description
    assert (channel.azimuth, channel.dip) == (0.0, -90.0)
    assert channel.sample_rate == 100.0
    coordinates = back.get_coordinates("SY.V0001.01.HXE", stream[0].stats.starttime + 0.1)
    assert (coordinates["latitude"], coordinates["longitude"]) == (37.9, -122.0)


def test_inventory_keeps_the_rules_of_iris(scenario):
    """Rules of IRIS's StationXML validator by number, beyond the schema; checked with its port."""
    _, stream = make(scenario)
    inventory = to_inventory(stream, "CGMGM, seed 1", gain=1e9)
    for network in inventory:
        assert network.description
        for station in network:
            assert station.start_date >= network.start_date  # 112
            assert station.end_date is None and station.start_date is not None  # 210
            for channel in station:
                assert station.start_date <= channel.start_date < channel.end_date  # 212, 310
                assert channel.sensor.description  # 304
                (stage,) = channel.response.response_stages
                sensitivity = channel.response.instrument_sensitivity
                units = {"m/s"} | {sensitivity.input_units, stage.input_units}
                assert units == {"m/s"}  # 402, 407
                assert sensitivity.output_units == stage.output_units == "count"  # 321, 406, 407
                assert sensitivity.value == stage.stage_gain == 1e9  # 410, 412, 413
                assert sensitivity.frequency < channel.sample_rate / 2  # 411
                rate = stage.decimation_input_sample_rate / stage.decimation_factor
                assert rate == channel.sample_rate  # 404, 420, 421
    assert to_inventory(stream, "", gain=2.0)[0].description.startswith("Virtual receivers")
    scenario["station_network_code"] = "BK"
    _, real = make(scenario)
    assert to_inventory(real, "")[0].description.endswith("at stations of the network BK")


def test_response_is_the_identity(scenario):
    _, stream = make(scenario, n_samples=1000)
    inventory = to_inventory(stream, "")
    response = inventory[0][0][0].response
    frequencies = np.array([0.01, 1.0, 20.0])
    np.testing.assert_allclose(
        response.get_evalresp_response_for_frequencies(frequencies, output="VEL"), 1.0, rtol=1e-6
    )
    # ObsPy clears the mean and the Nyquist frequency itself.
    original = stream[0].copy().taper(0.1).filter("bandpass", freqmin=1, freqmax=40)
    trace = original.copy().remove_response(inventory, output="VEL", water_level=None, taper=False)
    np.testing.assert_allclose(trace.data, original.data, atol=1e-3)


def test_catalog_validates_and_gives_the_scenario_back(scenario):
    second = from_points(3.0, (37.5, -122.0), POINTS, 12.34, "2021-05-01T10:00:00.5", "b/ ü")
    both = pd.concat([scenario, second], ignore_index=True)
    catalog = to_catalog(both)
    buffer = BytesIO()
    catalog.write(buffer, format="QUAKEML")
    assert _validate(BytesIO(buffer.getvalue()))
    back = obspy.read_events(BytesIO(buffer.getvalue()))
    assert len(back) == 2
    assert back[1].preferred_origin().depth == pytest.approx(12340.0)
    _, stream = make(scenario)
    again = from_event_and_inventory(back[0], to_inventory(stream, ""))
    columns = [column for column in scenario if column not in PATH_COLUMNS]
    pd.testing.assert_frame_equal(again[columns], scenario[columns])


def test_catalog_says_that_it_is_a_scenario(scenario):
    """And the same scenario gives the same file."""
    contents = []
    for _ in range(2):
        buffer = BytesIO()
        to_catalog(scenario).write(buffer, format="QUAKEML")
        contents.append(buffer.getvalue())
    assert contents[0] == contents[1]
    (event,) = obspy.read_events(BytesIO(contents[0]))
    assert event.event_descriptions[0].text == "Scenario earthquake"
    assert "not an observation" in event.comments[0].text
    assert event.creation_info.agency_id == "cgmgm-seis"
    assert event.creation_info.author.startswith("cgmgm-seis ")


def test_contradicting_sources(scenario):
    scenario.loc[1, "source_magnitude"] = 3.0
    with pytest.raises(ScenarioError, match="Source scenario has more than one"):
        to_catalog(scenario)
