"""Figures of waveforms: panels, record section and envelopes."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter
from numpy.typing import NDArray

from cgmgm_seis.evaluation.figures import colours, legend, new_panels, short, title
from cgmgm_seis.evaluation.highlights import (
    ENVELOPE_BANDS,
    ENVELOPE_STEP_S,
    TAPER_S,
    Highlights,
    distance_thirds,
)
from cgmgm_seis.evaluation.pick_tables import RECORDED
from cgmgm_seis.output.plots import COMPONENT_NAMES
from cgmgm_seis.scenario.window import Window

# Seconds shown before the origin time, and after S (distance / speed).
BEFORE_S = 2.0
AFTER_S_S = 20.0
S_KM_PER_S = 3.0


def plot_panels(
    highlights: Mapping[str, Highlights],
    scenario: pd.DataFrame,
    roles: Mapping[str, int],
    generator: str,
    window: Window,
) -> Figure:
    """Plot records with one realization each: best, median and worst fit of the spectrum.

    Parameters
    ----------
    highlights : mapping
        Highlights of the records and the generator.
    scenario : pandas.DataFrame
        Scenario table.
    roles : mapping
        "best", "median", "worst" to the row.
    generator : str
        Name of the generator.
    window : Window
        Window of the waveforms.

    Returns
    -------
    matplotlib.figure.Figure
        One row per record, one column per component; each record is scaled by its largest peak,
        and the peaks of the components are given in micrometres per second.
    """
    order = window.component_order
    figure, panels = new_panels(
        len(roles), len(order), (4.3 * len(order) + 0.9, 1.9 * len(roles) + 1)
    )
    palette = colours(list(highlights))
    for (role, row), columns in zip(roles.items(), panels, strict=True):
        pair = {name: highlights[name].waveforms[row] for name in (RECORDED, generator)}
        scales = {name: 1.0 / np.abs(waveforms).max() for name, waveforms in pair.items()}
        place = scenario.iloc[row]
        end = end_of_panel(float(place["path_hyp_distance_km"]), window)
        for number, axes in enumerate(columns):
            for (name, waveforms), base in zip(pair.items(), (-0.9, 0.9), strict=True):
                style = scales[name], palette[name]
                draw_waveform(axes, waveforms[number], window, end, base, *style)
                axes.text(
                    0.995,
                    base + 0.3,
                    peak_text(waveforms[number]),
                    transform=axes.get_yaxis_transform(),
                    ha="right",
                    fontsize=7.5,
                    color=palette[name],
                )
            axes.set_ylim(-2.0, 2.0)
            axes.set_xlim(-BEFORE_S, end)
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
        columns[0].set_ylabel(
            f"{role}\nM {place['source_magnitude']:.1f}, "
            f"{place['path_hyp_distance_km']:.0f} km\n"
            f"{place['station_network_code']}.{place['station_code']}",
            rotation=0,
            ha="right",
            va="center",
        )
    for component, axes in zip(order, panels[0], strict=True):
        title(axes, COMPONENT_NAMES.get(component, component))
    for axes in panels[-1]:
        axes.set_xlabel("Time after origin (s)")
    handles = [
        Line2D([], [], color=palette[name], label=label)
        for name, label in ((generator, generator), (RECORDED, RECORDED))
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def plot_sections(
    highlights: Mapping[str, Highlights], scenario: pd.DataFrame, rows: list[int], window: Window
) -> Figure:
    """Plot one event by distance: the records, and one realization of every generator.

    Parameters
    ----------
    highlights : mapping
        Highlights of the records and the generators.
    scenario : pandas.DataFrame
        Scenario table.
    rows : list of int
        Records of the event.
    window : Window
        Window of the waveforms.

    Returns
    -------
    matplotlib.figure.Figure
        One column each, with the last component, every trace scaled by its peak.
    """
    names = [RECORDED, *(name for name in highlights if name != RECORDED)]
    distances = scenario["path_hyp_distance_km"].to_numpy(float)[rows]
    height = max(0.045 * np.ptp(distances), 0.5 * np.ptp(distances) / len(rows), 0.5)
    figure, panels = new_panels(1, len(names), (3.9 * len(names) + 0.6, 6.4), sharey=True)
    end = end_of_panel(float(distances.max()), window)
    palette = colours(names)
    for name, axes in zip(names, panels[0], strict=True):
        for row, distance in zip(rows, distances, strict=True):
            waveform = highlights[name].waveforms[row][-1]
            peak = float(np.abs(waveform).max()) or 1.0
            draw_waveform(axes, waveform, window, end, distance, height / peak, palette[name])
        title(axes, short(name))
        axes.set_xlabel("Time after origin (s)")
        axes.set_xlim(-BEFORE_S, end)
        axes.set_ylim(distances.min() - 1.5 * height, distances.max() + 1.5 * height)
    panels[0, 0].set_ylabel("Hypocentral distance (km)")
    return figure


def plot_envelopes(
    highlights: Mapping[str, Highlights], scenario: pd.DataFrame, window: Window
) -> Figure:
    """Plot mean envelopes in frequency bands, for near, middle and far records.

    Parameters
    ----------
    highlights : mapping
        Highlights of the records and the generators.
    scenario : pandas.DataFrame
        Scenario table, for the distances.
    window : Window
        Window of the waveforms.

    Returns
    -------
    matplotlib.figure.Figure
    """
    _, edges = distance_thirds(scenario)
    names = [*(name for name in highlights if name != RECORDED), RECORDED]
    palette = colours(names)
    n_bands, n_groups = len(ENVELOPE_BANDS), len(edges) - 1
    figure, panels = new_panels(n_groups, n_bands, (12.5, 2.3 * n_groups + 0.8), sharex=True)
    n_times = highlights[RECORDED].envelopes.shape[-1]
    times = window.start_offset_s + (np.arange(n_times) + 0.5) * ENVELOPE_STEP_S
    ends = round(TAPER_S / ENVELOPE_STEP_S)
    shown = slice(ends, n_times - ends)
    for group, row in enumerate(panels):
        for band, axes in enumerate(row):
            for name in names:
                axes.plot(
                    times[shown],
                    1e6 * np.exp(highlights[name].envelopes[group, band, shown]),
                    color=palette[name],
                    linewidth=1.4,
                    label=name,
                )
            axes.set_yscale("log")
            axes.yaxis.set_minor_formatter(NullFormatter())
        row[0].set_ylabel(f"{edges[group]:.0f} to {edges[group + 1]:.0f} km\nrms velocity (µm/s)")
    for (low, high), axes in zip(ENVELOPE_BANDS, panels[0], strict=True):
        title(axes, f"{low:g} to {high:g} Hz")
    for axes in panels[-1]:
        axes.set_xlabel("Time after origin (s)")
    legend(figure, panels[0, 0])
    return figure


def peak_text(waveform: NDArray[np.float32]) -> str:
    """Return the peak in micrometres per second with three digits."""
    peak = 1e6 * float(np.abs(waveform).max())
    return f"{peak:.0f}" if peak >= 100.0 else f"{peak:.3g}"


def draw_waveform(
    axes: Axes,
    waveform: NDArray[np.float32],
    window: Window,
    end: float,
    base: float,
    scale: float,
    colour: str,
) -> None:
    """Draw a waveform (sample,) times a scale, about a base line."""
    times = window.times
    shown = (times >= -BEFORE_S) & (times <= end)
    axes.plot(times[shown], base + scale * waveform[shown], color=colour, linewidth=0.5)


def end_of_panel(distance_km: float, window: Window) -> float:
    """Return the end of the time axis: in the S coda, within the window."""
    return min(distance_km / S_KM_PER_S + AFTER_S_S, window.end_offset_s)
