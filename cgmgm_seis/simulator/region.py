"""How sites, sources and paths of the simulated Bay Area differ from its average; fixed terms.

Site terms are those of the real stations (`cgmgm_seis.simulator.sites`).  What nobody has measured
is a smooth random field, one fixed realization drawn from `REGION_SEED`; the seed of a catalogue
changes its earthquakes, not the ground under them.
"""

from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cgmgm_seis.seeding import generator
from cgmgm_seis.simulator.sites import CENTRE, SiteTerms, bay_area_sites
from cgmgm_seis.spatial import local_km

REGION_SEED = 1984

Floats = NDArray[np.float64]


class RandomField:
    """A stationary, nearly Gaussian random field with a squared-exponential covariance.

    A sum of cosines with random wave vectors (Shinozuka 1971; random Fourier features of
    Rahimi & Recht 2007), so it is smooth and known at any point.

    Parameters
    ----------
    name : str
        Name of the field; it chooses the realization.
    sigma : float
        Standard deviation.
    lengths : tuple of float
        Correlation length along each coordinate, in that coordinate's units.
    n_waves : int
        Number of cosines.
    """

    def __init__(
        self, name: str, sigma: float, lengths: tuple[float, ...], n_waves: int = 128
    ) -> None:
        rng = generator(REGION_SEED, name)
        self.waves = rng.standard_normal((n_waves, len(lengths))) / np.array(lengths)
        self.phases = rng.uniform(0.0, 2.0 * np.pi, n_waves)
        self.amplitude = sigma * np.sqrt(2.0 / n_waves)

    def __call__(self, points: Floats) -> Floats:
        """Return the field at ``points`` of shape (.., coordinate); shape (..)."""
        return self.amplitude * np.cos(points @ self.waves.T + self.phases).sum(axis=-1)


class SpatialTerms(Protocol):
    """What of spectra depends on places; see `RegionFields`."""

    def site(self, latitude: ArrayLike, longitude: ArrayLike, frequencies: ArrayLike) -> Floats:
        """Return the site term of ln FAS of horizontals, shape (record, frequency)."""

    def source(self, latitude: ArrayLike, longitude: ArrayLike, frequencies: ArrayLike) -> Floats:
        """Return the term of ln FAS shared by sources of one place, (record, frequency)."""

    def attenuation(
        self,
        source_latitude: ArrayLike,
        source_longitude: ArrayLike,
        station_latitude: ArrayLike,
        station_longitude: ArrayLike,
    ) -> Floats:
        """Return the relative excess of attenuation of each path, shape (record,)."""


@dataclass(frozen=True)
class RegionFields:
    """The true spatial terms of the simulated region.

    Latitudes and longitudes are degrees, arrays of shape (record,); frequencies are Hz, shape
    (frequency,).  Terms of amplitudes are natural logarithms.
    """

    sites: SiteTerms
    source_field: RandomField
    attenuation_field: RandomField
    slowness_field: RandomField
    delay_field: RandomField
    n_path_points: int = 24

    def site(self, latitude: ArrayLike, longitude: ArrayLike, frequencies: ArrayLike) -> Floats:
        """Return the site term of ln FAS of horizontals, shape (record, frequency)."""
        return self.sites(latitude, longitude, frequencies)

    def source(self, latitude: ArrayLike, longitude: ArrayLike, frequencies: ArrayLike) -> Floats:
        """Return the term of ln FAS shared by sources of one place, (record, frequency)."""
        return self.source_field(
            _with_frequency(local_km(latitude, longitude, CENTRE), frequencies)
        )

    def attenuation(
        self,
        source_latitude: ArrayLike,
        source_longitude: ArrayLike,
        station_latitude: ArrayLike,
        station_longitude: ArrayLike,
    ) -> Floats:
        """Return the relative excess of attenuation of each path, shape (record,).

        The mean of a field of 1/Q along the straight epicentral path, at least -0.9.
        """
        points = self._path(source_latitude, source_longitude, station_latitude, station_longitude)
        return np.maximum(self.attenuation_field(points).mean(axis=-1), -0.9)

    def delays(
        self,
        source_latitude: ArrayLike,
        source_longitude: ArrayLike,
        station_latitude: ArrayLike,
        station_longitude: ArrayLike,
    ) -> tuple[Floats, Floats]:
        """Return the lateral part of travel time.

        Returns
        -------
        tuple of numpy.ndarray
            The relative excess of slowness along each path, and the delay of P under each
            station in seconds, both of shape (record,).
        """
        points = self._path(source_latitude, source_longitude, station_latitude, station_longitude)
        station = local_km(station_latitude, station_longitude, CENTRE)
        return self.slowness_field(points).mean(axis=-1), self.delay_field(station)

    def _path(
        self,
        source_latitude: ArrayLike,
        source_longitude: ArrayLike,
        station_latitude: ArrayLike,
        station_longitude: ArrayLike,
    ) -> Floats:
        """Return points (record, point, 2) in km at the middles of equal parts of each path."""
        source = local_km(source_latitude, source_longitude, CENTRE)[..., None, :]
        station = local_km(station_latitude, station_longitude, CENTRE)[..., None, :]
        fraction = (np.arange(self.n_path_points) + 0.5)[:, None] / self.n_path_points
        return source + fraction * (station - source)


def _with_frequency(points: Floats, frequencies: ArrayLike) -> Floats:
    """Cross points (record, 2) with the logarithm of frequencies: (record, frequency, 3)."""
    log_f = np.log(np.asarray(frequencies, float))
    shape = (*points.shape[:-1], len(log_f))
    plane = np.broadcast_to(points[..., None, :], (*shape, 2))
    return np.concatenate([plane, np.broadcast_to(log_f, shape)[..., None]], axis=-1)


@cache
def true_fields() -> RegionFields:
    """Return the region's terms; always the same ones.

    Standard deviations and lengths of the fields are such that a source and a path make up for
    about a third of what recordings of one event and of one path have in common.
    """
    return RegionFields(
        sites=bay_area_sites(),
        source_field=RandomField("source", 0.2, (15.0, 15.0, 1.0)),
        attenuation_field=RandomField("attenuation", 0.35, (15.0, 15.0)),
        slowness_field=RandomField("slowness", 0.04, (25.0, 25.0)),
        delay_field=RandomField("delay", 0.05, (20.0, 20.0)),
    )
