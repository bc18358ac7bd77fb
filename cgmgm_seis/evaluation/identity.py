"""What finished chunks depend on: the weights, the records, and what was asked for."""

import hashlib
import json
from typing import Any

import pandas as pd
from numpy.typing import NDArray
from torch import nn

from cgmgm_seis.models.base import GroundMotionModel


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


def model_state(model: GroundMotionModel | None) -> dict[str, Any] | None:
    """Return what a model's realizations depend on: arguments and parameters; None for none."""
    if model is None:
        return None
    return {
        "class": type(model).__name__,
        "arguments": json.loads(json.dumps(model.get_model_args(), default=str)),
        "file": model.weights_sha256,
        "parameters": parameters_sha256(model),
    }
