"""Evaluation: exact on copies and factors, streamed, seeded, and written whole."""

import logging
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from seisbench.data import WaveformDataset

from cgmgm_seis.datasets.seismograms import simulate_records
from cgmgm_seis.datasets.simulated import simulate
from cgmgm_seis.errors import CgmgmError, OutputError
from cgmgm_seis.evaluation import draws, evaluate, judging, load_generators, write_evaluation
from cgmgm_seis.evaluation.data import read_split
from cgmgm_seis.evaluation.draws import Window, model_draw, reduce_draws, simulator_draw
from cgmgm_seis.evaluation.measures import ln_measures, series
from cgmgm_seis.evaluation.pick_tables import RECORDED
from cgmgm_seis.evaluation.tables import SIMULATOR
from cgmgm_seis.models.cgmgm import CGMGM

pytestmark = pytest.mark.usefixtures("one_thread")

CATALOGUE_SEED = 5
WINDOW = Window("ZNE", 100.0, -5.0, 6000)
RESIDUALS = ["sigma", "tau_recorded", "phi_recorded", "tau_generated", "phi_generated"]
QUICK = {"n_realizations": 3, "n_classifiers": 0, "picker": "/nowhere/picker", "gmms": False}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """How well the discriminator learns is tested elsewhere, so are the figures and all series."""
    monkeypatch.setattr("cgmgm_seis.evaluation.figures.DPI", 40)
    monkeypatch.setattr("cgmgm_seis.evaluation.discriminator.STEPS", 20)
    monkeypatch.setattr("cgmgm_seis.evaluation.discriminator.EPOCHS", 1)
    monkeypatch.setattr("cgmgm_seis.evaluation.distributions.EXCHANGES", 9)
    for module in ("residuals", "pick_tables"):
        monkeypatch.setattr(f"cgmgm_seis.evaluation.{module}.FEWEST", 2)
    monkeypatch.setattr("cgmgm_seis.evaluation.measures.SPECTRUM", (0.5, 2.0, 5.0, 10.0, 15.0))
    monkeypatch.setattr("cgmgm_seis.evaluation.measures.PERIODS", (0.5, 1.0))


@pytest.fixture(scope="module")
def whole_catalogue(tmp_path_factory):
    """Folder of a simulated data set; its test split has 4 events or more."""
    folder = tmp_path_factory.mktemp("simulated") / "catalogue"
    metadata = simulate(60, CATALOGUE_SEED, folder, workers=1, progress=False)
    assert metadata.loc[metadata["split"] == "test", "source_id"].nunique() >= 4
    return folder


@pytest.fixture(scope="module")
def catalogue(whole_catalogue, tmp_path_factory):
    """The same, with at most four records of an event in the test split."""
    folder = tmp_path_factory.mktemp("thinned") / "catalogue"
    shutil.copytree(whole_catalogue, folder)
    metadata = pd.read_csv(folder / "metadata.csv", dtype={"station_code": str})
    later = metadata.groupby("source_id").cumcount() >= 4
    metadata.loc[later & (metadata["split"] == "test"), "split"] = "unused"
    metadata.to_csv(folder / "metadata.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def records(catalogue):
    return read_split(catalogue, WINDOW)


@pytest.fixture
def stub_picker(monkeypatch):
    """P is the first sample above a tenth of the peak, S the peak; the first record has no S."""

    def pick(picker, waveforms, sampling_rate, component_order, progress=False):
        size = np.abs(waveforms).max(axis=1)
        loud = size > 0.1 * size.max(axis=1, keepdims=True)
        s = size.argmax(axis=1) / sampling_rate
        s[0] = np.nan
        p = loud.argmax(axis=1) / sampling_rate
        return pd.DataFrame({"p_s": p, "s_s": s, "p_probability": 0.9, "s_probability": 0.8})

    monkeypatch.setattr(judging, "load_picker", lambda name: name)
    monkeypatch.setattr(judging, "pick", pick)


class Parrot(CGMGM):
    """Gives every record back: times a factor, and late by some samples."""

    def __init__(self, records, factor=1.0, delay=0):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # chunks know a model by its parameters
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
    assert list(table.index) == list(series("ZNE", 100.0))
    assert np.abs(table[["bias", "median_bias", "crps", *RESIDUALS]].to_numpy()).max() < 1e-9
    assert (table["coverage"] == 1.0).all()
    assert np.abs(table["sigma_ratio"]).max() < 1e-8
    numbers = found.metrics["generators"]["parrot"]
    assert numbers["discriminator"]["accuracies"] == [0.5]
    assert numbers["frechet_distance"] == pytest.approx(0.0, abs=1e-5)
    own, recorded = numbers["picks"], found.metrics[RECORDED]["picks"]
    for phase in ("P", "S", "S-P"):
        assert own[phase]["picked"] == recorded[phase]["picked"]
        assert own[phase]["minus_recorded_p90_s"] == 0.0
    assert (found.tables["places"].query("generator == 'parrot'")["bias"].abs() < 1e-9).all()


def test_a_factor_is_a_bias_of_levels_and_not_of_duration(catalogue, records):
    found = evaluate({"loud": Parrot(records, factor=np.exp(0.3))}, catalogue, **QUICK)
    table = rows(found, "loud")
    powers = {"Arias": 2.0, "D5-75": 0.0, "D5-95": 0.0}
    expected = 0.3 * np.array([powers.get(measure, 1.0) for _, measure in table.index])
    # float32 waveforms
    np.testing.assert_allclose(table["bias"], expected, atol=1e-6)
    np.testing.assert_allclose(table["median_bias"], expected, atol=1e-6)
    assert np.abs(table[RESIDUALS].to_numpy()).max() < 1e-6
    np.testing.assert_array_equal(table["coverage"], expected == 0.0)
    np.testing.assert_allclose(table["crps"], expected, atol=1e-6)
    numbers = found.metrics["generators"]["loud"]
    assert numbers["frechet_distance"] == pytest.approx(0.3, abs=1e-4)
    bins = found.tables["bins"].query("generator == 'loud' and measure == 'EAS 5 Hz'")
    np.testing.assert_allclose(bins["bias"], 0.3, atol=1e-6)
    places = found.tables["places"].query("generator == 'loud'")
    np.testing.assert_allclose(places["bias"], 0.3, atol=1e-6)
    assert set(places["kind"]) == {"station", "event"}


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
    place = series("ZNE", 100.0).get_loc((last["component"], last["measure"]))
    expected = ln_measures(waveforms[-1:], "ZNE", 100.0)[0, place]
    assert last["ln_recorded"] == pytest.approx(expected)
    assert last["source_magnitude"] == scenario["source_magnitude"].iloc[-1]


# ---- the simulator -------------------------------------------------------------------------


def test_the_simulator_shows_its_own_scatter(whole_catalogue):
    settings = QUICK | {"n_realizations": 8}
    records = read_split(whole_catalogue, WINDOW)
    found = evaluate({"parrot": Parrot(records)}, whole_catalogue, seed=CATALOGUE_SEED, **settings)
    sigma = rows(found, SIMULATOR)["sigma"].to_numpy()
    waveforms, scenario = records
    others = [ln_measures(simulate_records(scenario, 70 + k)[0], "ZNE", 100.0) for k in range(8)]
    expected = (ln_measures(waveforms, "ZNE", 100.0) - np.median(others, axis=0)).std(axis=0)
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
    late_90 = np.percentile(np.abs(delays), 90) / 100.0
    assert recorded["S"]["minus_onset_median_s"] == pytest.approx(np.median(delays) / 100.0)
    assert recorded["S"]["minus_onset_p90_s"] == pytest.approx(late_90)
    assert recorded["P"]["picked"] == 1.0
    assert recorded["S"]["picked"] == pytest.approx(1.0 - 1.0 / len(size))
    later = [found["S"]["minus_onset_median_s"] for found in (generated, recorded)]
    assert later[0] - later[1] == pytest.approx(0.5)
    assert generated["S"]["minus_recorded_median_s"] == pytest.approx(0.5)


def test_without_true_onsets_picks_are_compared_with_the_recorded(catalogue, records, stub_picker):
    dataset = WaveformDataset(catalogue)
    for phase in "ps":
        del dataset.metadata[f"trace_{phase}_arrival_sample"]
    found = evaluate({"late": Parrot(records, delay=50)}, dataset, **QUICK).metrics
    generated = found["generators"]["late"]["picks"]["S"]
    assert generated["minus_onset_n"] == 0
    assert generated["minus_recorded_median_s"] == pytest.approx(0.5)
    assert generated["minus_recorded_p90_s"] == pytest.approx(0.5)
    assert found[RECORDED]["picks"]["S"]["minus_onset_median_s"] is None


def test_phasenet_finds_the_simulated_onsets(catalogue, records, phasenet):
    settings = QUICK | {"picker": "original"}
    table = evaluate({"parrot": Parrot(records)}, catalogue, **settings).tables["picks"]
    single = table["phase"].isin(["P", "S"])
    assert (table.loc[single, "picked"] > 0.85).all()
    # S - P needs both.
    assert (table.loc[~single, "picked"] > 0.8).all()
    assert (table["minus_onset_median_s"].abs() < 0.1).all()


def test_without_a_picker_the_rest_is_measured(catalogue, records, caplog):
    found = evaluate({"parrot": Parrot(records)}, catalogue, **QUICK)
    assert "No picks: There are no PhaseNet weights '/nowhere/picker'" in caplog.text
    assert "picks" not in found.tables
    assert found.metrics["generators"]["parrot"]["picks"] is None
    assert len(found.tables["measures"])
    assert "There are no PhaseNet weights" in found.metrics["not_available"]["picks"]
    assert "Not available: picks" in str(found)


# ---- reading and drawing -------------------------------------------------------------------


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
    captured = capsys.readouterr()
    # Messages may stand there, bars may not.
    assert captured.out == "" and "it/s]" not in captured.err and "%|" not in captured.err


def test_what_was_evaluated_is_named(catalogue, tiny_model, caplog):
    caplog.set_level(logging.ERROR)
    settings = QUICK | {"n_realizations": 2, "max_records": 16}
    metrics = evaluate({"tiny": tiny_model}, catalogue, seed=3, **settings).metrics
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


# ---- a killed run --------------------------------------------------------------------------


def test_a_killed_run_goes_on_where_it_was(catalogue, records, tmp_path, monkeypatch):
    monkeypatch.setattr(draws, "CHUNK_BYTES", 4 * 3 * 72_000)  # four records
    whole = evaluate({"loud": Parrot(records, factor=1.5)}, catalogue, **QUICK)
    folder = tmp_path / ".chunks"
    killed = Parrot(records, factor=1.5)
    sample = killed.sample

    def sample_twice(*args, **kwargs):
        if len(killed.asked) == 2:
            raise KeyboardInterrupt
        return sample(*args, **kwargs)

    killed.sample = sample_twice
    with pytest.raises(KeyboardInterrupt):
        evaluate({"loud": killed}, catalogue, chunk_folder=folder, **QUICK)
    kept = list(folder.iterdir())
    assert len(kept) == 1  # the second chunk was drawn, but not yet measured
    again = Parrot(records, factor=1.5)
    resumed = evaluate({"loud": again}, catalogue, chunk_folder=folder, **QUICK)
    assert sum(again.asked) == len(records[1]) - 4
    assert resumed.metrics == whole.metrics
    for name, table in whole.tables.items():
        pd.testing.assert_frame_equal(resumed.tables[name], table)


@pytest.mark.parametrize("change", ["seed", "n_realizations", "model", "records"])
def test_chunks_of_another_run_are_not_used(catalogue, records, tmp_path, change):
    folder = tmp_path / ".chunks"
    evaluate({"a": Parrot(records)}, catalogue, chunk_folder=folder, **QUICK)
    before = {path.name for path in folder.iterdir()}
    model, settings = Parrot(records), dict(QUICK)
    if change == "model":
        with torch.no_grad():
            next(model.parameters()).add_(1e-3)
    elif change == "records":
        settings["max_records"] = len(records[0]) - 1
    else:
        settings[change] = 5
    evaluate({"a": model}, catalogue, chunk_folder=folder, **settings)
    assert sum(model.asked) > 0
    assert {path.name for path in folder.iterdir()} > before


# ---- data that lack something --------------------------------------------------------------


def test_approximate_amplitudes_are_left_out_counted_and_named(catalogue, records, stub_picker):
    dataset = WaveformDataset(catalogue)
    scenario = records[1]
    first = scenario["source_id"].iloc[0]
    flagged = dataset.metadata["source_id"].astype(str) == first
    dataset.metadata["trace_units_approximate"] = flagged
    n_flagged = (scenario["source_id"] == first).sum()
    found = evaluate({"a": Parrot(records)}, dataset, **QUICK)
    reason = found.metrics["not_available"]["amplitudes of some records"]
    assert reason.startswith(f"{n_flagged} of {len(scenario)} records are flagged")
    assert f"{first} {scenario['station_code'].iloc[0]}" in reason
    assert first not in set(found.tables["records"]["source_id"])
    assert first in set(found.tables["pick_records"]["source_id"])
    assert found.metrics["generators"]["a"]["picks"]["P"]["records"] == len(scenario)


def test_without_amplitudes_only_picks_and_shapes_are_left(catalogue, records, stub_picker):
    dataset = WaveformDataset(catalogue)
    dataset.metadata["trace_units_approximate"] = True
    settings = QUICK | {"n_classifiers": 1, "gmms": True}
    found = evaluate({"a": Parrot(records)}, dataset, **settings)
    assert set(found.tables) == {"picks", "picks_by_bin", "pick_records", "discriminator"}
    assert "amplitudes" in found.metrics["not_available"]


@pytest.mark.parametrize("n_records", [1, 4])
def test_one_event_and_one_record_are_enough_for_something(
    catalogue, records, n_records, tmp_path, stub_picker
):
    dataset = WaveformDataset(catalogue)
    event = records[1]["source_id"].value_counts().idxmax()
    chosen = np.flatnonzero(dataset.metadata["source_id"].astype(str) == event)[:n_records]
    dataset.filter(np.isin(np.arange(len(dataset)), chosen))
    settings = QUICK | {"n_classifiers": 1, "gmms": True}
    found = evaluate({"a": Parrot(records)}, dataset, **settings)
    assert found.metrics["dataset"]["records"] == n_records
    assert found.metrics["not_available"]["discriminator"] == "1 event has no halves"
    assert "ground_motion_models" in found.tables
    table = rows(found, "a")
    assert table["tau_recorded"].isna().all()
    assert (table["bias"].abs() < 1e-9).all()
    assert len(write_evaluation(tmp_path / "report", found)) > 8


def test_one_component_has_no_picks_and_no_pair(catalogue, records):
    waveforms, scenario = records
    model = Parrot((waveforms[:, 2:], scenario))
    model.component_order = "E"
    found = evaluate({"east": model}, catalogue, **QUICK | {"picker": "original"})
    assert set(found.tables["measures"]["component"]) == {"E"}
    assert np.abs(found.tables["measures"].query("generator == 'east'")["bias"]).max() < 1e-9
    assert "picks" in found.metrics["not_available"]


def test_windows_without_magnitudes_are_picked_only(norcal_windows, phasenet, tmp_path):
    found = evaluate({"any": CGMGM()}, norcal_windows, **QUICK | {"picker": "original"})
    (reason,) = found.metrics["not_available"].values()
    assert "source_magnitude" in reason
    assert set(found.tables) == {"picks", "pick_records"}
    table = found.tables["picks"].set_index("phase")
    assert (table["picked"] > 0.85).all()
    assert (table["minus_onset_median_s"].abs() < 0.05).all()
    assert table.loc["P", "minus_onset_n"] > 130
    written = [path.name for path, _ in write_evaluation(tmp_path / "report", found)]
    assert "report.html" in written


def test_real_records_give_every_table_but_those_they_cannot(
    bay_area_records, phasenet, tiny_model
):
    settings = QUICK | {"picker": "original", "gmms": True}
    found = evaluate({"tiny": tiny_model}, bay_area_records, skip_bad=True, **settings)
    assert {"measures", "picks", "places", "ground_motion_models"} <= set(found.tables)
    assert "amplitudes of some records" in found.metrics["not_available"]
    recorded = found.metrics[RECORDED]["picks"]
    assert recorded["P"]["picked"] > 0.9
    assert abs(recorded["P"]["minus_onset_median_s"]) < 0.1
    assert set(found.tables["ground_motion_models"]["generator"]) == {"tiny", "ergodic, published"}


# ---- names of the generators ---------------------------------------------------------------


def test_weights_of_one_name_are_told_apart(tiny_weights, tmp_path):
    for suffix in (".json", ".pt"):
        shutil.copy(f"{tiny_weights}{suffix}", tmp_path / f"tiny{suffix}")
    assert list(load_generators([str(tiny_weights)])) == ["tiny"]
    names = [str(tiny_weights), str(tmp_path / "tiny")]
    assert list(load_generators(names)) == names
    with pytest.raises(CgmgmError, match="are given twice"):
        load_generators([names[0], names[0]])


@pytest.mark.parametrize("name", [RECORDED, SIMULATOR])
def test_reserved_names_are_refused(catalogue, records, name):
    with pytest.raises(CgmgmError, match=f"cannot be named {name}"):
        evaluate({name: Parrot(records)}, catalogue, **QUICK)
