"""Scatter of recorded amplitudes around medians that are independent of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from cgmgm_seis.scenario.arrays import Floats

# Distances between stations of an event, km, in whose bins residuals are correlated.
DISTANCES_KM = (0.0, 3.0, 6.0, 10.0, 15.0, 20.0, 30.0, 45.0)


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
    """Estimate standard deviations of event and path terms from residuals, by their moments.

    The model is residual = mean + event term + path term, where path terms have an exponential
    spatial correlation (Jayaram & Baker 2009).  Path terms that neighbouring stations share are a
    part of every event's mean, so that the standard deviation of the means overestimates tau and
    that of residuals about them underestimates phi.  The estimate is the model whose expected
    moments at the same stations equal those of the residuals: variance of the means of events,
    variance about them, and correlation about them in bins of distance.  (The most likely model
    has a smaller variance than the residuals have, when some events are far from normal.)  The
    correlation length is given, because over a few tens of kilometres event terms and long
    correlation lengths cannot be distinguished.

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
    found, own, near = [], [], []
    for column in residual.T:
        parts = [rows[np.isfinite(column[rows])] for rows in groups]
        parts = [rows for rows in parts if len(rows) > 1]
        distances = [_distances(points_km[rows]) for rows in parts]
        centred = column - np.nanmean(column)
        products = [np.outer(centred[rows], centred[rows]) for rows in parts]
        found.append(_moments(products, distances))
        own.append(_moments([np.eye(len(rows)) for rows in parts], distances))
        near.append(_moments([np.exp(-h / length_km) for h in distances], distances))
        # The variance of the means is about their own mean.
        means = [column[rows].mean() for rows in parts]
        found[-1][0] = np.var(means, ddof=1)
    recorded, own, near = (np.array(moments) for moments in (found, own, near))

    def expected(shared: float) -> Floats:
        """Return the moments for phi = 1 and tau = 0, (measure, moment)."""
        return np.asarray((1.0 - shared) * own + shared * near)

    def misfit(shared: float) -> float:
        model = expected(shared)
        difference = recorded[:, 2:] / recorded[:, 1:2] - model[:, 2:] / model[:, 1:2]
        return float(np.nansum(difference**2))

    shared = minimize_scalar(misfit, bounds=(0.0, 0.99), method="bounded").x
    between, within = expected(shared).T[:2]
    phi_squared = recorded[:, 1] / within
    tau_squared = np.maximum(recorded[:, 0] - phi_squared * between, 0.0)
    return ResidualScatter(np.sqrt(tau_squared), np.sqrt(phi_squared), float(shared), length_km)


def _distances(points_km: Floats) -> Floats:
    """Return the distances between all stations of an event, km, (record, record)."""
    return np.asarray(np.hypot(*(points_km[:, None] - points_km).transpose(2, 0, 1)))


def _moments(covariances: list[Floats], distances: list[Floats]) -> Floats:
    """Return the moments of events with given covariances, which depend on these linearly.

    They are the mean variance of the means of events, the mean variance about these means, and the
    mean covariance about them in every bin of `DISTANCES_KM` (NaN without pairs).
    """
    n_bins = len(DISTANCES_KM) - 1
    sums, counts = np.zeros((2, n_bins))
    of_means, inside, n_records = [], 0.0, 0
    for covariance, distance in zip(covariances, distances, strict=True):
        rows = covariance.mean(axis=0)
        about = covariance - rows - rows[:, None] + rows.mean()
        of_means.append(rows.mean())
        inside += np.trace(about)
        n_records += len(about)
        pairs = np.triu_indices(len(about), 1)
        place = np.digitize(distance[pairs], DISTANCES_KM) - 1
        known = place < n_bins
        sums += np.bincount(place[known], about[pairs][known], n_bins)
        counts += np.bincount(place[known], minlength=n_bins)
    with np.errstate(invalid="ignore"):
        return np.array([np.mean(of_means), inside / (n_records - 1), *(sums / counts)])
