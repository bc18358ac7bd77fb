"""Steps of a long computation: each writes one folder, and a second run makes what is missing."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.storage.files import write_file
from cgmgm_seis.storage.resumable import discard_unfinished, is_finished, resumable_folder
from cgmgm_seis.storage.run_lock import run_lock

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Work:
    """Folders of one step.

    Parameters
    ----------
    content : pathlib.Path
        What the step writes; it is missing, or as an interrupted run has left it.
    scratch : pathlib.Path
        For unfinished parts; deleted after the step.
    inputs : mapping
        Name of each step that is needed to its folder.
    """

    content: Path
    scratch: Path
    inputs: Mapping[str, Path]


@dataclass(frozen=True)
class Step:
    """One step.

    Parameters
    ----------
    name : str
        Name of the step and, after its number, of its folder.
    does : str
        What it does, for messages.
    needs : tuple of str
        Steps before it whose folders it reads.
    settings : mapping
        Everything else that its content depends on, serializable as JSON.
    run : callable
        Writes the content.
    """

    name: str
    does: str
    needs: tuple[str, ...]
    settings: Mapping[str, Any]
    run: Callable[[Work], None]


def run_steps(
    out: Path, steps: Sequence[Step], files: Mapping[str, bytes] | None = None
) -> dict[str, Path]:
    """Run the steps whose folders are missing, in order.

    A step that was interrupted continues where it was, as far as it can.

    Parameters
    ----------
    out : pathlib.Path
        Folder of the folders, ``01-name`` and so on.
    steps : sequence of Step
        The steps; each needs only steps before it.
    files : mapping, optional
        Name to content of files that are written beside the folders first.

    Returns
    -------
    dict
        Name of the step to its folder.

    Raises
    ------
    OutputError
        If a folder was made with other settings, which is checked before any step runs, or
        another process writes to `out`.
    CgmgmError
        If a step fails or is interrupted.
    """
    folders, identities = step_folders(out, steps), _identities(steps)
    with run_lock(out):
        finished = finished_steps(out, steps)
        for name, content in (files or {}).items():
            write_file(out / name, content)
        for number, step in enumerate(steps, 1):
            folder = folders[step.name]
            if step.name in finished:
                discard_unfinished(folder)
                logger.info("Step %d of %d: %s is there.", number, len(steps), folder.name)
                continue
            logger.info("Step %d of %d: %s.", number, len(steps), step.does)
            began = perf_counter()
            inputs = {name: folders[name] for name in step.needs}
            with (
                _interruptions(f"step {number} of {len(steps)}"),
                resumable_folder(folder, identities[step.name]) as (made, scratch),
            ):
                step.run(Work(made, scratch, inputs))
            logger.debug("%s: %.1f s.", folder.name, perf_counter() - began)
    return folders


@contextmanager
def _interruptions(where: str) -> Iterator[None]:
    """Say how to continue after Ctrl-C, for which trainings and searches have errors of theirs."""
    try:
        yield
    except (KeyboardInterrupt, CgmgmError) as error:
        if isinstance(error, CgmgmError) and not isinstance(error.__cause__, KeyboardInterrupt):
            raise
        raise CgmgmError(f"Interrupted in {where}; the same command continues.") from error


def step_folders(out: Path, steps: Sequence[Step]) -> dict[str, Path]:
    """Return the folder of every step, by name."""
    return {step.name: out / f"{number:02d}-{step.name}" for number, step in enumerate(steps, 1)}


def finished_steps(out: Path, steps: Sequence[Step]) -> list[str]:
    """Return the names of the steps whose folders are complete.

    Raises
    ------
    OutputError
        If a folder was made with other settings.
    """
    folders, identities = step_folders(out, steps), _identities(steps)
    return [name for name in folders if is_finished(folders[name], identities[name])]


def _identities(steps: Sequence[Step]) -> dict[str, dict[str, Any]]:
    """Return what the content of every step depends on, that of the steps it needs included."""
    found: dict[str, dict[str, Any]] = {}
    for step in steps:
        needs = {name: found[name] for name in step.needs}
        found[step.name] = {"step": step.name, "settings": dict(step.settings), "needs": needs}
    return found
