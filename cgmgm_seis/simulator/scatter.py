"""Random event and record terms of the simulated amplitudes.

A record differs from the median of its scenario by event terms, which are the same for all records
of an earthquake, and by a record term, which is correlated between neighbouring stations because
they have most of their path in common.  Standard deviations and correlations are those of recorded
amplitudes (`cgmgm_seis.simulator.calibration`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from cgmgm_seis.models.evolutionary.correlation import gaussian_fields
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.seeding import random_generator
from cgmgm_seis.simulator.spectra import calibration


@dataclass(frozen=True)
class Scatter:
    """Standard deviations and correlations of amplitudes, natural logarithms.

    Parameters
    ----------
    stress_drop : float
        Standard deviation of the stress drop of events.
    event : float
        Standard deviation of the event term of all amplitudes.
    frequencies, record : tuple of float
        Frequency nodes (Hz) and standard deviations of the record term of S; linear in ln f
        between the nodes.
    p_wave : float
        Standard deviation of the record term of P in addition to that of S.
    shared, length_km : float
        Fraction of the variance of record terms whose correlation between receivers of an event
        is exp(-distance / length); the rest is independent.
    ln_f_length : float
        Record terms at two frequencies correlate as exp(-abs(difference of ln f) / length).
    """

    stress_drop: float
    event: float
    frequencies: tuple[float, ...]
    record: tuple[float, ...]
    p_wave: float
    shared: float
    length_km: float
    ln_f_length: float

    def event_terms(self, seed: int, source_id: str) -> tuple[float, float]:
        """Return the terms of ln stress drop and of all ln amplitudes of an event."""
        stress, term = random_generator(seed, "event", source_id).standard_normal(2)
        return float(self.stress_drop * stress), float(self.event * term)

    def record_terms(
        self,
        seed: int,
        source_id: str,
        stations: Sequence[str],
        points_km: Floats,
        frequencies: ArrayLike,
    ) -> tuple[Floats, Floats]:
        """Return the record terms of P and of S of one event.

        Parameters
        ----------
        seed : int
            Random seed.  Terms depend on seed, event and station, but not on other stations.
        source_id : str
            Name of the event.
        stations : sequence of str
            Codes of the stations.
        points_km : numpy.ndarray
            East and north coordinates of the stations, km, shape (station, 2).
        frequencies : array_like
            Hz, shape (frequency,).

        Returns
        -------
        tuple of numpy.ndarray
            Terms of P and S in ln units, each of shape (station, frequency).
        """
        nodes = np.log(self.frequencies)
        own = np.stack(
            [
                random_generator(seed, "record term", source_id, station).standard_normal(
                    len(nodes) + 1
                )
                for station in stations
            ]
        )
        random = random_generator(seed, "path", source_id)
        field = gaussian_fields(points_km, self.length_km, len(nodes), random)
        standard = np.sqrt(self.shared) * field + np.sqrt(1.0 - self.shared) * own[:, :-1]
        correlation = np.exp(-np.abs(nodes[:, None] - nodes) / self.ln_f_length)
        terms = (standard @ np.linalg.cholesky(correlation).T) * self.record
        ln_f = np.log(np.asarray(frequencies, float))
        s = np.stack([np.interp(ln_f, nodes, row) for row in terms])
        return s + self.p_wave * own[:, -1:], s


@cache
def bay_area_scatter() -> Scatter:
    """Return the calibrated scatter of the Bay Area that is bundled with the package."""
    return Scatter(**calibration()["scatter"])
