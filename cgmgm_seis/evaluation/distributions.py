"""Distributions of generated against recorded motion: CRPS, Frechet distance, projections."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import rfft, rfftfreq

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.seeding import random_generator

BAND_EDGES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # Hz
N_WINDOWS = 8
# A cell is not counted as quieter than this share of the record's loudest one.
QUIETEST = 1e-12
BLOCK_RECORDS = 64
EXCHANGES = 99


def crps(recorded: ArrayLike, generated: ArrayLike) -> Floats:
    """Return the continuous ranked probability score of records among their realizations.

    E abs(X - y) - E abs(X - X') / 2 with the unbiased ("fair") estimate of the second term
    (Gneiting & Raftery 2007, equation 21; Ferro 2014).  Its unit is that of the values; it is the
    smaller, the nearer and sharper the realizations are, and the absolute error where they do
    not scatter.

    Parameters
    ----------
    recorded : array_like
        Shape (record, ..).
    generated : array_like
        Shape (record, realization, ..), two or more realizations.

    Returns
    -------
    numpy.ndarray
        Of the records' shape.

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
        m/s, shape (record, component, sample).
    sampling_rate : float
        Hz.

    Returns
    -------
    numpy.ndarray
        Half the natural logarithm of the power, the scale of ln amplitudes, in `N_WINDOWS`
        windows (Hann) by the octaves of `BAND_EDGES` by the components; shape (record, cell).

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


def frechet_distance(first: Floats, second: Floats) -> float:
    """Return the Frechet distance of two sets of features, a cell.

    The distance of the normal distributions that have their means and covariances (Dowson &
    Landau 1982, equation 4; Heusel et al. 2017), divided by the root of the number of features:
    0.3 where all of one set is 0.3 larger.  It is positive also for two sets of one law, the
    more so the fewer there are.

    Parameters
    ----------
    first, second : numpy.ndarray
        Shape (record, feature), two records or more.

    Raises
    ------
    CgmgmError
        If a set has fewer than two records.

    Examples
    --------
    >>> features = np.random.default_rng(0).standard_normal((50, 4))
    >>> print(f"{frechet_distance(features, features + 0.3):.3f}")
    0.300
    """
    fewest = min(len(first), len(second))
    if fewest < 2:
        raise CgmgmError(f"{fewest} record(s) have no covariance; 2 or more have.")
    root = _root(np.cov(first.T))
    product = _root(root @ np.cov(second.T) @ root)
    squared = np.sum((first.mean(axis=0) - second.mean(axis=0)) ** 2)
    squared += first.var(axis=0, ddof=1).sum() + second.var(axis=0, ddof=1).sum()
    squared -= 2.0 * np.trace(product)
    return float(np.sqrt(max(squared, 0.0) / first.shape[1]))


def frechet_test(
    recorded: Floats, generated: Floats, events: ArrayLike, seed: int = 0
) -> tuple[float, float]:
    """Return what distance chance alone gives, and the p-value of the distance there is.

    Where the generator is right, recorded and generated may be exchanged: `EXCHANGES` times this
    is done in random events, as a whole since an event's records depend on each other.

    Parameters
    ----------
    recorded, generated : numpy.ndarray
        Features of the same records, shape (record, feature).
    events : array_like
        The event of every record, shape (record,).
    seed : int
        Of the exchanges.

    Returns
    -------
    tuple of float
        Mean distance after an exchange, and the share of exchanges, the one without change among
        them, that are as far apart or farther.
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
    """Project features on the two directions in which the recorded ones scatter most.

    Parameters
    ----------
    recorded : numpy.ndarray
        Shape (record, feature); their mean and directions are used for all.
    *others : numpy.ndarray
        More sets of the same features.

    Returns
    -------
    list of numpy.ndarray
        Coordinates of every set, divided by the root of the number of features, (record, 2).
    numpy.ndarray
        Share of the recorded variance along the two.

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
        Of the start.

    Returns
    -------
    list of numpy.ndarray
        Coordinates of every set, shape (record, 2); their scale means nothing.

    Raises
    ------
    CgmgmError
        If scikit-learn is not installed.
    """
    try:
        from sklearn.manifold import TSNE  # type: ignore[import-untyped]
    except ImportError as error:
        raise CgmgmError("t-SNE needs scikit-learn; pip install scikit-learn gives it.") from error
    sets = [recorded, *others]
    everything = np.concatenate(sets)
    settings: dict[str, Any] = {"perplexity": min(30.0, (len(everything) - 1) / 3.0)}
    points = TSNE(init="pca", random_state=seed, **settings).fit_transform(everything)
    return np.split(points.astype(float), np.cumsum([len(features) for features in sets])[:-1])


def _root(matrix: Floats) -> Floats:
    """Return the symmetric square root of a covariance matrix."""
    values, vectors = np.linalg.eigh(np.atleast_2d(matrix))
    root: Floats = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return root
