"""Process pools whose processes end when the process that started them ends."""

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from threading import RLock, Thread
from typing import Any

from tqdm.auto import tqdm

# Environment of processes that share the cores.
OF_A_WORKER = {
    # With several threads, the order of summation and hence the rounding would vary.
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    # glibc would return the memory of large arrays to the system, and get it back zeroed for the
    # next.
    "MALLOC_MMAP_THRESHOLD_": str(2**27),
    "MALLOC_TRIM_THRESHOLD_": str(2**28),
}


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


def kill(pool: ProcessPoolExecutor) -> None:
    """Kill the processes of a pool, which then gives up what they have not finished."""
    for process in [*pool._processes.values()]:
        process.kill()


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables temporarily; processes that are started inherit them."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


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
