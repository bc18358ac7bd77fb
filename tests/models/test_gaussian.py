import numpy as np
import torch
from scipy import stats

from cgmgm_seis.models.evolutionary.gaussian import coefficients, fill
from cgmgm_seis.scenario.seeding import random_generator


def drawn(n, key=3):
    """Numbers and phases of a key."""
    numbers, phases = np.empty(n, np.float32), np.empty(n, np.complex64)
    fill(random_generator(key).bit_generator.random_raw(3), numbers, phases)
    return numbers, phases


def test_numbers_are_the_same_for_a_key_and_uniform():
    """Against scipy's uniform distribution, 199,999 numbers."""
    numbers, phases = drawn(199_999)
    drawings = zip((numbers, phases), drawn(199_999), drawn(199_999, 4), strict=True)
    for found, again, other in drawings:
        np.testing.assert_array_equal(found, again)
        assert abs(np.corrcoef(found, other)[0, 1]) < 0.01
        assert abs(np.corrcoef(found[:-1], found[1:])[0, 1]) < 0.01
    np.testing.assert_allclose(np.abs(phases), 1.0, rtol=1e-6)
    for uniform in (numbers, np.angle(phases) / np.pi):
        assert stats.kstest(uniform, "uniform", (-1.0, 2.0)).pvalue > 0.01
    assert abs(np.corrcoef(numbers, np.angle(phases))[0, 1]) < 0.01


def test_coefficients_are_independent_normals():
    """Against scipy's normal and chi-square distributions, 200,000 numbers; tails included."""
    numbers, phases = (torch.as_tensor(x) for x in drawn(200_000))
    z = coefficients(numbers, phases, torch.full((200_000,), 2.0)).numpy()
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
    number, phase = np.array([0.5, -0.5, 1.0, 0.0]), np.exp(1j * np.array([0.0, 0.5, 1.0, -0.25]))
    power = np.array([1.0, 4.0, 1.0, 1.0])
    found = coefficients(*(torch.as_tensor(x) for x in (number, phase, power))).numpy()
    wanted = np.sqrt(-power * np.log(np.maximum(np.abs(number), 2.0**-32)))
    np.testing.assert_allclose(found, wanted * phase, rtol=1e-12, atol=1e-12)
