"""What the JSON file of weights may contain: types and bounds of its fields.

The files of strangers are read with it, so that no value is used before it was checked.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cgmgm_seis.errors import shortened
from cgmgm_seis.models.conditions import CONDITION_SETS
from cgmgm_seis.scenario.window import MOST_SAMPLES

# Bounds of everything that has none of its own.
DEEPEST, LONGEST_TEXT, LARGEST = 20, 100_000, 1e30


@dataclass(frozen=True)
class Field:
    """The allowed values of a field: a description for messages, and a test."""

    allowed: str
    fits: Callable[[Any], bool]


def number(low: float, high: float) -> Field:
    """Return a field of a finite number within bounds."""
    return Field(
        f"a number from {low:g} to {high:g}",
        lambda value: _is_number(value) and low <= value <= high,
    )


def whole(low: int, high: int) -> Field:
    """Return a field of a whole number within bounds."""
    return Field(
        f"a whole number from {low:,} to {high:,}",
        lambda value: _is_number(value) and isinstance(value, int) and low <= value <= high,
    )


def several(part: Field, count: int) -> Field:
    """Return a field of a list of a number of values of another field."""
    return Field(
        f"a list of {count} values, each {part.allowed}",
        lambda value: (
            isinstance(value, list) and len(value) == count and all(part.fits(x) for x in value)
        ),
    )


def interval(low: float, high: float) -> Field:
    """Return a field of [lowest, highest] within bounds."""
    both = several(number(low, high), 2)
    return Field(
        f"[lowest, highest], two numbers from {low:g} to {high:g}",
        lambda value: both.fits(value) and value[0] <= value[1],
    )


def optional(field: Field) -> Field:
    """Return a field that may also be null."""
    return Field(f"null or {field.allowed}", lambda value: value is None or field.fits(value))


def among(choices: Sequence[str]) -> Field:
    """Return a field of one of some texts."""
    return Field(
        f"one of {', '.join(choices)}", lambda value: isinstance(value, str) and value in choices
    )


def _are_gains(value: Any) -> bool:
    rows = value if isinstance(value, list) else [None]
    gains: list[Any] = [x for row in rows for x in (row if isinstance(row, list) else [None])]
    return all(_is_number(gain) and abs(gain) <= 20.0 for gain in gains)


def _is_number(value: Any) -> bool:
    # A boolean is an integer in Python; comparisons with integers of any size do not overflow.
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def _are_components(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) == len({*value}) and {*value} <= {*"ZNE12"}


TEXT = Field(
    f"a text of at most {LONGEST_TEXT:,} characters",
    lambda value: isinstance(value, str) and len(value) <= LONGEST_TEXT,
)
FLAG = Field("true or false", lambda value: isinstance(value, bool))
OBJECT = Field("an object", lambda value: isinstance(value, dict))

FIELDS = {
    "docstring": TEXT,
    "model": TEXT,
    "version": TEXT,
    "seisbench_requirement": TEXT,
    "model_args": OBJECT,
    "default_args": OBJECT,
    "card": OBJECT,
    "card.trained_on": TEXT,
    "card.data": OBJECT,
    "card.data.magnitude_types": OBJECT,
}
# Arguments of the generators of this package; those of others have general bounds.
ARGUMENTS = {
    "component_order": Field("some of Z, N and E, each once", _are_components),
    "sampling_rate": number(0.1, 10_000.0),
    "start_offset_s": number(-3600.0, 3600.0),
    "n_samples": whole(1, MOST_SAMPLES),
    "ranges": OBJECT,
    "travel_time_grid": OBJECT,
    "travel_time_grid.depth_step_km": number(1e-3, 1000.0),
    "travel_time_grid.distance_step_km": number(1e-3, 1000.0),
    "travel_time_grid.shape": several(whole(2, 20_000), 2),
    "citation": optional(TEXT),
    "condition_set": among(tuple(CONDITION_SETS)),
    "n_latents": whole(1, 4096),
    "prior_size": whole(1, 4096),
    "embedding_size": whole(1, 4096),
    "width": whole(1, 4096),
    "n_waves": whole(1, 4096),
    "alpha": number(0.0, 1e6),
    "beta": number(0.0, 1e6),
    "n_fft": whole(2, 65_536),
    "hop": whole(1, 65_536),
    "griffin_lim_iterations": whole(0, 10_000),
    "log_amplitude_range": interval(-100.0, 100.0),
    "ln_gains": optional(Field("a list of lists of numbers from -20 to 20", _are_gains)),
    "past_dropout": FLAG,
    "arrivals": FLAG,
    "speckle": FLAG,
    "published": FLAG,
    "feature_length": number(1e-3, 1e4),
    "n_stations": whole(0, 1_000_000),
    "station_length_km": number(1e-3, 1e4),
    "centre": optional(several(number(-360.0, 360.0), 2)),
    "n_training_records": whole(0, 10**12),
}
RANGE = interval(-1e9, 1e9)
# Fields of objects that must be there if the object is.
NEEDED = {"travel_time_grid": ("depth_step_km", "distance_step_km", "shape")}


def fault_of(metadata: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the content of the JSON file of weights, or None.

    Examples
    --------
    >>> fault_of({"model": "CGMGM", "model_args": {"sampling_rate": 0}})
    'model_args.sampling_rate = 0 must be a number from 0.1 to 10000'
    >>> fault_of({"model": "CGMGM", "card": {"metrics": {"loss": float("inf")}}})
    'card.metrics.loss = inf must be a number from -1e+30 to 1e+30'
    """
    found = _first(_own_faults(metadata, FIELDS))
    return found or _first(
        fault
        for key, value in metadata.items()
        for fault in (
            _argument_faults(value, "model_args.") if key == "model_args" else _general(value, key)
        )
    )


def fault_of_arguments(arguments: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the arguments of a generator, or None.

    Examples
    --------
    >>> fault_of_arguments({"ranges": {"source_magnitude": [5, 1]}})
    'ranges.source_magnitude = [5, 1] must be [lowest, highest], two numbers from -1e+09 to 1e+09'
    """
    return _first(_argument_faults(arguments, ""))


def _argument_faults(arguments: Mapping[str, Any], prefix: str) -> Iterator[str]:
    yield from _own_faults(arguments, ARGUMENTS, prefix)
    for name, limits in arguments.get("ranges", {}).items():
        yield from _fault(f"{prefix}ranges.{name}", limits, RANGE)
    for name, needed in NEEDED.items():
        for key in needed if name in arguments else ():
            if key not in arguments[name]:
                yield f"{prefix}{name} lacks {key}"
    for name, value in arguments.items():
        if name not in ARGUMENTS:
            yield from _general(value, f"{prefix}{name}")


def _own_faults(
    content: Mapping[str, Any], fields: Mapping[str, Field], prefix: str = ""
) -> Iterator[str]:
    """Yield the faults of known fields; those of an object come before those in it."""
    for name, field in fields.items():
        *parents, last = name.split(".")
        place: Any = content
        for parent in parents:
            place = place.get(parent, {})
        if last in place:
            yield from _fault(prefix + name, place[last], field)


def _general(value: Any, name: str, depth: int = 0) -> Iterator[str]:
    """Yield the faults of a value that may be anything plain, with its finite bounds."""
    if depth > DEEPEST:
        yield f"{shortened(name)} must be nested at most {DEEPEST} deep"
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _general(part, f"{name}.{key}", depth + 1)
    elif isinstance(value, list):
        for place, part in enumerate(value):
            yield from _general(part, f"{name}[{place}]", depth + 1)
    elif isinstance(value, str):
        yield from _fault(name, value, TEXT)
    elif value is not None and not isinstance(value, bool):
        yield from _fault(name, value, number(-LARGEST, LARGEST))


def _fault(name: str, value: Any, field: Field) -> Iterator[str]:
    if not field.fits(value):
        yield f"{shortened(name)} = {_shown(value)} must be {field.allowed}"


def _shown(value: Any) -> str:
    names = {None: "null", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return names[value]
    if isinstance(value, int) and not -1e30 < value < 1e30:
        return f"a number of about {math.floor(value.bit_length() * math.log10(2.0))} digits"
    return shortened(f"'{value}'" if isinstance(value, str) else f"{value}")


def _first(faults: Iterator[str]) -> str | None:
    return next(faults, None)
