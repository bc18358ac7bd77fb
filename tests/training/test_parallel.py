"""Training in several processes gives the numbers of one; streamed records those in memory."""

import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from failing_process import fail_in_one
from small_datasets import N_SAMPLES, write_dataset

from cgmgm_seis import CGMGM, EvolutionaryCGM, load_model
from cgmgm_seis.errors import OutputError, TrainingError
from cgmgm_seis.models.collectives import BatchNorm, share_of
from cgmgm_seis.models.step import Step
from cgmgm_seis.training.config import TrainingConfig
from cgmgm_seis.training.data import StreamedFeatures, prepare
from cgmgm_seis.training.processes import check_devices, launch
from cgmgm_seis.training.run import train
from cgmgm_seis.training.trainer import Trainer

CONFIG = TrainingConfig(epochs=3, batch_size=16, learning_rate=3e-3, device="cpu", seed=1)
LOSSES = ("train_loss", "dev_loss", "train_divergence", "dev_divergence", "train_gradient_norm")
pytestmark = pytest.mark.usefixtures("one_thread")


def evolutionary():
    torch.manual_seed(0)
    return EvolutionaryCGM(n_samples=N_SAMPLES, n_latents=4, width=16, n_waves=8)


def cgmgm():
    torch.manual_seed(0)
    return CGMGM(n_samples=N_SAMPLES, n_latents=4, prior_size=4, embedding_size=4, alpha=0.01)


MODELS = {"cgmgm": cgmgm, "evolutionarycgm": evolutionary}


def uneven(event, row, motion):
    """Leave events of 1 to 4 records."""
    if int(row["station_code"][1:]) > event % 4:
        row["source_magnitude"] = np.nan


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("data") / "synthetic", change=uneven)


def train_all(dataset, out, config):
    """Train both models, in whatever process this is."""
    for name, make in MODELS.items():
        train(make(), dataset, Path(out) / name, config, progress=False)


def metrics(folder, name):
    return pd.read_csv(folder / name / "metrics.csv")


def same_losses(one, other, name, rtol):
    tables = metrics(one, name), metrics(other, name)
    for column in LOSSES:
        np.testing.assert_allclose(
            tables[0][column], tables[1][column], rtol=rtol, err_msg=f"{name} {column}"
        )


def same_training(one, other, name):
    """Losses to 1e-4 and weights to 1e-3: sums in another order, over three epochs."""
    same_losses(one, other, name, 1e-4)
    states = [
        torch.load(folder / name / "checkpoint.pt", weights_only=True)["model"]
        for folder in (one, other)
    ]
    for key, value in states[0].items():
        torch.testing.assert_close(states[1][key], value, rtol=1e-3, atol=1e-4, msg=key)


@pytest.fixture(scope="module")
def alone(dataset, tmp_path_factory):
    """Runs of both models in one process."""
    out = tmp_path_factory.mktemp("alone")
    train_all(dataset, out, CONFIG)
    return out


# ---- processes ------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_processes_give_the_losses_of_one(dataset, alone, tmp_path):
    """EvolutionaryCGM, whose records of an event and whose prior's moments are coupled."""
    config = replace(CONFIG, devices=2)
    path = train(evolutionary(), dataset, tmp_path / "evolutionarycgm", config, progress=False)
    assert load_model(path).card["processes"] == 2
    same_training(alone, tmp_path, "evolutionarycgm")
    # What is settled after the last epoch has no single minimum, given these few records; the
    # scatter that is left does not change with it.
    phi = [
        load_model(folder / "evolutionarycgm" / "evolutionarycgm").scatter([2.0, 5.0], 2.0).phi
        for folder in (alone, tmp_path)
    ]
    np.testing.assert_allclose(phi[1], phi[0], rtol=0.01)


@pytest.mark.slow
def test_two_processes_of_torchrun_do_too(dataset, alone, tmp_path):
    """CGMGM, with its batch norm."""
    script = tmp_path / "script.py"
    script.write_text(
        "import torch; from test_parallel import *; torch.set_num_threads(1); "
        f"train(cgmgm(), {str(dataset)!r}, {str(tmp_path / 'cgmgm')!r}, CONFIG, progress=False)"
    )
    paths = [str(Path(__file__).parents[1]), *sys.path]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    result = subprocess.run(
        [*torchrun, "--nproc-per-node", "2", str(script)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert load_model(tmp_path / "cgmgm" / "cgmgm").card["processes"] == 2
    same_training(alone, tmp_path, "cgmgm")


def test_the_error_of_a_process_is_raised_and_ends_the_others():
    with pytest.raises(TrainingError, match="one is out of order"):
        launch(fail_in_one, 2)


def test_shares_are_whole_events_and_about_equal():
    rng = np.random.default_rng(0)
    for n in (2, 3, 5):
        for _ in range(100):
            sizes = rng.integers(1, 9, n + rng.integers(20))
            events = np.repeat(np.arange(len(sizes)), sizes)
            shares = [share_of(events, n, number) for number in range(n)]
            assert shares[0].first == 0 and shares[-1].last == len(events)
            for one, other in pairwise(shares):
                assert one.last == other.first
                assert events[one.last - 1] != events[other.first]
            sizes = [share.last - share.first for share in shares]
            assert min(sizes) >= 1
            if len(np.unique(events)) > 4 * n:
                # Half a largest event is wrong at either end, at most.
                assert max(abs(np.array(sizes) - len(events) / n)) <= 8
    with pytest.raises(TrainingError, match="A batch of 1 events cannot be shared by 2 processes"):
        share_of([4, 4, 4], 2, 0)


def test_alone_the_batch_norm_is_torchs():
    ours, theirs = BatchNorm(3), torch.nn.BatchNorm1d(3)
    values = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ours(values), theirs(values))
    assert torch.equal(ours.running_var, theirs.running_var)


def test_impossible_devices_are_named(dataset, tmp_path):
    with pytest.raises(TrainingError, match="devices = 0 must be at least 1"):
        TrainingConfig(devices=0)
    if not torch.cuda.is_available():
        with pytest.raises(TrainingError, match="device = mps must be cuda or cpu"):
            check_devices("mps", 2)


# ---- streams --------------------------------------------------------------------------------


def test_streamed_records_give_the_losses_of_those_in_memory(dataset, alone, tmp_path):
    """The same batches of the same features: to 1e-6."""
    train_all(dataset, tmp_path, replace(CONFIG, workers=1))
    for name in MODELS:
        same_losses(alone, tmp_path, name, 1e-6)


def test_streams_read_all_chunks_of_a_data_set(tmp_path):
    """A data set of two chunks; the features are those in memory."""
    for number in range(2):
        part = write_dataset(tmp_path / f"part{number}", n_events=6)
        for name in ("metadata.csv", "waveforms.hdf5"):
            stem, suffix = name.split(".")
            target = tmp_path / "chunked" / f"{stem}_{number}.{suffix}"
            target.parent.mkdir(exist_ok=True)
            (part / name).rename(target)
    (tmp_path / "chunked" / "chunks").write_text("_0\n_1\n")
    loaded, _ = prepare(evolutionary(), tmp_path / "chunked")
    streamed, _ = prepare(evolutionary(), tmp_path / "chunked", workers=1)
    assert isinstance(streamed["train"], StreamedFeatures)
    assert len(streamed["train"]) == len(loaded["train"]["powers"]) == 2 * 16
    rows = [np.arange(5), np.array([31, 7])]
    for part, batch in zip(rows, streamed["train"].batches(rows, torch.device("cpu")), strict=True):
        for key, values in batch.items():
            assert torch.equal(values, loaded["train"][key][part]), key


# ---- the rest of a run -----------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_bfloat16_changes_little(name, dataset, alone, tmp_path):
    """8 bits of mantissa: the loss of the first epoch to 2 % of float32's."""
    config = replace(CONFIG, epochs=1, bf16=True)
    train(MODELS[name](), dataset, tmp_path / name, config, progress=False)
    losses = [float(metrics(folder, name).train_loss[0]) for folder in (alone, tmp_path)]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    assert losses[1] != losses[0]


@pytest.mark.parametrize("name", MODELS)
def test_bfloat16_changes_little_in_the_last_epoch(name, dataset):
    """When all terms of the loss are used, in training: to 2 % of float32's, with a gradient."""
    losses = []
    for bf16 in (False, True):
        torch.manual_seed(0)
        model = MODELS[name]()
        config = replace(CONFIG, bf16=bf16)
        splits, _ = prepare(model, dataset, 0)
        trainer = Trainer(model, splits, config)
        trainer._set_training()
        ((_, batch, _), *_) = trainer._batches("train", trainer._batch_rows("train"))
        loss = trainer.step_loss(batch, Step(trainer._noise("test"), 1.0))["loss"]
        loss.backward()
        losses.append(float(loss.detach()))
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    assert losses[1] != losses[0]


def test_tensorboard_shows_the_metrics(dataset, tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    config = replace(CONFIG, epochs=2, tensorboard=True)
    train(cgmgm(), dataset, tmp_path / "cgmgm", config, progress=False)
    events = accumulator.EventAccumulator(str(tmp_path / "cgmgm" / "tensorboard")).Reload()
    shown = [(event.step, event.value) for event in events.Scalars("dev_loss")]
    table = metrics(tmp_path, "cgmgm")
    assert [step for step, _ in shown] == table.epoch.tolist()
    assert [value for _, value in shown] == pytest.approx(table.dev_loss.tolist())


def test_tensorboard_may_be_missing(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("cgmgm_seis.training.run_folder.find_spec", lambda name: None)
    with pytest.raises(TrainingError, match=r"pip install 'cgmgm-seis\[tensorboard\]'"):
        train(cgmgm(), dataset, tmp_path / "run", replace(CONFIG, tensorboard=True))
    assert not (tmp_path / "run").exists()


def test_a_place_where_no_folder_can_be_is_said_at_once(dataset, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        OutputError, match=r"file/x cannot be created: .*file is not a writable folder"
    ):
        train(cgmgm(), dataset, tmp_path / "file" / "x", CONFIG)


def test_a_full_disk_keeps_the_checkpoint_and_says_so(dataset, tmp_path, monkeypatch):
    config = replace(CONFIG, epochs=2)
    with monkeypatch.context() as patch:

        def full(*args, **kwargs):
            raise RuntimeError("PytorchStreamWriter failed writing file data/0")

        patch.setattr(CGMGM, "save", full)
        with pytest.raises(OutputError, match=r"cgmgm\.pt cannot be written: .*--resume"):
            train(cgmgm(), dataset, tmp_path / "run", config, progress=False)

    def full_after_two(file):
        # The checkpoint of the second epoch follows the metrics of the first.
        if (tmp_path / "other" / "metrics.csv").exists():
            raise OSError(28, "No space left on device")
        return True

    with monkeypatch.context() as patch:
        patch.setattr("cgmgm_seis.storage.files._hold", full_after_two)
        text = r"checkpoint\.pt cannot be written: No space left .* keeps the epochs before"
        with pytest.raises(OutputError, match=text):
            train(cgmgm(), dataset, tmp_path / "other", config, progress=False)
    for name in ("run", "other"):
        path = train(cgmgm(), dataset, tmp_path / name, config, resume=True, progress=False)
        assert load_model(path).card["epochs"] == 2
    tables = metrics(tmp_path, "run"), metrics(tmp_path, "other")
    assert tables[0].dev_loss.tolist() == tables[1].dev_loss.tolist()
