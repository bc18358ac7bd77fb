"""One process at a time in the folder of a run, and what killed processes left there."""

import json
import logging
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from cgmgm_seis.errors import OutputError, reason_of
from cgmgm_seis.storage.files import PART, SAVING, write_file
from cgmgm_seis.storage.json_files import json_bytes

LOCK = ".lock"
# The holder has a file of its own: on Windows, others cannot read a locked file.
HOLDER = ".lock.json"
# Beginnings of the names of unfinished files and folders.
UNFINISHED = (PART, SAVING)
# A lock is free within this time after its process ended, s.
WAIT_S = 1.0

logger = logging.getLogger(__name__)


def is_ours(name: str) -> bool:
    """Return whether a file of this name is a lock, or unfinished work of a killed process.

    Examples
    --------
    >>> is_ours(".lock"), is_ours("config.json")
    (True, False)
    """
    return name.startswith((LOCK, *UNFINISHED))


@contextmanager
def run_lock(folder: Path, output: Path | None = None, part: str = "") -> Iterator[None]:
    """Be the only process that writes to a folder, until the end of the block or of the process.

    The folder is created, and removed again if it stays empty.  Unfinished files of processes
    that were killed in it are deleted.

    Parameters
    ----------
    folder : pathlib.Path
        The folder.
    output : pathlib.Path, optional
        What is written, for the message of the error, if the folder has nothing but the lock; by
        default the folder.
    part : str
        Name of a part of the work: different parts may be done at the same time.

    Raises
    ------
    OutputError
        If another process holds the lock; the message says which one.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     with run_lock(Path(parent, "run")):
    ...         held = Path(parent, "run").is_dir()
    ...     held, Path(parent, "run").exists()
    (True, False)
    """
    place, only_lock, output = folder.resolve(), output is not None, output or folder
    suffix = f"-{part}" if part else ""
    path, holder = place / f"{LOCK}{suffix}", place / f"{HOLDER}{suffix}"
    new = [parent for parent in (place, *place.parents) if not parent.exists()]
    if not new and _is_left(place, only_lock):
        new = [place]
    lock = FileLock(path, timeout=WAIT_S)
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise OutputError(
            f"{output} is being written by {_who(holder)}; wait until it ends, or choose another "
            "folder."
        ) from error
    except NotImplementedError:
        logger.warning("%s is on a file system without locks; use it in one process.", output)
    except OSError as error:
        _remove_empty(new)
        raise OutputError(f"{output} cannot be written: {reason_of(error)}.") from error
    try:
        if not part:
            clear_unfinished(place)
        write_file(holder, json_bytes(_holder()))
        yield
    finally:
        for file in (holder, path):  # while the lock is held: afterwards they may be another's
            with suppress(OSError):
                file.unlink()
        lock.release()
        _remove_empty(new)


def clear_unfinished(folder: Path) -> None:
    """Delete unfinished files and folders; nobody may be writing to the folder."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name.startswith(UNFINISHED):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _holder() -> dict[str, str | int]:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return {"process": os.getpid(), "host": socket.gethostname(), "since": since}


def _who(holder: Path) -> str:
    """Return a description of the process that holds a lock."""
    try:
        found = json.loads(holder.read_bytes())
        return f"process {found['process']} on {found['host']} since {found['since']}"
    except (OSError, ValueError, LookupError, TypeError):  # just taken or just given back
        return "another process"


def _is_left(folder: Path, only_lock: bool) -> bool:
    """Return whether a folder has nothing but what a killed process left of its lock.

    An empty folder may be a user's, unless it is `only_lock`.
    """
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return (bool(names) or only_lock) and all(map(is_ours, names))


def _remove_empty(folders: list[Path]) -> None:
    """Remove folders, the deepest first, up to the first that is not empty."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()
