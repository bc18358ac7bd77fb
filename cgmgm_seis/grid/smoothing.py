"""The smooth part of a map: what is left without the noise that every node has for itself."""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn, idctn

from cgmgm_seis.scenario.arrays import Floats

# Smaller grids have too few wave numbers to tell the field from the noise.
LEAST_NODES = 8
# Share of the highest wave number above which the power is that of the noise.
NOISE_FROM = 0.75
TINY = np.finfo(float).tiny


def smooth_part(values: NDArray[np.floating]) -> Floats:
    """Return a field (latitude, longitude) without the noise of single nodes, by Wiener's filter.

    Noise that is independent between nodes has the same power at all wave numbers (of the cosine
    transform, which reflects the field at its edges), while what neighbours share has little at
    the highest ones: these give the power of the noise N, the mean power at a wave number less N
    that of the field S, and the field is filtered by S / (S + N) (Wiener 1949).  A smooth field
    is not changed.  Fields with values that are not finite, or of less than `LEAST_NODES` rows or
    columns, are returned as they are.

    Examples
    --------
    >>> wave = np.cos(np.linspace(0.0, 3.0, 40))[:, None] * np.ones(30)
    >>> noise = np.random.default_rng(0).normal(0.0, 0.3, (40, 30))
    >>> print(f"{(smooth_part(wave + noise) - wave).std():.2f}")
    0.02
    """
    field = np.asarray(values, float)
    if min(field.shape) < LEAST_NODES or not np.isfinite(field).all():
        return field
    coefficients = dctn(field, norm="ortho")
    numbers = np.hypot(*np.meshgrid(*(np.arange(n) / n for n in field.shape), indexing="ij"))
    power = coefficients**2
    noise = power[numbers > NOISE_FROM].mean()
    n_rings = min(field.shape)
    # The mean itself, wave number 0, stands alone and is kept.
    ring = np.clip(np.ceil(numbers * n_rings).astype(int), 0, n_rings)
    mean = np.bincount(ring.ravel(), power.ravel()) / np.maximum(np.bincount(ring.ravel()), 1)
    signal = np.maximum(mean - noise, 0.0)
    gain = np.ones_like(mean)
    gain[1:] = np.minimum.accumulate(signal[1:] / np.maximum(signal[1:] + noise, TINY))
    return np.asarray(idctn(gain[ring] * coefficients, norm="ortho"))
