"""Terms of stations: their own at the stations, kriged between them, none far away."""

import numpy as np
import pytest
import torch

from cgmgm_seis.models.evolutionary.station_terms import OWN_SHARE, StationTerms


@pytest.fixture
def terms():
    torch.manual_seed(0)
    places = torch.as_tensor(np.random.default_rng(1).uniform(-20.0, 20.0, (60, 2)))
    terms = StationTerms(0, 4, 3.0)
    terms.set_places(places)
    torch.nn.init.normal_(terms.values)
    return terms


def test_stations_have_their_own_terms_and_the_prior_is_that_of_the_field(terms):
    """Normal values give the covariance k at the stations, over many draws."""
    terms.values = torch.nn.Parameter(torch.randn(60, 20000))
    drawn = terms(terms.places).detach()
    assert torch.allclose(torch.cov(drawn), terms.covariance(terms.places), atol=0.05)


def test_it_is_kriging_between_stations(terms):
    """Against scikit-learn's Gaussian process with the values at the stations."""
    kernels = pytest.importorskip("sklearn.gaussian_process.kernels")
    regressor = pytest.importorskip("sklearn.gaussian_process").GaussianProcessRegressor
    kernel = (1.0 - OWN_SHARE) * kernels.Matern(3.0, nu=0.5)
    process = regressor(kernel, alpha=OWN_SHARE + 1e-4, optimizer=None)
    stations = terms.places.double().numpy()
    process.fit(stations, terms(terms.places).detach().double().numpy())
    between = np.random.default_rng(2).uniform(-20.0, 20.0, (30, 2))
    found = terms(torch.as_tensor(between, dtype=torch.float32)).detach().numpy()
    assert found == pytest.approx(process.predict(between), abs=2e-3)


def test_far_away_there_are_none(terms):
    far = terms(torch.tensor([[100.0, 0.0]]))
    assert far.abs().max() < 1e-6


def test_two_instruments_at_one_place_share_a_term():
    terms = StationTerms(0, 1, 3.0)
    terms.set_places(torch.tensor([[0.0, 0.0], [0.0, 1e-4], [5.0, 0.0]]))
    torch.nn.init.ones_(terms.values)
    first, second, _ = terms(terms.places).flatten().tolist()
    assert first == pytest.approx(second, abs=0.05)


def test_loaded_it_is_the_same(terms):
    again = StationTerms(60, 4, 3.0)
    again.load_state_dict(terms.state_dict())
    places = torch.tensor([[1.0, 2.0], [-3.0, 4.0]])
    assert torch.equal(again(places), terms(places))
