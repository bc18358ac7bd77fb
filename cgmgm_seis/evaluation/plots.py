"""Figures of an evaluation's tables: residuals, tau and phi, calibration, picks and maps."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from cgmgm_seis.coastlines import plot_coastlines
from cgmgm_seis.evaluation.figures import (
    BIN_NAMES,
    bin_axis,
    colours,
    legend,
    new_panels,
    short,
    title,
)
from cgmgm_seis.evaluation.measures import FREQUENCIES, main_spectrum
from cgmgm_seis.evaluation.pick_tables import DIFFERENCE, PHASES, RECORDED
from cgmgm_seis.evaluation.tables import PIT_EDGES

Floats = NDArray[np.float64]

NO_BIAS = {"color": "#2b2b2b", "linewidth": 0.8, "zorder": 1}
COLUMNS = {"distance": "path_hyp_distance_km", "magnitude": "source_magnitude"}
PIT_MEASURES = ("PGV", "D5-95", "RotD50 PGV")
MAP_FREQUENCY = 5.0


def plot_spectral_residuals(measures: pd.DataFrame) -> Figure:
    """Draw bias, sigma, tau and phi against frequency.

    Parameters
    ----------
    measures : pandas.DataFrame
        Table "measures" of an evaluation.

    Returns
    -------
    matplotlib.figure.Figure
    """
    component, kind = _main(measures)
    own = measures[measures["component"] == component]
    own = own[own["measure"].str.startswith(f"{kind} ")]
    own = own.assign(frequency=own["measure"].str.split().str[1].astype(float))
    figure, panels = new_panels(1, 4, (13.5, 3.7))
    bias, total, between, within = panels[0]
    bias.axhline(0.0, **NO_BIAS)
    for name, colour in colours(_generators(measures)).items():
        table = own[own["generator"] == name].sort_values("frequency")
        f = table["frequency"]
        bias.plot(f, table["median_bias"], color=colour, label=name)
        total.plot(f, table["sigma"], color=colour)
        for axes, column in ((between, "tau"), (within, "phi")):
            axes.plot(f, table[f"{column}_recorded"], color=colour)
            axes.plot(f, table[f"{column}_generated"], color=colour, linestyle="--")
    title(bias, "Bias")
    bias.set_ylabel(f"ln {kind}, generated $-$ recorded")
    title(total, r"Total, $\sigma$")
    title(between, r"Between events, $\tau$")
    title(within, r"Within events, $\phi$")
    for axes in (total, between, within):
        axes.set_ylabel("ln units")
        axes.set_ylim(bottom=0.0)
    for axes in panels[0]:
        _frequency_axis(axes)
    lines = [Line2D([], [], color="#555555", linestyle=style) for style in ("-", "--")]
    within.legend(lines, ["of the records", "of a realization"], frameon=False, fontsize=8)
    legend(figure, bias)
    return figure


def plot_residuals_by(records: pd.DataFrame, bins: pd.DataFrame, by: str) -> Figure:
    """Draw the residuals of single records, and their mean and spread in bins.

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
    component, kind = _main(records)
    generators = _generators(records)
    names = [f"{kind} {f:g} Hz" for f in FREQUENCIES]
    names = [name for name in names if (records["measure"] == name).any()]
    figure, panels = new_panels(
        len(generators), len(names), (3.1 * len(names) + 0.6, 2.3 * len(generators) + 0.6)
    )
    own = records[records["component"] == component]
    residuals = own["ln_median"] - own["ln_recorded"]
    limit = max(float(residuals.abs().quantile(0.995)) * 1.1, 0.1)
    for (name, colour), row in zip(colours(generators).items(), panels, strict=True):
        for measure, axes in zip(names, row, strict=True):
            chosen = own[(own["generator"] == name) & (own["measure"] == measure)]
            axes.axhline(0.0, **NO_BIAS)
            axes.scatter(
                chosen[COLUMNS[by]],
                residuals[chosen.index],
                s=5,
                color=colour,
                alpha=0.3,
                linewidths=0,
                rasterized=True,
            )
            _draw_bins(axes, _rows(bins, name, component, measure, by))
            axes.set_ylim(-limit, limit)
            bin_axis(axes, by)
        row[0].set_ylabel(f"{short(name)}\nln generated $-$ recorded")
    for measure, axes in zip(names, panels[0], strict=True):
        title(axes, measure)
    return figure


def plot_scatter_by_bin(bins: pd.DataFrame) -> Figure:
    """Draw sigma, tau and phi against distance and magnitude, at one frequency.

    Parameters
    ----------
    bins : pandas.DataFrame
        Table of an evaluation.

    Returns
    -------
    matplotlib.figure.Figure
    """
    component, kind = _main(bins)
    measure = f"{kind} {MAP_FREQUENCY:g} Hz"
    figure, panels = new_panels(2, 3, (11.0, 5.6), sharey=True)
    symbols = {"sigma": "Total", "tau": r"Between events, $\tau$", "phi": r"Within events, $\phi$"}
    for by, row in zip(BIN_NAMES, panels, strict=True):
        for (column, name_of), axes in zip(symbols.items(), row, strict=True):
            for name, colour in colours(_generators(bins)).items():
                table = _rows(bins, name, component, measure, by)
                axes.plot(table["mean"], table[column], "o-", ms=3.5, color=colour, label=name)
            title(axes, name_of)
            bin_axis(axes, by)
            axes.set_ylim(bottom=0.0)
        row[0].set_ylabel(f"{measure}, ln units")
    legend(figure, panels[0, 0])
    return figure


def plot_intensity_measures(measures: pd.DataFrame) -> Figure:
    """Draw bias and sigma of peaks, response spectra, energy and durations.

    Parameters
    ----------
    measures : pandas.DataFrame
        Table of an evaluation.

    Returns
    -------
    matplotlib.figure.Figure
    """
    others = measures[~measures["measure"].str.match(r"(FAS|EAS) ")]
    both = others["component"] == "H"
    chosen = others[both | others["component"].isin([others["component"].iloc[0]])]
    labels = (chosen["component"] + "  " + chosen["measure"]).unique()
    generators = _generators(measures)
    figure, panels = new_panels(1, 1, (8.0, 1.2 + (0.07 * len(generators) + 0.17) * len(labels)))
    axes = panels[0, 0]
    axes.axvline(0.0, **NO_BIAS)
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


def plot_pit(pit: pd.DataFrame) -> Figure:
    """Draw PIT histograms; flat ones are calibrated.

    Parameters
    ----------
    pit : pandas.DataFrame
        Table of an evaluation.

    Returns
    -------
    matplotlib.figure.Figure
    """
    component, kind = _main(pit)
    wanted = [(component, f"{kind} {f:g} Hz") for f in FREQUENCIES]
    other = component if component != "H" else pit["component"].iloc[0]
    wanted += [(c, m) for c in dict.fromkeys((component, other)) for m in PIT_MEASURES]
    present = set(zip(pit["component"], pit["measure"], strict=True))
    shown = [key for key in wanted if key in present]
    generators = _generators(pit)
    figure, panels = new_panels(
        len(generators),
        len(shown),
        (1.55 * len(shown) + 0.8, 1.5 * len(generators) + 0.7),
        sharey=True,
    )
    bins = [column for column in pit if "." in str(column)]
    for (name, colour), row in zip(colours(generators).items(), panels, strict=True):
        for (own, measure), axes in zip(shown, row, strict=True):
            chosen = (pit["generator"] == name) & (pit["component"] == own)
            shares = pit.loc[chosen & (pit["measure"] == measure), bins].to_numpy(float)[0]
            axes.stairs(10.0 * shares, PIT_EDGES, fill=True, color=colour, alpha=0.75)
            axes.axhline(1.0, **NO_BIAS | {"zorder": 3})
            axes.set_xticks([0.0, 0.5, 1.0], ["0", "0.5", "1"])
        row[0].set_ylabel(f"{short(name)}\ndensity")
    for (own, measure), axes in zip(shown, panels[0], strict=True):
        title(axes, f"{own} {measure}")
    for axes in panels[-1]:
        axes.set_xlabel("PIT", fontsize=8.5)
    return figure


def plot_picks(picks: pd.DataFrame) -> Figure:
    """Draw histograms of the pick residuals.

    Parameters
    ----------
    picks : pandas.DataFrame
        Table "pick_records" of an evaluation.

    Returns
    -------
    matplotlib.figure.Figure
    """
    kinds = {
        "minus_onset_s": "pick $-$ onset (s)",
        "minus_recorded_s": "generated $-$ recorded pick (s)",
    }
    kinds = {column: title for column, title in kinds.items() if picks[column].notna().any()}
    phases = (*PHASES, DIFFERENCE)
    figure, panels = new_panels(max(len(kinds), 1), 3, (11.0, 2.6 * max(len(kinds), 1) + 0.6))
    for (column, label), row in zip(kinds.items(), panels, strict=False):
        for phase, axes in zip(phases, row, strict=True):
            own = picks[picks["phase"] == phase]
            limit = _limit(own[column])
            edges = np.linspace(-limit, limit, 42)  # zero is in the middle of a bin
            axes.axvline(0.0, **NO_BIAS)
            for name, colour in colours(_generators(picks)).items():
                mine = own[own["generator"] == name]
                delays = mine[column].dropna().clip(-limit, limit)
                if len(delays):
                    shares = np.histogram(delays, edges)[0] / len(mine)
                    axes.stairs(shares, edges, color=colour, linewidth=1.3, label=name)
            axes.set_xlabel(f"{phase}: {label}")
            axes.set_xlim(-limit, limit)
        row[0].set_ylabel("Share of all records")
    legend(figure, panels[0, 0], panels[-1, 0])
    return figure


def plot_picks_by_bin(bins: pd.DataFrame) -> Figure:
    """Draw share picked, probability and residual against distance and magnitude.

    Parameters
    ----------
    bins : pandas.DataFrame
        Table "picks_by_bin" of an evaluation.

    Returns
    -------
    matplotlib.figure.Figure
    """
    known = [by for by in BIN_NAMES if (bins["by"] == by).any()]
    recorded = bins["minus_recorded_median_s"].notna().any()
    kind = "minus_recorded" if recorded else "minus_onset"
    quantities = {
        "picked": "Share picked",
        "probability": "Median probability",
        f"{kind}_median_s": "Median residual (s)",
        f"{kind}_p90_s": "90 % of |residual| (s)",
    }
    styles: dict[str, Literal["-", "--"]] = {"P": "-", "S": "--"}
    figure, panels = new_panels(len(known), 4, (13.0, 2.7 * len(known) + 0.6))
    for by, row in zip(known, panels, strict=True):
        for (column, name_of), axes in zip(quantities.items(), row, strict=True):
            for name, colour in colours(_generators(bins)).items():
                for phase, style in styles.items():
                    chosen = (bins["generator"] == name) & (bins["phase"] == phase)
                    table = bins[chosen & (bins["by"] == by)]
                    axes.plot(
                        table["mean"],
                        table[column],
                        style,
                        marker="o",
                        markersize=3,
                        color=colour,
                        label=name if phase == "P" else None,
                    )
            title(axes, name_of)
            bin_axis(axes, by)
            if column.endswith("p90_s") and (bins[column] > 0.0).any():
                axes.set_yscale("log")
            if column.endswith("median_s"):
                # Hundredths of a second, the step of the picks, should look like nothing.
                low, high = axes.get_ylim()
                axes.set_ylim(min(low, -0.1), max(high, 0.1))
            if column in ("picked", "probability"):
                axes.set_ylim(0.0, 1.05)
    lines = [Line2D([], [], color="#555", linestyle=s) for s in styles.values()]
    panels[0, 1].legend(lines, list(styles), frameon=False, fontsize=8)
    legend(figure, panels[0, 0])
    return figure


def plot_maps(places: pd.DataFrame) -> Figure:
    """Draw the bias of every station and every event on maps.

    Parameters
    ----------
    places : pandas.DataFrame
        Table of an evaluation.

    Returns
    -------
    matplotlib.figure.Figure
    """
    _, kind = _main(places)
    own = places[places["measure"] == f"{kind} {MAP_FREQUENCY:g} Hz"]
    generators = _generators(places)
    kinds = ("station", "event")
    stretch = 1.0 / np.cos(np.deg2rad(own["latitude_deg"].mean()))
    shape = np.ptp(own["longitude_deg"]) / max(np.ptp(own["latitude_deg"]) * stretch, 1e-3)
    width = 4.2 * float(np.clip(shape, 0.6, 2.0))
    figure, panels = new_panels(
        len(kinds), len(generators), (width * len(generators) + 3.0, 9.0), sharex=True, sharey=True
    )
    limit = max(float(own["bias"].abs().quantile(0.95)), 0.1)
    norm = TwoSlopeNorm(0.0, -limit, limit)
    for which, row in zip(kinds, panels, strict=True):
        for name, axes in zip(generators, row, strict=True):
            chosen = own[(own["generator"] == name) & (own["kind"] == which)]
            drawn = axes.scatter(
                chosen["longitude_deg"],
                chosen["latitude_deg"],
                c=chosen["bias"],
                s=14.0 + 6.0 * np.sqrt(chosen["records"]),
                marker="^" if which == "station" else "o",
                cmap="RdBu_r",
                norm=norm,
                edgecolors="#2b2b2b",
                linewidths=0.4,
            )
            axes.set_aspect(stretch)
            plot_coastlines(axes)
            title(axes, f"{which}s: {short(name)}")
            axes.xaxis.set_major_locator(MaxNLocator(3))
            axes.yaxis.set_major_locator(MaxNLocator(5))
        row[0].set_ylabel("Latitude (°)")
    for axes in panels[-1]:
        axes.set_xlabel("Longitude (°)")
    figure.colorbar(
        drawn,
        ax=panels,
        shrink=0.5,
        extend="both",
        label=f"Mean ln {kind} at {MAP_FREQUENCY:g} Hz, generated $-$ recorded",
    )
    return figure


def plot_projections(projections: pd.DataFrame, shares: Sequence[float] | None) -> Figure:
    """Draw log spectrograms projected on a plane.

    Parameters
    ----------
    projections : pandas.DataFrame
        Table of an evaluation.
    shares : sequence of float
        Shares of the recorded variance along the first two principal components.

    Returns
    -------
    matplotlib.figure.Figure
    """
    methods = list(projections["method"].unique())
    generators = [name for name in _generators(projections) if name != RECORDED]
    figure, panels = new_panels(
        len(methods),
        len(generators),
        (3.9 * len(generators) + 0.6, 3.7 * len(methods) + 0.6),
        sharex="row",
        sharey="row",
    )
    palette = colours([RECORDED, *generators])
    for method, row in zip(methods, panels, strict=True):
        table = projections[projections["method"] == method]
        for name, axes in zip(generators, row, strict=True):
            for own in (RECORDED, name):
                points = table[table["generator"] == own]
                axes.scatter(
                    points["x"],
                    points["y"],
                    s=7,
                    color=palette[own],
                    alpha=0.45,
                    linewidths=0,
                    label=own,
                    rasterized=True,
                )
            axes.legend(frameon=False, fontsize=8, markerscale=2)
            of = [f" ({100 * share:.0f} %)" for share in shares or ()] if method == "PCA" else []
            first, second = of if len(of) == 2 else ("", "")
            axes.set_xlabel(f"{method} 1{first}")
            row[0].set_ylabel(f"{method} 2{second}")
    return figure


# ---- parts ---------------------------------------------------------------------------------


def _main(table: pd.DataFrame) -> tuple[str, str]:
    names = pd.MultiIndex.from_frame(table[["component", "measure"]].drop_duplicates())
    return main_spectrum(names)


def _generators(table: pd.DataFrame) -> list[str]:
    return [str(name) for name in table["generator"].unique()]


def _rows(
    bins: pd.DataFrame, generator: str, component: str, measure: str, by: str
) -> pd.DataFrame:
    chosen = (bins["generator"] == generator) & (bins["component"] == component)
    return bins[chosen & (bins["measure"] == measure) & (bins["by"] == by)]


def _draw_bins(axes: Axes, table: pd.DataFrame) -> None:
    axes.errorbar(
        table["mean"],
        table["bias"],
        yerr=table["sigma"],
        fmt="s",
        markersize=3.5,
        color="#1a1a1a",
        elinewidth=1.1,
        capsize=2.0,
        zorder=4,
    )


def _frequency_axis(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_xticks([0.5, 1, 2, 5, 10, 20], ["0.5", "1", "2", "5", "10", "20"])
    axes.minorticks_off()
    axes.set_xlabel("Frequency (Hz)")
    axes.grid(color="#e3e3e3", linewidth=0.6)


def _limit(delays: pd.Series) -> float:
    """Return a round limit that holds most delays, s."""
    sizes = delays.abs().dropna()
    largest = float(sizes.quantile(0.9)) if len(sizes) else 1.0
    steps = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
    return next((step for step in steps if step >= largest), steps[-1])
