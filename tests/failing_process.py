"""What a process of a group runs in a test; alone in its file, for it is imported there."""

import torch

from cgmgm_seis.errors import TrainingError
from cgmgm_seis.models.collectives import rank


def fail_in_one():
    """Fail in one process while the other waits for it."""
    if rank() == 1:
        raise TrainingError("one is out of order")
    torch.distributed.barrier()
