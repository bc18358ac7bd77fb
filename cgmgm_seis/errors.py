"""Exceptions: each message is one sentence with the value and what is allowed."""

import re

# HDF5 wraps the message of the operating system in a longer text.
_IN_HDF5 = re.compile(r"error message = '([^']+)'")


class CgmgmError(Exception):
    """Base class; the command line prints it as one line and exits with status 1."""


class ScenarioError(CgmgmError):
    """A scenario table, event or inventory is incomplete or malformed."""


class RangeError(ScenarioError):
    """A scenario value lies outside the range the model was trained on.

    Parameters
    ----------
    reason : str
        What lies outside, without a full stop where a remedy follows.
    remedy : str, optional
        What allows it on the command line and in Python, for those who can choose it.
    """

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(f"{reason}; {remedy}." if remedy else reason)
        self.reason = f"{reason}." if remedy else reason


class WeightsError(CgmgmError, ValueError):
    """A weights file is missing, damaged, unsafe or belongs to another model."""


class WeightsNotFoundError(WeightsError, FileNotFoundError):
    """No weights have this name, or a file of a pair does not exist."""


class DatasetError(CgmgmError):
    """A data set lacks columns or contains records that cannot be used."""


class TrainingError(CgmgmError):
    """Training cannot start, continue or has diverged."""


class OutputError(CgmgmError):
    """Results cannot be written to the requested place."""


def reason_of(error: BaseException) -> str:
    r"""Return the reason of an error as one line, without error number or full stop.

    Examples
    --------
    >>> reason_of(OSError(28, "No space left on device"))
    'No space left on device'
    >>> reason_of(ValueError("No columns to parse.\nSee the manual."))
    'No columns to parse'
    """
    text = getattr(error, "strerror", None) or str(error)
    if match := _IN_HDF5.search(text):
        text = match[1]
    lines = text.strip().splitlines() or [type(error).__name__]
    line = lines[0].strip().rstrip(".")
    # The rest of ObsPy's message names a temporary file of its own.
    return "unknown format" if line.startswith("Unknown format") else line


def one_line(error: BaseException, most: int = 300) -> str:
    r"""Return the message of an error as one line, without the backtrace that torch adds to it.

    Examples
    --------
    >>> one_line(RuntimeError("size\nmismatch\nException raised from f at c.cpp (..):\nframe #0"))
    'size mismatch'
    """
    text = str(error).partition("Exception raised from")[0]
    return shortened(text, most) or type(error).__name__


def shortened(text: str, most: int = 80) -> str:
    """Return a text as one line, cut at a number of characters, for messages.

    Examples
    --------
    >>> shortened("1" * 100, 10)
    '1111111 ..'
    """
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 3]} .."
