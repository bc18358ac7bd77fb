"""Measures of an evaluation: each the one of `intensity` or `response` that its name says."""

import numpy as np
import pytest

from cgmgm_seis.evaluation.measures import (
    FREQUENCIES,
    PERIODS,
    SPECTRUM,
    ln_measures,
    main_series,
    main_spectrum,
    series,
    spectral_columns,
)
from cgmgm_seis.measures import intensity
from cgmgm_seis.measures import response_spectra as response

RATE = 100.0


@pytest.fixture(scope="module")
def records():
    """Shape (record, realization, component, sample)."""
    noise = np.random.default_rng(0).standard_normal((2, 3, 3, 2000))
    return (noise * np.exp(-np.arange(2000) / 300.0)).astype(np.float32)


def test_every_series_is_what_its_name_says(records):
    names = series("ZNE", RATE)
    values = np.exp(ln_measures(records, "ZNE", RATE))
    assert values.shape == (2, 3, len(names))
    z, both = records[..., 0, :], records[..., 1:, :]
    expected = {
        ("Z", "FAS 5 Hz"): intensity.smoothed_fas(z, RATE, [5.0])[..., 0],
        ("E", "FAS 0.5 Hz"): intensity.smoothed_fas(records[..., 2, :], RATE, [0.5])[..., 0],
        ("Z", "PGA"): intensity.pga(z, RATE),
        ("N", "PGV"): intensity.pgv(records[..., 1, :]),
        ("Z", "Arias"): intensity.arias_intensity(z, RATE),
        ("Z", "CAV"): intensity.cav(z, RATE),
        ("Z", "D5-75"): intensity.significant_duration(z, RATE, high=0.75),
        ("Z", "D5-95"): intensity.significant_duration(z, RATE),
        ("H", "EAS 10 Hz"): intensity.eas(both, RATE, [10.0])[..., 0],
        ("H", "RotD50 PGA"): response.rotd50(intensity.acceleration(both, RATE)),
        ("H", "RotD50 PGV"): response.rotd50(both),
        ("H", "RotD50 PSA 0.2 s"): response.rotd50_psa(both, RATE, [0.2])[..., 0],
    }
    for name, wanted in expected.items():
        np.testing.assert_allclose(values[..., names.get_loc(name)], wanted, rtol=1e-6)


def test_all_that_was_asked_for_is_there():
    names = series("ZNE", RATE)
    for component in "ZNE":
        frequencies, _ = spectral_columns(names, component, "FAS")
        np.testing.assert_array_equal(frequencies, SPECTRUM)
    assert (min(SPECTRUM), max(SPECTRUM)) == (0.5, 25.0)
    assert set(FREQUENCIES) <= set(SPECTRUM)
    assert [("H", f"RotD50 PSA {t:g} s") in names for t in PERIODS] == [True] * len(PERIODS)
    assert (min(PERIODS), max(PERIODS)) == (0.05, 2.0)
    assert main_spectrum(names) == ("H", "EAS")


def test_one_component_has_no_horizontal_pair(records):
    names = series("E", RATE)
    values = ln_measures(records[..., :1, :], "E", RATE)
    assert values.shape[-1] == len(names)
    assert set(names.get_level_values("component")) == {"E"}
    assert main_spectrum(names) == ("E", "FAS")


def test_a_low_rate_leaves_out_what_it_does_not_resolve(records):
    names = series("ZNE", 40.0)
    assert ln_measures(records, "ZNE", 40.0).shape[-1] == len(names)
    measures = names.get_level_values("measure")
    assert "RotD50 PSA 0.1 s" not in measures
    assert "RotD50 PSA 0.2 s" in measures
    assert max(spectral_columns(names, "Z", "FAS")[0]) <= 20.0


def test_a_spike_has_a_duration_and_silence_has_none():
    spike = np.zeros((1, 1, 1000), np.float32)
    spike[..., 500] = 1.0
    place = series("Z", RATE).get_loc(("Z", "D5-75"))
    assert np.isfinite(ln_measures(spike, "Z", RATE)[0, place])
    assert np.isneginf(ln_measures(0.0 * spike, "Z", RATE)[0, 0])


def test_main_series_are_few():
    names = series("ZNE", RATE)
    assert 20 <= len(main_series(names)) <= 30
    assert ("N", "FAS 15 Hz") in main_series(names)
    assert ("N", "FAS 0.5 Hz") not in main_series(names)
