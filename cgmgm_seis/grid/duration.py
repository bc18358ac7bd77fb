"""How long the tasks of a job take, from a few records that are drawn before."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, cast

from cgmgm_seis.grid.tasks import NodeTasks
from cgmgm_seis.models.devices import one_thread

# Realizations that are timed: the second number if one node with the first takes less than this
# time, s.
FEW_REALIZATIONS, MORE_REALIZATIONS, LEAST_TIMED_S = 10, 100, 0.3
# Nodes are timed until they take as long; every time so many times as many.
GROWTH = 4
# Nothing is timed for fewer records, and nothing is said of a shorter time, s.
LEAST_RECORDS, LEAST_SAID_S = 200, 15.0
# Units of a duration, with the number of seconds from which they are used and in one of them.
UNITS = (("d", 129_600.0, 86_400.0), ("h", 5_400.0, 3_600.0), ("min", 90.0, 60.0))


def expected_time(
    jobs: Sequence[NodeTasks],
    processes: int | None,
    shard: tuple[int, int] = (1, 1),
) -> str | None:
    """Return a sentence on how long the unfinished tasks of jobs will take; None if seconds.

    The records of some nodes of every job are drawn, measured and written, and thrown away.

    Parameters
    ----------
    jobs : sequence of NodeTasks
        The jobs, which are dataclasses, one after the other.
    processes : int or None
        Number of processes; None if unknown, for the time on one core.
    shard : tuple of int
        As in `cgmgm_seis.grid.synthesis.draw_tasks`.
    """
    first, *_ = jobs
    n = first.n_realizations
    nodes = [_unfinished_nodes(job, shard) for job in jobs]
    if max(nodes) * n < LEAST_RECORDS:
        return None
    # A task is not divided.
    used = min(processes, len(first.tasks[shard[0] - 1 :: shard[1]])) if processes else 1
    seconds = sum(
        expected_seconds(job, count) / used for job, count in zip(jobs, nodes, strict=True) if count
    )
    if seconds < LEAST_SAID_S:
        return None
    where = f"{used} process{'es' * (used > 1)}" if processes else "one core"
    return (
        f"{max(nodes)} nodes x {n} realization{'s' * (n > 1)}: about {duration_text(seconds)} on "
        f"{where}."
    )


def expected_seconds(job: NodeTasks, n_nodes: int) -> float:
    """Return the seconds that some nodes of a job take on one core, measured with a few.

    The time of a task is a part that it takes for any number of nodes, such as that of what they
    share, and a part that grows with the nodes: the times of one node and of several tell both.
    """
    first, last = job.tasks[0]
    whole = last - first
    with one_thread():  # as the processes have
        # What is loaded or planned at the first record is not part of the others' time.
        _timed(job, 1, 1)
        n = min(job.n_realizations, FEW_REALIZATIONS)
        one = _timed(job, n, 1)
        if one < LEAST_TIMED_S and n < job.n_realizations:
            n = min(job.n_realizations, MORE_REALIZATIONS)
            one = _timed(job, n, 1)
        timed, several = 1, one
        while timed < whole and several < LEAST_TIMED_S:
            timed = min(timed * GROWTH, whole)
            several = _timed(job, n, timed)
    of_node = max(several - one, 0.0) / (timed - 1) if timed > 1 else one
    shared = max(one - of_node, 0.0)
    return (n_nodes / whole * shared + n_nodes * of_node) * job.n_realizations / n


def _timed(job: NodeTasks, n_realizations: int, n_nodes: int) -> float:
    """Return the seconds of a task of some realizations and nodes, which are thrown away."""
    with TemporaryDirectory() as folder:
        changes = {"n_realizations": n_realizations, "folder": Path(folder)}
        part = cast(NodeTasks, replace(cast(Any, job), **changes))
        began = perf_counter()
        part.run(0, n_nodes)
        return perf_counter() - began


def duration_text(seconds: float) -> str:
    """Return a duration with one or two digits.

    Examples
    --------
    >>> [duration_text(seconds) for seconds in (7.3, 80.0, 1000.0, 10_000.0, 200_000.0)]
    ['7 s', '80 s', '17 min', '2.8 h', '2.3 d']
    """
    for unit, least, size in UNITS:
        if seconds >= least:
            amount = seconds / size
            return f"{amount:.2g} {unit}" if amount < 10.0 else f"{amount:.0f} {unit}"
    return f"{max(seconds, 1.0):.0f} s"


def _unfinished_nodes(job: NodeTasks, shard: tuple[int, int]) -> int:
    """Return the number of nodes without a file of their task, which is not verified here."""
    number, count = shard
    tasks = job.tasks[number - 1 :: count]
    return sum(last - first for first, last in tasks if not job.chunks.exists(first, last))
