"""Codes of virtual receivers: network SY, and station codes of five characters."""

import numpy as np

from cgmgm_seis.errors import ScenarioError

VIRTUAL_NETWORK = "SY"
MOST_POINTS = 10_000
# Codes of nodes count in base 36 from here: five characters, the first a letter.
FIRST_NODE = 10 * 36**4
MOST_NODES = 26 * 36**4


def point_codes(number: int) -> list[str]:
    """Return the station codes of bare coordinates.

    Raises
    ------
    ScenarioError
        If there are no points, or more than five characters can number.

    Examples
    --------
    >>> point_codes(2)
    ['V0000', 'V0001']
    """
    if not 1 <= number <= MOST_POINTS:
        raise ScenarioError(
            f"{number} virtual receivers are not allowed; there must be 1 to {MOST_POINTS}."
        )
    return [f"V{i:04d}" for i in range(number)]


def node_codes(first: int, last: int) -> list[str]:
    """Return the station codes of nodes, or of rows without a name, from `first` to before `last`.

    Examples
    --------
    >>> node_codes(35, 37)
    ['A000Z', 'A0010']
    """
    return [np.base_repr(FIRST_NODE + k, 36) for k in range(first, last)]
