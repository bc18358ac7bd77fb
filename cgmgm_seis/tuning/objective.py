"""Objective that a search minimises: the score of one trial, epoch by epoch."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from cgmgm_seis.errors import TrainingError
from cgmgm_seis.scenario.seeding import check_seed
from cgmgm_seis.training.data import TrainingData
from cgmgm_seis.training.recipe import Recipe
from cgmgm_seis.training.trainer import Trainer

DEV, DISCRIMINATIVE = "dev", "discriminative"
OBJECTIVES = (DEV, DISCRIMINATIVE)
# Number of classifiers for the discriminative score.
N_CLASSIFIERS = 3


@dataclass(frozen=True)
class Study:
    """Settings common to all trials of a search.

    Parameters
    ----------
    dataset : str or pathlib.Path
        SeisBench data set.
    objective : str
        "dev": `GroundMotionModel.score` of the dev split.  "discriminative": how much better than
        guessing a classifier separates dev records from generated ones, on events that were not
        used to train it.
    seed : int
        Random seed of the weights, batches and noise of every trial, and of the search.
    device : str
        As in `TrainingConfig`.
    strict : bool
        Raise an error if a record cannot be used, instead of leaving it out and counting it.
    units : str
        Unit of the samples if the data set does not state it, such as "m/s" or "cm/s".
    """

    dataset: str | Path
    objective: str = DEV
    seed: int = 0
    device: str = "auto"
    strict: bool = False
    units: str = ""

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if self.objective not in OBJECTIVES:
            raise TrainingError(
                f"objective = '{self.objective}' must be {' or '.join(OBJECTIVES)}."
            )

    def read(self, recipe: Recipe, progress: bool = False) -> TrainingData:
        """Read the data set once for all trials."""
        model = recipe.new_model(self.seed)
        return TrainingData(model, self.dataset, self.seed, self.strict, progress, units=self.units)


class Attempt:
    """One trial: a model made from a recipe and trained epoch by epoch.

    Parameters
    ----------
    study : Study
        Settings common to all trials.
    recipe : Recipe
        Settings of this trial.
    data : TrainingData
        The records.
    """

    def __init__(self, study: Study, recipe: Recipe, data: TrainingData) -> None:
        self.study, self.data = study, data
        with torch.random.fork_rng(devices=[]):
            self.model = recipe.new_model(study.seed)
        self.model.to_device(study.device)
        data.fit(self.model)
        self.trainer = Trainer(
            self.model, data.features(self.model), recipe.config(seed=study.seed)
        )

    def scores(self) -> Iterator[float]:
        """Train; after every epoch yield the dev score of the weights with the lowest dev loss."""
        while self.trainer.stop_reason(math.inf) is None:
            self.trainer.run_epoch()
            yield self.dev_score()

    def dev_score(self) -> float:
        """Return the score of the best weights so far on the dev split."""
        row = self.trainer.history[self.trainer.best_epoch - 1]
        prefix = "dev_"
        losses = {
            key.removeprefix(prefix): value for key, value in row.items() if key.startswith(prefix)
        }
        return self.model.score(losses)

    def objective(self) -> float:
        """Return the value of the objective for the best weights."""
        if self.study.objective == DEV:
            return self.dev_score()
        return self._discriminative_score()

    def _discriminative_score(self) -> float:
        """Generate records for the scenarios of the dev split, and train classifiers."""
        from cgmgm_seis.evaluation.discriminator import discriminative_score

        self.model.load_state_dict(self.trainer.best_weights)
        self.model.eval()
        recorded, scenario = self.data.records("dev")
        generated = self.model.sample(scenario, seed=self.study.seed, extrapolate=math.inf)[:, 0]
        score = discriminative_score(
            recorded[:], generated, scenario["source_id"], self.study.seed, N_CLASSIFIERS
        )
        return score.mean
