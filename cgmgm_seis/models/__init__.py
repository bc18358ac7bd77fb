"""The generators."""

from typing import TYPE_CHECKING

from cgmgm_seis import lazy_names

if TYPE_CHECKING:
    from cgmgm_seis.models.base import GroundMotionModel
    from cgmgm_seis.models.cgmgm.model import CGMGM
    from cgmgm_seis.models.evolutionary.model import EvolutionaryCGM
    from cgmgm_seis.models.registry import register
    from cgmgm_seis.models.weights import load_model
    from cgmgm_seis.models.weights_archives import add_weights, pack_weights

__all__ = [
    "CGMGM",
    "EvolutionaryCGM",
    "GroundMotionModel",
    "add_weights",
    "load_model",
    "pack_weights",
    "register",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "CGMGM": "cgmgm.model",
        "EvolutionaryCGM": "evolutionary.model",
        "GroundMotionModel": "base",
        "add_weights": "weights_archives",
        "load_model": "weights",
        "pack_weights": "weights_archives",
        "register": "registry",
    },
)
