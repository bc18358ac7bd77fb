"""Source terms: kriging against scikit-learn, a random field where nothing was recorded."""

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel

from cgmgm_seis.scenario.geography import local_km
from cgmgm_seis.simulator import sources
from cgmgm_seis.simulator.sites import CENTRE

FREQUENCIES = (1.0, 4.0)


@pytest.fixture(scope="module")
def some():
    """Terms of 12 earthquakes within 40 km."""
    random = np.random.default_rng(0)
    places = np.array(CENTRE) + random.uniform(-0.2, 0.2, (12, 2))
    return places, random.normal(0.0, 0.4, (12, 2))


def test_terms_are_kriged_and_the_field_is_not_seen_at_recorded_earthquakes(some):
    places, terms = some
    kernel = ConstantKernel(sources.SOURCE_SIGMA**2) * RBF(sources.SOURCE_KM)
    oracle = GaussianProcessRegressor(kernel, alpha=sources.EVENT_SIGMA**2, optimizer=None)
    points = local_km(*places.T, CENTRE)
    expected = oracle.fit(points, terms).predict(points)
    found = sources.SourceTerms(*places.T, FREQUENCIES, terms)(*places.T, FREQUENCIES)
    # Besides the kriged terms, what the nugget leaves of the field.
    assert np.std(found - expected) < 0.5 * np.sqrt(sources.NUGGET) * sources.SOURCE_SIGMA * 2.0


def test_far_from_recorded_earthquakes_the_field_is_left(some):
    places, terms = some
    known = sources.SourceTerms(*places.T, FREQUENCIES, terms)
    random = np.random.default_rng(1)
    far = np.array([40.0, -124.0]) + random.uniform(-1.0, 1.0, (300, 2))
    found = known(*far.T, FREQUENCIES)
    others = sources.SourceTerms(*places.T, FREQUENCIES, 0.0 * terms)(*far.T, FREQUENCIES)
    np.testing.assert_allclose(found, others, atol=1e-6)
    # 300 places over 220 km, some 100 of them independent.
    assert found.std() == pytest.approx(sources.SOURCE_SIGMA, rel=0.25)


def test_table_holds_terms_of_the_calibrations_earthquakes():
    table = sources.source_table()
    assert len(table) == 29
    assert table["source_latitude_deg"].between(36.5, 39.0).all()
    values = table.filter(like="ln_").to_numpy()
    assert np.abs(values).max() < 2.0 and 0.2 < values.std() < 0.6
