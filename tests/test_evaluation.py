"""Evaluation: exact on copies and factors, streamed, seeded, and written whole."""

import json
import logging
import sys

import numpy as np
import pandas as pd
import pytest
from seisbench.data import WaveformDataset

from cgmgm_seis import draws, evaluation
from cgmgm_seis.datasets.seismograms import simulate_records
from cgmgm_seis.datasets.simulated import simulate
from cgmgm_seis.datasets.windows import read_records
from cgmgm_seis.draws import MEASURES, Window, ln_measures, model_draw, reduce_draws, simulator_draw
from cgmgm_seis.errors import CgmgmError, DatasetError, OutputError
from cgmgm_seis.evaluation import evaluate, read_split
from cgmgm_seis.evaluation_tables import RECORDED, SIMULATOR, write_evaluation
from cgmgm_seis.models.cgmgm import CGMGM

pytestmark = pytest.mark.usefixtures("one_thread")

CATALOGUE_SEED = 5
RESIDUALS = ["sigma", "tau_recorded", "phi_recorded", "tau_generated", "phi_generated"]
QUICK = {"n_realizations": 3, "n_classifiers": 0, "picker": "/nowhere/picker"}


@pytest.fixture(autouse=True)
def short_training(monkeypatch):
    """How well the discriminator learns is tested elsewhere."""
    monkeypatch.setattr("cgmgm_seis.discriminator.STEPS", 20)
    monkeypatch.setattr("cgmgm_seis.discriminator.EPOCHS", 1)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    """Folder of a simulated data set; its test split has 4 events or more."""
    folder = tmp_path_factory.mktemp("simulated") / "catalogue"
    metadata = simulate(60, CATALOGUE_SEED, folder, workers=1, progress=False)
    assert metadata.loc[metadata["split"] == "test", "source_id"].nunique() >= 4
    return folder


@pytest.fixture(scope="module")
def records(catalogue):
    return read_split(catalogue, Window.of(CGMGM()))


@pytest.fixture
def stub_picker(monkeypatch):
    """P is the first sample above a tenth of the peak, S the peak; the first record has no S."""

    def pick(picker, waveforms, sampling_rate, component_order, progress=False):
        size = np.abs(waveforms).max(axis=1)
        loud = size > 0.1 * size.max(axis=1, keepdims=True)
        s = size.argmax(axis=1) / sampling_rate
        s[0] = np.nan
        return pd.DataFrame({"p_s": loud.argmax(axis=1) / sampling_rate, "s_s": s})

    monkeypatch.setattr(evaluation, "load_picker", lambda name: name)
    monkeypatch.setattr(evaluation, "pick", pick)


class Parrot(CGMGM):
    """Gives every record back: times a factor, and late by some samples."""

    def __init__(self, records, factor=1.0, delay=0):
        super().__init__()
        waveforms, scenario = records
        self.records = dict(zip(scenario["trace_name"], waveforms, strict=True))
        self.factor, self.delay = factor, delay
        self.asked = []

    def sample(self, scenario, n_realizations=1, seed=0, *args, **kwargs):
        self.asked.append(len(scenario))
        found = np.stack([self.records[name] for name in scenario["trace_name"]])
        found = self.factor * np.roll(found, self.delay, axis=-1)
        return np.repeat(found[:, None], n_realizations, axis=1).astype(np.float32)


def rows(found, name):
    table = found.tables["measures"]
    return table[table["generator"] == name].set_index(["component", "measure"])


# ---- exact cases ---------------------------------------------------------------------------


def test_the_records_themselves_leave_nothing(catalogue, records, stub_picker):
    settings = QUICK | {"n_classifiers": 1}
    found = evaluate({"parrot": Parrot(records)}, catalogue, **settings)
    table = rows(found, "parrot")
    assert list(table.index) == [(c, m) for c in "ZNE" for m in MEASURES]
    assert np.abs(table[["bias", "median_bias", *RESIDUALS]].to_numpy()).max() < 1e-9
    assert (table["coverage"] == 1.0).all()
    assert np.abs(table["sigma_ratio"]).max() < 1e-8
    numbers = found.metrics["generators"]["parrot"]
    assert numbers["discriminator"]["accuracies"] == [0.5]
    assert numbers["picks"] == found.metrics[RECORDED]["picks"]


def test_a_factor_is_a_bias_of_levels_and_not_of_duration(catalogue, records):
    found = evaluate({"loud": Parrot(records, factor=np.exp(0.3))}, catalogue, **QUICK)
    table = rows(found, "loud")
    expected = np.array([measure != "D5-95" for _, measure in table.index]) * 0.3
    # float32 waveforms
    np.testing.assert_allclose(table["bias"], expected, atol=1e-6)
    np.testing.assert_allclose(table["median_bias"], expected, atol=1e-6)
    assert np.abs(table[RESIDUALS].to_numpy()).max() < 1e-6
    np.testing.assert_array_equal(table["coverage"], expected == 0.0)


def test_several_models_stand_in_one_table(catalogue, records):
    models = {"a": Parrot(records), "b": Parrot(records, factor=2.0)}
    found = evaluate(models, catalogue, **QUICK)
    assert list(found.tables["measures"]["generator"].unique()) == ["a", "b", SIMULATOR]
    bias = rows(found, "b").loc[("N", "PGV"), "bias"]
    assert bias == pytest.approx(np.log(2.0))
    numbers = found.metrics["generators"]["b"]
    assert numbers["measures"]["N"]["PGV"]["bias"] == bias
    assert sum(numbers["pit"]["N"]["PGV"].values()) == pytest.approx(1.0)
    # The lowest of four ranks.
    assert sum(list(numbers["pit"]["N"]["PGV"].values())[:3]) == 1.0
    per_record = found.tables["records"].query("generator == 'b' and measure == 'PGV'")
    assert len(per_record) == 3 * found.metrics["dataset"]["records"]
    np.testing.assert_allclose(per_record["ln_median"] - per_record["ln_recorded"], np.log(2.0))


def test_records_keep_their_names(catalogue, records):
    waveforms, scenario = records
    table = evaluate({"a": Parrot(records)}, catalogue, **QUICK).tables["records"]
    last = table[table["generator"] == "a"].iloc[-1]
    assert last["source_id"] == scenario["source_id"].iloc[-1]
    assert last["station_code"] == scenario["station_code"].iloc[-1]
    assert (last["component"], last["measure"]) == ("E", MEASURES[-1])
    assert last["ln_recorded"] == pytest.approx(ln_measures(waveforms[-1:], 100.0)[0, 2, -1])


# ---- the simulator -------------------------------------------------------------------------


def test_the_simulator_shows_its_own_scatter(catalogue, records):
    settings = QUICK | {"n_realizations": 8}
    found = evaluate({"parrot": Parrot(records)}, catalogue, seed=CATALOGUE_SEED, **settings)
    sigma = rows(found, SIMULATOR)["sigma"].to_numpy()
    waveforms, scenario = records
    others = [ln_measures(simulate_records(scenario, 70 + k)[0], 100.0) for k in range(8)]
    expected = (ln_measures(waveforms, 100.0) - np.median(others, axis=0)).std(axis=0)
    # Medians of eight other draws.
    assert sigma.mean() == pytest.approx(expected.mean(), rel=0.2)
    assert (sigma > 0.1).all()  # the catalogue's own seed does not give its own records
    repeated = rows(found, "parrot")["simulator_sigma"].to_numpy()
    np.testing.assert_array_equal(repeated, sigma)
    assert found.metrics["generators"][SIMULATOR]["model"] is None


def test_events_of_a_redraw_share_their_terms(records):
    _, scenario = records
    draw = simulator_draw(Window("ZNE", 100.0, -5.0, 6000))
    whole = draw(scenario, 2, 3)
    np.testing.assert_array_equal(draw(scenario.iloc[3:5], 2, 3), whole[3:5])
    assert not np.array_equal(whole[:, 0], whole[:, 1])


def test_a_redraw_is_cut_to_the_window(records):
    _, scenario = records
    whole = simulator_draw(Window("ZNE", 100.0, -5.0, 6000))(scenario[:2], 1, 0)
    part = simulator_draw(Window("EZ", 100.0, -2.0, 4000))(scenario[:2], 1, 0)
    np.testing.assert_array_equal(part, whole[:, :, [2, 0], 300:4300])
    assert simulator_draw(Window("ZNE", 100.0, -6.0, 6000)) is None
    assert simulator_draw(Window("ZNE", 50.0, -5.0, 3000)) is None


def test_recordings_are_not_simulated_again(catalogue, records):
    dataset = WaveformDataset(catalogue)
    dataset.metadata["trace_simulated"] = False
    found = evaluate({"parrot": Parrot(records)}, dataset, **QUICK)
    assert list(found.metrics["generators"]) == ["parrot"]
    assert "sigma_ratio" not in found.tables["measures"]


# ---- picks ---------------------------------------------------------------------------------


def test_picks_are_compared_with_the_true_onsets(catalogue, records, stub_picker):
    late = Parrot(records, delay=50)
    found = evaluate({"late": late}, catalogue, **QUICK).metrics
    recorded, generated = found[RECORDED]["picks"], found["generators"]["late"]["picks"]
    size = np.abs(records[0]).max(axis=1)
    delays = size.argmax(axis=1)[1:] - records[1]["trace_s_arrival_sample"].to_numpy()[1:]
    assert recorded["S"]["median_s"] == pytest.approx(np.median(delays) / 100.0)
    assert recorded["S"]["p90_s"] == pytest.approx(np.percentile(np.abs(delays), 90) / 100.0)
    assert recorded["S"]["reference"] == "true onset"
    assert recorded["P"]["picked"] == 1.0
    assert recorded["S"]["picked"] == pytest.approx(1.0 - 1.0 / len(size))
    assert generated["S"]["median_s"] - recorded["S"]["median_s"] == pytest.approx(0.5)


def test_without_true_onsets_picks_are_compared_with_the_recorded(catalogue, records, stub_picker):
    dataset = WaveformDataset(catalogue)
    del dataset.metadata["trace_p_arrival_sample"]
    found = evaluate({"late": Parrot(records, delay=50)}, dataset, **QUICK).metrics
    generated = found["generators"]["late"]["picks"]["S"]
    assert generated["reference"] == "recorded pick"
    assert (generated["median_s"], generated["p90_s"]) == pytest.approx((0.5, 0.5))
    assert found[RECORDED]["picks"]["S"]["compared"] == 0
    assert found[RECORDED]["picks"]["S"]["median_s"] is None


def test_phasenet_finds_the_simulated_onsets(catalogue, records, phasenet):
    settings = QUICK | {"picker": "original"}
    table = evaluate({"parrot": Parrot(records)}, catalogue, **settings).tables["picks"]
    assert (table["picked"] > 0.85).all()
    assert (table["median_s"].abs() < 0.1).all()


def test_without_a_picker_the_rest_is_measured(catalogue, records, caplog):
    found = evaluate({"parrot": Parrot(records)}, catalogue, **QUICK)
    assert "No picks: There are no PhaseNet weights '/nowhere/picker'" in caplog.text
    assert "picks" not in found.tables
    assert found.metrics["picker"] is None
    assert found.metrics["generators"]["parrot"]["picks"] is None
    assert len(found.tables["measures"])
    assert "PhaseNet" not in str(found)


# ---- reading and drawing -------------------------------------------------------------------


def test_only_the_split_is_read(catalogue, records):
    waveforms, scenario = records
    everything, table = read_records(catalogue, 100.0, "ZNE", -5.0, 6000)
    test = (table["split"] == "test").to_numpy()
    np.testing.assert_array_equal(waveforms, everything[test])
    assert scenario["trace_name"].tolist() == table["trace_name"][test].tolist()


def test_a_missing_split_is_refused(catalogue):
    with pytest.raises(DatasetError, match="no split 'valid'; it has dev, test, train"):
        read_split(catalogue, Window.of(CGMGM()), "valid")


def test_without_splits_everything_is_read_and_said(catalogue, caplog):
    dataset = WaveformDataset(catalogue)
    n_records = len(dataset)
    del dataset.metadata["split"]
    waveforms, _ = read_split(dataset, Window.of(CGMGM()))
    assert len(waveforms) == n_records
    assert f"no column 'split': all {n_records} records" in caplog.text


def test_some_events_are_read_whole(catalogue, records):
    _, scenario = records
    sizes = scenario["source_id"].value_counts()
    limit = len(scenario) - 1
    chosen = set()
    for seed in range(8):
        _, part = read_split(catalogue, Window.of(CGMGM()), seed=seed, max_records=limit)
        counts = part["source_id"].value_counts()
        assert len(part) <= limit
        assert (counts == sizes[counts.index]).all()
        _, again = read_split(catalogue, Window.of(CGMGM()), seed=seed, max_records=limit)
        assert again["trace_name"].tolist() == part["trace_name"].tolist()
        chosen.add(tuple(sorted(counts.index)))
    assert len(chosen) > 1


def test_an_event_that_does_not_fit_is_refused(catalogue, records):
    smallest = records[1]["source_id"].value_counts().min()
    with pytest.raises(DatasetError, match="whole events are read"):
        read_split(catalogue, Window.of(CGMGM()), max_records=smallest - 1)


def test_chunks_do_not_change_what_is_drawn(records, monkeypatch):
    _, scenario = records
    window = Window.of(CGMGM())
    whole = reduce_draws(model_draw(Parrot(records)), scenario, window, 4)
    record_bytes = 3 * 6000 * 4
    monkeypatch.setattr(draws, "CHUNK_BYTES", 2 * 4 * record_bytes)
    model = Parrot(records)
    parts = reduce_draws(model_draw(model), scenario, window, 4)
    assert set(model.asked[:-1]) == {2}
    assert sum(model.asked) == len(scenario)
    np.testing.assert_allclose(parts.measures, whole.measures, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(parts.first, whole.first)


def test_measures_are_logarithms_with_known_values():
    time = np.arange(6000) / 100.0
    box = np.where((time >= 10.0) & (time < 30.0), 2.0 * np.sin(2.0 * np.pi * 5.0 * time), 0.0)
    values = dict(zip(MEASURES, ln_measures(box[None], 100.0)[0], strict=True))
    assert values["PGV"] == pytest.approx(np.log(2.0), abs=1e-3)
    assert np.exp(values["D5-95"]) == pytest.approx(18.0, abs=0.1)
    assert values["FAS 5 Hz"] == max(values[name] for name in MEASURES[:4])


# ---- what is refused, said and written -----------------------------------------------------


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_generator_that_fails_is_named(catalogue, records, value):
    broken = Parrot(records)
    name = next(iter(broken.records))
    broken.records[name] = broken.records[name].copy()
    broken.records[name][1] = value
    with pytest.raises(CgmgmError, match=r"3 of \d+ records of broken are silent or hold NaN"):
        evaluate({"broken": broken}, catalogue, **QUICK)


def test_models_with_other_windows_are_refused(catalogue, records):
    models = {"a": Parrot(records), "b": CGMGM(component_order="E")}
    with pytest.raises(CgmgmError, match="2 models have 2 windows"):
        evaluate(models, catalogue, **QUICK)


def test_one_realization_is_refused(catalogue, records):
    with pytest.raises(CgmgmError, match=r"1 realization\(s\) have no scatter"):
        evaluate({"a": Parrot(records)}, catalogue, n_realizations=1)


def test_extrapolation_is_said_once_a_column(catalogue, records, caplog, recwarn):
    model = Parrot(records)
    model.ranges = {"source_magnitude": [0.0, 1.0], "source_depth_km": [-5.0, 50.0]}
    evaluate({"small": model}, catalogue, **QUICK)
    said = [record.message for record in caplog.records if "trained range" in record.message]
    assert len(said) == 1
    assert said[0].startswith("small: source_magnitude")
    assert not [found for found in recwarn if "trained range" in str(found.message)]


def test_the_folder_holds_everything(catalogue, records, tmp_path, stub_picker):
    settings = QUICK | {"n_classifiers": 1}
    found = evaluate({"parrot": Parrot(records)}, catalogue, **settings)
    folder = tmp_path / "report"
    written = write_evaluation(folder, found, ["cgmgm-seis", "evaluate"])
    tables = [f"{name}.csv" for name in found.tables]
    assert sorted(path.name for path, _ in written) == sorted(
        ["metrics.json", "provenance.json", *tables]
    )
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        path.name for path, _ in written
    )
    assert len(tables) == 5
    assert json.loads((folder / "metrics.json").read_text()) == found.metrics
    for name, table in found.tables.items():
        pd.testing.assert_frame_equal(
            pd.read_csv(folder / f"{name}.csv", dtype={"station_code": str}),
            table,
            check_dtype=False,
        )
    made_by = json.loads((folder / "provenance.json").read_text())
    assert made_by["command"] == ["cgmgm-seis", "evaluate"]

    with pytest.raises(OutputError, match="exists already"):
        write_evaluation(folder, found)
    write_evaluation(folder, found, overwrite=True)


def test_a_failure_leaves_no_folder(catalogue, records, tmp_path, monkeypatch):
    found = evaluate({"parrot": Parrot(records)}, catalogue, **QUICK)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(OutputError, match="No space left"):
        write_evaluation(tmp_path / "report", found)
    assert not list(tmp_path.iterdir())


def test_progress_goes_to_a_terminal_only(catalogue, records, capsys):
    evaluate({"parrot": Parrot(records)}, catalogue, progress=True, **QUICK)
    assert not sys.stderr.isatty()
    assert capsys.readouterr() == ("", "")


def test_what_was_evaluated_is_named(catalogue, tiny_model, caplog):
    caplog.set_level(logging.ERROR)
    settings = QUICK | {"n_realizations": 2, "max_records": 16}
    metrics = evaluate({"tiny": tiny_model}, catalogue, seed=3, **settings).metrics
    assert metrics["generators"]["tiny"]["model"] == {
        "class": "CGMGM",
        "weights": "tiny",
        "version": tiny_model.weights_version,
        "sha256": tiny_model.weights_sha256,
    }
    assert metrics["dataset"]["name"] == "catalogue"
    assert metrics["dataset"]["split"] == "test"
    assert (metrics["seed"], metrics["n_realizations"]) == (3, 2)
