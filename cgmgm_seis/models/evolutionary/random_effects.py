"""Latents as the sum of an event term and a record term, like residuals of ground-motion models."""

import math

import torch
from torch import Tensor, nn

from cgmgm_seis.models.evolutionary.correlation import Correlation

# Weight of a batch in the running moments of the prior.
MOMENTUM = 0.02
# Minimum variance between events, in units of the variance within events.
_LEAST_BETWEEN = 1e-4


class RandomEffects(nn.Module):
    """Prior of the latents: mean + event term + record term, both Gaussian.

    All records of an event share its term (Abrahamson & Youngs 1992).  Mean and covariances are
    not fixed but estimated from the posterior, as running moments of the batches (the M step of an
    empirical Bayes estimate), so that generated records have the scatter of the training records,
    between events and within them.

    A share of the variance of record terms may be a Gaussian field over the receivers, so that
    neighbouring records of an event are similar: `length_km` and `correlated`, the share of every
    standardised latent, are estimated after training
    (`cgmgm_seis.models.evolutionary.correlation`).  Length 0 means independent records.

    Parameters
    ----------
    n_latents : int
        Number of latents.
    """

    def __init__(self, n_latents: int) -> None:
        super().__init__()
        self.mean: Tensor
        self.within: Tensor
        self.between: Tensor
        self.length_km: Tensor
        self.correlated: Tensor
        self.register_buffer("mean", torch.zeros(n_latents))
        self.register_buffer("within", torch.eye(n_latents))
        self.register_buffer("between", 0.5 * torch.eye(n_latents))
        self.register_buffer("length_km", torch.zeros(()))
        self.register_buffer("correlated", torch.zeros(n_latents))

    @torch.no_grad()
    def follow(
        self, mean: Tensor, variance: Tensor, event: Tensor, momentum: float = MOMENTUM
    ) -> None:
        """Move the prior's moments towards those of a batch (analysis of variance by moments).

        Parameters
        ----------
        mean, variance : torch.Tensor
            Posterior of the latents of every record, (record, latent).
        event : torch.Tensor
            Number of the event of every record.
        momentum : float
            Weight of the batch.
        """
        _, event = torch.unique(event, return_inverse=True)
        counts = torch.bincount(event).to(mean.dtype)
        n_records, n_events = len(mean), len(counts)
        if n_events < 2 or n_records <= n_events:
            return
        zeros = mean.new_zeros(n_events, mean.shape[1])
        means = zeros.index_add(0, event, mean) / counts[:, None]
        inside = mean - means[event]
        within = inside.T @ inside / (n_records - n_events)
        outside = (means - mean.mean(dim=0)) * counts[:, None].sqrt()
        between = outside.T @ outside / (n_events - 1) - within
        size = (n_records - counts.square().sum() / n_records) / (n_events - 1)
        within = within + torch.diag(variance.mean(dim=0))
        # Assign new tensors, since autograd may still need the old ones.
        self.mean = self.mean.lerp(mean.mean(dim=0), momentum)
        self.within = self.within.lerp(within, momentum)
        self.between = self.between.lerp(between / size, momentum)

    @torch.no_grad()
    def correlate(self, correlation: Correlation) -> None:
        """Let record terms correlate with the distance between receivers.

        The covariance within events becomes that of records whose event term contains nothing of
        the correlated part, and the covariance between events loses as much.

        Parameters
        ----------
        correlation : Correlation
            Of the standardised latents, see `standardised`.
        """
        transform, between = self.standardisation(least=-math.inf)
        variance, share = (
            torch.as_tensor(x).to(transform) for x in (correlation.variance, correlation.share)
        )
        between = between - (variance - 1.0)
        # Latents are standardised anew in the order of their ratio of variances.
        order = torch.argsort(between / variance)
        root = torch.linalg.inv(transform)
        self.within = (root * variance) @ root.T
        self.between = (root * between) @ root.T
        self.correlated = share[order].to(self.correlated)
        self.length_km = torch.as_tensor(correlation.length_km).to(self.length_km)

    def divergence(self, mean: Tensor, log_variance: Tensor, event: Tensor) -> Tensor:
        """Return the Kullback-Leibler divergence of the posterior from the prior, of the batch.

        The event terms are integrated out: within an event, every standardised latent has
        covariance 1 + lambda 1 1^T, whose inverse and determinant are known (Sherman & Morrison
        1950).

        Parameters
        ----------
        mean, log_variance : torch.Tensor
            Of the posterior of every record, (record, latent).
        event : torch.Tensor
            Number of the event of every record.

        Returns
        -------
        torch.Tensor
            Nats, the sum over the records.
        """
        transform, between = self.standardisation()
        centred, variance = self.standardised(mean, log_variance.exp())
        counts = torch.bincount(event).to(mean.dtype)[:, None]
        zeros = mean.new_zeros(len(counts), mean.shape[1])
        total = zeros.index_add(0, event, centred).square() + zeros.index_add(0, event, variance)
        shared = between / (1.0 + counts * between)
        quadratic = (centred.square() + variance).sum() - (shared * total).sum()
        prior = torch.log1p(counts * between).sum()
        posterior = log_variance.sum() + 2.0 * len(mean) * torch.linalg.slogdet(transform)[1]
        return 0.5 * (quadratic + prior - posterior - mean.numel())

    def draw(
        self,
        event: Tensor,
        record: Tensor,
        field: Tensor | None = None,
        correction: Tensor | None = None,
    ) -> Tensor:
        """Return latents (record, latent) for standard normal numbers of events and records.

        Parameters
        ----------
        event, record : torch.Tensor
            Standard normal numbers, shape (record, latent).
        field : torch.Tensor, optional
            Standard normal fields of correlation length `length_km` at the receivers, the same
            shape; without them records are independent.
        correction : torch.Tensor, optional
            Added to the standardised latents, the same shape: what records of the event tell, see
            `cgmgm_seis.models.evolutionary.conditioning`.
        """
        transform, between = self.standardisation()
        if field is not None:
            record = self.correlated.sqrt() * field + (1.0 - self.correlated).sqrt() * record
        standard = event * between.sqrt() + record
        return self._latents(transform, standard if correction is None else standard + correction)

    def latents(self, standard: Tensor) -> Tensor:
        """Return the latents (record, latent) of standardised ones."""
        transform, _ = self.standardisation()
        return self._latents(transform, standard)

    def _latents(self, transform: Tensor, standard: Tensor) -> Tensor:
        return self.mean + torch.linalg.solve(transform, standard.T).T

    def roots(self) -> tuple[Tensor, Tensor]:
        """Return roots (latent, latent) of the covariances between events and within them.

        A root times standard normal numbers has that covariance.
        """
        transform, between = self.standardisation()
        within = torch.linalg.inv(transform)
        return within * between.sqrt(), within

    def spread(self) -> Tensor:
        """Return a root (latent, latent) of the total covariance, between and within events."""
        transform, between = self.standardisation()
        return torch.linalg.inv(transform) * torch.sqrt(1.0 + between)

    def standardised(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """Return posterior means and variances, scaled to a covariance within events of 1."""
        transform, _ = self.standardisation()
        return (mean - self.mean) @ transform.T, variance @ transform.square().T

    def standardisation(self, least: float = _LEAST_BETWEEN) -> tuple[Tensor, Tensor]:
        """Return the transform to a covariance of 1 within events and diagonal between them.

        Returns
        -------
        tuple of torch.Tensor
            The matrix (latent, latent) and the variances lambda between events (latent,), at least
            ``least``.
        """
        within, between = self.within.double().cpu(), self.between.double().cpu()
        inverse = torch.linalg.inv(torch.linalg.cholesky(within))
        values, vectors = torch.linalg.eigh(inverse @ between @ inverse.T)
        transform, values = vectors.T @ inverse, values.clamp_min(least)
        return transform.to(self.mean), values.to(self.mean)
