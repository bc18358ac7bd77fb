"""Recipe: the generator to train with its arguments and settings, read from JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from cgmgm_seis.errors import TrainingError, WeightsError, one_line
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.models.registry import model_class
from cgmgm_seis.models.weights_schema import fault_of_arguments
from cgmgm_seis.scenario.seeding import check_seed
from cgmgm_seis.storage.json_files import json_bytes, read_json
from cgmgm_seis.training.config import TrainingConfig

# Settings of a run that do not affect the trained model.
NOT_OF_A_RECIPE = ("name", "docstring", "max_minutes", "device", "devices", "workers")


@dataclass(frozen=True)
class Recipe:
    """How to construct and train a generator.

    Parameters
    ----------
    model : str
        Name of a generator, see `cgmgm_seis.models.registry`.
    arguments : mapping
        Arguments of its constructor.
    training : mapping
        Settings of `TrainingConfig`; others have the model's defaults.

    Raises
    ------
    TrainingError
        If the model, an argument or a setting is unknown or of another type.

    Examples
    --------
    >>> recipe = Recipe("CGMGM", {"n_latents": 8}, {"learning_rate": 6e-4})
    >>> recipe.new_model(seed=0).n_latents, recipe.config().learning_rate
    (8, 0.0006)
    """

    model: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = arguments_of(self.model)
        _check("arguments", self.arguments, known)
        _check("training", self.training, settings_of(self.model))
        if fault := fault_of_arguments(self.arguments):
            raise TrainingError(f"{fault}.")

    def new_model(self, seed: int) -> GroundMotionModel:
        """Return the model with random initial weights."""
        torch.manual_seed(check_seed(seed))
        cls = model_class(self.model)
        try:
            return cls(**self.arguments)
        except (RuntimeError, ValueError, TypeError, ZeroDivisionError) as error:
            raise TrainingError(
                f"{self.model} cannot be constructed with {dict(self.arguments)}: "
                f"{one_line(error)}."
            ) from error

    def config(self, **given: Any) -> TrainingConfig:
        """Return the settings of the training, with those given replaced."""
        defaults = model_class(self.model).default_settings(self.arguments)
        return TrainingConfig(**{**defaults, **self.training, **given})

    def as_json(self, **more: Any) -> bytes:
        """Return the content of a recipe file; `more` is information for the reader."""
        content = {"model": self.model, "arguments": self.arguments, "training": self.training}
        return json_bytes(content | more)


def read_recipe(path: str | Path) -> Recipe:
    """Read a recipe such as ``best.json`` of a search.

    Raises
    ------
    TrainingError
        If the file is missing or is not a recipe.
    """
    content = read_json(path, TrainingError)
    kinds = {"model": str, "arguments": dict, "training": dict}
    if not isinstance(content, dict) or any(
        not isinstance(content.get(key), kind) for key, kind in kinds.items()
    ):
        raise TrainingError(
            f"{path} is not a recipe; it must be a JSON object with model (text), arguments and "
            f"training (objects)."
        )
    return Recipe(*(content[key] for key in kinds))


def arguments_of(model: str) -> dict[str, Any]:
    """Return the arguments of a generator that are not set from data, and their defaults."""
    try:
        cls = model_class(model)
    except WeightsError as error:
        raise TrainingError(str(error)) from error
    return {
        name: default
        for name, default in cls.arguments().items()
        if name not in (*cls.from_data, "citation")
    }


def settings_of(model: str) -> dict[str, Any]:
    """Return the training settings that a recipe may contain, and their defaults."""
    config = TrainingConfig(**model_class(model).default_settings({}))
    names = [field.name for field in fields(config) if field.name not in NOT_OF_A_RECIPE]
    return {name: getattr(config, name) for name in names}


def _check(what: str, given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Raise unless all names are known and their values have the types of the defaults."""
    for name, value in given.items():
        if name not in known:
            raise TrainingError(
                f"'{name}' must be one of the {what} of a recipe: {', '.join(known)}."
            )
        wanted = type(known[name])
        # An integer is accepted as a float, but a boolean is not accepted as a number.
        allowed = (int, float) if wanted is float else (wanted,)
        if type(value) not in allowed:
            raise TrainingError(f"{name} = {value!r} must be of type {wanted.__name__}.")
