"""Training in several processes: each receives part of every batch, all hold the same weights."""

import logging
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import ArrayLike
from torch import Tensor, nn

from cgmgm_seis.errors import TrainingError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Share:
    """Rows of a batch that belong to one process.

    Parameters
    ----------
    first, last : int
        First row, and the row after the last.
    total : int
        Number of rows of the whole batch.
    """

    first: int
    last: int
    total: int


def n_processes() -> int:
    """Return the number of processes that train together; 1 without a process group."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process; process 0 writes the files."""
    return dist.get_rank() if dist.is_initialized() else int(os.environ.get("RANK", 0))


def share_of(events: ArrayLike, n: int, number: int) -> Share:
    """Return the rows of a batch for process `number` of `n`: whole events, about equal shares.

    Parameters
    ----------
    events : array_like
        The event of every row, shape (row,); rows of an event must follow each other.
    n, number : int
        Number of processes, and number of this process.

    Raises
    ------
    TrainingError
        If there are fewer events than processes.

    Examples
    --------
    >>> [share_of([5, 5, 5, 2, 7], 2, number) for number in (0, 1)]
    [Share(first=0, last=3, total=5), Share(first=3, last=5, total=5)]
    """
    names = np.asarray(events)
    total = len(names)
    begins = np.flatnonzero(np.concatenate([[True], names[1:] != names[:-1]]))
    if len(begins) < n:
        raise TrainingError(
            f"A batch of {len(begins)} events cannot be shared by {n} processes; use a larger "
            f"batch size (--batch-size) or fewer processes (--devices)."
        )
    # Cut where an event begins nearest to an even share; each process gets at least one event.
    wanted = np.arange(n) * total / n
    cuts = np.abs(begins[:, None] - wanted).argmin(axis=0) - np.arange(n)
    cuts = np.maximum.accumulate(np.minimum(cuts, len(begins) - n)) + np.arange(n)
    bounds = [*begins[cuts].tolist(), total]
    return Share(bounds[number], bounds[number + 1], total)


def gathered(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Return the rows of all processes, in the order of the batch; gradients are not passed on."""
    if n_processes() == 1:
        return tensors
    counts: list[Tensor] = [torch.zeros(1, dtype=torch.long) for _ in range(n_processes())]
    counts = [count.to(tensors[0].device) for count in counts]
    dist.all_gather(counts, torch.tensor([len(tensors[0])], device=tensors[0].device))
    sizes = [int(count) for count in counts]
    found = []
    for tensor in tensors:
        own = tensor.new_zeros(max(sizes), *tensor.shape[1:])
        own[: len(tensor)] = tensor.detach()
        parts = [torch.empty_like(own) for _ in sizes]
        dist.all_gather(parts, own)
        found.append(torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)]))
    return tuple(found)


def summed(tensor: Tensor) -> Tensor:
    """Return the sum over all processes."""
    if n_processes() > 1:
        tensor = tensor.clone()
        dist.all_reduce(tensor)
    return tensor


def agreed(value: Any) -> Any:
    """Return the value of the first process on all processes, which wait for each other."""
    if n_processes() == 1:
        return value
    values = [value]
    dist.broadcast_object_list(values)
    return values[0]


class _Sum(torch.autograd.Function):
    """Sum over all processes, forward and backward."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        return summed(tensor)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return summed(gradients[0].contiguous())


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation of (row, feature) with the statistics of the rows of all processes.

    `torch.nn.SyncBatchNorm` does the same, but on accelerators only.
    """

    def forward(self, values: Tensor) -> Tensor:
        """Normalise; in evaluation or in a single process, as `torch.nn.BatchNorm1d` does."""
        if not self.training or n_processes() == 1:
            return super().forward(values)
        n = float(summed(torch.tensor(float(len(values)), device=values.device)))
        mean = _Sum.apply(values.sum(dim=0)) / n
        centred = values - mean
        variance = _Sum.apply(centred.square().sum(dim=0)) / n
        with torch.no_grad():
            assert self.running_mean is not None and self.running_var is not None
            assert self.num_batches_tracked is not None and self.momentum is not None
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (n / (n - 1.0)), self.momentum)
            self.num_batches_tracked.add_(1)
        return centred * torch.rsqrt(variance + self.eps) * self.weight + self.bias
