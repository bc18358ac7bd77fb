"""What generators given records have in common; by default they refuse."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.models.named_weights import NamedModel

# Natural logarithms of measures (.., series) of velocities (.., component, sample), m/s.
Measures = Callable[[NDArray[np.float32]], NDArray[Any]]
# Frequencies of records that are used by default, Hz: recorded motion is often filtered to these.
BAND_HZ = (0.5, 20.0)


class ConditionedModel(NamedModel):
    """A model that may be conditioned on what was recorded of an earthquake.

    Attributes
    ----------
    conditioning : object, optional
        What the records say, picklable, with a method ``digest()``; None if the model is not
        conditioned.
    """

    conditioning: Any = None

    def condition(
        self,
        values: NDArray[Any],
        scenario: pd.DataFrame,
        measures: Measures | None = None,
        extrapolate: bool | float = False,
        band_hz: tuple[float, float] = BAND_HZ,
    ) -> Self:
        """Return this model given what was recorded of one earthquake.

        Its realizations are of this earthquake: at recorded stations they agree with the records,
        near them they resemble them, and far away they share what all records of the earthquake
        have in common.

        Parameters
        ----------
        values : numpy.ndarray
            Recorded velocity, m/s, (record, component, sample), in the model's window; with
            `measures`, natural logarithms of amplitudes (record, series), NaN where unknown.
        scenario : pandas.DataFrame
            Scenario table of the records, all of one earthquake.
        measures : callable, optional
            Returns the natural logarithms (.., series) of velocities (.., component, sample).
        extrapolate : bool or float
            Warn instead of raising where the scenario is outside the trained ranges.
        band_hz : tuple of float
            Lowest and highest frequency of waveforms that is used, Hz.

        Returns
        -------
        GroundMotionModel
            A model of this earthquake, at the recorded and at all other receivers, which shares
            the networks with this one.

        Raises
        ------
        CgmgmError
            If the model cannot be conditioned.
        ScenarioError
            If the values do not match the scenario, or that is of several earthquakes.
        """
        raise self._not_conditionable()

    def check_conditionable(self) -> None:
        """Raise `CgmgmError` if the model cannot be conditioned."""
        if type(self).condition is ConditionedModel.condition:
            raise self._not_conditionable()

    def _not_conditionable(self) -> CgmgmError:
        return CgmgmError(
            f"{self.name}, weights {self.weights_name}, cannot be conditioned on records, since "
            "its latents are independent between records, without an event term; use "
            "EvolutionaryCGM."
        )
