"""Generated peak acceleration beside a published model, where the magnitude is extrapolated."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.gmm.pygmm_models import NGAWest2
from cgmgm_seis.measures.intensity import acceleration, pga
from cgmgm_seis.measures.response_spectra import rotd50
from cgmgm_seis.models.conditions import beyond_magnitudes
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.table import spread_rows
from cgmgm_seis.scenario.window import Window

PUBLISHED = "BSSA14"
# Records that are compared at most, spread over the distances.
COMPARED_RECORDS = 20


class PeakComparison:
    """PGA of records whose magnitude is extrapolated, beside that of a published model.

    The records are given part by part, and only their peaks are kept.

    Parameters
    ----------
    scenario : pandas.DataFrame
        Scenario table, one row per record.
    window : Window
        Window of the records.
    limits : sequence of float
        Trained range of the magnitude.  Records outside it are compared; of more than
        `COMPARED_RECORDS`, some that are spread over the distances.
    """

    def __init__(self, scenario: pd.DataFrame, window: Window, limits: Sequence[float]) -> None:
        outside = np.flatnonzero(beyond_magnitudes(scenario, limits) > 0.0)
        self.rows = outside[spread_rows(scenario.iloc[outside], COMPARED_RECORDS)]
        self.scenario = scenario.iloc[self.rows].reset_index(drop=True)
        self.sampling_rate = window.sampling_rate
        self.horizontal = [k for k, name in enumerate(window.component_order) if name != "Z"]
        self.peaks: dict[int, Floats] = {}

    def add(self, first: int, records: NDArray[np.float32]) -> None:
        """Take the peaks of records (record, realization, component, sample), m/s, in a row."""
        for row in self.rows:
            if self.horizontal and first <= row < first + len(records):
                self.peaks[int(row)] = self._pga(records[row - first][:, self.horizontal])

    def _pga(self, horizontals: NDArray[np.float32]) -> Floats:
        """Return the PGA of every realization, m/s2: RotD50, or that of a single horizontal."""
        if len(self.horizontal) == 2:
            return rotd50(acceleration(horizontals, self.sampling_rate))
        return pga(horizontals[:, 0], self.sampling_rate)

    def text(self) -> str:
        """Return the result in one sentence; all compared records must have been added.

        Returns
        -------
        str
            The median over the records of the factor between the median PGA of all realizations
            and that of the model, and its range; or the reason why it is not known, which is that
            pyGMM is not installed or that no component is horizontal; empty if no magnitude is
            outside its range.
        """
        if not len(self.rows):
            return ""
        magnitude = self.scenario["source_magnitude"]
        lowest, highest = magnitude.min(), magnitude.max()
        magnitudes = f"{lowest:g}" if lowest == highest else f"{lowest:g} to {highest:g}"
        subject = f"The PGA generated for M {magnitudes} is"
        if not self.horizontal:
            return (
                f"{subject} not compared with {PUBLISHED}, which is a model of horizontal motion."
            )
        try:
            published = NGAWest2(PUBLISHED).predict(self.scenario).mean[:, 0]
        except CgmgmError as error:
            return f"{subject} not compared with a published model: {error}"
        peaks = np.stack([self.peaks[int(row)] for row in self.rows])
        factors = np.exp(np.median(np.log(peaks), axis=1) - published)
        distance = self.scenario["path_ep_distance_km"]
        where = f"at 1 receiver, {distance[0]:.0f} km from the epicentre"
        if len(distance) > 1:
            where = (
                f"{factors.min():.2g} to {factors.max():.2g} times at {len(distance)} receivers, "
                f"{distance.min():.0f} to {distance.max():.0f} km from the epicentre"
            )
        return f"{subject} {np.median(factors):.2g} times that of {PUBLISHED} ({where})."
