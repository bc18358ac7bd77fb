"""Latents of an earthquake at any receiver, given what its records say: kriging with noise.

The standardised latents of a record are an event term and a record term (`RandomEffects`), and
those of two receivers at distance h have the covariance

    between + correlated exp(-h / length) + (1 - correlated) [the same place]

independently for every latent.  Records observe them with Gaussian noise.  Realizations given the
records are unconditioned ones plus a correction: kriging of what was observed minus what would have
been observed in the realization (conditioning by kriging: Journel & Huijbregts 1978, chapter 7).
The correction of a receiver does not depend on the other receivers.
"""

import hashlib
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from cgmgm_seis.errors import ScenarioError
from cgmgm_seis.models.evolutionary.correlation import event_fields
from cgmgm_seis.models.evolutionary.station_terms import SAME_KM
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.geography import local_km
from cgmgm_seis.scenario.seeding import (
    N_SOURCE_COLUMNS,
    RECORD_COLUMNS,
    Realization,
    random_generator,
    record_keys,
)

# Differences between the recorded and the generated earthquake that are due to its location and
# magnitude by someone else: km along the surface, km of depth, and magnitude.
SAME_EPICENTRE_KM, SAME_DEPTH_KM, SAME_MAGNITUDE = 10.0, 15.0, 0.5
# Observations of less information than this are left out.
_LEAST_INFORMATION = 1e-2


class Evidence(NamedTuple):
    """What the records of one earthquake say of the standardised latents at their stations.

    The likelihood of the latents z of a record is exp(z^T weighted - z^T precision z / 2).

    Parameters
    ----------
    source : tuple of float
        Latitude, longitude, depth (km) and magnitude of the earthquake.
    places : numpy.ndarray
        Latitude and longitude of the stations, degrees, (station, 2).
    precision : numpy.ndarray
        Shape (station, latent, latent).
    weighted : numpy.ndarray
        Precision times the observed latents, (station, latent).
    """

    source: tuple[float, ...]
    places: Floats
    precision: Floats
    weighted: Floats

    @classmethod
    def of(cls, scenario: pd.DataFrame, precision: Floats, weighted: Floats) -> "Evidence":
        """Return the evidence of the records of a scenario with one earthquake."""
        keys = np.array(record_keys(scenario))
        return cls(
            tuple(keys[0, :N_SOURCE_COLUMNS].tolist()),
            keys[:, N_SOURCE_COLUMNS:],
            precision,
            weighted,
        )

    def chosen(self, stations: NDArray[np.bool_]) -> "Evidence":
        """Return the evidence of some of the stations, such as all but one."""
        return Evidence(
            self.source, self.places[stations], self.precision[stations], self.weighted[stations]
        )

    def merged(self, points_km: Floats) -> "Evidence":
        """Return one station per place: records at the same place are observations of one term."""
        first: list[int] = []
        number = np.empty(len(points_km), int)
        for row, point in enumerate(points_km):
            near = [k for k, own in enumerate(first) if _distance(point, points_km[own]) < SAME_KM]
            number[row] = near[0] if near else len(first)
            if not near:
                first.append(row)
        precision = np.zeros((len(first), *self.precision.shape[1:]))
        weighted = np.zeros((len(first), self.weighted.shape[1]))
        np.add.at(precision, number, self.precision)
        np.add.at(weighted, number, self.weighted)
        return Evidence(self.source, self.places[first], precision, weighted)


def _distance(one: Floats, other: Floats) -> float:
    return float(np.hypot(*(one - other)))


class Conditioning:
    """Corrections of the standardised latents of an earthquake, given its records.

    Parameters
    ----------
    evidence : Evidence
        Of the records.
    between, correlated : numpy.ndarray
        Variance between events, and correlated share within them, of every latent, (latent,).
    length_km : float
        Correlation length; 0 for none.
    centre : tuple of float
        Latitude and longitude of the origin of local coordinates.
    """

    def __init__(
        self,
        evidence: Evidence,
        between: Floats,
        correlated: Floats,
        length_km: float,
        centre: tuple[float, float],
    ) -> None:
        self._arguments = (evidence, between, correlated, length_km, centre)
        self.centre, self.length_km = centre, length_km
        self.between = between
        self.correlated = correlated if length_km > 0.0 else np.zeros_like(correlated)
        self.evidence = evidence.merged(self._local(evidence.places))
        self.stations_km = self._local(self.evidence.places)
        # Independent observations of unit variance: values = operator @ latents + noise.
        found, vectors = np.linalg.eigh(self.evidence.precision)
        self.station, which = np.nonzero(found > _LEAST_INFORMATION)
        root = np.sqrt(found[self.station, which])[:, None]
        directions = vectors[self.station, :, which]
        self.operator = root * directions
        self.values = (directions * self.evidence.weighted[self.station]).sum(axis=1) / root[:, 0]
        self.factor = cho_factor(self._covariance())
        self.posterior = self._weights(self.values[:, None])[:, 0]
        self._last: tuple[tuple[object, ...], Floats] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Return the arguments, from which another process computes the large matrices again."""
        return Conditioning, self._arguments

    def digest(self) -> str:
        """Return a checksum of what the records say."""
        source, *arrays = self.evidence
        content = repr(source).encode() + b"".join(np.asarray(x).tobytes() for x in arrays)
        return hashlib.sha256(content).hexdigest()

    def check(self, scenario: pd.DataFrame) -> None:
        """Raise an error if a scenario is of another earthquake than the records."""
        names = RECORD_COLUMNS[:N_SOURCE_COLUMNS]
        for values in scenario[list(names)].drop_duplicates().to_numpy(float):
            apart = _distance(
                *(local_km([x[0]], [x[1]], self.centre)[0] for x in (values, self.evidence.source))
            )
            depth, magnitude = np.abs(values[2:] - self.evidence.source[2:])
            if (
                apart > SAME_EPICENTRE_KM
                or depth > SAME_DEPTH_KM
                or magnitude > SAME_MAGNITUDE + 1e-9
            ):
                latitude, longitude, deep, size = self.evidence.source
                raise ScenarioError(
                    f"The scenario is {apart:.0f} km, {depth:.0f} km in depth and "
                    f"{magnitude:.1f} magnitudes from the recorded earthquake (M {size:g} at "
                    f"{latitude:g}, {longitude:g}, {deep:g} km), on which the model is "
                    f"conditioned; at most {SAME_EPICENTRE_KM:g} km, {SAME_DEPTH_KM:g} km and "
                    f"{SAME_MAGNITUDE:g} are allowed."
                )

    def mean(self, receivers_km: Floats) -> Floats:
        """Return the posterior mean of the standardised latents (record, latent) at receivers."""
        return self._at(receivers_km, self.posterior[:, None])[:, 0]

    def variance(self, receivers_km: Floats) -> Floats:
        """Return the posterior variance of the standardised latents (record, latent)."""
        distance = self._distances(receivers_km, self.stations_km)
        n_latents = len(self.between)
        reduced = np.empty((len(receivers_km), n_latents))
        for k in range(n_latents):
            cross = self._covariances(k, distance)[:, self.station] * self.operator[:, k]
            reduced[:, k] = (cross * cho_solve(self.factor, cross.T).T).sum(axis=1)
        return 1.0 + self.between - reduced

    def corrections(
        self, scenario: pd.DataFrame, n_realizations: int, seed: int
    ) -> NDArray[np.float32]:
        """Return what is added to the standardised latents of realizations.

        Returns
        -------
        numpy.ndarray
            Shape (record, realization, latent).
        """
        keys = record_keys(scenario)
        values = np.array(keys)
        receivers = self._local(values[:, N_SOURCE_COLUMNS:])
        found = np.empty((len(keys), n_realizations, len(self.between)), np.float32)
        sources = values[:, :N_SOURCE_COLUMNS]
        for source in np.unique(sources, axis=0):
            rows = np.flatnonzero((sources == source).all(axis=1))
            weights = self._drawn_weights(tuple(source.tolist()), n_realizations, seed)
            found[rows] = self._at(receivers[rows], weights)
        # A receiver at a station has its own part, whatever the last digits of its coordinates.
        near, station = self._same(receivers)
        for row, place in zip(near, station, strict=True):
            own = keys[row]
            there = (*own[:N_SOURCE_COLUMNS], *self.evidence.places[place].tolist())
            if own != there:
                parts = [self._own(key, n_realizations, seed) for key in (there, own)]
                found[row] += np.sqrt(1.0 - self.correlated) * (parts[0] - parts[1])
        return found

    def _drawn_weights(self, source: tuple[float, ...], n_realizations: int, seed: int) -> Floats:
        """Return the weights (station, realization, latent) of the stations in realizations.

        They are kept for the next call, since a map is drawn a few receivers at a time.
        """
        key = (source, n_realizations, seed)
        if self._last is None or self._last[0] != key:
            n_latents, n_stations = len(self.between), len(self.stations_km)
            keys = [(*source, *place) for place in self.evidence.places.tolist()]
            own = np.stack([self._own(name, n_realizations, seed) for name in keys])
            drawn = np.sqrt(1.0 - self.correlated) * own
            if self.length_km > 0.0:
                drawn += np.sqrt(self.correlated) * event_fields(
                    [source] * n_stations,
                    self.stations_km,
                    self.length_km,
                    n_latents,
                    n_realizations,
                    seed,
                )
            noise = np.empty((len(self.values), n_realizations))
            for k in range(n_realizations):
                event = Realization(seed, keys[0], k).event()
                drawn[:, k] += np.sqrt(self.between) * standard_normal(event, n_latents)
                random = random_generator(seed, "observation", *source, k)
                noise[:, k] = random.standard_normal(len(noise))
            seen = np.einsum("ol,orl->or", self.operator, drawn[self.station])
            self._last = key, self._weights(self.values[:, None] - seen - noise)
        return self._last[1]

    def _own(self, key: tuple[float, ...], n_realizations: int, seed: int) -> Floats:
        """Return the standard normal numbers (realization, latent) of a record's own part."""
        n_latents = len(self.between)
        records = [Realization(seed, key, k).record() for k in range(n_realizations)]
        return np.stack([standard_normal(random, n_latents) for random in records]).astype(float)

    def _weights(self, values: Floats) -> Floats:
        """Return the kriging weights (station, column, latent) of observations (row, column)."""
        solved = cho_solve(self.factor, values)
        shape = (len(self.stations_km), values.shape[1], len(self.between))
        weights = np.zeros(shape)
        np.add.at(weights, self.station, solved[:, :, None] * self.operator[:, None])
        return weights

    def _at(self, receivers_km: Floats, weights: Floats) -> Floats:
        """Return the sum of weights (station, column, latent) times covariances at receivers."""
        distance = self._distances(receivers_km, self.stations_km)
        found = self.between * weights.sum(axis=0) + np.zeros((len(receivers_km), 1, 1))
        if self.length_km > 0.0:
            falling = np.exp(-distance / self.length_km)
            found += self.correlated * np.tensordot(falling, weights, 1)
        near, station = self._same(receivers_km)
        found[near] += (1.0 - self.correlated) * weights[station]
        return found

    def _covariance(self) -> Floats:
        """Return the covariance of the observations."""
        distance = self._distances(self.stations_km, self.stations_km)
        found = np.eye(len(self.values))
        places = np.ix_(self.station, self.station)
        for k in range(len(self.between)):
            found += (
                np.outer(self.operator[:, k], self.operator[:, k])
                * self._covariances(k, distance)[places]
            )
        return found

    def _covariances(self, latent: int, distance: Floats) -> Floats:
        """Return the covariances of a latent between receivers and stations."""
        share = self.correlated[latent]
        found = np.full(distance.shape, self.between[latent])
        if self.length_km > 0.0:
            found += share * np.exp(-distance / self.length_km)
        nearest = distance == distance.min(axis=1, keepdims=True)
        return found + (1.0 - share) * (nearest & (distance < SAME_KM))

    def _same(self, receivers_km: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the receivers at the place of a station, and these stations."""
        distance = self._distances(receivers_km, self.stations_km)
        station = distance.argmin(axis=1)
        near = np.flatnonzero(distance[np.arange(len(distance)), station] < SAME_KM)
        return near, station[near]

    def _distances(self, receivers_km: Floats, stations_km: Floats) -> Floats:
        return np.hypot(*np.moveaxis(receivers_km[:, None] - stations_km, -1, 0))

    def _local(self, places: Floats) -> Floats:
        return local_km(places[:, 0], places[:, 1], self.centre)


def standard_normal(random: np.random.Generator, n: int) -> NDArray[np.float32]:
    """Return the first standard normal numbers (n,) of a record or an event."""
    return random.standard_normal(n, dtype=np.float32)


def check_given(
    values: NDArray[np.generic],
    scenario: pd.DataFrame,
    waveforms: bool,
    n_components: int,
    n_samples: int,
) -> None:
    """Raise an error unless values are waveforms or measures of the rows of one earthquake."""
    sources = list(RECORD_COLUMNS[:N_SOURCE_COLUMNS])
    if (n_sources := len(scenario[sources].drop_duplicates())) != 1:
        raise ScenarioError(
            f"The records are of {n_sources} earthquakes; a model can be conditioned on 1."
        )
    shape = (len(scenario), n_components, n_samples)
    if waveforms and values.shape != shape:
        raise ScenarioError(
            f"Waveforms of shape {values.shape} must have the shape {shape}: record, component "
            "and sample of the model's window."
        )
    if not waveforms and (values.ndim != 2 or len(values) != len(scenario)):
        raise ScenarioError(
            f"Measures of shape {values.shape} must have the shape ({len(scenario)}, n): a row "
            "for every record, a column for every measure."
        )
    if waveforms and not np.isfinite(values).all():
        raise ScenarioError("Waveforms on which a model is conditioned must be finite.")
