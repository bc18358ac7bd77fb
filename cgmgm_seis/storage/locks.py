"""File locks that are released when the process that holds them ends, however it ends."""

from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout


def try_lock(path: Path, wait_s: float = 0.0) -> BaseFileLock | None:
    """Lock a file until it is released or this process ends; create it if it is missing.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    wait_s : float
        Time to wait for another process that holds the lock, seconds.

    Returns
    -------
    filelock.BaseFileLock or None
        None if another process holds the lock, or the file cannot be locked.

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
