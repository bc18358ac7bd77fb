"""The paper in one call: data, search, trainings, evaluation, maps and a report.

Names are imported when they are first used.
"""

from typing import TYPE_CHECKING

from cgmgm_seis import lazy_names

if TYPE_CHECKING:
    from cgmgm_seis.reproduction.paper import reproduce
    from cgmgm_seis.reproduction.recipe import QUICK, PaperRecipe, read_paper_recipe

__all__ = [
    "QUICK",
    "PaperRecipe",
    "read_paper_recipe",
    "reproduce",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "QUICK": "recipe",
        "PaperRecipe": "recipe",
        "read_paper_recipe": "recipe",
        "reproduce": "paper",
    },
)
