"""Measurements on records: peaks, spectra, durations and picks.

Names are imported when they are first used.
"""

from typing import TYPE_CHECKING

from cgmgm_seis import lazy_names

if TYPE_CHECKING:
    from cgmgm_seis.measures.familiar_units import find_measure
    from cgmgm_seis.measures.intensity import (
        acceleration,
        arias_intensity,
        cav,
        eas,
        fas,
        konno_ohmachi_matrix,
        pga,
        pgv,
        significant_duration,
        smoothed_fas,
    )
    from cgmgm_seis.measures.macroseismic_intensity import mmi
    from cgmgm_seis.measures.picks import load_picker, pick
    from cgmgm_seis.measures.quantities import displacement, in_quantity
    from cgmgm_seis.measures.response_spectra import psa, rotd50, rotd50_psa

__all__ = [
    "acceleration",
    "arias_intensity",
    "cav",
    "displacement",
    "eas",
    "fas",
    "find_measure",
    "in_quantity",
    "konno_ohmachi_matrix",
    "load_picker",
    "mmi",
    "pga",
    "pgv",
    "pick",
    "psa",
    "rotd50",
    "rotd50_psa",
    "significant_duration",
    "smoothed_fas",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "acceleration": "intensity",
        "arias_intensity": "intensity",
        "cav": "intensity",
        "displacement": "quantities",
        "eas": "intensity",
        "fas": "intensity",
        "find_measure": "familiar_units",
        "in_quantity": "quantities",
        "konno_ohmachi_matrix": "intensity",
        "load_picker": "picks",
        "mmi": "macroseismic_intensity",
        "pga": "intensity",
        "pgv": "intensity",
        "pick": "picks",
        "psa": "response_spectra",
        "rotd50": "response_spectra",
        "rotd50_psa": "response_spectra",
        "significant_duration": "intensity",
        "smoothed_fas": "intensity",
    },
)
