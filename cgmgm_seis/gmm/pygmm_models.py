"""Published models as implemented in pyGMM, with the units and interface of this package.

pyGMM is installed with the extra ``gmm``.
"""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cgmgm_seis.errors import CgmgmError, RangeError
from cgmgm_seis.gmm.base import NEAREST_KM, Prediction
from cgmgm_seis.measures.intensity import GRAVITY
from cgmgm_seis.scenario.arrays import Floats

# Vs30 of stations where it is not known, m/s.
DEFAULT_VS30 = 760.0
# The models of `NGAWest2` and their names in pyGMM.
NGA_WEST2 = {
    "ASK14": "AbrahamsonSilvaKamai2014",
    "BSSA14": "BooreStewartSeyhanAtkinson2014",
    "CB14": "CampbellBozorgnia2014",
    "CY14": "ChiouYoungs2014",
}
MECHANISMS = ("SS", "NS", "RS")

# pyGMM's parameters and the corresponding columns of a scenario.
_COLUMNS = {
    "mag": "source_magnitude",
    "dist_rup": "path_hyp_distance_km",
    "depth_tor": "source_depth_km",
}


class BA19:
    """EAS of Bayless & Abrahamson (2019) for California, as a `FASModel` that is not fitted.

    The model predicts the effective amplitude spectrum of both horizontals for strike-slip
    earthquakes of M 3 to 8.  Hypocentral distance and depth are used as rupture distance and depth
    to the top of the rupture.  The predicted acceleration in g s is converted to velocity in
    m/s x s: times g, divided by 2 pi f.

    The standard deviations are those of the paper: constant below M 4 and above M 6, and linear
    in between.  (Where they decrease with magnitude, pyGMM 0.8 uses the values of M 6 also for
    smaller magnitudes.)

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

    def __init__(self, vs30_mps: float = DEFAULT_VS30) -> None:
        self._pygmm = _pygmm("BA19")
        self.vs30_mps = vs30_mps
        self.frequencies: tuple[float, ...] = ()

    def fit(self, scenario: pd.DataFrame, ln_fas: Floats, frequencies: Sequence[float]) -> Self:
        """Set the frequencies; see `cgmgm_seis.gmm.base.FASModel.fit`.

        Raises
        ------
        RangeError
            If a frequency is outside the range of the model.
        """
        known = self._pygmm.BaylessAbrahamson2019.FREQS
        for frequency in frequencies:
            if not known[0] <= frequency <= known[-1]:
                raise RangeError(
                    f"BA19 is not available at {frequency:g} Hz, only from {known[0]:g} to "
                    f"{known[-1]:g} Hz."
                )
        self.frequencies = tuple(float(f) for f in frequencies)
        return self

    def predict(self, scenario: pd.DataFrame) -> Prediction:
        """Return mean and standard deviations of ln FAS.

        Scenarios outside the range of the model, for example below M 3, are marked as
        extrapolated.

        Raises
        ------
        CgmgmError
            If no frequencies have been set.
        """
        if not self.frequencies:
            raise CgmgmError("The model has no frequencies; call fit() with at least 1.")
        model = self._pygmm.BaylessAbrahamson2019
        limits = {parameter.name: parameter for parameter in model.PARAMS}
        values = {name: scenario[column].to_numpy(float) for name, column in _COLUMNS.items()}
        outside = [(x < limits[name].min) | (x > limits[name].max) for name, x in values.items()]
        values["dist_rup"] = np.maximum(values["dist_rup"], NEAREST_KM)
        values["depth_tor"] = np.maximum(values["depth_tor"], 0.0)
        ln_eas = np.empty((len(scenario), len(model.FREQS)))
        with warnings.catch_warnings():
            # Extrapolation is marked in the prediction instead.
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
        """Return the standard deviation (record, frequency) of s_number and s_(number + 1)."""
        coefficients = self._pygmm.BaylessAbrahamson2019.COEFF
        small, large = (self._at_frequencies(coefficients[f"s{k}"]) for k in (number, number + 1))
        share = np.clip((magnitude - 4.0) / 2.0, 0.0, 1.0)[:, None]
        return small + share * (large - small)

    def _at_frequencies(self, values: Floats) -> Floats:
        """Interpolate the last axis from pyGMM's frequencies linearly in ln f."""
        known, wanted = np.log(self._pygmm.BaylessAbrahamson2019.FREQS), np.log(self.frequencies)
        series = np.reshape(values, (-1, len(known)))
        result = np.stack([np.interp(wanted, known, row) for row in series])
        return result.reshape(*np.shape(values)[:-1], len(wanted))


def frequency_correlation(frequencies: ArrayLike) -> Floats:
    """Return the correlation of total residuals of ln EAS between frequencies.

    The model is that of Bayless & Abrahamson (2018) for California.

    Parameters
    ----------
    frequencies : array_like
        Hz, shape (frequency,).

    Returns
    -------
    numpy.ndarray
        Shape (frequency, frequency); NaN at frequencies outside the range of the model, 0.1 to
        24 Hz.

    Raises
    ------
    CgmgmError
        If pyGMM is not installed.
    """
    model = _pygmm("The correlation between frequencies").BaylessAbrahamson2018
    f = np.asarray(frequencies, float)
    correlation = np.asarray(model.corr(f), float)
    outside = (f < model.FREQS[0]) | (f > model.FREQS[-1])
    correlation[outside] = correlation[:, outside] = np.nan
    return correlation


class NGAWest2:
    """An NGA-West2 model of RotD50 PGA, PGV and PSA (5 % damping), for California.

    The models are Abrahamson et al. (2014), Boore et al. (2014), Campbell & Bozorgnia (2014) and
    Chiou & Youngs (2014).  By default the rupture is a point source: the rupture distance (Rrup)
    is the hypocentral distance and Rjb the epicentral distance, the top of the rupture is at the
    hypocentre, the fault is vertical with strike-slip mechanism, and no station is on a hanging
    wall.  The following columns are used where they are given and not empty:
    ``path_rup_distance_km``, ``path_jb_distance_km``, ``source_top_depth_km``,
    ``source_dip_deg``, ``source_width_km``, ``source_mechanism`` (SS, NS or RS; otherwise
    ``source_rake_deg``, reverse from 30 to 150 and normal from -150 to -30 degrees),
    ``station_vs30_mps``, ``station_z1p0_km`` and ``station_z2p5_km`` (otherwise the values that
    the model expects for the Vs30).

    Parameters
    ----------
    name : str
        One of `NGA_WEST2`.
    periods : sequence of float
        Periods of the PSA, s.
    vs30_mps : float
        Vs30 of stations where it is not given, m/s.

    Raises
    ------
    RangeError
        If the model is unknown, or a period is outside its range.
    CgmgmError
        If pyGMM is not installed.

    Examples
    --------
    >>> NGAWest2("CB14", (0.3, 1.0)).predict(scenario).mean.shape  # doctest: +SKIP
    (58, 4)
    """

    def __init__(
        self, name: str, periods: Sequence[float] = (), vs30_mps: float = DEFAULT_VS30
    ) -> None:
        if name not in NGA_WEST2:
            raise RangeError(
                f"NGA-West2 model {name} is not known; it must be one of {', '.join(NGA_WEST2)}."
            )
        pygmm = _pygmm(name)
        self.name, self.periods, self.vs30_mps = name, tuple(map(float, periods)), vs30_mps
        self._scenario = pygmm.Scenario
        self._model = getattr(pygmm, NGA_WEST2[name])
        # Chiou & Youngs require a depth to 1 km/s; their own estimate gives no basin term.
        self._z1p0 = pygmm.ChiouYoungs2014.calc_depth_1_0
        reach = self._model.PERIODS[self._model.INDICES_PSA]
        for period in self.periods:
            if not reach[0] <= period <= reach[-1]:
                raise RangeError(
                    f"{name} is not available at {period:g} s, only from {reach[0]:g} to "
                    f"{reach[-1]:g} s."
                )

    def predict(self, scenario: pd.DataFrame) -> Prediction:
        """Return mean and standard deviations of the logarithms of PGA, PGV and PSA.

        Parameters
        ----------
        scenario : pandas.DataFrame
            Scenario table, with the optional columns listed in the class where they are known.

        Returns
        -------
        Prediction
            Columns PGA (ln m/s2), PGV (ln m/s), and PSA (ln m/s2) at the periods, which is
            interpolated linearly in ln T.  tau and phi are NaN for CY14, because pyGMM gives only
            its total.  The Vs30 is treated as inferred.  Scenarios are marked as extrapolated if
            pyGMM warns that they are outside the limits of the model.

        Raises
        ------
        RangeError
            If a mechanism is unknown.
        """
        values, mechanisms = self._inputs(scenario)
        outside = np.zeros(len(scenario), bool)
        parts = np.full((4, len(scenario), len(self.periods) + 2), np.nan)
        for i, mechanism in enumerate(mechanisms):
            inputs = {name: float(x[i]) for name, x in values.items() if np.isfinite(x[i])}
            inputs.setdefault("depth_1_0", self._z1p0(inputs["v_s30"], "california"))
            pair = self._scenario(
                mechanism=mechanism, region="california", vs_source="inferred", **inputs
            )
            with _complaints() as complaints:
                told = self._model(pair)
            outside[i] = bool(complaints)
            found = (told._ln_resp, getattr(told, "_tau", None), getattr(told, "_phi", None))
            for part, series in zip(parts, (*found, told._ln_std), strict=True):
                if series is not None:
                    part[i] = self._chosen(np.asarray(series, float))
        mean, tau, phi, sd = parts
        mean += np.log(GRAVITY)
        mean[:, 1] += np.log(0.01 / GRAVITY)
        return Prediction(mean, tau, phi, sd, outside)

    def _inputs(self, scenario: pd.DataFrame) -> tuple[dict[str, Floats], list[str]]:
        """Return the inputs of pyGMM by name (NaN for its defaults) and the mechanisms."""

        def known(column: str, otherwise: Floats | float = np.nan) -> Floats:
            given = scenario[column] if column in scenario else pd.Series(np.nan, scenario.index)
            x = pd.to_numeric(given, errors="coerce").to_numpy(float)
            return np.where(np.isnan(x), otherwise, x)

        depth = np.maximum(scenario["source_depth_km"].to_numpy(float), 0.0)
        jb = known("path_jb_distance_km", known("path_ep_distance_km"))
        values = {
            "mag": known("source_magnitude"),
            "dist_rup": known("path_rup_distance_km", known("path_hyp_distance_km")),
            "dist_jb": jb,
            # On the foot wall.
            "dist_x": -jb,
            "depth_hyp": depth,
            "depth_tor": np.maximum(known("source_top_depth_km", depth), 0.0),
            "dip": known("source_dip_deg", 90.0),
            "width": known("source_width_km"),
            "v_s30": known("station_vs30_mps", self.vs30_mps),
            "depth_1_0": known("station_z1p0_km"),
            "depth_2_5": known("station_z2p5_km"),
        }
        rake = known("source_rake_deg", 0.0)
        slips = np.where(np.abs(np.abs(rake) - 90.0) < 60.0, np.where(rake > 0, "RS", "NS"), "SS")
        if "source_mechanism" in scenario:
            given = scenario["source_mechanism"]
            slips = np.where(given.isna(), slips, given.astype(str))
            if unknown := set(slips) - set(MECHANISMS):
                allowed = ", ".join(MECHANISMS)
                raise RangeError(
                    f"source_mechanism = {min(unknown)} is not known; it must be one of {allowed}."
                )
        return values, slips.tolist()

    def _chosen(self, series: Floats) -> Floats:
        """Return PGA, PGV and PSA at the periods, interpolated from all values of pyGMM."""
        model = self._model
        known = np.log(model.PERIODS[model.INDICES_PSA])
        spectrum = np.interp(np.log(self.periods), known, series[model.INDICES_PSA])
        return np.r_[series[model.INDEX_PGA], series[model.INDEX_PGV], spectrum]


@contextmanager
def _complaints() -> Iterator[list[object]]:
    """Collect pyGMM's warnings and log messages (of the root logger) instead of showing them."""
    found: list[object] = []

    def keep(record: logging.LogRecord) -> bool:
        found.append(record)
        return False

    # Without a handler, logging would add one to the root logger permanently.
    root, handler = logging.getLogger(), logging.NullHandler()
    root.addHandler(handler)
    root.addFilter(keep)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", UserWarning)
            yield found
        found.extend(caught)
    finally:
        root.removeFilter(keep)
        root.removeHandler(handler)


def _pygmm(model: str) -> Any:
    """Return the module pyGMM, or raise an error if it is not installed."""
    try:
        import pygmm
    except ImportError as error:
        raise CgmgmError(
            f"{model} requires pyGMM, which is not installed; install it with "
            "pip install 'cgmgm-seis[gmm]'."
        ) from error
    return pygmm
