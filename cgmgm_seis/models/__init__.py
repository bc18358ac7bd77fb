"""The generators."""

from typing import TYPE_CHECKING

from cgmgm_seis import lazy_names

if TYPE_CHECKING:
    from cgmgm_seis.models.base import GroundMotionModel
    from cgmgm_seis.models.cgmgm.model import CGMGM
    from cgmgm_seis.models.evolutionary.model import EvolutionaryCGM
    from cgmgm_seis.models.registry import register
    from cgmgm_seis.models.weights import load_model

__all__ = ["CGMGM", "EvolutionaryCGM", "GroundMotionModel", "load_model", "register"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "CGMGM": "cgmgm.model",
        "EvolutionaryCGM": "evolutionary.model",
        "GroundMotionModel": "base",
        "load_model": "weights",
        "register": "registry",
    },
)
