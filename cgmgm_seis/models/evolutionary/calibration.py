"""Calibration: the mean residual of generated spectra, as gains that are smooth in frequency.

The residuals ln recorded - ln generated are a function of magnitude and ln distance, bilinear
between nodes.  A priori, its values at the nodes are small and a random walk over frequency,
magnitude and distance, so that they follow their neighbours where few records have signal above
the noise.
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
# Nodes of magnitude and ln distance, evenly spaced over the trained range, and the prior standard
# deviation of a step from one to the next.
N_MAGNITUDES, N_DISTANCES, NODE_SIGMA = 10, 5, 0.3
N_TERMS = N_MAGNITUDES * N_DISTANCES


def design(plain: Tensor) -> Tensor:
    """Return the weights (record, `N_TERMS`) of the nodes for plain conditions.

    Nodes of the first magnitude come first.  Outside of the nodes the nearest ones are used.
    """
    magnitude, distance = _hats(plain[:, 0], N_MAGNITUDES), _hats(plain[:, 3], N_DISTANCES)
    return (magnitude[:, :, None] * distance[:, None]).flatten(1)


def _hats(values: Tensor, n_nodes: int) -> Tensor:
    """Return the weights (value, node) of linear interpolation between nodes from -1 to 1."""
    places = (values.clamp(-1.0, 1.0) + 1.0) * (n_nodes - 1) / 2.0
    nodes = torch.arange(n_nodes, device=values.device)
    return (1.0 - (places[:, None] - nodes).abs()).clamp_min(0.0)


def node_steps() -> Floats:
    """Return the prior precision (`N_TERMS`, `N_TERMS`) of steps between neighbouring nodes."""
    along_magnitude, along_distance = (_squared_steps(n) for n in (N_MAGNITUDES, N_DISTANCES))
    return (
        np.asarray(
            np.kron(along_magnitude, np.eye(N_DISTANCES))
            + np.kron(np.eye(N_MAGNITUDES), along_distance)
        )
        / NODE_SIGMA**2
    )


def _squared_steps(n: int) -> Floats:
    """Return the matrix (n, n) of the sum of squared differences of neighbouring values."""
    steps = np.diff(np.eye(n), axis=0)
    return np.asarray(steps.T @ steps)


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


def fit_gains(
    residual: Floats, heard: NDArray[np.bool_], design: Floats, term_steps: Floats
) -> Floats:
    """Fit the coefficients of residuals by ridge regression.

    Parameters
    ----------
    residual : numpy.ndarray
        Shape (record, component, frequency).
    heard : numpy.ndarray
        True where a residual is used, same shape.
    design : numpy.ndarray
        Design matrix, shape (record, term).
    term_steps : numpy.ndarray
        Prior precision of differences between the terms, shape (term, term).

    Returns
    -------
    numpy.ndarray
        Coefficients, shape (term, component, frequency).
    """
    n_terms, (_, n_components, n_frequencies) = design.shape[1], residual.shape
    steps = _squared_steps(n_frequencies) / STEP_SIGMA**2
    prior = np.kron(steps + np.eye(n_frequencies) / SIGMA**2, np.eye(n_terms))
    prior += np.kron(np.eye(n_frequencies), term_steps)
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
