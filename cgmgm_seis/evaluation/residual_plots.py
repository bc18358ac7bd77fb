"""Figures of residuals: bias, scatter, tau and phi by frequency, distance and magnitude."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cgmgm_seis.evaluation.figures import (
    BIN_NAMES,
    MAP_FREQUENCY,
    bin_axis,
    bin_rows,
    colours,
    draw_bins,
    generators_of,
    legend,
    main_of,
    new_panels,
    short,
    style_legend,
    title,
    zero_line,
)
from cgmgm_seis.evaluation.measures import BOTH, FREQUENCIES

SCATTER = {
    "sigma": r"Total, $\sigma$",
    "tau": r"Between events, $\tau$",
    "phi": r"Within events, $\phi$",
}
COLUMNS = {"distance": "path_hyp_distance_km", "magnitude": "source_magnitude"}


def plot_spectral_residuals(measures: pd.DataFrame) -> Figure:
    """Plot bias, sigma, tau and phi against frequency.

    Parameters
    ----------
    measures : pandas.DataFrame
        Table "measures" of an evaluation.

    Returns
    -------
    matplotlib.figure.Figure
    """
    component, kind = main_of(measures)
    own = measures[measures["component"] == component]
    own = own[own["measure"].str.startswith(f"{kind} ")]
    own = own.assign(frequency=own["measure"].str.split().str[1].astype(float))
    # A single event has no scatter between events.
    split = own["tau_recorded"].notna().any()
    figure, panels = new_panels(1, 4 if split else 2, (13.5 if split else 7.5, 3.7))
    bias, *others = panels[0]
    zero_line(bias)
    for name, colour in colours(generators_of(measures)).items():
        table = own[own["generator"] == name].sort_values("frequency")
        f = table["frequency"]
        bias.plot(f, table["median_bias"], color=colour, label=name)
        for axes, column in zip(others, SCATTER, strict=False):
            if column == "sigma":
                axes.plot(f, table[column], color=colour)
            else:
                axes.plot(f, table[f"{column}_recorded"], color=colour)
                axes.plot(f, table[f"{column}_generated"], color=colour, linestyle="--")
    title(bias, "Bias")
    bias.set_ylabel(f"ln {kind}, generated $-$ recorded")
    for name_of, axes in zip(SCATTER.values(), others, strict=False):
        title(axes, name_of)
        axes.set_ylabel("ln units")
        axes.set_ylim(bottom=0.0)
    for axes in panels[0]:
        frequency_axis(axes)
    if split:
        style_legend(others[-1], {"records": "-", "one realization": "--"})
    legend(figure, bias)
    return figure


def plot_residuals_by(records: pd.DataFrame, bins: pd.DataFrame, by: str) -> Figure:
    """Plot the residuals of single records, and their mean and standard deviation in bins.

    Parameters
    ----------
    records, bins : pandas.DataFrame
        Tables of an evaluation.
    by : str
        "distance" or "magnitude".

    Returns
    -------
    matplotlib.figure.Figure
    """
    component, kind = main_of(records)
    generators = generators_of(records)
    names = [f"{kind} {f:g} Hz" for f in FREQUENCIES]
    names = [name for name in names if (records["measure"] == name).any()]
    figure, panels = new_panels(
        len(generators),
        len(names),
        (3.1 * len(names) + 0.6, 2.2 * len(generators) + 0.7),
        sharex=True,
        sharey=True,
    )
    own = records[records["component"] == component]
    residuals = own["ln_median"] - own["ln_recorded"]
    limit = max(float(residuals.abs().quantile(0.995)) * 1.1, 0.1)
    for (name, colour), row in zip(colours(generators).items(), panels, strict=True):
        for measure, axes in zip(names, row, strict=True):
            chosen = own[(own["generator"] == name) & (own["measure"] == measure)]
            zero_line(axes)
            axes.scatter(
                chosen[COLUMNS[by]],
                residuals[chosen.index],
                s=7,
                color=colour,
                alpha=0.4,
                linewidths=0,
                rasterized=True,
            )
            draw_bins(axes, bin_rows(bins, name, component, measure, by))
            axes.set_ylim(-limit, limit)
        row[0].set_ylabel(f"{short(name)}\nln generated $-$ recorded")
    for measure, top, bottom in zip(names, panels[0], panels[-1], strict=True):
        title(top, measure)
        bin_axis(bottom, by)
    return figure


def plot_scatter_by_bin(bins: pd.DataFrame) -> Figure:
    """Plot sigma, tau and phi against distance and magnitude, at one frequency.

    Parameters
    ----------
    bins : pandas.DataFrame
        Table of an evaluation.

    Returns
    -------
    matplotlib.figure.Figure
    """
    component, kind = main_of(bins)
    measure = f"{kind} {MAP_FREQUENCY:g} Hz"
    figure, panels = new_panels(2, 3, (11.0, 5.6), sharex="row", sharey=True)
    for by, row in zip(BIN_NAMES, panels, strict=True):
        for column, axes in zip(SCATTER, row, strict=True):
            for name, colour in colours(generators_of(bins)).items():
                table = bin_rows(bins, name, component, measure, by)
                axes.plot(table["mean"], table[column], "o-", ms=3.5, color=colour, label=name)
            bin_axis(axes, by)
        row[0].set_ylabel(f"{measure}, ln units")
    for name_of, axes in zip(SCATTER.values(), panels[0], strict=True):
        title(axes, name_of)
    # The axis is shared, so set the limit after all lines are drawn.
    panels[0, 0].set_ylim(bottom=0.0)
    legend(figure, panels[0, 0])
    return figure


def plot_intensity_measures(measures: pd.DataFrame) -> Figure:
    """Plot bias and sigma of peaks, response spectra, energy and durations.

    Parameters
    ----------
    measures : pandas.DataFrame
        Table of an evaluation.

    Returns
    -------
    matplotlib.figure.Figure
    """
    others = measures[~measures["measure"].str.match(r"(FAS|EAS) ")]
    components = others["component"].unique()
    # The first component (usually vertical), one horizontal, and both horizontals together.
    single = [component for component in components if component != BOTH]
    chosen = others[others["component"].isin([single[0], single[-1], BOTH])]
    labels = (chosen["component"] + "  " + chosen["measure"]).unique()
    generators = generators_of(measures)
    figure, panels = new_panels(1, 1, (8.0, 1.2 + (0.07 * len(generators) + 0.17) * len(labels)))
    axes = panels[0, 0]
    zero_line(axes, vertical=True)
    offsets = np.linspace(-0.25, 0.25, len(generators)) if len(generators) > 1 else [0.0]
    for (name, colour), offset in zip(colours(generators).items(), offsets, strict=True):
        own = chosen[chosen["generator"] == name]
        axes.errorbar(
            own["median_bias"],
            np.arange(len(labels)) + offset,
            xerr=own["sigma"],
            fmt="o",
            markersize=4,
            color=colour,
            elinewidth=1.2,
            label=name,
        )
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xlabel("ln generated $-$ recorded: bias (dot) and sigma (bar)")
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    legend(figure, axes)
    return figure


def frequency_axis(axes: Axes) -> None:
    """Label a logarithmic axis of frequency."""
    axes.set_xscale("log")
    axes.set_xticks([0.5, 1, 2, 5, 10, 20], ["0.5", "1", "2", "5", "10", "20"])
    axes.minorticks_off()
    axes.set_xlabel("Frequency (Hz)")
    axes.grid(color="#e3e3e3", linewidth=0.6)
