"""The contract: a generator of this file alone is trained, tuned, saved, evaluated and mapped."""

import json
import re
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import ClassVar

import h5py
import numpy as np
import pandas as pd
import pytest
import seisbench
import torch
from click.testing import CliRunner
from small_datasets import write_dataset
from torch import nn

from cgmgm_seis import from_points
from cgmgm_seis.errors import CgmgmError, RangeError, ScenarioError, WeightsError
from cgmgm_seis.models import GroundMotionModel, load_model, register
from cgmgm_seis.models.registry import GROUP, model_choices, model_class
from cgmgm_seis_cli.main import main

pytestmark = pytest.mark.usefixtures("one_thread")
# Evaluation needs 16 s: its lowest band is 0.5 to 1 Hz, in eighths of the records.
N_SAMPLES = 1600


@register
class Toy(GroundMotionModel):
    """Decaying noise from P on; its ln amplitude is linear in magnitude and ln distance."""

    training_defaults: ClassVar = {"epochs": 3, "batch_size": 16, "learning_rate": 0.05}
    search_space: ClassVar = {"learning_rate": [0.02, 0.05], "decay_s": [1.0, 2.0]}

    def __init__(self, decay_s: float = 1.0, n_samples: int = N_SAMPLES, **kwargs) -> None:
        super().__init__(n_samples=n_samples, **kwargs)
        self.decay_s = decay_s
        self.ln_amplitude = nn.Linear(2, len(self.component_order))
        nn.init.constant_(self.ln_amplitude.bias, -13.0)

    def conditions(self, scenario):
        p, _ = self.onsets(scenario)
        known = scenario["source_magnitude"], np.log(scenario["path_hyp_distance_km"])
        return {
            "known": torch.as_tensor(np.stack(known, axis=1), dtype=torch.float32),
            "onset": torch.as_tensor(p - self.start_offset_s)[:, None],
        }

    def numbers(self, realizations):
        shape = (len(self.component_order), self.n_samples)
        noise = [realization.record().standard_normal(shape) for realization in realizations]
        return {"noise": torch.as_tensor(np.stack(noise))}

    def forward(self, batch):
        times = torch.arange(self.n_samples, device=self.device) / self.sampling_rate
        delays = times - batch["onset"]
        envelope = 1e-3 + (delays > 0.0) * torch.exp(-delays.clamp_min(0.0) / self.decay_s)
        amplitude = self.ln_amplitude(batch["known"]).exp()
        return amplitude[..., None] * envelope[:, None] * batch["noise"]

    def features(self, waveforms, scenario):
        peaks = torch.as_tensor(np.abs(waveforms).max(axis=-1))
        return {**self.conditions(scenario), "ln_peak": peaks.log()}

    def loss(self, batch, step):
        error = self.ln_amplitude(batch["known"]) + 1.0 - batch["ln_peak"]
        return {"loss": error.square().mean()}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("toy") / "synthetic", n_samples=N_SAMPLES)


def run(*args):
    result = CliRunner().invoke(main, [*map(str, args), "-q"], prog_name="cgmgm-seis")
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def weights(dataset):
    out = dataset.parent / "run"
    run("train", dataset, "--model", "toy", "--device", "cpu", "--out", out)
    return out / "toy"


def test_it_is_trained(weights):
    metrics = pd.read_csv(weights.parent / "metrics.csv")
    assert len(metrics) == Toy.training_defaults["epochs"]
    assert metrics["dev_loss"].iloc[-1] < metrics["dev_loss"].iloc[0]


def test_it_is_tuned(dataset, tmp_path):
    out = tmp_path / "search"
    run("tune", dataset, "--model", "toy", "--trials", 2, "--epochs", 1, "--device", "cpu",
        "--out", out)  # fmt: skip
    best = json.loads((out / "best.json").read_text())
    assert best["model"] == "Toy" and set(best["arguments"]) > {"decay_s"}
    assert load_model(out / "best" / "toy").decay_s == best["arguments"]["decay_s"]


def test_it_is_saved_and_loaded_by_name(weights, tmp_path, monkeypatch):
    model = load_model(weights)
    monkeypatch.setattr(seisbench, "cache_model_root", tmp_path)
    model.save(Toy._model_path() / "valley", version_str="1")
    again = load_model("valley")
    assert isinstance(again, Toy) and again.get_model_args() == model.get_model_args()
    scenario = from_points(2.0, (37.6, -122.0), [(37.8, -122.2)])
    drawn = [each.sample(scenario, 2, seed=3, extrapolate=True) for each in (model, again)]
    assert np.array_equal(*drawn)


def test_its_records_do_not_depend_on_the_batch(weights):
    model = load_model(weights)
    scenario = from_points(2.0, (37.6, -122.0), [(37.8, -122.2 + 0.01 * i) for i in range(3)])
    whole = model.sample(scenario, 2, seed=3, extrapolate=True)
    parts = model.sample(scenario, 2, seed=3, batch_size=1, extrapolate=True)
    assert whole.shape == (3, 2, 3, N_SAMPLES)
    np.testing.assert_allclose(parts, whole, rtol=1e-6)
    batch = next(model.inputs(scenario, 2, seed=3))
    torch.testing.assert_close(model(batch).detach(), torch.as_tensor(whole).flatten(0, 1))


def test_what_cannot_be_drawn_is_named(weights):
    model = load_model(weights)
    scenario = from_points(7.0, (37.6, -122.0), [(37.8, -122.2)])
    with pytest.raises(RangeError, match="source_magnitude = 7"):
        model.sample(scenario)
    with pytest.raises(ScenarioError, match="n_realizations = 0"):
        model.sample(scenario, 0)
    for draw in (model.sample, model.generate, lambda *args: list(model.inputs(*args))):
        with pytest.raises(CgmgmError, match="seed = -1 must be an integer of at least 0"):
            draw(scenario.assign(source_magnitude=2.0), 1, -1)


def test_without_a_seed_records_are_new_and_state_their_seed(weights):
    model = load_model(weights)
    scenario = from_points(2.0, (37.6, -122.0), [(37.8, -122.2)])
    first, second = (model.generate(scenario, seed=None) for _ in range(2))
    assert not np.array_equal(first[0].data, second[0].data)
    seed = int(re.search(r"seed=(\d+)", first[0].stats.processing[0])[1])
    np.testing.assert_array_equal(model.generate(scenario, seed=seed)[0].data, first[0].data)
    again = model.sample(scenario, seed=np.int64(seed))[0, 0, 0]
    np.testing.assert_array_equal(again, first[0].data)


def test_it_is_evaluated(weights, dataset, tmp_path):
    out = tmp_path / "evaluated"
    run("evaluate", dataset, "--weights", weights, "-n", 2, "--picker", "none", "--classifiers", 0,
        "--no-gmms", "--device", "cpu", "--workers", 1, "--out", out)  # fmt: skip
    (report,) = Path(out).glob("*.html")
    assert "Toy" in report.read_text()


@pytest.mark.usefixtures("installed")
def test_records_of_one_component_are_enough_for_all_of_it(weights, tmp_path):
    east = write_dataset(tmp_path / "east", n_samples=N_SAMPLES, component_order="E")
    small = ("--model", "toy", "--epochs", 1, "--device", "cpu")
    run("train", east, *small, "--out", tmp_path / "run", "--name", "east")
    run("tune", east, *small, "--trials", 1, "--out", tmp_path / "search")
    found = tmp_path / "run" / "east"
    for path in (found, tmp_path / "search" / "best" / "toy"):
        assert load_model(path).component_order == "E"
    run("evaluate", east, "--weights", found, "--weights", weights, "-n", 2, "--picker", "none",
        "--classifiers", 0, "--no-gmms", "--device", "cpu", "--workers", 1,
        "--out", tmp_path / "report")  # fmt: skip
    measures = pd.read_csv(tmp_path / "report" / "measures.csv")
    assert set(measures["generator"]) == {"east", "toy"} and set(measures["component"]) == {"E"}
    source = ("--weights", found, "--mag", 2, "--src", "37.6,-122.0", "--extrapolate")
    run("generate", *source, "--no-plot", "--out", tmp_path / "records")
    assert {path.suffix for path in (tmp_path / "records").rglob("*")} >= {".mseed", ".xml"}
    run("grid", *source, "--region", "-122.3,-122.0,37.8,38.0", "--shape", "2x2", "--workers", 1,
        "--write", "maps", "--out", tmp_path / "map")  # fmt: skip
    assert (tmp_path / "map" / "maps.nc").exists()


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The generator as another package declares it, for processes that only know its weights."""
    metadata = tmp_path / "site" / "toy-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{GROUP}]\ntoy = {Toy.__module__}:Toy\n")
    monkeypatch.syspath_prepend(metadata.parent)


@pytest.mark.usefixtures("installed")
def test_it_is_mapped(weights, tmp_path):
    out = tmp_path / "map"
    run("grid", "--weights", weights, "--mag", 2, "--src", "37.6,-122.0", "--extrapolate",
        "--region", "-122.3,-122.0,37.8,38.0", "--shape", "2x3", "-n", 2, "--write", "maps",
        "--workers", 1, "--out", out)  # fmt: skip
    with h5py.File(out / "maps.nc") as file:
        found = []
        file.visititems(lambda path, item: found.append(item[()]) if "median" in path else None)
    assert found and all(np.isfinite(values).all() for values in found)


@pytest.mark.usefixtures("installed")
def test_another_package_may_declare_it(monkeypatch):
    monkeypatch.setattr("cgmgm_seis.models.registry._registered", {})
    assert list(model_choices().values()) == ["EvolutionaryCGM", "CGMGM", "Toy"]
    assert model_class("Toy") is Toy


def test_an_unknown_generator_is_named(monkeypatch):
    with pytest.raises(WeightsError, match=r"Model 'GAN' must be one of .*CGMGM"):
        model_class("GAN")
    missing = EntryPoint("gone", "no_such_package.model:Gone", GROUP)
    monkeypatch.setattr("cgmgm_seis.models.registry.BUNDLED", (missing,))
    with pytest.raises(WeightsError, match="Model 'Gone' cannot be imported: No module named"):
        model_class("Gone")
