"""Locks that end with the process that holds them, however it ends."""

from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout


def try_lock(path: Path, wait_s: float = 0.0) -> BaseFileLock | None:
    """Lock a file, which is made where it is missing, until release or the end of this process.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    wait_s : float
        How long to wait for another process that holds the lock, seconds.

    Returns
    -------
    filelock.BaseFileLock or None
        None where another process holds the lock, or the file cannot be locked.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lock = try_lock(Path(folder, "lock"))
    ...     lock.is_locked
    ...     lock.release()
    True
    """
    lock = FileLock(path, timeout=wait_s)
    try:
        lock.acquire()
    except (Timeout, OSError, NotImplementedError):
        return None
    return lock
