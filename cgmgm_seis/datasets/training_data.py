"""From a data set to the tensors of training: splits, normalisation, features and their card."""

import hashlib
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from seisbench.data import WaveformDataset
from torch import Tensor

from cgmgm_seis.datasets.windows import SPLITS, event_split, read_records
from cgmgm_seis.errors import DatasetError
from cgmgm_seis.models.base import GroundMotionModel

logger = logging.getLogger(__name__)

FEATURE_CHUNK = 256

Features = dict[str, Tensor]


def prepare(
    model: GroundMotionModel,
    dataset: WaveformDataset | str | Path,
    seed: int = 0,
    skip_bad: bool = False,
    progress: bool = False,
) -> tuple[dict[str, Features], dict[str, Any]]:
    """Read a data set and fit the model's normalisation to its training split.

    A model that has been trained before keeps its normalisation, to which its weights belong.

    Parameters
    ----------
    model : GroundMotionModel
        Says what to read; its ranges and scaling are set.
    dataset : seisbench.data.WaveformDataset, str or pathlib.Path
        Data set; without a ``split`` column it is split event-wise.
    seed : int
        Of the event-wise split.
    skip_bad : bool
        Leave out records with NaN or constant components.
    progress : bool
        Show a progress bar where stderr is a terminal.

    Returns
    -------
    features : dict
        `GroundMotionModel.features` of "train", "dev" and, where there is one, "test".
    card : dict
        The data's part of the weight card.

    Raises
    ------
    DatasetError
        If the data set cannot be used, or its train or dev split is empty.
    """
    waveforms, scenario = read_records(
        dataset,
        model.sampling_rate,
        model.component_order,
        model.start_offset_s,
        model.n_samples,
        skip_bad=skip_bad,
        progress=progress,
    )
    given = "split" in scenario
    split = scenario["split"].to_numpy(str) if given else event_split(scenario, seed)
    rows = {name: np.flatnonzero(split == name) for name in SPLITS}
    for name in ("train", "dev"):
        if not len(rows[name]):
            raise DatasetError(
                f"The {name} split has 0 of {len(scenario)} records; train and dev need at least 1."
            )
    rows = {name: part for name, part in rows.items() if len(part)}
    events = {name: scenario["source_id"].iloc[part].nunique() for name, part in rows.items()}
    if sum(events.values()) > scenario["source_id"].nunique():
        logger.warning(
            "The data set's splits share events; its dev and test losses are optimistic."
        )

    if not model.ranges:
        model.fit_normalisation(waveforms[rows["train"]], scenario.iloc[rows["train"]])
    folder = Path(dataset.path if isinstance(dataset, WaveformDataset) else dataset)
    card = {
        "trained_on": f"{_origin(scenario)} (data set {folder.resolve().name})",
        "data": {
            "name": folder.resolve().name,
            "metadata_sha256": _metadata_sha256(folder),
            "split": "of the data set" if given else "event-wise by seed",
            "records": {name: len(part) for name, part in rows.items()},
            "events": events,
        },
        "condition_set": model.get_model_args().get("condition_set"),
        "component_order": model.component_order,
        "ranges": model.ranges,
    }
    features = {name: _features(model, waveforms, scenario, part) for name, part in rows.items()}
    return features, card


def _features(
    model: GroundMotionModel,
    waveforms: NDArray[np.float32],
    scenario: pd.DataFrame,
    rows: NDArray[np.intp],
) -> Features:
    """Compute the features of some rows in chunks, into tensors allocated once."""
    features: Features = {}
    for start in range(0, len(rows), FEATURE_CHUNK):
        part = rows[start : start + FEATURE_CHUNK]
        for key, values in model.features(waveforms[part], scenario.iloc[part]).items():
            if not start:
                features[key] = values.new_empty(len(rows), *values.shape[1:])
            features[key][start : start + len(part)] = values
    return features


def _origin(scenario: pd.DataFrame) -> str:
    """Return the words of the weight card on what kind of records these are."""
    if "trace_simulated" not in scenario:
        return "records of a kind that the data set does not state"
    simulated = scenario["trace_simulated"].eq(True)
    if simulated.all():
        return "simulated records"
    return "simulated and recorded motion" if simulated.any() else "recorded motion"


def _metadata_sha256(folder: Path) -> str:
    """Return the checksum of all metadata files, of which a chunked data set has several."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("metadata*.csv")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
