"""Models against a data set: bias, scatter, calibration, picks, distributions, a discriminator.

The modules beside this one hold the parts: `measures` of waveforms, `draws` of realizations,
statistics in `residuals` and `distributions`.  On data of the package's own simulator, the
simulator is judged like a model: what it leaves unexplained, no generator can explain.
"""

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd
from seisbench.data import WaveformDataset

from cgmgm_seis import __version__
from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.evaluation.data import (
    known_components,
    missing_columns,
    read_split,
    read_windows,
)
from cgmgm_seis.evaluation.discriminator import discriminative_score
from cgmgm_seis.evaluation.draws import (
    Draw,
    is_simulated,
    measuring_pool,
    model_draw,
    reduce_draws,
    simulator_draw,
)
from cgmgm_seis.evaluation.identity import model_state, records_sha256
from cgmgm_seis.evaluation.judging import GeneratorPicks, Judged
from cgmgm_seis.evaluation.metrics import evaluation_of
from cgmgm_seis.evaluation.pick_tables import RECORDED
from cgmgm_seis.evaluation.tables import (
    SIMULATOR,
    Evaluation,
)
from cgmgm_seis.gmm.pygmm_models import NGA_WEST2
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.models.conditions import ExtrapolationWarning
from cgmgm_seis.models.weights import load_model
from cgmgm_seis.scenario.window import Window
from cgmgm_seis.storage.chunks import Chunks

logger = logging.getLogger(__name__)


def evaluate(
    models: Mapping[str, GroundMotionModel],
    dataset: WaveformDataset | str | Path,
    split: str = "test",
    n_realizations: int = 20,
    seed: int = 0,
    picker: str | Path = "original",
    n_classifiers: int = 5,
    max_records: int | None = None,
    skip_bad: bool = False,
    tsne: bool = False,
    gmms: bool = True,
    workers: int | None = None,
    chunk_folder: Path | None = None,
    progress: bool = False,
) -> Evaluation:
    """Compare realizations of models with the records of a data set.

    What the data set cannot give is left out, and said in the result's "not_available".

    Parameters
    ----------
    models : mapping
        Name to model; all of one window (components, rate, start, length).
    dataset : seisbench.data.WaveformDataset, str or pathlib.Path
        Data set in m/s; without magnitudes or places only its picks are measured.
    split : str
        Split to read, with events unseen in training; without a ``split`` column all is read.
    n_realizations : int
        Realizations of every record, 2 or more; coverage means little below about 20.
    seed : int
        Of the realizations, the discriminator and the choice of events.
    picker : str or pathlib.Path
        See `cgmgm_seis.measures.picks.load_picker`; where it is missing the picks are left out.
    n_classifiers : int
        Networks of the discriminative score; 0 leaves it out.
    max_records : int, optional
        Draw whole events until the next one would exceed this number of records.
    skip_bad : bool
        Leave out records with NaN or constant components.
    tsne : bool
        Project the log spectrograms with t-SNE too.
    gmms : bool
        Fit ground-motion models to the training split and put them beside the generators.
    workers : int, optional
        Processes that measure realizations; by default as many as cores, if there is much to do.
    chunk_folder : pathlib.Path, optional
        Keep finished chunks of realizations, picks and classifiers here, and use those of an
        interrupted run with the same weights, records, seed and number of realizations.  The
        caller removes it.
    progress : bool
        Show progress bars where stderr is a terminal.

    Raises
    ------
    DatasetError
        If the data set cannot be used or the split is empty.
    CgmgmError
        If the models' windows differ, a model draws silence or NaN, has a reserved name, or
        there are fewer than two realizations.
    """
    window = common_window(models, n_realizations)
    if missing := missing_columns(dataset):
        settings = _settings(window, n_realizations, seed, picker)
        picks = GeneratorPicks(picker, window, progress)
        return _picks_alone(models, dataset, split, max_records, missing, settings, picks)
    window, left_out = _known_window(window, dataset)
    settings = _settings(window, n_realizations, seed, picker)
    picks = GeneratorPicks(picker, window, progress)
    waveforms, scenario = read_split(
        dataset, window, split, seed, max_records, skip_bad=skip_bad, progress=progress
    )
    draws: dict[str, Draw] = {name: model_draw(model, window) for name, model in models.items()}
    for name, model in models.items():
        say_extrapolation(name, model, scenario)
    if is_simulated(scenario) and (simulator := simulator_draw(window)) is not None:
        draws[SIMULATOR] = simulator

    identity = {
        **{key: value for key, value in settings.items() if key != "picker"},
        "version": __version__,
        "records": records_sha256(waveforms, scenario),
    }
    states = {name: model_state(model) for name, model in models.items()}

    def chunks(kind: str, name: str) -> Chunks:
        """Return where finished chunks of a generator, or of the records, are kept."""
        made_by = {"kind": kind, "generator": name, "model": states.get(name)}
        if kind == "picks":
            made_by["picker"] = picks.sha256
        return Chunks(chunk_folder, {**identity, **made_by})

    judged = Judged(waveforms, scenario, window, seed, tsne)
    judged.missing |= left_out
    picks.add(RECORDED, waveforms, chunks("picks", RECORDED))
    n_classifiers = judged.classifiers(n_classifiers)
    with measuring_pool(len(scenario) * n_realizations, workers) as pool:
        judged.measure_records(pool)
        for name, draw in draws.items():
            drawn = reduce_draws(
                draw,
                scenario,
                window,
                n_realizations,
                seed,
                name,
                progress,
                pool,
                chunks("realizations", name),
            )
            judged.add(name, drawn.measures, drawn.first)
            picks.add(name, drawn.first, chunks("picks", name))
            if n_classifiers:
                judged.scores[name] = discriminative_score(
                    waveforms,
                    drawn.first,
                    judged.events,
                    seed,
                    n_classifiers,
                    progress,
                    chunks("classifiers", name),
                )
    tables = {**judged.tables(), **picks.tables(scenario)}
    if gmms:
        tables["ground_motion_models"] = judged.beside_gmms(dataset)
    return evaluation_of(
        models,
        list(draws),
        dataset,
        split,
        scenario,
        settings,
        tables,
        judged,
        picks.missing,
    )


def load_generators(names: Sequence[str], device: str = "auto") -> dict[str, GroundMotionModel]:
    """Load models by the names or paths of their weights, each under a name of its own.

    Parameters
    ----------
    names : sequence of str
        As for `cgmgm_seis.models.weights.load_model`.
    device : str
        As there.

    Returns
    -------
    dict
        Name of the weights to model; where two have one name, what was given.

    Raises
    ------
    CgmgmError
        If weights are given twice.
    WeightsError
        If weights cannot be loaded.

    Examples
    --------
    >>> list(load_generators(["bay_area"], "cpu"))
    ['bay_area']
    """
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise CgmgmError(f"The weights {twice} are given twice; once is enough.")
    models = [load_model(name, device) for name in names]
    short = [model.weights_name for model in models]
    return {
        own if short.count(own) == 1 else given: model
        for given, own, model in zip(names, short, models, strict=True)
    }


# ---- records without a scenario --------------------------------------------------------------


def _picks_alone(
    models: Mapping[str, GroundMotionModel],
    dataset: WaveformDataset | str | Path,
    split: str,
    max_records: int | None,
    missing: list[str],
    settings: dict[str, Any],
    picks: GeneratorPicks,
) -> Evaluation:
    """Pick records of which too little is known to generate them."""
    window = picks.window
    waveforms, metadata = read_windows(
        dataset, window.component_order, window.sampling_rate, split, max_records
    )
    picks.add(RECORDED, waveforms, Chunks(None, {}))
    without = {"everything but the picks of the records": f"no {', '.join(missing)}"}
    logger.warning("Only the records' own picks are measured: no %s.", ", ".join(missing))
    tables = picks.tables(metadata)
    return evaluation_of(
        models, [], dataset, split, metadata, settings, tables, None, {**without, **picks.missing}
    )


def _settings(window: Window, n_realizations: int, seed: int, picker: str | Path) -> dict[str, Any]:
    return {
        "window": asdict(window),
        "n_realizations": n_realizations,
        "seed": seed,
        "picker": str(picker),
    }


def _known_window(
    window: Window, dataset: WaveformDataset | str | Path
) -> tuple[Window, dict[str, str]]:
    """Return the window with the components that the data set has, and what is missing."""
    known = known_components(dataset, window.component_order)
    lacking = ", ".join(c for c in window.component_order if c not in known)
    if not lacking:
        return window, {}
    reason = f"the data set has {', '.join(known)} only"
    logger.warning("Components %s are not compared: %s.", lacking, reason)
    return replace(window, component_order=known), {f"components {lacking}": reason}


def common_window(models: Mapping[str, GroundMotionModel], n_realizations: int) -> Window:
    """Return the window that the models share, if they can be compared at all.

    Raises
    ------
    CgmgmError
        If the windows differ, a model has a reserved name, or there are fewer than two
        realizations.
    """
    if n_realizations < 2:
        raise CgmgmError(f"{n_realizations} realization(s) have no scatter; 2 or more have.")
    if reserved := {RECORDED, SIMULATOR, *NGA_WEST2} & set(models):
        raise CgmgmError(f"A model cannot be named {reserved.pop()}; that is a row of the tables.")
    windows = {model.window for model in models.values()}
    if len(windows) != 1:
        raise CgmgmError(
            f"{len(models)} models have {len(windows)} windows ({'; '.join(map(str, windows))}); "
            "one comparison needs one."
        )
    return windows.pop()


def say_extrapolation(name: str, model: GroundMotionModel, scenario: pd.DataFrame) -> list[str]:
    """Log where records leave the trained ranges of a model, and return the sentences."""
    if not model.ranges:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExtrapolationWarning)
        messages = model.check_ranges(scenario, extrapolate=True)
    for message in messages:
        logger.warning("%s: %s", name, message)
    return messages
