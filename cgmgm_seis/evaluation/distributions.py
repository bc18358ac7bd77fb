"""Distributions of generated and recorded motion: CRPS, Frechet distance, projections."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import rfft, rfftfreq

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.seeding import random_generator
from cgmgm_seis.scenario.spans import Spans

BAND_EDGES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # Hz
N_WINDOWS = 8
# Lower limit of a cell's power, as a share of the largest of the record.
QUIETEST = 1e-12
BLOCK_RECORDS = 64
EXCHANGES = 99


def crps(recorded: ArrayLike, generated: ArrayLike) -> Floats:
    """Return the continuous ranked probability score of records among their realizations.

    E abs(X - y) - E abs(X - X') / 2 with the unbiased ("fair") estimate of the second term
    (Gneiting & Raftery 2007, equation 21; Ferro 2014), in the unit of the values.  Lower is
    better: realizations should be close to the record and have little scatter.  Without scatter
    it is the absolute error.

    Parameters
    ----------
    recorded : array_like
        Shape (record, ..).
    generated : array_like
        Shape (record, realization, ..), at least 2 realizations.

    Returns
    -------
    numpy.ndarray
        Shape of the records.

    Examples
    --------
    >>> crps([0.0], [[-1.0, 1.0]]).tolist()
    [0.0]
    """
    y, x = np.asarray(recorded, float), np.sort(np.asarray(generated, float), axis=1)
    n = x.shape[1]
    # The sum of all distances between sorted values, each counted once.
    weights = 2.0 * np.arange(n) - (n - 1)
    between = np.moveaxis(x, 1, -1) @ weights / (n * (n - 1))
    return np.asarray(np.abs(x - y[:, None]).mean(axis=1) - between)


def log_spectrogram(waveforms: NDArray[np.float32], sampling_rate: float) -> Floats:
    """Return the mean log power of records in cells of time and frequency.

    Parameters
    ----------
    waveforms : numpy.ndarray
        Velocity, m/s, shape (record, component, sample).
    sampling_rate : float
        Sampling rate, Hz.

    Returns
    -------
    numpy.ndarray
        Half the natural logarithm of the power (comparable to ln amplitudes) for each component,
        of `N_WINDOWS` Hann windows and each octave of `BAND_EDGES`; shape (record, cell).

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal((2, 3, 6000)).astype(np.float32)
    >>> log_spectrogram(noise, 100.0).shape
    (2, 144)
    """
    n_records, n_components, n_samples = waveforms.shape
    length = n_samples // N_WINDOWS
    frequencies = rfftfreq(length, 1.0 / sampling_rate)
    edges = [edge for edge in BAND_EDGES if edge <= 0.5 * sampling_rate]
    bands = np.searchsorted(frequencies, edges)
    cells = np.empty((n_records, n_components * N_WINDOWS * (len(bands) - 1)))
    for first in range(0, n_records, BLOCK_RECORDS):
        block = slice(first, first + BLOCK_RECORDS)
        x = waveforms[block, :, : N_WINDOWS * length].astype(float)
        x = x.reshape(-1, n_components, N_WINDOWS, length) * np.hanning(length)
        power = np.abs(rfft(x)) ** 2 / sampling_rate**2
        sums = np.add.reduceat(power[..., : bands[-1]], bands[:-1], axis=-1)
        means = (sums / np.diff(bands)).reshape(len(x), -1)
        floor = QUIETEST * means.max(axis=1, keepdims=True)
        cells[block] = 0.5 * np.log(np.maximum(means, floor))
    return cells


def valid_cells(spans: Spans, n_samples: int, n_components: int, n_cells: int) -> NDArray[np.bool_]:
    """Return which cells of a log spectrogram are within the spans of the records.

    Parameters
    ----------
    spans : numpy.ndarray
        Valid spans, (record, 2).
    n_samples, n_components, n_cells : int
        Length of the records, and numbers of their components and of the cells.

    Returns
    -------
    numpy.ndarray
        Shape (record, cell), see `log_spectrogram`.
    """
    length = n_samples // N_WINDOWS
    begins = length * np.arange(N_WINDOWS)
    windows = (begins >= spans[:, :1]) & (begins + length <= spans[:, 1:])
    n_octaves = n_cells // (n_components * N_WINDOWS)
    return np.tile(np.repeat(windows, n_octaves, axis=1), n_components)


def filled(cells: Floats, valid: NDArray[np.bool_], recorded: Floats) -> Floats:
    """Return cells (record, cell) with the mean of valid recorded ones where they are not valid.

    With the same value in recorded and generated motion they neither add to a distance nor separate
    short records from whole ones.

    Examples
    --------
    >>> recorded = np.array([[1.0, 2.0], [3.0, -9.0]])
    >>> filled(recorded, np.array([[True, True], [True, False]]), recorded).tolist()
    [[1.0, 2.0], [3.0, 2.0]]
    """
    counts = np.maximum(valid.sum(axis=0), 1)
    return np.where(valid, cells, (recorded * valid).sum(axis=0) / counts)


def frechet_distance(first: Floats, second: Floats) -> float:
    """Return the Frechet distance of two sets of features, per cell.

    The distance between the normal distributions with the means and covariances of the sets
    (Dowson & Landau 1982, equation 4; Heusel et al. 2017), divided by the root of the number of
    features: it is 0.3 if one set is larger by 0.3 everywhere.  It is positive also for two
    samples of the same distribution, and larger for smaller samples.

    Parameters
    ----------
    first, second : numpy.ndarray
        Shape (record, feature), at least 2 records.

    Raises
    ------
    CgmgmError
        If a set has fewer than 2 records.

    Examples
    --------
    >>> features = np.random.default_rng(0).standard_normal((50, 4))
    >>> print(f"{frechet_distance(features, features + 0.3):.3f}")
    0.300
    """
    fewest = min(len(first), len(second))
    if fewest < 2:
        raise CgmgmError(f"{fewest} record(s) are too few for a covariance; at least 2 are needed.")
    root = _root(np.cov(first.T))
    product = _root(root @ np.cov(second.T) @ root)
    squared = np.sum((first.mean(axis=0) - second.mean(axis=0)) ** 2)
    squared += first.var(axis=0, ddof=1).sum() + second.var(axis=0, ddof=1).sum()
    squared -= 2.0 * np.trace(product)
    return float(np.sqrt(max(squared, 0.0) / first.shape[1]))


def frechet_test(
    recorded: Floats, generated: Floats, events: ArrayLike, seed: int = 0
) -> tuple[float, float]:
    """Return the Frechet distance expected by chance, and the p-value of the actual distance.

    For a perfect generator, recorded and generated are exchangeable: they are exchanged
    `EXCHANGES` times in random whole events, since records of an event are not independent.

    Parameters
    ----------
    recorded, generated : numpy.ndarray
        Features of the same records, shape (record, feature).
    events : array_like
        The event of every record, shape (record,).
    seed : int
        Random seed of the exchanges.

    Returns
    -------
    tuple of float
        Mean distance after an exchange, and the share of exchanges, including none, with at
        least the actual distance.
    """
    names, event = np.unique(np.asarray(events).astype(str), return_inverse=True)
    found = frechet_distance(recorded, generated)
    random = random_generator(seed, "exchanges")
    distances = []
    for _ in range(EXCHANGES):
        swapped = (random.random(len(names)) < 0.5)[event, None]
        first, second = (
            np.where(swapped, generated, recorded),
            np.where(swapped, recorded, generated),
        )
        distances.append(frechet_distance(first, second))
    as_far = sum(distance >= found - 1e-9 for distance in distances)
    return float(np.mean(distances)), (as_far + 1) / (EXCHANGES + 1)


def principal_components(recorded: Floats, *others: Floats) -> tuple[list[Floats], Floats]:
    """Project features on the two directions of largest variance of the recorded ones.

    Parameters
    ----------
    recorded : numpy.ndarray
        Shape (record, feature); the mean and directions of this set are used for all sets.
    *others : numpy.ndarray
        Other sets of the same features.

    Returns
    -------
    list of numpy.ndarray
        Coordinates of every set, divided by the root of the number of features, (record, 2).
    numpy.ndarray
        Shares of the recorded variance along the two directions.

    Examples
    --------
    >>> (points,), shares = principal_components(np.array([[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]]))
    >>> shares.round(3).tolist()
    [1.0, 0.0]
    """
    mean = recorded.mean(axis=0)
    _, singular, axes = np.linalg.svd(recorded - mean, full_matrices=False)
    shares = singular[:2] ** 2 / max(float((singular**2).sum()), np.finfo(float).tiny)
    plane = axes[:2].T / np.sqrt(recorded.shape[1])
    return [(features - mean) @ plane for features in (recorded, *others)], shares


def t_sne(recorded: Floats, *others: Floats, seed: int = 0) -> list[Floats]:
    """Project features with t-SNE (van der Maaten & Hinton 2008) of scikit-learn.

    Parameters
    ----------
    recorded, *others : numpy.ndarray
        Sets of features, shape (record, feature).
    seed : int
        Random seed.

    Returns
    -------
    list of numpy.ndarray
        Coordinates of every set, shape (record, 2); their scale has no meaning.

    Raises
    ------
    CgmgmError
        If scikit-learn is not installed.
    """
    try:
        from sklearn.manifold import TSNE  # type: ignore[import-untyped]
    except ImportError as error:
        raise CgmgmError(
            "t-SNE needs scikit-learn; install it with pip install scikit-learn."
        ) from error
    sets = [recorded, *others]
    everything = np.concatenate(sets)
    settings: dict[str, Any] = {"perplexity": min(30.0, (len(everything) - 1) / 3.0)}
    points = TSNE(init="pca", random_state=seed % 2**32, **settings).fit_transform(everything)
    return np.split(points.astype(float), np.cumsum([len(features) for features in sets])[:-1])


def _root(matrix: Floats) -> Floats:
    """Return the symmetric square root of a covariance matrix."""
    values, vectors = np.linalg.eigh(np.atleast_2d(matrix))
    root: Floats = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return root
