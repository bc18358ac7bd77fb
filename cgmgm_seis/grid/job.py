"""The work of a map: tasks of some nodes and all realizations, each kept when it is finished."""

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from io import BytesIO
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from obspy import Stream

from cgmgm_seis.chunks import Chunks
from cgmgm_seis.errors import OutputError, ScenarioError
from cgmgm_seis.grid.measures import Measures
from cgmgm_seis.grid.nodes import Nodes
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.pretrained import load_model
from cgmgm_seis.streams import location_code, to_stream

# Records drawn before they are measured: 18 MB of three-component waveforms.
DRAWN_RECORDS = 250
ENCODINGS = {"float32": "FLOAT32", "steim2": "STEIM2"}
# Counts a m/s of integer waveforms: a picometre a second.  Steim-2 takes differences of 29 bits.
COUNTS_PER_M_S = 1e12
LARGEST_DIFFERENCE = 2**29 - 1
# Step of the movie's envelope, s.
MOVIE_STEP_S = 0.5


@dataclass(frozen=True)
class GridJob:
    """An earthquake at the nodes of a map.

    Parameters
    ----------
    model : GroundMotionModel
        The generator, with its weights.
    weights : str
        Name or path of the weights: workers load them again.
    source : pandas.DataFrame
        Source columns of a scenario, one row.
    nodes : Nodes
        The receivers.
    measures : Measures
        What is kept of every record.
    n_realizations, seed : int
        As in `GroundMotionModel.sample`.
    waveforms : bool
        Keep the records too, as MiniSEED.
    encoding : str
        "float32", or "steim2": integers of `COUNTS_PER_M_S` or less a m/s.
    movie : bool
        Keep the envelopes of realization 0.
    extrapolate : bool
        Warn instead of raising outside the trained ranges.
    device : str
        Where the generator runs.
    folder : pathlib.Path
        Where finished tasks are kept; shared by all workers.
    task_records : int
        Records of a task, about.  The samples do not depend on it, but their last bits may.
    """

    model: GroundMotionModel
    weights: str
    source: pd.DataFrame
    nodes: Nodes
    measures: Measures
    n_realizations: int = 1
    seed: int = 0
    waveforms: bool = True
    encoding: str = "float32"
    movie: bool = False
    extrapolate: bool = False
    device: str = "cpu"
    folder: Path = Path(".grid.chunks")
    task_records: int = 1000

    def __post_init__(self) -> None:
        if self.n_realizations < 1:
            raise ScenarioError(f"n = {self.n_realizations} realizations are too few; 1 or more.")
        if self.encoding not in ENCODINGS:
            raise OutputError(
                f"Encoding '{self.encoding}' is unknown; {' and '.join(ENCODINGS)} are known."
            )
        if self.measures.n_series == 0:
            raise ScenarioError("0 measures are left for this model; at least one is needed.")

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What the results depend on, JSON-ready."""
        return {
            "weights": self.model.weights_sha256,
            "source": self.source.to_dict(orient="records"),
            "nodes": self.nodes.digest(),
            "measures": self.measures.labels,
            "n_realizations": self.n_realizations,
            "seed": self.seed,
            "waveforms": self.encoding if self.waveforms else None,
            "movie": self.movie,
            "device": self.device,
            "task_records": self.task_records,
        }

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

    @property
    def realizations_written(self) -> range:
        """Realizations whose waveforms are kept."""
        return range(self.n_realizations if self.waveforms else 0)

    def waveform_path(self, realization: int, first: int, last: int) -> Path:
        """Return where a task's MiniSEED of a realization is, in `folder`."""
        name = f"nodes_{first:07d}-{last - 1:07d}.mseed"
        return self.folder / self.chunks.name / realization_name(realization) / name

    def load(self, first: int, last: int) -> dict[str, NDArray[Any]] | None:
        """Return a finished task's arrays; None if it is not, or a file of it is damaged."""
        found = self.chunks.load(first, last)
        if found is None:
            return None
        for k in self.realizations_written:
            path = self.waveform_path(k, first, last)
            digest = bytes(found["digests"][k])
            if not path.is_file() or hashlib.sha256(path.read_bytes()).digest() != digest:
                return None
        return found

    def results(self) -> Iterator[tuple[int, int, dict[str, NDArray[Any]]]]:
        """Yield every task with its arrays; all must be finished.

        Raises
        ------
        OutputError
            If one is not.
        """
        for first, last in self.tasks:
            found = self.chunks.load(first, last)
            if found is None:
                raise OutputError(
                    f"The chunk of nodes {first} to {last - 1} in {self.folder} is missing or "
                    "damaged; the same command draws it again."
                )
            yield first, last, found

    def discard(self) -> None:
        """Delete the finished tasks of this job, and the folder if nothing else is in it."""
        for first, last in self.tasks:
            self.chunks.discard(first, last)
        shutil.rmtree(self.folder / self.chunks.name, ignore_errors=True)
        with suppress(OSError):
            self.folder.rmdir()

    def run(self, first: int, last: int) -> Mapping[str, float]:
        """Draw, measure and keep one task.

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
        parts, envelopes = [], []
        streams = [Stream() for _ in self.realizations_written]
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
                    f"The generator gave NaN at one of the nodes {first} to {last - 1}; its "
                    "weights do not fit this scenario."
                )
            parts.append(self.measures(records))
            if self.movie:
                envelopes.append(self._envelope(records[:, 0]))
            measured = perf_counter()
            for k, stream in enumerate(streams):
                stream += self._stream(records[:, k], part, k)
            seconds["generation"] += drawn - began
            seconds["measures"] += measured - drawn
            seconds["writing"] += perf_counter() - measured
        began = perf_counter()
        arrays = {"measures": np.concatenate(parts)}
        if self.movie:
            arrays["envelope"] = np.concatenate(envelopes)
        if streams:
            arrays["digests"] = np.stack(
                [self._write(s, self.waveform_path(k, first, last)) for k, s in enumerate(streams)]
            )
            arrays["scales"] = np.array([[t.stats.counts for t in s] for s in streams])
        self.chunks.save(first, last, **arrays)
        seconds["writing"] += perf_counter() - began
        return seconds

    def _stream(self, records: NDArray[np.float32], scenario: pd.DataFrame, k: int) -> Stream:
        """Return the records (record, component, sample) of one realization."""
        stream = to_stream(
            records[:, None],
            scenario,
            sampling_rate=self.model.sampling_rate,
            start_offset_s=self.model.start_offset_s,
            component_order=self.model.component_order,
        )
        for trace in stream:
            trace.stats.location = location_code(k)
            trace.stats.counts = 1.0
            if self.encoding == "steim2":
                trace.stats.counts = _counts(trace.data)
                trace.data = np.rint(trace.data * trace.stats.counts).astype(np.int32)
        return stream

    def _write(self, stream: Stream, path: Path) -> NDArray[np.uint8]:
        """Write MiniSEED, complete or not at all; return its checksum."""
        buffer = BytesIO()
        stream.write(buffer, format="MSEED", encoding=ENCODINGS[self.encoding])
        content = buffer.getvalue()
        temporary = path.with_suffix(".part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(content)
            temporary.replace(path)
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from error
        return np.frombuffer(hashlib.sha256(content).digest(), np.uint8)

    def _envelope(self, records: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the largest velocity of any component in every step, (record, step), m/s."""
        n = round(MOVIE_STEP_S * self.model.sampling_rate)
        steps = records.shape[-1] // n
        cut = np.abs(records[..., : steps * n]).max(axis=1)
        return np.asarray(cut.reshape(len(records), steps, n).max(axis=-1))

    # ---- for workers -----------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """Leave the model out: workers load it by name, which is faster and safer."""
        kept = dict(self.__dict__, model=None)
        return kept | {"sha256": self.model.weights_sha256}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Load the model; the same weights or none."""
        wanted = state.pop("sha256")
        torch.set_num_threads(1)
        state["model"] = _loaded(state["weights"], state["device"])
        if state["model"].weights_sha256 != wanted:
            raise OutputError(f"Weights {state['weights']} are others here; all workers need one.")
        self.__dict__.update(state)


@cache
def _loaded(weights: str, device: str) -> GroundMotionModel:
    """Load a model once a process."""
    return load_model(weights, device)


def realization_name(realization: int) -> str:
    """Return the folder of a realization's waveforms.

    Examples
    --------
    >>> realization_name(7)
    'realization_0007'
    """
    return f"realization_{realization:04d}"


def _counts(data: NDArray[np.float32]) -> float:
    """Return a power of ten, the counts of 1 m/s, that Steim-2 can hold."""
    step = float(np.abs(np.diff(data.astype(float), prepend=0.0)).max())
    counts = COUNTS_PER_M_S
    while step * counts > LARGEST_DIFFERENCE - 1 or np.abs(data).max() * counts > 2**31 - 2:
        counts /= 10.0
    return counts
