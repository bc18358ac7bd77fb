import numpy as np
import pytest
from scipy import stats

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.evaluation.config import EvaluationConfig
from cgmgm_seis.scenario.seeding import (
    check_seed,
    drawn_seed,
    random_generator,
    record_keys,
)
from cgmgm_seis.scenario.table import from_points
from cgmgm_seis.simulator.catalogue import simulate_catalogue
from cgmgm_seis.training.config import TrainingConfig
from cgmgm_seis.tuning.objective import Study


def test_a_key_gives_its_numbers_again_and_only_its_own():
    first = random_generator(1, 37.9, -122.0, 0).standard_normal(8)
    np.testing.assert_array_equal(first, random_generator(1, 37.9, -122.0, 0).standard_normal(8))
    for other in ((2, 37.9, -122.0, 0), (1, 37.9, -122.0, 1), (1, 37.90000001, -122.0, 0)):
        assert not np.array_equal(first, random_generator(*other).standard_normal(8))


def test_draws_over_neighbouring_keys_are_independent_normals():
    draws = np.array([random_generator(7, key).standard_normal(4) for key in range(2000)])
    assert stats.kstest(draws.ravel(), "norm").pvalue > 0.01
    assert np.abs(np.corrcoef(draws.T) - np.eye(4)).max() < 0.08
    assert abs(np.corrcoef(draws[:-1, 0], draws[1:, 0])[0, 1]) < 0.08


def test_keys_follow_the_rows_content_not_its_place():
    table = from_points(4.0, (37.9, -122.1))
    keys = record_keys(table)
    shuffled = table.sample(frac=1, random_state=0)
    assert record_keys(shuffled) == [keys[i] for i in shuffled.index]
    assert len(set(keys)) == len(table)


@pytest.mark.parametrize("wrong", [-1, 1.5, "1", None])
def test_seeds_are_integers_from_0(wrong):
    message = r"seed = .* must be an integer of at least 0"
    for use in (
        check_seed,
        lambda seed: TrainingConfig(seed=seed),
        lambda seed: EvaluationConfig(seed=seed),
        lambda seed: Study("data", seed=seed),
        lambda seed: simulate_catalogue(1, seed),
    ):
        with pytest.raises(CgmgmError, match=message):
            use(wrong)


def test_all_integers_of_a_value_are_one_seed():
    assert {repr(check_seed(seed)) for seed in (3, np.int64(3), np.uint8(3))} == {"3"}


def test_none_is_a_new_seed_every_time():
    assert len({drawn_seed(None) for _ in range(20)}) > 15
    assert drawn_seed(7) == 7


def test_a_place_has_one_key_however_it_is_written():
    def key(latitude, longitude):
        return record_keys(from_points(4.0, (latitude, longitude), [(latitude, longitude)]))

    assert repr(key(-0.0, 180.0)) == repr(key(0.0, -180.0))
    # Latitudes and other longitudes keep their sign.
    assert key(0.0, 179.0) != key(0.0, -179.0)
    table = from_points(4.0, (37.9, -122.1))
    columns = ["source_latitude_deg", "source_longitude_deg", "source_depth_km"]
    assert record_keys(table)[0][:3] == tuple(table[columns].iloc[0])
