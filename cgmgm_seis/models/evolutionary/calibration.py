"""What generated spectra lack on average, as gains that are smooth in frequency.

A linear model of the residuals ln recorded - ln generated, as a ground-motion model has its
magnitude and distance terms; its coefficients are a priori small and a random walk over frequency,
so that where few records stand above the noise they go on as beside it.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Standard deviation of a residual, as if it were independent of its event's others.
RESIDUAL_SIGMA = 2.0
# A priori standard deviations of a coefficient, and of its step from one frequency to the next.
SIGMA, STEP_SIGMA = 1.0, 0.2


def fit_gains(residual: Floats, heard: NDArray[np.bool_], design: Floats) -> Floats:
    """Fit the coefficients of residuals by ridge regression.

    Parameters
    ----------
    residual : numpy.ndarray
        Shape (record, component, frequency).
    heard : numpy.ndarray
        Which of them count, same shape.
    design : numpy.ndarray
        What they are linear in, shape (record, term).

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
