"""Intensity measures of velocity records: Fourier spectra, peaks, energy and duration.

Response spectra and RotD50 are in `cgmgm_seis.measures.response_spectra`.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import irfft, rfft, rfftfreq
from scipy.integrate import cumulative_trapezoid

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.scenario.arrays import Floats

GRAVITY = 9.80665  # standard gravity, m/s2
# Spectra of as many samples at once stay in the processor's cache.
BLOCK_SAMPLES = 200_000


def fas(waveform: ArrayLike, sampling_rate: float) -> tuple[Floats, Floats]:
    """Return the Fourier amplitude spectrum of a waveform.

    Parameters
    ----------
    waveform : array_like
        Shape (.., sample).
    sampling_rate : float
        Hz.

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
    x = np.asarray(waveform, float)
    return rfftfreq(x.shape[-1], 1.0 / sampling_rate), np.abs(rfft(x)) / sampling_rate


def konno_ohmachi_matrix(
    frequencies: ArrayLike, centres: ArrayLike, bandwidth: float = 20.0
) -> Floats:
    """Return the smoothing weights of Konno & Ohmachi (1998, equation 4), one row a centre.

    Every row sums to one.  Smoothing is ``amplitudes @ matrix.T``; use the whole band of
    frequencies, or the ends are biased.

    Parameters
    ----------
    frequencies : array_like
        Hz, shape (frequency,), not negative; zero gets no weight.
    centres : array_like
        Hz, shape (centre,), positive.
    bandwidth : float
        Konno and Ohmachi's b: the larger, the narrower.

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


def smoothed_fas(
    waveform: ArrayLike, sampling_rate: float, centres: ArrayLike, bandwidth: float = 20.0
) -> Floats:
    """Return the Konno-Ohmachi smoothed FAS at the centres.

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
    """Return the effective amplitude spectrum (EAS) of two horizontals, smoothed.

    The square root of the mean of the two squared FAS (Goulet et al. 2018), which does not
    depend on the orientation of the sensor; then smoothed as by `smoothed_fas`, with the whole
    band.  Published models are of acceleration, often in g x s: pass `acceleration` and divide
    by `GRAVITY` to compare with them.

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
    """Smooth the spectra of records, or the mean ones of pairs: the last `inner` axes."""
    n = x.shape[-1]
    weights = konno_ohmachi_matrix(rfftfreq(n, 1.0 / sampling_rate), centres, bandwidth).T
    records = x.reshape(-1, *x.shape[x.ndim - inner :])
    smoothed = np.empty((len(records), weights.shape[1]))
    step = max(1, BLOCK_SAMPLES // n)
    for first in range(0, len(records), step):
        block = slice(first, first + step)
        _, amplitudes = fas(records[block], sampling_rate)
        if inner == 2:
            amplitudes = np.sqrt((amplitudes**2).mean(axis=-2))
        smoothed[block] = amplitudes @ weights
    return smoothed.reshape(*x.shape[: x.ndim - inner], weights.shape[1])


def acceleration(velocity: ArrayLike, sampling_rate: float) -> Floats:
    """Return the acceleration of velocity records, differentiated in the frequency domain.

    Exact below the Nyquist frequency for motion that starts and ends at rest, where central
    differences lose 14 % at 15 Hz and 100 Hz sampling.  The line from the first to the last
    sample is differentiated apart, so that a step between the ends does no harm; motion at an
    end still rings there for a few samples.

    Parameters
    ----------
    velocity : array_like
        m/s, shape (.., sample), at least two samples.
    sampling_rate : float
        Hz.

    Returns
    -------
    numpy.ndarray
        m/s2, shape (.., sample).

    Examples
    --------
    >>> acceleration([0.0, 0.1, 0.2, 0.3], 100.0).round(6).tolist()
    [10.0, 10.0, 10.0, 10.0]
    """
    v = np.asarray(velocity, float)
    n = v.shape[-1]
    slope = (v[..., -1:] - v[..., :1]) / (n - 1)
    spectrum = rfft(v - slope * np.arange(n)) * 2j * np.pi * rfftfreq(n, 1.0 / sampling_rate)
    if n % 2 == 0:
        spectrum[..., -1] = 0.0  # the derivative of the Nyquist frequency is between the samples
    return irfft(spectrum, n) + slope * sampling_rate


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


def pga(velocity: ArrayLike, sampling_rate: float) -> Floats:
    """Return the peak ground acceleration: the largest absolute sample of `acceleration`.

    Parameters
    ----------
    velocity : array_like
        m/s, shape (.., sample).
    sampling_rate : float
        Hz.

    Returns
    -------
    numpy.ndarray
        m/s2, shape (..).

    Examples
    --------
    >>> float(pga([0.0, 0.1, 0.2, 0.3], 100.0).round(6))
    10.0
    """
    return np.abs(acceleration(velocity, sampling_rate)).max(axis=-1)


def arias_intensity(velocity: ArrayLike, sampling_rate: float) -> Floats:
    """Return the intensity of Arias (1970), pi / 2g times the integral of squared acceleration.

    Parameters
    ----------
    velocity : array_like
        m/s, shape (.., sample).
    sampling_rate : float
        Hz.

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
    squared = acceleration(velocity, sampling_rate) ** 2
    integral = np.trapezoid(squared, dx=1.0 / sampling_rate, axis=-1)
    return np.asarray(np.pi / (2.0 * GRAVITY) * integral)


def cav(velocity: ArrayLike, sampling_rate: float) -> Floats:
    """Return the cumulative absolute velocity (EPRI 1988), the integral of abs(acceleration).

    Parameters
    ----------
    velocity : array_like
        m/s, shape (.., sample).
    sampling_rate : float
        Hz.

    Returns
    -------
    numpy.ndarray
        m/s, shape (..); by the trapezoidal rule.

    Examples
    --------
    >>> float(cav([0.0, 0.1, 0.2, 0.3], 100.0).round(6))
    0.3
    """
    absolute = np.abs(acceleration(velocity, sampling_rate))
    return np.asarray(np.trapezoid(absolute, dx=1.0 / sampling_rate, axis=-1))


def significant_duration(
    velocity: ArrayLike, sampling_rate: float, low: float = 0.05, high: float = 0.95
) -> Floats:
    """Return the time in which the Arias intensity grows from one share to another.

    D5-95 (Trifunac & Brady 1975) by default; D5-75 with ``high=0.75``.

    Parameters
    ----------
    velocity : array_like
        m/s, shape (.., sample).
    sampling_rate : float
        Hz.
    low, high : float
        Shares of the Arias intensity, 0 <= low < high <= 1.

    Returns
    -------
    numpy.ndarray
        Seconds, shape (..), to the sample; zero where nothing accelerates.

    Raises
    ------
    CgmgmError
        If the shares are out of order or of range.

    Examples
    --------
    >>> float(significant_duration(GRAVITY * np.arange(101) / 100.0, 100.0))
    0.9
    """
    if not 0.0 <= low < high <= 1.0:
        raise CgmgmError(
            f"The shares {low:g} and {high:g} of the Arias intensity bound no duration; "
            f"0 <= low < high <= 1 do."
        )
    squared = acceleration(velocity, sampling_rate) ** 2
    husid = cumulative_trapezoid(squared, axis=-1, initial=0)
    reached = [(husid < share * husid[..., -1:]).sum(axis=-1) for share in (low, high)]
    return (reached[1] - reached[0]) / sampling_rate


def two_components(horizontals: ArrayLike) -> NDArray[Any]:
    """Return the two horizontals, shape (.., 2, sample), as an array.

    Raises
    ------
    CgmgmError
        If the last axis but one does not hold two components.
    """
    x = np.asarray(horizontals)
    if x.ndim < 2 or x.shape[-2] != 2:
        raise CgmgmError(
            f"Horizontals of shape {x.shape} are not two components; (.., 2, sample) are."
        )
    return x
