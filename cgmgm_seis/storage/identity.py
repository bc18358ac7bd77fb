"""Identity of a run: the settings that a resumed run must share with the interrupted one."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def plain(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return an identity as read back from JSON: tuples become lists, keys become strings.

    Examples
    --------
    >>> plain({"periods": (0.1, 0.3)})
    {'periods': [0.1, 0.3]}
    """
    return dict(json.loads(json.dumps(identity)))


def digest(identity: Mapping[str, Any]) -> str:
    """Return a checksum of an identity, 16 hexadecimal digits, independent of the key order.

    Examples
    --------
    >>> digest({"seed": 1, "model": "a"}) == digest({"model": "a", "seed": 1})
    True
    """
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Return a description of the first difference of two identities; None if they agree.

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
    """Return a nested mapping as a flat one with dotted keys.

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
