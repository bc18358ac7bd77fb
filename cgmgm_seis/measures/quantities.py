"""Acceleration and displacement of velocity records."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.measures.intensity import acceleration
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.quantities import find_quantity

# Corner of the high-pass filter of displacement, Hz: below the lowest frequencies at which records
# are usually usable, and long compared with the 5 s before the origin time.
HIGH_PASS_HZ = 0.1


def displacement(
    velocity: ArrayLike, sampling_rate: float, high_pass_hz: float = HIGH_PASS_HZ
) -> Floats:
    """Return the displacement of velocity records, high-passed so that it does not drift.

    Velocity is filtered with a causal Butterworth high-pass of second order and integrated, both
    in the frequency domain and with zeros appended, so that the end of a record does not affect
    its beginning.  A plain integral would keep the small offsets below the band of the records,
    which grow with time.  Permanent displacement is not part of the result.

    Parameters
    ----------
    velocity : array_like
        m/s, shape (.., sample).
    sampling_rate : float
        Hz.
    high_pass_hz : float
        Corner frequency of the filter, Hz; above 0 and below the Nyquist frequency.

    Returns
    -------
    numpy.ndarray
        m, shape (.., sample).

    Raises
    ------
    CgmgmError
        If the corner frequency is out of range.

    Examples
    --------
    One cycle of 1 Hz with a peak velocity of 1 m/s has a peak displacement of 1 / pi m.

    >>> cycle = np.zeros(2000)
    >>> cycle[500:600] = np.sin(2.0 * np.pi * np.arange(100) / 100.0)
    >>> print(f"{displacement(cycle, 100.0, high_pass_hz=0.001).max():.3f}")
    0.318
    """
    if not 0.0 < high_pass_hz < 0.5 * sampling_rate:
        raise CgmgmError(
            f"high_pass_hz = {high_pass_hz:g} must be above 0 and below the Nyquist frequency, "
            f"{0.5 * sampling_rate:g} Hz."
        )
    v = np.asarray(velocity, float)
    n = v.shape[-1]
    # Within 5 / corner the response to an impulse has decayed to 1e-9.
    padded = next_fast_len(n + round(5.0 / high_pass_hz * sampling_rate), real=True)
    s = 1j * rfftfreq(padded, 1.0 / sampling_rate) / high_pass_hz
    # s^2 / (s^2 + sqrt(2) s + 1), divided by s for the integral.
    response = s / (s**2 + np.sqrt(2.0) * s + 1.0) / (2.0 * np.pi * high_pass_hz)
    return irfft(rfft(v, padded) * response, padded)[..., :n]


def in_quantity(velocity: ArrayLike, sampling_rate: float, quantity: str) -> NDArray[Any]:
    """Return velocity records as another quantity of ground motion.

    Parameters
    ----------
    velocity : array_like
        m/s, shape (.., sample).
    sampling_rate : float
        Hz.
    quantity : str
        "acceleration" (m/s2, see `cgmgm_seis.measures.intensity.acceleration`), "velocity"
        (unchanged) or "displacement" (m, see `displacement`).

    Returns
    -------
    numpy.ndarray
        Shape (.., sample).

    Raises
    ------
    OutputError
        If the quantity is unknown.

    Examples
    --------
    >>> in_quantity([0.0, 0.1, 0.2, 0.3], 100.0, "acceleration").round(6).tolist()
    [10.0, 10.0, 10.0, 10.0]
    """
    name = find_quantity(quantity).name
    if name == "velocity":
        return np.asarray(velocity)
    return (acceleration if name == "acceleration" else displacement)(velocity, sampling_rate)
