"""Trials on many machines: Ray Tune with the same objective, space and file of trials."""

import logging
import math
import os
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from cgmgm_seis.errors import CgmgmError, TrainingError
from cgmgm_seis.training.data import TrainingData
from cgmgm_seis.tuning.objective import Attempt
from cgmgm_seis.tuning.search import Done, Search
from cgmgm_seis.tuning.trials import COMPLETE, FAILED, STOPPED, Trial, TrialsFile

# A trial whose worker died starts again so many times.
RESTARTS = 3


def run_on_ray(
    search: Search,
    data: TrainingData,
    trials: TrialsFile,
    n_trials: int,
    done: Done,
) -> None:
    """Run trials on the workers of Ray: of the cluster that RAY_ADDRESS names, or local ones.

    Hyperopt's TPE suggests (`HyperOptSearch`), asynchronous successive halving (ASHA: Li et al.
    2020) stops hopeless trials; the records are in Ray's object store, once a machine.  Workers
    finish in any order, so a search on Ray repeats itself only where it has one worker.

    Parameters
    ----------
    search : Search
        What is searched.
    data : TrainingData
        The records.
    trials : TrialsFile
        Trials before, from which TPE goes on.
    n_trials : int
        How many to run.
    done : callable
        Takes every finished trial.

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
            "Ray is not installed; pip install 'cgmgm-seis[distributed]' installs it."
        ) from error
    # Ray misses the result files that it was told not to write.
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
    if len(trials.trials) < before + n_trials:  # Ray ends in order after Ctrl-C
        raise KeyboardInterrupt


class _Results:
    """Hand over the trials that Ray finishes; the search ends where one cannot be kept."""

    def __init__(self, search: Search, trials: TrialsFile, done: Done) -> None:
        self.search, self.trials, self.done = search, trials, done
        self.problems: list[Exception] = []

    def keep(self, trial: Any, result: Mapping[str, Any], state: str, message: str) -> None:
        """Hand over a trial of Ray that ended."""
        score = None if state == FAILED else float(result["score"])
        scores, seconds = list(result.get("scores", [])), result.get("time_total_s", 0.0)
        number = self.trials.next_number()
        try:
            settings = {name: trial.config[name] for name in self.search.space.ranges}
            self.done(Trial(number, settings, state, score, scores, seconds, message))
        except Exception as error:  # Ray would take it for the trial's and repeat that
            self.problems.append(error)

    def callback(self) -> Any:
        """Return what Ray calls with every trial that ends."""
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
        """Return what ends Ray's search where a trial could not be kept."""
        from ray import tune

        problems = self.problems

        class Stop(tune.Stopper):
            def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
                return False

            def stop_all(self) -> bool:
                return bool(problems)

        return Stop()


def _suggestions(search: Search, trials: TrialsFile) -> Any:
    """Return hyperopt's TPE as Ray has it, which knows the trials before."""
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
    """Return what stops hopeless trials: successive halving, or nothing."""
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
        # A trial that is stopped leaves its last report.
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
        message = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        report(math.inf, FAILED, message)
    else:
        report(score, COMPLETE)
