import numpy as np
import torch
from scipy import stats

from cgmgm_seis.models.evolutionary.gaussian import coefficients
from cgmgm_seis.scenario.seeding import fill_uniform, random_generator


def test_coefficients_are_independent_normals():
    """Against scipy's normal and chi-square distributions, 200,000 numbers; tails included."""
    numbers = torch.empty(1, 2, 200_000)
    fill_uniform(random_generator(3), numbers.numpy().ravel())
    z = coefficients(numbers, torch.full((1, 200_000), 2.0))[0].numpy()
    assert z.dtype == np.complex64 and np.isfinite(z).all()
    for part in (z.real, z.imag):
        assert stats.kstest(part, "norm").pvalue > 0.01
    assert stats.kstest(np.abs(z) ** 2, "chi2", (2,)).pvalue > 0.01
    assert abs(np.corrcoef(z.real, z.imag)[0, 1]) < 0.01
    assert abs(np.corrcoef(z.real**2, z.imag**2)[0, 1]) < 0.01
    beyond = (np.abs(z) ** 2 > 2.0 * np.log(1e4)).sum()
    assert stats.poisson(20).cdf(beyond) > 0.001 and stats.poisson(20).sf(beyond) > 0.001


def test_a_coefficient_is_the_box_muller_transform():
    """Written out, in double precision; a number that is 0 is finite."""
    size, phase = np.array([0.5, -0.5, 1.0, 0.0]), np.array([0.0, 0.5, 1.0, -0.25])
    power = np.array([1.0, 4.0, 1.0, 1.0])
    numbers = torch.as_tensor(np.stack([size, phase])[None])
    found = coefficients(numbers, torch.as_tensor(power[None]))[0].numpy()
    wanted = np.sqrt(-power * np.log(np.maximum(np.abs(size), 2.0**-32)))
    np.testing.assert_allclose(found, wanted * np.exp(1j * np.pi * phase), rtol=1e-12, atol=1e-12)
