"""Scatter of recorded amplitudes around medians that are independent of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize_scalar

from cgmgm_seis.scenario.arrays import Floats

_RATIOS = (np.log(1e-4), np.log(1e2))  # of the variances between and within events


@dataclass(frozen=True)
class ResidualScatter:
    """Standard deviations and correlations of residuals, natural logarithms.

    Parameters
    ----------
    tau, phi : numpy.ndarray
        Standard deviations between events and within events, (measure,).
    shared, length_km : float
        Correlation of residuals between stations of an event: shared exp(-distance / length).
    """

    tau: Floats
    phi: Floats
    shared: float
    length_km: float


def residual_scatter(
    residual: Floats, event: NDArray[np.intp], points_km: Floats, length_km: float
) -> ResidualScatter:
    """Estimate standard deviations of event and path terms from residuals, by maximum likelihood.

    The model is residual = mean + event term + path term, where path terms have an exponential
    spatial correlation (Jayaram & Baker 2009).  The standard deviation of event means would
    attribute terms shared by neighbouring stations to the event.  The correlation length is given,
    because over a few tens of kilometres event terms and long correlation lengths cannot be
    distinguished.

    Parameters
    ----------
    residual : numpy.ndarray
        Shape (record, measure); NaN where missing.
    event : numpy.ndarray
        Event number of each record, (record,).
    points_km : numpy.ndarray
        East and north coordinates of the stations, (record, 2).
    length_km : float
        Correlation length, km.
    """
    groups = [np.flatnonzero(event == number) for number in np.unique(event)]

    def fitted(shared: float) -> list[tuple[float, float, float]]:
        return [_variances(column, groups, points_km, shared, length_km) for column in residual.T]

    shared = minimize_scalar(
        lambda x: sum(cost for cost, *_ in fitted(x)), bounds=(0.0, 0.99), method="bounded"
    ).x
    _, tau, phi = np.transpose(fitted(shared))
    return ResidualScatter(tau, phi, float(shared), length_km)


def _variances(
    values: Floats, groups: list[NDArray[np.intp]], points_km: Floats, shared: float, length: float
) -> tuple[float, float, float]:
    """Return -2 ln likelihood, tau and phi of one measure for given correlations.

    After whitening, each event term is a rank-one change of the covariance (Woodbury 1950).
    """
    sums = []
    for group in groups:
        rows = group[np.isfinite(values[group])]
        if not len(rows):
            continue
        distance = np.hypot(*(points_km[rows, None] - points_km[rows]).transpose(2, 0, 1))
        correlation = shared * np.exp(-distance / length)
        correlation[np.diag_indices(len(rows))] = 1.0
        factor = cholesky(correlation, lower=True)
        both = np.column_stack([np.ones(len(rows)), values[rows]])
        whitened: Floats = solve_triangular(factor, both, lower=True)
        one, y = whitened[:, 0], whitened[:, 1]
        logarithm = 2.0 * np.log(np.diag(factor)).sum()
        sums.append([float(x) for x in (one @ one, one @ y, y @ y, logarithm, len(rows))])
    oo, oy, yy, logarithms, n = np.transpose(sums)

    def cost(ln_ratio: float) -> tuple[float, float]:
        ratio = np.exp(ln_ratio)
        shrink = 1.0 + ratio * oo
        mean = (oy / shrink).sum() / (oo / shrink).sum()
        squares = (yy - ratio * oy**2 / shrink - mean * oy / shrink).sum()
        phi_squared = squares / n.sum()
        return n.sum() * np.log(phi_squared) + (logarithms + np.log(shrink)).sum(), phi_squared

    ln_ratio = minimize_scalar(lambda x: cost(x)[0], bounds=_RATIOS, method="bounded").x
    value, phi_squared = cost(ln_ratio)
    return value, float(np.sqrt(np.exp(ln_ratio) * phi_squared)), float(np.sqrt(phi_squared))
