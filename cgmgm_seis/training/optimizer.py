"""The optimizers of a training and their learning rates over the epochs."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from cgmgm_seis.training.config import TrainingConfig

OPTIMIZERS = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}
SCHEDULES = ("cosine", "step")
# The schedule "step", as published for CGM-GM: torch.optim.lr_scheduler.StepLR(100, 0.99).
STEP_EPOCHS, STEP_FACTOR = 100, 0.99


def new_optimizer(
    parameters: Iterable[nn.Parameter], config: "TrainingConfig", device: torch.device
) -> torch.optim.Optimizer:
    """Return the optimizer of some settings for parameters on a device."""
    return OPTIMIZERS[config.optimizer](
        parameters,
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        fused=device.type in ("cpu", "cuda"),
    )


def learning_rate(config: "TrainingConfig", epochs: float) -> float:
    """Return the learning rate after a number of epochs, in parts too.

    Examples
    --------
    >>> from cgmgm_seis.training.config import TrainingConfig
    >>> config = TrainingConfig(epochs=300, learning_rate=1e-3, schedule="step")
    >>> [learning_rate(config, epochs) for epochs in (0, 99.9, 100)]
    [0.001, 0.001, 0.00099]
    """
    first, last = config.learning_rate, config.final_learning_rate
    if config.schedule == "step":
        return first * STEP_FACTOR ** (epochs // STEP_EPOCHS)
    return last + 0.5 * (first - last) * (1.0 + math.cos(math.pi * (epochs / config.epochs)))
