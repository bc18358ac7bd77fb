"""Minimum-phase filters of a given amplitude: causal, so that onsets do not come early.

The phase is minus the Hilbert transform of the log amplitude, hence linear in it (Oppenheim &
Schafer 1989, chapter 12).  If the log amplitude of a filter is a sum of hat functions, its log
response is the sum of theirs.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cgmgm_seis.scenario.arrays import Floats


def hats(nodes_hz: ArrayLike, frequencies: ArrayLike) -> Floats:
    """Return the interpolation matrix (node, frequency), linear in ln f, constant outside."""
    nodes = np.asarray(nodes_hz, float)
    places = np.log(np.maximum(np.asarray(frequencies, float), nodes[0]))
    return np.stack([np.interp(places, np.log(nodes), row) for row in np.eye(len(nodes))])


def log_responses(nodes_hz: ArrayLike, n: int, sampling_rate: float) -> NDArray[np.complex128]:
    """Return ln of the minimum-phase responses whose log amplitudes are the hat functions.

    Parameters
    ----------
    nodes_hz : array_like
        Increasing frequencies of the nodes, Hz.
    n : int
        Even length of the Fourier transform, samples.
    sampling_rate : float
        Sampling rate, Hz.

    Returns
    -------
    numpy.ndarray
        Shape (node, n/2 + 1).

    Examples
    --------
    >>> gains = np.array([-1.0, 0.5])
    >>> response = np.exp(gains @ log_responses([1.0, 10.0], 1024, 100.0))
    >>> print(np.log(np.abs(response[-1])).round(6))
    0.5
    """
    cepstra = np.fft.irfft(hats(nodes_hz, np.fft.rfftfreq(n, 1.0 / sampling_rate)))
    cepstra[:, 1 : n // 2] *= 2.0
    cepstra[:, n // 2 + 1 :] = 0.0
    return np.fft.rfft(cepstra)
