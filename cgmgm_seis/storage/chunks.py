"""Finished chunks of a long computation, kept on disk so that an interrupted run can resume."""

import hashlib
import logging
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cgmgm_seis.storage.files import hidden, write_file
from cgmgm_seis.storage.identity import digest

logger = logging.getLogger(__name__)

DIGEST_BYTES = 32


def chunk_folder(out: Path) -> Path:
    """Return the hidden folder next to an output in which its finished chunks are kept."""
    return hidden(out, "chunks")


class Chunks:
    """Arrays stored by their first and last row, in files that include a checksum.

    Parameters
    ----------
    folder : pathlib.Path or None
        Folder of the files, created when the first one is written.  If None, nothing is kept.
    identity : mapping
        Everything the arrays depend on, serializable as JSON.  Files that were written with
        another identity are ignored.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Chunks(Path(folder), {"seed": 1}).save(0, 2, values=np.arange(2))
    ...     found = Chunks(Path(folder), {"seed": 1}).load(0, 2)
    ...     other = Chunks(Path(folder), {"seed": 2}).load(0, 2)
    >>> found["values"].tolist(), other
    ([0, 1], None)
    """

    def __init__(self, folder: Path | None, identity: Mapping[str, Any]) -> None:
        self.folder = folder
        self.name = digest(identity)

    def exists(self, first: int, last: int) -> bool:
        """Return whether rows `first` to `last` have a file, which may be damaged."""
        return self.folder is not None and self._path(first, last).is_file()

    def load(self, first: int, last: int) -> dict[str, NDArray[Any]] | None:
        """Return the arrays of rows `first` to `last`, or None if missing or damaged."""
        if self.folder is None or not (path := self._path(first, last)).is_file():
            return None
        content = path.read_bytes()
        if hashlib.sha256(content[DIGEST_BYTES:]).digest() != content[:DIGEST_BYTES]:
            logger.warning("%s is damaged; its records are generated again.", path)
            return None
        with np.load(BytesIO(content[DIGEST_BYTES:])) as arrays:
            return dict(arrays)

    def save(self, first: int, last: int, /, **arrays: NDArray[Any]) -> None:
        """Write the arrays of rows `first` to `last`; the file is complete or absent.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        if self.folder is None:
            return
        buffer = BytesIO()
        np.savez(buffer, **dict[str, Any](arrays))
        content = buffer.getvalue()
        write_file(self._path(first, last), hashlib.sha256(content).digest() + content)

    def discard(self, first: int, last: int) -> None:
        """Delete the arrays of rows `first` to `last`, if they exist."""
        if self.folder is not None:
            self._path(first, last).unlink(missing_ok=True)

    def _path(self, first: int, last: int) -> Path:
        assert self.folder is not None
        return self.folder / f"{self.name}-{first}-{last}.chunk"
