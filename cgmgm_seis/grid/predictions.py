"""Maps of a ground-motion model: its prediction at every node, in tasks like a generator's."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from cgmgm_seis.gmm.base import Prediction, compared_component
from cgmgm_seis.gmm.named import NamedGMM
from cgmgm_seis.grid.measures import Measures
from cgmgm_seis.grid.nodes import Nodes
from cgmgm_seis.grid.tasks import Arrays, NodeTasks
from cgmgm_seis.scenario.arrays import Floats


@dataclass(frozen=True)
class PredictionJob(NodeTasks):
    """Predictions of a ground-motion model at the nodes of a map.

    Parameters
    ----------
    gmm : NamedGMM
        The model.
    source : pandas.DataFrame
        Source columns of a scenario, one row.
    nodes : Nodes
        The receivers.
    measures : Measures
        Measures of the generator beside; the model predicts those that it defines.
    n_realizations : int
        Realizations of the generator beside, which only set the size of the tasks.
    folder, task_records
        As in `cgmgm_seis.grid.job.GridJob`.
    """

    gmm: NamedGMM
    source: pd.DataFrame
    nodes: Nodes
    measures: Measures
    n_realizations: int = 1
    folder: Path = Path(".grid.chunks")
    task_records: int = 1000

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What the results depend on, JSON-serialisable."""
        return {
            "gmm": [self.gmm.short, self.gmm.sha256],
            "source": self.source.to_dict(orient="records"),
            "nodes": self.nodes.digest(),
            "measures": self.measures.labels,
            "n_realizations": self.n_realizations,
            "task_records": self.task_records,
        }

    @property
    def about(self) -> dict[str, Any]:
        """What made the results, for the provenance."""
        return {"ground_motion_model": self.gmm.name, "sha256": self.gmm.sha256 or None}

    @property
    def labels(self) -> list[str]:
        """Names of the series, those of `measures`."""
        return self.measures.labels

    def run(self, first: int, last: int) -> Mapping[str, float]:
        """Predict and save one task; see `cgmgm_seis.grid.job.GridJob.run`."""
        began = perf_counter()
        labels, told = self.predict(self.nodes.scenario(self.source, first, last))
        columns = [self.labels.index(label) for label in labels if label in self.labels]
        own = told.of([place for place, label in enumerate(labels) if label in self.labels])
        arrays = {}
        for name, values in (("mean", own.mean), ("sd", own.sd), ("epistemic", own.epistemic)):
            arrays[name] = np.full((last - first, len(self.labels)), np.nan, np.float32)
            arrays[name][:, columns] = values
        self.chunks.save(first, last, **arrays)
        return {"generation": perf_counter() - began}

    def model_statistics(self, found: Arrays) -> dict[str, Floats]:
        """Return the statistics (node, series) of a task; NaN for what is not predicted.

        The standard deviation excludes the epistemic part where the model states it, as that of
        a generator does.
        """
        epistemic = found["epistemic"].astype(float)
        both = found["sd"].astype(float) ** 2 - np.nan_to_num(epistemic) ** 2
        return {
            "median": found["mean"].astype(float),
            "sigma": np.sqrt(np.maximum(both, 0.0)),
            "epistemic": epistemic,
        }

    def predict(self, scenario: pd.DataFrame) -> tuple[list[str], Prediction]:
        """Return the prediction of a scenario and the names of its series, see `NamedGMM`."""
        measures = self.measures
        component = compared_component(measures.component_order)
        return self.gmm.predict(scenario, component, measures.frequencies, measures.periods)
