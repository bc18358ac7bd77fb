"""Fourier coefficients of Gaussian processes from uniform random numbers."""

import torch
from torch import Tensor

# Numbers are at least this large: zero, one number in 2^32, has no logarithm.
_LEAST = 2.0**-32


def coefficients(numbers: Tensor, power: Tensor) -> Tensor:
    """Return complex Gaussian coefficients of a mean squared size.

    The square of the size is exponentially distributed, the phase uniformly: the transform of
    Box & Muller (1958).

    Parameters
    ----------
    numbers : torch.Tensor
        Uniform from -1 to 1, shape (record, 2, ..), the second for the phase.
    power : torch.Tensor
        Mean squared size, shape (record, ..).
    """
    size, phase = numbers.unbind(dim=1)
    size = size.abs().clamp_min_(_LEAST).log_().neg_().mul_(power).sqrt_()
    angle = torch.pi * phase
    imaginary = torch.sin(angle).mul_(size)
    return torch.complex(angle.cos_().mul_(size), imaginary)
