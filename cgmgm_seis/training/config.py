"""Settings of a training run."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from cgmgm_seis.errors import TrainingError
from cgmgm_seis.models.base import GroundMotionModel

OPTIMIZERS, SCHEDULES = ("adamw", "adam"), ("cosine", "step")


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of a training run.

    Parameters
    ----------
    epochs : int
        Number of passes through the training split, over which the learning rate decreases.
    batch_size : int
        Approximate number of records per step: an epoch is divided into even batches, and for a
        model with event terms all records of an event are in one batch.
    learning_rate, final_learning_rate : float
        Learning rate at the start and, with the schedule "cosine", at the end.
    weight_decay : float
        Weight decay; decoupled from the gradient with AdamW, part of it with Adam.
    optimizer : str
        "adamw" or "adam".
    schedule : str
        Learning rate over the epochs: "cosine", half a cosine, or "step", which lowers it by 1 %
        after every 100 epochs and has no end.
    gradient_clip : float
        Maximum norm of the gradient; 0 for no maximum.
    patience : int
        Number of epochs without improvement of the dev loss after which training stops.
    max_minutes : float, optional
        Time limit of one call of `train`; epochs that would end later are not started.
    seed : int
        Random seed of batch order, noise and event-wise split.
    device : str
        "cpu", "cuda", "mps" or "auto", the fastest available.
    strict : bool
        Raise an error if a record cannot be used, instead of leaving it out and counting it.
    units : str
        Unit of the samples if the data set does not state it, such as "m/s" or "cm/s".
    only : str
        Train only the parameters whose name starts with this text, for example "prior".
    bf16 : bool
        Compute matrix products of the networks in bfloat16 (`torch.autocast`), for accelerators.
    devices : int
        Number of processes on this machine that share every batch, each with one accelerator or
        an equal part of the CPU cores.
    workers : int
        If above 0, records are not kept in memory but read again in every epoch by this many
        processes, for data larger than memory.
    tensorboard : bool
        Also write the metrics for TensorBoard, into the run folder.
    name, docstring : str
        Name of the weights files, by default that of the model, and description of the weights.
    """

    epochs: int = 200
    batch_size: int = 128
    learning_rate: float = 8e-4
    final_learning_rate: float = 1e-5
    weight_decay: float = 1e-5
    optimizer: str = "adamw"
    schedule: str = "cosine"
    gradient_clip: float = 1000.0
    patience: int = 50
    max_minutes: float | None = None
    seed: int = 0
    device: str = "auto"
    strict: bool = False
    units: str = ""
    only: str = ""
    bf16: bool = False
    devices: int = 1
    workers: int = 0
    tensorboard: bool = False
    name: str = ""
    docstring: str = ""

    @classmethod
    def of(cls, model: GroundMotionModel, **given: Any) -> Self:
        """Return the default settings of a model, with those given replaced."""
        return cls(**{**model.default_settings(model.get_model_args()), **given})

    def __post_init__(self) -> None:
        for key in ("epochs", "batch_size", "patience", "devices"):
            if getattr(self, key) < 1:
                raise TrainingError(f"{key} = {getattr(self, key)} must be at least 1.")
        if not 0.0 < self.learning_rate < math.inf:
            raise TrainingError(f"learning_rate = {self.learning_rate} must be finite and above 0.")
        not_negative = ("final_learning_rate", "weight_decay", "gradient_clip", "max_minutes")
        for key in (*not_negative, "workers"):
            value = getattr(self, key)
            if value is not None and not 0.0 <= value < math.inf:
                raise TrainingError(f"{key} = {value} must be finite and at least 0.")
        for key, known in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
            if getattr(self, key) not in known:
                raise TrainingError(f"{key} = '{getattr(self, key)}' must be {' or '.join(known)}.")
        if Path(self.name).name != self.name or self.name in ("checkpoint", "config"):
            raise TrainingError(
                f"name = '{self.name}' must be a file name without folders, other than checkpoint "
                f"and config."
            )


# Settings that may change when a run is resumed, since they do not affect the results.
FREE_SETTINGS = (
    "max_minutes",
    "device",
    "devices",
    "workers",
    "tensorboard",
    "name",
    "docstring",
)


def fixed_settings(config: TrainingConfig, model: type[GroundMotionModel]) -> dict[str, Any]:
    """Return the settings that a run must keep when it is resumed.

    Where neither the learning rate nor the loss depends on the number of epochs, a run that is
    resumed with more epochs equals one that had them from the start.
    """
    endless = config.schedule == "step" and not model.uses_progress
    free = (*FREE_SETTINGS, "epochs") if endless else FREE_SETTINGS
    return {key: value for key, value in asdict(config).items() if key not in free}
