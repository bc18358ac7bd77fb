"""Source terms of the simulated Bay Area, which earthquakes at one location have in common.

Event terms of recorded earthquakes less than 10 km apart are similar.  Near recorded earthquakes
the source terms are the result of the calibration (`cgmgm_seis.simulator.calibration`); elsewhere,
where they are unknown, they are one realization of a random field.
"""

from functools import cache
from importlib.resources import files

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.geography import local_km
from cgmgm_seis.simulator.random_field import RandomField
from cgmgm_seis.simulator.sites import CENTRE, terms_of

# Standard deviation of source terms and their correlation lengths: km, and ln Hz.
SOURCE_SIGMA, SOURCE_KM, SOURCE_LN_F = 0.2, 10.0, 1.0
# Standard deviation of event terms that are independent of location.
EVENT_SIGMA = 0.35
# Fraction of the variance of the random field that may remain at recorded earthquakes.
NUGGET = 0.05


class SourceTerms:
    """Source terms of ln FAS: a random field, conditioned on recorded earthquakes.

    Parameters
    ----------
    latitude_deg, longitude_deg : array_like
        Epicentres of the recorded earthquakes, degrees, shape (earthquake,).
    frequencies : array_like
        Hz, shape (frequency,).
    terms : array_like
        Their terms, ln units, shape (earthquake, frequency).
    """

    def __init__(
        self,
        latitude_deg: ArrayLike,
        longitude_deg: ArrayLike,
        frequencies: ArrayLike,
        terms: ArrayLike,
    ) -> None:
        self.field = RandomField("source", SOURCE_SIGMA, (SOURCE_KM, SOURCE_KM, SOURCE_LN_F))
        self.points = local_km(latitude_deg, longitude_deg, CENTRE)
        self.ln_frequencies = np.log(np.asarray(frequencies, float))
        near, one = self._correlation(self.points), np.eye(len(self.points))
        noise = (EVENT_SIGMA / SOURCE_SIGMA) ** 2
        known = np.linalg.solve(near + noise * one, np.asarray(terms, float))
        drawn = self.field(_with_frequency(self.points, self.ln_frequencies))
        self.weights = known - np.linalg.solve(near + NUGGET * one, drawn)

    def __call__(
        self, latitude_deg: ArrayLike, longitude_deg: ArrayLike, frequencies: ArrayLike
    ) -> Floats:
        """Return the terms at given locations, shape (location, frequency).

        They are the field minus its values kriged from the recorded earthquakes, plus the terms of
        these earthquakes, also kriged (Rasmussen & Williams 2006, equation 2.23).
        """
        points = local_km(latitude_deg, longitude_deg, CENTRE)
        ln_f = np.log(np.asarray(frequencies, float))
        change = self._correlation(points) @ self.weights
        at_f = np.stack([np.interp(ln_f, self.ln_frequencies, row) for row in change])
        return np.asarray(self.field(_with_frequency(points, ln_f)) + at_f)

    def _correlation(self, points: Floats) -> Floats:
        """Return the correlation of the field, (location, earthquake)."""
        distance = np.hypot(*(points[:, None] - self.points).transpose(2, 0, 1))
        return np.asarray(np.exp(-0.5 * (distance / SOURCE_KM) ** 2))


def _with_frequency(points: Floats, ln_f: Floats) -> Floats:
    """Return all pairs of points (location, 2) and ln frequencies, (location, frequency, 3)."""
    shape = (*points.shape[:-1], len(ln_f))
    plane = np.broadcast_to(points[..., None, :], (*shape, 2))
    return np.concatenate([plane, np.broadcast_to(ln_f, shape)[..., None]], axis=-1)


@cache
def source_table() -> pd.DataFrame:
    """Return the earthquakes of the calibration and their source terms.

    Returns
    -------
    pandas.DataFrame
        One row per earthquake: ``source_latitude_deg``, ``source_longitude_deg`` and source terms
        in ln units, ``ln_0.2hz`` and so on.
    """
    with (files("cgmgm_seis.simulator") / "data" / "bay_area_sources.csv").open("rb") as file:
        return pd.read_csv(file)


@cache
def bay_area_sources() -> SourceTerms:
    """Return the source terms of the region."""
    table = source_table()
    places = table["source_latitude_deg"], table["source_longitude_deg"]
    return SourceTerms(*places, *terms_of(table))
