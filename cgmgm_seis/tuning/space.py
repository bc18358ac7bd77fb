"""What a search may choose: arguments of a generator and settings of its training."""

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

# Settings of the training that would change what is compared, or how long it is trained.
NOT_SEARCHED = ("epochs", "seed", "patience", "skip_bad", "only", "tensorboard")


@dataclass(frozen=True)
class SearchSpace:
    """The settings that a search varies, and how.

    Parameters
    ----------
    model : str
        Name of a generator, see `cgmgm_seis.models.registry`.
    ranges : mapping
        Name of an argument of the generator or of a setting of the training to a list of values,
        or to ``{"from": low, "to": high}``, searched uniformly in the logarithm.

    Raises
    ------
    TrainingError
        If a name is unknown, a range is empty or a value not allowed.

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
            raise TrainingError(f"The search space is empty; it holds some of {', '.join(names)}.")
        for name, values in self.ranges.items():
            if name not in names:
                raise TrainingError(
                    f"'{name}' cannot be searched for {self.model}; {', '.join(names)} can."
                )
            for value in self._ends(name, values):
                self.recipe({name: value})

    @staticmethod
    def searchable(model: str) -> list[str]:
        """Return the names of what can be searched."""
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
            f"{name} = {values} is no range; a list of values or "
            '{"from": low, "to": high} with 0 < low < high is.'
        )

    def expression(self) -> dict[str, Any]:
        """Return the space as hyperopt has it, a stochastic expression for every name."""
        return {
            name: hp.choice(name, values)
            if isinstance(values, list)
            else hp.loguniform(name, math.log(values["from"]), math.log(values["to"]))
            for name, values in self.ranges.items()
        }

    def settings(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values at a point of hyperopt, which has indices for choices."""
        found: dict[str, Any] = hyperopt.space_eval(self.expression(), dict(point))
        return {name: found[name] for name in self.ranges}

    def point(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return hyperopt's point for values: the inverse of `settings`."""
        return {
            name: values.index(settings[name]) if isinstance(values, list) else settings[name]
            for name, values in self.ranges.items()
        }

    def recipe(self, settings: Mapping[str, Any], **fixed: Any) -> Recipe:
        """Return the recipe of values, with further arguments and settings that are fixed."""
        both = {**fixed, **settings}
        arguments = arguments_of(self.model)
        recipe = Recipe(
            self.model,
            {name: value for name, value in both.items() if name in arguments},
            {name: value for name, value in both.items() if name not in arguments},
        )
        recipe.config()
        return recipe


def default_space(model: str) -> SearchSpace:
    """Return the space that a model is searched in by default."""
    arguments_of(model)  # an unknown model is an error of the training
    return SearchSpace(model, model_class(model).search_space)


def read_space(model: str, path: str | Path) -> SearchSpace:
    """Read a space from a JSON file, an object of names and their lists or ranges.

    Raises
    ------
    TrainingError
        If the file is missing or no space of this model.
    """
    content = read_json(path, TrainingError)
    if not isinstance(content, dict):
        raise TrainingError(f"{path} is no search space; an object of names and their values is.")
    return SearchSpace(model, content)
