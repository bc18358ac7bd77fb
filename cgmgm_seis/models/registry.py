"""Registry of generators: of this package, of other packages, and of the running program.

Another package declares its generator as an entry point:

    [project.entry-points."cgmgm_seis.models"]
    mine = "my_package.model:MyModel"

The name of the entry point is a value of ``--model``; weights store the name of the class.
"""

import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from cgmgm_seis.errors import WeightsError

if TYPE_CHECKING:
    from cgmgm_seis.models.base import GroundMotionModel

GROUP = "cgmgm_seis.models"
# Listed here so that they are also found when the package is not installed.
BUNDLED = (
    EntryPoint("evolutionary", "cgmgm_seis.models.evolutionary.model:EvolutionaryCGM", GROUP),
    EntryPoint("cgmgm", "cgmgm_seis.models.cgmgm.model:CGMGM", GROUP),
)

Model = TypeVar("Model", bound="GroundMotionModel")

_registered: dict[str, "type[GroundMotionModel]"] = {}


def register(cls: type[Model]) -> type[Model]:
    """Register a generator in the running program; use it as a decorator of the class.

    The value of ``--model`` is the name of the class in lower case.
    """
    _registered[cls.__name__] = cls
    return cls


def model_choices() -> dict[str, str]:
    """Return the class names of all generators by their value of ``--model``.

    No generator is imported.

    Examples
    --------
    >>> model_choices()["cgmgm"]
    'CGMGM'
    """
    declared = {entry.name: entry.attr for entry in _entry_points()}
    return declared | {name.lower(): name for name in _registered}


def model_names() -> Iterator[str]:
    """Yield the class names of all generators."""
    declared = (entry.attr for entry in _entry_points())
    seen = set()
    for name in chain(declared, _registered):
        if name not in seen:
            seen.add(name)
            yield name


def model_class(name: str) -> "type[GroundMotionModel]":
    """Return the class of a generator.

    Raises
    ------
    WeightsError
        If no generator has that name, or its package cannot be imported.
    """
    if name in _registered:
        return _registered[name]
    entry = next((entry for entry in _entry_points() if entry.attr == name), None)
    if entry is None:
        raise WeightsError(f"Model '{name}' must be one of {', '.join(model_names())}.")
    try:
        found: type[GroundMotionModel] = entry.load()
    except (ImportError, AttributeError) as error:
        raise WeightsError(f"Model '{name}' cannot be imported: {error}.") from error
    return found


def _entry_points() -> Iterator[EntryPoint]:
    """Yield the generators of this package before others are looked for, which takes longer."""
    yield from BUNDLED
    yield from _declared(tuple(sys.path))


@cache
def _declared(_path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Return the generators of other packages; a file of every package on the path is read."""
    return tuple(entry_points(group=GROUP))
