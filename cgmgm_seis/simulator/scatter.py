"""What changes amplitudes from earthquake to earthquake, and from record to record.

A record differs from the median of its scenario by its event's terms, which all records of the
earthquake share, and by a record term, most of which neighbouring records of the earthquake share,
for they have their path in common.  Standard deviations and correlations are those of recorded
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
        Of an event's stress drop.
    event : float
        Of all amplitudes of an event.
    frequencies, record : tuple of float
        Of a record's S, at nodes in Hz; linear in ln f between them.
    p_wave : float
        Of a record's P, besides what it shares with S.
    shared, length_km : float
        Share of a record term's variance that falls as exp(-distance / length) between receivers
        of an event; the rest is the record's own.
    ln_f_length : float
        Record terms of two frequencies correlate as exp(-abs(difference of ln f) / length).
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
        """Return an event's ln deviation of the stress drop and its ln term of all amplitudes."""
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
            Same seed, event and station: same terms, whatever the other stations.
        source_id : str
            The event.
        stations : sequence of str
            Codes of the stations.
        points_km : numpy.ndarray
            Their places, east and north, shape (station, 2).
        frequencies : array_like
            Hz, shape (frequency,).

        Returns
        -------
        tuple of numpy.ndarray
            Each (station, frequency), ln units.
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
    """Return the scatter of the Bay Area that comes with the package."""
    return Scatter(**calibration()["scatter"])
