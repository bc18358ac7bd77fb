"""Generative ground motion: ask for an earthquake, get seismograms.

Names are imported when they are first used, so that importing the package stays fast.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from cgmgm_seis.storage.seisbench_cache import ensure_cache

if TYPE_CHECKING:
    from cgmgm_seis.datasets.generated import read_output
    from cgmgm_seis.errors import CgmgmError
    from cgmgm_seis.models.base import GroundMotionModel
    from cgmgm_seis.models.cgmgm.model import CGMGM
    from cgmgm_seis.models.evolutionary.model import EvolutionaryCGM
    from cgmgm_seis.models.weights import load_model
    from cgmgm_seis.scenario.sources import source
    from cgmgm_seis.scenario.stations import bay_area_stations, receivers
    from cgmgm_seis.scenario.table import (
        check_scenario,
        cross,
        from_event_and_inventory,
        from_points,
    )

__all__ = [
    "CGMGM",
    "CgmgmError",
    "EvolutionaryCGM",
    "GroundMotionModel",
    "__version__",
    "bay_area_stations",
    "check_scenario",
    "cross",
    "from_event_and_inventory",
    "from_points",
    "load_model",
    "read_output",
    "receivers",
    "source",
]

__version__ = version("cgmgm-seis")

# Before any module imports SeisBench.
ensure_cache()


def lazy_names(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package that imports names when first used.

    Parameters
    ----------
    package : str
        Name of the package.
    homes : mapping
        Public name to the module that defines it, relative to the package.
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        return getattr(import_module(f"{package}.{homes[name]}"), name)

    return get, lambda: sorted(homes)


__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "CGMGM": "models.cgmgm.model",
        "CgmgmError": "errors",
        "EvolutionaryCGM": "models.evolutionary.model",
        "GroundMotionModel": "models.base",
        "bay_area_stations": "scenario.stations",
        "check_scenario": "scenario.table",
        "cross": "scenario.table",
        "from_event_and_inventory": "scenario.table",
        "from_points": "scenario.table",
        "load_model": "models.weights",
        "read_output": "datasets.generated",
        "receivers": "scenario.stations",
        "source": "scenario.sources",
    },
)
