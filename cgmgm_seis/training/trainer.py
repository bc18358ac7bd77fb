"""A model in training: its batches, optimizer, epochs and their metrics."""

import math
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from cgmgm_seis.errors import TrainingError
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.models.collectives import Share, n_processes, rank, share_of, summed
from cgmgm_seis.models.step import Step
from cgmgm_seis.output.provenance import versions
from cgmgm_seis.scenario.seeding import random_generator
from cgmgm_seis.training.data import Features, LoadedFeatures, StreamedFeatures
from cgmgm_seis.training.optimizer import learning_rate, new_optimizer

if TYPE_CHECKING:
    from cgmgm_seis.training.config import TrainingConfig


class Trainer:
    """A model with its data, its optimizer and the metrics of each epoch.

    Batch order and noise of an epoch depend only on the seed and the number of the epoch.  In a
    process group, every process has a `Share` of each batch, and the metrics are those of the
    whole batch.

    Parameters
    ----------
    model : GroundMotionModel
        Model on the device on which it is trained.
    splits : dict
        Features of "train", "dev" and optionally "test", in memory or streamed.
    config : TrainingConfig
        Settings.
    """

    def __init__(
        self,
        model: GroundMotionModel,
        splits: Mapping[str, Features | StreamedFeatures],
        config: "TrainingConfig",
    ) -> None:
        self.model = model
        self.splits = {
            split: LoadedFeatures(found, model.device) if isinstance(found, dict) else found
            for split, found in splits.items()
        }
        self.config = config
        self.trained = _trained(model, config.only)
        self.step_loss: nn.Module = _Loss(model, config.bf16)
        if n_processes() > 1:
            # Parts of a model may be unused or trained later; buffers are equal in all processes
            # without being broadcast.
            with warnings.catch_warnings():
                # Older versions of torch lack the new name of broadcast_buffers.
                warnings.simplefilter("ignore", FutureWarning)
                self.step_loss = DistributedDataParallel(
                    self.step_loss, find_unused_parameters=True, broadcast_buffers=False
                )
        self.optimizer = new_optimizer(self.trained, config, model.device)
        self.history: list[dict[str, float]] = []
        self.best_epoch = 0
        self.best_weights = _copy(model.state_dict())

    @property
    def epoch(self) -> int:
        """Number of complete epochs."""
        return len(self.history)

    @property
    def best_loss(self) -> float:
        """Lowest dev loss so far."""
        return self.history[self.best_epoch - 1]["dev_loss"] if self.best_epoch else math.inf

    def run_epoch(self) -> dict[str, float]:
        """Train one epoch and return its row of the metrics; raise if a loss is not finite."""
        began = time.monotonic()
        epoch = self.epoch + 1
        noise = self._noise("epoch", epoch)
        rows = self._batch_rows("train", random_generator(self.config.seed, "order", epoch))
        totals = torch.zeros(1, device=self.model.device)
        names: list[str] = []
        self._set_training()
        progress = self._progress(epoch)
        clip = self.config.gradient_clip or math.inf
        for number, (weight, batch, share) in enumerate(self._batches("train", rows)):
            rate = learning_rate(self.config, epoch - 1 + number / len(rows))
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            losses = self.step_loss(batch, Step(noise, progress, share))
            if not losses["loss"].requires_grad:
                raise TrainingError(
                    f"only = '{self.config.only}' cannot be trained: in epoch {epoch} the loss of "
                    f"{self.model.name} does not depend on these parameters."
                )
            self.optimizer.zero_grad(set_to_none=True)
            (_balance(share) * losses["loss"]).backward()
            norm = torch.nn.utils.clip_grad_norm_(self.trained, clip)
            self.optimizer.step()
            names = [*losses, "gradient_norm"]
            # Sum on the device: reading a number would wait for the device in every step.
            totals = totals + weight * torch.stack([*losses.values(), norm]).detach()
        row = {"epoch": epoch, "learning_rate": rate}
        row |= _named("train", names, summed(totals))
        row |= {f"dev_{name}": value for name, value in self.evaluate("dev", epoch).items()}
        row["seconds"] = time.monotonic() - began
        for key in ("train_loss", "dev_loss"):
            if not math.isfinite(row[key]):
                raise TrainingError(
                    f"{key} became {row[key]} in epoch {epoch} and must stay finite; learning_rate "
                    f"= {self.config.learning_rate:g} may be too high (the checkpoint keeps the "
                    f"epochs before)."
                )
        self.history.append(row)
        if row["dev_loss"] < self.best_loss:
            self.best_epoch = epoch
            self.best_weights = _copy(self.model.state_dict())
        return row

    def _set_training(self) -> None:
        """Set training mode for the parts that are trained, and only for those."""
        self.model.train()
        for part in self.model.children():
            if not any(parameter.requires_grad for parameter in part.parameters()):
                part.eval()

    @torch.no_grad()
    def evaluate(self, split: str, epoch: int | None = None) -> dict[str, float]:
        """Return the loss of a split and its terms, always with the same noise.

        The loss may depend on the epoch, which is by default the last complete one.
        """
        self.model.eval()
        noise, progress = self._noise(split), self._progress(epoch or self.epoch)
        loss = _Loss(self.model, self.config.bf16)
        totals = torch.zeros(1, device=self.model.device)
        names: list[str] = []
        for weight, batch, share in self._batches(split, self._batch_rows(split)):
            losses = loss(batch, Step(noise, progress, share))
            names = list(losses)
            totals = totals + weight * torch.stack(list(losses.values()))
        return _named("", names, summed(totals))

    def batches(self, split: str, order: np.random.Generator | None = None) -> Iterator[Features]:
        """Yield the batches of a split, or this process's shares of them."""
        for _, batch, _ in self._batches(split, self._batch_rows(split, order)):
            yield batch

    def stop_reason(self, deadline: float) -> str | None:
        """Return why no further epoch should start, or None if training continues."""
        if self.epoch >= self.config.epochs:
            return "all epochs"
        if self.epoch - self.best_epoch >= self.config.patience:
            return "early stopping"
        if self.history and time.monotonic() + self.history[-1]["seconds"] > deadline:
            return "time budget"
        return None

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to resume a run, as tensors and plain values only."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": self.history,
            "best_epoch": self.best_epoch,
            "best_weights": self.best_weights,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from the state returned by `state_dict`.

        Raises
        ------
        Exception
            Of any kind, if it is not such a state: now, not in an epoch or at the end.
        """
        groups = self.optimizer.state_dict()["param_groups"]
        self.best_weights = state["best_weights"]
        for weights in (self.best_weights, state["model"]):
            self.model.load_state_dict(weights)
        self.optimizer.load_state_dict(state["optimizer"])
        _check_optimizer(self.optimizer, groups)
        self.history = list(state["history"])
        math.fsum(value for row in self.history for value in row.values())  # they are numbers
        self.best_epoch = int(state["best_epoch"])
        float(self.best_loss)

    def card(self) -> dict[str, Any]:
        """Return the entries of the weight card that describe the run."""
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
            "processes": n_processes(),
            "versions": versions(),
        }

    def _batch_rows(
        self, split: str, order: np.random.Generator | None = None
    ) -> list[NDArray[np.intp]]:
        """Return the rows of even batches.

        For models with event terms, records of an "event" stay together.
        """
        rows, places = _grouped(self.splits[split].events, order)
        batch = places * math.ceil(len(rows) / self.config.batch_size) // len(rows)
        return np.split(rows, np.flatnonzero(np.diff(batch)) + 1)

    def _batches(
        self, split: str, rows: list[NDArray[np.intp]]
    ) -> Iterator[tuple[float, Features, Share | None]]:
        """Yield weight in the split, features, and this process's share of every batch."""
        features, n = self.splits[split], sum(len(part) for part in rows)
        shares: list[Share | None] = [None for _ in rows]
        if n_processes() > 1:
            own = [share_of(features.events[part], n_processes(), rank()) for part in rows]
            rows = [part[share.first : share.last] for part, share in zip(rows, own, strict=True)]
            shares = [*own]
        batches = features.batches(rows, self.model.device)
        for part, share, batch in zip(rows, shares, batches, strict=True):
            yield len(part) / n, batch, share

    def _progress(self, epoch: int) -> float:
        """Return the share of the epochs that were complete when an epoch started."""
        return (epoch - 1) / self.config.epochs

    def _noise(self, *key: int | str) -> torch.Generator:
        seed = int(random_generator(self.config.seed, "noise", *key).integers(2**62))
        return torch.Generator(self.model.device).manual_seed(seed)


class _Loss(nn.Module):
    """The loss of a model as a module, as needed to train in several processes."""

    def __init__(self, model: GroundMotionModel, bf16: bool) -> None:
        super().__init__()
        self.model, self.bf16 = model, bf16

    def forward(self, batch: Features, step: Step) -> dict[str, Tensor]:
        """Return the loss and its terms; only the loss has a gradient."""
        with torch.autocast(self.model.device.type, torch.bfloat16, enabled=self.bf16):
            losses = self.model.loss(batch, step)
        return {name: value if name == "loss" else value.detach() for name, value in losses.items()}


def _balance(share: Share | None) -> float:
    """Return the weight of this process's mean loss, since gradients are averaged afterwards."""
    return n_processes() * (share.last - share.first) / share.total if share else 1.0


def _grouped(
    events: NDArray[np.int64], order: np.random.Generator | None
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows grouped by event, in random order of events, and where each event begins."""
    _, event, counts = np.unique(events, return_inverse=True, return_counts=True)
    names = np.arange(len(counts)) if order is None else order.permutation(len(counts))
    rank = np.argsort(names)
    rows = np.argsort(rank[event], kind="stable")
    begins = np.cumsum(counts[names]) - counts[names]
    return rows, np.repeat(begins, counts[names])


def _trained(model: GroundMotionModel, only: str) -> list[torch.nn.Parameter]:
    """Return the parameters to train, and switch off the gradient of the others."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(only))
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trained:
        names = ", ".join(name for name, part in model.named_children() if [*part.parameters()])
        raise TrainingError(f"only = '{only}' must match parameters of one of {names}.")
    return trained


def _named(prefix: str, names: list[str], totals: Any) -> dict[str, float]:
    """Return the totals by name; only here the program waits for the device."""
    prefix = f"{prefix}_" if prefix else ""
    return {
        f"{prefix}{name}": float(value) for name, value in zip(names, totals.tolist(), strict=True)
    }


def _copy(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: tensor.detach().clone() for key, tensor in state.items()}


def _check_optimizer(optimizer: torch.optim.Optimizer, groups: list[dict[str, Any]]) -> None:
    """Raise an error unless settings are of the kinds they were, and moments like parameters."""
    kinds = [
        [{key: type(own[key]) for key in own} for own in part]
        for part in (groups, optimizer.state_dict()["param_groups"])
    ]
    moments = [
        (parameter, value)
        for parameter, own in optimizer.state.items()
        for value in (own["step"], own["exp_avg"], own["exp_avg_sq"])
    ]
    if kinds[0] != kinds[1] or not all(
        value.dtype == parameter.dtype and value.shape in ((), parameter.shape)
        for parameter, value in moments
    ):
        raise ValueError("optimizer")
