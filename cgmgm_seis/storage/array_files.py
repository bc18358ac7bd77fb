"""Files of plain arrays and JSON: NumPy's npz format, read without running anything in it."""

import json
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cgmgm_seis.errors import CgmgmError, reason_of
from cgmgm_seis.storage.files import check_regular, write_file
from cgmgm_seis.storage.json_files import parse_json

# Largest file, as it is and unpacked.
MOST_BYTES = 1_000_000_000
# NumPy's kinds of plain arrays: real numbers and text.
KINDS = "fiuU"
# Entry that holds the JSON text.
CONTENT = "json"


def write_arrays(
    path: Path, content: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Write arrays and a JSON object to a file, completely or not at all.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    buffer = BytesIO()
    text = np.array(json.dumps(dict(content)))
    np.savez_compressed(buffer, **{CONTENT: text, **dict[str, Any](arrays)})
    write_file(path, buffer.getvalue())


def read_arrays(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the JSON object and the arrays of a file of `write_arrays`.

    Raises
    ------
    CgmgmError
        If the file is missing, damaged, or contains anything but plain arrays and JSON.
    """
    try:
        check_regular(path, MOST_BYTES)
        _check_unpacked(path)
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        for name, array in arrays.items():
            if array.dtype.kind not in KINDS:
                raise ValueError(f"{name} is of type {array.dtype}")
        content = parse_json(str(arrays.pop(CONTENT)))
    except Exception as error:  # damaged archives raise many kinds of errors
        raise CgmgmError(
            f"{path} cannot be read: {reason_of(error)}; it must be an npz file of plain arrays "
            "and JSON."
        ) from error
    if not isinstance(content, dict):
        raise CgmgmError(f"{path} contains JSON that is not an object; it is not of this package.")
    return content, arrays


def _check_unpacked(path: Path) -> None:
    """Raise ValueError if the arrays of a file are larger than `MOST_BYTES` once unpacked."""
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(part.file_size for part in archive.infolist())
    if unpacked > MOST_BYTES:
        raise ValueError(f"it has {unpacked} bytes unpacked, more than {MOST_BYTES}")
