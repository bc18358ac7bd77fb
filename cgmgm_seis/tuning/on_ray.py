"""Trials on many machines with Ray Tune, with the same objective, space and file of trials."""

import logging
import math
import os
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from cgmgm_seis.errors import CgmgmError, TrainingError, one_line
from cgmgm_seis.training.data import TrainingData
from cgmgm_seis.tuning.objective import Attempt
from cgmgm_seis.tuning.search import Done, Search
from cgmgm_seis.tuning.trials import COMPLETE, FAILED, STOPPED, Trial, TrialsFile

# Number of times that a trial is restarted after its worker died.
RESTARTS = 3


def run_on_ray(
    search: Search,
    data: TrainingData,
    trials: TrialsFile,
    n_trials: int,
    done: Done,
) -> None:
    """Run trials on the workers of Ray: of the cluster in RAY_ADDRESS, or local ones.

    Settings are suggested by hyperopt's TPE (`HyperOptSearch`); asynchronous successive halving
    (ASHA: Li et al. 2020) stops unpromising trials.  The records are in Ray's object store, once
    per machine.  Workers finish in any order, so that a search on Ray is reproducible only with
    one worker.

    Parameters
    ----------
    search : Search
        The search.
    data : TrainingData
        The records.
    trials : TrialsFile
        Earlier trials, which TPE takes into account.
    n_trials : int
        Number of trials to run.
    done : callable
        Called with every finished trial.

    Raises
    ------
    TrainingError
        If Ray is not installed.
    """
    if not n_trials:
        return
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    try:
        import ray
        from ray import tune
    except ImportError as error:
        raise TrainingError(
            "Ray is not installed; install it with pip install 'cgmgm-seis[distributed]'."
        ) from error
    # Ray warns about missing result files, although it was told not to write them.
    logging.getLogger("ray.tune").setLevel(logging.ERROR)

    before, results = len(trials.trials), _Results(search, trials, done)
    gpus = int(search.study.device in ("auto", "cuda") and torch.cuda.is_available())
    started = not ray.is_initialized()
    if started:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        with tempfile.TemporaryDirectory() as folder:
            trainable = tune.with_parameters(_trial, search=search, data=data)
            tuner = tune.Tuner(
                tune.with_resources(trainable, {"cpu": 1, "gpu": gpus}),
                tune_config=tune.TuneConfig(
                    search_alg=_suggestions(search, trials),
                    scheduler=_scheduler(search),
                    num_samples=n_trials,
                    reuse_actors=True,  # a new process takes seconds to import torch
                ),
                run_config=tune.RunConfig(
                    name="search",
                    storage_path=folder,
                    verbose=0,
                    failure_config=tune.FailureConfig(max_failures=RESTARTS),
                    callbacks=[results.callback()],
                    stop=results.stopper(),
                ),
            )
            tuner.fit()
    finally:
        if started:
            ray.shutdown()
    if results.problems:
        raise results.problems[0]
    if len(trials.trials) < before + n_trials:  # Ray returns normally after Ctrl-C
        raise KeyboardInterrupt


class _Results:
    """Pass on the trials that Ray finishes; the search ends if one cannot be saved."""

    def __init__(self, search: Search, trials: TrialsFile, done: Done) -> None:
        self.search, self.trials, self.done = search, trials, done
        self.problems: list[Exception] = []

    def keep(self, trial: Any, result: Mapping[str, Any], state: str, message: str) -> None:
        """Pass on a finished trial of Ray."""
        score = None if state == FAILED else float(result["score"])
        scores, seconds = list(result.get("scores", [])), result.get("time_total_s", 0.0)
        number = self.trials.next_number()
        try:
            settings = {name: trial.config[name] for name in self.search.space.ranges}
            self.done(Trial(number, settings, state, score, scores, seconds, message))
        except Exception as error:  # Ray would take it for an error of the trial and restart it
            self.problems.append(error)

    def callback(self) -> Any:
        """Return the callback that Ray calls with every finished trial."""
        from ray import tune

        keep = self.keep

        class Record(tune.Callback):
            def on_trial_complete(
                self, iteration: int, trials: Any, trial: Any, **info: Any
            ) -> None:
                result = trial.last_result or {}
                keep(trial, result, result.get("state", FAILED), result.get("message", ""))

            def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
                message = f"its worker died {RESTARTS + 1} times"
                keep(trial, trial.last_result or {}, FAILED, message)

        return Record()

    def stopper(self) -> Any:
        """Return the stopper that ends Ray's search if a trial could not be saved."""
        from ray import tune

        problems = self.problems

        class Stop(tune.Stopper):
            def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
                return False

            def stop_all(self) -> bool:
                return bool(problems)

        return Stop()


def _suggestions(search: Search, trials: TrialsFile) -> Any:
    """Return Ray's interface to hyperopt's TPE, with the earlier trials."""
    from ray.tune.search.hyperopt import HyperOptSearch

    random = np.random.RandomState([search.study.seed, len(trials.trials)])
    suggestions = HyperOptSearch(
        search.space.expression(), metric="score", mode="min", n_initial_points=search.n_random
    )
    suggestions.set_state(
        {"hyperopt_trials": trials.to_hyperopt(search.space), "rstate": random.get_state()}
    )
    return suggestions


def _scheduler(search: Search) -> Any:
    """Return the scheduler that stops unpromising trials: successive halving, or none."""
    from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler

    epochs = search.any_recipe().config().epochs
    if not search.judges_early or epochs == 1:
        return FIFOScheduler()
    return AsyncHyperBandScheduler(
        "epoch", metric="score", mode="min", max_t=epochs, grace_period=max(1, epochs // 8)
    )


def _trial(config: dict[str, Any], search: Search, data: TrainingData) -> None:
    """Train one trial in a worker and report after every epoch."""
    from ray import tune

    scores: list[float] = []

    def report(score: float, state: str, message: str = "") -> None:
        # If a trial is stopped, its last report is used.
        tune.report(
            {
                "score": score if math.isfinite(score) else math.inf,
                "state": state,
                "message": message,
                "scores": list(scores),
                "epoch": len(scores),
            }
        )

    try:
        recipe = search.recipe(config)
        attempt, n_epochs = Attempt(search.study, recipe, data), recipe.config().epochs
        for score in attempt.scores():
            scores.append(score)
            if search.judges_early and len(scores) < n_epochs:
                report(score, STOPPED)
        score = attempt.objective()
        if not math.isfinite(score):
            raise TrainingError(f"The score is {score}; it must be finite.")
    except (CgmgmError, RuntimeError, ValueError, ArithmeticError, MemoryError) as error:
        message = f"{type(error).__name__}: {one_line(error)}"
        report(math.inf, FAILED, message)
    else:
        report(score, COMPLETE)
