"""Codes of virtual receivers: network SY and station codes of five characters."""

import numpy as np

from cgmgm_seis.errors import ScenarioError

VIRTUAL_NETWORK = "SY"
MOST_POINTS = 10_000
# Codes of nodes are base-36 numbers from here on: five characters, the first a letter.
FIRST_NODE = 10 * 36**4
MOST_NODES = 26 * 36**4


def point_codes(number: int) -> list[str]:
    """Return station codes for points that are given by coordinates only.

    Raises
    ------
    ScenarioError
        If there are no points, or more than `MOST_POINTS`.

    Examples
    --------
    >>> point_codes(2)
    ['V0000', 'V0001']
    """
    if not 1 <= number <= MOST_POINTS:
        raise ScenarioError(
            f"The number of virtual receivers is {number}; it must be 1 to {MOST_POINTS}."
        )
    return [f"V{i:04d}" for i in range(number)]


def node_codes(first: int, last: int) -> list[str]:
    """Return station codes for nodes, or for rows without a code, from `first` to `last` - 1.

    Examples
    --------
    >>> node_codes(35, 37)
    ['A000Z', 'A0010']
    """
    return [np.base_repr(FIRST_NODE + k, 36) for k in range(first, last)]
