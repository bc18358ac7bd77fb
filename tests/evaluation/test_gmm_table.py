"""Generators beside ground-motion models: known residuals, fitted to the training split alone."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from seisbench.data import WaveformDataset

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.evaluation import data, gmm_table
from cgmgm_seis.evaluation.data import EvaluationData
from cgmgm_seis.evaluation.gmm_table import (
    CALIFORNIA,
    NON_ERGODIC,
    PUBLISHED,
    REFITTED,
    compared_component,
    fitted_models,
    ground_motion_models_table,
    published_models,
)
from cgmgm_seis.gmm.base import ErgodicFAS, ErgodicGMM
from cgmgm_seis.measures.intensity import smoothed_fas
from cgmgm_seis.scenario.window import Window

WINDOW = Window("ZNE", sampling_rate=100.0, start_offset_s=-5.0, n_samples=6000)
FREQUENCIES = (2.0, 10.0)


@pytest.fixture
def scenario():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "source_magnitude": rng.uniform(0.5, 3.5, 50),
            "path_hyp_distance_km": rng.uniform(5.0, 80.0, 50),
            "source_depth_km": rng.uniform(2.0, 15.0, 50),
        }
    )


def test_bias_and_sigma_are_of_the_residuals(scenario):
    columns = (scenario[c] for c in scenario)
    magnitude, distance, depth = (column.to_numpy() for column in columns)
    noise = np.random.default_rng(1).standard_normal((50, 2))
    mean = [ErgodicFAS(f).mean(magnitude, distance, depth) for f in FREQUENCIES]
    recorded = np.stack(mean, axis=1) + 0.2 + 0.5 * noise
    model = ErgodicGMM().fit(scenario, recorded, FREQUENCIES)
    medians = {"perfect": recorded, "loud": recorded + np.log(2.0)}
    table = ground_motion_models_table(
        medians, {"gmm": model}, recorded, scenario, "E", "FAS", FREQUENCIES
    ).set_index(["generator", "measure"])
    assert len(table) == 6
    np.testing.assert_allclose(table.loc["perfect", ["bias", "sigma"]], 0.0)
    np.testing.assert_allclose(table.loc["loud", "bias"], np.log(2.0))
    np.testing.assert_allclose(table.loc["loud", "sigma"], 0.0, atol=1e-12)
    np.testing.assert_allclose(table.loc["gmm", "bias"], -0.2 - 0.5 * noise.mean(axis=0))
    np.testing.assert_allclose(table.loc["gmm", "sigma"], 0.5 * noise.std(axis=0))
    assert table.loc["gmm", "stated_sigma"].tolist() == pytest.approx([0.72, 0.81])
    outside = ((magnitude < 1.09) | (magnitude > 3.99)).mean()
    assert table.loc[("gmm", "FAS 2 Hz"), "extrapolated"] == pytest.approx(outside)
    assert table.loc["loud", "stated_sigma"].isna().all()


@pytest.mark.parametrize(("order", "component"), [("ZNE", "E"), ("Z12", "2"), ("E", "E")])
def test_the_east_component_is_compared(order, component):
    assert compared_component(order) == component
    assert compared_component("Z") is None


@pytest.fixture(scope="module")
def catalogue(whole_catalogue):
    return whole_catalogue


def training(dataset):
    return EvaluationData(dataset, WINDOW).read_training()


class Recording:
    """A model that keeps what it was fitted to."""

    fitted: ClassVar = []

    def __init__(self, fields=("source",)):
        self.fields = fields

    def fit(self, scenario, ln_fas, frequencies):
        Recording.fitted.append((scenario, ln_fas, self.fields))
        return self


def test_models_are_fitted_to_the_training_split(catalogue, monkeypatch):
    monkeypatch.setattr(gmm_table, "NonErgodicFAS", Recording)
    monkeypatch.setattr(data, "BLOCK_RECORDS", 100)  # in several blocks
    Recording.fitted = []
    models = fitted_models(training(catalogue), WINDOW, FREQUENCIES)
    assert list(models) == [REFITTED, NON_ERGODIC]
    (scenario, ln_fas, ergodic), (_, _, spatial) = Recording.fitted
    assert (ergodic, spatial) == ((), ("source",))
    dataset = WaveformDataset(catalogue, component_order="ZNE")
    train = np.flatnonzero(dataset.metadata["split"] == "train")
    assert scenario["trace_name"].tolist() == dataset["trace_name"].to_numpy()[train].tolist()
    waveform = dataset.get_waveforms(int(train[150]))[2]
    expected = np.log(smoothed_fas(waveform, 100.0, FREQUENCIES))
    np.testing.assert_allclose(ln_fas[150], expected, rtol=1e-5)


def test_without_a_training_split_nothing_is_fitted(catalogue):
    dataset = WaveformDataset(catalogue, component_order="ZNE")
    dataset.filter((dataset.metadata["split"] == "test").to_numpy())
    with pytest.raises(CgmgmError, match="'train' has 0 usable records"):
        fitted_models(training(dataset), WINDOW, FREQUENCIES)
    del dataset.metadata["split"]
    with pytest.raises(CgmgmError, match="'train' has 0 usable records"):
        fitted_models(training(dataset), WINDOW, FREQUENCIES)


def test_published_models_are_of_one_horizontal_or_both(scenario):
    (name, model), *_ = published_models(scenario, "FAS", FREQUENCIES).items()
    assert name == PUBLISHED
    magnitude, distance, depth = (scenario[c].to_numpy() for c in scenario)
    expected = ErgodicFAS(10.0).mean(magnitude, distance, depth)
    np.testing.assert_array_equal(model.predict(scenario).mean[:, 1], expected)
    pytest.importorskip("pygmm", reason="the extra gmm is not installed")
    (name, model), *_ = published_models(scenario, "EAS", FREQUENCIES).items()
    assert name == CALIFORNIA
    np.testing.assert_array_equal(model.predict(scenario).extrapolated, magnitude < 3.0)
