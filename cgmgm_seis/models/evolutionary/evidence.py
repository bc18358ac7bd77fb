"""What records or their amplitudes say of the latents: Gaussian likelihoods."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cgmgm_seis.scenario.arrays import Floats

# Natural logarithms of measures (.., series) of velocities (.., component, sample), m/s.
Measures = Callable[[NDArray[np.float32]], NDArray[Any]]
# Draws for the mean and scatter of measures at the median, and for their derivatives.
N_DRAWS, N_DERIVED = 4, 2
# Step of a standardised latent in the differences.
STEP = 0.5
# Steps of Fisher scoring, the largest change of a latent in one, and the step of derivatives.
N_SCORING, LARGEST_STEP, SMALL_STEP = 4, 1.0, 0.05
# Standard deviation of the error of a linearised measure, natural logarithms.
LINEARISATION_SIGMA = 0.1


def of_spectrograms(
    ln_expected: Callable[[Tensor], Tensor],
    powers: Tensor,
    weights: Tensor,
    start: Tensor,
    prior: Tensor,
) -> tuple[Floats, Floats]:
    """Return the likelihood of standardised latents that gave spectrograms, near its maximum.

    The posterior of the latents is searched for from that of the encoder on, by Fisher scoring.
    The encoder's own covariance is diagonal, and describes the conditional and not the marginal
    scatter of latents, which would trust the records too much.

    Parameters
    ----------
    ln_expected : callable
        From latents (record, latent) to the ln of the expected powers, (record, frame, bin).
    powers, weights : torch.Tensor
        Recorded powers, and the weights of their logarithms in the likelihood, the same shape.
    start : torch.Tensor
        Latents to start from, (record, latent).
    prior : torch.Tensor
        Prior variances of the latents, (latent,).

    Returns
    -------
    tuple of numpy.ndarray
        Precision (record, latent, latent), and precision times the observed latents, see
        `cgmgm_seis.models.evolutionary.conditioning.Evidence`.
    """
    latents, n_latents = start, start.shape[1]
    for _ in range(N_SCORING):
        middle = ln_expected(latents)
        slopes = torch.stack(
            [
                (ln_expected(latents + step) - middle).flatten(1) / SMALL_STEP
                for step in SMALL_STEP * torch.eye(n_latents).to(latents)
            ],
            dim=1,
        ).double()
        flat = weights.flatten(1).double()
        misfit = flat * ((powers / torch.exp(middle)).flatten(1).double() - 1.0)
        precision = (slopes * flat[:, None]) @ slopes.mT
        weighted = (precision @ latents.double()[:, :, None] + slopes @ misfit[:, :, None])[..., 0]
        total = precision + torch.diag(1.0 / prior.double())
        found = torch.linalg.solve(total, weighted[:, :, None])[..., 0]
        latents = latents + (found.to(latents) - latents).clamp(-LARGEST_STEP, LARGEST_STEP)
    return precision.cpu().numpy(), weighted.cpu().numpy()


def of_amplitudes(values: Floats, drawn: Floats, derivatives: Floats) -> tuple[Floats, Floats]:
    """Return the likelihood of standardised latents that gave measured amplitudes.

    The expected logarithms are linear in the latents, and recorded ones scatter about them as
    those of realizations with the same latents do.

    Parameters
    ----------
    values : numpy.ndarray
        Natural logarithms of the measures, NaN where unknown, (record, series).
    drawn : numpy.ndarray
        Those of realizations with latents of 0, (record, draw, series).
    derivatives : numpy.ndarray
        With respect to the latents, (record, series, latent).

    Returns
    -------
    tuple of numpy.ndarray
        As of `of_spectrograms`.
    """
    n_records, n_draws, n_series = drawn.shape
    centred = drawn - drawn.mean(axis=1, keepdims=True)
    noise = np.einsum("rdi,rdj->ij", centred, centred) / (n_records * (n_draws - 1))
    # The mean of a few draws is uncertain as well.
    noise = noise * (1.0 + 1.0 / n_draws) + LINEARISATION_SIGMA**2 * np.eye(n_series)
    residual = values - drawn.mean(axis=1)
    n_latents = derivatives.shape[2]
    precision = np.zeros((n_records, n_latents, n_latents))
    weighted = np.zeros((n_records, n_latents))
    for row in range(n_records):
        known = np.isfinite(residual[row])
        slopes = derivatives[row, known]
        gain = np.linalg.solve(noise[np.ix_(known, known)], slopes).T
        precision[row], weighted[row] = gain @ slopes, gain @ residual[row, known]
    return precision, weighted
