"""Search for the best settings of a generator with hyperopt's TPE, then train with them."""

import logging
import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import hyperopt
from hyperopt import Domain
from tqdm.auto import tqdm

from cgmgm_seis.errors import CgmgmError, OutputError, TrainingError, one_line
from cgmgm_seis.models.devices import check_device
from cgmgm_seis.models.registry import model_class
from cgmgm_seis.scenario.seeding import random_generator
from cgmgm_seis.storage.files import write_file
from cgmgm_seis.storage.folders import check_resumable
from cgmgm_seis.storage.identity import difference
from cgmgm_seis.storage.json_files import read_json
from cgmgm_seis.storage.run_lock import run_lock
from cgmgm_seis.training.config import TrainingConfig
from cgmgm_seis.training.data import TrainingData
from cgmgm_seis.training.recipe import Recipe
from cgmgm_seis.training.run import train
from cgmgm_seis.training.run_folder import CONFIG_FILE
from cgmgm_seis.tuning.objective import DEV, Attempt, Study
from cgmgm_seis.tuning.plots import plot_trials
from cgmgm_seis.tuning.space import SearchSpace
from cgmgm_seis.tuning.trials import FAILED, STOPPED, TRIALS_FILE, Trial, TrialsFile

logger = logging.getLogger(__name__)

BEST_FILE, FIGURE_FILE, BEST_FOLDER = "best.json", "trials.png", "best"
# Suggestions by TPE, then random ones; the first that is new is tried.
SUGGESTIONS = (hyperopt.tpe.suggest,) * 10 + (hyperopt.rand.suggest,) * 10


@dataclass(frozen=True)
class Search:
    """A search: its study, its space, and the settings that are the same in all trials.

    Parameters
    ----------
    study : Study
        Data and objective.
    space : SearchSpace
        The search space.
    fixed : mapping
        Other arguments of the generator and settings of the training, for example "epochs".
    n_random : int
        Number of random trials before those suggested by TPE (Bergstra et al. 2011).
    stops : bool
        Stop unpromising trials early.
    """

    study: Study
    space: SearchSpace
    fixed: Mapping[str, Any]
    n_random: int = 5
    stops: bool = True

    @property
    def judges_early(self) -> bool:
        """Whether trials are stopped early: only the dev score is known before the end."""
        return self.stops and self.study.objective == DEV

    def recipe(self, settings: Mapping[str, Any]) -> Recipe:
        """Return the recipe of a trial."""
        return self.space.recipe(settings, seed=self.study.seed, **self.fixed)

    def any_recipe(self) -> Recipe:
        """Return the recipe of the fixed settings, which determines what is read."""
        return self.space.recipe({}, **self.fixed)

    def identity(self, data: TrainingData) -> dict[str, Any]:
        """Return what must be equal in a resumed search, JSON-serialisable."""
        return {
            "model": self.space.model,
            "space": dict(self.space.ranges),
            "fixed": dict(self.fixed),
            "objective": self.study.objective,
            "n_random": self.n_random,
            "stops": self.stops,
            "seed": self.study.seed,
            "data": data.card["data"],
        }


Done = Callable[[Trial], None]
# Runs a number of trials of a search and passes on each trial when it is finished.
Engine = Callable[[Search, TrainingData, TrialsFile, int, Done], None]


def run_here(
    search: Search, data: TrainingData, trials: TrialsFile, n_trials: int, done: Done
) -> None:
    """Run trials in this process, one after the other: the engine for one machine."""
    for _ in range(n_trials):
        number = trials.next_number()
        done(run_trial(search, data, trials, number, suggest(search, trials, number)))


def tune(
    search: Search,
    out: str | Path,
    n_trials: int = 30,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
    engine: Engine = run_here,
    retrain: bool = True,
) -> Path:
    """Search, then train with the settings of the best trial.

    The folder holds trials.json, written after every trial; trials.csv and trials.png, the same as
    table and figure; best.json, a recipe for `cgmgm-seis train --config`; and the folder best, a
    training run with the best settings, whose weights are those of the best trial on the same
    machine.

    On one machine, a trial depends only on the seed and the trials before it: a search that was
    killed repeats the current trial and gives the same result as an uninterrupted one.

    Parameters
    ----------
    search : Search
        The search.
    out : str or pathlib.Path
        Folder of the search.
    n_trials : int
        Number of trials, including those before a resume.
    resume : bool
        Continue the search in `out`, possibly with more trials, or start if there is none.
    overwrite : bool
        Replace the search in `out`.
    progress : bool
        Show progress bars where stderr is a terminal.
    engine : callable
        Function that runs the trials: `run_here`, or `cgmgm_seis.tuning.on_ray.run_on_ray` on the
        workers of Ray.
    retrain : bool
        Train a model with the best settings.

    Returns
    -------
    pathlib.Path
        Path of the best weights without suffix; without `retrain`, path of best.json.

    Raises
    ------
    TrainingError
        If no trial is complete, or the search to resume has other settings or data.
    DatasetError
        If the data set cannot be used.
    OutputError
        If `out` exists or cannot be written.
    """
    out = Path(out)
    if n_trials < 1:
        raise TrainingError(f"trials = {n_trials} must be at least 1.")
    check_device(search.study.device)
    allowed = (resume or overwrite) and (out / TRIALS_FILE).is_file()
    check_resumable(out, allowed, "a search")
    with run_lock(out):
        check_resumable(out, allowed, "a search")  # another process may have just ended
        return _search_in(out, search, n_trials, resume, overwrite, progress, engine, retrain)


def _search_in(
    out: Path,
    search: Search,
    n_trials: int,
    resume: bool,
    overwrite: bool,
    progress: bool,
    engine: Engine,
    retrain: bool,
) -> Path:
    """Search in a folder that no other process writes to; see `tune`."""
    data = search.study.read(search.any_recipe(), progress)
    if overwrite and not resume:
        (out / TRIALS_FILE).unlink(missing_ok=True)
    trials = TrialsFile(out, search.identity(data))
    hidden = None if progress else True
    missing = max(0, n_trials - len(trials.trials))
    try:
        with tqdm(total=n_trials, initial=n_trials - missing, desc="Trials", disable=hidden) as bar:

            def done(trial: Trial) -> None:
                trials.add(trial)
                _show(out, search, trials)
                _say(trial)
                bar.update()

            engine(search, data, trials, missing, done)
    except KeyboardInterrupt as error:
        raise TrainingError(
            f"Interrupted after {len(trials.trials)} trials; {trials.path} keeps them, and the "
            f"same command with --resume (resume=True) continues."
        ) from error
    recipe = _write_best(out, search, trials)
    if not retrain:
        return out / BEST_FILE
    study = search.study
    made = f"Best of {len(trials.trials)} trials of a search by the {study.objective} score."
    config = recipe.config(
        device=study.device, strict=study.strict, units=study.units, docstring=made
    )
    return train(
        recipe.new_model(study.seed),
        study.dataset,
        out / BEST_FOLDER,
        config,
        resume=_is_of(out / BEST_FOLDER, config),
        overwrite=True,
        progress=progress,
    )


def suggest(search: Search, trials: TrialsFile, number: int) -> dict[str, Any]:
    """Return the settings of trial `number`: random at first, then those suggested by TPE.

    Uses the tree-structured Parzen estimators (Bergstra et al. 2011) of hyperopt.  In a discrete
    space these may suggest the same settings repeatedly; settings that were tried are skipped as
    long as the space has new ones.
    """
    domain = Domain(lambda point: point, search.space.expression())
    before = trials.to_hyperopt(search.space)
    # Different settings may give the same trial.
    searched = model_class(search.space.model).searched
    tried = [searched({**search.fixed, **trial.settings}) for trial in trials.trials]
    random = random_generator(search.study.seed, "suggest", number)
    settings: dict[str, Any] = {}
    for algorithm in SUGGESTIONS:
        options = {} if algorithm is hyperopt.rand.suggest else {"n_startup_jobs": search.n_random}
        seed = int(random.integers(2**31 - 1))
        (document,) = algorithm([number], domain, before, seed, **options)
        point = {name: values[0] for name, values in document["misc"]["vals"].items()}
        settings = search.space.settings(point)
        if searched({**search.fixed, **settings}) not in tried:
            break
    return settings


def run_trial(
    search: Search,
    data: TrainingData,
    trials: TrialsFile,
    number: int,
    settings: Mapping[str, Any],
) -> Trial:
    """Train one trial, or stop it if it is unpromising; errors are recorded as a failed trial."""
    began = time.monotonic()
    trial = Trial(number, dict(settings))
    try:
        attempt = Attempt(search.study, search.recipe(settings), data)
        for score in attempt.scores():
            trial.scores.append(score)
            if search.judges_early and trials.is_hopeless(trial.scores):
                trial.state = STOPPED
                break
        trial.score = attempt.dev_score() if trial.state == STOPPED else attempt.objective()
        if not math.isfinite(trial.score):
            raise TrainingError(f"The score is {trial.score}; it must be finite.")
    except OutputError:
        raise
    except (CgmgmError, RuntimeError, ValueError, ArithmeticError, MemoryError) as error:
        # Settings that cannot be trained are a result; torch raises general kinds of errors.
        trial.state, trial.score = FAILED, None
        trial.message = f"{type(error).__name__}: {one_line(error)}"
    trial.seconds = time.monotonic() - began
    return trial


def _say(trial: Trial) -> None:
    result = trial.message if trial.state == FAILED else f"{trial.score:.6g}"
    settings = ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in trial.settings.items()
    )
    logger.info("Trial %d %s: %s (%s)", trial.number, trial.state, result, settings)


def _show(out: Path, search: Search, trials: TrialsFile) -> None:
    """Update the figure of the trials."""
    figure = plot_trials(trials.trials, search.space, search.study.objective)
    picture = BytesIO()
    figure.savefig(picture, format="png")
    write_file(out / FIGURE_FILE, picture.getvalue())


def _write_best(out: Path, search: Search, trials: TrialsFile) -> Recipe:
    """Write the recipe of the best trial with its score."""
    best = trials.best()
    recipe = search.recipe(best.settings)
    about = {
        "objective": search.study.objective,
        "score": best.score,
        "trial": best.number,
        "trials": len(trials.trials),
        "median_of_complete": statistics.median(trials.complete_scores()),
    }
    write_file(out / BEST_FILE, recipe.as_json(**about))
    return recipe


def _is_of(folder: Path, config: TrainingConfig) -> bool:
    """Return whether a run folder has these settings, so that its training can be continued."""
    try:
        before = {**read_json(folder / CONFIG_FILE, TrainingError)["config"], "name": ""}
    except (TrainingError, KeyError, TypeError):
        return False
    return difference(before, vars(replace(config, name=""))) is None
