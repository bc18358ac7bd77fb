"""What a step of training gives the loss of a generator, besides the batch."""

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
        Random numbers of the epoch, on the device of the model.
    progress : float
        Share of the epochs that are done, 0 to 1, for losses that change during training.
    share : Share, optional
        Rows of the batch in this process, where several processes share the batch.

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
        """Return standard normal numbers like a tensor (record, ..) of the batch."""
        return self._own_rows(self._whole(like).normal_(generator=self.noise))

    def uniform(self, like: Tensor) -> Tensor:
        """Return numbers between 0 and 1 like a tensor (record, ..) of the batch."""
        return self._own_rows(self._whole(like).uniform_(generator=self.noise))

    # All processes draw the numbers of the whole batch: one process alone would draw the same.

    def _whole(self, like: Tensor) -> Tensor:
        n_records = len(like) if self.share is None else self.share.total
        return like.new_empty(n_records, *like.shape[1:])

    def _own_rows(self, whole: Tensor) -> Tensor:
        return whole if self.share is None else whole[self.share.first : self.share.last]
