"""Training with records that fill only a part of the window: nothing outside their span is read."""

import numpy as np
import pandas as pd
import pytest
import torch
from small_datasets import cut_half, write_dataset

from cgmgm_seis import CGMGM, EvolutionaryCGM
from cgmgm_seis.errors import DatasetError
from cgmgm_seis.measures.intensity import smoothed_fas
from cgmgm_seis.models.step import Step
from cgmgm_seis.scenario.spans import VALID_END, VALID_START, valid_spans
from cgmgm_seis.simulator.catalogue import simulate_catalogue
from cgmgm_seis.training.config import TrainingConfig
from cgmgm_seis.training.data import TrainingData
from cgmgm_seis.training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("one_thread")
MODELS = [
    pytest.param(EvolutionaryCGM, {"width": 16}, id="evolutionary"),
    pytest.param(CGMGM, {"alpha": 0.1}, id="cgmgm"),
    pytest.param(CGMGM, {"published": True, "alpha": 0.1}, id="published"),
]


@pytest.fixture(scope="module")
def catalogue():
    """About 150 simulated records."""
    return simulate_catalogue(12, seed=4)


def fitted(cls, arguments, waveforms, scenario):
    torch.manual_seed(0)
    model = cls(**arguments)
    model.fit_normalisation(waveforms, scenario)
    return model


def results(model, waveforms, scenario):
    """Return the normalisation, losses, gradients, and what is estimated after training."""
    batch = model.features(waveforms[:40], scenario.iloc[:40])
    found = {name: values.clone() for name, values in model.state_dict().items()}
    found["range"] = torch.tensor(model.get_model_args().get("log_amplitude_range", [0.0]))
    losses = model.train().loss(batch, Step(torch.Generator().manual_seed(1)))
    losses["loss"].backward()
    norms = [p.grad.norm() for p in model.parameters() if p.grad is not None]
    model.eval().after_training([batch])
    after = {name: model.state_dict()[name] for name in ("calibration",) if name in found}
    return {**found, **losses, "gradients": torch.stack(norms)}, after


def same(first, second, rtol=1e-4):
    """Compare results; Fourier transforms of other samples round to other numbers."""
    for (one, other), atol in zip(zip(first, second, strict=True), (1e-4, 0.05), strict=True):
        for name, values in one.items():
            torch.testing.assert_close(values, other[name], rtol=rtol, atol=atol, msg=name)


@pytest.mark.parametrize(("cls", "arguments"), MODELS)
def test_samples_outside_the_spans_have_no_effect(catalogue, cls, arguments):
    waveforms, scenario = cut_half(*catalogue)
    spans = valid_spans(scenario, 6000)
    loud = waveforms.copy()
    for record, (first, last) in zip(loud, spans, strict=True):
        peak = np.abs(record).max()
        record[:, :first], record[:, last:] = 10.0 * peak, -30.0 * peak
    same(
        results(fitted(cls, arguments, waveforms, scenario), waveforms, scenario),
        results(fitted(cls, arguments, loud, scenario), loud, scenario),
    )


@pytest.mark.parametrize(("cls", "arguments"), MODELS)
def test_whole_records_need_no_columns(catalogue, cls, arguments):
    waveforms, scenario = catalogue
    spans = scenario.assign(**{VALID_START: 0, VALID_END: 6000})
    same(
        results(fitted(cls, arguments, waveforms, scenario), waveforms, scenario),
        results(fitted(cls, arguments, waveforms, spans), waveforms, spans),
    )


def test_frames_inside_the_span_count_as_in_whole_records(catalogue):
    """The likelihood of whole records is that of their first and second parts and what is between.

    Frames of 1.6 s with a filter of 1 s before them, every 0.4 s.
    """
    waveforms, scenario = catalogue
    model = fitted(EvolutionaryCGM, {"width": 16}, waveforms, scenario)
    step = Step(torch.Generator(), progress=0.0)

    def likelihood(first, last):
        table = scenario.iloc[:5].assign(**{VALID_START: first, VALID_END: last})
        batch = model.features(waveforms[:5], table)
        return float(model.loss(batch, step)["likelihood"].detach())

    # Frames begin at 100 + 40 k samples, and need the 100 samples before them: in a span that ends
    # at 3060 the last one begins at 2900, and one that starts at 2840 has the next one first.
    parts = likelihood(0, 3060) + likelihood(2840, 6000)
    assert parts == pytest.approx(likelihood(0, 6000), rel=1e-5)


@pytest.mark.slow
def test_half_of_the_records_cut_give_the_same_model():
    """The dev loss of whole records within 10 %, as three seeds differ, and bias within 0.3.

    The bias of two seeds differs by 0.1 to 0.13.

    `tests/benchmarks/bench_spans.py` does the same with more components, records and seeds.
    """
    waveforms, scenario = simulate_catalogue(60, seed=4)
    waveforms = waveforms[:, :1]
    n_train = int((pd.factorize(scenario["source_id"])[0] < 48).sum())
    dev = waveforms[n_train:], scenario.iloc[n_train:].reset_index(drop=True)
    losses, bias = [], []
    for records, table in ((waveforms, scenario), cut_half(waveforms, scenario)):
        # The noise level is subtracted in the loss: both have the same.
        arguments = {"width": 32, "component_order": "Z"}
        model = fitted(EvolutionaryCGM, arguments, waveforms, scenario)
        train = model.features(records[:n_train], table.iloc[:n_train])
        splits = {"train": train, "dev": model.features(*dev)}
        config = TrainingConfig.of(model, epochs=10, batch_size=24, device="cpu", seed=1)
        trainer = Trainer(model, splits, config)
        losses.append([trainer.run_epoch()["dev_loss"] for _ in range(config.epochs)][-1])
        model.eval()
        model.after_training(trainer.batches("train"))
        drawn = model.sample(dev[1], 2, seed=1)
        fas, recorded = (
            np.log(smoothed_fas(motion, 100.0, [1.0, 2.0, 5.0, 10.0])) for motion in (drawn, dev[0])
        )
        bias.append(fas.mean(axis=(0, 1, 2)) - recorded.mean(axis=(0, 1)))
    assert losses[1] == pytest.approx(losses[0], rel=0.1)
    np.testing.assert_allclose(bias[1], bias[0], atol=0.3)


class WholeOnly(CGMGM):
    """A generator that does not know about spans."""

    uses_spans = False


def test_generators_without_spans_get_whole_records_only(tmp_path, caplog):
    def cut(event, row, motion):
        row[VALID_END] = 1200 if row["station_code"] == "S1" else np.nan

    folder = write_dataset(tmp_path / "set", change=cut, n_samples=1600)
    arguments = {"n_samples": 1600, "n_fft": 64, "hop": 16}
    assert TrainingData(CGMGM(**arguments), folder).card["data"]["partial"] == 12
    found = TrainingData(WholeOnly(**arguments), folder)
    assert sum(found.card["data"]["records"].values()) == 36
    assert "12 records left out: filling only a part of the window" in caplog.text

    def cut_all(event, row, motion):
        row[VALID_END] = 1200

    every = write_dataset(tmp_path / "every", change=cut_all, n_samples=1600)
    with pytest.raises(DatasetError, match="train split has 0 of 48 records"):
        TrainingData(WholeOnly(**arguments), every)
