"""Intensity measures of velocity records: Fourier spectra, peaks, energy and duration.

Response spectra and RotD50 are in `cgmgm_seis.measures.response_spectra`.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from scipy.fft import irfft, rfft, rfftfreq
from scipy.integrate import cumulative_trapezoid

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.scenario.arrays import Floats

GRAVITY = 9.80665  # standard gravity, m/s2
# Number of samples per block, chosen so that a block fits into the processor's cache.
BLOCK_SAMPLES = 200_000


def fas(
    waveform: ArrayLike, sampling_rate: float, dtype: DTypeLike = np.float64
) -> tuple[Floats, NDArray[Any]]:
    """Return the Fourier amplitude spectrum of a waveform.

    Parameters
    ----------
    waveform : array_like
        Shape (.., sample).
    sampling_rate : float
        Hz.
    dtype : data-type
        Precision, float64 or float32; the latter takes half the time, and its errors are some 1e-7
        of the mean amplitude, which is more of those that are far below it.

    Returns
    -------
    frequencies : numpy.ndarray
        Hz, shape (frequency,), from zero to Nyquist.
    amplitudes : numpy.ndarray
        dt abs(rfft), shape (.., frequency), units of the waveform x s.

    Examples
    --------
    >>> frequencies, amplitudes = fas([0.0, 100.0, 0.0, 0.0], 100.0)
    >>> amplitudes.tolist()
    [1.0, 1.0, 1.0]
    """
    amplitudes = np.abs(rfft(np.asarray(waveform, dtype)))
    amplitudes /= sampling_rate
    return rfftfreq(np.shape(waveform)[-1], 1.0 / sampling_rate), amplitudes


def konno_ohmachi_matrix(
    frequencies: ArrayLike, centres: ArrayLike, bandwidth: float = 20.0
) -> Floats:
    """Return the smoothing weights of Konno & Ohmachi (1998, equation 4), one row per centre.

    Every row sums to one.  Smooth with ``amplitudes @ matrix.T``, using all frequencies up to
    Nyquist; otherwise the ends are biased.

    Parameters
    ----------
    frequencies : array_like
        Hz, shape (frequency,), not negative; zero gets no weight.
    centres : array_like
        Hz, shape (centre,), positive.
    bandwidth : float
        Konno and Ohmachi's b; larger values give a narrower window.

    Returns
    -------
    numpy.ndarray
        Shape (centre, frequency).
    """
    f = np.asarray(frequencies, float)
    fc = np.asarray(centres, float)
    weights = np.zeros((len(fc), len(f)))
    x = bandwidth * np.log10(f[f > 0.0] / fc[:, None])
    weights[:, f > 0.0] = np.sinc(x / np.pi) ** 4
    return weights / weights.sum(axis=1, keepdims=True)


def konno_ohmachi(
    amplitudes: NDArray[Any],
    n_samples: int,
    sampling_rate: float,
    centres: Sequence[float],
    bandwidth: float = 20.0,
) -> NDArray[Any]:
    """Smooth the FAS of records of a length, in its own precision, see `konno_ohmachi_matrix`.

    Parameters
    ----------
    amplitudes : numpy.ndarray
        Shape (.., frequency), from zero to Nyquist.
    n_samples : int
        Length of the records.
    sampling_rate : float
        Hz.
    centres : sequence of float
        Hz.
    bandwidth : float
        See `konno_ohmachi_matrix`.

    Returns
    -------
    numpy.ndarray
        Shape (.., centre), in the unit of the amplitudes.

    Examples
    --------
    >>> konno_ohmachi(np.full((2, 301), 0.5), 600, 100.0, [2.0, 5.0]).round(6).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    weights = _smoothing_weights(n_samples, float(sampling_rate), tuple(centres), bandwidth)
    # One product of two matrices is several times faster than one for every record.
    rows = amplitudes.reshape(-1, len(weights))
    smoothed = rows @ weights.astype(rows.dtype, copy=False)
    return smoothed.reshape(*amplitudes.shape[:-1], weights.shape[1])


@lru_cache(maxsize=8)
def _smoothing_weights(
    n_samples: int, sampling_rate: float, centres: tuple[float, ...], bandwidth: float
) -> Floats:
    frequencies = rfftfreq(n_samples, 1.0 / sampling_rate)
    return konno_ohmachi_matrix(frequencies, centres, bandwidth).T


def effective_amplitude(amplitudes: Floats) -> Floats:
    """Return the EAS, not smoothed, of the FAS of two horizontals (.., 2, frequency)."""
    squared = np.einsum("...cf,...cf->...f", amplitudes, amplitudes)
    return np.sqrt(0.5 * squared)


def smoothed_fas(
    waveform: ArrayLike, sampling_rate: float, centres: ArrayLike, bandwidth: float = 20.0
) -> Floats:
    """Return the Konno-Ohmachi smoothed FAS at the centre frequencies.

    Parameters
    ----------
    waveform : array_like
        Shape (.., sample).
    sampling_rate : float
        Hz.
    centres : array_like
        Hz, shape (centre,).
    bandwidth : float
        See `konno_ohmachi_matrix`.

    Returns
    -------
    numpy.ndarray
        Shape (.., centre), units of the waveform x s.
    """
    return _smoothed(np.asarray(waveform), 1, sampling_rate, centres, bandwidth)


def eas(
    horizontals: ArrayLike, sampling_rate: float, centres: ArrayLike, bandwidth: float = 20.0
) -> Floats:
    """Return the smoothed effective amplitude spectrum (EAS) of two horizontal components.

    The EAS is the square root of the mean of the two squared FAS (Goulet et al. 2018), which
    does not depend on the orientation of the sensor.  It is smoothed as in `smoothed_fas`.
    Published models predict the EAS of acceleration, often in g x s: to compare with them, pass
    `acceleration` and divide by `GRAVITY`.

    Parameters
    ----------
    horizontals : array_like
        Shape (.., 2, sample).
    sampling_rate : float
        Hz.
    centres : array_like
        Hz, shape (centre,).
    bandwidth : float
        See `konno_ohmachi_matrix`.

    Returns
    -------
    numpy.ndarray
        Shape (.., centre), units of the waveform x s.

    Raises
    ------
    CgmgmError
        If there are not two components.

    Examples
    --------
    >>> impulses = np.zeros((2, 600))
    >>> impulses[:, 0] = 300.0, 400.0
    >>> eas(impulses, 100.0, [2.0, 5.0]).round(6).tolist()
    [3.535534, 3.535534]
    """
    return _smoothed(two_components(horizontals), 2, sampling_rate, centres, bandwidth)


def _smoothed(
    x: NDArray[Any], inner: int, sampling_rate: float, centres: ArrayLike, bandwidth: float
) -> Floats:
    """Smooth the FAS of records (inner = 1) or the EAS of pairs of components (inner = 2)."""
    n = x.shape[-1]
    places = np.asarray(centres, float).tolist()
    records = x.reshape(-1, *x.shape[x.ndim - inner :])
    smoothed = np.empty((len(records), len(places)))
    step = max(1, BLOCK_SAMPLES // n)
    for first in range(0, len(records), step):
        block = slice(first, first + step)
        _, amplitudes = fas(records[block], sampling_rate)
        if inner == 2:
            amplitudes = effective_amplitude(amplitudes)
        smoothed[block] = konno_ohmachi(amplitudes, n, sampling_rate, places, bandwidth)
    return smoothed.reshape(*x.shape[: x.ndim - inner], len(places))


def acceleration(
    velocity: ArrayLike, sampling_rate: float, dtype: DTypeLike = np.float64
) -> NDArray[Any]:
    """Return the acceleration of velocity records, differentiated in the frequency domain.

    The result is exact below the Nyquist frequency for motion that starts and ends at rest;
    central differences would lose 14 % at 15 Hz and 100 Hz sampling.  The line from the first
    to the last sample is differentiated separately, so that a step between the ends has no
    effect; motion at an end still causes ringing there for a few samples.

    Parameters
    ----------
    velocity : array_like
        m/s, shape (.., sample), at least two samples.
    sampling_rate : float
        Hz.
    dtype : data-type
        Precision, float64 or float32; the latter takes half the time, and its errors are some 1e-6
        of the peak.

    Returns
    -------
    numpy.ndarray
        m/s2, shape (.., sample).

    Examples
    --------
    >>> acceleration([0.0, 0.1, 0.2, 0.3], 100.0).round(6).tolist()
    [10.0, 10.0, 10.0, 10.0]
    """
    v = np.asarray(velocity, dtype)
    n = v.shape[-1]
    slope = (v[..., -1:] - v[..., :1]) / (n - 1)
    spectrum = rfft(v - slope * np.arange(n, dtype=v.dtype))
    spectrum *= 2j * np.pi * rfftfreq(n, 1.0 / sampling_rate)
    if n % 2 == 0:
        spectrum[..., -1] = 0.0  # the derivative at the Nyquist frequency is zero at the samples
    moved: NDArray[Any] = irfft(spectrum, n)
    moved += slope * sampling_rate
    return moved


def as_acceleration(
    waveform: ArrayLike, sampling_rate: float, quantity: str, dtype: DTypeLike = np.float64
) -> NDArray[Any]:
    """Return the `acceleration` of a waveform, which may be acceleration already.

    Parameters
    ----------
    waveform, sampling_rate, quantity
        See `cgmgm_seis.measures.psa`.
    dtype : data-type
        Precision of the result, float64 or float32.

    Returns
    -------
    numpy.ndarray
        m/s2, shape (.., sample).

    Raises
    ------
    CgmgmError
        If the quantity is unknown.
    """
    if quantity == "velocity":
        return acceleration(waveform, sampling_rate).astype(dtype, copy=False)
    if quantity == "acceleration":
        return np.asarray(waveform, dtype)
    raise CgmgmError(f"quantity = '{quantity}' is not known; it must be velocity or acceleration.")


def pgv(velocity: ArrayLike) -> Floats:
    """Return the peak ground velocity: the largest absolute sample.

    Parameters
    ----------
    velocity : array_like
        m/s, shape (.., sample).

    Returns
    -------
    numpy.ndarray
        m/s, shape (..).

    Examples
    --------
    >>> float(pgv([0.0, 0.02, -0.03]))
    0.03
    """
    return np.abs(np.asarray(velocity, float)).max(axis=-1)


def pga(waveform: ArrayLike, sampling_rate: float, quantity: str = "velocity") -> Floats:
    """Return the peak ground acceleration: the largest absolute sample of `acceleration`.

    Parameters
    ----------
    waveform, sampling_rate, quantity
        See `cgmgm_seis.measures.psa`.

    Returns
    -------
    numpy.ndarray
        m/s2, shape (..).

    Examples
    --------
    >>> float(pga([0.0, 0.1, 0.2, 0.3], 100.0).round(6))
    10.0
    """
    return np.abs(as_acceleration(waveform, sampling_rate, quantity)).max(axis=-1)


def arias_intensity(
    waveform: ArrayLike, sampling_rate: float, quantity: str = "velocity"
) -> Floats:
    """Return the Arias intensity (Arias 1970): pi / 2g times the integral of acceleration squared.

    Parameters
    ----------
    waveform, sampling_rate, quantity
        See `cgmgm_seis.measures.psa`.

    Returns
    -------
    numpy.ndarray
        m/s, shape (..); by the trapezoidal rule.

    Examples
    --------
    >>> one_second_at_g = GRAVITY * np.arange(101) / 100.0
    >>> print(f"{arias_intensity(one_second_at_g, 100.0):.3f}")
    15.404
    """
    squared = as_acceleration(waveform, sampling_rate, quantity) ** 2
    integral = np.trapezoid(squared, dx=1.0 / sampling_rate, axis=-1)
    return np.asarray(np.pi / (2.0 * GRAVITY) * integral)


def cav(waveform: ArrayLike, sampling_rate: float, quantity: str = "velocity") -> Floats:
    """Return the cumulative absolute velocity (EPRI 1988), the integral of abs(acceleration).

    Parameters
    ----------
    waveform, sampling_rate, quantity
        See `cgmgm_seis.measures.psa`.

    Returns
    -------
    numpy.ndarray
        m/s, shape (..); by the trapezoidal rule.

    Examples
    --------
    >>> float(cav([0.0, 0.1, 0.2, 0.3], 100.0).round(6))
    0.3
    """
    absolute = np.abs(as_acceleration(waveform, sampling_rate, quantity))
    return np.asarray(np.trapezoid(absolute, dx=1.0 / sampling_rate, axis=-1))


def significant_duration(
    waveform: ArrayLike,
    sampling_rate: float,
    low: float = 0.05,
    high: ArrayLike = 0.95,
    quantity: str = "velocity",
) -> Floats:
    """Return the time in which the Arias intensity increases from one fraction to another.

    The default is D5-95 (Trifunac & Brady 1975); use ``high=0.75`` for D5-75.

    Parameters
    ----------
    waveform, sampling_rate, quantity
        See `cgmgm_seis.measures.psa`.
    low : float
        Fraction of the Arias intensity at the start, 0 <= low < high.
    high : float or array_like
        Fraction at the end, low < high <= 1; or some, shape (high,).

    Returns
    -------
    numpy.ndarray
        Seconds, shape (..) or (.., high), with a resolution of one sample; zero for records
        without motion.

    Raises
    ------
    CgmgmError
        If the fractions are out of order or out of range.

    Examples
    --------
    >>> float(significant_duration(GRAVITY * np.arange(101) / 100.0, 100.0))
    0.9
    """
    ends = np.asarray(high, float)
    for end in ends.flat:
        if not 0.0 <= low < end <= 1.0:
            raise CgmgmError(
                f"low = {low:g} and high = {end:g} are not valid fractions of the Arias "
                "intensity; they must satisfy 0 <= low < high <= 1."
            )
    shares = np.array([low, *ends.flat])
    squared = as_acceleration(waveform, sampling_rate, quantity) ** 2
    husid = cumulative_trapezoid(squared, axis=-1, initial=0)
    records = husid.reshape(-1, husid.shape[-1])
    reached = np.empty((len(records), len(shares)), int)
    for row, record in zip(reached, records, strict=True):
        row[:] = np.searchsorted(record, shares * record[-1])
    durations = (reached[:, 1:] - reached[:, :1]) / sampling_rate
    return durations.reshape((*husid.shape[:-1], *ends.shape))[()]


def two_components(horizontals: ArrayLike) -> NDArray[Any]:
    """Return two horizontal components, shape (.., 2, sample), as an array.

    Raises
    ------
    CgmgmError
        If the second-to-last axis does not have length 2.
    """
    x = np.asarray(horizontals)
    if x.ndim < 2 or x.shape[-2] != 2:
        raise CgmgmError(
            f"Horizontals of shape {x.shape} must be two components of shape (.., 2, sample)."
        )
    return x
