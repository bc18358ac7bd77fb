"""Computation of a map in tasks of some nodes and all realizations; finished tasks are saved."""

import copy
import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from cgmgm_seis.errors import OutputError, ScenarioError
from cgmgm_seis.grid.measures import Measures
from cgmgm_seis.grid.nodes import Nodes
from cgmgm_seis.grid.waveforms import WaveformFiles
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.models.weights import load_model
from cgmgm_seis.scenario.codes import check_format_codes
from cgmgm_seis.storage.chunks import Chunks
from cgmgm_seis.storage.files import write_file

# Records drawn at once before they are measured: 18 MB of three-component waveforms.
DRAWN_RECORDS = 250
# Time step of the movie, s.
MOVIE_STEP_S = 0.5


@dataclass(frozen=True)
class GridJob:
    """An earthquake at the nodes of a map.

    Parameters
    ----------
    model : GroundMotionModel
        The generator, with its weights.
    weights : str
        Name or path of the weights; workers load them again.
    source : pandas.DataFrame
        Source columns of a scenario, one row.
    nodes : Nodes
        The receivers.
    measures : Measures
        Measures computed for every record.
    n_realizations, seed : int
        As in `GroundMotionModel.sample`.
    waveforms : bool
        Also save the records.
    format, encoding : str
        Format and encoding of the records, see `WaveformFiles`.
    movie : bool
        Save the envelopes of realization 0.
    extrapolate : bool
        Warn instead of raising outside the trained ranges.
    device : str
        Device on which the generator runs.
    folder : pathlib.Path
        Folder where finished tasks are saved; shared by all workers.
    task_records : int
        Approximate number of records per task; affects the samples by rounding only.
    """

    model: GroundMotionModel
    weights: str
    source: pd.DataFrame
    nodes: Nodes
    measures: Measures
    n_realizations: int = 1
    seed: int = 0
    waveforms: bool = True
    format: str = "mseed"
    encoding: str = "float32"
    movie: bool = False
    extrapolate: bool = False
    device: str = "cpu"
    folder: Path = Path(".grid.chunks")
    task_records: int = 1000

    def __post_init__(self) -> None:
        if self.n_realizations < 1:
            raise ScenarioError(f"n_realizations = {self.n_realizations} must be at least 1.")
        WaveformFiles(self.format, self.encoding)  # raises if format and encoding do not match
        if self.waveforms and self.nodes.codes is not None:
            check_format_codes(self.nodes.codes, self.format)
        if self.measures.n_series == 0:
            raise ScenarioError(
                f"None of the measures {', '.join(self.measures.kinds) or '(none)'} is defined for "
                f"a model with components {self.measures.component_order}."
            )

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What the results depend on, JSON-serialisable."""
        return {
            "weights": self.model.weights_sha256,
            "given": self.model.conditioning.digest() if self.model.conditioning else None,
            "source": self.source.to_dict(orient="records"),
            "nodes": self.nodes.digest(),
            "measures": self.measures.labels,
            "n_realizations": self.n_realizations,
            "seed": self.seed,
            "waveforms": [self.format, self.encoding] if self.waveforms else None,
            "movie": self.movie,
            "device": self.device,
            "task_records": self.task_records,
        }

    @cached_property
    def chunks(self) -> Chunks:
        """Finished tasks on disk."""
        return Chunks(self.folder, self.identity)

    @cached_property
    def files(self) -> WaveformFiles:
        """Format and encoding of the waveform files."""
        return WaveformFiles(self.format, self.encoding)

    @property
    def tasks(self) -> list[tuple[int, int]]:
        """First node, and node after the last, of every task."""
        step = max(1, self.task_records // self.n_realizations)
        starts = range(0, len(self.nodes), step)
        return [(first, min(first + step, len(self.nodes))) for first in starts]

    @property
    def realizations_written(self) -> range:
        """Realizations whose waveforms are saved."""
        return range(self.n_realizations if self.waveforms else 0)

    def waveform_paths(self, first: int, last: int) -> dict[str, Path]:
        """Return the paths of a task's waveform files, by file name."""
        if not self.waveforms:
            return {}
        place = self.folder / self.chunks.name
        return {name: place / name for name in self.files.names(first, last, self.n_realizations)}

    def load(self, first: int, last: int) -> dict[str, NDArray[Any]] | None:
        """Return the arrays of a task, or None if it is unfinished or one of its files damaged."""
        found = self.chunks.load(first, last)
        if found is None:
            return None
        for number, path in enumerate(self.waveform_paths(first, last).values()):
            digest = bytes(found["digests"][number])
            if not path.is_file() or hashlib.sha256(path.read_bytes()).digest() != digest:
                return None
        return found

    def results(self) -> Iterator[tuple[int, int, dict[str, NDArray[Any]]]]:
        """Yield every task with its arrays; all tasks must be finished.

        Raises
        ------
        OutputError
            If a task is not finished.
        """
        for first, last in self.tasks:
            found = self.chunks.load(first, last)
            if found is None:
                raise OutputError(
                    f"The chunk of nodes {first} to {last - 1} in {self.folder} is missing or "
                    "damaged; the same command computes it again."
                )
            yield first, last, found

    def discard(self) -> None:
        """Delete the finished tasks of this job, and the folder if it is then empty."""
        for first, last in self.tasks:
            self.chunks.discard(first, last)
        shutil.rmtree(self.folder / self.chunks.name, ignore_errors=True)
        with suppress(OSError):
            self.folder.rmdir()

    def run(self, first: int, last: int) -> Mapping[str, float]:
        """Draw, measure and save the records of one task.

        Returns
        -------
        dict
            Seconds spent in "generation", "measures" and "writing".

        Raises
        ------
        OutputError
            If a file cannot be written.
        """
        seconds = dict.fromkeys(("generation", "measures", "writing"), 0.0)
        scenario = self.nodes.scenario(self.source, first, last)
        parts, envelopes, kept = [], [], []
        step = max(1, DRAWN_RECORDS // self.n_realizations)
        for start in range(0, len(scenario), step):
            part = scenario.iloc[start : start + step].reset_index(drop=True)
            began = perf_counter()
            records = self.model.sample(
                part, self.n_realizations, self.seed, extrapolate=self.extrapolate
            )
            drawn = perf_counter()
            if not np.isfinite(records).all():
                raise ScenarioError(
                    f"The generator returned NaN or infinity at one of the nodes {first} to "
                    f"{last - 1}; its weights are not suitable for this scenario."
                )
            parts.append(self.measures(records))
            if self.movie:
                envelopes.append(self._envelope(records[:, 0]))
            if self.waveforms:
                kept.append(records)
            seconds["generation"] += drawn - began
            seconds["measures"] += perf_counter() - drawn
        began = perf_counter()
        arrays: dict[str, NDArray[Any]] = {"measures": np.concatenate(parts)}
        if self.movie:
            arrays["envelope"] = np.concatenate(envelopes)
        if kept:
            records = np.concatenate(kept)
            files, arrays["scales"] = self.files.contents(self.model, scenario, records)
            paths = self.waveform_paths(first, last).values()
            digests = [_write(*pair) for pair in zip(paths, files, strict=True)]
            arrays["digests"] = np.stack(digests)
        self.chunks.save(first, last, **arrays)
        seconds["writing"] += perf_counter() - began
        return seconds

    def _envelope(self, records: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the peak velocity over all components in every step, (record, step), m/s."""
        n = round(MOVIE_STEP_S * self.model.sampling_rate)
        steps = records.shape[-1] // n
        cut = np.abs(records[..., : steps * n]).max(axis=1)
        return np.asarray(cut.reshape(len(records), steps, n).max(axis=-1))

    # ---- for workers -----------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """Exclude the model: workers load it by name, which is faster and safer."""
        kept = dict(self.__dict__, model=None)
        return kept | {
            "sha256": self.model.weights_sha256,
            "conditioning": self.model.conditioning,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Load the model and check that the weights are the same."""
        wanted, conditioning = state.pop("sha256"), state.pop("conditioning")
        torch.set_num_threads(1)
        # A copy shares the networks; the model in the cache stays unconditioned.
        state["model"] = copy.copy(_loaded(state["weights"], state["device"]))
        state["model"].conditioning = conditioning
        if state["model"].weights_sha256 != wanted:
            raise OutputError(
                f"Weights {state['weights']} differ on this worker; all workers must load the same "
                "file."
            )
        self.__dict__.update(state)


@cache
def _loaded(weights: str, device: str) -> GroundMotionModel:
    """Load a model once per process."""
    return load_model(weights, device)


def _write(path: Path, content: bytes) -> NDArray[np.uint8]:
    """Write a file atomically; return its checksum."""
    write_file(path, content)
    return np.frombuffer(hashlib.sha256(content).digest(), np.uint8)
