"""The optimizers of a training and their learning rates over the epochs."""

import math
from collections.abc import Iterable

import torch
from torch import nn

from cgmgm_seis.training.config import TrainingConfig

# The schedule "step", as published for CGM-GM: torch.optim.lr_scheduler.StepLR(100, 0.99).
STEP_EPOCHS, STEP_FACTOR = 100, 0.99


def new_optimizer(
    parameters: Iterable[nn.Parameter], config: TrainingConfig, device: torch.device
) -> torch.optim.Optimizer:
    """Return the optimizer of some settings for parameters on a device."""
    kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
    return kind(
        parameters,
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        fused=device.type in ("cpu", "cuda"),
    )


def learning_rate(config: TrainingConfig, epochs: float) -> float:
    """Return the learning rate after a number of epochs, in parts too.

    Examples
    --------
    >>> config = TrainingConfig(epochs=300, learning_rate=1e-3, schedule="step")
    >>> [learning_rate(config, epochs) for epochs in (0, 99.9, 100)]
    [0.001, 0.001, 0.00099]
    """
    first, last = config.learning_rate, config.final_learning_rate
    if config.schedule == "step":
        return first * STEP_FACTOR ** (epochs // STEP_EPOCHS)
    return last + 0.5 * (first - last) * (1.0 + math.cos(math.pi * (epochs / config.epochs)))
