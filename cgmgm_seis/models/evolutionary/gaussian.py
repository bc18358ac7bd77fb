"""Fourier coefficients of Gaussian processes from uniform random numbers."""

import math

import numpy as np
from numpy.random import SFC64
from numpy.typing import NDArray
from torch import Tensor

from cgmgm_seis.scenario.seeding import Key

# Numbers are at least this large: zero, one number in 2^32, has no logarithm.
_LEAST = 2.0**-32
# As many phases as 12 bits have: moments of coefficients of an order below their number are those
# of continuous phases, and a table of few is faster than sines.
_PHASE_BITS = 12
_PHASES = np.exp(2j * np.pi * np.arange(2**_PHASE_BITS) / 2**_PHASE_BITS).astype(np.complex64)


def fill(
    key: NDArray[np.uint64], numbers: NDArray[np.float32], phases: NDArray[np.complex64]
) -> None:
    """Fill arrays (n,) with the numbers of `coefficients`.

    They are the bits of SFC64 (Doty-Humphrey 2010), a generator that is faster than others.

    Parameters
    ----------
    key : numpy.ndarray
        State with which the generator begins, 3 words.
    numbers : numpy.ndarray
        Filled with numbers uniform from -1 to 1.
    phases : numpy.ndarray
        Filled with complex numbers of size 1.

    Examples
    --------
    >>> numbers, phases = np.empty(4, np.float32), np.empty(4, np.complex64)
    >>> fill(np.array([1, 2, 3], np.uint64), numbers, phases)
    >>> bool((np.abs(numbers) <= 1.0).all()), np.abs(phases).round(6).tolist()
    (True, [1.0, 1.0, 1.0, 1.0])
    """
    n = len(numbers)
    # 32 bits of a number, and 16 of a phase.
    words = SFC64(Key(key)).random_raw(-(-3 * n // 4))  # type: ignore[arg-type]
    scale = np.float32(2.0**-31)
    np.multiply(words.view(np.int32)[:n], scale, out=numbers, dtype=np.float32, casting="unsafe")
    places = words.view(np.uint16)[2 * n : 3 * n] >> (16 - _PHASE_BITS)
    # Without a check of places, which are within the table.
    _PHASES.take(places, out=phases, mode="clip")


def coefficients(numbers: Tensor, phases: Tensor, power: Tensor) -> Tensor:
    """Return complex Gaussian coefficients of a mean squared size.

    The square of the size is exponentially distributed, the phase uniformly: the transform of
    Box & Muller (1958).

    Parameters
    ----------
    numbers : torch.Tensor
        Uniform from -1 to 1.
    phases : torch.Tensor
        Complex numbers of size 1.
    power : torch.Tensor
        Mean squared size.
    """
    bits = numbers.abs().clamp_min_(_LEAST).log2_()
    return phases * bits.mul_(power).mul_(-math.log(2.0)).sqrt_()
