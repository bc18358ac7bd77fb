"""Figures: what is drawn where, on which scale, and that the files are pictures."""

import sys

import numpy as np
import pytest
from obspy import Stream, UTCDateTime

from cgmgm_seis.errors import ScenarioError
from cgmgm_seis.output.plots import (
    GENERATED,
    P_COLOUR,
    RECORDED,
    S_COLOUR,
    plot_comparison,
    plot_generated_and_observed,
    plot_record_section,
)
from cgmgm_seis.scenario.streams import to_stream
from cgmgm_seis.scenario.table import from_points
from cgmgm_seis.scenario.travel_times import bay_area_travel_times
from cgmgm_seis.scenario.window import Window

LABEL = "CGMGM, weights tiny (simulated training data)"


@pytest.fixture
def run():
    points = [(37.876, -122.236), (37.9, -122.0), (37.5, -122.3)]
    scenario = from_points(4.5, (37.938, -122.057), points, origin_time="2019-10-15T05:33:42.81")
    samples = np.random.default_rng(0).normal(size=(3, 2, 3, 6000)) * 1e-3
    stream = to_stream(samples, scenario, Window("ZNE", 100.0, -5.0, samples.shape[-1]))
    arrivals = bay_area_travel_times().at(scenario.source_depth_km, scenario.path_ep_distance_km)
    return stream, scenario, arrivals


def record(stream):
    """Make a Stream look recorded: real channels, twice the motion, cut at both ends."""
    observed = stream.select(location="00").copy()
    for trace in observed:
        trace.stats.channel = "HN" + trace.stats.component
        trace.stats.location = ""
        trace.data = trace.data * 2
    return observed.filter("bandpass", freqmin=0.5, freqmax=20, corners=4, zerophase=True).trim(
        observed[0].stats.starttime + 3, observed[0].stats.starttime + 40
    )


def lines(axes, colour):
    return [line for line in axes.lines if line.get_color() == colour]


def test_record_section(run, tmp_path):
    stream, scenario, arrivals = run
    figure = plot_record_section(stream, scenario, arrivals, label=LABEL)
    assert len(figure.axes) == 3
    assert LABEL in figure.get_suptitle()
    for axes in figure.axes:
        traces = lines(axes, RECORDED)
        assert len(traces) == 3
        levels = sorted(np.median(line.get_ydata()) for line in traces)
        np.testing.assert_allclose(levels, sorted(scenario.path_ep_distance_km), atol=1.0)
        for colour, times in zip((P_COLOUR, S_COLOUR), arrivals, strict=True):
            (curve,) = lines(axes, colour)
            np.testing.assert_allclose(sorted(curve.get_xdata()), sorted(times))
    figure.savefig(tmp_path / "section.png")
    assert (tmp_path / "section.png").read_bytes().startswith(b"\x89PNG")


def test_record_section_of_one_component_and_station(run):
    stream, scenario, arrivals = run
    one = Stream([trace for trace in stream if trace.stats.station == "V0000"]).select(
        component="E"
    )
    first = (arrivals[0][:1], arrivals[1][:1])
    figure = plot_record_section(one, scenario.iloc[:1], first, label=LABEL)
    assert len(figure.axes) == 1


def test_record_section_of_zeros(run):
    stream, scenario, arrivals = run
    for trace in stream:
        trace.data[:] = 0
    assert plot_record_section(stream, scenario, arrivals, label=LABEL).axes


def test_generated_over_observed(run, tmp_path):
    stream, scenario, arrivals = run
    observed = record(stream)
    figure = plot_generated_and_observed(stream, observed, scenario, arrivals, label=LABEL)
    assert len(figure.axes) == 9
    order = np.argsort(scenario.path_ep_distance_km.to_numpy())
    for number, axes in enumerate(figure.axes):
        row = order[number // 3]
        (generated,), (recorded,) = lines(axes, GENERATED), lines(axes, RECORDED)
        # One scale: the recorded motion is twice the generated one, at the same times.
        both = np.isin(np.round(generated.get_xdata(), 3), np.round(recorded.get_xdata(), 3))
        a = generated.get_ydata()[both] - 0.8
        b = recorded.get_ydata() + 0.8
        assert np.corrcoef(a, b)[0, 1] > 0.99
        assert np.std(b) / np.std(a) == pytest.approx(2.0, rel=0.02)
        marks = [lines(axes, colour)[0].get_xdata()[0] for colour in (P_COLOUR, S_COLOUR)]
        np.testing.assert_allclose(marks, [arrivals[0][row], arrivals[1][row]])
        peaks = [float(text.get_text()) for text in axes.texts]
        trace = observed.select(station=scenario.station_code[row])[number % 3]
        assert peaks[1] == pytest.approx(1000 * np.abs(trace.data).max(), rel=0.01)
    figure.savefig(tmp_path / "both.png")
    assert (tmp_path / "both.png").read_bytes().startswith(b"\x89PNG")


def test_stations_that_were_not_recorded_are_left_out(run):
    stream, scenario, arrivals = run
    observed = record(stream).select(station="V0001")
    figure = plot_generated_and_observed(stream, observed, scenario, arrivals, label=LABEL)
    assert len(figure.axes) == 3
    with pytest.raises(ScenarioError, match="0 of the 3 stations"):
        plot_generated_and_observed(stream, Stream(), scenario, arrivals, label=LABEL)


def test_comparison(run, tmp_path):
    stream, scenario, arrivals = run
    observed = record(stream)
    streams = {"recorded": observed, "CGMGM": stream}
    figure = plot_comparison(streams, scenario, arrivals, label=LABEL, row=1, component="N")
    assert LABEL in figure.get_suptitle()
    assert scenario.station_code[1] in figure.get_suptitle()
    waves, spectra, (bar,) = figure.axes[:2], figure.axes[2:4], figure.axes[4:]
    assert [axes.get_title() for axes in waves] == ["recorded", "CGMGM"]
    assert waves[0].get_ylim() == waves[1].get_ylim()
    for axes, shown in zip(waves, streams.values(), strict=True):
        (wave,) = lines(axes, RECORDED)
        trace = shown.select(station=scenario.station_code[1], component="N")[0]
        np.testing.assert_array_equal(wave.get_ydata(), trace.data)
        origin = UTCDateTime(scenario.source_origin_time[1])
        assert wave.get_xdata()[0] == pytest.approx(trace.stats.starttime - origin)
    for axes in (*waves, *spectra):
        marks = [lines(axes, colour)[0].get_xdata()[0] for colour in (P_COLOUR, S_COLOUR)]
        np.testing.assert_allclose(marks, [arrivals[0][1], arrivals[1][1]])
    meshes = [axes.collections[0] for axes in spectra]
    assert meshes[0].norm is meshes[1].norm
    assert bar.get_ylim() == pytest.approx((meshes[0].norm.vmin, meshes[0].norm.vmax))
    figure.savefig(tmp_path / "comparison.png")
    assert (tmp_path / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_comparison_shows_power_density_at_its_time_and_frequency(run):
    stream, scenario, arrivals = run
    rng = np.random.default_rng(1)
    times = np.arange(6000) / 100.0 - 5.0
    sine = 1e-3 * np.sin(2 * np.pi * 12.5 * times) * (times > 10.0)
    data = {"noise": 1e-3 * rng.normal(size=6000), "sine": sine}
    streams = {}
    for name, samples in data.items():
        streams[name] = stream.copy()
        for trace in streams[name]:
            trace.data = samples
    figure = plot_comparison(streams, scenario, arrivals, label=LABEL, component="Z")
    noise, tone = (axes.collections[0] for axes in figure.axes[2:4])
    # White noise: its variance, spread from zero to the Nyquist frequency.
    assert noise.get_array().mean() == pytest.approx(1e-6 / 50.0, rel=0.05)
    power, corners = tone.get_array(), tone.get_coordinates()
    centres = 0.25 * (corners[1:, 1:] + corners[1:, :-1] + corners[:-1, 1:] + corners[:-1, :-1])
    loudest = np.unravel_index(power.argmax(), power.shape)
    assert centres[loudest][1] == pytest.approx(12.5, abs=0.4)
    # Energy of the tone: half its squared amplitude, at times after its start only.
    total = power.sum(axis=0) * np.diff(centres[:2, 0, 1])
    after = centres[0, :, 0] > 10.5
    np.testing.assert_allclose(total[after], 0.5e-6, rtol=0.01)
    assert total[centres[0, :, 0] < 9.5].max() == 0.0


def test_comparison_of_zeros_and_of_a_missing_component(run):
    stream, scenario, arrivals = run
    silent = stream.copy()
    for trace in silent:
        trace.data = np.zeros(6000)
    assert plot_comparison({"silence": silent}, scenario, arrivals, label=LABEL).axes
    partial = stream.select(component="Z")
    with pytest.raises(ScenarioError, match="'CGMGM' has no trace of component E at station SY"):
        plot_comparison({"CGMGM": partial}, scenario, arrivals, label=LABEL)


def test_no_global_state(run):
    had_pyplot = "matplotlib.pyplot" in sys.modules
    plot_record_section(*run, label=LABEL)
    assert ("matplotlib.pyplot" in sys.modules) == had_pyplot
