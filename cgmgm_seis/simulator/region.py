"""Spatial terms of the simulated Bay Area: how sites, sources and paths differ from the average.

Site terms are those of real stations (`cgmgm_seis.simulator.sites`), and source terms near recorded
earthquakes are those of these earthquakes (`cgmgm_seis.simulator.sources`).  Unknown terms are one
fixed realization of a smooth random field (`cgmgm_seis.simulator.random_field`).  The seed of a
catalogue changes its earthquakes, but not the spatial terms.
"""

from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.geography import local_km
from cgmgm_seis.simulator.random_field import RandomField
from cgmgm_seis.simulator.sites import CENTRE, SiteTerms, bay_area_sites
from cgmgm_seis.simulator.sources import SourceTerms, bay_area_sources


class SpatialTerms(Protocol):
    """Interface of the spatial terms of spectra; see `RegionFields`."""

    def site(self, latitude: ArrayLike, longitude: ArrayLike, frequencies: ArrayLike) -> Floats:
        """Return the site term of ln FAS of horizontals, shape (record, frequency)."""

    def source(self, latitude: ArrayLike, longitude: ArrayLike, frequencies: ArrayLike) -> Floats:
        """Return the term of ln FAS shared by sources at one location, (record, frequency)."""

    def attenuation(
        self,
        source_latitude: ArrayLike,
        source_longitude: ArrayLike,
        station_latitude: ArrayLike,
        station_longitude: ArrayLike,
    ) -> Floats:
        """Return the relative excess of attenuation of each path, shape (record,)."""


# Mean of the attenuation field over the paths of the calibration, which is already included in
# the calibrated levels.
MEAN_ATTENUATION = -0.09


@dataclass(frozen=True)
class RegionFields:
    """The true spatial terms of the simulated region.

    Latitudes and longitudes are degrees, arrays of shape (record,); frequencies are Hz, shape
    (frequency,).  Terms of amplitudes are natural logarithms.
    """

    sites: SiteTerms
    sources: SourceTerms
    attenuation_field: RandomField
    slowness_field: RandomField
    delay_field: RandomField
    mean_attenuation: float = 0.0
    n_path_points: int = 24

    def site(self, latitude: ArrayLike, longitude: ArrayLike, frequencies: ArrayLike) -> Floats:
        """Return the site term of ln FAS of horizontals, shape (record, frequency)."""
        return self.sites(latitude, longitude, frequencies)

    def source(self, latitude: ArrayLike, longitude: ArrayLike, frequencies: ArrayLike) -> Floats:
        """Return the term of ln FAS shared by sources at one location, (record, frequency)."""
        return self.sources(latitude, longitude, frequencies)

    def attenuation(
        self,
        source_latitude: ArrayLike,
        source_longitude: ArrayLike,
        station_latitude: ArrayLike,
        station_longitude: ArrayLike,
    ) -> Floats:
        """Return the relative excess of attenuation of each path, shape (record,).

        It is the mean of a field of 1/Q along the straight epicentral path, and at least -0.9.
        """
        points = self._path(source_latitude, source_longitude, station_latitude, station_longitude)
        mean = self.attenuation_field(points).mean(axis=-1)
        return np.maximum(mean - self.mean_attenuation, -0.9)

    def delays(
        self,
        source_latitude: ArrayLike,
        source_longitude: ArrayLike,
        station_latitude: ArrayLike,
        station_longitude: ArrayLike,
    ) -> tuple[Floats, Floats]:
        """Return the laterally varying part of travel times.

        Returns
        -------
        tuple of numpy.ndarray
            Relative excess of slowness along each path, and delay of P below each station in
            seconds, both of shape (record,).
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
        """Return the midpoints (record, point, 2) of equal segments of each path, km."""
        source = local_km(source_latitude, source_longitude, CENTRE)[..., None, :]
        station = local_km(station_latitude, station_longitude, CENTRE)[..., None, :]
        fraction = (np.arange(self.n_path_points) + 0.5)[:, None] / self.n_path_points
        return source + fraction * (station - source)


@cache
def true_fields() -> RegionFields:
    """Return the spatial terms of the region, which are always the same.

    Standard deviations and correlation lengths of the fields are chosen so that path terms
    explain about a third of what records of the same path have in common.
    """
    return RegionFields(
        sites=bay_area_sites(),
        sources=bay_area_sources(),
        attenuation_field=RandomField("attenuation", 0.25, (15.0, 15.0)),
        slowness_field=RandomField("slowness", 0.04, (25.0, 25.0)),
        delay_field=RandomField("delay", 0.05, (20.0, 20.0)),
        mean_attenuation=MEAN_ATTENUATION,
    )
