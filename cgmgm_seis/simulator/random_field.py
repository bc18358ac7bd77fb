"""Random fields of the simulated region, which are the same for all catalogues."""

import numpy as np

from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.seeding import random_generator

REGION_SEED = 1984


class RandomField:
    """A stationary, nearly Gaussian random field with a squared-exponential covariance.

    It is a sum of cosines with random wave vectors (Shinozuka 1971; random Fourier features of
    Rahimi & Recht 2007), so it is smooth and can be evaluated at any point.

    Parameters
    ----------
    name : str
        Name of the field, which determines its realization.
    sigma : float
        Standard deviation.
    lengths : tuple of float
        Correlation length along each coordinate, in the units of the coordinate.
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
        """Return the values, shape (..), of the field at points of shape (.., coordinate)."""
        return self.amplitude * np.cos(points @ self.waves.T + self.phases).sum(axis=-1)
