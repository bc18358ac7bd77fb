"""Models against a data set: tables of bias, scatter, picks and a discriminator's score.

The measures and realizations are those of `cgmgm_seis.draws`, the statistics those of
`cgmgm_seis.residuals`.  On data of the package's own simulator, the simulator is judged like a
model: what it leaves unexplained, no generator can explain.
"""

import logging
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from seisbench.data import WaveformDataset

from cgmgm_seis.conditions import ExtrapolationWarning
from cgmgm_seis.datasets.windows import open_dataset, read_records
from cgmgm_seis.discriminator import DiscriminativeScore, discriminative_score
from cgmgm_seis.draws import (
    MEASURES,
    Draw,
    Window,
    is_simulated,
    ln_measures,
    model_draw,
    reduce_draws,
    simulator_draw,
)
from cgmgm_seis.errors import CgmgmError, DatasetError
from cgmgm_seis.evaluation_tables import (
    PHASES,
    RECORDED,
    SIMULATOR,
    Evaluation,
    discriminator_table,
    measures_table,
    nested,
    picks_table,
    pit_table,
    plain,
    records_table,
)
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.picks import load_picker, pick
from cgmgm_seis.residuals import Comparison, compare
from cgmgm_seis.seeding import generator

logger = logging.getLogger(__name__)

Floats = NDArray[np.float64]


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
    progress: bool = False,
) -> Evaluation:
    """Compare realizations of models with the records of a data set.

    Parameters
    ----------
    models : mapping
        Name to model; all of one window (components, rate, start, length).
    dataset : seisbench.data.WaveformDataset, str or pathlib.Path
        Data set in m/s.
    split : str
        Split to read, with events unseen in training; without a ``split`` column all is read.
    n_realizations : int
        Realizations of every record, 2 or more; coverage means little below about 20.
    seed : int
        Of the realizations, the discriminator and the choice of events.
    picker : str or pathlib.Path
        See `cgmgm_seis.picks.load_picker`; where it is missing the picks are left out.
    n_classifiers : int
        Networks of the discriminative score; 0 leaves it out.
    max_records : int, optional
        Draw whole events until the next one would exceed this number of records.
    skip_bad : bool
        Leave out records with NaN or constant components.
    progress : bool
        Show progress bars where stderr is a terminal.

    Raises
    ------
    DatasetError
        If the data set cannot be used or the split is empty.
    CgmgmError
        If the models' windows differ, a model draws silence or NaN, or there are fewer than two
        realizations.
    """
    if n_realizations < 2:
        raise CgmgmError(f"{n_realizations} realization(s) have no scatter; 2 or more have.")
    window = _common_window(models)
    waveforms, scenario = read_split(
        dataset, window, split, seed, max_records, skip_bad=skip_bad, progress=progress
    )
    events = scenario["source_id"].astype(str)
    if n_classifiers and events.nunique() < 2:
        logger.warning("No discriminative score: 1 event has no halves.")
        n_classifiers = 0
    draws: dict[str, Draw] = {name: model_draw(model) for name, model in models.items()}
    for name, model in models.items():
        _say_extrapolation(name, model, scenario)
    if is_simulated(scenario) and (simulator := simulator_draw(window)) is not None:
        draws[SIMULATOR] = simulator

    recorded = ln_measures(waveforms, window.sampling_rate)
    picks = _Picks(picker, window, progress)
    picks.add(RECORDED, waveforms)
    comparisons: dict[str, Comparison] = {}
    scores: dict[str, DiscriminativeScore] = {}
    for name, draw in draws.items():
        drawn = reduce_draws(draw, scenario, window, n_realizations, seed, name, progress)
        comparisons[name] = compare(
            recorded, drawn.measures, events, window.component_order, MEASURES, seed
        )
        picks.add(name, drawn.first)
        if n_classifiers:
            scores[name] = discriminative_score(
                waveforms, drawn.first, events, seed, n_classifiers, progress
            )

    tables = {
        "measures": measures_table(comparisons),
        "pit": pit_table(comparisons, window.component_order),
        "picks": picks_table(picks.found, _onsets(scenario, window)),
        "discriminator": discriminator_table(scores),
        "records": records_table(comparisons, recorded, scenario, window.component_order),
    }
    metrics = {
        "dataset": {
            "name": _name(dataset),
            "split": split if "split" in scenario else "all records",
            "records": len(scenario),
            "events": int(events.nunique()),
        },
        "window": asdict(window),
        "n_realizations": n_realizations,
        "seed": seed,
        "picker": str(picker) if picks.found else None,
        RECORDED: {"picks": nested(tables["picks"], RECORDED, ["phase"])},
        "generators": {
            name: {
                "model": _identity(models.get(name)),
                "measures": nested(tables["measures"], name, ["component", "measure"]),
                "pit": nested(tables["pit"], name, ["component", "measure"]),
                "picks": nested(tables["picks"], name, ["phase"]),
                "discriminator": _score(scores.get(name)),
            }
            for name in draws
        },
    }
    return Evaluation(plain(metrics), {name: table for name, table in tables.items() if len(table)})


def read_split(
    dataset: WaveformDataset | str | Path,
    window: Window,
    split: str = "test",
    seed: int = 0,
    max_records: int | None = None,
    skip_bad: bool = False,
    progress: bool = False,
) -> tuple[NDArray[np.float32], pd.DataFrame]:
    """Read one split of a data set, or some of its events; parameters as in `evaluate`.

    Returns
    -------
    waveforms : numpy.ndarray
        Velocity in m/s, float32, shape (record, component, sample).
    scenario : pandas.DataFrame
        Scenario table, see `cgmgm_seis.datasets.windows.read_records`.
    """
    view = open_dataset(dataset, window.sampling_rate, window.component_order)
    metadata = view.metadata
    wanted = np.ones(len(metadata), bool)
    if "split" in metadata:
        wanted = metadata["split"].to_numpy() == split
        if not wanted.any():
            known = ", ".join(sorted(map(str, metadata["split"].unique())))
            raise DatasetError(f"The data set has no split '{split}'; it has {known}.")
    else:
        logger.warning(
            "The data set has no column 'split': all %d records are used, also those a model "
            "may have been trained on.",
            len(metadata),
        )
    if max_records is not None:
        wanted &= _some_events(metadata["source_id"].astype(str), wanted, max_records, seed)
    view.filter(wanted)
    return read_records(
        view,
        window.sampling_rate,
        window.component_order,
        window.start_offset_s,
        window.n_samples,
        skip_bad=skip_bad,
        progress=progress,
    )


# ---- what is measured ----------------------------------------------------------------------


class _Picks:
    """PhaseNet's picks by generator; after a warning none."""

    def __init__(self, name_or_path: str | Path, window: Window, progress: bool) -> None:
        self.window, self.progress = window, progress
        self.found: dict[str, pd.DataFrame] = {}
        self.picker: Any = None
        try:
            self.picker = load_picker(name_or_path)
        except CgmgmError as error:
            logger.warning("No picks: %s", error)

    def add(self, name: str, waveforms: NDArray[np.float32]) -> None:
        """Pick one realization of every record."""
        if self.picker is None:
            return
        rate, order = self.window.sampling_rate, self.window.component_order
        try:
            self.found[name] = pick(self.picker, waveforms, rate, order, progress=self.progress)
        except CgmgmError as error:
            logger.warning("No picks: %s", error)
            self.picker = None


def _common_window(models: Mapping[str, GroundMotionModel]) -> Window:
    windows = {Window.of(model) for model in models.values()}
    if len(windows) != 1:
        raise CgmgmError(
            f"{len(models)} models have {len(windows)} windows ({'; '.join(map(str, windows))}); "
            "one comparison needs one."
        )
    return windows.pop()


def _say_extrapolation(name: str, model: GroundMotionModel, scenario: pd.DataFrame) -> None:
    if not model.ranges:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExtrapolationWarning)
        for message in model.check_ranges(scenario, extrapolate=True):
            logger.warning("%s: %s", name, message)


def _some_events(
    events: pd.Series, wanted: NDArray[np.bool_], max_records: int, seed: int
) -> NDArray[np.bool_]:
    """Return the records of events drawn one after the other, as long as they fit."""
    sizes = events[wanted].value_counts().sort_index()
    sizes = sizes.iloc[generator(seed, "events").permutation(len(sizes))]
    fitting = sizes.cumsum() <= max_records
    if not fitting.iloc[0]:
        raise DatasetError(
            f"At most {max_records} record(s) are wanted, but the first event drawn has "
            f"{sizes.iloc[0]}; whole events are read."
        )
    chosen: NDArray[np.bool_] = events.isin(sizes.index[fitting]).to_numpy()
    return chosen


def _onsets(scenario: pd.DataFrame, window: Window) -> dict[str, Floats] | None:
    """Return the true P and S onsets, s after the records' start, where the data set has them."""
    columns = {phase: f"trace_{phase}_arrival_sample" for phase in PHASES}
    if any(column not in scenario for column in columns.values()):
        return None
    return {
        phase: scenario[column].to_numpy(float) / window.sampling_rate
        for phase, column in columns.items()
    }


def _identity(model: GroundMotionModel | None) -> dict[str, Any] | None:
    """Return what tells a model's weights from all others; None for the simulator."""
    if model is None:
        return None
    return {
        "class": type(model).__name__,
        "weights": model.weights_name,
        "version": model.weights_version,
        "sha256": model.weights_sha256,
    }


def _score(score: DiscriminativeScore | None) -> dict[str, Any] | None:
    if score is None:
        return None
    return {"mean": score.mean, "spread": score.spread, **asdict(score)}


def _name(dataset: WaveformDataset | str | Path) -> str:
    if isinstance(dataset, (str, Path)):
        return Path(dataset).absolute().name
    return str(dataset.name)
