"""Data that lack something give what they can, and a reason for the rest."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from parrot import QUICK, Parrot, rows
from seisbench.data import WaveformDataset, WaveformDataWriter

from cgmgm_seis.datasets.windows import NOT_PRIMARY, UNCOVERED
from cgmgm_seis.evaluation import evaluate, write_evaluation
from cgmgm_seis.evaluation.gmm_table import CALIFORNIA, PUBLISHED
from cgmgm_seis.evaluation.pick_tables import RECORDED
from cgmgm_seis.evaluation.tables import SIMULATOR
from cgmgm_seis.models.cgmgm.model import CGMGM

PAIR = ["source_id", "station_code"]

pytestmark = pytest.mark.usefixtures("one_thread", "quick")


def test_approximate_amplitudes_are_left_out_counted_and_named(catalogue, records, stub_picker):
    dataset = WaveformDataset(catalogue)
    scenario = records[1]
    first = scenario["source_id"].iloc[0]
    flagged = dataset.metadata["source_id"].astype(str) == first
    dataset.metadata["trace_units_approximate"] = flagged
    n_flagged = (scenario["source_id"] == first).sum()
    found = evaluate(dataset, {"a": Parrot(records)}, QUICK)
    reason = found.metrics["not_available"]["amplitudes of some records"]
    assert reason.startswith(f"{n_flagged} of {len(scenario)} records are flagged")
    assert f"{first} {scenario['station_code'].iloc[0]}" in reason
    assert first not in set(found.tables["records"]["source_id"])
    assert first in set(found.tables["pick_records"]["source_id"])
    assert found.metrics["generators"]["a"]["picks"]["P"]["records"] == len(scenario)


def test_second_instruments_do_not_count_twice(catalogue, records, tmp_path, stub_picker):
    dataset = WaveformDataset(catalogue)
    metadata, event = dataset.metadata, records[1]["source_id"].value_counts().idxmax()
    first, other = np.flatnonzero(metadata["source_id"].astype(str) == event)[:2]
    for column in ("station_network_code", "station_code"):
        metadata.loc[other, column] = metadata.loc[first, column]
    found = evaluate(dataset, {"a": Parrot(records)}, QUICK)
    assert found.metrics["dataset"]["sharing_event_and_station"] == 2
    assert "2 records share event and station; all of them are used." in str(found)
    metadata["trace_is_primary"] = np.arange(len(metadata)) != other
    found = evaluate(dataset, {"a": Parrot(records)}, QUICK)
    n_records = len(records[1]) - 1
    assert found.metrics["dataset"]["records"] == n_records
    assert found.metrics["dataset"]["sharing_event_and_station"] == 0
    assert list(found.metrics["dataset"]["left_out"].values()) == [1]
    for table in ("records", "pick_records"):
        own = found.tables[table].query("generator == 'a'")
        assert len(own[PAIR].drop_duplicates()) == n_records
    said = "Records left out: 1 not of the primary instrument"
    assert said in str(found)
    write_evaluation(tmp_path / "report", found)
    assert said in (tmp_path / "report" / "report.html").read_text()


def test_without_amplitudes_only_picks_and_shapes_are_left(catalogue, records, stub_picker):
    dataset = WaveformDataset(catalogue)
    dataset.metadata["trace_units_approximate"] = True
    config = replace(QUICK, n_classifiers=1)
    found = evaluate(dataset, {"a": Parrot(records)}, config)
    assert set(found.tables) == {"picks", "picks_by_bin", "pick_records", "discriminator"}
    assert "amplitudes" in found.metrics["not_available"]


@pytest.mark.parametrize("n_records", [1, 4])
def test_one_event_and_one_record_are_enough_for_something(
    catalogue, records, n_records, tmp_path, stub_picker
):
    dataset = WaveformDataset(catalogue)
    event = records[1]["source_id"].value_counts().idxmax()
    chosen = np.flatnonzero(dataset.metadata["source_id"].astype(str) == event)[:n_records]
    dataset.filter(np.isin(np.arange(len(dataset)), chosen))  # no training split is left
    config = replace(QUICK, n_classifiers=1, gmms=True)
    found = evaluate(dataset, {"a": Parrot(records)}, config)
    assert found.metrics["dataset"]["records"] == n_records
    assert found.metrics["not_available"]["discriminator"] == "1 event cannot be split into halves"
    assert "ground_motion_models" in found.tables
    table = rows(found, "a")
    assert table["tau_recorded"].isna().all()
    assert (table["bias"].abs() < 1e-9).all()
    assert len(write_evaluation(tmp_path / "report", found)) > 8


def test_of_one_recorded_component_a_model_of_three_is_compared_on_it(records, tmp_path):
    waveforms, scenario = records
    chosen = scenario.iloc[:4].assign(trace_component_order="E")
    files = [tmp_path / name for name in ("metadata.csv", "waveforms.hdf5")]
    with WaveformDataWriter(*files) as writer:
        writer.data_format = {"dimension_order": "CW", "component_order": "E", "unit": "mps"}
        for waveform, (_, row) in zip(waveforms, chosen.iterrows(), strict=False):
            writer.add_trace({**row, "original_name": row["trace_name"]}, waveform[2:])
    parrot = Parrot((2.0 * waveforms, scenario))
    sample, names = parrot.sample, chosen["trace_name"].tolist()
    parrot.sample = lambda table, *args, **kwargs: sample(
        table.assign(trace_name=table["original_name"]), *args, **kwargs
    )
    found = evaluate(tmp_path, {"a": parrot}, QUICK)
    assert found.scenario["original_name"].tolist() == names
    assert found.metrics["not_available"]["components Z, N"] == "most records have motion on E only"
    assert found.metrics["window"]["component_order"] == "E"
    assert set(found.tables["measures"]["component"]) == {"E"}
    table = rows(found, "a")
    assert table.loc[("E", "PGV"), "bias"] == pytest.approx(np.log(2.0), abs=1e-6)
    assert write_evaluation(tmp_path / "report", found)


def test_without_pygmm_its_model_is_left_out_with_a_reason(
    catalogue, records, monkeypatch, tmp_path
):
    monkeypatch.setitem(sys.modules, "pygmm", None)
    dataset = WaveformDataset(catalogue)
    dataset.filter((dataset.metadata["split"] == "test").to_numpy())
    found = evaluate(dataset, {"a": Parrot(records)}, replace(QUICK, gmms=True))
    reason = found.metrics["not_available"][CALIFORNIA]
    assert reason.endswith("install it with pip install 'cgmgm-seis[gmm]'.")
    assert set(found.tables["ground_motion_models"]["generator"]) == {"a", SIMULATOR, PUBLISHED}


def test_published_models_of_both_horizontals_stand_beside(catalogue, records):
    pytest.importorskip("pygmm", reason="the extra gmm is not installed")
    dataset = WaveformDataset(catalogue)
    dataset.filter((dataset.metadata["split"] == "test").to_numpy())
    found = evaluate(dataset, {"a": Parrot(records, 2.0)}, replace(QUICK, gmms=True))
    numbers = found.metrics["ground_motion_models"]
    outside = (records[1]["source_magnitude"] < 3.0).mean()
    assert numbers[CALIFORNIA]["H"]["EAS 5 Hz"]["extrapolated"] == pytest.approx(outside)
    for component, spectrum in (("E", "FAS"), ("H", "EAS")):
        own = numbers["a"][component][f"{spectrum} 5 Hz"]
        assert own["bias"] == pytest.approx(np.log(2.0), abs=1e-6)
        assert own["sigma"] == pytest.approx(0.0, abs=1e-6)
    assert set(numbers[PUBLISHED]) == {"E"}
    assert set(numbers[CALIFORNIA]) == {"H"}


def test_windows_without_magnitudes_are_picked_only(norcal_windows, phasenet, tmp_path):
    found = evaluate(norcal_windows, {"any": CGMGM()}, replace(QUICK, picker="original"))
    reason, copied = found.metrics["not_available"].values()
    assert "source_magnitude" in reason
    assert copied.startswith("in 24 of 144 records, components without motion are copies")
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
    config = replace(QUICK, picker="original", gmms=True)
    found = evaluate(bay_area_records, {"tiny": tiny_model}, config)
    assert {"measures", "picks", "places", "ground_motion_models"} <= set(found.tables)
    assert "amplitudes of some records" in found.metrics["not_available"]
    left_out = found.metrics["dataset"]["left_out"]
    assert left_out == {NOT_PRIMARY: 2, UNCOVERED: 3, "NaN or constant on NE": 2}
    assert not found.scenario.duplicated(PAIR).any()
    recorded = found.metrics[RECORDED]["picks"]
    assert recorded["P"]["picked"] > 0.9
    assert abs(recorded["P"]["minus_onset_median_s"]) < 0.1
    models = set(found.tables["ground_motion_models"]["generator"])
    assert {"tiny", PUBLISHED} <= models <= {"tiny", PUBLISHED, CALIFORNIA}
