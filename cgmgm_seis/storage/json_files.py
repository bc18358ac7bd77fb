"""Reading JSON files with clear errors, and writing them in one style."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cgmgm_seis.errors import CgmgmError, reason_of
from cgmgm_seis.storage.files import check_regular

# Larger JSON files are not of this package.
MOST_BYTES = 100_000_000


def parse_json(text: str) -> Any:
    """Return the content of a JSON text; ValueError if it is none, or nested too deeply.

    Examples
    --------
    >>> parse_json("[" * 100_000)
    Traceback (most recent call last):
    ...
    ValueError: it is nested too deeply
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def read_json(
    path: str | Path,
    error_type: type[CgmgmError],
    wanted: str = "not a readable JSON file",
    advice: str = "",
) -> Any:
    """Return the content of a JSON file.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.
    error_type : type
        Exception raised if the file is missing or not JSON.
    wanted : str
        Description of the problem in the message of the error.
    advice : str
        Advice at the end of the message.

    Examples
    --------
    >>> from cgmgm_seis.errors import TrainingError
    >>> read_json("none.json", TrainingError)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    cgmgm_seis.errors.TrainingError: none.json is not a readable JSON file: No such file or ...
    """
    try:
        check_regular(Path(path), MOST_BYTES)
        return parse_json(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise error_type(f"{path} is {wanted}: {reason_of(error)}{advice}.") from error


def json_bytes(content: Any, allow_nan: bool = False) -> bytes:
    r"""Return the bytes of a JSON file, indented by one space, with a newline at the end.

    Parameters
    ----------
    content : object
        Content of the file, serializable as JSON.
    allow_nan : bool
        Write NaN and infinity, which not all programs can read; otherwise they raise ValueError.

    Examples
    --------
    >>> json_bytes({"seed": 1})
    b'{\n "seed": 1\n}\n'
    """
    return (json.dumps(content, indent=1, allow_nan=allow_nan) + "\n").encode()


def finite(value: Any) -> Any:
    """Return a value of plain mappings and lists in which NaN and infinity are None.

    Examples
    --------
    >>> finite({"loss": [1.0, float("nan")]})
    {'loss': [1.0, None]}
    """
    if isinstance(value, dict):
        return {key: finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def plain(value: Any) -> Any:
    """Return a value with its mappings and sequences converted to dictionaries and lists."""
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value
