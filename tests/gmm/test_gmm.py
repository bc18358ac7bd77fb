import numpy as np
import pytest

from cgmgm_seis.errors import CgmgmError, RangeError
from cgmgm_seis.gmm.base import ErgodicFAS, ErgodicGMM
from cgmgm_seis.scenario.table import from_points


def test_published_example():
    # M 3 at 10 km: 2.7e-5 m/s s at 2 Hz.
    assert np.exp(ErgodicFAS(2.0).mean(3.0, 10.0, 8.0)) == pytest.approx(2.7e-5, rel=0.03)


@pytest.mark.parametrize(
    ("frequency", "mean", "sigma"),
    [(2.0, -11.5381, 0.72), (5.0, -10.6271, 0.77), (10.0, -11.9256, 0.81), (15.0, -13.7171, 0.87)],
)
def test_hand_computed_values(frequency, mean, sigma):
    model = ErgodicFAS(frequency)
    assert model.mean(3.0, 20.0, 10.0) == pytest.approx(mean, abs=1e-4)
    assert model.sigma == sigma


def test_arguments_broadcast():
    assert ErgodicFAS(5.0).mean([[2.0], [3.0]], [10.0, 20.0, 40.0], 8.0).shape == (2, 3)


def test_other_frequencies_are_refused():
    with pytest.raises(RangeError, match=r"no 3 Hz; it has 2, 5, 10, 15 Hz"):
        ErgodicFAS(3.0)


def some_scenario(magnitude=3.0):
    return from_points(magnitude, (37.9, -122.2), [(37.8, -122.1), (37.5, -122.0)])


def test_all_frequencies_at_once_are_the_single_ones():
    scenario = some_scenario()
    told = ErgodicGMM().fit(scenario, np.empty(0), (10.0, 2.0)).predict(scenario)
    columns = ["source_magnitude", "path_hyp_distance_km", "source_depth_km"]
    for k, frequency in enumerate((10.0, 2.0)):
        expected = ErgodicFAS(frequency).mean(*scenario[columns].to_numpy().T)
        np.testing.assert_allclose(told.mean[:, k], expected)
    np.testing.assert_array_equal(told.sd, [[0.81, 0.72]] * 2)
    assert np.isnan([told.tau, told.phi]).all()


@pytest.mark.parametrize(("magnitude", "outside"), [(0.9, True), (3.0, False), (4.2, True)])
def test_magnitudes_beyond_the_data_are_marked(magnitude, outside):
    scenario = some_scenario(magnitude)
    told = ErgodicGMM().fit(scenario, np.empty(0), (2.0,)).predict(scenario)
    assert told.extrapolated.tolist() == [outside] * 2


def test_a_receiver_on_the_source_has_a_finite_mean():
    scenario = from_points(3.0, (37.9, -122.2), [(37.9, -122.2)], depth_km=0.0)
    assert np.isfinite(ErgodicGMM().fit(scenario, np.empty(0), (2.0,)).predict(scenario).mean).all()


def test_frequencies_are_chosen_before_a_prediction():
    with pytest.raises(CgmgmError, match="no frequencies"):
        ErgodicGMM().predict(some_scenario())
    with pytest.raises(RangeError, match="no 3 Hz"):
        ErgodicGMM().fit(some_scenario(), np.empty(0), (2.0, 3.0))
