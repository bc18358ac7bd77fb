"""Training of a generator: settings, data, loop and run folder.

Names are imported when they are first used.
"""

from typing import TYPE_CHECKING

from cgmgm_seis import lazy_names

if TYPE_CHECKING:
    from cgmgm_seis.training.config import TrainingConfig
    from cgmgm_seis.training.recipe import Recipe
    from cgmgm_seis.training.run import train

__all__ = [
    "Recipe",
    "TrainingConfig",
    "train",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Recipe": "recipe",
        "TrainingConfig": "config",
        "train": "run",
    },
)
