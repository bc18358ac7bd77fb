"""Recorded motion against the same records processed by others, and its bad inputs."""

import logging
import shutil

import numpy as np
import obspy
import pytest
from obspy import Stream, UTCDateTime
from seisbench.data import WaveformDataset
from small_archives import ORIGIN, RATE, channel, counts
from small_archives import inventory as made

from cgmgm_seis.datasets.records import read_observed, to_velocity
from cgmgm_seis.errors import DatasetError, ScenarioError
from cgmgm_seis.scenario.obspy_files import read_event, read_inventory

EMPTY_STATIONXML = """<?xml version="1.0" encoding="UTF-8"?>
<FDSNStationXML xmlns="http://www.fdsn.org/xml/station/1" schemaVersion="1.1">
  <Source>none</Source><Created>2020-01-01T00:00:00Z</Created>
</FDSNStationXML>
"""


@pytest.fixture(scope="module")
def inventory(pleasant_hill):
    return read_inventory(pleasant_hill / "raw" / "*.xml")


@pytest.fixture(scope="module")
def origin_time(pleasant_hill):
    return read_event(pleasant_hill / "event.xml").preferred_origin().time


@pytest.fixture(scope="module")
def observed(pleasant_hill, inventory, origin_time):
    return read_observed(pleasant_hill / "raw" / "*.mseed", inventory, origin_time)


def test_event(pleasant_hill):
    event = read_event(pleasant_hill / "event.xml")
    assert event.preferred_magnitude().mag == 4.46


def test_eleven_stations_on_one_time_axis(observed, origin_time):
    assert len(observed) == 33
    assert len({(trace.stats.network, trace.stats.station) for trace in observed}) == 11
    for trace in observed:
        assert trace.stats.sampling_rate == 100.0
        assert trace.stats.starttime == origin_time - 5
        assert trace.stats.endtime <= origin_time + 55 - 0.01
        assert np.isfinite(trace.data).all()
        assert 1e-3 < np.abs(trace.data).max() < 0.1
    complete = [trace for trace in observed if trace.stats.npts == 6000]
    assert len(complete) == 24  # the three CE stations stopped 40 to 45 s after the origin


def test_clipped_seismometers_are_passed_over(observed):
    assert {trace.stats.channel[:2] for trace in observed.select(station="BRIB")} == {"HN"}


def test_agrees_with_the_same_records_processed_by_others(
    whole_pleasant_hill, bay_area_records, origin_time
):
    """1-15 Hz, where both processings are flat; all 13 instruments, clipped ones too."""
    raw_files = whole_pleasant_hill / "raw"
    inventory = read_inventory(raw_files / "*.xml")
    dataset = WaveformDataset(bay_area_records, component_order="ZNE")
    rows = dataset.metadata.query("source_id == 'nc73291880'")
    assert len(rows) == 13
    misfits = {}
    for index, row in rows.iterrows():
        reference, metadata = dataset.get_sample(index)
        location = metadata["station_location_code"]
        location = "*" if location != location else f"{location}".removesuffix(".0").zfill(2)
        name = f"{row.station_network_code}.{row.station_code}.{location}.{row.trace_channel}?"
        files = raw_files.glob(f"*.{row.station_code}.*.{row.trace_channel}*.mseed")
        raw = Stream()
        for path in files:
            raw += obspy.read(path)
        raw = raw.select(id=name.replace("*", ""))
        raw.trim(origin_time - 65, origin_time + 115)
        assert len(raw) == 3, name
        clipped = row.station_code == "BRIB" and row.trace_channel in ("BH", "HH")
        for trace in raw:  # the response is linear: scaled records do not count as clipped
            trace.data = trace.data * (0.5 if clipped else 1.0)
        velocity = to_velocity(raw, inventory, origin_time - 5, 100.0, (0.5, 20.0))
        for component, samples, trace in zip("ZNE", reference, velocity, strict=True):
            if row.station_code == "BRIB" and row.trace_channel == "HN" and component != "Z":
                continue  # its sensor points to 15 and 105 degrees; the reference is not turned
            theirs = trace.copy()
            theirs.data = samples.astype(float)
            theirs.stats.starttime = UTCDateTime(row.trace_start_time)
            pair = Stream([theirs, trace.copy()])
            pair.filter("bandpass", freqmin=1, freqmax=15, corners=4, zerophase=True)
            start = origin_time - 4
            last = min(trace.stats.endtime for trace in pair)
            npts = int(min(last - start - 2, 55) * 100)
            pair.interpolate(100.0, "lanczos", start, npts, a=20)
            a, b = pair[0].data, pair[1].data * (2.0 if clipped else 1.0)
            misfits[trace.id] = np.sqrt(np.mean((a - b) ** 2) / np.mean(a**2))
    assert len(misfits) == 37
    assert max(misfits.values()) < 0.03, misfits
    assert np.median(list(misfits.values())) < 0.005


def test_turned_horizontals_match_the_seismometer_beside(whole_pleasant_hill, origin_time):
    """BRIB's accelerometer points to 15 and 105 degrees; turned east agrees with HHE."""
    inventory, raw = read_inventory(whole_pleasant_hill / "raw" / "BK.BRIB.xml"), {}
    for code in ("HH", "HN"):
        raw[code] = Stream()
        for path in (whole_pleasant_hill / "raw").glob(f"BK.BRIB.01.{code}*.mseed"):
            raw[code] += obspy.read(path).trim(origin_time - 30, origin_time + 60)
        for trace in raw[code]:
            trace.data = trace.data * 0.5
    east = [
        to_velocity(raw[code], inventory, origin_time, 100.0, (1.0, 15.0))
        .select(component="E")[0]
        .slice(origin_time, origin_time + 30)
        .data
        for code in ("HH", "HN")
    ]
    assert np.sqrt(np.mean((east[0] - east[1]) ** 2) / np.mean(east[0] ** 2)) < 0.1


def test_says_what_was_resampled_and_replaced(pleasant_hill, inventory, origin_time, caplog):
    caplog.set_level(logging.INFO, "cgmgm_seis")
    files = [pleasant_hill / "raw" / f"{name}*.mseed" for name in ("BK.BRIB", "NP.1691")]
    stream = read_observed(files, inventory, origin_time)
    assert len(stream) == 6
    assert "NP.1691..HN (200 Hz)" in caplog.text
    assert "BK.BRIB.01.BH is clipped" in caplog.text


def test_missing_component_gap_and_response(pleasant_hill, inventory, origin_time, caplog):
    folder = pleasant_hill / "raw"
    with pytest.raises(DatasetError, match="None of the 1 station"):
        read_observed(folder / "NC.CTA..HN[ZN]*.mseed", inventory, origin_time)
    assert "NC.CTA..HN has the components NZ; three are needed." in caplog.text
    without = inventory.select(station="CRH")
    with pytest.raises(DatasetError, match="None of the 1 station"):
        read_observed(folder / "NC.CTA*.mseed", without, origin_time)
    assert "NC.CTA..HN has no usable response" in caplog.text
    with pytest.raises(DatasetError, match="samples around 2001"):
        read_observed(folder / "NC.CTA*.mseed", inventory, UTCDateTime(2001, 1, 1))
    raw = obspy.read(folder / "NC.CTA..HNZ*.mseed")
    gap = raw.slice(endtime=origin_time) + raw.slice(origin_time + 1)
    horizontals = obspy.read(folder / "NC.CTA..HN[NE]*.mseed")
    with pytest.raises(DatasetError, match="gap"):
        to_velocity((gap + horizontals).merge(), inventory, origin_time, 100.0, (0.5, 20.0))


def test_unreadable_files(tmp_path):
    nothing, text, empty = tmp_path / "no.xml", tmp_path / "text.xml", tmp_path / "empty.xml"
    text.write_text("hello")
    empty.write_text("")
    for path in (text, empty):
        with pytest.raises(ScenarioError, match="not a readable StationXML"):
            read_inventory(path)
        with pytest.raises(ScenarioError, match="not a readable QuakeML"):
            read_event(path)
        with pytest.raises(DatasetError, match="not a readable waveform"):
            read_observed(path, obspy.Inventory(), UTCDateTime(0))
    with pytest.raises(ScenarioError, match=r"No file matches .*no\.xml"):
        read_inventory(nothing)
    with pytest.raises(
        ScenarioError, match=r"no\.xml is not a readable QuakeML file: No such file"
    ):
        read_event(nothing)
    # ObsPy's own text names a temporary file.
    with pytest.raises(ScenarioError, match=r"text\.xml is not .* file: unknown format\.$"):
        read_event(text)
    with pytest.raises(ScenarioError, match=r"empty\.xml is not .* file: it is empty\.$"):
        read_event(empty)
    with pytest.raises(DatasetError, match="No file matches"):
        read_observed(tmp_path / "*.mseed", obspy.Inventory(), UTCDateTime(0))


def test_inventory_without_stations(tmp_path):
    (tmp_path / "none.xml").write_text(EMPTY_STATIONXML)
    with pytest.raises(ScenarioError, match="contains no stations"):
        read_inventory(tmp_path / "none.xml")


def test_two_events(tmp_path, pleasant_hill):
    catalog = obspy.read_events(pleasant_hill / "event.xml")
    later = catalog.copy()
    later[0].resource_id = "smi:local/later"
    later[0].preferred_origin().time += 86400
    (catalog + later).write(tmp_path / "two.xml", "QUAKEML")
    with pytest.raises(ScenarioError, match="contains 2 events; it must contain exactly one"):
        read_event(tmp_path / "two.xml")


def test_files_that_are_no_waveforms_are_skipped(
    tmp_path, pleasant_hill, inventory, origin_time, caplog
):
    for path in (pleasant_hill / "raw").glob("NC.CTA*.mseed"):
        shutil.copy(path, tmp_path)
    (tmp_path / "README.txt").write_text("Downloaded on Tuesday.")
    (tmp_path / "newer.mseed").write_bytes(b"MS\x03" + bytes(100))
    stream = read_observed([tmp_path / "*"], inventory, origin_time)
    assert len(stream) == 3
    assert f"{tmp_path / 'README.txt'} is skipped: unknown format." in caplog.text
    assert "newer.mseed is skipped: MiniSEED 3, which ObsPy does not read" in caplog.text


def test_the_same_file_twice(tmp_path, pleasant_hill, origin_time):
    for name in ("a.xml", "b.xml"):
        shutil.copy(pleasant_hill / "raw" / "NC.CTA.xml", tmp_path / name)
    # The same file named twice is read once.
    assert len(read_inventory([tmp_path / "a.xml", tmp_path / "a*.xml"]).networks) == 1
    twice = read_inventory(tmp_path / "*.xml")
    assert len(read_observed(pleasant_hill / "raw" / "NC.CTA*.mseed", twice, origin_time)) == 3


def test_a_response_that_is_no_number_is_not_used():
    stream, channels = counts(), [channel(f"HN{c}", gain=float("nan")) for c in "ZNE"]
    with pytest.raises(DatasetError, match="HN has samples that are not finite after the response"):
        to_velocity(stream, made(channels), ORIGIN, RATE, (0.5, 40.0))
