"""Generative ground motion: ask for an earthquake, get seismograms.

Names are imported when they are first used, so that importing the package stays fast.
"""

from importlib import import_module
from importlib.metadata import version
from typing import Any

__version__ = version("cgmgm-seis")

_HOMES = {
    "CGMGM": "cgmgm_seis.models.cgmgm",
    "CgmgmError": "cgmgm_seis.errors",
    "EvolutionaryCGM": "cgmgm_seis.models.evolutionary",
    "GroundMotionModel": "cgmgm_seis.models.base",
    "bay_area_stations": "cgmgm_seis.stations",
    "check_scenario": "cgmgm_seis.scenario",
    "from_event_and_inventory": "cgmgm_seis.scenario",
    "from_points": "cgmgm_seis.scenario",
    "load_model": "cgmgm_seis.pretrained",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'cgmgm_seis' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
