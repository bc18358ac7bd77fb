"""Figures of picks: residuals, and share picked, probability and precision in bins."""

from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cgmgm_seis.evaluation.figures import (
    BIN_NAMES,
    bin_axis,
    colours,
    generators_of,
    legend,
    new_panels,
    style_legend,
    title,
    zero_line,
)
from cgmgm_seis.evaluation.pick_tables import DIFFERENCE, PHASES

KINDS = {
    "minus_onset_s": "pick $-$ onset",
    "minus_recorded_s": "generated $-$ recorded pick",
}


def plot_picks(picks: pd.DataFrame) -> Figure:
    """Plot histograms of the pick residuals.

    Parameters
    ----------
    picks : pandas.DataFrame
        Table "pick_records" of an evaluation.

    Returns
    -------
    matplotlib.figure.Figure
    """
    kinds = {column: text for column, text in KINDS.items() if picks[column].notna().any()}
    phases = (*PHASES, DIFFERENCE)
    figure, panels = new_panels(max(len(kinds), 1), 3, (11.0, 2.6 * max(len(kinds), 1) + 0.6))
    for (column, label), row in zip(kinds.items(), panels, strict=False):
        for phase, axes in zip(phases, row, strict=True):
            own = picks[picks["phase"] == phase]
            limit = _limit(own[column])
            edges = np.linspace(-limit, limit, 42)  # zero is in the middle of a bin
            zero_line(axes, vertical=True)
            for name, colour in colours(generators_of(picks)).items():
                mine = own[own["generator"] == name]
                delays = mine[column].dropna().clip(-limit, limit)
                if len(delays):
                    shares = np.histogram(delays, edges)[0] / len(mine)
                    axes.stairs(shares, edges, color=colour, linewidth=1.3, label=name)
            axes.set_xlabel(f"{phase}: {label} (s)")
            axes.set_xlim(-limit, limit)
        row[0].set_ylabel("Share of all records")
    legend(figure, panels[0, 0], panels[-1, 0])
    return figure


def plot_picks_by_bin(bins: pd.DataFrame) -> Figure:
    """Plot share picked, probability and residual against distance and magnitude.

    Parameters
    ----------
    bins : pandas.DataFrame
        Table "picks_by_bin" of an evaluation.

    Returns
    -------
    matplotlib.figure.Figure
    """
    known = [by for by in BIN_NAMES if (bins["by"] == by).any()]
    kind = "minus_recorded" if bins["minus_recorded_median_s"].notna().any() else "minus_onset"
    residual = KINDS[f"{kind}_s"]
    quantities = {
        "picked": "Share picked",
        "probability": "Median probability",
        f"{kind}_median_s": f"Median of {residual} (s)",
        f"{kind}_p90_s": f"90 % of |{residual}| (s)",
    }
    styles: dict[str, Literal["-", "--"]] = {"P": "-", "S": "--"}
    figure, panels = new_panels(len(known), 4, (14.0, 2.7 * len(known) + 0.6), sharex="row")
    for by, row in zip(known, panels, strict=True):
        for column, axes in zip(quantities, row, strict=True):
            for name, colour in colours(generators_of(bins)).items():
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
            bin_axis(axes, by)
            if column.endswith("p90_s") and (bins[column] > 0.0).any():
                axes.set_yscale("log")
            if column.endswith("median_s"):
                # Keep residuals of 0.01 s, the step of the picks, small on the axis.
                low, high = axes.get_ylim()
                axes.set_ylim(min(low, -0.1), max(high, 0.1))
            if column in ("picked", "probability"):
                axes.set_ylim(0.0, 1.05)
    for name_of, axes in zip(quantities.values(), panels[0], strict=True):
        title(axes, name_of)
    style_legend(panels[0, 1], styles)
    legend(figure, panels[0, 0])
    return figure


def _limit(delays: pd.Series) -> float:
    """Return a round limit, s, that includes most delays."""
    sizes = delays.abs().dropna()
    largest = float(sizes.quantile(0.9)) if len(sizes) else 1.0
    steps = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
    return next((step for step in steps if step >= largest), steps[-1])
