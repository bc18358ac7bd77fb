"""Files that are written completely or not at all, and the hidden files next to them."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from cgmgm_seis.errors import OutputError, reason_of


def hidden(path: Path, ending: str) -> Path:
    """Return the hidden path next to a file or folder where unfinished work is kept.

    Examples
    --------
    >>> hidden(Path("/data/maps"), "chunks").as_posix()
    '/data/.maps.chunks'
    """
    path = path.absolute()
    return path.with_name(f".{path.name}.{ending}")


def write_file(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it, so that it is never incomplete.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    temporary = hidden(path, "part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {reason_of(error)}.") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def link_file(path: Path, place: Path) -> None:
    """Give a file a second name, or copy it where file systems differ or have no hard links."""
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, place)
    except OSError:
        shutil.copyfile(path, place)
