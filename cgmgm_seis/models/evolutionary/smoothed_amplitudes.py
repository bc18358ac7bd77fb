"""Distribution of smoothed Fourier amplitudes of motion that decays, given its spectrum."""

import math

import torch
from torch import Tensor

# Mean of a Rayleigh-distributed amplitude, squared, over its mean square; its relative variance.
RAYLEIGH = math.pi / 4.0
RAYLEIGH_VARIANCE = 1.0 / RAYLEIGH - 1.0
# Smallest shape of a gamma distribution, and the smallest cube root of what is drawn from it: with
# this one ln of Rayleigh's distribution has its standard deviation, pi / sqrt(24), in spite of the
# approximation.
LEAST_SHAPE, LEAST_ROOT = 0.5, 0.2


def squared_factors(variance: Tensor, numbers: Tensor, of_one: Tensor) -> Tensor:
    """Return squared factors of mean 1 of smoothed amplitudes, from normal numbers.

    A smoothed amplitude is nearly the root of a sum of squares, of one for every interval of time
    that the smoothing window resolves.  If their energies were equal, it would be distributed like
    chi (Blackman & Tukey 1958).  They decay with time, and so they are more in number than the
    variance tells, and small sums are rarer.  For energies in proportion to 1, q, q^2, .. the ratio
    of the third moment to the squared variance is 8 / (3 + u^2) for the sum, and c = 16 / (3 + u^2)
    - 3 for its root, where u = (1 - q) / (1 + q) is the variance over that of a single square.
    Amplitudes to the power 3 - c that are distributed like gamma (Stacy 1962) have this ratio; it
    is drawn in the approximation of Wilson & Hilferty (1931).

    Parameters
    ----------
    variance : torch.Tensor
        Relative variance of the amplitudes.
    numbers : torch.Tensor
        Standard normal.
    of_one : torch.Tensor
        Relative variance of the amplitudes of one component.
    """
    u = of_one / RAYLEIGH_VARIANCE
    power = 1.0 / (6.0 - 16.0 / (3.0 + u.square()))
    # The variance of gamma to this power, by the second difference of ln gamma.
    shape = (power**2 / torch.log1p(variance) + 0.5 - power).clamp_min(LEAST_SHAPE)
    mean = torch.lgamma(shape + power) - torch.lgamma(shape) - power * torch.log(shape)
    root = 1.0 - 1.0 / (9.0 * shape) + numbers / (3.0 * shape.sqrt())
    return torch.exp(2.0 * (3.0 * power * torch.log(root.clamp_min(LEAST_ROOT)) - mean))
