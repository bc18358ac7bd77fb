"""Common elements of an evaluation's figures: colours, panels, titles, axes, legends, rows."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import StepPatch
from numpy.typing import NDArray

from cgmgm_seis.evaluation.measures import main_spectrum
from cgmgm_seis.evaluation.pick_tables import RECORDED
from cgmgm_seis.evaluation.tables import SIMULATOR
from cgmgm_seis.output.plots import RECORDED as RECORDED_COLOUR

MODEL_COLOURS = ("#c1440e", "#2274a5", "#3a8f5c", "#b8860b", "#5f6b7a", "#a0522d")
SIMULATOR_COLOUR = "#8e5ba6"
DPI = 130
# Frequency of figures that show only one, Hz.
MAP_FREQUENCY = 5.0
BIN_NAMES = {"distance": "Hypocentral distance (km)", "magnitude": "Magnitude"}


def colours(generators: Sequence[str]) -> dict[str, str]:
    """Return the colour of every generator; the simulator is purple, the records are black."""
    models = [name for name in generators if name not in (SIMULATOR, RECORDED)]
    fixed = {SIMULATOR: SIMULATOR_COLOUR, RECORDED: RECORDED_COLOUR}
    cycle = {name: MODEL_COLOURS[k % len(MODEL_COLOURS)] for k, name in enumerate(models)}
    return {name: fixed.get(name) or cycle[name] for name in generators}


def new_panels(
    rows: int, columns: int, size: tuple[float, float], **shared: Any
) -> tuple[Figure, NDArray[np.object_]]:
    """Return a figure and its panels in the style of the report."""
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, **shared)
    for axes in panels.ravel():
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(which="both", labelsize=8)
        axes.set_axisbelow(True)
        axes.xaxis.label.set_fontsize(9)
        axes.yaxis.label.set_fontsize(9)
    return figure, panels


def title(axes: Axes, text: str) -> None:
    """Set the title of a panel."""
    axes.set_title(text, fontsize=10)


def legend(figure: Figure, *panels: Axes) -> None:
    """Add one legend of all generators below the figure."""
    found: dict[str, Artist] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    if found:
        figure.legend(
            list(found.values()),
            list(found),
            loc="outside lower center",
            ncols=min(len(found), 4),
            frameon=False,
            fontsize=9,
        )


def style_legend(axes: Axes, styles: Mapping[str, Literal["-", "--"]]) -> None:
    """Add a legend of line styles to a panel: label to line style."""
    lines = [Line2D([], [], color="#555555", linestyle=style) for style in styles.values()]
    axes.legend(lines, list(styles), frameon=False, fontsize=8)


def zero_line(axes: Axes, value: float = 0.0, vertical: bool = False, above: bool = False) -> None:
    """Draw a line at the value for a perfect generator, below or above the data."""
    draw = axes.axvline if vertical else axes.axhline
    draw(value, color="#2b2b2b", linewidth=0.8, zorder=3 if above else 1)


def bin_axis(axes: Axes, by: str) -> None:
    """Label an axis of distance (logarithmic) or magnitude."""
    axes.set_xlabel(BIN_NAMES[by])
    if by == "distance":
        axes.set_xscale("log")
        ticks = (5, 10, 20, 30, 50, 100, 200)
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.minorticks_off()
        axes.autoscale(axis="x")


def draw_bins(axes: Axes, table: pd.DataFrame) -> None:
    """Plot mean and standard deviation of residuals in bins: columns mean, bias and sigma."""
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


def short(name: str) -> str:
    """Return the end of a long name."""
    return name if len(name) <= 24 else f"..{name[-22:]}"


def most_points(figure: Figure) -> int:
    """Return the largest number of different points that one series or image has in a panel.

    Lines across a panel, such as `zero_line`, and colour scales do not count.

    Examples
    --------
    >>> figure, panels = new_panels(1, 1, (3.0, 3.0))
    >>> zero_line(panels[0, 0])
    >>> panels[0, 0].plot([1.0, 2.0], [3.0, np.nan], "o") and most_points(figure)
    1
    """
    counts = [0]
    for axes in figure.axes:
        if axes.get_label() == "<colorbar>":
            continue
        lines = [line for line in axes.lines if line.get_transform() is axes.transData]
        series = [np.asarray(line.get_xydata(), float) for line in lines]
        for artist in (*axes.collections, *axes.images, *axes.patches):
            if isinstance(artist, PathCollection):
                series.append(np.ma.filled(np.ma.asarray(artist.get_offsets(), float), np.nan))
            elif isinstance(artist, StepPatch):
                steps, *_ = artist.get_data()
                counts.append(len(steps))
            elif isinstance(artist, ScalarMappable):
                values = artist.get_array()
                counts.append(0 if values is None else np.size(values))
        counts += [len(np.unique(xy[np.isfinite(xy).all(axis=1)], axis=0)) for xy in series]
    return max(counts)


# ---- rows of the tables --------------------------------------------------------------------


def main_of(table: pd.DataFrame) -> tuple[str, str]:
    """Return the main component and kind of spectrum of a table."""
    names = pd.MultiIndex.from_frame(table[["component", "measure"]].drop_duplicates())
    return main_spectrum(names)


def generators_of(table: pd.DataFrame) -> list[str]:
    """Return the names of the generators in a table."""
    return [str(name) for name in table["generator"].unique()]


def bin_rows(
    bins: pd.DataFrame, generator: str, component: str, measure: str, by: str
) -> pd.DataFrame:
    """Return the bins of one series of a generator."""
    chosen = (bins["generator"] == generator) & (bins["component"] == component)
    return bins[chosen & (bins["measure"] == measure) & (bins["by"] == by)]
