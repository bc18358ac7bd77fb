"""A whole evaluation: what it draws, refuses, says and writes."""

import logging
import shutil
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from parrot import QUICK, Parrot

from cgmgm_seis.errors import CgmgmError, OutputError
from cgmgm_seis.evaluation import (
    EvaluationConfig,
    draws,
    evaluate,
    load_generators,
    write_evaluation,
)
from cgmgm_seis.evaluation.draws import model_draw, reduce_draws
from cgmgm_seis.evaluation.pick_tables import RECORDED
from cgmgm_seis.evaluation.tables import SIMULATOR
from cgmgm_seis.models.cgmgm.model import CGMGM

pytestmark = pytest.mark.usefixtures("one_thread", "quick")


def test_chunks_do_not_change_what_is_drawn(records, monkeypatch):
    _, scenario = records
    window = CGMGM().window
    whole = reduce_draws(model_draw(Parrot(records), window), scenario, window, 4)
    record_bytes = 3 * 6000 * 4
    monkeypatch.setattr(draws, "CHUNK_BYTES", 2 * 4 * record_bytes)
    model = Parrot(records)
    parts = reduce_draws(model_draw(model, window), scenario, window, 4)
    assert set(model.asked[:-1]) == {2}
    assert sum(model.asked) == len(scenario)
    np.testing.assert_allclose(parts.measures, whole.measures, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(parts.first, whole.first)


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_generator_that_fails_is_named(catalogue, records, value):
    broken = Parrot(records)
    name = next(iter(broken.records))
    broken.records[name] = broken.records[name].copy()
    broken.records[name][1] = value
    with pytest.raises(
        CgmgmError, match=r"3 of \d+ records of broken have a component that is constant"
    ):
        evaluate(catalogue, {"broken": broken}, QUICK)


def test_models_with_other_windows_are_refused(catalogue, records):
    models = {"a": Parrot(records), "b": CGMGM(n_samples=5000)}
    with pytest.raises(CgmgmError, match="2 models have 2 windows"):
        evaluate(catalogue, models, QUICK)
    east, vertical = (CGMGM(component_order=order) for order in "EZ")
    with pytest.raises(CgmgmError, match="components E, Z of the models have none in common"):
        evaluate(catalogue, {"a": east, "b": vertical}, QUICK)


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ({"n_realizations": 1}, r"n_realizations = 1 must be at least 2"),
        ({"max_records": 0}, "max_records = 0 must be at least 1"),
        ({"n_classifiers": -1}, "n_classifiers = -1 must be at least 0"),
        ({"workers": 0}, "workers = 0 must be at least 1"),
    ],
)
def test_settings_that_make_no_evaluation_are_refused(setting, text):
    with pytest.raises(CgmgmError, match=text):
        EvaluationConfig(**setting)


def test_extrapolation_is_said_once_a_column(catalogue, records, caplog, recwarn):
    model = Parrot(records)
    model.ranges = {"source_magnitude": [0.0, 1.0], "source_depth_km": [-5.0, 50.0]}
    evaluate(catalogue, {"small": model}, QUICK)
    said = [record.message for record in caplog.records if "trained range" in record.message]
    assert len(said) == 1
    assert said[0].startswith("small: source_magnitude")
    assert not [found for found in recwarn if "trained range" in str(found.message)]


def test_a_failure_leaves_no_folder(catalogue, records, tmp_path, monkeypatch):
    found = evaluate(catalogue, {"parrot": Parrot(records)}, QUICK)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(OutputError, match="No space left"):
        write_evaluation(tmp_path / "report", found)
    assert not list(tmp_path.iterdir())


def test_progress_goes_to_a_terminal_only(catalogue, records, capsys):
    evaluate(catalogue, {"parrot": Parrot(records)}, replace(QUICK, progress=True))
    assert not sys.stderr.isatty()
    captured = capsys.readouterr()
    # Messages may stand there, bars may not.
    assert captured.out == "" and "it/s]" not in captured.err and "%|" not in captured.err


def test_what_was_evaluated_is_named(catalogue, tiny_model, caplog):
    caplog.set_level(logging.ERROR)
    config = replace(QUICK, n_realizations=2, max_records=16, seed=3)
    metrics = evaluate(catalogue, {"tiny": tiny_model}, config).metrics
    assert metrics["generators"]["tiny"]["model"] == {
        "class": "CGMGM",
        "weights": "tiny",
        "version": tiny_model.weights_version,
        "sha256": tiny_model.weights_sha256,
        "trained_on": "nothing: simulated",
        "label": "Untrained.",
    }
    assert metrics["models"]["tiny"] == metrics["generators"]["tiny"]["model"]
    assert metrics["dataset"]["name"] == "catalogue"
    assert metrics["dataset"]["split"] == "test"
    assert (metrics["seed"], metrics["n_realizations"]) == (3, 2)


def test_weights_of_one_name_are_told_apart(tiny_weights, tmp_path):
    for suffix in (".json", ".pt"):
        shutil.copy(f"{tiny_weights}{suffix}", tmp_path / f"tiny{suffix}")
    assert list(load_generators([str(tiny_weights)])) == ["tiny"]
    names = [str(tiny_weights), str(tmp_path / "tiny")]
    assert list(load_generators(names)) == names
    with pytest.raises(CgmgmError, match="are given more than once"):
        load_generators([names[0], names[0]])


@pytest.mark.parametrize("name", [RECORDED, SIMULATOR])
def test_reserved_names_are_refused(catalogue, records, name):
    with pytest.raises(CgmgmError, match=f"cannot be named {name}"):
        evaluate(catalogue, {name: Parrot(records)}, QUICK)
