"""Train a generator on a SeisBench data set: loop, early stopping and resume."""

import logging
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from seisbench.data import WaveformDataset
from torch import Tensor
from tqdm import tqdm

from cgmgm_seis.datasets.training_data import Features, prepare
from cgmgm_seis.datasets.windows import SPLITS
from cgmgm_seis.errors import TrainingError
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.provenance import versions
from cgmgm_seis.runs import RunFolder
from cgmgm_seis.seeding import generator

logger = logging.getLogger(__name__)


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
    name: str = ""
    docstring: str = ""

    @classmethod
    def of(cls, model: GroundMotionModel | type[GroundMotionModel], **given: Any) -> Self:
        """Return the settings that suit a model, with those given in their place."""
        return cls(**{**model.training_defaults, **given})

    def __post_init__(self) -> None:
        for key in ("epochs", "batch_size", "patience"):
            if getattr(self, key) < 1:
                raise TrainingError(f"{key} = {getattr(self, key)} is not allowed; 1 or more is.")
        for key in ("learning_rate", "gradient_clip"):
            if not 0.0 < getattr(self, key) < math.inf:
                raise TrainingError(f"{key} = {getattr(self, key)} is not allowed; above 0 is.")
        for key in ("final_learning_rate", "weight_decay", "max_minutes"):
            value = getattr(self, key)
            if value is not None and not 0.0 <= value < math.inf:
                raise TrainingError(f"{key} = {value} is not allowed; 0 or more is.")
        if Path(self.name).name != self.name or self.name in ("checkpoint", "config"):
            raise TrainingError(f"name = '{self.name}' is not allowed; a plain file name is.")


# Settings that a resumed run may change: they do not touch the numbers of an epoch.
FREE_SETTINGS = ("max_minutes", "device", "name", "docstring")


def train(
    model: GroundMotionModel,
    dataset: WaveformDataset | str | Path,
    out: str | Path,
    config: TrainingConfig | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
) -> Path:
    """Train a model and write its weights as SeisBench's pair of files.

    The folder holds config.json, metrics.csv (one row an epoch), checkpoint.pt (after every
    epoch) and in the end the weights with the least dev loss.  On the same machine and number
    of threads, a resumed run gives the same numbers as one that was never stopped.

    Parameters
    ----------
    model : GroundMotionModel
        Trained in place; holds the best weights afterwards.  One that has been loaded from
        weights goes on from there, with their normalisation.
    dataset : seisbench.data.WaveformDataset, str or pathlib.Path
        Data set with magnitude, source and station columns, see
        `cgmgm_seis.datasets.windows.read_records`.  Without a ``split`` column it is split
        event-wise.
    out : str or pathlib.Path
        Run folder.
    config : TrainingConfig, optional
        Settings; by default those that suit the model.
    resume : bool
        Continue from the checkpoint in `out`, or start if there is none.
    overwrite : bool
        Replace the run in `out`.
    progress : bool
        Show progress bars where stderr is a terminal.

    Returns
    -------
    pathlib.Path
        Path of the weights without suffix, as `load_model` takes it.

    Raises
    ------
    TrainingError
        If the loss is not finite, the run is interrupted, or a resumed run has other settings.
    DatasetError
        If the data set cannot be used.
    OutputError
        If `out` exists or cannot be written.
    """
    config = config or TrainingConfig.of(model)
    config = replace(config, name=config.name or model.name.lower())
    began = time.monotonic()
    run = RunFolder(Path(out), resume, overwrite)
    model.to_device(config.device)
    identity: dict[str, Any] = {
        "model": model.name,
        "model_args": model.get_model_args(),
        "config": {key: value for key, value in asdict(config).items() if key not in FREE_SETTINGS},
    }
    if model.weights_sha256:
        identity["started_from"] = model.weights_sha256
    splits, card = prepare(model, dataset, config.seed, config.skip_bad, progress)
    identity["data"] = card["data"]

    trainer = Trainer(model, splits, config)
    state = run.start(identity, asdict(config))
    if state is not None:
        trainer.load_state_dict(state)
    run.save(trainer.state_dict())
    deadline = math.inf if config.max_minutes is None else began + 60.0 * config.max_minutes
    stopped = _run_epochs(trainer, run, deadline, progress)

    if model.weights_sha256:
        card["started_from"] = {"sha256": model.weights_sha256, **model.card}
    model.load_state_dict(trainer.best_weights)
    model.eval()
    metrics = {split: trainer.evaluate(split) for split in SPLITS if split in splits}
    card |= model.after_training(batch for _, batch in trainer.batches("train"))
    path = run.path / config.name
    model.save(
        path,
        config.docstring,
        card=card | trainer.card() | {"stopped_by": stopped, "metrics": metrics},
    )
    return path


class Trainer:
    """A model with its data, its optimizer and what is known after each epoch.

    Batch order and noise of an epoch depend on the seed and its number alone.

    Parameters
    ----------
    model : GroundMotionModel
        On its device.
    splits : dict
        Features of "train", "dev" and perhaps "test".
    config : TrainingConfig
        Settings.
    """

    def __init__(
        self, model: GroundMotionModel, splits: dict[str, Features], config: TrainingConfig
    ) -> None:
        self.model = model
        self.splits = {
            split: {key: tensor.to(model.device) for key, tensor in features.items()}
            for split, features in splits.items()
        }
        self.config = config
        self.trained = _trained(model, config.only)
        self.optimizer = torch.optim.AdamW(
            self.trained,
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            fused=model.device.type in ("cpu", "cuda"),
        )
        self.history: list[dict[str, float]] = []
        self.best_epoch = 0
        self.best_weights = _copy(model.state_dict())

    @property
    def epoch(self) -> int:
        """Number of complete epochs."""
        return len(self.history)

    @property
    def best_loss(self) -> float:
        """Least dev loss so far."""
        return self.history[self.best_epoch - 1]["dev_loss"] if self.best_epoch else math.inf

    def run_epoch(self) -> dict[str, float]:
        """Train one epoch and return its row of the metrics; the loss must stay finite."""
        began = time.monotonic()
        epoch = self.epoch + 1
        noise = self._noise("epoch", epoch)
        batches = list(self.batches("train", generator(self.config.seed, "order", epoch)))
        totals: Tensor | float = 0.0
        names: list[str] = []
        self._set_training()
        self.model.training_progress = (epoch - 1) / self.config.epochs
        for step, (share, batch) in enumerate(batches):
            rate = self._learning_rate((epoch - 1 + step / len(batches)) / self.config.epochs)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            losses = self.model.loss(batch, noise)
            self.optimizer.zero_grad(set_to_none=True)
            losses["loss"].backward()
            norm = torch.nn.utils.clip_grad_norm_(self.trained, self.config.gradient_clip)
            self.optimizer.step()
            names = [*losses, "gradient_norm"]
            # Summed on the device: asking for a number would wait for it in every step.
            totals = totals + share * torch.stack([*losses.values(), norm]).detach()
        row = {"epoch": epoch, "learning_rate": rate}
        row |= _named("train", names, totals)
        row |= {f"dev_{name}": value for name, value in self.evaluate("dev").items()}
        row["seconds"] = time.monotonic() - began
        for key in ("train_loss", "dev_loss"):
            if not math.isfinite(row[key]):
                raise TrainingError(
                    f"{key} became {row[key]} in epoch {epoch}; it must stay finite. "
                    f"The checkpoint keeps the epochs before; learning_rate = "
                    f"{self.config.learning_rate:g} may be too high."
                )
        self.history.append(row)
        if row["dev_loss"] < self.best_loss:
            self.best_epoch = epoch
            self.best_weights = _copy(self.model.state_dict())
        return row

    def _set_training(self) -> None:
        """Put the parts that are trained in training mode, and only them."""
        self.model.train()
        for part in self.model.children():
            if not any(parameter.requires_grad for parameter in part.parameters()):
                part.eval()

    @torch.no_grad()
    def evaluate(self, split: str) -> dict[str, float]:
        """Return the loss of a split and its parts, always with the same noise."""
        self.model.eval()
        noise = self._noise(split)
        totals: Tensor | float = 0.0
        names: list[str] = []
        for share, batch in self.batches(split):
            losses = self.model.loss(batch, noise)
            names = list(losses)
            totals = totals + share * torch.stack(list(losses.values()))
        return _named("", names, totals)

    def stop_reason(self, deadline: float) -> str | None:
        """Say why no further epoch should start, or None if one should."""
        if self.epoch >= self.config.epochs:
            return "all epochs"
        if self.epoch - self.best_epoch >= self.config.patience:
            return "early stopping"
        if self.history and time.monotonic() + self.history[-1]["seconds"] > deadline:
            return "time budget"
        return None

    def state_dict(self) -> dict[str, Any]:
        """Return all that a resumed run needs; tensors and plain values only."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": self.history,
            "best_epoch": self.best_epoch,
            "best_weights": self.best_weights,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where `state_dict` was taken."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.history = list(state["history"])
        self.best_epoch = state["best_epoch"]
        self.best_weights = state["best_weights"]

    def card(self) -> dict[str, Any]:
        """Return the run's part of the weight card."""
        return {
            "parameters": sum(parameter.numel() for parameter in self.model.parameters()),
            "training": asdict(self.config),
            "seed": self.config.seed,
            "epochs": self.epoch,
            "best_epoch": self.best_epoch,
            "best_dev_loss": self.best_loss,
            "final_dev_loss": self.history[-1]["dev_loss"],
            "training_minutes": sum(row["seconds"] for row in self.history) / 60.0,
            "device": self.model.device.type,
            "versions": versions(),
        }

    def batches(
        self, split: str, order: np.random.Generator | None = None
    ) -> Iterator[tuple[float, Features]]:
        """Yield even batches, each with its share of the split.

        Records of an "event" stay together, for models with terms that they share.
        """
        features = self.splits[split]
        n = len(next(iter(features.values())))
        events = features["event"].cpu().numpy() if "event" in features else np.arange(n)
        rows, places = _grouped(events, order)
        batch = places * math.ceil(n / self.config.batch_size) // n
        cuts = (np.flatnonzero(np.diff(batch)) + 1).tolist()
        for part in torch.as_tensor(rows).to(self.model.device).tensor_split(cuts):
            yield len(part) / n, {key: tensor[part] for key, tensor in features.items()}

    def _noise(self, *key: int | str) -> torch.Generator:
        seed = int(generator(self.config.seed, "noise", *key).integers(2**62))
        return torch.Generator(self.model.device).manual_seed(seed)

    def _learning_rate(self, progress: float) -> float:
        first, last = self.config.learning_rate, self.config.final_learning_rate
        return last + 0.5 * (first - last) * (1.0 + math.cos(math.pi * progress))


def _grouped(
    events: NDArray[np.int64], order: np.random.Generator | None
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows with those of an event together, in random order, and where each event begins."""
    _, event, counts = np.unique(events, return_inverse=True, return_counts=True)
    names = np.arange(len(counts)) if order is None else order.permutation(len(counts))
    rank = np.argsort(names)
    rows = np.argsort(rank[event], kind="stable")
    begins = np.cumsum(counts[names]) - counts[names]
    return rows, np.repeat(begins, counts[names])


def _run_epochs(
    trainer: Trainer,
    run: RunFolder,
    deadline: float,
    progress: bool,
) -> str:
    """Train until there is a reason to stop, which is returned."""
    with tqdm(
        total=trainer.config.epochs,
        initial=trainer.epoch,
        desc="Training",
        unit="epoch",
        disable=None if progress else True,
    ) as bar:
        try:
            while (reason := trainer.stop_reason(deadline)) is None:
                row = trainer.run_epoch()
                run.save(trainer.state_dict())
                bar.update()
                bar.set_postfix(
                    train=row["train_loss"], dev=row["dev_loss"], best=trainer.best_loss
                )
                logger.debug(", ".join(f"{key} {value:.5g}" for key, value in row.items()))
        except KeyboardInterrupt as error:
            raise TrainingError(
                f"Interrupted in epoch {trainer.epoch + 1}; {run.checkpoint} keeps those before "
                f"it, and the same command with --resume (resume=True) continues."
            ) from error
    return reason


def _trained(model: GroundMotionModel, only: str) -> list[torch.nn.Parameter]:
    """Return the parameters to train; the others no longer need a gradient."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(only))
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trained:
        names = ", ".join(name for name, part in model.named_children() if [*part.parameters()])
        raise TrainingError(f"only = '{only}' names no parameters; there are {names}.")
    return trained


def _named(prefix: str, names: list[str], totals: Any) -> dict[str, float]:
    """Return the totals by name; the only wait for the device."""
    prefix = f"{prefix}_" if prefix else ""
    return {
        f"{prefix}{name}": float(value) for name, value in zip(names, totals.tolist(), strict=True)
    }


def _copy(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: tensor.detach().clone() for key, tensor in state.items()}
