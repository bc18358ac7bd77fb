"""Fixtures of the evaluation's tests: one simulated catalogue, a quick picker, small settings."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from obspy import Stream, Trace
from parrot import WINDOW

from cgmgm_seis.evaluation import EvaluationConfig, evaluate, generator_picks
from cgmgm_seis.evaluation.data import EvaluationData
from cgmgm_seis.evaluation.report import render
from cgmgm_seis.evaluation.simulator_draws import simulator_draw
from cgmgm_seis.models.cgmgm.model import CGMGM


@pytest.fixture
def quick(unarranged, monkeypatch):
    """How well the discriminator learns is tested elsewhere, so are the figures and all series."""
    monkeypatch.setattr("cgmgm_seis.evaluation.figures.DPI", 40)
    monkeypatch.setattr("cgmgm_seis.evaluation.classifier.STEPS", 20)
    monkeypatch.setattr("cgmgm_seis.evaluation.classifier.EPOCHS", 1)
    monkeypatch.setattr("cgmgm_seis.evaluation.distributions.EXCHANGES", 9)
    for module in ("residuals", "pick_tables"):
        monkeypatch.setattr(f"cgmgm_seis.evaluation.{module}.FEWEST", 2)
    monkeypatch.setattr("cgmgm_seis.evaluation.measures.SPECTRUM", (0.5, 2.0, 5.0, 10.0, 15.0))
    monkeypatch.setattr("cgmgm_seis.evaluation.measures.PERIODS", (0.5, 1.0))


@pytest.fixture(scope="session")
def catalogue(whole_catalogue, tmp_path_factory):
    """The same, with at most four records of an event in the test split."""
    folder = tmp_path_factory.mktemp("thinned") / "catalogue"
    shutil.copytree(whole_catalogue, folder)
    metadata = pd.read_csv(folder / "metadata.csv", dtype={"station_code": str})
    later = metadata.groupby("source_id").cumcount() >= 4
    metadata.loc[later & (metadata["split"] == "test"), "split"] = "unused"
    metadata.to_csv(folder / "metadata.csv", index=False)
    return folder


@pytest.fixture(scope="session")
def records(catalogue):
    return EvaluationData(catalogue, WINDOW).read_split()


class LoudPicker(torch.nn.Module):
    """P is the first sample above a tenth of the peak, S the peak; the first record has no S."""

    component_order, sampling_rate, in_samples = "ZNE", 100.0, 3001

    def __init__(self):
        super().__init__()
        self.asked = []

    def annotate(self, stream, **_):
        stations = list(dict.fromkeys(trace.stats.station for trace in stream))
        self.asked.append(len(stations))
        annotations = Stream()
        for station in stations:
            traces = stream.select(station=station)
            size = np.abs([trace.data for trace in traces]).max(axis=0)
            first = int((size > 0.1 * size.max()).argmax())
            picks = {"P": (first, 0.9), "S": (size.argmax(), 0.8 * (station != "0"))}
            for phase, (place, probability) in picks.items():
                data = np.zeros(len(size))
                data[place] = probability
                header = {"station": station, "channel": f"XX{phase}", "sampling_rate": 100.0}
                annotations += Trace(data, header)
        return annotations


@pytest.fixture
def stub_picker(monkeypatch):
    picker = LoudPicker()
    monkeypatch.setattr(generator_picks, "load_picker", lambda name: picker)
    return picker


class Redraw(CGMGM):
    """Draws as the simulator does, a factor louder."""

    def sample(self, scenario, n_realizations=1, seed=0, *args, **kwargs):
        return 1.5 * simulator_draw(self.window)(scenario, n_realizations, seed + 1)


def random_picks(picker, waveforms, *args, **kwargs):
    p = np.random.default_rng(0).normal(10.0, 0.1, len(waveforms))
    return pd.DataFrame({"p_s": p, "s_s": p + 5.0, "p_probability": 0.9, "s_probability": 0.5})


@pytest.fixture(scope="session")
def found(whole_catalogue):
    """An evaluation of a generator named <loud>, with all its tables but ground-motion models'."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cgmgm_seis.evaluation.measures.SPECTRUM", (0.5, 2.0, 5.0, 10.0, 15.0))
        patch.setattr("cgmgm_seis.evaluation.classifier.STEPS", 5)
        patch.setattr("cgmgm_seis.evaluation.classifier.EPOCHS", 1)
        patch.setattr(generator_picks, "load_picker", lambda name: torch.nn.Identity())
        patch.setattr(generator_picks, "pick", random_picks)
        config = EvaluationConfig(n_realizations=3, n_classifiers=1, gmms=False, workers=1)
        return evaluate(whole_catalogue, {"<loud>": Redraw()}, config)


@pytest.fixture(scope="session")
def rendered(found):
    """The report of that evaluation, with coarse figures, and the figures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cgmgm_seis.evaluation.figures.DPI", 30)
        return render(found, ["cgmgm-seis", "evaluate", "--weights", "<loud>"])


@pytest.fixture
def written(tmp_path):
    """Write a table and return its path."""

    def write(table, name="table.csv"):
        table.to_csv(tmp_path / name, index=False)
        return tmp_path / name

    return write
