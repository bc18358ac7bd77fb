"""Input of a generator's loss besides the batch: random numbers, progress, share."""

from dataclasses import dataclass

import torch
from torch import Tensor

from cgmgm_seis.models.collectives import Share


@dataclass(frozen=True)
class Step:
    """A step of training or evaluation.

    Parameters
    ----------
    noise : torch.Generator
        Random generator of the epoch, on the model's device.
    progress : float
        Share of the epochs that are done, 0 to 1, for losses that change during training.
    share : Share, optional
        Rows of the batch in this process, if several processes share the batch.

    Examples
    --------
    >>> step = Step(torch.Generator().manual_seed(0))
    >>> step.normal(torch.zeros(4, 3)).shape
    torch.Size([4, 3])
    """

    noise: torch.Generator
    progress: float = 1.0
    share: Share | None = None

    def normal(self, like: Tensor) -> Tensor:
        """Return standard normal numbers in the shape of a tensor (record, ..) of the batch."""
        return self._own_rows(self._whole(like).normal_(generator=self.noise))

    def uniform(self, like: Tensor) -> Tensor:
        """Return numbers between 0 and 1 in the shape of a tensor (record, ..) of the batch."""
        return self._own_rows(self._whole(like).uniform_(generator=self.noise))

    # Every process draws the numbers of the whole batch, so that they do not depend on the number
    # of processes.

    def _whole(self, like: Tensor) -> Tensor:
        n_records = len(like) if self.share is None else self.share.total
        return like.new_empty(n_records, *like.shape[1:])

    def _own_rows(self, whole: Tensor) -> Tensor:
        return whole if self.share is None else whole[self.share.first : self.share.last]
