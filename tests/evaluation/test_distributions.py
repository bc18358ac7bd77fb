"""CRPS, Frechet distance and projections against analytic cases, scipy and scikit-learn."""

import builtins

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.stats import kstest, norm
from sklearn.decomposition import PCA

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.evaluation.distributions import (
    BAND_EDGES,
    N_WINDOWS,
    crps,
    frechet_distance,
    frechet_test,
    log_spectrogram,
    principal_components,
    t_sne,
)

RNG = np.random.default_rng


def test_crps_is_that_of_the_normal_distribution():
    y = np.linspace(-3.0, 3.0, 13)
    generated = RNG(0).standard_normal((13, 20_000))
    # Gneiting & Raftery (2007), the equation after (21), for the standard normal.
    expected = y * (2.0 * norm.cdf(y) - 1.0) + 2.0 * norm.pdf(y) - 1.0 / np.sqrt(np.pi)
    # Standard error of the mean distance: 1 / sqrt(20,000) = 0.007.
    np.testing.assert_allclose(crps(y, generated), expected, atol=0.025)


def test_crps_counts_every_pair_once():
    y, x = RNG(0).standard_normal((5, 2)), RNG(1).standard_normal((5, 7, 2))
    between = np.abs(x[:, :, None] - x[:, None]).sum(axis=(1, 2)) / (7 * 6)
    expected = np.abs(x - y[:, None]).mean(axis=1) - 0.5 * between
    np.testing.assert_allclose(crps(y, x), expected, rtol=1e-12)


def test_crps_is_fair_to_few_realizations():
    y, x = RNG(0).standard_normal(40_000), RNG(1).standard_normal((40_000, 3))
    assert crps(y, x).mean() == pytest.approx(1.0 / np.sqrt(np.pi), abs=0.01)


def test_crps_without_scatter_is_the_error():
    np.testing.assert_allclose(crps([1.0, 2.0], np.full((2, 5), 1.5)), [0.5, 0.5])


@pytest.mark.parametrize("n_records", [60, 8])
def test_frechet_distance_agrees_with_scipy(n_records):
    first = RNG(0).standard_normal((n_records, 12)) @ RNG(2).standard_normal((12, 12))
    second = 0.5 + RNG(1).standard_normal((n_records + 5, 12))
    covariances = np.cov(first.T), np.cov(second.T)
    root = sqrtm(covariances[0] @ covariances[1]).real
    squared = np.sum((first.mean(0) - second.mean(0)) ** 2)
    squared += np.trace(covariances[0] + covariances[1] - 2.0 * root)
    assert frechet_distance(first, second) == pytest.approx(np.sqrt(squared / 12), rel=1e-4)


def test_frechet_distance_of_known_sets():
    features = RNG(0).standard_normal((50, 6))
    assert frechet_distance(features, features) == pytest.approx(0.0, abs=1e-6)
    assert frechet_distance(features, features - 0.4) == pytest.approx(0.4)
    spread = features - features.mean(axis=0)
    expected = np.sqrt(spread.var(axis=0, ddof=1).mean())  # of sigma and 2 sigma
    assert frechet_distance(spread, 2.0 * spread) == pytest.approx(expected)


def test_one_record_has_no_frechet_distance():
    with pytest.raises(CgmgmError, match=r"1 record\(s\) are too few"):
        frechet_distance(np.zeros((1, 3)), np.zeros((5, 3)))


def sets_of_one_law(seed, n_events=20, per_event=5):
    """Two sets of features with common event terms, and the events."""
    rng = RNG(seed)
    events = np.repeat(np.arange(n_events), per_event)
    terms = rng.standard_normal((2, n_events, 3))[:, events]
    return *(terms + rng.standard_normal((2, len(events), 3))), events


def test_the_frechet_test_is_fair_to_dependent_records():
    p_values = [frechet_test(*sets_of_one_law(seed), seed)[1] for seed in range(60)]
    assert kstest(p_values, "uniform").pvalue > 0.01


def test_the_frechet_test_finds_a_difference():
    first, second, events = sets_of_one_law(0)
    chance, p_value = frechet_test(first, second + 1.5, events)
    assert p_value == pytest.approx(0.01)
    assert chance < 0.7 * frechet_distance(first, second + 1.5)


def a_tone(frequency, start, end, amplitude=1.0):
    time = np.arange(6000) / 100.0
    inside = (time >= start) & (time < end)
    tone = amplitude * np.sin(2.0 * np.pi * frequency * time) * inside
    return (tone + 1e-4 * RNG(0).standard_normal(6000)).astype(np.float32)


def test_cells_are_at_their_time_and_frequency():
    record = np.stack([a_tone(3.0, 15.0, 22.5), a_tone(12.0, 45.0, 52.5)])[None]
    cells = log_spectrogram(record, 100.0).reshape(2, N_WINDOWS, len(BAND_EDGES) - 1)
    # 7.5 s windows: the third and the seventh; 2 to 4 Hz and 8 to 16 Hz.
    assert np.unravel_index(cells[0].argmax(), cells[0].shape) == (2, 2)
    assert np.unravel_index(cells[1].argmax(), cells[1].shape) == (6, 4)


def test_a_factor_shifts_every_cell_by_its_logarithm():
    records = RNG(0).standard_normal((70, 2, 3000)).astype(np.float32)
    shift = log_spectrogram(4.0 * records, 100.0) - log_spectrogram(records, 100.0)
    np.testing.assert_allclose(shift, np.log(4.0), atol=1e-6)


def test_silent_cells_are_finite():
    record = np.zeros((1, 1, 6000), np.float32)
    record[..., :100] = RNG(0).standard_normal(100)
    assert np.isfinite(log_spectrogram(record, 100.0)).all()


def test_principal_components_agree_with_scikit_learn():
    first, second = RNG(0).standard_normal((40, 5)) * [5, 3, 1, 1, 1], RNG(1).random((9, 5))
    (own, other), shares = principal_components(first, second)
    pca = PCA(2).fit(first)
    np.testing.assert_allclose(shares, pca.explained_variance_ratio_, rtol=1e-9)
    for points, features in ((own, first), (other, second)):
        np.testing.assert_allclose(
            np.abs(points), np.abs(pca.transform(features)) / np.sqrt(5.0), atol=1e-9
        )


def test_t_sne_keeps_groups_apart_and_repeats():
    first, second = RNG(0).random((15, 4)), 50.0 + RNG(1).random((12, 4))
    points = t_sne(first, second, seed=1)
    assert [len(own) for own in points] == [15, 12]
    distance = np.linalg.norm(points[0].mean(axis=0) - points[1].mean(axis=0))
    assert distance > 2.0 * max(own.std() for own in (points[0] - points[0].mean(axis=0),))
    np.testing.assert_array_equal(t_sne(first, second, seed=1)[0], points[0])


def test_t_sne_says_what_it_needs(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(CgmgmError, match="t-SNE needs scikit-learn"):
        t_sne(np.zeros((4, 2)))
