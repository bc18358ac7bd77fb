"""Response spectra (PSA) of velocity records, and RotD50 of two horizontal components."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import rfft

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.measures.intensity import as_acceleration, two_components
from cgmgm_seis.measures.oscillator import OVERSAMPLING, SAMPLES_PER_PERIOD, Oscillator
from cgmgm_seis.scenario.arrays import Floats

# Number of records per block, chosen so that responses fit into the processor's cache.
BLOCK = 4
# Oscillators in single precision: with longer periods and less damping, the response from rest is a
# small difference of large numbers.
SINGLE_PERIOD_S, SINGLE_DAMPING = 3.0, 0.02
# Longest period, samples: the coefficients of the filter are nearly those of a double integral, and
# double precision keeps less than four digits of the difference beyond.
LONGEST_PERIOD = 1e5
# Unit vectors, one per degree; the other half circle gives the same peaks.
DIRECTIONS = np.array([[np.cos(angle), np.sin(angle)] for angle in np.deg2rad(np.arange(180.0))])
# Every so many samples and directions give a lower bound of the peaks.
FEW_SAMPLES, FEW_DIRECTIONS = 8, 30
# Degrees of the sectors in which samples are compared with these bounds.
SECTOR = 10
# Factor of the bounds that allows for rounding.
ROUNDING = 0.999


def psa(
    waveform: ArrayLike,
    sampling_rate: float,
    periods: ArrayLike,
    damping: float = 0.05,
    quantity: str = "velocity",
    threads: int = 1,
) -> Floats:
    """Return the pseudo-spectral acceleration (PSA) of every record and component.

    The PSA is the largest absolute displacement of a damped oscillator times its squared angular
    frequency.  The oscillator is the recursive filter of Nigam & Jennings (1969), which is exact
    for acceleration that is linear between samples.  Records are oversampled in the frequency
    domain to 40 samples per period, by a factor from 2 to 8, and the loss of high frequencies by
    linear interpolation is corrected; otherwise periods up to 0.1 s would be 3 to 6 % low at
    100 Hz.  Compared with 32 times the sampling rate, 99 % of the values agree within 0.5 %.
    The oscillator is at rest at the first sample.  Waveforms of float32 are computed in single
    precision at periods up to 3 s with 2 % of damping or more, which takes half the time and is
    within 1e-5, mostly 1e-6, of double precision.

    Parameters
    ----------
    waveform : array_like
        m/s, or m/s2 with ``quantity="acceleration"``; shape (.., sample).
    sampling_rate : float
        Hz.
    periods : array_like
        Natural periods of the oscillators, s, shape (period,).
    damping : float
        Fraction of critical damping, 0 < damping < 1.
    quantity : str
        Quantity of the waveform, "velocity" or "acceleration".
    threads : int
        Number of blocks of records computed in parallel.

    Returns
    -------
    numpy.ndarray
        m/s2, shape (.., period).

    Raises
    ------
    CgmgmError
        If the quantity is unknown, the damping is not within (0, 1), or a period is shorter than
        5 or longer than 100,000 samples.

    Examples
    --------
    For a step of 1 m/s2, the response of an almost undamped oscillator reaches 2 m/s2.

    >>> step = np.ones(6000)
    >>> print(f"{psa(step, 100.0, [1.0], damping=1e-4, quantity='acceleration')[0]:.2f}")
    2.00
    """
    x = np.asarray(waveform)
    return _spectra(x, 1, sampling_rate, periods, damping, quantity, threads, _peaks)


def rotd50_psa(
    horizontals: ArrayLike,
    sampling_rate: float,
    periods: ArrayLike,
    damping: float = 0.05,
    quantity: str = "velocity",
    threads: int = 1,
) -> Floats:
    """Return the RotD50 of the PSA of two horizontal components (Boore 2010).

    Parameters
    ----------
    horizontals : array_like
        m/s, or m/s2 with ``quantity="acceleration"``; shape (.., 2, sample).
    sampling_rate, periods, damping, quantity, threads
        See `psa`.

    Returns
    -------
    numpy.ndarray
        m/s2, shape (.., period).

    Raises
    ------
    CgmgmError
        If there are not two components, or for the reasons given in `psa`.

    Examples
    --------
    >>> step = np.ones((2, 6000))
    >>> print(f"{rotd50_psa(step, 100.0, [1.0], 1e-4, quantity='acceleration')[0]:.2f}")
    2.00
    """
    x = two_components(horizontals)
    return _spectra(x, 2, sampling_rate, periods, damping, quantity, threads, rotd50)


def rotd50(horizontals: ArrayLike) -> Floats:
    """Return RotD50, the median over all directions of the peak of two horizontals (Boore 2010).

    Velocity gives the RotD50 of the PGV, and `acceleration` that of the PGA.  The directions are
    0 to 179 degrees in steps of 1 degree.

    Parameters
    ----------
    horizontals : array_like
        Shape (.., 2, sample), any unit.

    Returns
    -------
    numpy.ndarray
        Shape (..), in the unit of the input.

    Raises
    ------
    CgmgmError
        If there are not two components.

    Examples
    --------
    For motion in one direction, it is the median of abs(cos) over the directions.

    >>> print(f"{rotd50([[0.0, 1.0, -0.5], [0.0, 0.0, 0.0]]):.2f}")
    0.71
    """
    x = two_components(horizontals)
    x = x.astype(np.result_type(x, np.float32), copy=False)
    pairs = x.reshape(-1, *x.shape[-2:])
    directions = DIRECTIONS.astype(x.dtype)
    largest = np.empty((len(pairs), len(directions)))
    for row, outer in zip(largest, _outer(pairs, directions), strict=True):
        row[:] = np.abs(outer.T @ directions.T).max(axis=0)
    return np.reshape(np.median(largest, axis=-1), x.shape[:-2])


def period_range(sampling_rate: float) -> tuple[float, float]:
    """Return the shortest and the longest period of `psa`, 5 and 100,000 samples, in s.

    Examples
    --------
    >>> period_range(100.0)
    (0.05, 1000.0)
    """
    return SAMPLES_PER_PERIOD / OVERSAMPLING[-1] / sampling_rate, LONGEST_PERIOD / sampling_rate


def resolved_periods(periods: Iterable[float], sampling_rate: float) -> list[float]:
    """Return the periods, s, that `psa` can compute at a sampling rate, Hz.

    Examples
    --------
    >>> resolved_periods([0.01, 0.1, 1.0], 100.0)
    [0.1, 1.0]
    """
    shortest, longest = period_range(sampling_rate)
    rounding = 1.0 + 1e-9
    return [t for t in periods if shortest <= t * rounding and t <= longest * rounding]


def check_periods(periods: Iterable[float], sampling_rate: float) -> None:
    """Refuse periods, s, that `psa` cannot compute at a sampling rate, Hz.

    Raises
    ------
    CgmgmError
        If a period is shorter than 5 or longer than 100,000 samples.

    Examples
    --------
    >>> check_periods([0.1, 1.0], 100.0)
    """
    for period in periods:
        if not resolved_periods([period], sampling_rate):
            shortest, longest = period_range(sampling_rate)
            raise CgmgmError(
                f"A period of {period:g} s must be from {shortest:g} to {longest:g} s, 5 to "
                f"100,000 samples at {sampling_rate:g} Hz."
            )


def _outer(pairs: NDArray[Any], directions: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield pairs (pair, 2, sample) without samples that cannot be the peak in any direction.

    The peaks of some samples, those that are the peaks of few samples in few directions, are lower
    bounds of all peaks.  Samples that are closer to the origin than the smallest bound are removed
    first.  Of those that remain, a sample can be a peak between two directions of `SECTOR` degrees
    only if its projection on one of them, divided by the cosine of half the angle between them,
    reaches a bound of that sector.
    """
    few = pairs[..., ::FEW_SAMPLES]
    places = np.abs(directions[::FEW_DIRECTIONS] @ few).argmax(axis=-1)
    some = np.take_along_axis(few, places[:, None], axis=-1)
    bounds = ROUNDING * np.abs(directions @ some).max(axis=-1)
    squared = np.einsum("pcs,pcs->ps", pairs, pairs)
    # What is no number stays.
    beyond = ~(squared < bounds.min(axis=-1, keepdims=True) ** 2)
    after = bounds.reshape(len(bounds), len(directions) // SECTOR, SECTOR).min(axis=-1)
    before = np.roll(after, 1, axis=-1)
    enough = np.cos(np.deg2rad(SECTOR / 2)) * np.minimum(before, after)
    for pair, is_beyond, least in zip(pairs, beyond, enough, strict=True):
        far = pair.take(np.flatnonzero(is_beyond), axis=-1)
        reaches = ~(np.abs(directions[::SECTOR] @ far) < least[:, None])
        yield far.take(np.flatnonzero(reaches.any(axis=0)), axis=-1)


def _peaks(responses: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.maximum(responses.max(axis=-1), -responses.min(axis=-1)))


def _spectra(
    x: NDArray[Any],
    inner: int,
    sampling_rate: float,
    periods: ArrayLike,
    damping: float,
    quantity: str,
    threads: int,
    measure: Callable[[NDArray[Any]], NDArray[Any]],
) -> Floats:
    """Return the measure, over the last `inner` axes, of the responses of every oscillator."""
    natural = np.asarray(periods, float)
    if not 0.0 < damping < 1.0:
        raise CgmgmError(f"damping = {damping:g} must be above 0 and below 1.")
    check_periods(natural.tolist(), sampling_rate)
    n = x.shape[-1]
    oscillators = [
        Oscillator.of(n, sampling_rate, period, damping, _in_single(x, period, damping))
        for period in natural.tolist()
    ]
    records = x.reshape(-1, *x.shape[x.ndim - inner :])
    spectra = np.empty((len(records), len(natural)))
    precisions = {oscillator.known.dtype for oscillator in oscillators}
    precision = max(precisions, default=np.dtype(float), key=lambda dtype: dtype.itemsize)

    def fill(first: int) -> None:
        rows = slice(first, first + BLOCK)
        block = as_acceleration(records[rows], sampling_rate, quantity, precision)
        # The line between the ends is apart, because the Fourier series is periodic.
        level, slope = block[..., :1], (block[..., -1:] - block[..., :1]) / (n - 1)
        spectrum = rfft(block - (level + slope * np.arange(n, dtype=precision)))
        motions = {
            real: (
                spectrum.astype(np.result_type(real, np.complex64), copy=False),
                level.astype(real, copy=False),
                slope.astype(real, copy=False),
            )
            for real in precisions
        }
        for k, oscillator in enumerate(oscillators):
            spectra[rows, k] = measure(oscillator.response(*motions[oscillator.known.dtype]))

    blocks = range(0, len(records), BLOCK)
    if threads == 1:
        # A thread beside this one would get its memory anew for every array.
        for first in blocks:
            fill(first)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(fill, blocks))
    return spectra.reshape(*x.shape[: x.ndim - inner], len(natural))


def _in_single(x: NDArray[Any], period: float, damping: float) -> bool:
    """Return whether an oscillator gives its peak within 1e-5 of itself in single precision."""
    return x.dtype == np.float32 and period <= SINGLE_PERIOD_S and damping >= SINGLE_DAMPING
