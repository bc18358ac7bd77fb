"""Training: what it writes, what it keeps apart, how it stops and how it resumes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
import torch
from seisbench.data import WaveformDataset
from small_datasets import N_SAMPLES, write_dataset

from cgmgm_seis import CGMGM, EvolutionaryCGM, from_points, load_model
from cgmgm_seis.datasets.splitting import event_split
from cgmgm_seis.datasets.windows import read_records
from cgmgm_seis.errors import CgmgmError, DatasetError, OutputError, TrainingError
from cgmgm_seis.scenario.window import Window
from cgmgm_seis.storage.run_lock import run_lock
from cgmgm_seis.training import data as training_data
from cgmgm_seis.training.config import TrainingConfig
from cgmgm_seis.training.data import prepare
from cgmgm_seis.training.run import train
from cgmgm_seis.training.trainer import Trainer

CONFIG = TrainingConfig(epochs=4, batch_size=16, learning_rate=3e-3, device="cpu")
# A trained model of this size and a run of it, also in a process of its own.
PROGRAM = """
import sys
import torch
from cgmgm_seis import CGMGM
from cgmgm_seis.training.run import TrainingConfig, train
from cgmgm_seis.scenario.window import Window
torch.set_num_threads(1)
torch.manual_seed(0)
model = CGMGM(n_samples=800, n_latents=4, prior_size=4, embedding_size=4)
train(model, sys.argv[1], sys.argv[2], TrainingConfig(**eval(sys.argv[3])), progress=False)
"""


pytestmark = pytest.mark.usefixtures("one_thread")


def a_model(seed=0):
    torch.manual_seed(seed)
    return CGMGM(n_samples=N_SAMPLES, n_latents=4, prior_size=4, embedding_size=4)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("data") / "synthetic")


def metrics(folder):
    """Return the metrics of a run without the time, which no two runs share."""
    return pd.read_csv(folder / "metrics.csv").drop(columns="seconds")


def same_runs(one, other):
    """Check that two run folders hold the same numbers, bit for bit."""
    pd.testing.assert_frame_equal(metrics(one), metrics(other), check_exact=True)
    for name in ("cgmgm.pt", "checkpoint.pt"):
        a, b = (torch.load(folder / name, weights_only=True) for folder in (one, other))
        if name == "checkpoint.pt":
            a, b = (state["model"] | state["best_weights"] for state in (a, b))
        assert a.keys() == b.keys()
        assert all(torch.equal(a[key], b[key]) for key in a)


def test_weights_never_overwrite_the_runs_own_files():
    for name in ("checkpoint", "config", "a/b"):
        with pytest.raises(TrainingError, match=f"name = '{name}' must be a file name"):
            TrainingConfig(name=name)


def test_more_epochs_where_they_change_nothing_before(dataset, tmp_path):
    config = replace(CONFIG, schedule="step")
    train(a_model(), dataset, tmp_path / "whole", config, progress=False)
    short = replace(config, epochs=2)
    train(a_model(), dataset, tmp_path / "longer", short, progress=False)
    train(a_model(), dataset, tmp_path / "longer", config, resume=True, progress=False)
    same_runs(tmp_path / "whole", tmp_path / "longer")


def test_no_more_epochs_where_the_learning_rate_ends_with_them(dataset, tmp_path):
    train(a_model(), dataset, tmp_path, replace(CONFIG, epochs=2), progress=False)
    with pytest.raises(TrainingError, match="epochs"):
        train(a_model(), dataset, tmp_path, CONFIG, resume=True, progress=False)


# ---- what a run gives ----------------------------------------------------------------------


def test_a_run_writes_weights_that_load_and_sample(dataset, tmp_path):
    config = replace(CONFIG, epochs=8, docstring="Of the tests.")
    path = train(a_model(), dataset, tmp_path / "run", config, progress=False)
    assert path == tmp_path / "run" / "cgmgm"
    names = sorted(file.name for file in path.parent.iterdir())
    assert names == ["cgmgm.json", "cgmgm.pt", "checkpoint.pt", "config.json", "metrics.csv"]

    table = metrics(path.parent)
    assert table.epoch.tolist() == list(range(1, 9))
    assert table.train_loss.iloc[-1] < 0.5 * table.train_loss.iloc[0]
    assert table.dev_loss.iloc[-1] < 0.7 * table.dev_loss.iloc[0]
    assert (table.learning_rate.diff().dropna() < 0).all()
    assert json.loads((path.parent / "config.json").read_text())["config"]["epochs"] == 8

    model = load_model(path)
    assert isinstance(model, CGMGM)
    assert model.weights_docstring == "Of the tests."
    scenario = from_points(2.0, (37.6, -122.0), [(37.8, -122.2)])
    motion = model.sample(scenario, n_realizations=2)
    assert motion.shape == (1, 2, 3, N_SAMPLES)
    assert np.isfinite(motion).all()


def test_going_on_from_weights_with_a_part_of_the_network(dataset, tmp_path):
    first = train(a_model(), dataset, tmp_path / "first", CONFIG, progress=False)
    before = load_model(first)
    config = replace(CONFIG, only="prior", name="second")
    louder = write_dataset(tmp_path / "other", change=lambda i, row, motion: motion.__imul__(3))
    path = train(load_model(first), louder, tmp_path / "second", config, progress=False)
    after = load_model(path)
    changed = {
        key
        for key, value in after.state_dict().items()
        if not torch.equal(value, before.state_dict()[key])
    }
    assert changed == {key for key in before.state_dict() if key.startswith("prior.")}
    # Scaling belongs to the weights: other data do not change it.
    assert after.get_model_args() == before.get_model_args()
    assert after.card["started_from"]["sha256"] == before.weights_sha256
    assert after.card["started_from"]["epochs"] == CONFIG.epochs
    table = metrics(path.parent)
    assert table.dev_divergence.iloc[-1] < table.dev_divergence.iloc[0]
    assert table.dev_amplitude.nunique() == 1
    with pytest.raises(TrainingError, match=r"'nothing'.*embedding, encoder, prior, decoder"):
        train(a_model(), dataset, tmp_path / "x", replace(CONFIG, only="nothing"), progress=False)


def test_a_part_that_the_loss_does_not_depend_on_is_said(dataset, tmp_path):
    """At first, the loss of this model does not depend on its encoder."""
    config = replace(CONFIG, only="encoder", epochs=40)
    with pytest.raises(TrainingError, match=r"only = 'encoder' cannot be trained: in epoch 1 "):
        train(small_evolutionary(), dataset, tmp_path / "run", config, progress=False)


def test_the_card_says_where_weights_come_from(dataset, tmp_path):
    path = train(a_model(), dataset, tmp_path / "run", CONFIG, progress=False)
    model = load_model(path)
    card = model.card
    assert card["trained_on"] == "simulated records (data set synthetic)"
    assert card["data"]["records"] == {"train": 32, "dev": 8, "test": 8}
    assert card["data"]["events"] == {"train": 8, "dev": 2, "test": 2}
    assert len(card["data"]["metadata_sha256"]) == 64
    assert (card["epochs"], card["stopped_by"]) == (4, "all epochs")
    assert card["metrics"]["dev"]["loss"] == card["best_dev_loss"]
    assert card["metrics"]["test"]["loss"] > 0
    assert card["ranges"]["source_magnitude"] == [1.0, 3.0]
    assert model.condition_set == "coordinates"
    assert card["training"] == asdict(replace(CONFIG, name="cgmgm"))
    assert card["training_minutes"] > 0
    assert "torch" in card["versions"]


def test_weights_are_those_with_the_least_dev_loss(dataset, tmp_path, monkeypatch):
    losses = iter([3.0, 1.0, 2.0, 1.5, 1.2, 1.1, 9.0, 9.0])
    seen = []

    def evaluate(trainer, split, epoch=None):
        seen.append({key: value.clone() for key, value in trainer.model.state_dict().items()})
        return {"loss": next(losses)}

    monkeypatch.setattr(Trainer, "evaluate", evaluate)
    config = replace(CONFIG, epochs=20, patience=3)
    path = train(a_model(), dataset, tmp_path / "run", config, progress=False)
    card = load_model(path).card
    assert (card["epochs"], card["best_epoch"]) == (5, 2)
    assert card["stopped_by"] == "early stopping"
    kept = torch.load(f"{path}.pt", weights_only=True)
    assert all(torch.equal(kept[key], seen[1][key]) for key in kept)
    assert not all(torch.equal(kept[key], seen[4][key]) for key in kept)


def test_normalisation_comes_from_the_training_split_only(tmp_path):
    def louder_elsewhere(event, row, motion):
        if row["split"] != "train":
            motion *= 1e6
            row["source_magnitude"] = 7.0

    plain = write_dataset(tmp_path / "plain")
    loud = write_dataset(tmp_path / "loud", change=louder_elsewhere)
    models = []
    for folder in (plain, loud):
        models.append(a_model())
        prepare(models[-1], folder)
    assert models[0].ranges == models[1].ranges
    assert models[0].log_amplitude_range == models[1].log_amplitude_range


def test_events_are_kept_apart_without_a_split(tmp_path):
    folder = write_dataset(tmp_path / "d", change=lambda event, row, motion: row.pop("split"))
    features, card = prepare(a_model(), folder, seed=3)
    assert card["data"]["split"] == "event-wise by seed"
    assert sum(card["data"]["events"].values()) == 12
    _, scenario = read_records(folder, Window("ZNE", 100.0, -5.0, N_SAMPLES))
    counts = pd.Series(event_split(scenario, 3)).value_counts().to_dict()
    assert card["data"]["records"] == counts
    assert {name: len(part["conditions"]) for name, part in features.items()} == counts


def test_splits_that_share_events_are_reported(tmp_path, caplog):
    def by_row(event, row, motion):
        row["split"] = "dev" if row["station_code"] == "S0" else "train"

    folder = write_dataset(tmp_path / "d", change=by_row)
    prepare(a_model(), folder)
    assert "in more than one split" in caplog.text


def test_features_in_chunks_are_those_at_once(dataset, monkeypatch):
    model = a_model()
    at_once, _ = prepare(model, dataset)
    monkeypatch.setattr(training_data, "FEATURE_CHUNK", 5)
    in_chunks, _ = prepare(model, dataset)
    for key, values in at_once["train"].items():
        torch.testing.assert_close(in_chunks["train"][key], values)
        assert values.is_contiguous()
        assert values.dtype == (torch.int64 if key == "span" else torch.float32)


def test_a_single_component_and_an_open_data_set(dataset, tmp_path):
    model = CGMGM(n_samples=N_SAMPLES, component_order="E", condition_set="distance", n_latents=4)
    opened = WaveformDataset(dataset, component_order="ZNE")
    path = train(model, opened, tmp_path / "run", replace(CONFIG, epochs=1), progress=False)
    assert load_model(path).component_order == "E"


# ---- resuming ------------------------------------------------------------------------------


@pytest.mark.slow
def test_resuming_after_kill_9_changes_nothing(dataset, tmp_path):
    config = replace(CONFIG, epochs=25, batch_size=8)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, dataset, killed, repr(asdict(config))],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    train(a_model(), dataset, whole, config, progress=False)
    while not (killed / "metrics.csv").is_file() or len(metrics(killed)) < 3:
        assert process.poll() is None, "the run ended before it was killed"
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (killed / "cgmgm.json").exists()
    train(a_model(), dataset, killed, config, resume=True, progress=False)
    same_runs(whole, killed)


def test_metrics_follow_the_checkpoint(dataset, tmp_path):
    """A kill between the two writes leaves one row too few; a resume mends it."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train(a_model(), dataset, whole, CONFIG, progress=False)
    train(a_model(), dataset, cut, CONFIG, progress=False)
    lines = (cut / "metrics.csv").read_text().splitlines(keepends=True)
    (cut / "metrics.csv").write_text("".join(lines[:-1]))
    train(a_model(), dataset, cut, CONFIG, resume=True, progress=False)
    same_runs(whole, cut)


def test_ctrl_c_keeps_the_checkpoint_and_says_how_to_go_on(dataset, tmp_path, monkeypatch):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    train(a_model(), dataset, whole, CONFIG, progress=False)
    with monkeypatch.context() as patch:
        step = torch.optim.AdamW.step
        calls = iter(range(100))

        def interrupted(optimizer):
            if next(calls) == 5:  # in the middle of the third epoch
                raise KeyboardInterrupt
            return step(optimizer)

        patch.setattr(torch.optim.AdamW, "step", interrupted)
        with pytest.raises(TrainingError, match=r"Interrupted in epoch 3; .* --resume"):
            train(a_model(), dataset, stopped, CONFIG, progress=False)
    assert len(metrics(stopped)) == 2
    train(a_model(), dataset, stopped, CONFIG, resume=True, progress=False)
    same_runs(whole, stopped)


def test_a_time_budget_stops_between_epochs(dataset, tmp_path):
    whole, timed = tmp_path / "whole", tmp_path / "timed"
    train(a_model(), dataset, whole, CONFIG, progress=False)
    config = replace(CONFIG, max_minutes=0.0)
    path = train(a_model(), dataset, timed, config, progress=False)
    card = load_model(path).card
    assert (card["epochs"], card["stopped_by"]) == (1, "time budget")
    train(a_model(), dataset, timed, CONFIG, resume=True, progress=False)
    same_runs(whole, timed)
    assert load_model(path).card["epochs"] == 4


def small_evolutionary():
    torch.manual_seed(0)
    return EvolutionaryCGM(n_samples=N_SAMPLES, n_latents=4, width=16, n_waves=8)


@pytest.mark.parametrize("make", [a_model, small_evolutionary])
def test_resuming_after_the_last_epoch_writes_the_same_card(dataset, tmp_path, make):
    """Killed before the weights were written; the loss may depend on the share of epochs done."""
    whole = train(make(), dataset, tmp_path / "whole", CONFIG, progress=False)
    killed = tmp_path / "killed"
    killed.mkdir()
    for kept in ("checkpoint.pt", "config.json", "metrics.csv"):
        shutil.copy(whole.parent / kept, killed / kept)
    again = train(make(), dataset, killed, CONFIG, resume=True, progress=False)
    assert load_model(again).card == load_model(whole).card
    assert load_model(again).weights_sha256 == load_model(whole).weights_sha256
    assert load_model(again).card["metrics"]["dev"].keys() >= {"loss"}


def test_a_folder_in_use_is_refused_before_the_data_are_read(tmp_path):
    text = r"run is being written by process \d+ on .* since"
    with run_lock(tmp_path / "run"), pytest.raises(OutputError, match=text):
        train(a_model(), tmp_path / "no data", tmp_path / "run", CONFIG, progress=False)


def test_resume_starts_where_there_is_nothing(dataset, tmp_path):
    config = replace(CONFIG, epochs=1)
    assert train(a_model(), dataset, tmp_path / "run", config, resume=True, progress=False)


def test_resuming_another_run_names_the_difference(dataset, tmp_path):
    config = replace(CONFIG, epochs=1)
    run = tmp_path / "run"
    train(a_model(), dataset, run, config, progress=False)
    other = write_dataset(tmp_path / "other", n_events=11)
    larger = CGMGM(n_samples=N_SAMPLES, n_latents=8, prior_size=4, embedding_size=4)
    for model, data, settings, text in (
        (a_model(), dataset, replace(config, learning_rate=1e-4), "learning_rate = 0.003, not"),
        (a_model(), other, config, r"data\.events\.test = 2, not 1"),
        (larger, dataset, config, "model_args.n_latents = 4, not 8"),
    ):
        with pytest.raises(TrainingError, match=text):
            train(model, data, run, settings, resume=True, progress=False)


def test_a_damaged_checkpoint_is_an_error(dataset, tmp_path):
    config = replace(CONFIG, epochs=1)
    run = tmp_path / "run"
    train(a_model(), dataset, run, config, progress=False)
    (run / "checkpoint.pt").write_bytes((run / "checkpoint.pt").read_bytes()[:1000])
    with pytest.raises(TrainingError, match="not a readable checkpoint"):
        train(a_model(), dataset, run, config, resume=True, progress=False)


# ---- refusals ------------------------------------------------------------------------------


def test_an_existing_folder_is_refused_or_replaced(dataset, tmp_path):
    config = replace(CONFIG, epochs=1)
    run = tmp_path / "run"
    train(a_model(), dataset, run, config, progress=False)
    with pytest.raises(OutputError, match="run already exists"):
        train(a_model(), dataset, run, config, progress=False)
    config = replace(config, learning_rate=1e-4)
    path = train(a_model(), dataset, run, config, overwrite=True, progress=False)
    assert load_model(path).card["training"]["learning_rate"] == 1e-4

    keepsake = tmp_path / "home" / "letter.txt"
    keepsake.parent.mkdir()
    keepsake.write_text("mine")
    with pytest.raises(OutputError, match="home already exists"):
        train(a_model(), dataset, keepsake.parent, config, overwrite=True, progress=False)
    with pytest.raises(OutputError, match="already exists"):
        train(a_model(), dataset, keepsake, config, overwrite=True, progress=False)


def test_a_diverging_loss_stops_and_keeps_the_last_good_epoch(dataset, tmp_path, monkeypatch):
    loss = CGMGM.loss
    calls = iter(range(1000))

    def diverging(model, batch, step):
        losses = loss(model, batch, step)
        return losses if next(calls) < 7 else {**losses, "loss": losses["loss"] * torch.nan}

    monkeypatch.setattr(CGMGM, "loss", diverging)
    with pytest.raises(TrainingError, match=r"train_loss became nan in epoch 3.*learning_rate"):
        train(a_model(), dataset, tmp_path / "run", CONFIG, progress=False)
    state = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    assert len(state["history"]) == len(metrics(tmp_path / "run")) == 2
    assert all(torch.isfinite(value).all() for value in state["model"].values())
    assert not (tmp_path / "run" / "cgmgm.pt").exists()


def test_unusable_data_leave_no_folder(tmp_path):
    def broken(event, row, motion):
        motion[0] = np.nan if event == 2 else motion[0]

    for name, change, text in (
        ("nan", broken, "4 of 48 records cannot be used .4 NaN or constant on Z"),
        ("dev", lambda event, row, motion: row.update(split="train"), "dev split has 0 of 48"),
        ("col", lambda event, row, motion: row.pop("source_magnitude"), "source_magnitude"),
    ):
        folder = write_dataset(tmp_path / name, change=change)
        with pytest.raises(DatasetError, match=text):
            train(a_model(), folder, tmp_path / "run", replace(CONFIG, strict=True), progress=False)
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "setting",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"patience": 0},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"gradient_clip": -1.0},
        {"optimizer": "sgd"},
        {"schedule": "none"},
        {"weight_decay": -1e-5},
        {"max_minutes": -1.0},
        {"name": "a/b"},
    ],
)
def test_impossible_settings_are_named(setting):
    (key,) = setting
    with pytest.raises(TrainingError, match=f"{key} = .* must be"):
        TrainingConfig(**setting)


def test_an_absent_device_is_named(dataset, tmp_path):
    with pytest.raises(CgmgmError, match="Device 'warp' is not available"):
        train(a_model(), dataset, tmp_path / "run", replace(CONFIG, device="warp"))


def test_recorded_motion_trains(bay_area_records, tmp_path):
    torch.manual_seed(0)
    config = TrainingConfig(epochs=2, batch_size=8, device="cpu")
    path = train(CGMGM(), bay_area_records, tmp_path / "run", config, progress=False)
    card = load_model(path).card
    assert sum(card["data"]["records"].values()) == 24  # two of a second instrument are left out
    assert metrics(path.parent).train_loss.is_monotonic_decreasing


@pytest.mark.parametrize(
    "change",
    [
        *({"history": history} for history in (1.0, [1.0], [{"epoch": 1}, {"loss": 2.0}])),
        {"history": [{"dev_loss": "low", "seconds": 1.0}]},
        *({"best_epoch": "first"}, {"best_epoch": 9}, {"best_weights": {}}, {"best_weights": None}),
        *({"model": "text"}, {"model": {}}, {"optimizer": {}}, {"optimizer": None}),
    ],
)
def test_a_checkpoint_of_another_kind_is_refused(dataset, tmp_path, change):
    config = replace(CONFIG, epochs=1)
    train(a_model(), dataset, tmp_path, config, resume=True, progress=False)
    path = tmp_path / "checkpoint.pt"
    torch.save(torch.load(path, weights_only=True) | change, path)
    with pytest.raises(TrainingError, match=r"checkpoint\.pt is not a readable checkpoint"):
        train(a_model(), dataset, tmp_path, config, resume=True, progress=False)


@pytest.mark.parametrize("value", [None, torch.zeros(1), torch.zeros(1).bool(), "text"])
def test_a_checkpoint_with_other_moments_is_refused(dataset, tmp_path, value):
    config = replace(CONFIG, epochs=1)
    train(a_model(), dataset, tmp_path, config, resume=True, progress=False)
    path = tmp_path / "checkpoint.pt"
    state = torch.load(path, weights_only=True)
    state["optimizer"]["state"][0]["exp_avg"] = value
    torch.save(state, path)
    with pytest.raises(TrainingError, match=r"checkpoint\.pt is not a readable checkpoint"):
        train(a_model(), dataset, tmp_path, config, resume=True, progress=False)
