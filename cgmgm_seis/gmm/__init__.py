"""Ground-motion models for comparison with the generators: ergodic, non-ergodic and published.

Names are imported when they are first used.
"""

from typing import TYPE_CHECKING

from cgmgm_seis import lazy_names

if TYPE_CHECKING:
    from cgmgm_seis.gmm.base import ErgodicFAS, ErgodicGMM, FASModel, Prediction
    from cgmgm_seis.gmm.mixed_model import MixedModel
    from cgmgm_seis.gmm.named import NamedGMM
    from cgmgm_seis.gmm.nonergodic import NonErgodicFAS, Term
    from cgmgm_seis.gmm.pygmm_models import BA19, NGAWest2
    from cgmgm_seis.gmm.sine_basis import SineBasis

__all__ = [
    "BA19",
    "ErgodicFAS",
    "ErgodicGMM",
    "FASModel",
    "MixedModel",
    "NGAWest2",
    "NamedGMM",
    "NonErgodicFAS",
    "Prediction",
    "SineBasis",
    "Term",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "BA19": "pygmm_models",
        "ErgodicFAS": "base",
        "ErgodicGMM": "base",
        "FASModel": "base",
        "MixedModel": "mixed_model",
        "NGAWest2": "pygmm_models",
        "NamedGMM": "named",
        "NonErgodicFAS": "nonergodic",
        "Prediction": "base",
        "SineBasis": "sine_basis",
        "Term": "nonergodic",
    },
)
