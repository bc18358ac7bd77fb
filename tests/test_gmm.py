import numpy as np
import pytest

from cgmgm_seis.errors import RangeError
from cgmgm_seis.gmm import ErgodicFAS


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
