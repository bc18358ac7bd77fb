"""Settings of a training run."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cgmgm_seis.errors import TrainingError
from cgmgm_seis.models.base import GroundMotionModel


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of a training run.

    Parameters
    ----------
    epochs : int
        Passes through the training split; the learning rate falls over all of them.
    batch_size : int
        Number of records in a step, about: an epoch is cut into even batches, and a model with
        event terms hears all records of an event at once.
    learning_rate, final_learning_rate : float
        Learning rate of AdamW at the start and at the end, with a half cosine between them.
    weight_decay : float
        Decoupled weight decay.
    gradient_clip : float
        Greatest norm of the gradient.
    patience : int
        Epochs without a better dev loss after which training stops.
    max_minutes : float, optional
        Time for one call of `train`; no epoch starts that would end later.
    seed : int
        Of batch order, noise and event-wise split.
    device : str
        "cpu", "cuda", "mps" or "auto", the fastest at hand.
    skip_bad : bool
        Leave out records with NaN or constant components.
    only : str
        Train the parameters whose name begins so, "prior" for example, and keep the others.
    bf16 : bool
        Compute the networks' products in bfloat16 (`torch.autocast`), for accelerators.
    devices : int
        Processes of this machine that share every batch, each on its own accelerator, or on its
        share of the CPU's cores.
    workers : int
        With more than 0, records are not kept in memory but read again in every epoch, by so many
        processes: for data larger than memory.
    tensorboard : bool
        Write the metrics for TensorBoard too, into the run folder.
    name, docstring : str
        Name of the weights' files, by default the model's, and the text that says what they are.
    """

    epochs: int = 200
    batch_size: int = 128
    learning_rate: float = 8e-4
    final_learning_rate: float = 1e-5
    weight_decay: float = 1e-5
    gradient_clip: float = 1000.0
    patience: int = 50
    max_minutes: float | None = None
    seed: int = 0
    device: str = "auto"
    skip_bad: bool = False
    only: str = ""
    bf16: bool = False
    devices: int = 1
    workers: int = 0
    tensorboard: bool = False
    name: str = ""
    docstring: str = ""

    @classmethod
    def of(cls, model: GroundMotionModel | type[GroundMotionModel], **given: Any) -> Self:
        """Return the settings that suit a model, with those given in their place."""
        return cls(**{**model.training_defaults, **given})

    def __post_init__(self) -> None:
        for key in ("epochs", "batch_size", "patience", "devices"):
            if getattr(self, key) < 1:
                raise TrainingError(f"{key} = {getattr(self, key)} is not allowed; 1 or more is.")
        for key in ("learning_rate", "gradient_clip"):
            if not 0.0 < getattr(self, key) < math.inf:
                raise TrainingError(f"{key} = {getattr(self, key)} is not allowed; above 0 is.")
        for key in ("final_learning_rate", "weight_decay", "max_minutes", "workers"):
            value = getattr(self, key)
            if value is not None and not 0.0 <= value < math.inf:
                raise TrainingError(f"{key} = {value} is not allowed; 0 or more is.")
        if Path(self.name).name != self.name or self.name in ("checkpoint", "config"):
            raise TrainingError(f"name = '{self.name}' is not allowed; a plain file name is.")


# Settings that a resumed run may change: they do not touch the numbers of an epoch.
FREE_SETTINGS = (
    "max_minutes",
    "device",
    "devices",
    "workers",
    "tensorboard",
    "name",
    "docstring",
)
