"""Figures of generated records: record sections and comparisons with recorded motion."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from obspy import Stream, Trace, UTCDateTime
from scipy.signal import spectrogram

from cgmgm_seis.errors import ScenarioError

Arrivals = tuple[NDArray[np.float64], NDArray[np.float64]]

GENERATED, RECORDED, P_COLOUR, S_COLOUR = "#c1440e", "#2b2b2b", "#2274a5", "#3a8f5c"
BAND_HZ = (0.5, 20.0)
COMPONENT_NAMES = {"Z": "Vertical", "N": "North", "E": "East"}
# Spectrograms: length of the Hann window and step between frames, s; highest frequency, Hz; and
# range of the colour scale, decades of power.
WINDOW_S, STEP_S = 0.8, 0.04
HIGHEST_HZ = 25.0
POWER_DECADES = 8
# Most records of a section: more would only blacken it.
SECTION_RECORDS = 200


def plot_record_section(
    stream: Stream, scenario: pd.DataFrame, arrivals: Arrivals, *, label: str
) -> Figure:
    """Plot the first realization of generated records as a section over epicentral distance.

    Each trace is normalised by its peak.

    Parameters
    ----------
    stream : obspy.Stream
        Stream created by `to_stream` from `scenario`.
    scenario : pandas.DataFrame
        Scenario table.
    arrivals : tuple of numpy.ndarray
        P and S times of every row, seconds after the origin time.
    label : str
        Title line, for example model, weights and training data.

    Returns
    -------
    matplotlib.figure.Figure
        Save it with ``figure.savefig(path)``.

    Examples
    --------
    >>> from cgmgm_seis import CGMGM, from_points
    >>> model = CGMGM.from_pretrained("bay_area")
    >>> table = from_points(4.0, (37.9, -122.1), [(37.8, -122.2), (37.7, -122.1)])
    >>> arrivals = model.travel_times.at(table["source_depth_km"], table["path_ep_distance_km"])
    >>> figure = plot_record_section(model.generate(table), table, arrivals, label="CGMGM")
    >>> len(figure.axes)
    3
    """
    records = _first_realization(stream, scenario)
    distances = scenario["path_ep_distance_km"].to_numpy(float)
    components = list(records[0])
    end = _last_time(arrivals, records)
    span = max(np.ptp(distances), 1.0)
    half_height = max(0.04 * span, 0.6 * span / len(records))
    size = (1.5 + 4.2 * len(components), min(9.0, 3.0 + 0.5 * len(records)))
    figure = Figure(figsize=size, dpi=150, layout="constrained")
    panels = figure.subplots(1, len(components), sharex=True, sharey=True, squeeze=False)[0]
    order = np.argsort(distances)
    for component, axes in zip(components, panels, strict=True):
        for row in order:
            trace = records[row][component]
            scale = half_height / (np.abs(trace.data).max() or 1.0)
            times = _seconds_after_origin(trace, scenario.iloc[row])
            shown = times <= end
            axes.plot(
                times[shown],
                distances[row] + scale * trace.data[shown],
                color=RECORDED,
                linewidth=0.4,
                zorder=2,
            )
        for times, colour in zip(arrivals, (P_COLOUR, S_COLOUR), strict=True):
            axes.plot(np.asarray(times)[order], distances[order], color=colour, linewidth=0.6)
            axes.vlines(
                times,
                distances - 0.4 * half_height,
                distances + 0.4 * half_height,
                color=colour,
                linewidth=1.6,
                zorder=3,
            )
        axes.set_title(COMPONENT_NAMES.get(component, component), fontsize=10)
        axes.set_xlabel("Time after origin (s)")
        axes.set_xlim(records[0][component].stats.starttime - _origin(scenario.iloc[0]), end)
        axes.set_ylim(distances.min() - 1.5 * half_height, distances.max() + 1.5 * half_height)
        _clean(axes)
    panels[0].set_ylabel("Epicentral distance (km)")
    handles = [
        Line2D([], [], color=P_COLOUR, label="P of the 1-D model"),
        Line2D([], [], color=S_COLOUR, label="S of the 1-D model"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    _title(figure, f"Generated velocity, {_source_text(scenario)}", label)
    return figure


def plot_generated_and_observed(
    stream: Stream,
    observed: Stream,
    scenario: pd.DataFrame,
    arrivals: Arrivals,
    *,
    label: str,
    band_hz: tuple[float, float] = BAND_HZ,
) -> Figure:
    """Plot generated and recorded motion, one row per station, sorted by distance.

    Both are velocity in the same frequency band and, for each station, on the same scale; the
    numbers next to the traces are their peaks in mm/s.

    Parameters
    ----------
    stream : obspy.Stream
        Stream created by `to_stream` from `scenario`; its first realization is plotted.
    observed : obspy.Stream
        Recorded velocity in m/s in the band `band_hz`, see `read_observed`.
    scenario : pandas.DataFrame
        Scenario table.
    arrivals : tuple of numpy.ndarray
        P and S times of every row, seconds after the origin time.
    label : str
        Title line, for example model, weights and training data.
    band_hz : tuple of float
        Corner frequencies of the zero-phase bandpass applied to the generated records, Hz.

    Raises
    ------
    ScenarioError
        If there is no recorded motion for any station of the scenario.
    """
    records = _first_realization(stream, scenario)
    rows = recorded_rows(observed, scenario)
    components = list(records[0])
    end = _last_time((arrivals[0][rows], arrivals[1][rows]), records)
    figure = Figure(figsize=(14, 1.6 + 1.2 * len(rows)), dpi=150, layout="constrained")
    grid = figure.subplots(len(rows), len(components), sharex=True, squeeze=False)
    for row, panels in zip(rows, grid, strict=True):
        source_and_station = scenario.iloc[row]
        recorded = observed.select(*_codes(source_and_station))
        pairs = {}
        for component in components:
            generated = records[row][component].copy()
            generated.filter(
                "bandpass", freqmin=band_hz[0], freqmax=band_hz[1], corners=4, zerophase=True
            )
            pairs[component] = (generated, *recorded.select(component=component)[:1])
        scale = max(np.abs(trace.data).max() for pair in pairs.values() for trace in pair) or 1.0
        for component, axes in zip(components, panels, strict=True):
            for trace, base, colour in zip(
                pairs[component], (0.8, -0.8), (GENERATED, RECORDED), strict=False
            ):
                _draw_with_peak(axes, trace, source_and_station, base, scale, colour, end)
            for time, colour in ((arrivals[0][row], P_COLOUR), (arrivals[1][row], S_COLOUR)):
                axes.axvline(time, color=colour, linewidth=0.9, zorder=1)
            axes.set_ylim(-1.8, 1.8)
            axes.set_yticks([])
            axes.set_xlim(-2.0, end)
            _clean(axes)
            axes.spines["left"].set_visible(False)
            if row != rows[-1]:
                axes.spines["bottom"].set_visible(False)
                axes.tick_params(bottom=False)
        panels[0].set_ylabel(
            f"{source_and_station['station_network_code']}."
            f"{source_and_station['station_code']}\n"
            f"{source_and_station['path_ep_distance_km']:.1f} km",
            rotation=0,
            ha="right",
            va="center",
            fontsize=9,
        )
    for component, top, bottom in zip(components, grid[0], grid[-1], strict=True):
        top.set_title(COMPONENT_NAMES.get(component, component), fontsize=10)
        bottom.set_xlabel("Time after origin (s)")
    handles = [
        Line2D([], [], color=GENERATED, label="generated"),
        Line2D([], [], color=RECORDED, label="recorded"),
        Line2D([], [], color=P_COLOUR, label="P"),
        Line2D([], [], color=S_COLOUR, label="S"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
    _title(
        figure,
        f"Generated and recorded velocity, {band_hz[0]:g}-{band_hz[1]:g} Hz, "
        f"{_source_text(scenario)}",
        f"{label}\none scale per station, peaks in mm/s; P and S times of the 1-D model",
    )
    return figure


def recorded_rows(observed: Stream, scenario: pd.DataFrame) -> list[int]:
    """Return the rows whose station has recorded motion, ordered by distance.

    Raises
    ------
    ScenarioError
        If no station has.
    """
    recorded = {(trace.stats.network, trace.stats.station) for trace in observed}
    order = np.argsort(scenario["path_ep_distance_km"].to_numpy(float)).tolist()
    rows = [row for row in order if _codes(scenario.iloc[row]) in recorded]
    if not rows:
        raise ScenarioError(
            f"None of the {len(scenario)} stations has recorded motion; at least one is needed."
        )
    return rows


def plot_comparison(
    streams: Mapping[str, Stream],
    scenario: pd.DataFrame,
    arrivals: Arrivals,
    *,
    label: str,
    row: int = 0,
    component: str = "E",
) -> Figure:
    """Plot records of one station side by side, as waveforms above spectrograms.

    All waveforms have the same scale and all spectrograms the same colour scale.  The records
    are not filtered.

    Parameters
    ----------
    streams : mapping
        Velocity in m/s by name, for example {"recorded": .., "CGMGM": ..}; each stream must
        contain the station, and its first realization is plotted.
    scenario : pandas.DataFrame
        Scenario table.
    arrivals : tuple of numpy.ndarray
        P and S times of every row, seconds after the origin time.
    label : str
        Title line, for example models, weights and training data.
    row : int
        Row of the scenario to plot.
    component : str
        Component to plot.

    Returns
    -------
    matplotlib.figure.Figure
        Save it with ``figure.savefig(path)``.

    Raises
    ------
    ScenarioError
        If a stream lacks the station or its component.

    Examples
    --------
    >>> from cgmgm_seis import CGMGM, from_points
    >>> model = CGMGM.from_pretrained("bay_area")
    >>> table = from_points(4.0, (37.9, -122.1), [(37.8, -122.2)])
    >>> arrivals = model.travel_times.at(table["source_depth_km"], table["path_ep_distance_km"])
    >>> streams = {f"seed {seed}": model.generate(table, seed=seed) for seed in (0, 1)}
    >>> figure = plot_comparison(streams, table, arrivals, label="CGMGM, weights bay_area")
    >>> [axes.get_title() for axes in figure.axes[:2]]
    ['seed 0', 'seed 1']
    """
    station = scenario.iloc[row]
    name = ".".join(_codes(station))
    traces: dict[str, Trace] = {}
    for key, stream in streams.items():
        found = stream.select(*_codes(station), component=component)
        if not found:
            raise ScenarioError(
                f"Stream '{key}' has no trace of component {component} at station {name}; one is "
                "needed."
            )
        traces[key] = found[0]
    marks = ((arrivals[0][row], "P", P_COLOUR), (arrivals[1][row], "S", S_COLOUR))
    end = _last_time((arrivals[0][row], arrivals[1][row]), [traces])
    powers = {key: _power(trace, station) for key, trace in traces.items()}
    loudest = max(power.max() for _, _, power in powers.values()) or 1.0
    norm = LogNorm(loudest / 10.0**POWER_DECADES, loudest, clip=True)

    figure = Figure(figsize=(1.6 + 3.9 * len(traces), 5.4), dpi=150, layout="constrained")
    waves, spectra = figure.subplots(
        2, len(traces), sharex=True, sharey="row", squeeze=False, height_ratios=(1.0, 1.3)
    )
    for key, wave, spectrum in zip(traces, waves, spectra, strict=True):
        times = _seconds_after_origin(traces[key], station)
        wave.plot(times, traces[key].data, color=RECORDED, linewidth=0.5, zorder=2)
        wave.set_title(key, fontsize=10, pad=16)
        frequencies, times, power = powers[key]
        image = spectrum.pcolormesh(
            times, frequencies, power, norm=norm, cmap="magma_r", rasterized=True
        )
        for time, phase, colour in marks:
            for axes in (wave, spectrum):
                axes.axvline(time, color=colour, linewidth=0.9, zorder=1 if axes is wave else 3)
            wave.text(
                time,
                1.0,
                phase,
                transform=wave.get_xaxis_transform(),
                color=colour,
                fontsize=9,
                ha="center",
                va="bottom",
            )
        spectrum.set_xlabel("Time after origin (s)")
        spectrum.set_xlim(-2.0, end)
        spectrum.set_ylim(0.0, HIGHEST_HZ)
        _clean(wave)
        _clean(spectrum)
    waves[0].set_ylabel("Velocity (m/s)")
    spectra[0].set_ylabel("Frequency (Hz)")
    bar = figure.colorbar(image, ax=spectra, pad=0.01)
    bar.set_label("Power spectral density ((m/s)$^2$/Hz)")
    _title(
        figure,
        f"{name}, {COMPONENT_NAMES.get(component, component).lower()} component, "
        f"{station['path_ep_distance_km']:.1f} km from {_source_text(scenario.iloc[[row]])}",
        f"{label}; P and S times of the 1-D model",
    )
    return figure


def _power(
    trace: Trace, row: pd.Series
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return frequencies (Hz), times (s after the origin) and power, (m/s)^2/Hz, of a trace."""
    rate = trace.stats.sampling_rate
    window, step = round(WINDOW_S * rate), round(STEP_S * rate)
    frequencies, times, power = spectrogram(
        trace.data.astype(float), rate, "hann", window, window - step, nfft=4 * window
    )
    shown = frequencies <= HIGHEST_HZ
    return frequencies[shown], times + (trace.stats.starttime - _origin(row)), power[shown]


def _draw_with_peak(
    axes: Axes,
    trace: Trace,
    row: pd.Series,
    base: float,
    scale: float,
    colour: str,
    end: float,
) -> None:
    """Plot a trace around a base line and label it with its peak."""
    times = _seconds_after_origin(trace, row)
    shown = (times >= -2.0) & (times <= end)
    axes.plot(times[shown], base + trace.data[shown] / scale, color=colour, linewidth=0.5, zorder=2)
    peak = 1000 * np.abs(trace.data).max()
    axes.text(
        0.995,
        base + 0.15,
        f"{peak:.3g}",
        transform=axes.get_yaxis_transform(),
        ha="right",
        va="bottom",
        fontsize=7.5,
        color=colour,
    )


def _first_realization(stream: Stream, scenario: pd.DataFrame) -> list[dict[str, Trace]]:
    """Return the traces of realization 00 by component, for each scenario row."""
    traces = [trace for trace in stream if trace.stats.location == "00"]
    width = len(traces) // len(scenario)
    return [
        {trace.stats.component: trace for trace in traces[first : first + width]}
        for first in range(0, len(traces), width)
    ]


def _codes(row: pd.Series) -> tuple[str, str]:
    return row["station_network_code"], row["station_code"]


def _origin(row: pd.Series) -> UTCDateTime:
    return UTCDateTime(row["source_origin_time"])


def _seconds_after_origin(trace: Trace, row: pd.Series) -> NDArray[np.float64]:
    times: NDArray[np.float64] = trace.times() + (trace.stats.starttime - _origin(row))
    return times


def _last_time(arrivals: Arrivals, records: list[dict[str, Trace]]) -> float:
    """Return the end of the time axis: well into the last S coda, but within the records."""
    trace = next(iter(records[0].values()))
    length = trace.stats.endtime - trace.stats.starttime
    return float(min(1.4 * np.max(arrivals[1]) + 15.0, length - 5.0))


def _source_text(scenario: pd.DataFrame) -> str:
    """Return a description of the source, or the number of sources."""
    if scenario["source_id"].nunique() > 1:
        return f"{scenario['source_id'].nunique()} sources"
    row = scenario.iloc[0]
    return (
        f"M {row['source_magnitude']:.4g} at {row['source_latitude_deg']:.3f}, "
        f"{row['source_longitude_deg']:.3f}, depth {row['source_depth_km']:.4g} km"
    )


def _title(figure: Figure, first: str, second: str) -> None:
    figure.suptitle(f"{first}\n{second}", fontsize=11)


def _clean(axes: Axes) -> None:
    """Remove the upper and right axis lines and reduce the tick labels."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
