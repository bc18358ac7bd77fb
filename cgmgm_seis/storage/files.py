"""Files that are written completely or not at all, and the hidden files next to them."""

import errno
import hashlib
import os
import shutil
import stat
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import IO

from cgmgm_seis.errors import OutputError, reason_of

# Beginnings of temporary names: of `write_file`, and of folders where weights are saved.
PART, SAVING = ".part-", ".saving-"
# A file that is being written is unlocked for less than this time, s: before and after.
UNLOCKED_S = 1.0
# Largest file of a catalogue, an inventory or a table, bytes.
LARGEST = 1_000_000_000


def hidden(path: Path, ending: str) -> Path:
    """Return the hidden path next to a file or folder where unfinished work is kept.

    Examples
    --------
    >>> hidden(Path("/data/maps"), "chunks").as_posix()
    '/data/.maps.chunks'
    """
    path = path.absolute()
    return path.with_name(f".{path.name}.{ending}")


def check_regular(path: Path, most_bytes: int = LARGEST) -> None:
    """Raise an error unless a path is a file of at most a number of bytes.

    Devices and pipes may never end.

    Raises
    ------
    OSError
        If the file is missing.
    ValueError
        If it is not a regular file, or is larger.
    """
    status = path.stat()
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise ValueError("it is not a regular file")
    if status.st_size > most_bytes:
        raise ValueError(f"it has {status.st_size} bytes, more than {most_bytes}")


def write_file(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it, so that it is never incomplete.

    The temporary name is unique: of several processes that write the same file, one wins.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    # Not made of the name of the file, which may be as long as a name can be.
    temporary = path.with_name(f"{PART}{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            _hold(file)
            file.write(content)
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {reason_of(error)}.") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def clear_parts(folder: Path) -> None:
    """Delete what processes that were killed in `write_file` left in a folder of the user.

    On systems without locks of files, such as Windows, nothing is deleted.
    """
    for part in folder.glob(f"{PART}*"):
        with suppress(OSError), part.open("rb") as file:
            if time.time() - part.stat().st_mtime > UNLOCKED_S and _hold(file):
                part.unlink(missing_ok=True)


def _hold(file: IO[bytes]) -> bool:
    """Lock a file until it is closed or this process ends; return whether that is possible."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True


def sha256(path: Path) -> str:
    """Return the SHA-256 checksum of a file, hexadecimal.

    Raises
    ------
    OSError
        If it cannot be read, or is a device or pipe, which may never end.
    """
    try:
        check_regular(path, sys.maxsize)
    except ValueError as error:
        raise OSError(errno.EINVAL, str(error), str(path)) from error
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def link_file(path: Path, place: Path) -> None:
    """Give a file a second name, or copy it where file systems differ or have no hard links."""
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, place)
    except OSError:
        shutil.copyfile(path, place)
