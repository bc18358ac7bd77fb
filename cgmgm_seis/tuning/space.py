"""Search space: arguments of a generator and settings of its training."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hyperopt
from hyperopt import hp

from cgmgm_seis.errors import TrainingError
from cgmgm_seis.models.registry import model_class
from cgmgm_seis.storage.json_files import read_json
from cgmgm_seis.training.recipe import Recipe, arguments_of, settings_of

# Training settings that would make trials incomparable, such as the length of the training.
NOT_SEARCHED = ("epochs", "seed", "patience", "skip_bad", "only", "tensorboard")


@dataclass(frozen=True)
class SearchSpace:
    """The settings that are varied in a search, and their values.

    Parameters
    ----------
    model : str
        Name of a generator, see `cgmgm_seis.models.registry`.
    ranges : mapping
        Name of an argument of the generator or of a setting of the training to a list of values,
        or to ``{"from": low, "to": high}``, which is sampled uniformly in the logarithm.

    Raises
    ------
    TrainingError
        If a name is unknown, a range is empty or a value is not allowed.

    Examples
    --------
    >>> space = SearchSpace("CGMGM", {"n_latents": [8, 16], "beta": {"from": 0.01, "to": 0.2}})
    >>> space.settings({"n_latents": 1, "beta": 0.1})
    {'n_latents': 16, 'beta': 0.1}
    """

    model: str
    ranges: Mapping[str, Any]

    def __post_init__(self) -> None:
        names = self.searchable(self.model)
        if not self.ranges:
            raise TrainingError(
                f"The search space is empty; it must have at least one of {', '.join(names)}."
            )
        for name, values in self.ranges.items():
            if name not in names:
                raise TrainingError(
                    f"'{name}' cannot be searched for {self.model}; the names allowed are "
                    f"{', '.join(names)}."
                )
            for value in self._ends(name, values):
                self.recipe({name: value})

    @staticmethod
    def searchable(model: str) -> list[str]:
        """Return the names of the arguments and settings that can be searched."""
        names = {**arguments_of(model), **settings_of(model)}
        fixed = (*model_class(model).not_searched, *NOT_SEARCHED)
        return [name for name in names if name not in fixed]

    @staticmethod
    def _ends(name: str, values: Any) -> Sequence[Any]:
        if isinstance(values, list) and values:
            return values
        if isinstance(values, dict) and set(values) == {"from", "to"}:
            low, high = values["from"], values["to"]
            if (
                all(isinstance(end, int | float) for end in (low, high))
                and 0 < low < high < math.inf
            ):
                return [float(low), float(high)]
        raise TrainingError(
            f"{name} = {values} must be a list of values, or "
            '{"from": low, "to": high} with 0 < low < high.'
        )

    def expression(self) -> dict[str, Any]:
        """Return the space for hyperopt, a stochastic expression for every name."""
        return {
            name: hp.choice(name, values)
            if isinstance(values, list)
            else hp.loguniform(name, math.log(values["from"]), math.log(values["to"]))
            for name, values in self.ranges.items()
        }

    def settings(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values at a point of hyperopt, where choices are given by index."""
        found: dict[str, Any] = hyperopt.space_eval(self.expression(), dict(point))
        return {name: found[name] for name in self.ranges}

    def point(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return the point of hyperopt for values: the inverse of `settings`."""
        return {
            name: values.index(settings[name]) if isinstance(values, list) else settings[name]
            for name, values in self.ranges.items()
        }

    def recipe(self, settings: Mapping[str, Any], **fixed: Any) -> Recipe:
        """Return the recipe for some values, with other arguments and settings fixed."""
        both = model_class(self.model).searched({**fixed, **settings})
        arguments = arguments_of(self.model)
        recipe = Recipe(
            self.model,
            {name: value for name, value in both.items() if name in arguments},
            {name: value for name, value in both.items() if name not in arguments},
        )
        recipe.config()
        return recipe


def default_space(model: str, changes: Mapping[str, Any] | None = None) -> SearchSpace:
    """Return the default search space of a model, with some ranges changed or added."""
    arguments_of(model)  # raises TrainingError if the model is unknown
    return SearchSpace(model, {**model_class(model).search_space, **(changes or {})})


def read_space(model: str, path: str | Path) -> SearchSpace:
    """Read a space from a JSON file, an object of names and their lists or ranges.

    Names that the file does not have are searched as in the default space of the model; a list of
    one value is a setting that is not varied.

    Raises
    ------
    TrainingError
        If the file is missing or is not a search space for this model.
    """
    content = read_json(path, TrainingError)
    if not isinstance(content, dict):
        raise TrainingError(
            f"{path} is not a search space; it must be a JSON object of names and their values."
        )
    return default_space(model, content)
