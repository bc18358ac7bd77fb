"""Train a generator on a SeisBench data set: loop, early stopping and resume."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from seisbench.data import WaveformDataset
from tqdm.auto import tqdm

from cgmgm_seis.datasets.windows import SPLITS
from cgmgm_seis.errors import TrainingError
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.models.collectives import agreed, n_processes, rank
from cgmgm_seis.training.config import TrainingConfig, fixed_settings
from cgmgm_seis.training.data import prepare
from cgmgm_seis.training.processes import check_devices, launch, own_device, started_by_torchrun
from cgmgm_seis.training.run_folder import RunFolder, check_tensorboard, metrics_log, open_run
from cgmgm_seis.training.trainer import Trainer

logger = logging.getLogger(__name__)


def train(
    model: GroundMotionModel,
    dataset: WaveformDataset | str | Path,
    out: str | Path,
    config: TrainingConfig | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
) -> Path:
    """Train a model and write its weights as SeisBench's pair of files.

    The folder holds config.json, metrics.csv (one row per epoch), checkpoint.pt (written after
    every epoch) and finally the weights with the lowest dev loss.  On the same machine with the
    same number of threads, a resumed run gives the same results as an uninterrupted one.

    Several processes, started with `config.devices` or by ``torchrun``, give the results of one
    process up to rounding: batches, noise, batch norms and running moments are those of the
    whole batch.

    Parameters
    ----------
    model : GroundMotionModel
        Trained in place; has the best weights afterwards, except with `config.devices` above 1,
        where copies are trained.  Loaded weights are trained further, with their normalisation.
    dataset : seisbench.data.WaveformDataset, str or pathlib.Path
        Data set with magnitude, source and station columns, see
        `cgmgm_seis.datasets.windows.read_records`.  Without a ``split`` column it is split
        event-wise.
    out : str or pathlib.Path
        Run folder.
    config : TrainingConfig, optional
        Settings; by default those of the model.
    resume : bool
        Continue from the checkpoint in `out`, or start if there is none.
    overwrite : bool
        Replace the run in `out`.
    progress : bool
        Show progress bars where stderr is a terminal.

    Returns
    -------
    pathlib.Path
        Path of the weights without suffix, as needed by `load_model`.

    Raises
    ------
    TrainingError
        If the loss is not finite, the run is interrupted, or a resumed run has other settings.
    DatasetError
        If the data set cannot be used.
    OutputError
        If `out` exists or cannot be written.
    """
    config = config or TrainingConfig.of(model)
    config = replace(config, name=config.name or model.name.lower())
    arguments = (model, dataset, Path(out), config, resume, overwrite, progress)
    if config.devices > 1 and n_processes() == 1:
        check_devices(config.device, config.devices)
        RunFolder(Path(out), resume, overwrite)
        launch(_train, config.devices, *arguments)
    else:
        with started_by_torchrun():
            _train(*arguments)
    return Path(out) / config.name


def _train(
    model: GroundMotionModel,
    dataset: WaveformDataset | str | Path,
    out: Path,
    config: TrainingConfig,
    resume: bool,
    overwrite: bool,
    progress: bool,
) -> None:
    """Train in this process, which may be one of several; only the first writes files."""
    if config.tensorboard:
        check_tensorboard()
    with open_run(out, resume, overwrite, writes=rank() == 0) as run:
        agreed(None)  # all processes must have checked the folder before one writes to it
        _train_in(run, model, dataset, config, progress)
        agreed(None)  # no process may end before the weights are written


def _train_in(
    run: RunFolder,
    model: GroundMotionModel,
    dataset: WaveformDataset | str | Path,
    config: TrainingConfig,
    progress: bool,
) -> None:
    """Train and write the files of the run."""
    began = time.monotonic()
    progress = progress and run.writes
    model.to_device(own_device(config.device))
    identity: dict[str, Any] = {
        "model": model.name,
        "model_args": model.get_model_args(),
        "config": fixed_settings(config, type(model)),
    }
    if model.weights_sha256:
        identity["started_from"] = model.weights_sha256
    splits, card = prepare(
        model, dataset, config.seed, config.strict, progress, config.workers, config.units
    )
    identity["data"] = card["data"]

    trainer = Trainer(model, splits, config)
    state = run.start(identity, asdict(config))
    if state is not None:
        try:
            trainer.load_state_dict(state)
        except Exception as error:  # of several kinds, as what a checkpoint may hold
            raise run.unreadable(error) from error
    run.save(trainer.state_dict())
    deadline = math.inf if config.max_minutes is None else began + 60.0 * config.max_minutes
    tensorboard = config.tensorboard and run.writes
    with metrics_log(run.path, tensorboard, trainer.epoch) as log, _denormals_as_zero():
        stopped = _run_epochs(trainer, run, deadline, progress, log)

    if model.weights_sha256:
        card["started_from"] = {"sha256": model.weights_sha256, **model.card}
    model.load_state_dict(trainer.best_weights)
    model.eval()
    metrics = {split: trainer.evaluate(split) for split in SPLITS if split in splits}
    card |= model.after_training(trainer.batches("train"))
    card |= trainer.card() | {"stopped_by": stopped, "metrics": metrics}
    run.save_weights(model, config.name, config.docstring, card)


@contextmanager
def _denormals_as_zero() -> Iterator[None]:
    """Replace numbers below 1e-38, with which processors calculate slowly, by zero.

    They are among the gradients of squared errors in m/s, and take half the time of the published
    training.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _run_epochs(
    trainer: Trainer,
    run: RunFolder,
    deadline: float,
    progress: bool,
    log: Callable[[Mapping[str, float]], None],
) -> str:
    """Train until there is a reason to stop, and return it."""
    with tqdm(
        total=trainer.config.epochs,
        initial=trainer.epoch,
        desc="Training",
        unit="epoch",
        disable=None if progress else True,
    ) as bar:
        try:
            while (reason := agreed(trainer.stop_reason(deadline))) is None:
                row = trainer.run_epoch()
                run.save(trainer.state_dict())
                log(row)
                bar.update()
                bar.set_postfix(
                    train=row["train_loss"], dev=row["dev_loss"], best=trainer.best_loss
                )
                logger.debug(", ".join(f"{key} {value:.5g}" for key, value in row.items()))
        except KeyboardInterrupt as error:
            raise TrainingError(
                f"Interrupted in epoch {trainer.epoch + 1}; {run.checkpoint} keeps the epochs "
                f"before it, and the same command with --resume (resume=True) continues."
            ) from error
    return reason
