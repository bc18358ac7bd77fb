"""Files of tensors, read without running code in them and without unpacking more than they hold."""

import sys
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cgmgm_seis.errors import CgmgmError, reason_of
from cgmgm_seis.storage.files import check_regular


def check_torch_file(path: Path, error_type: type[CgmgmError]) -> None:
    """Raise an error unless a file is an archive of torch whose content is no larger than it.

    torch writes its archives uncompressed; a compressed one could be of any size once unpacked.

    Raises
    ------
    CgmgmError
        Of `error_type`, also if the file is missing.
    """
    try:
        check_regular(path, sys.maxsize)
        size = path.stat().st_size
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            unpacked = sum(part.file_size for part in parts)
            plain = all(part.compress_type == zipfile.ZIP_STORED for part in parts)
            # torch itself does not compare checksums, so that damaged numbers would be used.
            damaged = archive.testzip() if plain and unpacked <= size else None
    except (OSError, ValueError) as error:
        raise error_type(f"{path} cannot be read: {reason_of(error)}.") from error
    except Exception as error:  # a damaged directory of the archive raises several kinds
        raise error_type(f"{path} is damaged, or is not an archive of torch.") from error
    if unpacked > size or not plain:
        raise error_type(
            f"{path} has {size} bytes, but {unpacked} unpacked; archives of torch must be "
            "uncompressed."
        )
    if damaged is not None:
        raise error_type(f"{path} is damaged: the checksum of its part {damaged} differs.")


def read_torch_file(path: Path, error_type: type[CgmgmError]) -> Any:
    """Return the content of a file of torch: tensors and plain values on the CPU.

    Raises
    ------
    CgmgmError
        Of `error_type`, if the file is missing, damaged, contains pickled objects, or tensors that
        are larger than the file.
    """
    check_torch_file(path, error_type)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise error_type(f"{path} cannot be read: {reason_of(error)}.") from error
    except Exception as error:  # torch raises many kinds of errors for a damaged file
        raise error_type(
            f"{path} is damaged or contains pickled objects; only tensors are allowed."
        ) from error
    check_sizes(content, path, error_type)
    return content


def check_sizes(content: Any, path: Path, error_type: type[CgmgmError]) -> None:
    """Raise an error if a tensor is larger than its file: it would repeat a few values."""
    most = path.stat().st_size
    waiting = [content]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Tensor) and part.numel() * part.element_size() > most:
            raise error_type(
                f"{path} is damaged: a tensor of shape {tuple(part.shape)} is larger than the file."
            )
        if isinstance(part, dict):
            waiting += part.values()
        elif isinstance(part, list | tuple):
            waiting += part
