"""Semivariograms of within-event residuals: how alike residuals of neighbouring stations are.

Half the mean squared difference of two records of one event does not contain the event's term:

    g(h) = nugget + (sill - nugget) (1 - exp(-3 h / range))

The range is the distance at which the correlation that can be shared has fallen to 5 % (Jayaram &
Baker 2009, equation 16).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cgmgm_seis.evaluation.residuals import FEWEST
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.geography import local_km, middle_longitude

# Edges of the bins of distance between two stations, km.
EDGES = (0.0, 1.0, 2.0, 4.0, 6.0, 8.0, 10.0, 13.0, 16.0, 20.0, 25.0, 30.0, 40.0, 50.0, 70.0, 100.0)
FEWEST_BINS = 4
# Decrease of -2 ln likelihood by which a range and a partial sill must fit better than a constant:
# 95 % of the chi2 distribution with two degrees of freedom.
_BETTER = 5.99
# Number of ranges tried; from the mean distance in the first bin, since shorter ones cannot be told
# from a nugget, but at least this many km; to this multiple of the mean distance in the last bin.
_N_RANGES, _NEAREST_KM, _FARTHEST = 120, 0.5, 3.0


@dataclass(frozen=True)
class SemivariogramFit:
    """Nugget and sill (ln units squared) and range (km) of a semivariogram.

    The range is 0, and the nugget equals the sill, if the residuals are not correlated by more
    than chance; all are NaN if there are too few bins.
    """

    nugget: float
    sill: float
    range_km: float


def model_semivariance(
    distance_km: ArrayLike, nugget: float, sill: float, range_km: float
) -> Floats:
    """Return the fitted semivariance at distances; with a range of 0 it is the sill."""
    distance = np.asarray(distance_km, float)
    if range_km == 0.0:
        return np.full(distance.shape, sill)
    return np.asarray(nugget - (sill - nugget) * np.expm1(-3.0 * distance / range_km))


def semivariogram(
    residuals: Floats, scenario: pd.DataFrame, edges: Sequence[float] = EDGES
) -> tuple[pd.DataFrame, Floats]:
    """Return the semivariances of residuals in bins of the distance between two stations.

    Parameters
    ----------
    residuals : numpy.ndarray
        ln units, shape (record, series).
    scenario : pandas.DataFrame
        Scenario table of the records.
    edges : sequence of float
        Edges of the bins, km; a bin includes its lower edge.

    Returns
    -------
    bins : pandas.DataFrame
        Columns "distance_km" (mean), "pairs" and "records" (different records in the pairs);
        bins with fewer than `cgmgm_seis.evaluation.residuals.FEWEST` pairs are omitted.
    semivariances : numpy.ndarray
        Shape (bin, series).
    """
    centre = [scenario["station_latitude_deg"].mean()]
    centre.append(middle_longitude(scenario["station_longitude_deg"]))
    points = local_km(scenario["station_latitude_deg"], scenario["station_longitude_deg"], centre)
    pairs = [
        rows[np.stack(np.triu_indices(len(rows), 1))]
        for rows in scenario.groupby(scenario["source_id"].astype(str)).indices.values()
    ]
    first, second = np.concatenate(pairs, axis=1)
    distance = np.hypot(*(points[first] - points[second]).T)
    half_squares = 0.5 * (residuals[first] - residuals[second]) ** 2
    rows, means = [], []
    for low, high in pairwise(edges):
        own = (distance >= low) & (distance < high)
        if own.sum() < FEWEST:
            continue
        records = len(np.union1d(first[own], second[own]))
        rows.append((distance[own].mean(), int(own.sum()), records))
        means.append(half_squares[own].mean(axis=0))
    bins = pd.DataFrame(rows, columns=["distance_km", "pairs", "records"])
    return bins, np.array(means).reshape(len(rows), residuals.shape[1])


def fit_semivariogram(bins: pd.DataFrame, semivariances: Floats) -> SemivariogramFit:
    """Fit nugget, sill and range to the semivariances of one series.

    The likelihood of a bin is that of a variance with as many degrees of freedom as it has pairs,
    or records if they are fewer, since pairs with a common record are not independent.

    Parameters
    ----------
    bins : pandas.DataFrame
        See `semivariogram`.
    semivariances : numpy.ndarray
        Shape (bin,).
    """
    if len(bins) < FEWEST_BINS or not np.isfinite(semivariances).all():
        return SemivariogramFit(np.nan, np.nan, np.nan)
    counts = bins[["pairs", "records"]].min(axis=1).to_numpy(float)
    flat = float(np.average(semivariances, weights=counts))
    if flat <= 0.0:
        return SemivariogramFit(0.0, 0.0, 0.0)

    def deviance(expected: Floats) -> Floats:
        """Return -2 ln likelihood of variances with these degrees of freedom."""
        return np.asarray(np.sum(counts * (np.log(expected) + semivariances / expected), axis=-1))

    distance = bins["distance_km"].to_numpy(float)
    first, last = max(float(distance[0]), _NEAREST_KM), _FARTHEST * float(distance[-1])
    ranges = np.geomspace(first, last, _N_RANGES)
    shape = -np.expm1(-3.0 * distance / ranges[:, None])
    expected = np.full(shape.shape, flat)
    for _ in range(3):  # weights follow the fit (Cressie 1985)
        nuggets, partial_sills = _least_squares(shape, semivariances, counts / expected**2)
        expected = nuggets[:, None] + partial_sills[:, None] * shape
    deviances = deviance(expected)
    best = int(deviances.argmin())
    if deviance(np.full(len(bins), flat)) - deviances[best] < _BETTER:
        return SemivariogramFit(flat, flat, 0.0)
    nugget, partial_sill = float(nuggets[best]), float(partial_sills[best])
    return SemivariogramFit(nugget, nugget + partial_sill, float(ranges[best]))


def _least_squares(x: Floats, y: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return intercepts and slopes, not negative, for x and weights of shape (case, bin)."""
    total, by_x = weights.sum(axis=1), (weights * x).sum(axis=1)
    by_x2, by_y = (weights * x**2).sum(axis=1), weights @ y
    by_xy = (weights * x) @ y
    determinant = total * by_x2 - by_x**2
    intercepts = (by_x2 * by_y - by_x * by_xy) / determinant
    slopes = (total * by_xy - by_x * by_y) / determinant
    slopes = np.where(intercepts < 0.0, by_xy / by_x2, slopes)
    intercepts = np.where(slopes < 0.0, by_y / total, intercepts)
    return np.maximum(intercepts, 0.0), np.maximum(slopes, 0.0)


def semivariogram_tables(
    residuals: Mapping[tuple[str, str], Floats], scenario: pd.DataFrame, names: pd.MultiIndex
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the semivariograms of residuals of all models, and what is fitted to them.

    Parameters
    ----------
    residuals : mapping
        (generator, "recorded" or "generated") to residuals, shape (record, series); a series of
        NaN is left out.
    scenario : pandas.DataFrame
        Scenario table of the records.
    names : pandas.MultiIndex
        Component and measure of the series.

    Returns
    -------
    semivariograms : pandas.DataFrame
        Columns "generator", "residuals", "component", "measure", "distance_km", "pairs",
        "records" and "semivariance"; empty if no event has enough pairs.
    fits : pandas.DataFrame
        Columns "generator", "residuals", "component", "measure", "pairs" and those of
        `SemivariogramFit`.
    """
    tables, fits = [], []
    for (generator, kind), values in residuals.items():
        bins, semivariances = semivariogram(values, scenario)
        if bins.empty:
            break  # the bins are the same for all
        for (component, measure), own in zip(names, semivariances.T, strict=True):
            if np.isnan(own).any():
                continue
            key = {
                "generator": generator,
                "residuals": kind,
                "component": component,
                "measure": measure,
            }
            tables.append(pd.DataFrame(key, bins.index).join(bins).assign(semivariance=own))
            fitted = asdict(fit_semivariogram(bins, own))
            fits.append({**key, "pairs": int(bins["pairs"].sum()), **fitted})
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    return table, pd.DataFrame(fits)
