"""Published models that pyGMM implements, with the units and the contract of this package.

pyGMM comes with the extra ``gmm``.
"""

import warnings
from collections.abc import Sequence
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cgmgm_seis.errors import CgmgmError, RangeError
from cgmgm_seis.gmm import NEAREST_KM, Prediction
from cgmgm_seis.intensity import GRAVITY

Floats = NDArray[np.float64]

# pyGMM's names of what a scenario holds.
_COLUMNS = {
    "mag": "source_magnitude",
    "dist_rup": "path_hyp_distance_km",
    "depth_tor": "source_depth_km",
}


class BA19:
    """EAS of Bayless & Abrahamson (2019) for California, as a `FASModel` that is not fitted.

    It is of the effective amplitude spectrum of both horizontals, M 3 to 8, strike-slip; a small
    earthquake's distance and depth stand for those of a rupture.  The model's acceleration in g s
    becomes velocity in m/s x s: times g, divided by 2 pi f.

    Its standard deviations are the paper's: constant below M 4 and above M 6, linear in between.
    (pyGMM 0.8 gives those of M 6 also to smaller magnitudes where they decrease.)

    Parameters
    ----------
    vs30_mps : float
        Time-averaged shear-wave velocity of the upper 30 m at all stations, m/s.

    Raises
    ------
    CgmgmError
        If pyGMM is not installed.

    Examples
    --------
    >>> model = BA19(vs30_mps=400.0).fit(scenario, ln_fas, (2.0, 5.0))  # doctest: +SKIP
    >>> model.predict(scenario).extrapolated.mean()  # doctest: +SKIP
    """

    def __init__(self, vs30_mps: float = 760.0) -> None:
        try:
            import pygmm
        except ImportError as error:
            raise CgmgmError(
                "BA19 needs pyGMM, which is not installed; pip install 'cgmgm-seis[gmm]' brings it."
            ) from error
        self._pygmm = pygmm
        self.vs30_mps = vs30_mps
        self.frequencies: tuple[float, ...] = ()

    def fit(self, scenario: pd.DataFrame, ln_fas: Floats, frequencies: Sequence[float]) -> Self:
        """Choose the frequencies; see `cgmgm_seis.gmm.FASModel.fit`.

        Raises
        ------
        RangeError
            If the model does not reach a frequency.
        """
        known = self._pygmm.BaylessAbrahamson2019.FREQS
        for frequency in frequencies:
            if not known[0] <= frequency <= known[-1]:
                raise RangeError(
                    f"BA19 has no {frequency:g} Hz; it has {known[0]:g} to {known[-1]:g} Hz."
                )
        self.frequencies = tuple(float(f) for f in frequencies)
        return self

    def predict(self, scenario: pd.DataFrame) -> Prediction:
        """Return mean and standard deviations of ln FAS; extrapolated below M 3, for example.

        Raises
        ------
        CgmgmError
            If no frequencies have been chosen.
        """
        if not self.frequencies:
            raise CgmgmError("The model has 0 frequencies; fit() chooses at least 1.")
        model = self._pygmm.BaylessAbrahamson2019
        limits = {parameter.name: parameter for parameter in model.PARAMS}
        values = {name: scenario[column].to_numpy(float) for name, column in _COLUMNS.items()}
        outside = [(x < limits[name].min) | (x > limits[name].max) for name, x in values.items()]
        values["dist_rup"] = np.maximum(values["dist_rup"], NEAREST_KM)
        values["depth_tor"] = np.maximum(values["depth_tor"], 0.0)
        ln_eas = np.empty((len(scenario), len(model.FREQS)))
        with warnings.catch_warnings():
            # The prediction says what is extrapolated.
            warnings.simplefilter("ignore", UserWarning)
            for i in range(len(scenario)):
                inputs = {name: float(x[i]) for name, x in values.items()}
                ln_eas[i] = model(self._pygmm.Scenario(v_s30=self.vs30_mps, **inputs)).ln_eas
        f = np.array(self.frequencies)
        mean = self._at_frequencies(ln_eas) + np.log(GRAVITY / (2.0 * np.pi * f))
        tau, site, rest = (self._by_magnitude(values["mag"], k) for k in (1, 3, 5))
        phi = np.hypot(site, rest)
        correction = self._at_frequencies(model.COEFF["c1a"])
        sd = np.sqrt(tau**2 + phi**2 + correction**2)
        return Prediction(mean, tau, phi, sd, np.any(outside, axis=0))

    def _by_magnitude(self, magnitude: Floats, number: int) -> Floats:
        """Return a standard deviation (record, frequency) from s_number, s_(number + 1)."""
        coefficients = self._pygmm.BaylessAbrahamson2019.COEFF
        small, large = (self._at_frequencies(coefficients[f"s{k}"]) for k in (number, number + 1))
        share = np.clip((magnitude - 4.0) / 2.0, 0.0, 1.0)[:, None]
        return small + share * (large - small)

    def _at_frequencies(self, values: Floats) -> Floats:
        """Interpolate the last axis from pyGMM's frequencies, linear in ln f."""
        known, wanted = np.log(self._pygmm.BaylessAbrahamson2019.FREQS), np.log(self.frequencies)
        series = np.reshape(values, (-1, len(known)))
        result = np.stack([np.interp(wanted, known, row) for row in series])
        return result.reshape(*np.shape(values)[:-1], len(wanted))
