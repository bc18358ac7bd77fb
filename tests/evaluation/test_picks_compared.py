"""Picks of an evaluation: against onsets, against the record's, or none."""

from dataclasses import replace

import numpy as np
import pytest
from parrot import QUICK, Parrot
from seisbench.data import WaveformDataset

from cgmgm_seis.evaluation import evaluate
from cgmgm_seis.evaluation.generator_picks import GeneratorPicks
from cgmgm_seis.evaluation.pick_tables import RECORDED
from cgmgm_seis.scenario.window import Window

pytestmark = pytest.mark.usefixtures("one_thread", "quick")


def test_picks_are_compared_with_the_true_onsets(catalogue, records, stub_picker):
    late = Parrot(records, delay=50)
    found = evaluate(catalogue, {"late": late}, QUICK).metrics
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
    found = evaluate(dataset, {"late": Parrot(records, delay=50)}, QUICK).metrics
    generated = found["generators"]["late"]["picks"]["S"]
    assert generated["minus_onset_n"] == 0
    assert generated["minus_recorded_median_s"] == pytest.approx(0.5)
    assert generated["minus_recorded_p90_s"] == pytest.approx(0.5)
    assert found[RECORDED]["picks"]["S"]["minus_onset_median_s"] is None


def test_phasenet_finds_the_simulated_onsets(catalogue, records, phasenet):
    config = replace(QUICK, picker="original")
    table = evaluate(catalogue, {"parrot": Parrot(records)}, config).tables["picks"]
    single = table["phase"].isin(["P", "S"])
    assert (table.loc[single, "picked"] > 0.85).all()
    # S - P needs both.
    assert (table.loc[~single, "picked"] > 0.8).all()
    assert (table["minus_onset_median_s"].abs() < 0.1).all()


def test_no_picker_is_not_looked_for(monkeypatch, caplog):
    """Neither in the cache nor over the network, and it is no warning."""
    monkeypatch.setattr("cgmgm_seis.evaluation.generator_picks.load_picker", None)
    found = GeneratorPicks("none", Window(), progress=False)
    assert found.missing == {"picks": "not asked for"} and found.picker is None
    assert not caplog.text


def test_without_a_picker_the_rest_is_measured(catalogue, records, caplog):
    found = evaluate(catalogue, {"parrot": Parrot(records)}, QUICK)
    assert "No picks: PhaseNet weights '/nowhere/picker' are not available" in caplog.text
    assert "picks" not in found.tables
    assert found.metrics["generators"]["parrot"]["picks"] is None
    assert len(found.tables["measures"])
    assert (
        "PhaseNet weights '/nowhere/picker' are not available"
        in found.metrics["not_available"]["picks"]
    )
    assert "Not available: picks" in str(found)
