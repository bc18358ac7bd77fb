"""Statistics of realizations at every node, including the scatter between and within events."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.geography import local_km, middle_longitude

# Name in the files, and description.
STATISTICS = {
    "median": "median of the realizations",
    "mean": "mean of the realizations",
    "sigma_between": "standard deviation between events",
    "sigma_within": "standard deviation within events",
    "p16": "16th percentile of the realizations",
    "p84": "84th percentile of the realizations",
}
# Statistics of logarithms that are another one of the values: its name and description.
LINEAR_STATISTICS = {"mean": ("geometric_mean", "geometric mean of the realizations")}
# Number of nodes, the anchors, from which the event terms are estimated.
N_ANCHORS = 64


def anchor_rows(n_nodes: int) -> NDArray[np.int64]:
    """Return the rows of the anchors, evenly spaced in the table of nodes."""
    return np.unique(np.linspace(0, n_nodes - 1, N_ANCHORS).round().astype(np.int64))


@dataclass(frozen=True)
class EventTerms:
    """Event terms of the realizations, which are common to all nodes.

    All records of a realization share an event term, and nearby records also a correlated part.
    The scatter of the event term at a node is therefore estimated with nodes far away: the
    covariance of a node's residuals with the mean residuals F of the farther half of some anchors
    is tau_node x tau, and that of the anchors themselves is on average tau^2.

    Parameters
    ----------
    places : numpy.ndarray
        East and north of the anchors, km, (anchor, 2).
    residuals : numpy.ndarray
        Residuals of the anchors from their mean, ln units, (anchor, realization, series).
    centre : tuple of float
        Latitude and longitude of the origin of `places`.
    """

    places: Floats
    residuals: Floats
    centre: tuple[float, float]

    @classmethod
    def of(cls, latitude: Floats, longitude: Floats, values: NDArray[np.float32]) -> "EventTerms":
        """Return the event terms from anchors with values (anchor, realization, series)."""
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
        Coordinates of the nodes, degrees.
    terms : EventTerms
        Event terms of the realizations.

    Returns
    -------
    dict
        Name to array (node, series).  With one realization, standard deviations are NaN.
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
