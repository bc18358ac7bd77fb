"""Ground-motion models of Fourier amplitude spectra (FAS), for comparison with generators.

This module defines the interface of these models and the published ergodic Bay Area model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cgmgm_seis.errors import CgmgmError, RangeError
from cgmgm_seis.scenario.arrays import Floats

# frequency (Hz): a, b, c, d, total standard deviation
COEFFICIENTS = {
    2.0: (-16.2739, 3.0407, -1.4842, 0.0060, 0.72),
    5.0: (-13.5466, 2.6166, -1.7052, 0.0178, 0.77),
    10.0: (-13.4538, 2.2958, -1.9021, 0.0339, 0.81),
    15.0: (-14.4238, 2.1082, -2.0292, 0.0461, 0.87),
}
MAGNITUDES = (1.09, 3.99)  # range of its data
# Shorter distances (km) are set to this value, because ln R diverges at zero.
NEAREST_KM = 1.0


@dataclass(frozen=True)
class Prediction:
    """Prediction of the logarithm of a measure by a ground-motion model, for new events.

    A `FASModel` predicts ln FAS of velocity in m/s x s, and
    `cgmgm_seis.gmm.pygmm_models.NGAWest2` ln PGA, PGV and PSA in m/s2 and m/s.

    Parameters
    ----------
    mean : numpy.ndarray
        Mean of the logarithm, shape (record, frequency or measure), as for `tau`, `phi` and `sd`.
    tau, phi : numpy.ndarray
        Standard deviations between and within events; NaN if the model gives only their sum.
    sd : numpy.ndarray
        Total standard deviation: between and within events, and of the mean itself if the
        model provides it.
    extrapolated : numpy.ndarray
        True where the scenario is outside the range of the model, shape (record,).
    """

    mean: Floats
    tau: Floats
    phi: Floats
    sd: Floats
    extrapolated: NDArray[np.bool_]

    @property
    def epistemic(self) -> Floats:
        """Standard deviation of the mean itself; NaN if tau and phi are not known."""
        return np.asarray(np.sqrt(np.maximum(self.sd**2 - self.tau**2 - self.phi**2, 0.0)))

    def of(self, places: ArrayLike) -> "Prediction":
        """Return the prediction for selected frequencies or measures, given by their indices."""
        chosen = np.asarray(places, int)
        mean, tau, phi, sd = (part[:, chosen] for part in (self.mean, self.tau, self.phi, self.sd))
        return Prediction(mean, tau, phi, sd, self.extrapolated)


def compared_component(component_order: str) -> str | None:
    """Return the horizontal used to compare models: the last, E, as in Ren et al. (2026)."""
    horizontals = component_order.replace("Z", "")
    return horizontals[-1] if horizontals else None


class FASModel(Protocol):
    """Interface of models of ln FAS that are fitted to records, or published."""

    def fit(self, scenario: pd.DataFrame, ln_fas: Floats, frequencies: Sequence[float]) -> Self:
        """Fit the model to records and return it.

        Parameters
        ----------
        scenario : pandas.DataFrame
            Scenario table.
        ln_fas : numpy.ndarray
            Natural logarithm of the FAS, m/s x s, of one component, shape (record, frequency).
            Published models ignore it.
        frequencies : sequence of float
            Hz.
        """

    def predict(self, scenario: pd.DataFrame) -> Prediction:
        """Return mean and standard deviations of ln FAS for new events."""


@dataclass(frozen=True)
class ErgodicFAS:
    """Mean and standard deviation of ln FAS of horizontal velocity at one frequency.

        ln FAS = a + b M + c ln R + d Z

    with the magnitude M, the distance R and the depth Z in km, and the FAS in m/s x s.  It was
    published with the Bay Area CGM-GM (Ren et al. 2026), for data of M 1.1 to 4.0.

    Parameters
    ----------
    frequency : float
        2, 5, 10 or 15 Hz.

    Raises
    ------
    RangeError
        If the model has no coefficients for the frequency.

    Examples
    --------
    >>> print(f"{np.exp(ErgodicFAS(2.0).mean(3.0, 10.0, 8.0)):.1e}")
    2.7e-05
    """

    frequency: float

    def __post_init__(self) -> None:
        if self.frequency not in COEFFICIENTS:
            known = ", ".join(f"{f:g}" for f in COEFFICIENTS)
            raise RangeError(
                f"The ergodic FAS model is not available at {self.frequency:g} Hz, only at "
                f"{known} Hz."
            )

    def mean(
        self, magnitude: ArrayLike, distance_km: ArrayLike, depth_km: ArrayLike
    ) -> NDArray[np.float64]:
        """Return the mean of ln FAS; the arguments are broadcast against each other."""
        a, b, c, d, _ = COEFFICIENTS[self.frequency]
        magnitude, distance, depth = np.broadcast_arrays(magnitude, distance_km, depth_km)
        return a + b * magnitude + c * np.log(distance) + d * depth

    @property
    def sigma(self) -> float:
        """Total standard deviation of ln FAS (between and within events)."""
        return COEFFICIENTS[self.frequency][4]


class ErgodicGMM:
    """`ErgodicFAS` at several frequencies, as a `FASModel` that is not fitted.

    The model is for horizontal components.  Its tau and phi have not been published.

    Examples
    --------
    >>> from cgmgm_seis.scenario.table import from_points
    >>> scenario = from_points(3.0, (37.9, -122.2), [(37.9, -122.1)])
    >>> model = ErgodicGMM().fit(scenario, np.zeros((1, 2)), (2.0, 5.0))
    >>> model.predict(scenario).sd.tolist()
    [[0.72, 0.77]]
    """

    models: tuple[ErgodicFAS, ...] = ()

    def fit(self, scenario: pd.DataFrame, ln_fas: Floats, frequencies: Sequence[float]) -> Self:
        """Set the frequencies; see `FASModel.fit`.

        Raises
        ------
        RangeError
            If the model has no coefficients for a frequency.
        """
        self.models = tuple(ErgodicFAS(float(f)) for f in frequencies)
        return self

    def predict(self, scenario: pd.DataFrame) -> Prediction:
        """Return mean and standard deviations of ln FAS; see `Prediction`.

        Raises
        ------
        CgmgmError
            If no frequencies have been set.
        """
        if not self.models:
            raise CgmgmError("The model has no frequencies; call fit() with at least 1.")
        magnitude = scenario["source_magnitude"].to_numpy(float)
        distance = np.maximum(scenario["path_hyp_distance_km"].to_numpy(float), NEAREST_KM)
        depth = scenario["source_depth_km"].to_numpy(float)
        mean = np.stack([model.mean(magnitude, distance, depth) for model in self.models], axis=1)
        sd = np.broadcast_to([model.sigma for model in self.models], mean.shape)
        unknown = np.full(mean.shape, np.nan)
        low, high = MAGNITUDES
        return Prediction(mean, unknown, unknown, sd, (magnitude < low) | (magnitude > high))
