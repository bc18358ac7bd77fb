"""Fourier amplitude spectra (FAS) and their Konno-Ohmachi smoothing."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


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
    frequencies: Floats = np.fft.rfftfreq(x.shape[-1], 1.0 / sampling_rate).astype(float)
    return frequencies, np.abs(np.fft.rfft(x)) / sampling_rate


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
    frequencies, amplitudes = fas(waveform, sampling_rate)
    return amplitudes @ konno_ohmachi_matrix(frequencies, centres, bandwidth).T
