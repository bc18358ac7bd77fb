"""Codes of receivers: those of virtual ones, and those that a file format can hold.

Virtual receivers have the network SY and station codes of five characters.
"""

import re

import numpy as np
import pandas as pd

from cgmgm_seis.errors import OutputError, ScenarioError

VIRTUAL_NETWORK = "SY"
MOST_POINTS = 10_000
# Codes of nodes are base-36 numbers from here on: five characters, the first a letter.
FIRST_NODE = 10 * 36**4
MOST_NODES = 26 * 36**4
# Name of a format, its longest network and station codes, and characters allowed beside letters and
# digits.  MiniSEED 2 silently truncates longer codes; the codes are part of the file names of SAC
# and of text formats.
FORMAT_CODES = {
    "mseed": ("MiniSEED", (2, 5), "-"),
    "sac": ("SAC", (8, 8), "-_."),
    "at2": ("AT2", (64, 64), "-_."),
    "csv": ("CSV", (64, 64), "-_."),
}


def is_code(text: str) -> bool:
    """Return whether a text may be a network or station code: no dot, which separates codes.

    Examples
    --------
    >>> is_code("BK"), is_code("A.B"), is_code("../x")
    (True, False, False)
    """
    return re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text) is not None


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


def check_format_codes(table: pd.DataFrame, format: str) -> None:
    """Raise `OutputError` if a network or station code does not fit into a waveform format.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``station_network_code`` and ``station_code``.
    format : str
        A format of `FORMAT_CODES`, or another one, which holds all codes.

    Examples
    --------
    >>> knet = pd.DataFrame({"station_network_code": ["BO"], "station_code": ["AKT013"]})
    >>> check_format_codes(knet, "sac")
    """
    if format not in FORMAT_CODES:
        return
    name, lengths, others = FORMAT_CODES[format]
    for column, length in zip(("station_network_code", "station_code"), lengths, strict=True):
        allowed = re.compile(rf"[A-Za-z0-9{re.escape(others)}]{{1,{length}}}")
        for code in table[column].astype(str).unique():
            if not allowed.fullmatch(code):
                raise OutputError(
                    f"{column} = '{code}' must have 1 to {length} ASCII letters, digits or "
                    f"{' '.join(others)} in {name}; shorten it, or write another format "
                    "(seisbench holds all codes)."
                )
