"""Computation of a map in tasks of some nodes and all realizations; finished tasks are saved."""

import copy
import hashlib
import shutil
import warnings
from collections.abc import Mapping
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
from cgmgm_seis.grid.tasks import Arrays, NodeTasks
from cgmgm_seis.grid.waveforms import WaveformFiles
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.models.conditions import ExtrapolationWarning
from cgmgm_seis.models.weights import load_model
from cgmgm_seis.output.provenance import trained_on
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.codes import check_format_codes
from cgmgm_seis.scenario.seeding import check_seed
from cgmgm_seis.scenario.streams import check_realizations
from cgmgm_seis.storage.files import write_file

# Records drawn at once before they are measured: 18 MB of three-component waveforms.
DRAWN_RECORDS = 250
# Time step of the movie, s.
MOVIE_STEP_S = 0.5


@dataclass(frozen=True)
class GridJob(NodeTasks):
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
    format, encoding, quantity : str
        Format, encoding and quantity of the records, see `WaveformFiles`; measures and movie do
        not depend on the quantity.
    movie : bool
        Save the envelopes of realization 0.
    extrapolate : bool or float
        Allow values outside the trained ranges, as in `GroundMotionModel.sample`.
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
    quantity: str = "velocity"
    movie: bool = False
    extrapolate: bool | float = False
    device: str = "cpu"
    folder: Path = Path(".grid.chunks")
    task_records: int = 1000

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if self.n_realizations < 1:
            raise ScenarioError(f"n_realizations = {self.n_realizations} must be at least 1.")
        # Raises an error if format, encoding and quantity do not match.
        WaveformFiles(self.format, self.encoding, self.quantity)
        if self.waveforms and self.nodes.codes is not None:
            check_format_codes(self.nodes.codes, self.format)
        if self.waveforms and self.format == "mseed":
            check_realizations(self.n_realizations)
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
            "waveforms": ([self.format, self.encoding, self.quantity] if self.waveforms else None),
            "movie": self.movie,
            "device": self.device,
            "task_records": self.task_records,
        }

    @property
    def about(self) -> dict[str, Any]:
        """What made the results, for the provenance."""
        return {
            "class": self.model.name,
            "weights": self.model.weights_name,
            "weights_sha256": self.model.weights_sha256,
            "trained_on": trained_on(self.model.card),
        }

    @property
    def labels(self) -> list[str]:
        """Names of the series, those of `measures`."""
        return self.measures.labels

    @cached_property
    def files(self) -> WaveformFiles:
        """Format, encoding and quantity of the waveform files."""
        return WaveformFiles(self.format, self.encoding, self.quantity)

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

    def discard(self) -> None:
        """Delete the finished tasks of this job, and the folder if it is then empty."""
        shutil.rmtree(self.folder / self.chunks.name, ignore_errors=True)
        super().discard()

    def model_statistics(self, found: Arrays) -> dict[str, Floats]:
        """Return the statistics (node, series) of a task; NaN for the epistemic part."""
        values = found["measures"].astype(float)
        median = np.median(values, axis=1)
        unknown = np.full_like(median, np.nan)
        sigma = values.std(axis=1, ddof=1) if values.shape[1] > 1 else unknown
        return {"median": median, "sigma": sigma, "epistemic": unknown}

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
        parts, envelopes = [], []
        shape = self.n_realizations, len(self.model.component_order), self.model.n_samples
        kept = np.empty((len(scenario) if self.waveforms else 0, *shape), np.float32)
        step = max(1, DRAWN_RECORDS // self.n_realizations)
        for start in range(0, len(scenario), step):
            part = scenario.iloc[start : start + step].reset_index(drop=True)
            began = perf_counter()
            with warnings.catch_warnings():
                # Every part would repeat what is known before the job.
                warnings.simplefilter("ignore", ExtrapolationWarning)
                records = self.model.sample(
                    part, self.n_realizations, self.seed, extrapolate=self.extrapolate
                )
            drawn = perf_counter()
            check_returned(bool(np.isfinite(records).all()), first, last)
            parts.append(self.measures(records))
            if self.movie:
                envelopes.append(self._envelope(records[:, 0]))
            if self.waveforms:
                kept[start : start + len(part)] = records
            seconds["generation"] += drawn - began
            seconds["measures"] += perf_counter() - drawn
        began = perf_counter()
        arrays: dict[str, NDArray[Any]] = {"measures": np.concatenate(parts)}
        if self.movie:
            arrays["envelope"] = np.concatenate(envelopes)
        if self.waveforms:
            files, arrays["scales"] = self.files.contents(self.model, scenario, kept)
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


def check_returned(usable: bool, first: int, last: int) -> None:
    """Raise an error unless what a generator returned for some nodes can be used."""
    if not usable:
        raise ScenarioError(
            f"The generator returned NaN or infinity at one of the nodes {first} to {last - 1}; "
            "its weights are not suitable for this scenario."
        )
