"""Random fields that belong to the region: every catalogue shakes the same ground."""

import numpy as np

from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.seeding import random_generator

REGION_SEED = 1984


class RandomField:
    """A stationary, nearly Gaussian random field with a squared-exponential covariance.

    A sum of cosines with random wave vectors (Shinozuka 1971; random Fourier features of
    Rahimi & Recht 2007), so it is smooth and known at any point.

    Parameters
    ----------
    name : str
        Name of the field; it chooses the realization.
    sigma : float
        Standard deviation.
    lengths : tuple of float
        Correlation length along each coordinate, in that coordinate's units.
    n_waves : int
        Number of cosines.
    """

    def __init__(
        self, name: str, sigma: float, lengths: tuple[float, ...], n_waves: int = 128
    ) -> None:
        rng = random_generator(REGION_SEED, name)
        self.waves = rng.standard_normal((n_waves, len(lengths))) / np.array(lengths)
        self.phases = rng.uniform(0.0, 2.0 * np.pi, n_waves)
        self.amplitude = sigma * np.sqrt(2.0 / n_waves)

    def __call__(self, points: Floats) -> Floats:
        """Return the field at ``points`` of shape (.., coordinate); shape (..)."""
        return self.amplitude * np.cos(points @ self.waves.T + self.phases).sum(axis=-1)
