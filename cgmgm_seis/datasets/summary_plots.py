"""A summary page of a data set: map, magnitudes, distances, spectra, signal-to-noise ratios."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cgmgm_seis.datasets.summary import Summary
from cgmgm_seis.datasets.windows import SPLITS
from cgmgm_seis.scenario.geography import longitude_label, middle_longitude, unwrapped_longitude

SPLIT_COLOURS = {"train": "#2274a5", "dev": "#b8860b", "test": "#c1440e"}
PAGE_INCHES = (8.27, 11.69)
TEXT_COLUMNS = 104


def plot_summary(summary: Summary) -> Figure:
    """Plot the summary page of a data set.

    Parameters
    ----------
    summary : Summary
        Result of `cgmgm_seis.datasets.summary.summarise`.

    Returns
    -------
    matplotlib.figure.Figure
        A4; save it as PNG or PDF with ``figure.savefig(path)``.
    """
    text = "\n".join(
        textwrap.fill(
            f"{name:16}{value}", TEXT_COLUMNS, subsequent_indent=" " * 16, break_on_hyphens=False
        )
        for name, value in summary.lines
    )
    share = 0.15 * (text.count("\n") + 2)
    figure = Figure(figsize=PAGE_INCHES, dpi=130, layout="constrained")
    figure.suptitle(summary.name, fontsize=13)
    grid = figure.add_gridspec(3, 2, height_ratios=[share, 5.2, 3.6])
    words = figure.add_subplot(grid[0, :])
    words.axis("off")
    words.text(0.0, 1.0, text, family="monospace", fontsize=7, va="top", transform=words.transAxes)
    panels = [figure.add_subplot(grid[row, column]) for row in (1, 2) for column in (0, 1)]
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    if summary.table.empty:
        for axes in panels:
            axes.axis("off")
        return figure
    _map(panels[0], summary.table)
    _magnitudes(panels[1], summary.table)
    _spectra(panels[2], summary)
    _snr(panels[3], summary.table)
    return figure


def _by_split(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [
        (name, table[table["split"] == name]) for name in SPLITS if (table["split"] == name).any()
    ]


def _map(axes: Axes, table: pd.DataFrame) -> None:
    """Plot epicentres by split, and stations; maps across the date line are continuous."""
    middle = middle_longitude(table["source_longitude_deg"])
    stations = table[["station_latitude_deg", "station_longitude_deg"]].drop_duplicates()
    axes.plot(
        unwrapped_longitude(stations["station_longitude_deg"], middle),
        stations["station_latitude_deg"],
        "^",
        color="#2b2b2b",
        ms=5,
        label="stations",
        zorder=3,
        ls="none",
    )
    for name, part in _by_split(table):
        events = part.drop_duplicates("source_id")
        axes.scatter(
            unwrapped_longitude(events["source_longitude_deg"], middle),
            events["source_latitude_deg"],
            s=4.0 + 3.0 * np.clip(events["source_magnitude"].astype(float), 0, None) ** 2,
            facecolors="none",
            edgecolors=SPLIT_COLOURS[name],
            linewidths=0.7,
            label=f"{name}: {len(events)} events",
        )
    latitude = float(table["source_latitude_deg"].mean())
    axes.set_aspect(1.0 / max(np.cos(np.radians(latitude)), 0.05), adjustable="datalim")
    axes.xaxis.set_major_formatter(longitude_label)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel("Longitude (°)", fontsize=9)
    axes.set_ylabel("Latitude (°)", fontsize=9)
    axes.legend(fontsize=7, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)


def _magnitudes(axes: Axes, table: pd.DataFrame) -> None:
    for name, part in _by_split(table):
        axes.plot(
            np.maximum(part["path_hyp_distance_km"].astype(float), 0.1),
            part["source_magnitude"].astype(float),
            ".",
            ms=3,
            alpha=0.6,
            color=SPLIT_COLOURS[name],
            label=f"{name}: {len(part)} records",
        )
    axes.set_xscale("log")
    axes.set_xlabel("Hypocentral distance (km)", fontsize=9)
    axes.set_ylabel("Magnitude", fontsize=9)
    axes.legend(fontsize=7, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)


def _spectra(axes: Axes, summary: Summary) -> None:
    """Plot the median and the 16 to 84 % range of spectra in bins of one magnitude unit."""
    bins = np.floor(summary.spectra_magnitudes).astype(int)
    found = sorted(set(bins.tolist()))
    for number, low in enumerate(found):
        part = summary.spectra[bins == low]
        colour = colormaps["viridis"](0.85 * number / max(len(found) - 1, 1))
        lower, median, upper = np.percentile(part, [16, 50, 84], axis=0)
        axes.fill_between(summary.frequencies, lower, upper, color=colour, alpha=0.15, lw=0)
        axes.plot(
            summary.frequencies,
            median,
            color=colour,
            lw=1.5,
            label=f"M {low}-{low + 1}: {len(part)}",
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("Frequency (Hz)", fontsize=9)
    axes.set_ylabel("FAS of velocity (m/s x s)", fontsize=9)
    axes.set_title(f"{len(summary.spectra)} records: median, 16-84 %", fontsize=9)
    if found:
        axes.legend(fontsize=7, frameon=False)


def _snr(axes: Axes, table: pd.DataFrame) -> None:
    if "trace_snr_db" not in table or table["trace_snr_db"].isna().all():
        axes.axis("off")
        axes.text(0.5, 0.5, "no signal-to-noise ratios", ha="center", fontsize=9)
        return
    values = table["trace_snr_db"].astype(float)
    edges = np.linspace(values.min(), max(values.max(), values.min() + 1.0), 31)
    parts = _by_split(table)
    axes.hist(
        [part["trace_snr_db"].astype(float) for _, part in parts],
        bins=edges.tolist(),
        stacked=True,
        color=[SPLIT_COLOURS[name] for name, _ in parts],
    )
    axes.set_xlabel("Signal-to-noise ratio (dB)", fontsize=9)
    axes.set_ylabel("Records", fontsize=9)
