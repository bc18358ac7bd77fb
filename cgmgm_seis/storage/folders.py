"""Output folders and files that appear complete or not at all."""

import errno
import glob
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

from cgmgm_seis.errors import OutputError

PROVENANCE_FILE = "provenance.json"
# The file that shows whose folder it is: what it belongs to.
KINDS = {
    PROVENANCE_FILE: "a folder of generated records",
    "waveforms.hdf5": "a SeisBench data set",
}


def check_folder(
    folder: str | Path, overwrite: bool = False, marker: str = PROVENANCE_FILE
) -> None:
    """Raise `OutputError` unless this folder may be made.

    An existing folder is replaced only if asked for and if it holds the file `marker`, so
    that a slip of the keyboard does not delete somebody's data.
    """
    folder = Path(folder)
    if not os.path.lexists(folder):
        return
    if not overwrite:
        raise OutputError(f"{folder} exists already; --overwrite (overwrite=True) replaces it.")
    if folder.is_symlink() or not (folder / marker).is_file():
        raise OutputError(
            f"{folder} is not {KINDS[marker]} ({marker} is missing); only such a folder is "
            "replaced."
        )


@contextmanager
def complete_folder(folder: Path, overwrite: bool, marker: str = PROVENANCE_FILE) -> Iterator[Path]:
    """Yield a hidden folder that takes its name when all went well and vanishes otherwise.

    What a killed process left behind goes when the same folder is made again.
    """
    folder = folder.absolute()
    # Missing parents are made at the very end, so that a failure does not leave them behind.
    beside = next(parent for parent in folder.parents if parent.exists())
    _clear_remains(folder, beside)
    check_folder(folder, overwrite, marker)
    token = uuid.uuid4().hex
    temporary = beside / f".{folder.name}-{token}.part"
    replaced = folder.with_name(f".{folder.name}-{token}.old")
    held = None
    try:
        # Nobody takes it for a killed process's before it is held.
        fresh = temporary.with_suffix(".new")
        fresh.mkdir()
        held = _hold(fresh)
        fresh.rename(temporary)
        yield temporary
        folder.parent.mkdir(parents=True, exist_ok=True)
        check_folder(folder, overwrite, marker)
        if folder.exists():
            folder.rename(replaced)
        temporary.rename(folder)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if replaced.exists():
            replaced.rename(folder)
        if isinstance(error, OSError):
            raise OutputError(f"{folder} cannot be written: {_reason(error)}.") from error
        raise
    finally:
        if held is not None:
            os.close(held)
    shutil.rmtree(replaced, ignore_errors=True)


def write_file(path: Path, content: bytes) -> None:
    """Write a file under another name and rename it: it is complete or absent.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {_reason(error)}.") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _hold(folder: Path) -> int | None:
    """Lock a folder until this process ends; None where another holds it, or locks are missing."""
    if sys.platform == "win32":
        return None
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def _clear_remains(folder: Path, beside: Path) -> None:
    """Delete what killed processes left of a folder, and give back what they had put aside."""
    name = glob.escape(folder.name)
    for part in beside.glob(f".{name}-*.part"):
        if (held := _hold(part)) is not None:
            shutil.rmtree(part, ignore_errors=True)
            os.close(held)
    for replaced in folder.parent.glob(f".{name}-*.old"):
        if folder.exists():
            shutil.rmtree(replaced, ignore_errors=True)
        elif not (beside / replaced.with_suffix(".part").name).exists():
            replaced.rename(folder)


def _reason(error: OSError) -> str:
    """Return the system's message, which HDF5 wraps in a paragraph of its own."""
    if error.errno:
        return os.strerror(error.errno)
    if "No space left" in str(error):
        return os.strerror(errno.ENOSPC)
    return error.strerror or str(error)
