"""Valid spans: columns to samples, and records cut to them."""

import numpy as np
import pandas as pd

from cgmgm_seis.scenario.spans import VALID_END, VALID_START, cut_to_spans, partial, valid_spans


def test_spans_are_whole_samples_within_the_window():
    table = pd.DataFrame({VALID_START: [-30.0, 10.2, np.nan], VALID_END: [90.9, "700", None]})
    spans = valid_spans(table, 600)
    assert spans.tolist() == [[0, 90], [11, 600], [0, 600]]
    assert partial(spans, 600).tolist() == [True, True, False]
    assert valid_spans(table[[]], 600).tolist() == [[0, 600]] * 3


def test_cut_records_end_without_a_step():
    records = np.random.default_rng(0).standard_normal((3, 2, 4, 1000)).astype(np.float32)
    spans = np.array([[0, 1000], [200, 1000], [0, 700]])
    cut = cut_to_spans(records, spans, 50.0)
    np.testing.assert_array_equal(cut[0], records[0])
    np.testing.assert_array_equal(cut[1, ..., 250:], records[1, ..., 250:])
    np.testing.assert_array_equal(cut[2, ..., :650], records[2, ..., :650])
    assert not cut[1, ..., :200].any() and not cut[2, ..., 700:].any()
    # A raised cosine of 1 s at the end of the span, and none at the end of the window.
    np.testing.assert_allclose(cut[2, ..., 674], records[2, ..., 674] * 0.5157, rtol=1e-3)
    assert cut_to_spans(records, spans[:1].repeat(3, axis=0), 50.0) is records
