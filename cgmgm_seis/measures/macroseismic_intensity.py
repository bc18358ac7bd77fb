"""Modified Mercalli intensity of peak motion (Worden et al. 2012)."""

import numpy as np
from numpy.typing import ArrayLike

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.scenario.arrays import Floats

SOURCE = "Worden et al. (2012)"
# Smallest and largest intensity, as ShakeMap gives them.
LOWEST, HIGHEST = 1.0, 10.0

# Intensity is linear in log10 of the motion, in cm/s2 or cm/s, between these motions: intercept,
# slope, and log10 of the motion at which the next line begins.  The second and third line are
# equation 3 and Table 1 of the paper, the first is ShakeMap's for intensities below 2.
_LINES = {
    "pga": ((1.71, 2.08, 0.14), (1.78, 1.55, 1.57), (-1.60, 3.70, np.inf)),
    "pgv": ((4.62, 2.17, -1.21), (3.78, 1.47, 0.53), (2.89, 3.16, np.inf)),
}


def mmi(*, pga: ArrayLike | None = None, pgv: ArrayLike | None = None) -> Floats:
    """Return the Modified Mercalli intensity of peak ground motion in California.

    The relations of Worden et al. (2012) without magnitude and distance, as ShakeMap applies them
    (WGRW12): from PGV where it is given, because it predicts intensity with less scatter (0.65
    against 0.73), otherwise from PGA.  They increase with the motion (except for steps of less than
    0.01 between their lines), so that the intensity of a median or percentile of the motion is the
    median or percentile of the intensity.

    Parameters
    ----------
    pga : array_like, optional
        Peak ground acceleration, m/s2, any shape.
    pgv : array_like, optional
        Peak ground velocity, m/s, any shape.

    Returns
    -------
    numpy.ndarray
        Intensity from 1 to 10, not rounded, with the shape of the motion; NaN where that is NaN.

    Raises
    ------
    CgmgmError
        If neither is given.

    References
    ----------
    Worden, C. B., M. C. Gerstenberger, D. A. Rhoades and D. J. Wald (2012). Probabilistic
    relationships between ground-motion parameters and Modified Mercalli intensity in California.
    Bull. Seismol. Soc. Am. 102(1), 204-221.

    Examples
    --------
    10 cm/s is very strong shaking.

    >>> round(float(mmi(pgv=0.10)), 2)
    6.05
    """
    name, motion = ("pga", pga) if pgv is None else ("pgv", pgv)
    if motion is None:
        raise CgmgmError("Intensity needs pga or pgv, but neither is given.")
    with np.errstate(divide="ignore"):
        x = np.log10(100.0 * np.asarray(motion, float))
    values = np.full_like(x, np.nan)
    begin = -np.inf
    for intercept, slope, end in _LINES[name]:
        values = np.where((x >= begin) & (x < end), intercept + slope * x, values)
        begin = end
    # Infinite motion is on no line.
    return np.clip(np.where(x == np.inf, HIGHEST, values), LOWEST, HIGHEST)
