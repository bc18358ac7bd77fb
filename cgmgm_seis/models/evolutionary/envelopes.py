"""Envelopes of the parts of a wave: how their energy rises after an onset, and decays."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cgmgm_seis.scenario.arrays import Floats

# Amplitudes rise from zero to one within this time after an onset, s.
RAMP_S = 0.03


@dataclass(frozen=True)
class Envelope:
    """Energy after an onset: d^(order - 1) exp(-d / decay), times the ramp; its integral is 1."""

    order: int
    decay_s: float

    def energy(self, delay_s: Floats) -> Floats:
        """Return the energy density at delays after the onset (s), not yet normalised."""
        return self.decaying(delay_s) * (delay_s > 0.0) * ramp(delay_s) ** 2

    def decaying(self, delay_s: Floats) -> Floats:
        """Return `energy` without the ramp; an exponential continues before the onset."""
        rising = np.maximum(delay_s, 0.0) if self.order > 1 else np.ones_like(delay_s)
        return rising ** (self.order - 1) * np.exp(-delay_s / self.decay_s)


PULSES = (Envelope(1, 0.05), Envelope(1, 0.15), Envelope(2, 0.1), Envelope(1, 0.4))
CODA = (
    Envelope(1, 1.0),
    Envelope(2, 1.0),
    Envelope(1, 2.5),
    Envelope(2, 3.0),
    Envelope(1, 7.0),
    Envelope(1, 20.0),
)


def ramp(delay_s: Floats) -> Floats:
    """Return the amplitude of an onset: 0 before it, rising to 1."""
    return np.sin(0.5 * np.pi * np.clip(delay_s / RAMP_S, 0.0, 1.0)) ** 2


def torch_ramp(delay_s: Tensor) -> Tensor:
    """Return the same of a tensor."""
    risen = (delay_s / RAMP_S).clamp_(0.0, 1.0)
    return risen.mul_(0.5 * torch.pi).sin_().square_()
