"""Measures of ground motion: their names, SI units and the units that maps show."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.measures.intensity import GRAVITY
from cgmgm_seis.scenario.arrays import Floats


@dataclass(frozen=True)
class Measure:
    """A measure of ground motion, with its SI unit and the unit in which it is usually given.

    Parameters
    ----------
    name : str
        Name in options, files and tables, such as "pga".
    symbol : str
        Name in texts and figures, such as "PGA".
    label : str
        What is measured, in words.
    unit : str
        SI unit, as texts write it.
    familiar_unit : str
        Unit of maps, as texts write it.
    factor : float
        Number of familiar units in one SI unit.
    familiar_cf_unit : str
        The familiar unit as the conventions of netCDF (UDUNITS) write it.
    """

    name: str
    symbol: str
    label: str
    unit: str
    familiar_unit: str
    factor: float
    familiar_cf_unit: str

    def familiar(self, values: ArrayLike) -> Floats:
        """Return values, in SI units, in familiar units.

        Examples
        --------
        >>> round(float(find_measure("pga").familiar(0.980665)), 6)
        10.0
        """
        return np.asarray(values, float) * self.factor

    def familiar_of_ln(self, ln_values: ArrayLike) -> Floats:
        """Return values, as natural logarithms of SI values, in familiar units.

        Examples
        --------
        >>> round(float(find_measure("pgv").familiar_of_ln(0.0)), 6)
        100.0
        """
        return self.familiar(np.exp(np.asarray(ln_values, float)))


_PERCENT_G = ("m/s2", "%g", 100.0 / GRAVITY, "percent gravity")
_SPECTRUM = ("m/s s", "cm/s s", 100.0, "cm")

MEASURES = {
    measure.name: measure
    for measure in (
        Measure("fas", "FAS", "Fourier amplitude of velocity", *_SPECTRUM),
        Measure("eas", "EAS", "effective amplitude of velocity", *_SPECTRUM),
        Measure("pga", "PGA", "peak ground acceleration", *_PERCENT_G),
        Measure("pgv", "PGV", "peak ground velocity", "m/s", "cm/s", 100.0, "cm s-1"),
        Measure("psa", "PSA", "pseudo-spectral acceleration", *_PERCENT_G),
        Measure("mmi", "MMI", "Modified Mercalli intensity", "MMI", "MMI", 1.0, "1"),
    )
}


def find_measure(name: str) -> Measure:
    """Return the measure of a name.

    Raises
    ------
    CgmgmError
        If the name is unknown.

    Examples
    --------
    >>> find_measure("psa").familiar_unit
    '%g'
    """
    if name not in MEASURES:
        raise CgmgmError(f"Measure '{name}' must be one of {', '.join(MEASURES)}.")
    return MEASURES[name]
