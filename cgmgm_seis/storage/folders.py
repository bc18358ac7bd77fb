"""Output folders that are written completely or not at all, and checks before writing."""

import glob
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock

from cgmgm_seis.errors import OutputError, reason_of, shortened
from cgmgm_seis.storage.files import clear_parts, hidden
from cgmgm_seis.storage.locks import try_lock
from cgmgm_seis.storage.run_lock import is_ours, run_lock

PROVENANCE_FILE = "provenance.json"
# A file that identifies a folder, and the kind of folder.
KINDS = {
    PROVENANCE_FILE: "a folder of generated records",
    "waveforms.hdf5": "a SeisBench data set",
}
# In the hidden folder of an unfinished output: its lock, and the content to be renamed.
LOCK, CONTENT = "lock", "content"
# Longest name and path, bytes: hidden names are longer by 40, and systems allow 255 and 1,024.
NAME_BYTES, PATH_BYTES = 200, 900
# Number of attempts to create and lock a hidden folder, and the waiting time of each, s.
TRIES, WAIT_S = 3, 1.0


# ---- checks before writing --------------------------------------------------------------------


def is_free(folder: Path) -> bool:
    """Return whether a folder does not exist, or is empty but for locks and unfinished files."""
    if not os.path.lexists(folder):
        return True
    return folder.is_dir() and all(is_ours(path.name) for path in folder.iterdir())


def check_name(path: Path) -> None:
    """Raise `OutputError` if a file or folder cannot have this name, whatever exists.

    Examples
    --------
    >>> check_name(Path("/"))
    Traceback (most recent call last):
    ...
    cgmgm_seis.errors.OutputError: '/' must end with a name.
    """
    path = path.absolute()
    if path.name in ("", ".."):
        raise OutputError(f"'{path}' must end with a name.")
    for text, what, most in ((path.name, "name", NAME_BYTES), (str(path), "path", PATH_BYTES)):
        if (size := len(os.fsencode(text))) > most:
            raise OutputError(
                f"The {what} '{shortened(text)}' has {size} bytes and must have at most {most}."
            )


def check_place(folder: Path) -> None:
    """Raise `OutputError` if a folder cannot be created, before any computation starts."""
    check_name(folder)
    places = (folder.absolute(), *folder.absolute().parents)
    beside = next(place for place in places if os.path.lexists(place))
    if beside != places[0] and not (beside.is_dir() and os.access(beside, os.W_OK)):
        raise OutputError(f"{folder} cannot be created: {beside} is not a writable folder.")


def check_new(path: Path, overwrite: bool = False) -> None:
    """Raise `OutputError` if a file or folder exists and may not be replaced.

    Files beside it that processes left when they were killed are deleted.
    """
    check_name(path)
    clear_parts(path.absolute().parent)
    if os.path.lexists(path) and not overwrite:
        raise OutputError(f"{path} already exists; --overwrite (overwrite=True) replaces it.")


def check_folder(
    folder: str | Path, overwrite: bool = False, marker: str = PROVENANCE_FILE
) -> None:
    """Raise `OutputError` unless a folder may be created or replaced.

    An existing folder is replaced only with `overwrite` and if it contains the file `marker`,
    so that a typing error does not delete other data.
    """
    folder = Path(folder)
    check_new(folder, overwrite)
    if os.path.lexists(folder) and (folder.is_symlink() or not (folder / marker).is_file()):
        raise OutputError(
            f"{folder} is not {KINDS[marker]} ({marker} is missing); only such a folder can be "
            "replaced."
        )


def check_resumable(folder: Path, allowed: bool, what: str) -> None:
    """Raise `OutputError` unless the folder of a resumable run may be written.

    Parameters
    ----------
    folder : pathlib.Path
        The folder; it may be missing or empty.
    allowed : bool
        Whether its content may be resumed or replaced.
    what : str
        Kind of content, such as "a training run".
    """
    check_place(folder)
    if not (allowed or is_free(folder)):
        raise OutputError(
            f"{folder} already exists; --resume (resume=True) continues and --overwrite "
            f"(overwrite=True) replaces {what} in it."
        )


# ---- writing -------------------------------------------------------------------------------


@contextmanager
def lock_output(folder: Path, overwrite: bool = False, part: str = "") -> Iterator[None]:
    """Be the only process that makes an output folder, which is written whole at the end.

    Parameters
    ----------
    folder : pathlib.Path
        The output.
    overwrite : bool
        As for `check_folder`, which is called as soon as the lock is held.
    part : str
        As for `cgmgm_seis.storage.run_lock.run_lock`; the folder is not checked for a part.

    Raises
    ------
    OutputError
        If another process makes the folder, or it may not be written.
    """
    check_name(folder)
    if not part:
        check_folder(folder, overwrite)
    with run_lock(hidden(folder, "lock"), folder, part):
        if not part:
            check_folder(folder, overwrite)  # another process may have just finished it
        yield


@contextmanager
def complete_folder(folder: Path, overwrite: bool, marker: str = PROVENANCE_FILE) -> Iterator[Path]:
    """Yield a hidden folder that is renamed on success and deleted on failure.

    Hidden folders left by killed processes are deleted when the same folder is written again.
    """
    check_name(folder)
    folder = folder.absolute()
    # Missing parents are created at the end, so that a failure does not leave them behind.
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
        # The lock file is not moved: Windows cannot rename a folder that contains an open file.
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
    """Create a hidden folder and lock it; return None if the file system has no locks.

    Until it is locked, another process may mistake it for the remains of a killed process.
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
    """Delete the remains of killed processes, and restore the folder they were replacing."""
    name = glob.escape(folder.name)
    for part in beside.glob(f".{name}-*.part"):
        if (held := try_lock(part / LOCK)) is not None:
            shutil.rmtree(part, ignore_errors=True)
            held.release()
            # Windows cannot delete an open file, so the lock file may be left.
            shutil.rmtree(part, ignore_errors=True)
    for replaced in folder.parent.glob(f".{name}-*.old"):
        if folder.exists():
            shutil.rmtree(replaced, ignore_errors=True)
        elif not (beside / replaced.with_suffix(".part").name).exists():
            replaced.rename(folder)
