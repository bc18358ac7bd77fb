"""The published ergodic model of Fourier amplitude spectra (FAS) in the Bay Area."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cgmgm_seis.errors import RangeError

# frequency (Hz): a, b, c, d, total standard deviation
COEFFICIENTS = {
    2.0: (-16.2739, 3.0407, -1.4842, 0.0060, 0.72),
    5.0: (-13.5466, 2.6166, -1.7052, 0.0178, 0.77),
    10.0: (-13.4538, 2.2958, -1.9021, 0.0339, 0.81),
    15.0: (-14.4238, 2.1082, -2.0292, 0.0461, 0.87),
}


@dataclass(frozen=True)
class ErgodicFAS:
    """Mean and standard deviation of ln FAS of horizontal velocity at one frequency.

        ln FAS = a + b M + c ln R + d Z

    with the magnitude M, the distance R and the depth Z in km and the FAS in m/s x s.  Published
    with the Bay Area CGM-GM (Ren et al. 2026); its data have M 1.1 to 4.0.

    Parameters
    ----------
    frequency : float
        2, 5, 10 or 15 Hz.

    Raises
    ------
    RangeError
        If the model has no coefficients for the frequency.

    Examples
    --------
    >>> print(f"{np.exp(ErgodicFAS(2.0).mean(3.0, 10.0, 8.0)):.1e}")
    2.7e-05
    """

    frequency: float

    def __post_init__(self) -> None:
        if self.frequency not in COEFFICIENTS:
            known = ", ".join(f"{f:g}" for f in COEFFICIENTS)
            raise RangeError(
                f"The ergodic FAS model has no {self.frequency:g} Hz; it has {known} Hz."
            )

    def mean(
        self, magnitude: ArrayLike, distance_km: ArrayLike, depth_km: ArrayLike
    ) -> NDArray[np.float64]:
        """Return the mean of ln FAS; the arguments are broadcast against each other."""
        a, b, c, d, _ = COEFFICIENTS[self.frequency]
        magnitude, distance, depth = np.broadcast_arrays(magnitude, distance_km, depth_km)
        return a + b * magnitude + c * np.log(distance) + d * depth

    @property
    def sigma(self) -> float:
        """Total standard deviation of ln FAS (between and within events)."""
        return COEFFICIENTS[self.frequency][4]
