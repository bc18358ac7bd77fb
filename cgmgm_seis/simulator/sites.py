"""Site terms of real stations in the Bay Area, and of locations between them.

The terms are those of NGA-West3 (Kuehn et al., effective amplitude spectra), corrected with the
recorded amplitudes of 29 earthquakes and reduced according to their uncertainty
(`cgmgm_seis.simulator.calibration`).  They are interpolated between stations by kriging; far from
all stations they are zero, the average.
"""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.linalg import cho_factor, cho_solve

from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.geography import local_km

CENTRE = (37.8, -122.2)
# Covariance of site terms over distance: a part of the variance with a correlation length of a few
# hundred metres, and the rest with the length SHARED_KM, km.
OWN_SHARE, OWN_KM = 0.5, 0.3
SHARED_KM = 5.0
# Relative variance of errors of the terms: two instruments at one location may differ.
NUGGET = 0.02
_BLOCK = 500  # locations per block; their covariances with all stations take a few megabytes


class SiteTerms:
    """Site terms of ln FAS of horizontals, interpolated between stations by kriging.

    Parameters
    ----------
    latitude_deg, longitude_deg : array_like
        Coordinates of the stations, degrees, shape (station,).
    frequencies : array_like
        Hz, shape (frequency,).
    terms : array_like
        Site terms of the stations, ln units, shape (station, frequency).
    """

    def __init__(
        self,
        latitude_deg: ArrayLike,
        longitude_deg: ArrayLike,
        frequencies: ArrayLike,
        terms: ArrayLike,
    ) -> None:
        self.points = local_km(latitude_deg, longitude_deg, CENTRE)
        self.ln_frequencies = np.log(np.asarray(frequencies, float))
        covariance = _covariance(self.points, self.points)
        covariance[np.diag_indices(len(covariance))] += NUGGET
        self.factor = cho_factor(covariance)
        self.weights = cho_solve(self.factor, np.asarray(terms, float))

    def __call__(
        self, latitude_deg: ArrayLike, longitude_deg: ArrayLike, frequencies: ArrayLike
    ) -> Floats:
        """Return the terms at given locations, shape (location, frequency).

        The interpolation is simple kriging with zero mean (Rasmussen & Williams 2006, equation
        2.23) and linear in ln f; terms are constant outside of the range of frequencies.
        """
        parts = [
            covariance @ self.weights for covariance in self._blocks(latitude_deg, longitude_deg)
        ]
        nodes = np.concatenate(parts)
        ln_f = np.log(np.asarray(frequencies, float))
        place = np.interp(ln_f, self.ln_frequencies, np.arange(len(self.ln_frequencies)))
        low = np.minimum(place.astype(int), len(self.ln_frequencies) - 2)
        share = place - low
        return np.asarray((1.0 - share) * nodes[:, low] + share * nodes[:, low + 1])

    def known(self, latitude_deg: ArrayLike, longitude_deg: ArrayLike) -> Floats:
        """Return the fraction of the variance of the terms that is known, shape (location,)."""
        parts = [
            np.einsum("ij,ji->i", covariance, cho_solve(self.factor, covariance.T))
            for covariance in self._blocks(latitude_deg, longitude_deg)
        ]
        return np.concatenate(parts)

    def _blocks(self, latitude_deg: ArrayLike, longitude_deg: ArrayLike) -> Iterator[Floats]:
        """Yield the covariances (location, station) of successive blocks of locations."""
        places = local_km(latitude_deg, longitude_deg, CENTRE)
        for first in range(0, max(len(places), 1), _BLOCK):
            yield _covariance(places[first : first + _BLOCK], self.points)


def _covariance(first: Floats, second: Floats) -> Floats:
    """Return the covariance (first, second) of site terms with unit variance."""
    distance = np.hypot(*(first[:, None] - second[None]).transpose(2, 0, 1))
    own, shared = np.exp(-distance / OWN_KM), np.exp(-distance / SHARED_KM)
    return np.asarray(OWN_SHARE * own + (1.0 - OWN_SHARE) * shared)


@cache
def site_table() -> pd.DataFrame:
    """Return the stations of the region with Vs30 and site terms.

    Returns
    -------
    pandas.DataFrame
        One row per station: ``station_network_code``, ``station_code``, ``station_latitude_deg``,
        ``station_longitude_deg``, ``station_elevation_m``, ``station_vs30_mps`` and site terms in
        ln units, ``ln_0.2hz`` and so on.
    """
    with (files("cgmgm_seis.simulator") / "data" / "bay_area_sites.csv").open("rb") as file:
        return pd.read_csv(
            file,
            dtype={"station_network_code": str, "station_code": str},
            keep_default_na=False,
        )


@cache
def bay_area_sites() -> SiteTerms:
    """Return the site terms of the region's stations."""
    table = site_table()
    places = table["station_latitude_deg"], table["station_longitude_deg"]
    return SiteTerms(*places, *terms_of(table))


def terms_of(table: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return the frequencies, Hz, and terms (row, frequency) of columns such as ``ln_0.2hz``."""
    terms = table.filter(regex=r"^ln_.*hz$")
    return np.array([float(str(name)[3:-2]) for name in terms]), terms.to_numpy(float)
