"""Settings of a reproduction of the paper: the whole one, a quick one, and those of a file."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.models.conditions import condition_columns
from cgmgm_seis.storage.json_files import json_bytes, read_json

BASELINE, PUBLISHED = "distance", "coordinates"


@dataclass(frozen=True)
class PaperRecipe:
    """Settings of a reproduction; the defaults are those of the paper, as far as it gives them.

    Parameters
    ----------
    components : str
        Components of the models: one horizontal in the paper.
    seed : int
        Random seed of the split, the search, the trainings and all realizations.
    units : str
        Unit of the samples if a data set does not state it.
    start_offset_s : float, optional
        Time of the first sample of the data report relative to the origin time, s; by default it
        is measured, see `cgmgm_seis.datasets.designsafe.import_designsafe`.
    condition_sets : tuple of str
        Condition sets that are compared in the search.
    trials, trial_epochs : int
        Trials of the search, and epochs of each.
    objective : str
        Objective of the search, see `cgmgm_seis.tuning.Study`.
    epochs, patience : int
        Epochs of the training of CGM-GM and CGM-baseline, and epochs without a lower dev loss
        after which it stops.
    evolutionary_epochs : int
        Epochs of the training of EvolutionaryCGM.
    n_realizations : int
        Realizations of every record in the evaluation.
    max_records : int, optional
        Evaluate randomly selected whole events with at most this number of records.
    picker : str
        PhaseNet weights, see `cgmgm_seis.measures.picks.load_picker`.
    n_classifiers : int
        Networks of the discriminative score.
    tsne, scaling : bool
        Further parts of the evaluation, see `cgmgm_seis.evaluation.EvaluationConfig`.
    frequencies : tuple of float
        Frequencies of the maps and of the non-ergodic model, Hz.
    region : tuple of float
        West, east, south and north of the maps, degrees.
    shape : tuple of int
        Rows and columns of the maps.
    magnitude, latitude, longitude, depth_km : float
        The earthquake of the maps, which is not one of the paper.
    map_realizations : int
        Realizations of every node.

    Raises
    ------
    CgmgmError
        If a value is not of the right type, or a number is too small.

    Examples
    --------
    >>> PaperRecipe().shape, QUICK.shape
    ((100, 100), (5, 5))
    """

    components: str = "E"
    seed: int = 0
    units: str = ""
    start_offset_s: float | None = None
    condition_sets: tuple[str, ...] = (PUBLISHED, BASELINE)
    trials: int = 30
    trial_epochs: int = 200
    objective: str = "discriminative"
    epochs: int = 5000
    patience: int = 5000
    evolutionary_epochs: int = 60
    n_realizations: int = 100
    max_records: int | None = None
    picker: str = "original"
    n_classifiers: int = 5
    tsne: bool = True
    scaling: bool = True
    frequencies: tuple[float, ...] = (2.0, 5.0, 10.0, 15.0)
    region: tuple[float, ...] = (-122.5035, -121.8, 37.2662, 38.0666)
    shape: tuple[int, ...] = (100, 100)
    magnitude: float = 3.0
    latitude: float = 37.8
    longitude: float = -122.18
    depth_km: float = 8.0
    map_realizations: int = 20

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for name, value in asdict(self).items():
            if not _fits(value, hints[name]):
                raise CgmgmError(f"{name} = {value!r} of a recipe must be {_said(hints[name])}.")
        lows = {"n_realizations": 2, "seed": 0, "n_classifiers": 0}
        lows |= dict.fromkeys(("trials", "trial_epochs", "epochs", "patience"), 1)
        lows |= dict.fromkeys(("evolutionary_epochs", "map_realizations"), 1)
        for name, least in lows.items():
            if getattr(self, name) < least:
                raise CgmgmError(
                    f"{name} = {getattr(self, name)} of a recipe must be at least {least}."
                )
        for name, count in (("region", 4), ("shape", 2)):
            if len(getattr(self, name)) != count:
                raise CgmgmError(
                    f"{name} = {list(getattr(self, name))} of a recipe must be {count} numbers."
                )
        for name in self.condition_sets:
            condition_columns(name)
        if not set(self.components) & set("NE"):
            raise CgmgmError(
                f"components = {self.components!r} of a recipe must have N or E: the ground-motion "
                "models of the maps predict horizontal motion."
            )

    def changed(self, values: Mapping[str, Any]) -> "PaperRecipe":
        """Return the recipe with other values, lists for tuples.

        Raises
        ------
        CgmgmError
            If there is no such setting, or a value is not allowed.
        """
        known = [field.name for field in fields(self)]
        for name in values:
            if name not in known:
                raise CgmgmError(f"'{name}' must be one of the settings of a recipe: {known}.")
        hints = get_type_hints(type(self))
        return replace(self, **{name: _read(value, hints[name]) for name, value in values.items()})

    def as_json(self) -> bytes:
        """Return the content of a recipe file."""
        return json_bytes(asdict(self))


def read_paper_recipe(path: str | Path, base: PaperRecipe | None = None) -> PaperRecipe:
    """Return the recipe of a JSON file; settings that it does not have are those of `base`.

    Raises
    ------
    CgmgmError
        If the file is missing or is not a recipe.
    """
    content = read_json(path, CgmgmError)
    if not isinstance(content, dict):
        raise CgmgmError(f"{path} is not a recipe; it must be a JSON object of settings.")
    return (base or PaperRecipe()).changed(content)


def _read(value: Any, hint: Any) -> Any:
    """Return a value of JSON as a field has it: lists are tuples, integers may be floats."""
    if get_origin(hint) is tuple and isinstance(value, list):
        return tuple(_read(part, get_args(hint)[0]) for part in value)
    if type(value) is int and not _fits(value, hint):
        return float(value)
    return value


def _fits(value: Any, hint: Any) -> bool:
    """Return whether a value is of a type; a boolean is not a number."""
    if get_origin(hint) in (Union, UnionType):
        return any(_fits(value, part) for part in get_args(hint))
    if get_origin(hint) is tuple:
        kind = get_args(hint)[0]
        return isinstance(value, tuple) and value != () and all(_fits(x, kind) for x in value)
    return type(value) is hint


def _said(hint: Any) -> str:
    """Return a type in words."""
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(_said(part) for part in get_args(hint))
    if get_origin(hint) is tuple:
        return f"a list with entries of type {get_args(hint)[0].__name__}"
    return "null" if hint is type(None) else f"of type {hint.__name__}"


# Two trials and two epochs of everything, for a few hundred records: shows that it all runs.
QUICK = PaperRecipe(
    trials=2,
    trial_epochs=2,
    objective="dev",
    epochs=2,
    patience=2,
    evolutionary_epochs=2,
    n_realizations=2,
    max_records=40,
    n_classifiers=1,
    tsne=False,
    scaling=False,
    shape=(5, 5),
    map_realizations=2,
)
