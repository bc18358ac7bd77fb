"""A linear model with random weights and event terms: restricted likelihood and posterior.

    y = Z w + event term + noise,   w_j ~ N(0, phi^2 v_j) or free,   event term ~ N(0, phi^2 r)

A Gaussian process whose kernel is a sum over features is such a model (Rasmussen & Williams 2006,
section 2.1).  The best phi follows from v and r.  Event terms are eliminated analytically and
sums over records are computed once, so that the cost of each trial of v and r does not depend on
the number of records.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.blas import dsyrk
from scipy.linalg.lapack import dtrtri

from cgmgm_seis.scenario.arrays import Floats


@dataclass(frozen=True)
class Evidence:
    """-2 ln restricted likelihood at the best phi, and its derivatives.

    Parameters
    ----------
    deviance : float
        Without free weights, -2 ln of the marginal likelihood; with free weights, a term that
        does not depend on the variances is omitted (Patterson & Thompson 1971).
    by_ln_variance : numpy.ndarray
        Derivatives with respect to ln v_j, shape (weight,), 0 for free weights.
    by_ln_ratio : float
        Derivative with respect to ln r.
    """

    deviance: float
    by_ln_variance: Floats
    by_ln_ratio: float


@dataclass(frozen=True)
class Posterior:
    """Mean and covariance of the weights, and standard deviations of event terms and noise.

    Parameters
    ----------
    mean : numpy.ndarray
        Shape (weight,).
    root : numpy.ndarray
        Root of the covariance, which is ``root.T @ root``, shape (weight, weight).
    tau, phi : float
        Standard deviations of event terms and noise.
    """

    mean: Floats
    root: Floats
    tau: float
    phi: float

    def sd(self, features: Floats) -> Floats:
        """Return the standard deviation of weighted sums, for features (record, weight)."""
        return np.sqrt(np.sum((features @ self.root.T) ** 2, axis=1))


@dataclass(frozen=True)
class MixedModel:
    """Sums over records from which the likelihood and the posterior are computed.

    Parameters
    ----------
    gram : numpy.ndarray
        Z'Z, shape (weight, weight).
    cross : numpy.ndarray
        Z'y, shape (weight,).
    square : float
        y'y.
    event_features, event_values : numpy.ndarray
        Sums of Z and y over the records of each event, (event, weight) and (event,).
    sizes : numpy.ndarray
        Number of records of each event, shape (event,).
    free : numpy.ndarray
        True for weights without a prior, shape (weight,).

    Examples
    --------
    >>> values = np.array([[1.0], [1.2], [-1.0], [-1.2]])
    >>> [model] = MixedModel.of(np.ones((4, 1)), values, ["a", "a", "b", "b"], [True])
    >>> found = model.posterior(np.ones(1), ratio=123.0)
    >>> print(f"{found.mean[0]:.2f} {found.tau:.2f} {found.phi:.2f}")
    0.00 1.56 0.14
    """

    gram: Floats
    cross: Floats
    square: float
    event_features: Floats
    event_values: Floats
    sizes: Floats
    free: NDArray[np.bool_]

    @classmethod
    def of(
        cls, features: Floats, values: ArrayLike, events: ArrayLike, free: ArrayLike
    ) -> list[Self]:
        """Return one model per series: features (record, weight), values (record, series)."""
        y = np.asarray(values, float)
        _, event = np.unique(np.asarray(events), return_inverse=True)
        sizes = np.bincount(event).astype(float)
        sums = np.zeros((len(sizes), features.shape[1]))
        np.add.at(sums, event, features)
        gram, no_prior = features.T @ features, np.asarray(free, bool)
        models = []
        for series in y.T:
            square, totals = float(series @ series), np.bincount(event, series).astype(float)
            models.append(cls(gram, features.T @ series, square, sums, totals, sizes, no_prior))
        return models

    def evidence(self, variances: Floats, ratio: float) -> Evidence:
        """Return the restricted likelihood for prior variances v (weight,) and ratio r."""
        scale, factor, solution, residual, n = self._solve(variances, ratio)
        deviance = n * (1.0 + np.log(2.0 * np.pi * residual / n))
        deviance += 2.0 * np.log(np.diag(factor)).sum() + np.log1p(ratio * self.sizes).sum()
        inverse, _ = dtrtri(factor, lower=1)
        by_ln_variance = 1.0 - np.sum(inverse**2, axis=0) - n * solution**2 / residual
        scaled = self.event_features * scale
        left = self.event_values - scaled @ solution
        spread = np.sum((scaled @ inverse.T) ** 2, axis=1)
        shrunk = ratio / (1.0 + ratio * self.sizes)
        slope = shrunk * self.sizes
        slope -= ratio * (n * left**2 / residual + spread) / (1.0 + ratio * self.sizes) ** 2
        return Evidence(
            float(deviance), np.where(self.free, 0.0, by_ln_variance), float(slope.sum())
        )

    def posterior(self, variances: Floats, ratio: float) -> Posterior:
        """Return the posterior of the weights for prior variances v (weight,) and ratio r."""
        scale, factor, solution, residual, n = self._solve(variances, ratio)
        phi = float(np.sqrt(residual / n))
        inverse, _ = dtrtri(factor, lower=1)
        return Posterior(scale * solution, phi * inverse * scale, phi * float(ratio**0.5), phi)

    def _solve(
        self, variances: Floats, ratio: float
    ) -> tuple[Floats, Floats, Floats, float, float]:
        """Return scales, Cholesky factor, scaled weights, squared residual, degrees of freedom."""
        scale = np.where(self.free, 1.0, np.sqrt(variances))
        shrunk = ratio / (1.0 + ratio * self.sizes)
        weighted = np.sqrt(shrunk)[:, None] * self.event_features
        # dsyrk computes only one triangle of the product, at half the cost.
        matrix = self.gram - np.tril(dsyrk(1.0, weighted.T, lower=1))
        matrix = matrix * np.outer(scale, scale)
        matrix[np.diag_indices_from(matrix)] += ~self.free
        factor, _ = cho_factor(matrix, lower=True)
        target = scale * (self.cross - self.event_features.T @ (shrunk * self.event_values))
        solution = cho_solve((factor, True), target)
        residual = self.square - shrunk @ self.event_values**2 - target @ solution
        n = self.sizes.sum() - self.free.sum()
        return scale, np.tril(factor), solution, float(residual), float(n)
