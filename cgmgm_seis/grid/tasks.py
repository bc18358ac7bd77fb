"""A computation at the nodes of a map in tasks of some nodes; finished tasks are saved."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from cgmgm_seis.errors import OutputError
from cgmgm_seis.grid.nodes import Nodes
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.storage.chunks import Chunks
from cgmgm_seis.storage.run_lock import clear_unfinished

Arrays = Mapping[str, NDArray[Any]]

# Statistics of the maps of several models: name in the files, and description.
MODEL_STATISTICS = {
    "median": "median",
    "sigma": "standard deviation, between and within events",
    "epistemic": "standard deviation of the median itself",
}


class NodeTasks(ABC):
    """What jobs of generators and of ground-motion models have in common.

    Jobs with equal nodes, `n_realizations` and `task_records` have equal tasks.
    """

    source: pd.DataFrame
    nodes: Nodes
    n_realizations: int
    folder: Path
    task_records: int

    @property
    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """What the results depend on, JSON-serialisable."""

    @property
    @abstractmethod
    def about(self) -> dict[str, Any]:
        """What made the results, for the provenance."""

    @property
    @abstractmethod
    def labels(self) -> list[str]:
        """Names of the series, as those of `cgmgm_seis.grid.measures.Measures`."""

    @abstractmethod
    def run(self, first: int, last: int) -> Mapping[str, float]:
        """Compute and save one task; return seconds spent in its parts."""

    @abstractmethod
    def model_statistics(self, found: Arrays) -> dict[str, Floats]:
        """Return `MODEL_STATISTICS` (node, series) of the arrays of a task."""

    @cached_property
    def chunks(self) -> Chunks:
        """Finished tasks on disk."""
        return Chunks(self.folder, self.identity)

    @property
    def tasks(self) -> list[tuple[int, int]]:
        """First node, and node after the last, of every task."""
        step = max(1, self.task_records // self.n_realizations)
        starts = range(0, len(self.nodes), step)
        return [(first, min(first + step, len(self.nodes))) for first in starts]

    def load(self, first: int, last: int) -> dict[str, NDArray[Any]] | None:
        """Return the arrays of a task, or None if it is unfinished or damaged."""
        return self.chunks.load(first, last)

    def result(self, first: int, last: int) -> dict[str, NDArray[Any]]:
        """Return the arrays of a finished task.

        Raises
        ------
        OutputError
            If the task is not finished.
        """
        found = self.chunks.load(first, last)
        if found is None:
            raise OutputError(
                f"The chunk of nodes {first} to {last - 1} in {self.folder} is missing or "
                "damaged; the same command computes it again."
            )
        return found

    def results(self) -> Iterator[tuple[int, int, dict[str, NDArray[Any]]]]:
        """Yield every task with its arrays; all tasks must be finished, see `result`."""
        for first, last in self.tasks:
            yield first, last, self.result(first, last)

    def discard(self) -> None:
        """Delete the finished tasks of this job, and the folder if it is then empty."""
        for first, last in self.tasks:
            self.chunks.discard(first, last)
        clear_unfinished(self.folder)
        with suppress(OSError):
            self.folder.rmdir()
