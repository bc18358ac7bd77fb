"""Responses, epochs and orientations of channels, against a record of known velocity."""

import warnings

import numpy as np
import pytest
from obspy import UTCDateTime
from small_archives import (
    GAIN,
    ORIGIN,
    PGV,
    RATE,
    G,
    channel,
    counts,
    inventory,
    sensitivity,
)

from cgmgm_seis.datasets.instruments import channel_at, motion_unit, orientation, units_source
from cgmgm_seis.datasets.records import by_preference, remove_instrument
from cgmgm_seis.datasets.traces import instruments_of
from cgmgm_seis.errors import DatasetError

CODES = ("HNZ", "HNN", "HNE")
# Accelerometers: the unit as found in archives, and m/s**2 per unit.
ACCELERATIONS = {
    "M/S**2": 1.0,
    "m/s**2": 1.0,
    "M/S^2": 1.0,
    "M/S2": 1.0,
    "M/S/S": 1.0,
    "M/S**2 ": 1.0,
    "M/SEC**2": 1.0,
    "M/(S**2)": 1.0,
    "CM/S**2": 1e-2,
    "CM/SEC**2": 1e-2,
    "CM/(S**2)": 1e-2,
    "GAL": 1e-2,
    "MM/S/S": 1e-3,
    "NM/S**2": 1e-9,
    "NM/(SEC**2)": 1e-9,
    "um/s^2": 1e-6,
    "\N{MICRO SIGN}m/s\N{SUPERSCRIPT TWO}": 1e-6,
    "G": G,
    "g": G,
}


def pgv(channels, traces=None):
    """Return the peak velocity after removal of the instrument, m/s, without the ends."""
    stream = remove_instrument(
        traces or counts(), inventory(channels), ORIGIN, RATE, (0.1, 0.2, 40.0, 45.0)
    )
    assert [trace.stats.component for trace in stream] == ["Z", "N", "E"]
    return max(np.abs(trace.data[2000:-2000]).max() for trace in stream)


@pytest.mark.parametrize("unit", ACCELERATIONS)
def test_units_of_accelerometers(unit):
    gain = GAIN * ACCELERATIONS[unit]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of units that ObsPy does not know
        found = pgv([channel(code, unit=unit, gain=gain) for code in CODES])
    assert found == pytest.approx(PGV, rel=1e-3)
    only = [channel(code, response=sensitivity(unit, gain)) for code in CODES]
    assert pgv(only) == pytest.approx(PGV, rel=1e-3)


@pytest.mark.parametrize(
    ("unit", "factor"), [("NM/S", 1e-9), ("cm/sec", 1e-2), ("MM/S", 1e-3), ("m/s ", 1.0)]
)
def test_units_of_seismometers(unit, factor):
    """The record is then of a velocity: its derivative was never taken."""
    channels = [channel(code, unit=unit, gain=GAIN * factor) for code in CODES]
    expected = max(np.abs(trace.data[2000:-2000]).max() for trace in counts()) / GAIN
    assert pgv(channels) == pytest.approx(expected, rel=5e-3)
    assert motion_unit("NM") == ("M", 1e-9)


@pytest.mark.parametrize("unit", ["(M/S)**2", "V", "PA", "", None, "M/M", "KM/FORTNIGHT", "COUNTS"])
def test_instruments_of_other_units_are_refused_by_name(unit):
    with pytest.raises(DatasetError, match=r"XX\.AAA\.\.HN has no .*: the input unit of HNZ is"):
        pgv([channel(code, unit=unit) for code in CODES])


def test_units_that_disagree_are_refused():
    for_sensitivity = [channel(code, unit="M/S") for code in CODES]
    for one in for_sensitivity:
        one.response.instrument_sensitivity.input_units = "M/S**2"
    with pytest.raises(DatasetError, match=r"'M/S' in its first stage and 'M/S\*\*2'"):
        pgv(for_sensitivity)
    # ObsPy takes units that it does not know, and scaled ones, for equal in later stages.
    for into, allowed in (("MV", True), ("V ", False), ("CM/S", False), (None, True)):
        channels = [channel(code) for code in CODES]
        for one in channels:
            first = one.response.response_stages[0]
            second = channel(one.code, gain=1.0).response.response_stages[0]
            first.output_units, second.stage_sequence_number = "mv", 2
            second.input_units = into
            one.response.response_stages.append(second)
        if allowed:
            assert pgv(channels) == pytest.approx(PGV, rel=1e-3)
        else:
            with pytest.raises(DatasetError, match="has the output unit 'mv', and the following"):
                pgv(channels)


@pytest.mark.parametrize("missing", ["stage_gain", "stage_gain_frequency"])
def test_a_stage_without_gain_is_refused(missing):
    channels = [channel(code) for code in CODES]
    setattr(channels[1].response.response_stages[0], missing, None)
    with pytest.raises(DatasetError, match="stage 1 of the response of HNN has no gain"):
        pgv(channels)


def test_a_sensitivity_alone_is_flat():
    (broadband,) = [channel("HHZ", response=sensitivity("M/S"))]
    assert units_source(broadband) == "counts, sensitivity removed"
    assert units_source(channel("HNZ")) == "counts, response removed, integrated"
    short = [channel(f"EH{c}", response=sensitivity("M/S")) for c in "ZNE"]
    with pytest.raises(DatasetError, match="short-period seismometer, has no stages"):
        pgv(short, counts(code="EH"))
    nothing = [channel(code, response=sensitivity(gain=0.0)) for code in CODES]
    with pytest.raises(DatasetError, match="no stages and no sensitivity"):
        pgv(nothing)


def test_epochs_are_judged_at_the_time():
    before, later = UTCDateTime(2010, 1, 1), UTCDateTime(2015, 1, 1)
    old = channel("HNZ", gain=1.0, start_date=before, end_date=later + 900)
    new = channel("HNZ", start_date=later)
    stations = inventory([old, new])
    assert channel_at(stations, "XX.AAA..HNZ", ORIGIN) is new
    assert channel_at(stations, "XX.AAA..HNZ", later - 1) is old
    with pytest.raises(DatasetError, match="has 2 different descriptions at 2015-01-01"):
        channel_at(stations, "XX.AAA..HNZ", later + 1)
    with pytest.raises(DatasetError, match="the inventory has none"):
        channel_at(stations, "XX.AAA..HNZ", before - 1)
    # The same description twice, as of one file given twice, is no contradiction.
    twice = inventory() + inventory()
    assert channel_at(twice, "XX.AAA..HNZ", ORIGIN).code == "HNZ"


def test_missing_orientations():
    assert orientation(channel("HNZ", azimuth=None)) == (0.0, -90.0)
    assert orientation(channel("HNE", azimuth=None, dip=None)) == (90.0, 0.0)
    assert orientation(channel("HNN", azimuth=17.0, dip=None)) == (17.0, 0.0)
    upside_down = [channel(code) for code in CODES]
    upside_down[0].azimuth, upside_down[0].dip = None, 90.0
    assert pgv(upside_down) == pytest.approx(PGV, rel=1e-3)
    numbered = channel("HNN", azimuth=None)
    numbered.code = "HN1"
    with pytest.raises(DatasetError, match="HN1 has no azimuth or no dip"):
        orientation(numbered)


def test_sensors_at_the_surface_come_first():
    channels = [channel(code, "00", depth=200.0) for code in CODES]
    channels += [channel(code, "10") for code in CODES]
    traces = counts(location="00") + counts(location="10") + counts(code="HH", location="00")
    channels += [channel(f"HH{c}", "00", depth=200.0) for c in "ZNE"]
    order = by_preference(instruments_of(traces), inventory(channels), ORIGIN)
    assert order == ["XX.AAA.10.HN", "XX.AAA.00.HH", "XX.AAA.00.HN"]
    traces, channels = counts(), [channel(code) for code in CODES]
    channels[0].depth = 50.0
    with pytest.raises(DatasetError, match="components are at different depths"):
        pgv(channels, traces)
