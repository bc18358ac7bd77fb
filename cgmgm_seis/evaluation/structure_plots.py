"""Figures of what a model has learned: semivariograms, correlations, scaling, and H/V."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from cgmgm_seis.evaluation.figures import (
    bin_axis,
    colours,
    generators_of,
    legend,
    new_panels,
    short,
    style_legend,
    title,
    zero_line,
)
from cgmgm_seis.evaluation.measures import BOTH
from cgmgm_seis.evaluation.pick_tables import RECORDED
from cgmgm_seis.evaluation.residual_plots import frequency_axis
from cgmgm_seis.evaluation.structure_frequencies import PUBLISHED
from cgmgm_seis.evaluation.structure_scaling import DISTANCE, MAGNITUDE
from cgmgm_seis.evaluation.structure_variogram import model_semivariance
from cgmgm_seis.gmm.pygmm_models import NGA_WEST2

STYLES = {"recorded": "-", "generated": "--"}
MARKERS = {"recorded": "o", "generated": "s"}
PUBLISHED_COLOUR = "#1a1a1a"
# Reference frequencies, Hz, of correlations between frequencies.
REFERENCES = (1.0, 5.0, 15.0)
MOST_STATIONS = 6
UNITS = {"FAS": "m", "PGA": "m/s²", "PGV": "m/s"}


def plot_semivariograms(table: pd.DataFrame, fits: pd.DataFrame) -> Figure:
    """Plot semivariances against distance, with the fitted curves.

    Parameters
    ----------
    table, fits : pandas.DataFrame
        Tables "semivariograms" and "semivariogram_fits" of an evaluation.

    Returns
    -------
    matplotlib.figure.Figure
    """
    shown = _main_series(table)
    names = colours(generators_of(table))
    figure, panels = new_panels(1, len(shown), (3.6 * len(shown) + 0.6, 4.2))
    keys = ["generator", "residuals", "component", "measure"]
    fitted = fits.set_index(keys)[["nugget", "sill", "range_km"]]
    for (component, measure), axes in zip(shown, panels[0], strict=True):
        chosen = (table["component"] == component) & (table["measure"] == measure)
        for key, own in table[chosen].groupby(["generator", "residuals"], sort=False):
            name, kind = map(str, key)
            label = name if kind == "recorded" else None
            axes.plot(
                own["distance_km"],
                own["semivariance"],
                MARKERS[kind],
                color=names[name],
                markersize=4,
                markerfacecolor=names[name] if kind == "recorded" else "white",
                label=label,
            )
            curve = fitted.loc[[(name, kind, component, measure)]].iloc[0]
            if curve.notna().all():
                h = np.linspace(0.0, float(own["distance_km"].max()), 200)
                values = model_semivariance(h, *curve.tolist())
                axes.plot(h, values, STYLES[kind], color=names[name], linewidth=1.1)
        title(axes, f"{measure}, {component}")
        axes.set_xlabel("Distance between stations (km)")
        axes.set_ylim(bottom=0.0)
    panels[0, 0].set_ylabel("Semivariance (ln units squared)")
    style_legend(panels[0, -1], {"recorded": "-", "generated": "--"})
    legend(figure, *panels[0])
    return figure


def plot_frequency_correlations(table: pd.DataFrame) -> Figure:
    """Plot the correlation with some reference frequencies against frequency.

    Parameters
    ----------
    table : pandas.DataFrame
        Table "frequency_correlations" of an evaluation.

    Returns
    -------
    matplotlib.figure.Figure
    """
    known = table["frequency_1_hz"].unique()
    references = sorted({float(known[np.abs(np.log(known / f)).argmin()]) for f in REFERENCES})
    names = colours([name for name in generators_of(table) if name != PUBLISHED])
    figure, panels = new_panels(1, len(references), (4.2 * len(references), 4.0), sharey=True)
    for reference, axes in zip(references, panels[0], strict=True):
        own = table[table["frequency_1_hz"] == reference]
        for key, line in own.groupby(["generator", "residuals"], sort=False):
            name, kind = map(str, key)
            axes.plot(
                line["frequency_2_hz"],
                line["correlation"],
                STYLES.get(kind, ":"),
                color=names.get(name, PUBLISHED_COLOUR),
                linewidth=1.4 if name in names else 2.0,
                label=None if kind == "generated" else name,
            )
        zero_line(axes)
        title(axes, f"Correlation with {reference:g} Hz")
        frequency_axis(axes)
    panels[0, 0].set_ylabel("Correlation of residuals")
    style_legend(panels[0, -1], {"recorded": "-", "generated": "--"})
    legend(figure, *panels[0])
    return figure


def plot_scaling(table: pd.DataFrame) -> Figure:
    """Plot measures against magnitude and distance; outside of a model's ranges dashed.

    Parameters
    ----------
    table : pandas.DataFrame
        Table "scaling" of an evaluation.

    Returns
    -------
    matplotlib.figure.Figure
    """
    shown = _main_series(table)
    others = [name for name in generators_of(table) if name not in NGA_WEST2]
    names = {**colours(others), **dict.fromkeys(NGA_WEST2, "#9a9a9a")}
    figure, panels = new_panels(2, len(shown), (3.6 * len(shown) + 0.6, 7.4))
    for by, row in zip((MAGNITUDE, DISTANCE), panels, strict=True):
        for (component, measure), axes in zip(shown, row, strict=True):
            chosen = (table["component"] == component) & (table["measure"] == measure)
            for key, own in table[chosen & (table["by"] == by)].groupby("generator", sort=False):
                name = str(key)
                label = "NGA-West2 models" if name in NGA_WEST2 else name
                amplitude = np.exp(own["ln_median"])
                axes.plot(own["value"], amplitude, ":", color=names[name], linewidth=1.2)
                inside = amplitude.where(own["extrapolated"] < 0.5)
                axes.plot(own["value"], inside, ".-", color=names[name], label=label)
            axes.set_yscale("log")
            bin_axis(axes, by)
            kind = next(
                unit for name, unit in UNITS.items() if name in measure.replace("EAS", "FAS")
            )
            axes.set_ylabel(f"{measure} ({kind})")
            title(axes, f"{component}, against {by}")
    legend(figure, *panels.ravel())
    return figure


def plot_hv(ratios: pd.DataFrame, peaks: pd.DataFrame) -> Figure:
    """Plot mean H/V, H/V of the stations with most records, and peak frequencies.

    Parameters
    ----------
    ratios, peaks : pandas.DataFrame
        Tables "hv_ratios" and "hv_peaks" of an evaluation.

    Returns
    -------
    matplotlib.figure.Figure
    """
    names = colours(generators_of(ratios))
    counts = ratios.drop_duplicates("station").set_index("station")["records"]
    stations = counts.sort_values(ascending=False, kind="stable").index[:MOST_STATIONS].tolist()
    rows = -(-(2 + len(stations)) // 4)
    figure, panels = new_panels(rows, 4, (14.4, 3.6 * rows))
    mean, scatter, *single = panels.ravel()
    for name, colour in names.items():
        own = ratios[ratios["generator"] == name]
        by_frequency = own.groupby("frequency_hz")["ln_hv"]
        average, sd = by_frequency.mean(), by_frequency.std(ddof=0)
        mean.plot(average.index, np.exp(average), color=colour, label=name)
        edges = (np.exp(average + sign * sd) for sign in (-1.0, 1.0))
        mean.fill_between(average.index, *edges, color=colour, alpha=0.12, linewidth=0)
        for station, axes in zip(stations, single, strict=False):
            line = own[own["station"] == station]
            axes.plot(line["frequency_hz"], np.exp(line["ln_hv"]), color=colour)
    title(mean, f"Mean of {ratios['station'].nunique()} stations, and their scatter")
    for station, axes in zip(stations, single, strict=False):
        title(axes, f"{short(station)}, {counts[station]} records")
    for axes in single[len(stations) :]:
        axes.set_axis_off()
    for axes in (mean, *single[: len(stations)]):
        frequency_axis(axes)
        axes.set_yscale("log")
        axes.set_yticks([0.5, 1, 2, 5, 10], ["0.5", "1", "2", "5", "10"], minor=False)
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_ylabel("H/V")
    wide = peaks.pivot_table(index="station", columns="generator", values="peak_frequency_hz")
    for name, colour in names.items():
        if name != RECORDED and {name, RECORDED} <= set(wide):
            scatter.plot(wide[RECORDED], wide[name], ".", color=colour, alpha=0.7)
    limits = [float(ratios["frequency_hz"].min()), float(ratios["frequency_hz"].max())]
    scatter.plot(limits, limits, color="#2b2b2b", linewidth=0.8)
    frequency_axis(scatter)
    scatter.set_yscale("log")
    scatter.set_yticks(scatter.get_xticks(), [f"{f:g}" for f in scatter.get_xticks()])
    scatter.yaxis.set_minor_formatter(NullFormatter())
    scatter.set_xlabel("Recorded peak frequency (Hz)")
    scatter.set_ylabel("Generated peak frequency (Hz)")
    title(scatter, "Peak of H/V by station")
    legend(figure, mean)
    return figure


def _main_series(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the component and measure of up to four panels."""
    names = pd.MultiIndex.from_frame(table[["component", "measure"]].drop_duplicates())
    components = [name for name in names.get_level_values("component").unique() if name != BOTH]
    component = components[-1]
    wanted = [(component, f"FAS {f} Hz") for f in (2, 10)]
    peaks = [(BOTH, "RotD50 PGA"), (BOTH, "RotD50 PGV")]
    wanted += peaks if peaks[0] in names else [(component, "PGA"), (component, "PGV")]
    return [series for series in wanted if series in names]
