"""Peaks of Gaussian motion from spectral moments: random vibration theory with pyRVT.

The peak factor is that of Vanmarcke (1975) as implemented in pyRVT, which is installed with the
extra ``rvt``.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.scenario.arrays import Floats

# Zero crossings and bandwidths of the table of peak factors; pyRVT has the same minimum.
LEAST_CROSSINGS, MOST_CROSSINGS, N_CROSSINGS, N_BANDWIDTHS = 1.33, 1e5, 48, 32
# Orders of the effective duration: the first one tried, and the limits of the others.
FIRST_ORDER, ORDERS = 3.0, (1.5, 8.0)
# Mean minus median, and standard deviation, of the Gumbel distribution of scale 1.
MEAN_ABOVE_MEDIAN, GUMBEL_SIGMA = 0.2107, 1.2825
# Peaks of a few cycles are not distributed like those of many: lower limit of sqrt(2 ln crossings).
LEAST_SPREAD = 1.2


class Peaks(NamedTuple):
    """Distribution of peaks.

    Parameters
    ----------
    ln_median : numpy.ndarray
        ln of the median peak.
    sigma : numpy.ndarray
        Standard deviation of ln peaks of one spectrum.
    factor : numpy.ndarray
        Mean peak over rms.
    """

    ln_median: Floats
    sigma: Floats
    factor: Floats


def peaks(moments: Floats, duration_s: Floats) -> Peaks:
    """Return the peaks of motion of given spectral moments and duration.

    Parameters
    ----------
    moments : numpy.ndarray
        Moments 0, 1 and 2 of the squared Fourier amplitudes, 2 integral (2 pi f)^k A^2 df, shape
        (.., 3).
    duration_s : numpy.ndarray
        Duration of the strong motion, s, shape (..); see `duration`.

    Returns
    -------
    Peaks
        Each of shape (..).  The mean is that of Vanmarcke (1975); the distribution about it is
        that of Davenport (1964), of scale 1 / sqrt(2 ln crossings).

    Raises
    ------
    CgmgmError
        If pyRVT is not installed.
    """
    m0, m1, m2 = np.moveaxis(np.asarray(moments, float), -1, 0)
    crossings = np.maximum(duration_s * np.sqrt(m2 / m0) / np.pi, LEAST_CROSSINGS)
    bandwidth = np.sqrt(np.clip(1.0 - m1**2 / (m0 * m2), 0.0, 1.0))
    places = np.stack([np.log(np.minimum(crossings, MOST_CROSSINGS)), bandwidth], axis=-1)
    factor = _factors()(places).reshape(crossings.shape)
    scale = 1.0 / np.maximum(np.sqrt(2.0 * np.log(crossings)), LEAST_SPREAD)
    median = (factor - MEAN_ABOVE_MEDIAN * scale) * np.sqrt(m0 / duration_s)
    return Peaks(np.log(median), GUMBEL_SIGMA * scale / factor, factor)


def duration(energy: Floats, widths_s: Floats, moments: Floats) -> Floats:
    """Return the duration of stationary motion with the peaks of motion that rises and decays.

    The rate at which motion of variance s^2(t) crosses a level of u times the largest rms falls as
    exp(-u^2 s_max^2 / 2 s^2(t)) (Rice 1945), near the maximum like the power u^2 / 2 of s^2.  The
    duration is therefore that of this order: the integral of energy^order, to the power
    1 / (1 - order), of the density of energy over time, with u the peak factor.

    Parameters
    ----------
    energy : numpy.ndarray
        Density of energy in intervals of time, 1/s, integral 1, shape (.., interval).
    widths_s : numpy.ndarray
        Widths of the intervals, s, the same shape.
    moments : numpy.ndarray
        Spectral moments, see `peaks`, shape (.., 3).

    Returns
    -------
    numpy.ndarray
        Seconds, shape (..).

    Examples
    --------
    Stationary motion has its own duration.

    >>> moments = np.array([1.0, 12.0, 150.0])
    >>> float(duration(np.full(10, 0.1), np.ones(10), moments).round(6))  # doctest: +SKIP
    10.0
    """
    order = np.full(energy.shape[:-1], FIRST_ORDER)
    for _ in range(2):
        integral = (widths_s * energy ** order[..., None]).sum(axis=-1)
        found = integral ** (1.0 / (1.0 - order))
        order = np.clip(0.5 * peaks(moments, found).factor ** 2, *ORDERS)
    integral = (widths_s * energy ** order[..., None]).sum(axis=-1)
    return np.asarray(integral ** (1.0 / (1.0 - order)))


@cache
def _factors() -> Callable[[Floats], NDArray[np.float64]]:
    """Return an interpolator of pyRVT's mean peak factor: (ln crossings, bandwidth) to factor.

    pyRVT integrates numerically for every value, which is too slow for maps.  Moments of any
    bandwidth are those of two lines, at 0 and 1 Hz.
    """
    try:
        from pyrvt.peak_calculators import get_peak_calculator
    except ImportError as error:
        raise CgmgmError(
            "Peaks by random vibration theory need pyRVT; install it with "
            "pip install 'cgmgm-seis[rvt]'."
        ) from error
    calculate = get_peak_calculator("V75", {})
    crossings = np.geomspace(LEAST_CROSSINGS, MOST_CROSSINGS, N_CROSSINGS)
    bandwidths = np.linspace(0.01, 0.99, N_BANDWIDTHS)
    table = np.empty((N_CROSSINGS, N_BANDWIDTHS))
    for row, number in enumerate(crossings):
        for column, bandwidth in enumerate(bandwidths):
            squared = np.array([bandwidth**2, 1.0 - bandwidth**2])
            seconds = 0.5 * number / np.sqrt(squared[1])
            _, table[row, column] = calculate(seconds, np.array([0.0, 1.0]), np.sqrt(squared))
    return RegularGridInterpolator(
        (np.log(crossings), bandwidths), table, bounds_error=False, fill_value=None
    )
