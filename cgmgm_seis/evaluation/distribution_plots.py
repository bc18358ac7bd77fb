"""Figures of distributions: calibration, and projections of log spectrograms."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from cgmgm_seis.evaluation.figures import (
    colours,
    generators_of,
    main_of,
    new_panels,
    short,
    title,
    zero_line,
)
from cgmgm_seis.evaluation.measures import FREQUENCIES
from cgmgm_seis.evaluation.pick_tables import RECORDED
from cgmgm_seis.evaluation.tables import PIT_EDGES

PIT_MEASURES = ("PGV", "D5-95", "RotD50 PGV")


def plot_pit(pit: pd.DataFrame) -> Figure:
    """Plot PIT histograms, which are flat for a calibrated generator.

    Parameters
    ----------
    pit : pandas.DataFrame
        Table of an evaluation.

    Returns
    -------
    matplotlib.figure.Figure
    """
    component, kind = main_of(pit)
    wanted = [(component, f"{kind} {f:g} Hz") for f in FREQUENCIES]
    other = component if component != "H" else pit["component"].iloc[0]
    wanted += [(c, m) for c in dict.fromkeys((component, other)) for m in PIT_MEASURES]
    present = set(zip(pit["component"], pit["measure"], strict=True))
    shown = [key for key in wanted if key in present]
    generators = generators_of(pit)
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
            zero_line(axes, 1.0, above=True)
            axes.set_xticks([0.0, 0.5, 1.0], ["0", "0.5", "1"])
        row[0].set_ylabel(f"{short(name)}\ndensity")
    for (own, measure), axes in zip(shown, panels[0], strict=True):
        title(axes, f"{own} {measure}")
    for axes in panels[-1]:
        axes.set_xlabel("PIT", fontsize=8.5)
    return figure


def plot_projections(projections: pd.DataFrame, shares: Sequence[float] | None) -> Figure:
    """Plot log spectrograms projected on a plane.

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
    generators = [name for name in generators_of(projections) if name != RECORDED]
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
