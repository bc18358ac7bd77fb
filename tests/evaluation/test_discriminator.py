"""The discriminator: blind to copies and to level, sharp for other shapes, fair and repeatable."""

import numpy as np
import pytest
import torch

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.evaluation.classifier import Discriminator
from cgmgm_seis.evaluation.discriminator import (
    Classifiers,
    _p_value,
    discriminative_score,
    half_of_events,
)
from cgmgm_seis.evaluation.draws import measuring_pool

pytestmark = pytest.mark.usefixtures("one_thread")

EVENTS = np.repeat([f"event{i}" for i in range(40)], 8)


@pytest.fixture(autouse=True)
def short_training(monkeypatch):
    """Records of 512 samples need fewer steps than those of a minute."""
    monkeypatch.setattr("cgmgm_seis.evaluation.classifier.STEPS", 100)


def bursts(seed, onset=200, level=1.0):
    """Noise and, from the onset on, a decaying burst; shape (record, component, sample)."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((2, len(EVENTS), 3, 512))
    after = np.arange(512) - onset
    envelope = np.where(after >= 0, np.exp(-after / 100.0), 0.0)
    return (level * (noise[0] * envelope + 0.01 * noise[1])).astype(np.float32)


def test_the_network_is_one_of_one_dimension():
    network, records = Discriminator(3).eval(), torch.from_numpy(bursts(0)[:8])
    hidden = torch.cat([records, records.abs()], dim=1)
    for layer in network.layers:
        if isinstance(layer, torch.nn.Conv2d):
            hidden = torch.nn.functional.conv1d(
                hidden, layer.weight.squeeze(2), stride=4, padding=4
            )
        else:
            hidden = layer(hidden)
    pooled = torch.cat([hidden.mean(dim=2), hidden.amax(dim=2)], dim=1)
    torch.testing.assert_close(network(records), network.output(pooled).squeeze(1))


def test_copies_cannot_be_told():
    records = bursts(0)
    score = discriminative_score(records, records.copy(), EVENTS, n_seeds=2)
    assert score.accuracies == (0.5, 0.5)
    assert score.p_value == 1.0
    assert (score.mean, score.spread) == (0.0, 0.0)


def test_level_alone_cannot_be_told():
    records = bursts(0)
    # A power of two leaves every digit as it was.
    score = discriminative_score(records, 64.0 * records, EVENTS, n_seeds=1)
    assert score.accuracies == (0.5,)


def test_draws_of_one_law_cannot_be_told():
    score = discriminative_score(bursts(0), bursts(1), EVENTS)
    assert len(score.accuracies) == 5
    assert score.chance == pytest.approx(0.4 / np.sqrt(2 * 160), rel=0.02)
    assert score.mean < 3.0 * score.chance
    assert score.p_value > 0.05


@pytest.mark.parametrize("change", ["late", "backwards", "silent before"])
def test_other_shapes_are_told(change):
    generated = {
        "late": bursts(1, onset=260),
        "backwards": bursts(1)[..., ::-1].copy(),
        "silent before": np.where(np.arange(512) < 200, np.float32(1e-6), bursts(1)),
    }[change]
    score = discriminative_score(bursts(0), generated, EVENTS, n_seeds=2)
    assert score.mean > 0.45
    assert score.p_value < 0.001


def test_the_p_value_is_uniform_for_guesses_that_agree_within_events():
    rng = np.random.default_rng(0)
    events = np.repeat([f"e{i}" for i in range(25)], 6)
    # All records of an event are right or wrong together.
    guesses = (rng.random((200, 25)) < 0.5).repeat(6, axis=1).astype(float)
    p_values = [_p_value(right, events, 0, number) for number, right in enumerate(guesses)]
    # 25 coins have 26 outcomes, so the p-values come in steps; each is at least the level.
    assert np.mean(np.array(p_values) <= 0.1) == pytest.approx(0.08, abs=0.06)
    assert np.mean(np.array(p_values) <= 0.5) == pytest.approx(0.5, abs=0.12)


def test_the_p_value_of_always_right_is_the_share_of_one_exchange():
    events = np.repeat([f"e{i}" for i in range(6)], 4)
    p_value = _p_value(np.ones(len(events)), events, 0, 0)
    assert p_value == pytest.approx(1.0 / 2**6, rel=0.3)


def test_a_seed_repeats_and_leaves_torch_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    scores = [
        discriminative_score(bursts(0), bursts(1), EVENTS, seed, n_seeds=1) for seed in (1, 1, 2)
    ]
    assert scores[0] == scores[1]
    assert scores[0] != scores[2]
    assert torch.equal(torch.random.get_rng_state(), before)


def test_processes_find_the_same(tmp_path, monkeypatch):
    monkeypatch.undo()  # processes have the true number of steps
    few = bursts(0)[:80], bursts(1, onset=210)[:80], EVENTS[:80]
    with measuring_pool(1, workers=2) as pool:
        beside = Classifiers(tmp_path / "waveforms", *few, pool, 3, 2).score()
    assert beside == discriminative_score(*few, 3, 2)
    assert not list(tmp_path.iterdir())


def test_halves_hold_whole_events():
    rng = np.random.default_rng(0)
    events = np.repeat([f"e{i}" for i in range(30)], rng.integers(1, 20, 30))
    halves = [half_of_events(events, 0, number) for number in range(5)]
    for half in halves:
        assert not set(events[half]) & set(events[~half])
        assert half.mean() == pytest.approx(0.5, abs=0.07)
    assert any((half != halves[0]).any() for half in halves)


@pytest.mark.parametrize("sizes", [(1, 1), (1, 50), (50, 1)])
def test_both_halves_have_an_event(sizes):
    events = np.repeat(["a", "b"], sizes)
    for number in range(4):
        assert len(set(events[half_of_events(events, 0, number)])) == 1


def test_one_event_has_no_halves():
    with pytest.raises(CgmgmError, match=r"1 event\(s\) cannot be split"):
        discriminative_score(bursts(0), bursts(1), np.full(len(EVENTS), "only"))
