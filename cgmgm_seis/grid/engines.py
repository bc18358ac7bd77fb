"""Engines that run tasks: processes on this machine, or Ray; results are identical bit by bit."""

import logging
import signal
import socket
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from cgmgm_seis.errors import CgmgmError, OutputError
from cgmgm_seis.grid.tasks import NodeTasks
from cgmgm_seis.storage.processes import OF_A_WORKER, environment, kill, process_pool

Task = tuple[int, int]
Seconds = Mapping[str, float]

_job: NodeTasks | None = None


def run_here(job: NodeTasks, tasks: Iterable[Task]) -> Generator[Seconds]:
    """Run tasks one after the other in this process, with its current number of threads."""
    for task in tasks:
        yield job.run(*task)


def run_local(job: NodeTasks, tasks: list[Task], workers: int) -> Generator[Seconds]:
    """Run tasks in processes of one thread each, yielding the times of each finished task.

    Raises
    ------
    OutputError
        If a process was killed, for example because memory ran out.
    """
    with environment(OF_A_WORKER), process_pool(workers, _start, (job,)) as pool:
        with _interrupts_ignored():  # also by the processes, from their beginning
            futures = [pool.submit(_run, task) for task in tasks]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise OutputError(
                "A worker was killed, perhaps because memory ran out; finished chunks are kept, "
                "and the same command continues."
            ) from error
        except (KeyboardInterrupt, GeneratorExit):
            # Files are complete or absent: nothing is lost by not waiting for running tasks.  The
            # pool itself gives up the others; if they were cancelled, its thread would fail.
            kill(pool)
            raise
        except Exception:
            for future in futures:
                future.cancel()
            raise


def run_ray(job: NodeTasks, tasks: list[Task], address: str | None = None) -> Generator[Seconds]:
    """Run tasks on Ray; a task whose worker dies is restarted on another one.

    Parameters
    ----------
    job : NodeTasks
        The job; its folder must be shared by all machines.
    tasks : list of tuple
        First node and node after the last of every task.
    address : str, optional
        Address of a running cluster ("auto" finds it); by default Ray is started here.

    Raises
    ------
    CgmgmError
        If Ray is not installed, or the cluster cannot be reached.
    OutputError
        If a task failed repeatedly.
    """
    try:
        import ray
    except ImportError as error:
        raise CgmgmError(
            "Ray is not installed; install it with pip install 'cgmgm-seis[distributed]'."
        ) from error
    started = not ray.is_initialized()
    if started:
        try:
            _reach(address)
            ray.init(
                address=address,
                runtime_env={"env_vars": OF_A_WORKER},
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise CgmgmError(f"Ray at '{address}' cannot be reached: {error}.") from error
    try:
        shared = ray.put(job)
        remote = ray.remote(num_cpus=1, max_retries=5)(_run_shared)
        waiting = [remote.remote(shared, task) for task in tasks]
        while waiting:
            done, waiting = ray.wait(waiting)
            for reference in done:
                yield ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, CgmgmError):
            raise error.cause from error
        raise OutputError(f"A task failed on Ray: {error.cause}.") from error
    except ray.exceptions.RayError as error:
        raise OutputError(
            f"Ray lost a task ({type(error).__name__}); finished chunks are kept, and the same "
            "command continues."
        ) from error
    finally:
        if started:
            ray.shutdown()


def _reach(address: str | None) -> None:
    """Raise OSError if no cluster answers at the address: Ray would try for minutes."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=10.0).close()


def _start(job: NodeTasks) -> None:
    global _job
    _job = job


def _run(task: Task) -> Seconds:
    assert _job is not None
    return _job.run(*task)


def _run_shared(job: NodeTasks, task: Task) -> Seconds:
    return job.run(*task)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ignore Ctrl-C for a moment; processes started meanwhile never receive it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
