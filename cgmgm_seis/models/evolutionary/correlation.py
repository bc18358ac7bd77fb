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
    variance : numpy.ndarray
        Variance of each latent within events, over that of records about the mean of their event,
        shape (latent,).  It is larger, since the mean contains a part of what records share.
    error : numpy.ndarray
        Standard errors of the shares.
    """

    length_km: float
    share: Floats
    variance: Floats
    error: Floats


def fit_correlation(
    mean: ArrayLike, variance: ArrayLike, event: ArrayLike, points_km: ArrayLike
) -> Correlation:
    """Estimate the spatial correlation of latents from their posteriors.

    All pairs of records of one event are used.  Half the squared difference of two latents, their
    variogram (Matheron 1963), does not depend on what all records of the event share.  Posterior
    means are closer to zero than the latents: for a latent of variance 1 with posterior variance
    s^2, means have the variance a = 1 - s^2 and a^2 times the covariance of the latents.  Hence

        E (m_i - m_j)^2 / 2 = sill - a^2 correlated exp(-distance / length)

    is fitted by least squares; the length is common to all latents.  The sill exceeds a by a^2
    times the part of the correlated variance that the event's mean has absorbed.  Shares below
    `LEAST_ERRORS` standard errors (jackknife over events) are set to zero.

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
        Length, shares and variances.
    """
    means, points = np.asarray(mean, float), np.asarray(points_km, float)
    heard = 1.0 - np.asarray(variance, float).mean(axis=0)
    sums = _event_sums(means, np.asarray(event), points)
    asked = heard > LEAST_HEARD
    length, share, total = _fit(sums, heard, asked)
    groups = min(N_GROUPS, len(sums[0]))
    number = np.arange(len(sums[0])) % groups
    rests = [number != group for group in range(groups) if groups > 1]
    without = [_fit(_Sums(*(x[rest] for x in sums)), heard, asked)[1] for rest in rests]
    if not without:
        return Correlation(
            0.0, np.zeros_like(share), np.ones_like(share), np.full_like(share, np.inf)
        )
    error = np.sqrt((groups - 1) * np.var(without, axis=0))
    significant = share > LEAST_ERRORS * error
    share, total = np.where(significant, share, 0.0), np.where(significant, total, 1.0)
    return Correlation(length if share.any() else 0.0, share, total, error)


class _Sums(NamedTuple):
    """Sums over the pairs of records of every event.

    Of 1, (event,); of exp(-distance / length) and of its square, (event, length); of half the
    squared differences, (event, latent), and of these times exp(-distance / length), (event,
    length, latent).
    """

    pairs: Floats
    falling: Floats
    falling_squared: Floats
    differences: Floats
    products: Floats


def _event_sums(means: Floats, event: NDArray[np.generic], points: Floats) -> _Sums:
    names, number = np.unique(event, return_inverse=True)
    n_events, n_lengths, n_latents = len(names), len(LENGTHS), means.shape[1]
    sums = _Sums(
        np.zeros(n_events),
        np.zeros((n_events, n_lengths)),
        np.zeros((n_events, n_lengths)),
        np.zeros((n_events, n_latents)),
        np.zeros((n_events, n_lengths, n_latents)),
    )
    for k in range(n_events):
        rows = np.flatnonzero(number == k)
        first, second = (rows[side] for side in np.triu_indices(len(rows), 1))
        distance = np.hypot(*(points[first] - points[second]).T)
        falling = np.exp(-distance / LENGTHS[:, None])
        differences = 0.5 * (means[first] - means[second]) ** 2
        sums.pairs[k] = len(distance)
        sums.falling[k], sums.falling_squared[k] = falling.sum(axis=1), (falling**2).sum(axis=1)
        sums.differences[k], sums.products[k] = differences.sum(axis=0), falling @ differences
    return sums


def _fit(sums: _Sums, heard: Floats, asked: NDArray[np.bool_]) -> tuple[float, Floats, Floats]:
    """Return the best length, and the shares and variances (latent,) at that length."""
    pairs, falling, squared, differences, products = (x.sum(axis=0) for x in sums)
    tiny = np.finfo(float).tiny
    mean, average = falling / max(pairs, 1.0), differences / max(pairs, 1.0)
    # Sums of squares and products about the means: a straight line in exp(-distance / length).
    spread = squared - pairs * mean**2 + tiny
    slope = np.maximum((pairs * mean[:, None] * average - products) / spread[:, None], 0.0)
    # Reduction of the sum of squares by the fit, in units of the squared variances.
    gain = slope[:, asked] ** 2 * spread[:, None] / heard[asked] ** 2
    best = int(gain.sum(axis=1).argmax())
    sill = average + slope[best] * mean[best]
    scale = np.maximum(heard, 1e-9) ** 2
    correlated = np.where(asked, slope[best] / scale, 0.0)
    variance = np.where(asked, np.maximum(1.0 + (sill - heard) / scale, correlated), 1.0)
    return float(LENGTHS[best]), correlated / np.maximum(variance, tiny), variance
