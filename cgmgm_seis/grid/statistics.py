"""Statistics of realizations at every node, with the scatter between and within events."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.geography import local_km, middle_longitude

# Name in the files, and what it is.
STATISTICS = {
    "median": "median of the realizations",
    "mean": "mean of the realizations",
    "sigma_between": "standard deviation between events",
    "sigma_within": "standard deviation within events",
    "p16": "16th percentile of the realizations",
    "p84": "84th percentile of the realizations",
}
# Nodes that tell the event terms to all others.
N_ANCHORS = 64


def anchor_rows(n_nodes: int) -> NDArray[np.int64]:
    """Return the nodes, evenly through the table, that tell the event terms."""
    return np.unique(np.linspace(0, n_nodes - 1, N_ANCHORS).round().astype(np.int64))


@dataclass(frozen=True)
class EventTerms:
    """What the nodes of every realization have in common.

    All records of a realization share an event term, and near ones more than that.  So the term
    that a node hears is taken from nodes far away: the covariance of a node's residuals with the
    mean residuals F of the farther half of some anchors is tau_node x tau, and that of an anchor
    itself, on average, tau^2.

    Parameters
    ----------
    places : numpy.ndarray
        East and north of the anchors, km, (anchor, 2).
    residuals : numpy.ndarray
        Of the anchors, ln units about their mean, (anchor, realization, series).
    centre : tuple of float
        Latitude and longitude that places are measured from.
    """

    places: Floats
    residuals: Floats
    centre: tuple[float, float]

    @classmethod
    def of(cls, latitude: Floats, longitude: Floats, values: NDArray[np.float32]) -> "EventTerms":
        """Return the terms that anchors with values (anchor, realization, series) tell."""
        centre = (float(latitude.mean()), middle_longitude(longitude))
        values = values.astype(float)
        residuals = values - values.mean(axis=1, keepdims=True)
        return cls(local_km(latitude, longitude, centre), residuals, centre)

    def covariance(self, places: Floats, residuals: Floats) -> Floats:
        """Return the covariance (node, series) of residuals with those of far anchors."""
        distance = np.hypot(*np.moveaxis(places[:, None] - self.places, -1, 0))
        order = distance.argsort(axis=1, kind="stable").argsort(axis=1)
        far = order >= len(self.places) // 2
        weights = far / far.sum(axis=1, keepdims=True)
        flat = self.residuals.reshape(len(self.places), -1)
        common = (weights @ flat).reshape(residuals.shape)
        return np.asarray((residuals * common).sum(axis=1) / max(residuals.shape[1] - 1, 1))

    def between(self, latitude: Floats, longitude: Floats, residuals: Floats) -> Floats:
        """Return the standard deviation between events (node, series)."""
        squared = self.covariance(self.places, self.residuals).mean(axis=0)
        tau = np.sqrt(np.maximum(squared, np.finfo(float).tiny))
        places = local_km(latitude, longitude, self.centre)
        return np.maximum(self.covariance(places, residuals) / tau, 0.0) * (squared > 0.0)


def statistics(
    values: NDArray[np.float32], latitude: Floats, longitude: Floats, terms: EventTerms
) -> dict[str, Floats]:
    """Return the `STATISTICS` of nodes.

    Parameters
    ----------
    values : numpy.ndarray
        ln measures, shape (node, realization, series).
    latitude, longitude : numpy.ndarray
        Of the nodes, degrees.
    terms : EventTerms
        Of the realizations.

    Returns
    -------
    dict
        Of arrays (node, series).  One realization has no scatter: its sigmas are NaN.
    """
    x = values.astype(float)
    mean = x.mean(axis=1)
    p16, median, p84 = np.percentile(x, [16.0, 50.0, 84.0], axis=1)
    if x.shape[1] > 1:
        between = terms.between(latitude, longitude, x - mean[:, None])
        total = x.var(axis=1, ddof=1)
        between = np.minimum(between, np.sqrt(total))
        within = np.sqrt(np.maximum(total - between**2, 0.0))
    else:
        between = within = np.full_like(mean, np.nan)
    return {
        "median": median,
        "mean": mean,
        "sigma_between": between,
        "sigma_within": within,
        "p16": p16,
        "p84": p84,
    }
