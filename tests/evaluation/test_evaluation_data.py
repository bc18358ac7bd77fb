"""Reading the records to judge by: one split, whole events, windows without a scenario."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from seisbench.data import WaveformDataset

from cgmgm_seis.datasets.windows import read_records
from cgmgm_seis.errors import DatasetError
from cgmgm_seis.evaluation import EvaluationConfig
from cgmgm_seis.evaluation.data import EvaluationData, calibrated
from cgmgm_seis.scenario.window import Window

WINDOW = Window("ZNE", sampling_rate=100.0, start_offset_s=-5.0, n_samples=6000)


def read_split(dataset, **settings):
    return EvaluationData(dataset, WINDOW, EvaluationConfig(**settings)).read_split()


@pytest.fixture(scope="module")
def catalogue(whole_catalogue):
    return whole_catalogue


@pytest.fixture(scope="module")
def records(catalogue):
    return read_split(catalogue)


def test_only_the_split_is_read(catalogue, records):
    waveforms, scenario = records
    everything, table = read_records(catalogue, WINDOW)
    test = (table["split"] == "test").to_numpy()
    np.testing.assert_array_equal(waveforms, everything[test])
    assert scenario["trace_name"].tolist() == table["trace_name"][test].tolist()


def test_a_missing_split_is_refused(catalogue):
    with pytest.raises(DatasetError, match="no split 'valid'; it has dev, test, train"):
        read_split(catalogue, split="valid")


def test_without_splits_everything_is_read_and_said(catalogue, caplog):
    dataset = WaveformDataset(catalogue)
    n_records = len(dataset)
    del dataset.metadata["split"]
    waveforms, _ = read_split(dataset)
    assert len(waveforms) == n_records
    assert f"no column 'split': all {n_records} records" in caplog.text


def test_some_events_are_read_whole(catalogue, records):
    _, scenario = records
    sizes = scenario["source_id"].value_counts()
    limit = len(scenario) - 1
    chosen = set()
    for seed in range(8):
        _, part = read_split(catalogue, seed=seed, max_records=limit)
        counts = part["source_id"].value_counts()
        assert len(part) <= limit
        assert (counts == sizes[counts.index]).all()
        _, again = read_split(catalogue, seed=seed, max_records=limit)
        assert again["trace_name"].tolist() == part["trace_name"].tolist()
        chosen.add(tuple(sorted(counts.index)))
    assert len(chosen) > 1


def test_second_instruments_are_no_records(catalogue, records, caplog):
    dataset = WaveformDataset(catalogue)
    metadata, event = dataset.metadata, records[1]["source_id"].value_counts().idxmax()
    in_event = (metadata["source_id"].astype(str) == event).to_numpy()
    metadata["trace_is_primary"] = ~(in_event & (np.cumsum(in_event) > 2))
    second = int(in_event.sum()) - 2
    _, scenario = read_split(dataset)
    (number,) = scenario.attrs["left_out"].values()
    assert (number, len(scenario)) == (second, len(records[1]) - second)
    # Those that are left out fill no room among so many records.
    _, some = read_split(dataset, max_records=len(scenario))
    assert some["trace_name"].tolist() == scenario["trace_name"].tolist()
    _, windows = EvaluationData(dataset, WINDOW).read_picked()
    assert windows["trace_name"].tolist() == scenario["trace_name"].tolist()
    assert caplog.text.count(f"{second} records left out: not of the primary instrument") == 3


def test_an_event_that_does_not_fit_is_refused(catalogue, records):
    smallest = records[1]["source_id"].value_counts().min()
    with pytest.raises(DatasetError, match="whole events are read"):
        read_split(catalogue, max_records=smallest - 1)


def test_what_a_scenario_lacks_is_named(catalogue):
    assert EvaluationData(catalogue, WINDOW).missing_columns == []
    dataset = WaveformDataset(catalogue)
    for column in ("source_magnitude", "source_id"):
        del dataset.metadata[column]
    assert EvaluationData(dataset, WINDOW).missing_columns == ["source_id", "source_magnitude"]
    with pytest.raises(DatasetError, match="not a readable SeisBench data set"):
        EvaluationData("nowhere", WINDOW)


def test_windows_are_read_without_a_scenario(catalogue):
    data = EvaluationData(catalogue, WINDOW, EvaluationConfig(max_records=5))
    waveforms, metadata = data.read_picked()
    dataset = WaveformDataset(catalogue, component_order="ZNE")
    test = np.flatnonzero(dataset.metadata["split"] == "test")[:5]
    for record, row in zip(waveforms, test, strict=True):
        np.testing.assert_array_equal(record, dataset.get_waveforms(int(row)))
    assert metadata["trace_name"].tolist() == dataset["trace_name"].to_numpy()[test].tolist()


def test_windows_lacking_components_are_zero_there(catalogue):
    dataset = WaveformDataset(catalogue)
    del dataset.metadata["source_magnitude"]  # else the component would be left out
    window = replace(WINDOW, component_order="ZH")
    data = EvaluationData(dataset, window, EvaluationConfig(max_records=2))
    waveforms, _ = data.read_picked()
    assert (waveforms[:, 1] == 0.0).all()
    assert np.ptp(waveforms[:, 0]) > 0.0


@pytest.mark.parametrize("flag", [True, "True", 1, "1.0"])
def test_flagged_amplitudes_are_not_trusted(flag):
    table = pd.DataFrame({"trace_units_approximate": [flag, False, None, "False"]})
    assert calibrated(table).tolist() == [False, True, True, True]
    assert calibrated(pd.DataFrame(index=range(3))).all()


def test_the_data_set_is_opened_once(catalogue, monkeypatch):
    opened = []
    init = WaveformDataset.__init__

    def counted(self, *args, **kwargs):
        opened.append(args)
        init(self, *args, **kwargs)

    monkeypatch.setattr(WaveformDataset, "__init__", counted)
    data = EvaluationData(catalogue, WINDOW, EvaluationConfig(max_records=20))
    _, scenario = data.read_split()
    trained = [part for _, part in data.read_training()]
    assert len(opened) == 1
    assert set(scenario["split"]) == {"test"}
    assert {*pd.concat(trained)["split"]} == {"train"}
