"""Training of one model by several processes on this machine."""

import logging
import os
import pickle
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

import torch
import torch.distributed as dist
from torch.multiprocessing import ProcessExitedException, ProcessRaisedException, start_processes

from cgmgm_seis.errors import CgmgmError, TrainingError
from cgmgm_seis.models.collectives import n_processes

logger = logging.getLogger(__name__)

# Time that interrupted processes are given to end by themselves, s.
PATIENCE_S = 30.0


@contextmanager
def started_by_torchrun() -> Iterator[None]:
    """Join the process group if `torchrun` started this process; otherwise do nothing."""
    if not dist.is_torchelastic_launched() or dist.is_initialized():
        yield
        return
    dist.init_process_group(_backend())
    try:
        yield
    finally:
        dist.destroy_process_group()


def launch(work: Callable[..., None], n: int, *arguments: Any) -> None:
    """Run a function in `n` processes of this machine that form a process group.

    Raises
    ------
    CgmgmError
        The first error raised in a process; the other processes are ended.
    """
    errors = get_context("spawn").SimpleQueue()
    threads = max(1, torch.get_num_threads() // n)
    level = logging.getLogger("cgmgm_seis").getEffectiveLevel()
    # Hide log messages of torch for developers, for example on unused parameters.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    # Pass bytes: tensors would be shared, and all processes would train the same memory.
    task = pickle.dumps((work, arguments))
    with tempfile.TemporaryDirectory() as folder:
        member = (task, n, f"file://{folder}/store", threads, level, errors)
        group = start_processes(_member, member, n, join=False, start_method="spawn")
        try:
            while not group.join():
                pass
        except KeyboardInterrupt:
            # The terminal interrupts all processes; the first reports what was saved.
            for process in group.processes:
                process.join(PATIENCE_S)
                process.terminate()
            if errors.empty():
                raise
        except (ProcessExitedException, ProcessRaisedException):
            if errors.empty():
                raise
        if not errors.empty():
            raise errors.get()


def _member(
    number: int,
    task: bytes,
    n: int,
    store: str,
    threads: int,
    level: int,
    errors: Any,
) -> None:
    """Run the work as one process of the group."""
    torch.set_num_threads(threads)
    logging.basicConfig(format="%(levelname)s: %(message)s")
    logging.getLogger("cgmgm_seis").setLevel(level if number == 0 else logging.ERROR)
    logging.getLogger("seisbench").setLevel(logging.CRITICAL)
    os.environ["LOCAL_RANK"] = str(number)
    dist.init_process_group(_backend(), init_method=store, rank=number, world_size=n)
    try:
        work, arguments = pickle.loads(task)
        work(*arguments)
    except CgmgmError as error:
        errors.put(error)
        raise SystemExit(1) from error
    finally:
        dist.destroy_process_group()


def check_devices(device: str, n: int) -> None:
    """Raise `TrainingError` unless there is a device of this kind for each of `n` processes."""
    if n_accelerators := torch.cuda.device_count():
        if device in ("auto", "cuda") and n > n_accelerators:
            raise TrainingError(
                f"devices = {n} must be at most {n_accelerators}, the number of GPUs here."
            )
        return
    if device not in ("auto", "cpu"):
        raise TrainingError(
            f"device = {device} must be cuda or cpu for several processes (devices = {n})."
        )


def own_device(device: str) -> str:
    """Return the device of this process on its machine."""
    kind = "cuda" if device == "auto" and torch.cuda.is_available() else device
    if n_processes() == 1:
        return device
    if kind == "cuda":
        return f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
    return "cpu" if kind == "auto" else kind


def _backend() -> str:
    """Return the communication backend: both on GPUs, since small messages stay on the CPU."""
    return "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
