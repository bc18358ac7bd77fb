"""Valid spans of records that fill only a part of their window.

Instruments that are triggered stop soon after the shaking, and others have a gap in the coda.  Such
a record is stored at the full length of the window, with zeros outside its valid span, which two
columns state: the first valid sample and the one after the last.  Records without these values are
valid as a whole.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

VALID_START, VALID_END = "trace_valid_start_sample", "trace_valid_end_sample"
# Taper inside the ends of a span before spectra and accelerations are computed, seconds: a step
# from motion to zero would have the spectrum and the acceleration of a shock.
TAPER_S = 1.0

Spans = NDArray[np.int64]


def valid_spans(scenario: pd.DataFrame, n_samples: int) -> Spans:
    """Return the valid span of every record within a window.

    Parameters
    ----------
    scenario : pandas.DataFrame
        Table with or without the columns `VALID_START` and `VALID_END`, samples after the start of
        the window; missing values mean the start and the end of the window.
    n_samples : int
        Length of the window.

    Returns
    -------
    numpy.ndarray
        First valid sample and the one after the last, from 0 to `n_samples`, shape (record, 2).

    Examples
    --------
    >>> table = pd.DataFrame({VALID_START: [20.4, None], VALID_END: [70.0, 90.0]})
    >>> valid_spans(table, 80).tolist()
    [[21, 70], [0, 80]]
    """
    spans = np.tile(np.array([0, n_samples]), (len(scenario), 1))
    for side, (column, inwards) in enumerate(((VALID_START, np.ceil), (VALID_END, np.floor))):
        if column in scenario:
            samples = pd.to_numeric(scenario[column], errors="coerce").to_numpy(float)
            known = np.isfinite(samples)
            spans[known, side] = inwards(samples[known].round(6)).clip(0, n_samples)
    return spans


def partial(spans: Spans, n_samples: int) -> NDArray[np.bool_]:
    """Return which records fill only a part of the window, shape (record,)."""
    return np.asarray((spans[:, 0] > 0) | (spans[:, 1] < n_samples))


def cut_to_spans(
    waveforms: NDArray[np.float32], spans: Spans, sampling_rate: float
) -> NDArray[np.float32]:
    """Return records that are zero outside their spans, with a taper inside the spans' ends.

    Recorded and generated motion are compared after the same cut.  Ends of a span that are ends of
    the window are not tapered, and whole records are not changed.

    Parameters
    ----------
    waveforms : numpy.ndarray
        Shape (record, .., sample).
    spans : numpy.ndarray
        See `valid_spans`.
    sampling_rate : float
        Hz.

    Examples
    --------
    >>> ones = np.ones((1, 8), np.float32)
    >>> print(cut_to_spans(ones, np.array([[0, 6]]), 2.0).round(2))
    [[1.   1.   1.   1.   0.85 0.15 0.   0.  ]]
    """
    n_samples = waveforms.shape[-1]
    shortened = partial(spans, n_samples)
    if not shortened.any():
        return waveforms
    samples, n_taper = np.arange(n_samples) + 0.5, max(TAPER_S * sampling_rate, 1.0)
    starts, ends = (side[:, None] for side in spans[shortened].T)
    rising = np.where(starts > 0, (samples - starts) / n_taper, 1.0)
    falling = np.where(ends < n_samples, (ends - samples) / n_taper, 1.0)
    weights = np.sin(0.5 * np.pi * np.clip(np.minimum(rising, falling), 0.0, 1.0)) ** 2
    inner = (1,) * (waveforms.ndim - 2)
    found = waveforms.copy()
    found[shortened] *= weights.astype(np.float32).reshape(len(weights), *inner, n_samples)
    return found
