"""Traces as instruments: overlaps, sampling rates, location codes and channels without motion."""

import numpy as np
import pytest
from obspy import Inventory, Stream, Trace
from obspy.core import AttribDict
from small_archives import ORIGIN, RATE, counts

from cgmgm_seis.datasets.knet import header_channel
from cgmgm_seis.datasets.records import by_preference, clipped_peak
from cgmgm_seis.datasets.traces import instruments_of, merge
from cgmgm_seis.errors import DatasetError

NAME = "XX.AAA..HN"


def cut(stream, overlap_s=3.0, change=0):
    """Return each trace as two, of which the second repeats the end of the first."""
    first = stream.slice(endtime=ORIGIN + 12).copy()
    second = stream.slice(ORIGIN + 12 - overlap_s).copy()
    for trace in second:
        trace.data = trace.data.copy()
        trace.data[: round(overlap_s * RATE) + 1] += change
    return first + second


def test_overlaps_with_the_same_samples_are_merged():
    whole = counts()
    (found,) = instruments_of(cut(whole)).values()
    assert len(found) == 3
    for trace, expected in zip(found, whole.sort(["channel"]), strict=True):
        np.testing.assert_array_equal(trace.data, expected.data)


def test_overlaps_that_contradict_each_other_are_gaps():
    (found,) = instruments_of(cut(counts(), change=1)).values()
    gaps = found.get_gaps()
    assert len(gaps) == 3
    assert [gap[6] for gap in gaps] == pytest.approx([3.01] * 3, abs=1e-6)
    assert all(np.ma.is_masked(trace.data) for trace in merge(found))


def test_samples_that_are_not_finite_are_gaps():
    stream = counts()
    stream[0].data = stream[0].data.astype(float)
    stream[0].data[500:600] = np.nan
    (found,) = instruments_of(stream).values()
    assert [gap[7] for gap in found.get_gaps()] == [100]


def test_rates_that_are_nearly_the_same_are_one():
    stream = cut(counts(), overlap_s=-0.01)
    stream[3].stats.sampling_rate = 100.00003814697266
    (found,) = instruments_of(stream).values()
    assert {trace.stats.sampling_rate for trace in found} == {100.0}
    assert len(found) == 3 and not found.get_gaps()
    stream[3].stats.sampling_rate = 100.1
    (found,) = instruments_of(stream).values()
    with pytest.raises(DatasetError, match="HN has 2 different sampling rates"):
        merge(found)


def test_channels_of_text_are_no_motion():
    header = {"network": "XX", "station": "AAA", "channel": "LOG", "starttime": ORIGIN}
    text = Trace(np.frombuffer(b"clock locked", "S1"), header)
    assert list(instruments_of(counts() + Stream([text, Trace()]))) == [NAME]


def test_one_location_code_for_each_component():
    stream = counts()
    for trace, location in zip(stream, ("37", "38", "39"), strict=True):
        trace.stats.location = location
    found = instruments_of(stream)
    assert {name: len(traces) for name, traces in found.items()} == {"XX.AAA.37.HN": 3}
    # Two verticals: it cannot be told which one belongs to the horizontals.
    other = stream[0].copy()
    other.stats.location = "40"
    assert len(instruments_of(stream + other)) == 4


def test_sensors_of_kiknet():
    """Directions with 1 are in the borehole, with 2 at the surface."""
    stream = counts()
    for trace, direction in zip(stream, ("UD", "NS", "EW"), strict=True):
        trace.stats.channel = f"{direction}2"
        trace.stats.calib = 1e-6
        trace.stats.knet = AttribDict(stla=37.9, stlo=-122.0, stel=34.0)
    below = stream.copy()
    for trace in below:
        trace.stats.channel = f"{trace.stats.channel[:2]}1"
    found = instruments_of(below + stream)
    assert list(found) == ["XX.AAA..HN", "XX.AAA.1.HN"]
    assert by_preference(found, Inventory(), ORIGIN) == list(found)
    channel = header_channel(found["XX.AAA..HN"][0])
    assert (channel.code, channel.azimuth, channel.dip) == ("HNE", 90.0, 0.0)
    assert channel.response.instrument_sensitivity.value == pytest.approx(1e6)


@pytest.mark.parametrize(
    ("peak", "clipped"), [(0.7, False), (0.9, True), (1.1, True), (7.0, False), (240.0, True)]
)
def test_full_scale_of_24_and_32_bits(peak, clipped):
    """Peaks in full scales of 24 bits; a clipped digitizer overshoots by its decimation filter."""
    stream = counts(code="HH")
    for trace in stream:
        trace.data = trace.data / np.abs(trace.data).max() * peak * 2.0**23
    assert bool(clipped_peak(stream)) is clipped
