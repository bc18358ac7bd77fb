"""Records worth looking at: the right ones are chosen, envelopes have known levels."""

import numpy as np
import pandas as pd
import pytest

from cgmgm_seis.evaluation.highlights import (
    ENVELOPE_BANDS,
    N_DISTANCES,
    SECTION_RECORDS,
    distance_thirds,
    envelopes,
    ranked,
    section_rows,
)


def test_ranks_are_of_the_spectrum_alone():
    recorded = np.zeros((5, 3))
    generated = np.array([[3.0, 3, 0], [0.1, -0.1, 9], [1, -1, 0], [2, 0, 0], [0.5, 0.4, 0]])
    found = ranked(recorded, generated, np.array([0, 1]))
    assert found == {"best": 1, "median": 2, "worst": 0}


def test_a_section_is_one_event_by_distance():
    rng = np.random.default_rng(0)
    scenario = pd.DataFrame(
        {
            "source_id": ["few"] * 3 + ["many"] * 60,
            "station_network_code": "NC",
            "station_code": [f"S{k}" for k in range(62)] + ["S61"],
            "path_hyp_distance_km": rng.uniform(1.0, 90.0, 63),
        }
    )
    rows = section_rows(scenario)
    chosen = scenario.loc[rows]
    assert len(rows) == SECTION_RECORDS
    assert set(chosen["source_id"]) == {"many"}
    assert chosen["path_hyp_distance_km"].is_monotonic_increasing
    assert chosen["station_code"].is_unique
    assert section_rows(scenario[:1]) == [0]


def test_thirds_have_as_many_records():
    scenario = pd.DataFrame({"path_hyp_distance_km": np.random.default_rng(0).random(90)})
    groups, edges = distance_thirds(scenario)
    assert np.bincount(groups).tolist() == [30, 30, 30]
    assert (np.diff(edges) > 0).all()


def test_envelopes_are_the_rms_of_their_band_and_time():
    time = np.arange(6000) / 100.0
    tone = np.sin(2.0 * np.pi * 3.0 * time) * ((time >= 20.0) & (time < 40.0))
    records = np.stack([tone, 0.0 * tone, 0.0 * tone])[None].repeat(70, axis=0)
    spans = np.tile([0, 6000], (70, 1))
    found = envelopes(records.astype(np.float32), spans, 100.0, np.zeros(70, int))
    assert found.shape == (N_DISTANCES, len(ENVELOPE_BANDS), 120)
    # rms of a sine on one of three components
    expected = np.sqrt(0.5 / 3.0)
    assert np.exp(found[0, 1, 44:76]) == pytest.approx(expected, rel=0.05)
    assert np.exp(found[0, 3, 44:76]).max() < 0.02 * expected
    assert np.exp(found[0, 1, 100]) < 0.02 * expected
    assert np.isnan(found[1:]).all()


def test_a_mean_envelope_is_geometric():
    noise = np.random.default_rng(0).standard_normal((1, 2, 3000)).astype(np.float32)
    both = np.concatenate([noise, 9.0 * noise])
    spans = np.array([[0, 3000], [0, 2000]])
    apart = envelopes(both, spans, 100.0, np.array([0, 1]))
    together = envelopes(both, spans, 100.0, np.array([0, 0]))
    # The second record ends after 20 s, and its last 1.5 s are not used.
    np.testing.assert_allclose((apart[1] - apart[0])[:, :37], np.log(9.0), atol=1e-5)
    np.testing.assert_allclose((together[0] - apart[0])[:, :37], np.log(3.0), atol=1e-5)
    assert np.isnan(apart[1][:, 37:]).all()
    np.testing.assert_array_equal(together[0][:, 37:], apart[0][:, 37:])
