"""Figures of recorded amplitudes: statistics by measure, residuals by distance and magnitude."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cgmgm_seis.evaluation.figures import (
    bin_axis,
    colours,
    draw_bins,
    generators_of,
    new_panels,
    short,
    title,
    zero_line,
)
from cgmgm_seis.evaluation.measures import main_amplitudes, psa_period
from cgmgm_seis.evaluation.residuals import BINS, FEWEST

PANELS = {
    "bias": "Bias, ln generated $-$ recorded",
    "sigma": r"Total scatter, $\sigma$",
    "tau": r"Between events, $\tau$",
    "phi": r"Within events, $\phi$",
    "coverage": "Share within the 16 to 84 % band",
    "slope_ln_distance": "Slope of residuals with ln R",
    "slope_magnitude": "Slope of residuals with M",
}
# Values for a perfect generator.
AIMS = {"bias": 0.0, "coverage": 0.68, "slope_ln_distance": 0.0, "slope_magnitude": 0.0}


def plot_amplitudes(amplitudes: pd.DataFrame) -> Figure:
    """Plot the statistics of every generator and ground-motion model by measure.

    Parameters
    ----------
    amplitudes : pandas.DataFrame
        Table "amplitudes" of an evaluation.

    Returns
    -------
    matplotlib.figure.Figure
    """
    measures = list(dict.fromkeys(amplitudes["measure"]))
    peaks = [psa_period(measure) is None for measure in measures]
    labels = [
        measure.removeprefix("RotD50 ").removeprefix("PSA ").removesuffix(" s")
        for measure in measures
    ]
    figure, panels = new_panels(2, 4, (14.5, 6.6))
    *used, last = panels.ravel()
    for (column, name_of), axes in zip(PANELS.items(), used, strict=True):
        if column in AIMS:
            zero_line(axes, AIMS[column])
        for name, colour in colours(generators_of(amplitudes)).items():
            own = amplitudes[amplitudes["generator"] == name].set_index("measure")
            values = own[column].reindex(measures).to_numpy(float)
            axes.plot(values, "o", markersize=3.5, color=colour, label=name)
            axes.plot(np.where(peaks, np.nan, values), color=colour, linewidth=1.2)
        title(axes, name_of)
        axes.set_xticks(range(len(labels)), labels, rotation=90)
        axes.grid(color="#e3e3e3", linewidth=0.6)
        if column in ("sigma", "tau", "phi"):
            axes.set_ylim(bottom=0.0)
        if column == "coverage":
            axes.set_ylim(0.0, 1.0)
    for axes in used[3:]:
        axes.set_xlabel("PGA, PGV, and PSA at a period (s)")
    last.set_axis_off()
    last.legend(*used[0].get_legend_handles_labels(), loc="center", frameon=False, fontsize=9)
    return figure


def plot_amplitude_residuals(records: pd.DataFrame, by: str) -> Figure:
    """Plot the residuals of single records, and their mean and standard deviation in bins.

    Parameters
    ----------
    records : pandas.DataFrame
        Table "amplitude_records" of an evaluation.
    by : str
        "distance" or "magnitude".

    Returns
    -------
    matplotlib.figure.Figure
    """
    prefix, (column, edges) = "ln_median ", BINS[by]
    columns = [name for name in map(str, records) if name.startswith(prefix)]
    generators = [name.removeprefix(prefix) for name in columns]
    measures = main_amplitudes(records["measure"].tolist())
    own = records[records["measure"].isin(measures)]
    residuals = own[columns].sub(own["ln_recorded"], axis=0)
    limit = max(float(np.quantile(residuals.abs().to_numpy(), 0.995)) * 1.1, 0.1)
    figure, panels = new_panels(
        len(generators),
        len(measures),
        (3.1 * len(measures) + 0.6, 2.0 * len(generators) + 0.7),
        sharex=True,
        sharey=True,
    )
    for (name, colour), row in zip(colours(generators).items(), panels, strict=True):
        for measure, axes in zip(measures, row, strict=True):
            chosen = own["measure"] == measure
            x, y = own.loc[chosen, column], residuals.loc[chosen, prefix + name]
            zero_line(axes)
            axes.scatter(x, y, s=6, color=colour, alpha=0.35, linewidths=0, rasterized=True)
            _draw_means(axes, x, y, edges)
            axes.set_ylim(-limit, limit)
        row[0].set_ylabel(f"{short(name)}\nln generated $-$ recorded")
    for measure, top, bottom in zip(measures, panels[0], panels[-1], strict=True):
        title(top, measure)
        bin_axis(bottom, by)
    return figure


def _draw_means(axes: Axes, x: pd.Series, y: pd.Series, edges: Sequence[float]) -> None:
    values = pd.DataFrame({"mean": x, "bias": y, "sigma": y})
    groups = values.groupby(pd.cut(x, edges, right=False), observed=True)
    table = groups.agg({"mean": "mean", "bias": "mean", "sigma": "std"})
    draw_bins(axes, table[groups.size() >= FEWEST])
