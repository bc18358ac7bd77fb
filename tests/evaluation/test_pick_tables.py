"""Tables of picks: shares, residuals against onsets and recorded picks, S minus P, bins."""

import numpy as np
import pandas as pd
import pytest

from cgmgm_seis.evaluation.pick_tables import RECORDED, pick_records, picks_by_bin, picks_table

N = 40


@pytest.fixture
def scenario():
    return pd.DataFrame(
        {
            "source_id": np.repeat(["a", "b"], N // 2),
            "station_network_code": "NC",
            "station_code": [f"S{k}" for k in range(N)],
            "source_magnitude": np.repeat([1.2, 3.2], N // 2),
            "path_hyp_distance_km": np.tile([12.0, 35.0], N // 2),
            "trace_p_arrival_sample": 1000.0,
            "trace_s_arrival_sample": [1500.0] * (N - 1) + [np.nan],
        }
    )


@pytest.fixture
def picks():
    def table(p, s):
        return pd.DataFrame(
            {"p_s": p, "s_s": s, "p_probability": 0.9, "s_probability": np.linspace(0, 1, N)}
        )

    recorded = table(np.full(N, 10.1), np.full(N, 15.2))
    generated = table(np.full(N, 10.4), np.full(N, 15.9))
    generated.loc[0, "s_s"] = np.nan
    return {RECORDED: recorded, "model": generated}


def row(table, name, phase):
    return table[(table["generator"] == name) & (table["phase"] == phase)].iloc[0]


def test_residuals_of_p_s_and_their_difference(picks, scenario):
    table = picks_table(pick_records(picks, scenario, 100.0))
    for name, phase, expected in [
        (RECORDED, "P", 0.1),
        (RECORDED, "S", 0.2),
        (RECORDED, "S-P", 0.1),
        ("model", "P", 0.4),
        ("model", "S", 0.9),
        ("model", "S-P", 0.5),
    ]:
        assert row(table, name, phase)["minus_onset_median_s"] == pytest.approx(expected)
        assert row(table, name, phase)["minus_onset_p90_s"] == pytest.approx(expected)
    for phase, expected in (("P", 0.3), ("S", 0.7), ("S-P", 0.4)):
        assert row(table, "model", phase)["minus_recorded_median_s"] == pytest.approx(expected)
    assert row(table, RECORDED, "P")["minus_recorded_n"] == 0


def test_shares_and_probabilities(picks, scenario):
    table = picks_table(pick_records(picks, scenario, 100.0))
    assert row(table, "model", "P")["picked"] == 1.0
    assert row(table, "model", "S")["picked"] == 1.0 - 1.0 / N
    assert row(table, "model", "S-P")["picked"] == 1.0 - 1.0 / N
    assert row(table, "model", "P")["probability"] == 0.9
    assert row(table, "model", "S")["probability"] == pytest.approx(0.5)
    # One S is not picked, another has no known onset.
    assert row(table, "model", "S")["minus_onset_n"] == N - 2
    assert row(table, "model", "S")["minus_recorded_n"] == N - 1


def test_unknown_onsets_leave_the_comparison_with_recorded_picks(picks, scenario):
    del scenario["trace_p_arrival_sample"]
    table = picks_table(pick_records(picks, scenario, 100.0))
    assert row(table, "model", "P")["minus_onset_n"] == 0
    assert np.isnan(row(table, "model", "P")["minus_onset_median_s"])
    assert row(table, "model", "P")["minus_recorded_median_s"] == pytest.approx(0.3)
    assert row(table, "model", "S")["minus_onset_n"] == N - 2


def test_bins_of_distance_and_magnitude(picks, scenario):
    late = scenario["path_hyp_distance_km"] > 30.0
    picks["model"].loc[late, "p_s"] += 1.0
    table = picks_by_bin(pick_records(picks, scenario, 100.0))
    own = table[(table["generator"] == "model") & (table["phase"] == "P")]
    far = own[(own["by"] == "distance") & (own["low"] == 30.0)].iloc[0]
    near = own[(own["by"] == "distance") & (own["low"] == 10.0)].iloc[0]
    assert (far["records"], near["records"]) == (N // 2, N // 2)
    assert far["mean"] == 35.0
    assert far["minus_recorded_median_s"] == pytest.approx(1.3)
    assert near["minus_recorded_median_s"] == pytest.approx(0.3)
    assert own.loc[own["by"] == "magnitude", "low"].tolist() == [1.0, 3.0]


def test_records_without_magnitude_have_no_bins(picks, scenario):
    bare = scenario[["station_code", "trace_p_arrival_sample"]]
    records = pick_records({RECORDED: picks[RECORDED]}, bare, 100.0)
    assert picks_by_bin(records).empty
    assert row(picks_table(records), RECORDED, "P")["minus_onset_median_s"] == pytest.approx(0.1)
