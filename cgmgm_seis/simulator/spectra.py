"""Fourier spectra of the stochastic method (Boore 2003): source, path and site.

    ln A(f) = ln source + ln spreading - pi f t*(R) - pi f kappa + generic site + spatial terms

P has a higher corner frequency and less attenuation than S, as in recordings.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.interpolate import PchipInterpolator

from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.simulator.region import SpatialTerms, true_fields

SHEAR_VELOCITY = 3500.0  # m/s, at the source
DENSITY = 2800.0  # kg/m3
# Mean radiation x one of two horizontals x free surface (Boore 2003).
S_RADIATION = 0.55 * 0.707 * 2.0
REFERENCE_DEPTH = 8.0  # km
MOMENT_FROM = 3.4  # magnitudes of the regional network are moment magnitudes above this value


@dataclass(frozen=True)
class Coefficients:
    """Coefficients of the median spectrum, see `cgmgm_seis.simulator.calibration`.

    Parameters
    ----------
    small_magnitude : float
        Network magnitudes of small earthquakes decrease faster than moment magnitudes (Hanks &
        Boore 1984): Mw = M + small_magnitude (`MOMENT_FROM` - M) below `MOMENT_FROM`.
    magnitudes, ln_stress_drops : tuple of float
        Nodes of the median stress drop, ln Pa, linear between them and constant outside.
    ln_corner_ratios : tuple of float
        At the same magnitudes, ln of the ratio of the second of two corner frequencies to their
        geometric mean: the two are further apart for larger earthquakes (Atkinson & Silva 2000).
    stress_drop_per_km : float
        Increase of the ln stress drop with depth, 1/km.
    spreading : tuple of float
        Exponents of geometric spreading, up to `knee_km` and beyond.
    knee_km : float
        Distance from which S reflected at the Moho adds to the direct wave, km.
    q0, q_exponent : float
        Quality factor of S, Q(f) = q0 f^q_exponent.
    kappa, kappa_per_km : float
        Shallow attenuation at `REFERENCE_DEPTH`, s, and its change with the depth of the source.
    frequencies, amplification : tuple of float
        Nodes of ln A(f), the amplification of an average station of the region; monotone cubic
        interpolation in ln f between them.
    """

    small_magnitude: float
    magnitudes: tuple[float, ...]
    ln_stress_drops: tuple[float, ...]
    ln_corner_ratios: tuple[float, ...]
    stress_drop_per_km: float
    spreading: tuple[float, float]
    knee_km: float
    q0: float
    q_exponent: float
    kappa: float
    kappa_per_km: float
    frequencies: tuple[float, ...]
    amplification: tuple[float, ...]

    def seismic_moment(self, magnitude: ArrayLike) -> Floats:
        """Return the moment in N m for a network magnitude (Hanks & Kanamori 1979)."""
        m = np.asarray(magnitude, float)
        moment_magnitude = m + self.small_magnitude * np.maximum(MOMENT_FROM - m, 0.0)
        return np.asarray(10.0 ** (1.5 * moment_magnitude + 9.05))

    def median_stress_drop(self, magnitude: ArrayLike, depth_km: ArrayLike) -> Floats:
        """Return the median stress drop of the region, Pa; the arguments are broadcast."""
        deeper = np.asarray(depth_km, float) - REFERENCE_DEPTH
        at_depth = np.interp(np.asarray(magnitude, float), self.magnitudes, self.ln_stress_drops)
        return np.asarray(np.exp(at_depth + self.stress_drop_per_km * deeper))

    def corner_frequency(self, magnitude: ArrayLike, stress_drop: ArrayLike) -> Floats:
        """Return the corner frequency of S in Hz for a stress drop in Pa.

        Brune (1970); Boore (2003).
        """
        ratio = np.asarray(stress_drop, float) / self.seismic_moment(magnitude)
        return np.asarray(0.491 * SHEAR_VELOCITY * np.cbrt(ratio))

    def ln_displacement(
        self, frequencies: ArrayLike, magnitude: ArrayLike, corner: ArrayLike
    ) -> Floats:
        """Return the ln displacement spectrum of a source, relative to its low-frequency level.

        The spectrum has two corner frequencies with the geometric mean ``corner``, Hz (Boore
        2003); if both are equal, it is that of Brune (1970).  The arguments are broadcast.
        """
        ratio = np.interp(np.asarray(magnitude, float), self.magnitudes, self.ln_corner_ratios)
        x = np.asarray(frequencies, float) / np.asarray(corner, float)
        first, second = (x * np.exp(sign * ratio) for sign in (1.0, -1.0))
        return np.asarray(-0.5 * (np.log1p(first**2) + np.log1p(second**2)))

    def site(self, frequencies: ArrayLike) -> Floats:
        """Return ln A(f) of an average station at frequencies in Hz, constant outside the nodes."""
        low, high = self.frequencies[0], self.frequencies[-1]
        inside = np.clip(np.asarray(frequencies, float), low, high)
        nodes = PchipInterpolator(np.log(self.frequencies), self.amplification)
        return np.asarray(nodes(np.log(inside)))

    def ln_spreading(self, distance_km: ArrayLike) -> Floats:
        """Return ln of the geometric spreading, 1/km."""
        ln_r, ln_knee = np.log(np.asarray(distance_km, float)), np.log(self.knee_km)
        near, far = self.spreading
        return -near * np.minimum(ln_r, ln_knee) - far * np.maximum(ln_r - ln_knee, 0.0)

    def t_star(self, distance_km: ArrayLike, frequencies: ArrayLike) -> Floats:
        """Return the attenuation time t* of S along its path, s; the arguments are broadcast."""
        seconds = 1000.0 * np.asarray(distance_km, float) / SHEAR_VELOCITY
        return np.asarray(seconds / self.q0 * np.asarray(frequencies, float) ** -self.q_exponent)


@cache
def calibration() -> dict[str, Any]:
    """Return the results of `docs/calibrate_simulator.py`, with lists as tuples."""
    text = (files("cgmgm_seis.simulator") / "data" / "bay_area_calibration.json").read_bytes()
    return dict(json.loads(text, object_hook=_with_tuples))


def _with_tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(x) if isinstance(x, list) else x for key, x in values.items()}


@cache
def bay_area() -> Coefficients:
    """Return the calibrated coefficients of the Bay Area that are bundled with the package."""
    return Coefficients(**calibration()["coefficients"])


@dataclass(frozen=True)
class Wave:
    """Differences between the spectrum of a wave and that of S on one horizontal component."""

    ln_level: float
    corner: float
    kappa: float
    t_star: float
    site: float
    site_shift: float


S = Wave(ln_level=0.0, corner=1.0, kappa=1.0, t_star=1.0, site=1.0, site_shift=1.0)
P = Wave(ln_level=-1.1, corner=1.5, kappa=0.7, t_star=0.75, site=0.5, site_shift=1.25)


def saturation_km(magnitude: ArrayLike) -> Floats:
    """Return the finite-fault term that is added to the distance in squares, km.

    Yenier & Atkinson (2015), BSSA 105, 1989, equation 6.
    """
    return np.asarray(10.0 ** (-0.405 + 0.235 * np.asarray(magnitude, float)))


def ln_spectrum(
    scenario: pd.DataFrame,
    frequencies: ArrayLike,
    stress_drop: ArrayLike | None = None,
    wave: Wave = S,
    fields: SpatialTerms | None = None,
    coefficients: Coefficients | None = None,
) -> Floats:
    """Return the ln FAS of velocity of scenarios, without event and record terms.

    Parameters
    ----------
    scenario : pandas.DataFrame
        Scenario table with paths.
    frequencies : array_like
        Hz, shape (frequency,).
    stress_drop : array_like, optional
        Stress drop, Pa, a scalar or shape (record,); by default the median.
    wave : Wave
        `S` on one horizontal component, or `P` on the vertical.
    fields : SpatialTerms, optional
        Spatial terms, by default those of `true_fields`.
    coefficients : Coefficients, optional
        Coefficients of the median, by default those of `bay_area`.

    Returns
    -------
    numpy.ndarray
        Shape (record, frequency); the FAS is in m/s x s.
    """
    fields = true_fields() if fields is None else fields
    c = bay_area() if coefficients is None else coefficients
    f = np.asarray(frequencies, float)
    magnitude = scenario["source_magnitude"].to_numpy(float)[:, None]
    depth = scenario["source_depth_km"].to_numpy(float)[:, None]
    # The distance of a receiver at the epicentre of a surface source would be zero.
    distance = np.maximum(scenario["path_hyp_distance_km"].to_numpy(float), 1.0)[:, None]
    distance = np.hypot(distance, saturation_km(magnitude))
    source = scenario["source_latitude_deg"], scenario["source_longitude_deg"]
    station = scenario["station_latitude_deg"], scenario["station_longitude_deg"]

    if stress_drop is None:
        stress_drop = c.median_stress_drop(magnitude, depth)
    corner = wave.corner * c.corner_frequency(magnitude, np.reshape(stress_drop, (-1, 1)))
    constant = S_RADIATION / (4.0 * np.pi * DENSITY * SHEAR_VELOCITY**3 * 1000.0)
    ln_source = np.log(constant * c.seismic_moment(magnitude) * 2.0 * np.pi * f)
    ln_source = ln_source + c.ln_displacement(f, magnitude, corner)
    t_star = c.t_star(distance, f) * (1.0 + fields.attenuation(*source, *station)[:, None])
    kappa = c.kappa + c.kappa_per_km * (depth - REFERENCE_DEPTH)
    spatial = fields.site(*station, f) + fields.source(*source, f)
    return (
        wave.ln_level
        + ln_source
        + c.ln_spreading(distance)
        - np.pi * f * (wave.t_star * t_star + wave.kappa * kappa)
        + wave.site * (c.site(f / wave.site_shift) + spatial)
    )
