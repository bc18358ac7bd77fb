"""Folders whose content is made in one or more runs, and appears when it is complete."""

import glob
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cgmgm_seis.errors import OutputError, reason_of
from cgmgm_seis.storage.files import hidden, write_file
from cgmgm_seis.storage.folders import CONTENT
from cgmgm_seis.storage.identity import difference, digest
from cgmgm_seis.storage.json_files import json_bytes, read_json

# File that is written last, with the identity of the content.
IDENTITY_FILE = "step.json"
SCRATCH, UNFINISHED = "scratch", "unfinished"


def is_finished(folder: Path, identity: Mapping[str, Any]) -> bool:
    """Return whether a folder is complete.

    Raises
    ------
    OutputError
        If it exists and was made with another identity.
    """
    if not folder.exists():
        return False
    before = read_json(folder / IDENTITY_FILE, OutputError)
    if not isinstance(before, dict) or (found := difference(before, identity)):
        raise OutputError(
            f"{folder} was made with {found}; delete it and the folders after it to make them "
            "again, or give another folder."
        )
    return True


@contextmanager
def resumable_folder(folder: Path, identity: Mapping[str, Any]) -> Iterator[tuple[Path, Path]]:
    """Yield the content of a folder and a scratch folder, which stay after an interruption.

    The next run with the same identity finds both as they were left.  On success the content
    becomes the folder, and everything else is deleted.

    Parameters
    ----------
    folder : pathlib.Path
        The folder to make; it does not exist, see `is_finished`.
    identity : mapping
        Everything the content depends on, serializable as JSON.
    """
    work = hidden(folder, f"{digest(identity)}.{UNFINISHED}")
    content = work / CONTENT
    try:
        work.mkdir(parents=True, exist_ok=True)
        yield content, work / SCRATCH
        write_file(content / IDENTITY_FILE, json_bytes(identity))
        content.rename(folder)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {reason_of(error)}.") from error
    discard_unfinished(folder)


def discard_unfinished(folder: Path) -> None:
    """Delete what interrupted runs have left of a folder."""
    for work in folder.absolute().parent.glob(f".{glob.escape(folder.name)}.*.{UNFINISHED}"):
        shutil.rmtree(work, ignore_errors=True)
