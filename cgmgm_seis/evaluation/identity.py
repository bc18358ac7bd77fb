"""What finished chunks depend on: the weights, the records, and what was asked for."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from numpy.typing import NDArray
from torch import nn

from cgmgm_seis import __version__
from cgmgm_seis.evaluation.config import EvaluationConfig
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.scenario.window import Window
from cgmgm_seis.storage.chunks import Chunks


def settings_of(config: EvaluationConfig, window: Window) -> dict[str, Any]:
    """Return the settings that every number depends on, JSON-ready."""
    return {
        "window": asdict(window),
        "n_realizations": config.n_realizations,
        "seed": config.seed,
    }


class ChunkFolder:
    """Where finished chunks of an evaluation are kept, by what they are of.

    Parameters
    ----------
    folder : pathlib.Path or None
        The folder; None keeps nothing.
    settings : mapping
        What all chunks depend on beside the records, JSON-ready.
    records : numpy.ndarray
        The records, waveforms or numbers.
    scenario : pandas.DataFrame
        Their scenario table.
    models : mapping
        Name to model.
    """

    def __init__(
        self,
        folder: Path | None,
        settings: Mapping[str, Any],
        records: NDArray[Any],
        scenario: pd.DataFrame,
        models: Mapping[str, GroundMotionModel],
    ) -> None:
        self.folder = folder
        self.identity = {
            **settings,
            "version": __version__,
            "records": records_sha256(records, scenario),
        }
        self.states = {name: model_state(model) for name, model in models.items()}

    def of(self, kind: str, generator: str, **made_by: Any) -> Chunks:
        """Return the chunks of one kind, of a generator or of the records themselves."""
        own = {"kind": kind, "generator": generator, "model": self.states.get(generator)}
        return Chunks(self.folder, {**self.identity, **own, **made_by})


def records_sha256(records: NDArray[Any], scenario: pd.DataFrame) -> str:
    """Return the checksum of records, waveforms or numbers, and their scenario."""
    digest = hashlib.sha256(scenario.to_csv(index=False).encode())
    for record in records:
        digest.update(record.tobytes())
    return digest.hexdigest()


def parameters_sha256(network: nn.Module) -> str:
    """Return the checksum of a network's parameters."""
    digest = hashlib.sha256()
    for key, tensor in sorted(network.state_dict().items()):
        digest.update(key.encode() + tensor.detach().cpu().numpy().tobytes())
    return digest.hexdigest()


def model_state(model: GroundMotionModel) -> dict[str, Any]:
    """Return what a model's realizations depend on: arguments and parameters."""
    return {
        "class": type(model).__name__,
        "arguments": json.loads(json.dumps(model.get_model_args(), default=str)),
        "file": model.weights_sha256,
        "parameters": parameters_sha256(model),
    }
