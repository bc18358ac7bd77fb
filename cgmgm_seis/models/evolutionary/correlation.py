"""Gaussian fields over receivers, which make neighbouring records of an earthquake similar.

A field is a sum of plane waves whose wave vectors follow the spectral density of its covariance
(Shinozuka & Deodatis 1991; Mantoglou & Wilson 1982; Rahimi & Recht 2007).  Its value at a receiver
does not depend on the other receivers: a million receivers need no covariance matrix, and batch,
order and number of machines do not matter.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cgmgm_seis.models.evolutionary.places import fourier_features
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.seeding import random_generator

N_WAVES = 512
# Correlation lengths tried, km.
LENGTHS = np.geomspace(1.0, 100.0, 61)
# Groups of events in the jackknife, and standard errors above zero that make a share significant.
N_GROUPS, LEAST_ERRORS = 20, 2.0
# Share of a latent's variance that the records must determine for it to be used in the fit.
LEAST_HEARD = 0.5


def gaussian_fields(
    points_km: Floats, length_km: float, n_fields: int, random: np.random.Generator
) -> Floats:
    """Return independent fields of mean 0 and covariance exp(-distance / length) at points.

    Every value is exactly standard normal, and the covariance over realizations is exact.  Within
    a realization it differs from the exponential by about ``0.7 / sqrt(N_WAVES)``, 3 %.

    Parameters
    ----------
    points_km : numpy.ndarray
        East and north, km, shape (point, 2).
    length_km : float
        Correlation length, km.
    n_fields : int
        Number of fields; they share the wave vectors but not the amplitudes.
    random : numpy.random.Generator
        Random generator of the realization.

    Returns
    -------
    numpy.ndarray
        Shape (point, field).

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> points = np.array([[0.0, 0.0], [10.0, 0.0]])
    >>> fields = gaussian_fields(points, 10.0, 50_000, random)
    >>> print(f"{np.corrcoef(fields)[0, 1]:.1f}")
    0.4
    """
    waves = exponential_waves(length_km, random)
    return fourier_features(points_km, waves) @ random.standard_normal((2 * N_WAVES, n_fields))


def event_fields(
    sources: Sequence[tuple[float, ...]],
    receivers_km: Floats,
    length_km: float,
    n_fields: int,
    n_realizations: int,
    seed: int,
) -> NDArray[np.float32]:
    """Return `gaussian_fields` of every source and realization at the receivers.

    Parameters
    ----------
    sources : sequence of tuple
        Values that identify the source of every record.
    receivers_km : numpy.ndarray
        East and north, km, shape (record, 2).
    length_km, n_fields
        As in `gaussian_fields`.
    n_realizations, seed : int
        Number of realizations, between which the fields differ, and random seed.

    Returns
    -------
    numpy.ndarray
        Shape (record, realization, field).
    """
    fields = np.empty((len(sources), n_realizations, n_fields), dtype=np.float32)
    values = np.array(sources)
    for source in np.unique(values, axis=0):
        rows = np.flatnonzero((values == source).all(axis=1))
        for k in range(n_realizations):
            random = random_generator(seed, "field", *source.tolist(), k)
            fields[rows, k] = gaussian_fields(receivers_km[rows], length_km, n_fields, random)
    return fields


def exponential_waves(length_km: float, random: np.random.Generator) -> Floats:
    """Draw wave vectors (wave, 2), 1/km, from the spectral density of exp(-distance / length).

    In two dimensions the density is proportional to (1 + (k length)^2)^-3/2, so that a share
    1 - (1 + (k length)^2)^-1/2 of the waves is longer than 2 pi / k.  The distribution is divided
    into `N_WAVES` equal shares, and one wave is drawn from each.
    """
    share = (np.arange(N_WAVES) + random.random(N_WAVES)) / N_WAVES
    number = np.sqrt((1.0 - share) ** -2 - 1.0) / length_km
    angle = 2.0 * np.pi * random.random(N_WAVES)
    return number[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


class Correlation(NamedTuple):
    """Correlation of the latents of records with the distance between receivers.

    Parameters
    ----------
    length_km : float
        Length in exp(-distance / length); 0 if no latent correlates.
    share : numpy.ndarray
        Share of each latent's variance that correlates, shape (latent,); the rest is independent
        between records.
    error : numpy.ndarray
        Standard errors of the shares.
    """

    length_km: float
    share: Floats
    error: Floats


def fit_correlation(
    mean: ArrayLike, variance: ArrayLike, event: ArrayLike, points_km: ArrayLike
) -> Correlation:
    """Estimate the spatial correlation of latents from their posteriors.

    All pairs of records of one event are used.  Half the squared difference of two latents, their
    variogram (Matheron 1963), does not depend on what all records of the event share.  Posterior
    means are closer to zero than the latents: for a latent of variance 1 with posterior variance
    s^2, means have the variance a = 1 - s^2 and a^2 times the covariance of the latents.  Hence

        E (m_i - m_j)^2 / 2 = a - a^2 share exp(-distance / length)

    is fitted by least squares; the length is common to all latents.  Shares below `LEAST_ERRORS`
    standard errors (jackknife over events) are set to zero.

    Parameters
    ----------
    mean, variance : array_like
        Posterior of the latents, (record, latent), scaled to a variance of 1 within events.
    event : array_like
        Number or name of the event of every record.
    points_km : array_like
        East and north of the receivers, km, (record, 2).

    Returns
    -------
    Correlation
        Length and shares.
    """
    means, points = np.asarray(mean, float), np.asarray(points_km, float)
    heard = 1.0 - np.asarray(variance, float).mean(axis=0)
    products, squares = _event_sums(means, heard, np.asarray(event), points)
    asked = heard > LEAST_HEARD
    share, length = _fit(products.sum(axis=0), squares.sum(axis=0), heard, asked)
    groups = min(N_GROUPS, len(products))
    without = [
        _fit(products[rest].sum(axis=0), squares[rest].sum(axis=0), heard, asked)[0]
        for rest in (np.arange(len(products)) % groups != group for group in range(groups))
        if rest.any()
    ]
    if len(without) < 2:
        return Correlation(0.0, np.zeros_like(share), np.full_like(share, np.inf))
    error = np.sqrt((groups - 1) * np.var(without, axis=0))
    share = np.where(share > LEAST_ERRORS * error, share, 0.0)
    return Correlation(length if share.any() else 0.0, share, error)


def _event_sums(
    means: Floats, heard: Floats, event: NDArray[np.generic], points: Floats
) -> tuple[Floats, Floats]:
    """Return sums over the pairs of every event for every length.

    Returns
    -------
    tuple of numpy.ndarray
        Sums of the covariance times exp(-distance / length), (event, length, latent), and of
        exp(-distance / length) squared, (event, length).
    """
    names, number = np.unique(event, return_inverse=True)
    products = np.zeros((len(names), len(LENGTHS), means.shape[1]))
    squares = np.zeros((len(names), len(LENGTHS)))
    for k in range(len(names)):
        rows = np.flatnonzero(number == k)
        first, second = (rows[side] for side in np.triu_indices(len(rows), 1))
        distance = np.hypot(*(points[first] - points[second]).T)
        falling = np.exp(-distance / LENGTHS[:, None])
        products[k] = falling @ (heard - 0.5 * (means[first] - means[second]) ** 2)
        squares[k] = (falling**2).sum(axis=1)
    return products, squares


def _fit(
    products: Floats, squares: Floats, heard: Floats, asked: NDArray[np.bool_]
) -> tuple[Floats, float]:
    """Return the shares (latent,) at the best length, and this length."""
    scale = squares[:, None] + np.finfo(float).tiny
    covariance = np.clip(products / scale, 0.0, heard**2)
    # Reduction of the sum of squares by the fit, in units of their variance.
    gain = (2.0 * covariance * products - covariance**2 * scale) / np.maximum(heard, 1e-9) ** 2
    best = int(gain[:, asked].sum(axis=1).argmax())
    share = np.where(asked, covariance[best] / np.maximum(heard, 1e-9) ** 2, 0.0)
    return share, float(LENGTHS[best])
