"""Evaluation of models against the records of a data set: measures, picks, figures and a report.

Names are imported on first use, since worker processes need only a few of them.
"""

from typing import TYPE_CHECKING

from cgmgm_seis import lazy_names

if TYPE_CHECKING:
    from cgmgm_seis.evaluation.config import EvaluationConfig
    from cgmgm_seis.evaluation.flatfile import read_flatfile
    from cgmgm_seis.evaluation.flatfile_run import evaluate_flatfile
    from cgmgm_seis.evaluation.generators import load_generators
    from cgmgm_seis.evaluation.report import write_evaluation
    from cgmgm_seis.evaluation.run import evaluate
    from cgmgm_seis.evaluation.tables import Evaluation

__all__ = [
    "Evaluation",
    "EvaluationConfig",
    "evaluate",
    "evaluate_flatfile",
    "load_generators",
    "read_flatfile",
    "write_evaluation",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Evaluation": "tables",
        "EvaluationConfig": "config",
        "evaluate": "run",
        "evaluate_flatfile": "flatfile_run",
        "load_generators": "generators",
        "read_flatfile": "flatfile",
        "write_evaluation": "report",
    },
)
