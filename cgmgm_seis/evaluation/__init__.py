"""Models against the records of a data set: measures, picks, figures and one report.

Names are imported when they are first used: the processes that measure need little of this.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cgmgm_seis.evaluation.flatfile_run import evaluate_flatfile
    from cgmgm_seis.evaluation.report import write_evaluation
    from cgmgm_seis.evaluation.run import evaluate, load_generators
    from cgmgm_seis.evaluation.tables import Evaluation

_HOMES = {
    "Evaluation": "cgmgm_seis.evaluation.tables",
    "evaluate": "cgmgm_seis.evaluation.run",
    "evaluate_flatfile": "cgmgm_seis.evaluation.flatfile_run",
    "load_generators": "cgmgm_seis.evaluation.run",
    "write_evaluation": "cgmgm_seis.evaluation.report",
}

__all__ = [
    "Evaluation",
    "evaluate",
    "evaluate_flatfile",
    "load_generators",
    "write_evaluation",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'cgmgm_seis.evaluation' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
