"""Identity of finished chunks, on which they depend: weights, records and settings."""

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
    """Return the settings that all results depend on, JSON-serialisable."""
    return {
        "window": asdict(window),
        "n_realizations": config.n_realizations,
        "seed": config.seed,
    }


class ChunkFolder:
    """Folder of the finished chunks of an evaluation, stored by identity.

    Parameters
    ----------
    folder : pathlib.Path or None
        The folder; with None nothing is saved.
    settings : mapping
        Settings that all chunks depend on, JSON-serialisable.
    records : numpy.ndarray
        The records, waveforms or numbers.
    scenario : pandas.DataFrame
        Scenario table of the records.
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
        """Return the chunks of one kind, for a generator or for the records."""
        own = {"kind": kind, "generator": generator, "model": self.states.get(generator)}
        return Chunks(self.folder, {**self.identity, **own, **made_by})


def records_sha256(records: NDArray[Any], scenario: pd.DataFrame) -> str:
    """Return the checksum of records (waveforms or numbers) and their scenario."""
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
    """Return the identity of a model: arguments and checksums of weights and parameters."""
    return {
        "class": type(model).__name__,
        "arguments": json.loads(json.dumps(model.get_model_args(), default=str)),
        "file": model.weights_sha256,
        "parameters": parameters_sha256(model),
    }
