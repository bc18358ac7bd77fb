"""Checkpoints of the published code of CGM-GM as models of this package."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from cgmgm_seis.errors import WeightsError, one_line
from cgmgm_seis.models.cgmgm.model import CGMGM
from cgmgm_seis.models.conditions import (
    CONDITION_SETS,
    HYPOCENTRAL,
    RANGE_COLUMNS,
    RUPTURE,
    condition_columns,
)
from cgmgm_seis.storage.json_files import read_json
from cgmgm_seis.storage.torch_files import read_torch_file

# Parts of the published network and of `CGMGM`.
PARTS = {
    "label_embedding.mlp.mlp": "embedding",
    "encoder.rnn": "encoder.gru",
    "encoder.b_norm": "encoder.norm",
    "encoder.calc_mean.mlp": "encoder.mean",
    "encoder.calc_logvar.mlp": "encoder.log_variance",
    "z_prior_gru": "prior.gru",
    "z_prior_mean": "prior.mean",
    "z_prior_logvar": "prior.log_variance",
    "decoder.fc.0.mlp": "decoder",
}
# Matrices (output, input) whose shapes give the sizes of the network.
FIRST_OF_EMBEDDING = "label_embedding.mlp.mlp.Linear_0.weight"
LAST_OF_EMBEDDING = "label_embedding.mlp.mlp.Linear_2.weight"
LAST_OF_MEAN = "encoder.calc_mean.mlp.Linear_1.weight"
HIDDEN_OF_PRIOR = "z_prior_gru.weight_hh"
# The published azimuth is not that of this package, so that its conditions cannot be computed.
IMPORTABLE = tuple(name for name in CONDITION_SETS if "azimuth" not in name)
LOG_AMPLITUDES = "log_amplitude_range"


def read_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """Read the state of the published network from a file such as ``best_model.pt``.

    Raises
    ------
    WeightsError
        If the file is missing, damaged, contains pickled objects or is not such a checkpoint.
    """
    content = read_torch_file(Path(path), WeightsError)
    state = content.get("model") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in state.items()
    ):
        raise WeightsError(
            f"{path} is not a checkpoint of the published code; it must hold a dictionary whose "
            f"'model' is the state of the network."
        )
    return state


def published_model(
    state: Mapping[str, Tensor],
    condition_set: str = "coordinates",
    component: str = "E",
    start_offset_s: float = -5.0,
) -> CGMGM:
    """Return the model of a published state, without the scaling, which it does not contain.

    Parameters
    ----------
    state : mapping
        The state, see `read_checkpoint`; its shapes give the sizes of the network.
    condition_set : str
        Name of the condition set that the network was trained with.
    component : str
        Component of the records that it was trained with.
    start_offset_s : float
        Start of these records relative to the origin time, s.

    Raises
    ------
    WeightsError
        If the state is not that of the published network, or its conditions are not those of the
        condition set.
    """
    sizes = (FIRST_OF_EMBEDDING, LAST_OF_EMBEDDING, LAST_OF_MEAN, HIDDEN_OF_PRIOR)
    if missing := [name for name in sizes if name not in state or state[name].dim() != 2]:
        raise WeightsError(
            f"The state is not that of the published network, which has a matrix {missing[0]}."
        )
    _check_condition_set(condition_set, state[FIRST_OF_EMBEDDING].shape[1])
    model = CGMGM(
        condition_set,
        component,
        n_latents=len(state[LAST_OF_MEAN]),
        prior_size=state[HIDDEN_OF_PRIOR].shape[1],
        embedding_size=len(state[LAST_OF_EMBEDDING]),
        published=True,
        start_offset_s=start_offset_s,
    )
    own = {_own_name(name): tensor for name, tensor in state.items()}
    own["travel_time_table"] = model.travel_time_table
    try:
        model.load_state_dict(own)
    except RuntimeError as error:
        raise WeightsError(
            f"The state is not that of the published network: {one_line(error)}"
        ) from error
    if not all(tensor.isfinite().all() for tensor in own.values()):
        raise WeightsError("The state has values that are not finite; all weights must be.")
    return model.eval()


def set_scaling(model: CGMGM, path: str | Path) -> None:
    """Set the ranges of conditions and log amplitudes of a model from a JSON file.

    Parameters
    ----------
    model : CGMGM
        Model without scaling.
    path : str or pathlib.Path
        Object of names and [lowest, highest] values in the training data: ``log_amplitude_range``
        (log10 of amplitudes in m/s times samples, rectangular window), all conditions, and
        optionally other columns whose range is to be checked.

    Raises
    ------
    WeightsError
        If the file cannot be read, a name is missing or unknown, or a range is not valid.
    """
    content = read_json(path, WeightsError)
    given = set(content) if isinstance(content, dict) else set()
    needed = [LOG_AMPLITUDES, *condition_columns(model.condition_set)]
    if RUPTURE in needed and RUPTURE not in given:
        needed[needed.index(RUPTURE)] = HYPOCENTRAL
    further = [name for name in RANGE_COLUMNS if name not in needed]
    if set(needed) - given or given - {*needed, *further}:
        raise WeightsError(
            f"{path} must be a JSON object of the ranges {', '.join(needed)}; it may also have "
            f"{', '.join(further)}."
        )
    ranges = {name: _range(path, name, limits) for name, limits in content.items()}
    model.log_amplitude_range = ranges.pop(LOG_AMPLITUDES)
    model.ranges = ranges


def _range(path: str | Path, name: str, limits: Any) -> list[float]:
    """Return the lowest and the highest value of a range as numbers."""
    try:
        low, high = (float(end) for end in limits)
    except (TypeError, ValueError):
        low, high = math.nan, math.nan
    # Only a condition may have the same value in all records.
    if not -math.inf < low <= high < math.inf or (name == LOG_AMPLITUDES and low == high):
        raise WeightsError(f"{path}: {name} = {limits} must be two numbers [lowest, highest].")
    return [low, high]


def _check_condition_set(name: str, n_conditions: int) -> None:
    if name not in IMPORTABLE or len(CONDITION_SETS[name]) != n_conditions:
        fitting = [known for known in IMPORTABLE if len(CONDITION_SETS[known]) == n_conditions]
        raise WeightsError(
            f"Condition set '{name}' does not fit a network of {n_conditions} conditions; it must "
            f"be one of {', '.join(fitting) or '(none)'} (sets with an azimuth cannot be imported, "
            f"since the published azimuth is another)."
        )


def _own_name(published: str) -> str:
    """Return the name of a published tensor in `CGMGM`; unknown names stay as they are."""
    part = next((part for part in PARTS if published.startswith(f"{part}.")), None)
    if part is None:
        return published
    rest = published.removeprefix(f"{part}.")
    if part == "z_prior_gru":
        rest = f"{rest}_l0"
    elif match := re.fullmatch(r"Linear_(\d+)\.(\w+)", rest):
        # Between two linear layers is a ReLU, which has a number here.
        rest = f"{2 * int(match[1])}.{match[2]}"
    return f"{PARTS[part]}.{rest}"
