"""Figure of a search: the score trial by trial, and against every setting."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cgmgm_seis.tuning.space import SearchSpace
from cgmgm_seis.tuning.trials import COMPLETE, FAILED, STOPPED, Trial

COLOURS = {COMPLETE: "#2274a5", STOPPED: "#b8860b", FAILED: "#c1440e"}
MARKERS = {COMPLETE: "o", STOPPED: "v", FAILED: "x"}
OBJECTIVE_NAMES = {
    "dev": "Score on the dev split (nats per record)",
    "discriminative": "Discriminative score",
}
COLUMNS = 4


def plot_trials(trials: Sequence[Trial], space: SearchSpace, objective: str = "dev") -> Figure:
    """Plot the score of every trial with the best so far, and the score against every setting.

    Parameters
    ----------
    trials : sequence of Trial
        Trials in order; failed ones are marked at the top.
    space : SearchSpace
        The search space.
    objective : str
        Name of the objective.

    Returns
    -------
    matplotlib.figure.Figure
        Figure with a circle around the best trial.
    """
    names = list(space.ranges)
    rows = math.ceil(len(names) / COLUMNS)
    figure = Figure(figsize=(11, 3.2 + 2.3 * rows), dpi=120, layout="constrained")
    parts = figure.subfigures(2, 1, squeeze=False, height_ratios=[3.2, 2.3 * rows])
    top, bottom = parts.ravel()
    scores = np.array([math.nan if t.score is None else t.score for t in trials])
    known = scores[np.isfinite(scores)]
    ceiling = float(known.max()) if len(known) else 1.0
    heights = np.where(np.isfinite(scores), scores, ceiling)
    states = np.array([trial.state for trial in trials])
    numbers = np.array([trial.number for trial in trials])
    complete = np.where(states == COMPLETE, scores, np.inf)
    best = int(complete.argmin()) if np.isfinite(complete).any() else None

    axes = top.subplots()
    for state, colour in COLOURS.items():
        here = states == state
        if here.any():
            label = f"{state} ({here.sum()})"
            axes.scatter(
                numbers[here], heights[here], c=colour, marker=MARKERS[state], s=30, label=label
            )
    if best is not None:
        running = np.minimum.accumulate(complete)
        axes.step(numbers, running, where="post", color="black", lw=1, label="best so far")
        axes.scatter(numbers[best], scores[best], s=130, facecolors="none", edgecolors="black")
    axes.set_xlabel("Trial")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel(OBJECTIVE_NAMES[objective])
    axes.legend(frameon=False, fontsize=9)
    panels = bottom.subplots(rows, COLUMNS, squeeze=False, sharey=True).ravel()
    for panel in panels[len(names) :]:
        panel.set_visible(False)
    for name, panel in zip(names, panels, strict=False):
        values = space.ranges[name]
        places = np.array([space.point(trial.settings)[name] for trial in trials], float)
        for state, colour in COLOURS.items():
            here = states == state
            panel.scatter(places[here], heights[here], c=colour, marker=MARKERS[state], s=18)
        if best is not None:
            panel.scatter(places[best], scores[best], s=80, facecolors="none", edgecolors="black")
        if isinstance(values, list):
            panel.set_xticks(range(len(values)), [f"{value}" for value in values])
            panel.set_xlim(-0.5, len(values) - 0.5)
        else:
            panel.set_xscale("log")
            ends = (values["from"], math.sqrt(values["from"] * values["to"]), values["to"])
            panel.set_xticks(ends, [f"{end:.2g}" for end in ends])
            panel.minorticks_off()
        panel.set_xlabel(name.replace("_", " "), fontsize=9)
    for each in (axes, *panels):
        each.spines[["top", "right"]].set_visible(False)
        each.tick_params(which="both", labelsize=8)
    return figure
