"""Devices of this machine on which a model can run."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from cgmgm_seis.errors import CgmgmError, shortened


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute with one thread; the number before is restored."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def check_device(device: str) -> None:
    """Raise an error unless a device of this machine has this name, such as "cpu" or "cuda:1".

    Parameters
    ----------
    device : str
        Name of a device of torch, or "auto", the fastest available.

    Raises
    ------
    CgmgmError
        If the device is not available.

    Examples
    --------
    >>> check_device("warp")
    Traceback (most recent call last):
    ...
    cgmgm_seis.errors.CgmgmError: Device 'warp' is not available on this machine; use cpu or auto.
    """
    if device == "auto" or _is_available(device):
        return
    raise CgmgmError(
        f"Device '{shortened(device)}' is not available on this machine; use cpu or auto."
    )


def _is_available(name: str) -> bool:
    try:
        device = torch.device(name)
        if device.type == "cpu":
            return not device.index
        # Other types that torch knows, such as meta, have no memory or no library here.
        torch.zeros(1, device=device)
        return device.type in ("cuda", "mps", "xpu")
    except (RuntimeError, AssertionError, ImportError, ValueError, OverflowError):
        return False
