"""The generators of an evaluation: loading, common window, and records outside their ranges."""

import logging
import math
import warnings
from collections.abc import Mapping, Sequence

import pandas as pd

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.evaluation.pick_tables import RECORDED
from cgmgm_seis.evaluation.tables import SIMULATOR
from cgmgm_seis.gmm.pygmm_models import NGA_WEST2
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.models.conditions import ExtrapolationWarning
from cgmgm_seis.models.weights import load_model
from cgmgm_seis.scenario.window import Window

logger = logging.getLogger(__name__)


def load_generators(names: Sequence[str], device: str = "auto") -> dict[str, GroundMotionModel]:
    """Load models by the names or paths of their weights, and give them distinct names.

    Parameters
    ----------
    names : sequence of str
        Names or paths, see `cgmgm_seis.models.weights.load_model`.
    device : str
        Device, see `cgmgm_seis.models.weights.load_model`.

    Returns
    -------
    dict
        Name of the weights to model; if two have the same name, the given name or path.

    Raises
    ------
    CgmgmError
        If weights are given twice.
    WeightsError
        If weights cannot be loaded.

    Examples
    --------
    >>> list(load_generators(["bay_area"], "cpu"))
    ['bay_area']
    """
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise CgmgmError(f"Weights {twice} are given more than once; give them once.")
    models = [load_model(name, device) for name in names]
    short = [model.weights_name for model in models]
    return {
        own if short.count(own) == 1 else given: model
        for given, own, model in zip(names, short, models, strict=True)
    }


def common_window(models: Mapping[str, GroundMotionModel]) -> Window:
    """Return the common window of the models.

    Raises
    ------
    CgmgmError
        If the windows differ or a model has a reserved name.
    """
    if reserved := {RECORDED, SIMULATOR, *NGA_WEST2} & set(models):
        raise CgmgmError(
            f"A model cannot be named {reserved.pop()}; this name is reserved for a row of the "
            "tables."
        )
    windows = {model.window for model in models.values()}
    if len(windows) != 1:
        raise CgmgmError(
            f"{len(models)} models have {len(windows)} windows ({'; '.join(map(str, windows))}); "
            "models that are compared must have the same window."
        )
    return windows.pop()


def say_extrapolation(name: str, model: GroundMotionModel, scenario: pd.DataFrame) -> list[str]:
    """Log which records are outside the trained ranges of a model, and return the messages."""
    if not model.ranges:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExtrapolationWarning)
        messages = model.check_ranges(scenario, extrapolate=math.inf)
    for message in messages:
        logger.warning("%s: %s", name, message)
    return messages
