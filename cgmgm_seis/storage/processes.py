"""Process pools whose processes end when the process that started them ends."""

import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from threading import RLock, Thread
from typing import Any

from tqdm.auto import tqdm


def process_pool(
    workers: int, initializer: Callable[..., None] | None = None, arguments: tuple[Any, ...] = ()
) -> ProcessPoolExecutor:
    """Return a pool of spawned processes.

    Forked processes would inherit the threads of torch and HDF5.  The processes of Python's own
    pools keep running and wait forever when the process that started them is killed; these end.

    Parameters
    ----------
    workers : int
        Number of processes.
    initializer : callable, optional
        Called with `arguments` at the start of every process.
    arguments : tuple
        Arguments of the initializer.
    """
    context = get_context("spawn")
    return ProcessPoolExecutor(workers, context, _start, (initializer, arguments))


def _start(initializer: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    # Ctrl-C is handled by the process that started the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    # The default is a lock of several processes, which Python reports as lost if one is killed.
    tqdm.set_lock(RLock())
    if initializer is not None:
        initializer(*arguments)


def _end_with_parent() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
    os._exit(1)
