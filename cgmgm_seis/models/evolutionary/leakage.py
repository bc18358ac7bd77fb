"""What the scatter of latents adds to mean spectra by leakage between frequencies."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from cgmgm_seis.models.evolutionary.networks import EvolutionaryNetworks


class Leakage(NamedTuple):
    """Leakage of the spectra of waves between frequencies, and what latents do to them.

    The energy at a frequency is a sum over neighbouring ones.  Latents change its logarithm by the
    mean of what they do at these, weighted with the energies; and if these scatter differently, ln
    of their sum is on average greater than that of the sum with mean latents.

    Parameters
    ----------
    table : torch.Tensor
        From the bins to smoothed frequencies after leakage, (envelope, bin, frequency).
    loadings : torch.Tensor
        Effect of latents on ln energies at the bins, at magnitude 0 and for a step of 1 in scaled
        magnitude, (2, wave, component, bin, latent).
    spread : torch.Tensor
        Root of the covariance of the latents, (latent, latent).
    """

    table: Tensor
    loadings: Tensor
    spread: Tensor

    @classmethod
    def of(
        cls, model: EvolutionaryNetworks, loadings: Tensor, tables: Mapping[str, Tensor]
    ) -> "Leakage":
        """Return the leakage of a model.

        Parameters
        ----------
        model : EvolutionaryNetworks
            The generator.
        loadings : torch.Tensor
            Effect of latents, and of latents times magnitude, on ln energies of the waves, (2 *
            latent, wave, component, bin).
        tables : mapping
            "smoothing" of the fine frequencies.
        """
        both = loadings.unflatten(0, (2, -1)).movedim(1, -1).contiguous()
        return cls(model.evolution.smears @ tables["smoothing"], both, model.effects.spread())

    def effects(self, energy: Tensor, magnitude: Tensor) -> tuple[Tensor, Tensor]:
        """Return the effect of latents on ln energies, and that of their scatter on the mean.

        The latter is half of the variance of ln energy between the frequencies that contribute.

        Parameters
        ----------
        energy : torch.Tensor
            Energy at the bins before leakage, (record, wave, envelope, component, bin).
        magnitude : torch.Tensor
            Scaled magnitudes, (record,).

        Returns
        -------
        tuple of torch.Tensor
            Effect of a latent, (record, wave, component, frequency, latent); difference of the mean
            of ln energy over the latents to ln energy at their mean, (record, wave, component,
            frequency).
        """
        shares = torch.einsum("rwkcb,kbf->rwcfb", energy, self.table)
        shares = shares / shares.sum(dim=-1, keepdim=True)
        scaled = magnitude[:, None, None, None]
        constant, slope = self.loadings
        effect = shares @ constant + scaled[..., None] * (shares @ slope)
        one, other = constant @ self.spread, slope @ self.spread
        squares = torch.stack([x.sum(dim=-1) for x in (one**2, 2.0 * one * other, other**2)], -1)
        powers = scaled[..., None] ** torch.arange(3, device=shares.device)
        mean_square = ((shares @ squares) * powers).sum(dim=-1)
        return effect, 0.5 * (mean_square - (effect @ self.spread).square().sum(dim=-1))
