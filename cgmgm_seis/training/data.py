"""Training data from a data set: splits, normalisation, features and entries of the card."""

import copy
import hashlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from seisbench.data import WaveformDataset
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from cgmgm_seis.datasets.lazy_waveforms import LazyWaveforms
from cgmgm_seis.datasets.splitting import event_split
from cgmgm_seis.datasets.windows import (
    SPLITS,
    open_dataset,
    read_records,
    say_left_out,
    scan_records,
    usable_rows,
)
from cgmgm_seis.errors import DatasetError
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.models.conditions import magnitude_types
from cgmgm_seis.scenario.seeding import event_numbers
from cgmgm_seis.scenario.spans import partial, valid_spans
from cgmgm_seis.scenario.table import add_paths
from cgmgm_seis.scenario.travel_times import TravelTimeTable

logger = logging.getLogger(__name__)

FEATURE_CHUNK = 256

Features = dict[str, Tensor]
Waveforms = NDArray[np.float32] | LazyWaveforms


class TrainingData:
    """The records of a data set by split, for models with one window.

    Parameters
    ----------
    model : GroundMotionModel
        Determines the window and components that are read.
    dataset : seisbench.data.WaveformDataset, str or pathlib.Path
        Data set; without a ``split`` column it is split event-wise.
    seed : int
        Random seed of the event-wise split.
    strict : bool
        Raise an error if a record cannot be used, instead of leaving it out and counting it.
    progress : bool
        Show a progress bar where stderr is a terminal.
    workers : int
        If above 0, records are not kept in memory but read again in every epoch by this many
        processes.
    units : str
        Unit of the samples if the data set does not state it.

    Attributes
    ----------
    card : dict
        Entries of the weight card that describe the data.

    Raises
    ------
    DatasetError
        If the data set cannot be used, or its train or dev split is empty.
    """

    def __init__(
        self,
        model: GroundMotionModel,
        dataset: WaveformDataset | str | Path,
        seed: int = 0,
        strict: bool = False,
        progress: bool = False,
        workers: int = 0,
        units: str = "",
    ) -> None:
        self.workers = workers
        self.waveforms: Waveforms
        arguments = (dataset, model.window, strict, progress, units)
        if workers:
            self.waveforms, self.scenario = scan_records(*arguments)
        else:
            self.waveforms, self.scenario = read_records(*arguments)
        scenario = self.scenario
        given = "split" in scenario
        split = scenario["split"].to_numpy(str) if given else event_split(scenario, seed)
        shortened = partial(valid_spans(scenario, model.n_samples), model.n_samples)
        if not model.uses_spans and shortened.any():
            reason = f"filling only a part of the window, which {model.name} cannot use"
            say_left_out({reason: int(shortened.sum())})
            split = np.where(shortened, "", split)
        rows = {name: np.flatnonzero(split == name) for name in SPLITS}
        for name in ("train", "dev"):
            if not len(rows[name]):
                raise DatasetError(
                    f"The {name} split has 0 of {len(scenario)} records; the train and dev splits "
                    f"need at least 1."
                )
        self.rows = {name: part for name, part in rows.items() if len(part)}
        events = {name: scenario["source_id"].iloc[r].nunique() for name, r in self.rows.items()}
        if sum(events.values()) > scenario["source_id"].nunique():
            logger.warning(
                "Some events are in more than one split of the data set; dev and test losses are "
                "too optimistic."
            )
        types = magnitude_types(scenario)
        if len(types) > 1:
            logger.warning(
                "The magnitudes are of several types, and are used without conversion: %s.",
                ", ".join(f"{name} ({count} events)" for name, count in types.items()),
            )
        folder = Path(dataset.path if isinstance(dataset, WaveformDataset) else dataset)
        self.card: dict[str, Any] = {
            "trained_on": f"{_origin(scenario)} (data set {folder.resolve().name})",
            "data": {
                "name": folder.resolve().name,
                "metadata_sha256": _metadata_sha256(folder),
                "split": "of the data set" if given else "event-wise by seed",
                "records": {name: len(part) for name, part in self.rows.items()},
                "events": events,
                "magnitude_types": types,
            },
        }
        if n_partial := int(shortened[np.isin(split, SPLITS)].sum()):
            self.card["data"]["partial"] = n_partial

    def records(self, split: str) -> tuple[Waveforms, pd.DataFrame]:
        """Return waveforms (read lazily with `workers`) and scenario of a split."""
        rows, waveforms = self.rows[split], self.waveforms
        part = waveforms.part(rows) if isinstance(waveforms, LazyWaveforms) else waveforms[rows]
        return part, self.scenario.iloc[rows]

    def fit(self, model: GroundMotionModel) -> None:
        """Fit a model's normalisation to the training split, unless it was trained before."""
        if not model.ranges:
            # Models slice the waveforms, so that lazy ones read only what is needed.
            waveforms, scenario = self.records("train")
            model.fit_normalisation(cast(NDArray[np.float32], waveforms), scenario)

    def features(self, model: GroundMotionModel) -> dict[str, "Features | StreamedFeatures"]:
        """Return `GroundMotionModel.features` of "train", "dev" and, if present, "test"."""
        found: dict[str, Features | StreamedFeatures] = {}
        for name, rows in self.rows.items():
            scenario, waveforms = self.scenario, self.waveforms
            if isinstance(waveforms, LazyWaveforms):
                own = waveforms.part(rows), scenario.iloc[rows]
                found[name] = StreamedFeatures(model, *own, self.workers)
            else:
                found[name] = _features(model, waveforms, scenario, rows)
        return found


class StreamedFeatures:
    """Features of a split, computed from the data set by worker processes, batch by batch.

    Parameters
    ----------
    model : GroundMotionModel
        Model with its normalisation set.
    waveforms : LazyWaveforms
        Records of the split.
    scenario : pandas.DataFrame
        Scenario table of the records.
    workers : int
        Number of processes that read ahead.

    Attributes
    ----------
    events : numpy.ndarray
        Event number of every record, (record,); records of an event must be in one batch.
    """

    def __init__(
        self,
        model: GroundMotionModel,
        waveforms: LazyWaveforms,
        scenario: pd.DataFrame,
        workers: int,
    ) -> None:
        self.model = copy.deepcopy(model).cpu()
        self.waveforms, self.scenario, self.workers = waveforms, scenario, workers
        shared = "event" in self.__getitems__([0])
        self.events = event_numbers(scenario) if shared else np.arange(len(scenario))

    def __len__(self) -> int:
        return len(self.events)

    def __getitems__(self, rows: list[int]) -> Features:
        """Read some rows; called by `torch.utils.data`."""
        index = np.array(rows)
        return self.model.features(self.waveforms[index], self.scenario.iloc[index])

    def batches(
        self, parts: Sequence[NDArray[np.intp]], device: torch.device
    ) -> Iterator[Features]:
        """Yield the features of each batch of rows; the workers read ahead."""
        loader = DataLoader(
            cast("Dataset[Features]", self),
            batch_sampler=[part.tolist() for part in parts],
            num_workers=self.workers,
            collate_fn=_as_it_is,
            pin_memory=device.type == "cuda",
        )
        for features in loader:
            yield {key: tensor.to(device, non_blocking=True) for key, tensor in features.items()}


class LoadedFeatures:
    """Features of a split in the memory of a device.

    Parameters
    ----------
    features : dict of torch.Tensor
        `GroundMotionModel.features` of all records.
    device : torch.device
        Device on which the features are stored.

    Attributes
    ----------
    events : numpy.ndarray
        Event number of every record, (record,); records of an event must be in one batch.
    """

    def __init__(self, features: Features, device: torch.device) -> None:
        n = len(next(iter(features.values())))
        self.events = features["event"].cpu().numpy() if "event" in features else np.arange(n)
        self.features = {key: tensor.to(device) for key, tensor in features.items()}

    def batches(
        self, parts: Sequence[NDArray[np.intp]], device: torch.device
    ) -> Iterator[Features]:
        """Yield the features of each batch of rows."""
        # Row numbers are transferred once; the batches are views.
        rows = torch.as_tensor(np.concatenate(parts)).to(device)
        for part in rows.split([len(part) for part in parts]):
            yield {key: tensor[part] for key, tensor in self.features.items()}


def prepare(
    model: GroundMotionModel,
    dataset: WaveformDataset | str | Path,
    seed: int = 0,
    strict: bool = False,
    progress: bool = False,
    workers: int = 0,
    units: str = "",
) -> tuple[dict[str, "Features | StreamedFeatures"], dict[str, Any]]:
    """Read a data set and fit the model's normalisation to its training split.

    A model that was trained before keeps its normalisation, on which its weights depend.

    Parameters
    ----------
    model : GroundMotionModel
        Determines what is read; its ranges and scaling are set.
    dataset, seed, strict, progress, workers, units
        As in `TrainingData`.

    Returns
    -------
    features : dict
        `GroundMotionModel.features` of "train", "dev" and, if present, "test".
    card : dict
        Entries of the weight card that describe the data.

    Raises
    ------
    DatasetError
        If the data set cannot be used, or its train or dev split is empty.
    """
    data = TrainingData(model, dataset, seed, strict, progress, workers, units)
    data.fit(model)
    card = data.card | {"component_order": model.component_order, "ranges": model.ranges}
    return data.features(model), card


def _as_it_is(features: Any) -> Any:
    return features


def regional_travel_times(
    velocity_model: str | Path,
    dataset: WaveformDataset | str | Path,
    model: GroundMotionModel,
    progress: bool = False,
) -> TravelTimeTable:
    """Compute travel times in a 1-D velocity model for the depths and distances of a data set.

    Parameters
    ----------
    velocity_model : str or pathlib.Path
        ``.nd`` file, see `TravelTimeTable.from_velocity_model`.
    dataset : seisbench.data.WaveformDataset, str or pathlib.Path
        The data set.
    model : GroundMotionModel
        The model to train; determines which records are usable.
    progress : bool
        Show a progress bar.

    Raises
    ------
    DatasetError
        If the data set cannot be read.
    ScenarioError
        If the velocity model cannot be read.
    """
    metadata = open_dataset(dataset, model.window).metadata
    rows, _ = usable_rows(metadata, model.component_order)
    table = add_paths(metadata.iloc[rows])
    # 10 % more, so that scenarios slightly outside are still covered by the table.
    return TravelTimeTable.covering(
        velocity_model,
        1.1 * max(float(table["source_depth_km"].max()), 1.0),
        1.1 * float(table["path_ep_distance_km"].max()),
        progress,
    )


def _features(
    model: GroundMotionModel,
    waveforms: NDArray[np.float32],
    scenario: pd.DataFrame,
    rows: NDArray[np.intp],
) -> Features:
    """Compute the features of some rows in chunks; the tensors are allocated once."""
    features: Features = {}
    for start in range(0, len(rows), FEATURE_CHUNK):
        part = rows[start : start + FEATURE_CHUNK]
        for key, values in model.features(waveforms[part], scenario.iloc[part]).items():
            if not start:
                features[key] = values.new_empty(len(rows), *values.shape[1:])
            features[key][start : start + len(part)] = values
    return features


def _origin(scenario: pd.DataFrame) -> str:
    """Return the description of the kind of records for the weight card."""
    if "trace_simulated" not in scenario:
        return "records of a kind that the data set does not state"
    simulated = scenario["trace_simulated"].eq(True)
    if simulated.all():
        return "simulated records"
    return "simulated and recorded motion" if simulated.any() else "recorded motion"


def _metadata_sha256(folder: Path) -> str:
    """Return the checksum of all metadata files; a chunked data set has several."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("metadata*.csv")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
