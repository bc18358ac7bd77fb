"""Response spectra (PSA) of velocity records, and RotD50 of two horizontals."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import cont2discrete, lfilter, resample

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.measures.intensity import (
    acceleration,
    two_components,
)
from cgmgm_seis.scenario.arrays import (
    Floats,
)

# Samples within the period of an oscillator, and limits of the oversampling that gives them.
SAMPLES_PER_PERIOD = 40.0
OVERSAMPLING = (2, 4, 8)
# Records at once: the responses of a block stay in the processor's cache.
BLOCK = 4
# Unit vectors, one a degree; the other half circle gives the same peaks.
DIRECTIONS = np.array([[np.cos(angle), np.sin(angle)] for angle in np.deg2rad(np.arange(180.0))])


def psa(
    waveform: ArrayLike,
    sampling_rate: float,
    periods: ArrayLike,
    damping: float = 0.05,
    quantity: str = "velocity",
    threads: int = 1,
) -> Floats:
    """Return the pseudo-spectral acceleration (PSA) of every record and component.

    The largest absolute displacement of a damped oscillator times its squared angular
    frequency.  The oscillator is that of Nigam & Jennings (1969), exact for acceleration that
    is linear between samples, as a recursive filter.  Records are oversampled in the frequency
    domain to 40 samples a period, at least 2 and at most 8 times, and what the straight lines
    between the samples lose at high frequencies is given back: at 100 Hz without this, periods
    up to 0.1 s would be 3 to 6 % low.  Against 32 times the sampling rate, 99 % of the values
    are within 0.5 %.  The oscillator is at rest at the first sample.

    Parameters
    ----------
    waveform : array_like
        m/s, or m/s2 with ``quantity="acceleration"``; shape (.., sample).
    sampling_rate : float
        Hz.
    periods : array_like
        Natural periods of the oscillators, s, shape (period,).
    damping : float
        Share of the critical damping, 0 < damping < 1.
    quantity : str
        "velocity" or "acceleration": what the waveform is.
    threads : int
        Blocks of records computed side by side.

    Returns
    -------
    numpy.ndarray
        m/s2, shape (.., period).

    Raises
    ------
    CgmgmError
        If the quantity is unknown, the damping not within (0, 1), or a period shorter than 5
        samples.

    Examples
    --------
    A step of 1 m/s2 doubles the displacement of an oscillator with hardly any damping.

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
    """Return the RotD50 of the PSA of two horizontals (Boore 2010).

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
        If there are not two components, and as `psa`.

    Examples
    --------
    >>> step = np.ones((2, 6000))
    >>> print(f"{rotd50_psa(step, 100.0, [1.0], 1e-4, quantity='acceleration')[0]:.2f}")
    2.00
    """
    x = two_components(horizontals)
    return _spectra(x, 2, sampling_rate, periods, damping, quantity, threads, rotd50)


def rotd50(horizontals: ArrayLike) -> Floats:
    """Return the median over all directions of the peak of two horizontals (Boore 2010).

    Of velocity it is the RotD50 of the PGV, of `acceleration` that of the PGA; every degree
    from 0 to 179 is taken.

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
    Motion along one direction: the median of abs(cos) over the directions.

    >>> print(f"{rotd50([[0.0, 1.0, -0.5], [0.0, 0.0, 0.0]]):.2f}")
    0.71
    """
    x = np.asarray(two_components(horizontals), float)
    medians = [
        np.median(np.abs(DIRECTIONS @ _outer(pair)).max(axis=-1))
        for pair in x.reshape(-1, *x.shape[-2:])
    ]
    return np.reshape(medians, x.shape[:-2])


def _outer(pair: Floats) -> Floats:
    """Leave out samples that are the peak in no direction; shape (2, sample).

    The peaks in a few directions bound the peaks in all of them from below; what is nearer to
    the origin than the least of these bounds is no peak.
    """
    some = np.abs(DIRECTIONS[::30] @ pair).argmax(axis=-1)
    least = np.abs(DIRECTIONS @ pair[:, some]).max(axis=-1).min()
    # A little less than the bound, for rounding.
    return pair[:, (pair**2).sum(axis=0) >= 0.999 * least**2]


def _peaks(responses: Floats) -> Floats:
    return np.maximum(responses.max(axis=-1), -responses.min(axis=-1))


def _spectra(
    x: NDArray[Any],
    inner: int,
    sampling_rate: float,
    periods: ArrayLike,
    damping: float,
    quantity: str,
    threads: int,
    measure: Callable[[Floats], Floats],
) -> Floats:
    """Return the measure, over the last `inner` axes, of the responses of every oscillator."""
    natural = np.asarray(periods, float)
    _check(natural, sampling_rate, damping, quantity)
    factors = [_oversampling(period * sampling_rate) for period in natural]
    filters = [
        _oscillator(period, damping, sampling_rate * factor)
        for period, factor in zip(natural, factors, strict=True)
    ]
    records = x.reshape(-1, *x.shape[x.ndim - inner :])
    spectra = np.empty((len(records), len(natural)))

    def fill(first: int) -> None:
        rows = slice(first, first + BLOCK)
        block = records[rows].astype(float)
        if quantity == "velocity":
            block = acceleration(block, sampling_rate)
        fine = {factor: _oversampled(block, factor) for factor in set(factors)}
        for k, (factor, (b, a)) in enumerate(zip(factors, filters, strict=True)):
            spectra[rows, k] = measure(lfilter(b, a, fine[factor]))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, range(0, len(records), BLOCK)))
    return spectra.reshape(*x.shape[: x.ndim - inner], len(natural))


def _check(periods: Floats, sampling_rate: float, damping: float, quantity: str) -> None:
    if quantity not in ("velocity", "acceleration"):
        raise CgmgmError(
            f"Response spectra of '{quantity}' are unknown; velocity and acceleration are known."
        )
    if not 0.0 < damping < 1.0:
        raise CgmgmError(f"A damping of {damping:g} does not oscillate; 0 < damping < 1 does.")
    shortest = SAMPLES_PER_PERIOD / OVERSAMPLING[-1] / sampling_rate
    if (periods < shortest * (1.0 - 1e-9)).any():
        raise CgmgmError(
            f"A period of {periods.min():g} s is too short for {sampling_rate:g} Hz; "
            f"{shortest:g} s is the shortest."
        )


def _oversampling(samples: float) -> int:
    """Return the least factor that gives enough samples in a period that has so many."""
    enough = [factor for factor in OVERSAMPLING if factor * samples >= SAMPLES_PER_PERIOD]
    return enough[0] if enough else OVERSAMPLING[-1]


def _oversampled(x: Floats, factor: int) -> Floats:
    """Return acceleration with samples between, such that straight lines between them do.

    Interpolating linearly multiplies the spectrum by sinc^2, which the window undoes.  The line
    between the ends is kept out, for the Fourier series is periodic.
    """
    n = x.shape[-1]
    first, slope = x[..., :1], (x[..., -1:] - x[..., :1]) / (n - 1)
    periodic = x - (first + slope * np.arange(n))
    fine = resample(periodic, n * factor, axis=-1, window=lambda f: 1.0 / np.sinc(f / factor) ** 2)
    return fine + first + slope * np.arange(n * factor) / factor


def _oscillator(period: float, damping: float, sampling_rate: float) -> tuple[Floats, Floats]:
    """Return the filter from acceleration to pseudo-acceleration (Nigam & Jennings 1969).

    Their recursion is the first-order hold of the oscillator u'' + 2 h w u' + w^2 u = w^2 a.
    """
    w = 2.0 * np.pi / period
    numerator, denominator = np.array([w**2]), np.array([1.0, 2.0 * damping * w, w**2])
    b, a, _ = cont2discrete((numerator, denominator), 1.0 / sampling_rate, method="foh")
    return b[0], a
