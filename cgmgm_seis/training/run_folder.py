"""The folder of a training run: checkpoint, metrics and configuration, written atomically."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import torch

from cgmgm_seis.errors import OutputError, TrainingError, reason_of
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.storage.files import write_file
from cgmgm_seis.storage.folders import check_resumable
from cgmgm_seis.storage.identity import difference, plain
from cgmgm_seis.storage.json_files import json_bytes
from cgmgm_seis.storage.run_lock import run_lock
from cgmgm_seis.storage.torch_files import read_torch_file

CHECKPOINT_FILE = "checkpoint.pt"
METRICS_FILE = "metrics.csv"
CONFIG_FILE = "config.json"


class RunFolder:
    """Folder of a training run, which can be resumed even if the process was killed.

    Every file is written under a temporary name and renamed; the metrics are written from the
    history in the checkpoint, so that the two always agree after a resume.

    Parameters
    ----------
    path : pathlib.Path
        The folder; created when the first file is written.
    resume : bool
        Continue from a checkpoint if there is one.
    overwrite : bool
        Replace the files of an earlier run.
    writes : bool
        False in all but the first of several processes, which only read.

    Raises
    ------
    OutputError
        If the path exists and may neither be resumed nor replaced.
    """

    def __init__(
        self, path: Path, resume: bool = False, overwrite: bool = False, writes: bool = True
    ) -> None:
        self.path = path
        self.writes = writes
        self.checkpoint = path / CHECKPOINT_FILE
        self.identity: dict[str, Any] = {}
        self.resumes = resume and self.checkpoint.is_file()
        # A run that was stopped before its first checkpoint has no weights and starts again.
        restarts = resume and not any(path.glob("*.pt"))
        replaces = (overwrite or restarts) and (path / CONFIG_FILE).is_file()
        check_resumable(path, self.resumes or replaces, "a training run")

    def start(
        self, identity: Mapping[str, Any], settings: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Write the configuration and return the state to resume from, if there is one.

        Parameters
        ----------
        identity : mapping
            What must be equal in a resumed run; JSON-serialisable, may be nested.
        settings : mapping
            All settings of this run; "name" is the name of the weights files.

        Raises
        ------
        TrainingError
            If the checkpoint is damaged or belongs to a run with another identity.
        """
        self.identity = plain(identity)
        state = self._load() if self.resumes else None
        if state is None:
            name = settings["name"]
            for old in (CHECKPOINT_FILE, METRICS_FILE, f"{name}.json", f"{name}.pt"):
                if self.writes:
                    (self.path / old).unlink(missing_ok=True)
        config = self.identity | {"config": dict(settings)}
        self._write(CONFIG_FILE, json_bytes(config, allow_nan=True))
        return state

    def save(self, state: Mapping[str, Any]) -> None:
        """Write the checkpoint, and the metrics from its "history", a list of rows."""
        buffer = BytesIO()
        torch.save({"identity": json.dumps(self.identity), **state}, buffer)
        self._write(CHECKPOINT_FILE, buffer.getvalue())
        if state["history"]:
            table = StringIO()
            writer = csv.DictWriter(table, state["history"][0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(state["history"])
            self._write(METRICS_FILE, table.getvalue().encode())

    def save_weights(
        self, model: GroundMotionModel, name: str, docstring: str, card: Mapping[str, Any]
    ) -> None:
        """Write a model as SeisBench's pair of files; the checkpoint is kept."""
        if not self.writes:
            return
        try:
            model.save(self.path / name, docstring, card=card)
        except (OSError, RuntimeError) as error:  # torch raises RuntimeError for a full disk
            raise OutputError(
                f"{self.path / name}.pt cannot be written: {reason_of(error)}; {self.checkpoint} "
                f"keeps the training, and the same command with --resume (resume=True) writes the "
                f"weights."
            ) from error

    def _load(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = read_torch_file(self.checkpoint, TrainingError)
            before = json.loads(state.pop("identity"))
            rows = list(state["history"])
            if any(row.keys() != rows[0].keys() for row in rows):
                raise ValueError("history")
        except Exception as error:  # what is missing in it raises several kinds
            raise self.unreadable(error) from error
        if found := difference(before, self.identity):
            raise TrainingError(
                f"The run in {self.path} has {found}; it can be resumed with the same settings and "
                f"data only."
            )
        return state

    def unreadable(self, error: Exception) -> TrainingError:
        """Return the error of a checkpoint that cannot be used."""
        return TrainingError(
            f"{self.checkpoint} is not a readable checkpoint ({type(error).__name__}); "
            f"--overwrite (overwrite=True) replaces the run."
        )

    def _write(self, name: str, content: bytes) -> None:
        if not self.writes:
            return
        try:
            write_file(self.path / name, content)
        except OutputError as error:
            kept = f"{self.checkpoint} keeps the epochs before, and "
            raise OutputError(
                f"{str(error).rstrip('.')}; {kept if self.checkpoint.is_file() else ''}the same "
                f"command with --resume (resume=True) continues once the file can be written."
            ) from error


@contextmanager
def open_run(path: Path, resume: bool, overwrite: bool, writes: bool) -> Iterator[RunFolder]:
    """Yield a run folder that no other process writes to; parameters as for `RunFolder`.

    Raises
    ------
    OutputError
        If another process holds the folder, or it may neither be resumed nor replaced.
    """
    RunFolder(path, resume, overwrite)  # a folder of others gets no lock
    with run_lock(path) if writes else nullcontext():
        # Another process may have just ended.
        yield RunFolder(path, resume, overwrite, writes)


@contextmanager
def metrics_log(
    folder: Path, tensorboard: bool, n_epochs: int
) -> Iterator[Callable[[Mapping[str, float]], None]]:
    """Yield a function that receives the metrics of an epoch, and writes them for TensorBoard.

    Parameters
    ----------
    folder : pathlib.Path
        The run folder.
    tensorboard : bool
        Write to its folder "tensorboard"; otherwise the function does nothing.
    n_epochs : int
        Number of epochs before; later ones that an earlier run has written are hidden.
    """
    if not tensorboard:
        yield lambda _: None
        return
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder / "tensorboard"), purge_step=n_epochs + 1) as writer:

        def log(row: Mapping[str, float]) -> None:
            for key, value in row.items():
                writer.add_scalar(key, value, int(row["epoch"]))

        yield log


def check_tensorboard() -> None:
    """Raise `TrainingError` if the package tensorboard is missing."""
    if find_spec("tensorboard") is None:
        raise TrainingError(
            "TensorBoard is not installed; install it with pip install 'cgmgm-seis[tensorboard]'."
        )
