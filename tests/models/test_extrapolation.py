"""Magnitudes outside the trained range: how far they may be, and what their peaks are."""

import sys

import numpy as np
import pytest

from cgmgm_seis.errors import RangeError
from cgmgm_seis.gmm.pygmm_models import NGAWest2
from cgmgm_seis.measures.intensity import acceleration
from cgmgm_seis.measures.response_spectra import rotd50
from cgmgm_seis.models.conditions import ExtrapolationWarning, check_ranges
from cgmgm_seis.models.extrapolation import COMPARED_RECORDS, PeakComparison
from cgmgm_seis.scenario.table import from_points
from cgmgm_seis.scenario.window import Window

RANGES = {"source_magnitude": [1.0, 5.0]}
WINDOW = Window("ZNE", 100.0, 0.0, 600)


def scenario(magnitude, number=3):
    return from_points(
        magnitude, (37.9, -122.1), [(37.9 - 0.02 * k, -122.1) for k in range(1, number + 1)]
    )


@pytest.mark.parametrize(
    ("magnitude", "extrapolate", "needed"),
    [
        (5.5, False, "--extrapolate (extrapolate=True) allows it"),
        (5.5, True, None),
        (0.5, True, None),
        (5.6, True, "--extrapolate-magnitude 0.6 (extrapolate=0.6)"),
        (5.6, False, "--extrapolate-magnitude 0.6"),
        (0.2, True, "--extrapolate-magnitude 0.8"),
        (7.0, 2.0, None),
        (7.0, 2, None),
        (7.01, 2, "--extrapolate-magnitude 2.1"),
        (9.0, np.inf, None),
        (5.3, 0.2, "1 to 5, by more than 0.2; --extrapolate-magnitude 0.3"),
        (np.nan, False, "source_magnitude = nan"),
    ],
)
def test_how_far_a_magnitude_may_be_outside(magnitude, extrapolate, needed):
    table = scenario(4.0).assign(source_magnitude=magnitude)
    if needed is None:
        with pytest.warns(ExtrapolationWarning, match="is outside the trained range 1 to 5 "):
            check_ranges(table, RANGES, extrapolate)
    else:
        with pytest.raises(RangeError) as caught:
            check_ranges(table, RANGES, extrapolate)
        assert needed in str(caught.value)


def test_a_limit_is_a_number_from_0():
    for wrong in (-1.0, np.nan):
        with pytest.raises(RangeError, match=r"extrapolate = .* must be True, False or at least 0"):
            check_ranges(scenario(4.0), RANGES, wrong)


def test_other_columns_have_no_limit():
    with pytest.warns(ExtrapolationWarning, match="source_depth_km = 8"):
        check_ranges(scenario(4.0), RANGES | {"source_depth_km": [0.0, 1.0]}, True)


def compared(records, table, window=WINDOW, limits=(1.0, 5.0)):
    """Return the sentence about records that are given in two parts."""
    comparison = PeakComparison(table, window, limits)
    for first, last in ((0, 2), (2, len(records))):
        comparison.add(first, records[first:last])
    return comparison.text()


def test_the_factor_is_that_of_the_peaks():
    pytest.importorskip("pygmm")
    table = scenario(6.0)
    expected = np.exp(NGAWest2("BSSA14").predict(table).mean[:, 0])
    records = np.random.default_rng(0).normal(size=(3, 1, 3, 600))
    peaks = rotd50(acceleration(records[:, 0, 1:], 100.0))
    factors = np.array([2.0, 8.0, 4.0])
    records *= (factors * expected / peaks)[:, None, None, None]
    text = compared(records, table)
    assert text.startswith("The PGA generated for M 6 is 4 times that of BSSA14 (2 to 8 times at 3")
    assert "2 to 7 km from the epicentre" in text
    text = compared(records, table.assign(source_magnitude=[6.0, 6.0, 5.0]))
    assert "is 5 times" in text and "2 receivers" in text
    text = compared(records[:, :, :1], table, Window("Z", 100.0, 0.0, 600))
    assert "is not compared with BSSA14, which is a model of horizontal motion" in text
    one = Window("N", 100.0, 0.0, 600)
    assert " times that of BSSA14" in compared(records[:, :, 1:2], table, one)
    assert compared(records, scenario(4.0)) == ""


def test_of_many_records_some_at_all_distances_are_compared():
    pytest.importorskip("pygmm")
    table = scenario(6.0, 50)
    records = np.random.default_rng(0).normal(size=(50, 1, 3, 600))
    assert f"at {COMPARED_RECORDS} receivers, 2 to 111 km" in compared(records, table)


def test_models_warn_with_the_factor_or_why_it_is_not_known(tiny_model, monkeypatch):
    table = scenario(6.0)
    with pytest.raises(RangeError, match=r"source_magnitude = 6 .* --extrapolate-magnitude 1 "):
        tiny_model.sample(table, extrapolate=True)
    monkeypatch.setitem(sys.modules, "pygmm", None)
    with pytest.warns(ExtrapolationWarning) as caught:
        tiny_model.generate(table, extrapolate=1.0)
    texts = [str(warning.message) for warning in caught]
    assert texts[0].startswith("source_magnitude = 6 is outside the trained range 1 to 5 (3 of 3")
    assert "not compared with a published model: BSSA14 requires pyGMM" in texts[1]
    # Inside the range nothing is compared.
    assert tiny_model.sample(scenario(4.0), extrapolate=2.0).shape == (3, 1, 3, 6000)
