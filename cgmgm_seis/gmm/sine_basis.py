"""Gaussian random fields in the plane as sums of sines, at points and along straight paths.

The fields are reduced-rank Gaussian processes (Solin & Särkkä 2020): the covariance

    sigma^2 exp(-distance^2 / (2 length^2))

is represented by independent weights of fixed functions, so that sigma and length can be changed
at low cost.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf

from cgmgm_seis.scenario.arrays import Floats

# Margin of the box around the points, as a fraction of their larger extent; the sines are zero
# at the edges of the box.
_MARGIN = 0.15
# Correlation length times highest wave number at which 95 % of a field's power is resolved.
_RESOLVED = 2.5


@dataclass(frozen=True)
class SineBasis:
    """Eigenfunctions of the Laplacian in a box (Solin & Särkkä 2020, equation 56), lowest first.

    Parameters
    ----------
    corner, size : numpy.ndarray
        South-western corner and side lengths of the box, km, shape (2,).
    orders : numpy.ndarray
        Numbers of half waves across the box, shape (function, 2).

    Examples
    --------
    >>> basis = SineBasis.around([[0.0, 0.0], [100.0, 50.0]], 64)
    >>> basis.size.tolist()
    [130.0, 80.0]
    >>> here = np.array([[40.0, 20.0]])
    >>> variance = basis.means(here, here) ** 2 @ basis.variances(20.0)
    >>> print(f"{variance[0]:.2f}")
    1.00
    """

    corner: Floats
    size: Floats
    orders: NDArray[np.int64]

    @classmethod
    def around(cls, points_km: ArrayLike, n_functions: int) -> "SineBasis":
        """Return the basis of a box around points of shape (point, 2)."""
        points = np.asarray(points_km, float)
        low, high = points.min(axis=0), points.max(axis=0)
        margin = max(_MARGIN * (high - low).max(), 1.0)
        size = high - low + 2.0 * margin
        orders = np.indices((n_functions, n_functions)).reshape(2, -1).T + 1
        lowest = np.argsort(np.hypot(*(orders / size).T), kind="stable")[:n_functions]
        return cls(low - margin, size, orders[lowest])

    @property
    def wave_numbers(self) -> Floats:
        """Square roots of the eigenvalues, 1/km, shape (function,)."""
        numbers: Floats = np.pi * np.hypot(*(self.orders / self.size).T)
        return numbers

    @property
    def shortest_km(self) -> float:
        """Shortest correlation length that the functions resolve."""
        return _RESOLVED / float(self.wave_numbers.max())

    @property
    def longest_km(self) -> float:
        """Longest correlation length that fits into the box."""
        return float(self.size.max()) / 3.0

    def means(self, start_km: Floats, end_km: Floats) -> Floats:
        """Return the mean of every function along straight paths, or its value at points.

        Parameters
        ----------
        start_km, end_km : numpy.ndarray
            East and north coordinates of both ends, shape (path, 2); equal ends are a point.
            Ends outside the box are moved to its edge, where the functions are zero.

        Returns
        -------
        numpy.ndarray
            Shape (path, function).
        """
        ends = [np.clip((x - self.corner) / self.size, 0.0, 1.0) for x in (start_km, end_km)]
        middle = np.pi * 0.5 * (ends[0] + ends[1])[:, None] * self.orders
        change = np.pi * (ends[1] - ends[0])[:, None] * self.orders
        # A product of sines is a difference of cosines, whose mean along a line is analytic.
        result = np.zeros(middle.shape[:2])
        for sign in (1.0, -1.0):
            phase = middle[..., 0] - sign * middle[..., 1]
            turn = (change[..., 0] - sign * change[..., 1]) / (2.0 * np.pi)
            result += sign * np.cos(phase) * np.sinc(turn)
        return result / np.sqrt(np.prod(self.size))

    def variances(self, length_km: float) -> Floats:
        """Return the prior variances of the weights of a field with standard deviation 1."""
        squared = (self.wave_numbers * length_km) ** 2
        return 2.0 * np.pi * length_km**2 * np.exp(-0.5 * squared)

    def variance_slopes(self, length_km: float) -> Floats:
        """Return the derivatives of ln `variances` with respect to ln length, (function,)."""
        return 2.0 - (self.wave_numbers * length_km) ** 2


def path_mean_variance(path_km: ArrayLike, length_km: float) -> Floats:
    """Return the variance of path averages of a field with standard deviation 1.

    Examples
    --------
    >>> path_mean_variance([0.0, 20.0, 200.0], 20.0).round(2).tolist()
    [1.0, 0.92, 0.23]
    """
    # Below 1e-3 the formula loses precision, and the variance is 1 within 1e-7.
    ratio = np.maximum(np.asarray(path_km, float) / length_km, 1e-3)
    integral = np.sqrt(np.pi / 2.0) * ratio * erf(ratio / np.sqrt(2.0)) + np.expm1(-0.5 * ratio**2)
    return np.asarray(2.0 * integral / ratio**2)
