"""Calibration: the mean residual of generated spectra, as gains that are smooth in frequency.

A linear model of the residuals ln recorded - ln generated, with magnitude and distance terms as in
a ground-motion model.  A priori, its coefficients are small and a random walk over frequency, so
that they follow neighbouring frequencies where few records have signal above the noise.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cgmgm_seis.models.evolutionary.decoder import Spectra
from cgmgm_seis.models.evolutionary.evolution import Evolution
from cgmgm_seis.models.evolutionary.normalisation import ABOVE_NOISE
from cgmgm_seis.scenario.arrays import Floats

# Standard deviation of a residual if residuals of one event are treated as independent.
RESIDUAL_SIGMA = 2.0
# Prior standard deviations of a coefficient, and of its step from one frequency to the next.
SIGMA, STEP_SIGMA = 1.0, 0.2
# Number of terms of the model, see `design`.
N_TERMS = 4


def design(plain: Tensor) -> Tensor:
    """Return the design matrix (record, `N_TERMS`) of the gains for plain conditions.

    Its columns are 1, magnitude, its square and ln distance.
    """
    magnitude, distance = plain[:, [0, 3]].clamp(-1.0, 1.0).unbind(dim=1)
    return torch.stack([torch.ones_like(magnitude), magnitude, magnitude**2, distance], dim=1)


def above_noise(evolution: Evolution, spectra: Spectra, seconds: Tensor) -> NDArray[np.bool_]:
    """Return where the waves exceed the noise of records of this duration (record,).

    Returns
    -------
    numpy.ndarray
        Shape (record, component, node).
    """
    noise, waves = spectra
    bins = np.arange(evolution.n_bins) * evolution.sampling_rate / evolution.n_fft
    nodes = torch.as_tensor(np.searchsorted(bins, evolution.nodes_hz), device=noise.device)
    # Waves: linear between the bins, times the fine shape.  Noise: its energy in the window.
    share = torch.as_tensor(evolution.nodes_hz).to(noise) / bins[1] - (nodes - 1)
    energy = waves.sum(dim=(1, 2))
    energy = torch.lerp(energy[..., nodes - 1], energy[..., nodes], share)
    energy = energy * torch.exp(2.0 * evolution.wave_shape)
    lines = evolution.noise_density(noise, evolution.finest)
    places = evolution.nodes_hz * evolution.finest / evolution.sampling_rate
    least = ABOVE_NOISE**2 * seconds[:, None, None] * lines[..., np.rint(places).astype(int)]
    return (energy > least).cpu().numpy()


def fit_gains(residual: Floats, heard: NDArray[np.bool_], design: Floats) -> Floats:
    """Fit the coefficients of residuals by ridge regression.

    Parameters
    ----------
    residual : numpy.ndarray
        Shape (record, component, frequency).
    heard : numpy.ndarray
        True where a residual is used, same shape.
    design : numpy.ndarray
        Design matrix, shape (record, term).

    Returns
    -------
    numpy.ndarray
        Coefficients, shape (term, component, frequency).
    """
    n_terms, (_, n_components, n_frequencies) = design.shape[1], residual.shape
    steps = np.diff(np.eye(n_frequencies), axis=0)
    prior = np.kron(
        steps.T @ steps / STEP_SIGMA**2 + np.eye(n_frequencies) / SIGMA**2, np.eye(n_terms)
    )
    gains = np.empty((n_terms, n_components, n_frequencies))
    for component in range(n_components):
        matrix, right = prior.copy(), np.empty((n_frequencies, n_terms))
        for k in range(n_frequencies):
            rows = heard[:, component, k]
            part = design[rows] / RESIDUAL_SIGMA**2
            block = slice(k * n_terms, (k + 1) * n_terms)
            matrix[block, block] += part.T @ design[rows]
            right[k] = part.T @ residual[rows, component, k]
        gains[:, component] = np.linalg.solve(matrix, right.ravel()).reshape(right.shape).T
    return gains
