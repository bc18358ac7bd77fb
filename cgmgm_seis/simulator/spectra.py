"""Fourier spectra of the stochastic method (Boore 2003): source, path and site.

    ln A(f) = ln source + ln spreading - pi f t*(R) - pi f kappa + generic site + spatial terms

P and S differ: P has the higher corner frequency and loses less on its way, as recorded ones do.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import PchipInterpolator

from cgmgm_seis.simulator.region import RegionFields, true_fields

Floats = NDArray[np.float64]

SHEAR_VELOCITY = 3500.0  # m/s, at the source
DENSITY = 2800.0  # kg/m3
# Mean radiation x one of two horizontals x free surface (Boore 2003).
S_RADIATION = 0.55 * 0.707 * 2.0
# Geometric spreading: (R / length)^-exponent / length.
SPREADING_EXPONENT = 1.3
SPREADING_LENGTH = 10.0  # km

# Median stress drop at M 3, and its growth with magnitude, as often found for small earthquakes.
STRESS_DROP = 3.0e6  # Pa
LN_STRESS_DROP_PER_MAGNITUDE = 0.4
# Attenuation of S: t*(R, f) = PATH_T_STAR ln(1 + R / PATH_LENGTH) f^-Q_EXPONENT.  Longer rays dive
# deeper, where Q is higher, so t* grows with the logarithm of distance.
PATH_T_STAR = 0.053  # s
PATH_LENGTH = 5.0  # km
Q_EXPONENT = 0.3
# Shallow attenuation, less for deeper sources.
KAPPA = 0.05  # s, at REFERENCE_DEPTH
KAPPA_PER_KM = -0.0011  # s/km
REFERENCE_DEPTH = 8.0  # km

# Generic amplification of the region's sites: what its published ergodic FAS model, in
# `cgmgm_seis.gmm`, adds to the terms above at 2 to 15 Hz, and a smooth continuation beyond.
GENERIC_SITE = PchipInterpolator(
    np.log([0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 25.0, 50.0]),
    [0.2, 0.5, 0.8, 1.15, 2.42, 2.17, 1.0, -1.5, -4.0],
)


@dataclass(frozen=True)
class Wave:
    """How the spectrum of a wave differs from that of S on one horizontal component."""

    ln_level: float
    corner: float
    kappa: float
    t_star: float
    site: float
    site_shift: float


S = Wave(ln_level=0.0, corner=1.0, kappa=1.0, t_star=1.0, site=1.0, site_shift=1.0)
P = Wave(ln_level=-1.1, corner=1.5, kappa=0.7, t_star=0.75, site=0.5, site_shift=1.25)


def seismic_moment(magnitude: ArrayLike) -> Floats:
    """Return the moment in N m of a moment magnitude (Hanks & Kanamori 1979)."""
    return 10.0 ** (1.5 * np.asarray(magnitude, float) + 9.05)


def median_stress_drop(magnitude: ArrayLike) -> Floats:
    """Return the region's median stress drop in Pa."""
    return STRESS_DROP * np.exp(LN_STRESS_DROP_PER_MAGNITUDE * (np.asarray(magnitude, float) - 3.0))


def corner_frequency(magnitude: ArrayLike, stress_drop: ArrayLike) -> Floats:
    """Return the corner frequency of S in Hz for a stress drop in Pa (Brune 1970; Boore 2003)."""
    ratio = np.asarray(stress_drop, float) / seismic_moment(magnitude)
    return 0.491 * SHEAR_VELOCITY * np.cbrt(ratio)


def ln_spectrum(
    scenario: pd.DataFrame,
    frequencies: ArrayLike,
    stress_drop: ArrayLike | None = None,
    wave: Wave = S,
    fields: RegionFields | None = None,
) -> Floats:
    """Return the true ln FAS of velocity of scenarios, before any event or record term.

    Parameters
    ----------
    scenario : pandas.DataFrame
        Scenario table with paths.
    frequencies : array_like
        Hz, shape (frequency,).
    stress_drop : array_like, optional
        Pa, a scalar or shape (record,); by default the median.
    wave : Wave
        `S` on one horizontal component, or `P` on the vertical.
    fields : RegionFields, optional
        Spatial terms, by default the region's.

    Returns
    -------
    numpy.ndarray
        Shape (record, frequency); the FAS is in m/s x s.
    """
    fields = true_fields() if fields is None else fields
    f = np.asarray(frequencies, float)
    magnitude = scenario["source_magnitude"].to_numpy(float)[:, None]
    depth = scenario["source_depth_km"].to_numpy(float)[:, None]
    # A receiver above the hypocentre of a surface source would be at no distance at all.
    distance = np.maximum(scenario["path_hyp_distance_km"].to_numpy(float), 1.0)[:, None]
    source = scenario["source_latitude_deg"], scenario["source_longitude_deg"]
    station = scenario["station_latitude_deg"], scenario["station_longitude_deg"]

    if stress_drop is None:
        stress_drop = median_stress_drop(magnitude)
    corner = wave.corner * corner_frequency(magnitude, np.reshape(stress_drop, (-1, 1)))
    constant = S_RADIATION / (4.0 * np.pi * DENSITY * SHEAR_VELOCITY**3 * 1000.0)
    ln_source = np.log(constant * seismic_moment(magnitude) * 2.0 * np.pi * f)
    ln_source = ln_source - np.log1p((f / corner) ** 2)
    excess = 1.0 + fields.attenuation(*source, *station)[:, None]
    t_star = PATH_T_STAR * np.log1p(distance / PATH_LENGTH) * f**-Q_EXPONENT * excess
    kappa = KAPPA + KAPPA_PER_KM * (depth - REFERENCE_DEPTH) + fields.kappa(*station)[:, None]
    spatial = fields.site(*station, f) + fields.source(*source, f)
    return (
        wave.ln_level
        + ln_source
        - np.log(SPREADING_LENGTH)
        - SPREADING_EXPONENT * np.log(distance / SPREADING_LENGTH)
        - np.pi * f * (wave.t_star * t_star + wave.kappa * kappa)
        + wave.site * (GENERIC_SITE(np.log(f / wave.site_shift)) + spatial)
    )
