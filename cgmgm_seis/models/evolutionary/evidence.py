"""What records or their amplitudes say of the latents: Gaussian likelihoods."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from cgmgm_seis.scenario.arrays import Floats

# Draws for the mean and scatter of measures at the median, for their derivatives, and pairs of
# opposite latents of the prior for their convexity; the latter two are with numbers of the first.
N_DRAWS, N_DERIVED, N_PAIRS = 4, 2, 2
# Step of a standardised latent in the differences.
STEP = 0.5
# Steps of Fisher scoring, after how many of them derivatives are computed again, the largest change
# of a latent in one, and the step of derivatives.
N_SCORING, SLOPES_EVERY, LARGEST_STEP, SMALL_STEP = 10, 4, 1.0, 0.05
# Standard deviation of the error of a linearised measure, natural logarithms.
LINEARISATION_SIGMA = 0.1


def of_spectrograms(
    ln_expected: Callable[[Tensor], Tensor],
    powers: Tensor,
    weights: Tensor,
    prior: Tensor,
) -> tuple[Floats, Floats]:
    """Return the likelihood of standardised latents that gave spectrograms, near its maximum.

    The mode of the posterior is found by Fisher scoring; the precision is the Fisher information
    there.  The encoder's posterior is cheaper, but its covariance is diagonal, which trusts the
    records too much (errors of 2 to 5 standard deviations), and it needs all frequencies.

    Parameters
    ----------
    ln_expected : callable
        From latents (record, latent) to the ln of the expected powers, (record, frame, bin).
    powers, weights : torch.Tensor
        Recorded powers, and the weights of their logarithms in the likelihood, the same shape.
    prior : torch.Tensor
        Prior variances of the latents, (latent,).

    Returns
    -------
    tuple of numpy.ndarray
        Precision (record, latent, latent), and precision times the observed latents, see
        `cgmgm_seis.models.evolutionary.conditioning.Evidence`.
    """
    n_latents = len(prior)
    latents = prior.new_zeros(len(powers), n_latents)
    flat = weights.flatten(1)
    for scoring in range(N_SCORING):
        middle = ln_expected(latents)
        if scoring % SLOPES_EVERY == 0:
            steps = SMALL_STEP * torch.eye(n_latents).to(latents)
            moved = [(ln_expected(latents + step) - middle).flatten(1) for step in steps]
            slopes = torch.stack(moved, dim=1) / SMALL_STEP
            precision = ((slopes * flat[:, None]) @ slopes.mT).double()
        misfit = flat * ((powers / torch.exp(middle)).flatten(1) - 1.0)
        gradient = (slopes @ misfit[:, :, None]).double()
        weighted = (precision @ latents.double()[:, :, None] + gradient)[..., 0]
        total = precision + torch.diag(1.0 / prior.double())
        found = torch.linalg.solve(total, weighted[:, :, None])[..., 0]
        latents = latents + (found.to(latents) - latents).clamp(-LARGEST_STEP, LARGEST_STEP)
    return precision.cpu().numpy(), weighted.cpu().numpy()


def of_amplitudes(
    values: Floats, expected: Floats, drawn: Floats, derivatives: Floats
) -> tuple[Floats, Floats]:
    """Return the likelihood of standardised latents that gave measured amplitudes.

    The expected logarithms are linear in the latents, and recorded ones scatter about them as
    those of realizations with the same latents do.  Importance weights for the exact dependence
    on the latents give the same medians and scatter with three times as many realizations
    (``tests/benchmarks/bench_importance.py``).

    Parameters
    ----------
    values : numpy.ndarray
        Natural logarithms of the measures, NaN where unknown, (record, series).
    expected : numpy.ndarray
        Their expectation over the prior of the latents, the same shape.
    drawn : numpy.ndarray
        Those of realizations with latents of 0, (record, draw, series).
    derivatives : numpy.ndarray
        With respect to the latents, (record, series, latent).

    Returns
    -------
    tuple of numpy.ndarray
        As of `of_spectrograms`.
    """
    noise, residual = amplitude_noise(drawn), values - expected
    n_records, _, n_latents = derivatives.shape
    precision = np.zeros((n_records, n_latents, n_latents))
    weighted = np.zeros((n_records, n_latents))
    for row in range(n_records):
        known = np.isfinite(residual[row])
        slopes = derivatives[row, known]
        gain = np.linalg.solve(noise[np.ix_(known, known)], slopes).T
        precision[row], weighted[row] = gain @ slopes, gain @ residual[row, known]
    return precision, weighted


def amplitude_noise(drawn: Floats) -> Floats:
    """Return the covariance (series, series) of measures about their linearised expectation.

    Parameters
    ----------
    drawn : numpy.ndarray
        Natural logarithms of measures of realizations with the same latents, (record, draw,
        series).
    """
    n_records, n_draws, n_series = drawn.shape
    centred = drawn - drawn.mean(axis=1, keepdims=True)
    noise: Floats = np.einsum("rdi,rdj->ij", centred, centred) / (n_records * (n_draws - 1))
    # The mean of a few draws is uncertain as well.
    return noise * (1.0 + 1.0 / n_draws) + LINEARISATION_SIGMA**2 * np.eye(n_series)
