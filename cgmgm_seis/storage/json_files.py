"""Reading JSON files with clear errors, and writing them in one style."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cgmgm_seis.errors import CgmgmError, reason_of


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
        return json.loads(Path(path).read_text(encoding="utf-8"))
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


def plain(value: Any) -> Any:
    """Return a value with its mappings and sequences converted to dictionaries and lists."""
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value
