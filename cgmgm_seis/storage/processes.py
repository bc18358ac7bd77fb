"""Pools of processes that end with the one that started them."""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any


def process_pool(
    workers: int, initializer: Callable[..., None] | None = None, arguments: tuple[Any, ...] = ()
) -> ProcessPoolExecutor:
    """Return a pool of spawned processes.

    Forked ones would inherit the threads of torch and HDF5.  Python's own pools go on, and then
    wait for ever, when the process that started them is killed; these end.

    Parameters
    ----------
    workers : int
        Number of processes.
    initializer : callable, optional
        Called with `arguments` at the start of every process.
    arguments : tuple
        Of the initializer.
    """
    context = get_context("spawn")
    return ProcessPoolExecutor(workers, context, _start, (initializer, arguments))


def _start(initializer: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    Thread(target=_end_with_parent, daemon=True).start()
    if initializer is not None:
        initializer(*arguments)


def _end_with_parent() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
    os._exit(1)
