"""Maps of FAS of one earthquake: the generators and the ground-motion models beside each other."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from cgmgm_seis.evaluation.generators import load_generators, say_extrapolation
from cgmgm_seis.gmm.named import ERGODIC, NON_ERGODIC, NamedGMM
from cgmgm_seis.grid.beside import jobs_beside
from cgmgm_seis.grid.job import GridJob
from cgmgm_seis.grid.measures import Measures
from cgmgm_seis.grid.model_plots import model_figures
from cgmgm_seis.grid.nodes import grid_nodes
from cgmgm_seis.grid.plots import write_figure
from cgmgm_seis.grid.synthesis import LN_FILE, draw_tasks, local_engine, write_grid
from cgmgm_seis.grid.tasks import NodeTasks
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.reproduction.recipe import PaperRecipe
from cgmgm_seis.scenario.sources import source


def write_maps(
    weights: Sequence[Path],
    gmm: Path,
    folder: Path,
    scratch: Path,
    recipe: PaperRecipe,
    device: str,
    workers: int | None,
    progress: bool,
) -> None:
    """Draw and write the maps; finished chunks of an interrupted run are used.

    Parameters
    ----------
    weights : sequence of pathlib.Path
        Weights of the generators; the others are compared with the first.
    gmm : pathlib.Path
        File of a non-ergodic model.
    folder, scratch : pathlib.Path
        Folder to write, and folder of the chunks.
    recipe : PaperRecipe
        Earthquake, nodes, frequencies and realizations.
    device : str
        Device of the generators.
    workers : int, optional
        Number of processes, by default one per core.
    progress : bool
        Show progress bars where stderr is a terminal.
    """
    job, beside, messages = _jobs(weights, gmm, scratch, recipe, device)
    visible = progress and sys.stderr.isatty()
    n_workers = workers or os.cpu_count() or 1
    for own in (job, *beside.values()):
        # Processes import torch for seconds: not for one task, or for predictions, which are fast.
        several = isinstance(own, GridJob) and min(n_workers, len(own.tasks)) > 1
        draw_tasks(own, local_engine(n_workers) if several else None, progress=visible)
    write_grid(
        folder,
        job,
        beside=beside,
        parts=("maps", "html", "quakeml"),
        ln=True,
        warnings=messages,
        overwrite=True,
        progress=visible,
    )
    title = (
        f"M {recipe.magnitude:g}, {recipe.depth_km:g} km deep, {recipe.map_realizations} "
        "realizations of the generators"
    )
    for name, figure in model_figures(folder / LN_FILE, title).items():
        write_figure(figure, folder / f"{name}.png")


def _jobs(
    weights: Sequence[Path], gmm: Path, scratch: Path, recipe: PaperRecipe, device: str
) -> tuple[GridJob, dict[str, NodeTasks], list[str]]:
    """Return the job of the first generator, those of the others, and what is extrapolated."""
    names = [str(path) for path in weights]
    models = load_generators(names, device)
    model, *_ = models.values()
    earthquake = source(recipe.magnitude, recipe.latitude, recipe.longitude, recipe.depth_km)
    nodes = grid_nodes(recipe.region, (recipe.shape[0], recipe.shape[1]))
    messages = _outside(models, nodes.extremes(earthquake))
    job = GridJob(
        model,
        names[0],
        earthquake,
        nodes,
        Measures(model.component_order, model.sampling_rate, ("fas",), recipe.frequencies),
        recipe.map_realizations,
        recipe.seed,
        waveforms=False,
        extrapolate=True,
        device=device,
        folder=scratch,
    )
    gmms = [NamedGMM.of(name) for name in (ERGODIC, f"{NON_ERGODIC}:{gmm}")]
    beside = jobs_beside(job, dict(zip(names, models.items(), strict=True)), gmms)
    return job, beside, messages


def _outside(models: Mapping[str, GroundMotionModel], extremes: pd.DataFrame) -> list[str]:
    """Return what is outside the trained ranges, by model."""
    return [
        f"{name}: {message}"
        for name, model in models.items()
        for message in say_extrapolation(name, model, extremes)
    ]
