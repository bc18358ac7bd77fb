"""Output folders that appear complete or not at all, and whether one may be written."""

import glob
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock

from cgmgm_seis.errors import OutputError, reason_of
from cgmgm_seis.storage.locks import try_lock

PROVENANCE_FILE = "provenance.json"
# The file that shows whose folder it is: what it belongs to.
KINDS = {
    PROVENANCE_FILE: "a folder of generated records",
    "waveforms.hdf5": "a SeisBench data set",
}
# In the hidden folder of one that is being written: its lock, and what gets the final name.
LOCK, CONTENT = "lock", "content"
# How often a hidden folder is made until it is locked, and how long each of them may take, s.
TRIES, WAIT_S = 3, 1.0


# ---- may it be written? --------------------------------------------------------------------


def is_free(folder: Path) -> bool:
    """Return whether nothing is in a folder's way: it does not exist, or is empty."""
    return not os.path.lexists(folder) or (folder.is_dir() and not any(folder.iterdir()))


def check_place(folder: Path) -> None:
    """Raise `OutputError` where a folder cannot be made, before any work is done for it."""
    places = (folder.absolute(), *folder.absolute().parents)
    beside = next(place for place in places if os.path.lexists(place))
    if beside != places[0] and not (beside.is_dir() and os.access(beside, os.W_OK)):
        raise OutputError(f"{folder} cannot be made: {beside} is no folder that can be written to.")


def check_new(path: Path, overwrite: bool = False) -> None:
    """Raise `OutputError` where a file or folder exists that is not to be replaced."""
    if os.path.lexists(path) and not overwrite:
        raise OutputError(f"{path} exists already; --overwrite (overwrite=True) replaces it.")


def check_folder(
    folder: str | Path, overwrite: bool = False, marker: str = PROVENANCE_FILE
) -> None:
    """Raise `OutputError` unless this folder may be made.

    An existing folder is replaced only if asked for and if it holds the file `marker`, so
    that a slip of the keyboard does not delete somebody's data.
    """
    folder = Path(folder)
    check_new(folder, overwrite)
    if os.path.lexists(folder) and (folder.is_symlink() or not (folder / marker).is_file()):
        raise OutputError(
            f"{folder} is not {KINDS[marker]} ({marker} is missing); only such a folder is "
            "replaced."
        )


def check_resumable(folder: Path, allowed: bool, what: str) -> None:
    """Raise `OutputError` unless a folder of work that goes on after a kill may be written.

    Parameters
    ----------
    folder : pathlib.Path
        The folder, which may be missing or empty.
    allowed : bool
        Whether what it holds may be continued or replaced.
    what : str
        What may be in it, such as "a training run".
    """
    check_place(folder)
    if not (allowed or is_free(folder)):
        raise OutputError(
            f"{folder} exists already; --resume (resume=True) continues and --overwrite "
            f"(overwrite=True) replaces {what} in it."
        )


# ---- writing -------------------------------------------------------------------------------


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
        held = _begin(temporary)
        yield temporary / CONTENT
        folder.parent.mkdir(parents=True, exist_ok=True)
        check_folder(folder, overwrite, marker)
        if folder.exists():
            folder.rename(replaced)
        # The lock stays where it is: Windows does not rename a folder with an open file in it.
        (temporary / CONTENT).rename(folder)
    except BaseException as error:
        if replaced.exists():
            replaced.rename(folder)
        if isinstance(error, OSError):
            raise OutputError(f"{folder} cannot be written: {reason_of(error)}.") from error
        raise
    finally:
        if held is not None:
            held.release()
        shutil.rmtree(temporary, ignore_errors=True)
    shutil.rmtree(replaced, ignore_errors=True)


def _begin(temporary: Path) -> BaseFileLock | None:
    """Make a hidden folder and lock it; None where the file system has no locks.

    Until it is locked, another process may take it for one that a killed process left.
    """
    held = None
    for _ in range(TRIES):
        temporary.mkdir(exist_ok=True)
        held = try_lock(temporary / LOCK, WAIT_S)
        if held is not None and (temporary / LOCK).exists():
            break
    (temporary / CONTENT).mkdir(parents=True)
    return held


def _clear_remains(folder: Path, beside: Path) -> None:
    """Delete what killed processes left of a folder, and give back what they had put aside."""
    name = glob.escape(folder.name)
    for part in beside.glob(f".{name}-*.part"):
        if (held := try_lock(part / LOCK)) is not None:
            shutil.rmtree(part, ignore_errors=True)
            held.release()
            # Windows keeps a file that is open; then the lock is all that is left.
            shutil.rmtree(part, ignore_errors=True)
    for replaced in folder.parent.glob(f".{name}-*.old"):
        if folder.exists():
            shutil.rmtree(replaced, ignore_errors=True)
        elif not (beside / replaced.with_suffix(".part").name).exists():
            replaced.rename(folder)
