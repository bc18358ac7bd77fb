"""What a resumed run must share with the run before: compared leaf by leaf, or as a checksum."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def plain(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return an identity as a JSON file gives it back: tuples are lists, keys are text.

    Examples
    --------
    >>> plain({"periods": (0.1, 0.3)})
    {'periods': [0.1, 0.3]}
    """
    return dict(json.loads(json.dumps(identity)))


def digest(identity: Mapping[str, Any]) -> str:
    """Return a checksum of an identity, 16 hexadecimal digits; the order of keys is no matter.

    Examples
    --------
    >>> digest({"seed": 1, "model": "a"}) == digest({"model": "a", "seed": 1})
    True
    """
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Return the first difference of two identities as part of a sentence; None if they agree.

    Examples
    --------
    >>> difference({"model": {"width": 16}}, {"model": {"width": 32}})
    'model.width = 16, not 32'
    >>> difference({"seed": 1}, {"seed": 1}) is None
    True
    """
    first, second = leaves(plain(before)), leaves(plain(now))
    for key in sorted(first | second):
        if first.get(key) != second.get(key):
            return f"{key} = {first.get(key)}, not {second.get(key)}"
    return None


def leaves(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the leaves of a nested mapping by their dotted names.

    Examples
    --------
    >>> leaves({"model": {"width": 16}, "seed": 1})
    {'model.width': 16, 'seed': 1}
    """
    found: dict[str, Any] = {}
    for key, value in nested.items():
        found |= (
            leaves(value, f"{prefix}{key}.")
            if isinstance(value, Mapping)
            else {f"{prefix}{key}": value}
        )
    return found
