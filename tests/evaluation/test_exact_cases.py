"""Exact cases: the records themselves, and times a factor."""

from dataclasses import replace

import numpy as np
import pytest
from parrot import QUICK, RESIDUALS, Parrot, rows

from cgmgm_seis.evaluation import evaluate
from cgmgm_seis.evaluation.measures import ln_measures, series
from cgmgm_seis.evaluation.pick_tables import RECORDED
from cgmgm_seis.evaluation.tables import SIMULATOR

pytestmark = pytest.mark.usefixtures("one_thread", "quick")


def test_the_records_themselves_leave_nothing(catalogue, records, stub_picker):
    config = replace(QUICK, n_classifiers=1)
    found = evaluate(catalogue, {"parrot": Parrot(records)}, config)
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
    found = evaluate(catalogue, {"loud": Parrot(records, factor=np.exp(0.3))}, QUICK)
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
    found = evaluate(catalogue, models, QUICK)
    assert list(found.tables["measures"]["generator"].unique()) == ["a", "b", SIMULATOR]
    bias = rows(found, "b").loc[("N", "PGV"), "bias"]
    assert bias == pytest.approx(np.log(2.0))
    numbers = found.metrics["generators"]["b"]
    assert numbers["measures"]["N"]["PGV"]["bias"] == bias
    assert sum(numbers["pit"]["N"]["PGV"].values()) == pytest.approx(1.0)
    # The lowest of four ranks.
    assert sum(list(numbers["pit"]["N"]["PGV"].values())[:3]) == pytest.approx(1.0)
    per_record = found.tables["records"].query("generator == 'b' and measure == 'PGV'")
    assert len(per_record) == 3 * found.metrics["dataset"]["records"]
    np.testing.assert_allclose(per_record["ln_median"] - per_record["ln_recorded"], np.log(2.0))


def test_records_keep_their_names(catalogue, records):
    waveforms, scenario = records
    table = evaluate(catalogue, {"a": Parrot(records)}, QUICK).tables["records"]
    last = table[table["generator"] == "a"].iloc[-1]
    assert last["source_id"] == scenario["source_id"].iloc[-1]
    assert last["station_code"] == scenario["station_code"].iloc[-1]
    place = series("ZNE", 100.0).get_loc((last["component"], last["measure"]))
    expected = ln_measures(waveforms[-1:], "ZNE", 100.0)[0, place]
    assert last["ln_recorded"] == pytest.approx(expected)
    assert last["source_magnitude"] == scenario["source_magnitude"].iloc[-1]
