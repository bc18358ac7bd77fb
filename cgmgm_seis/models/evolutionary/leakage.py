"""What the scatter of latents adds to mean spectra by leakage between frequencies."""

from collections.abc import Mapping
from itertools import combinations_with_replacement
from typing import NamedTuple

import torch
from torch import Tensor

from cgmgm_seis.models.evolutionary.networks import EvolutionaryNetworks


class Leakage(NamedTuple):
    """Leakage of the spectra of waves between frequencies, and their scatter with the latents.

    The energy at a frequency is a sum over neighbouring ones.  If these scatter differently, ln of
    their sum is on average greater than that of the sum with mean latents.

    Parameters
    ----------
    table : torch.Tensor
        From the bins to frequencies after leakage, (envelope, bin, frequency).
    constant, slope : torch.Tensor
        Effect of standard normal latents on ln energies at the bins, (wave, component, bin,
        latent), at magnitude 0 and for a step of 1 in scaled magnitude.
    """

    table: Tensor
    constant: Tensor
    slope: Tensor

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
            Interpolation from the "fine" frequencies.
        """
        constant, slope = (
            torch.einsum("lwcb,ln->wcbn", part, model.effects.spread())
            for part in loadings.chunk(2, dim=0)
        )
        return cls(model.evolution.smears @ tables["fine"], constant, slope)

    def convexity(self, energy: Tensor, magnitude: Tensor) -> Tensor:
        """Return the geometric mean of the energy over the latents, over that of mean latents.

        It is exp of half of the variance of ln energy between the frequencies that contribute.

        Parameters
        ----------
        energy : torch.Tensor
            Energy at the bins before leakage, (record, wave, envelope, component, bin).
        magnitude : torch.Tensor
            Scaled magnitudes, (record,).

        Returns
        -------
        torch.Tensor
            Shape (record, wave, component, frequency).
        """
        shares = torch.einsum("rwkcb,kbf->rwcfb", energy, self.table)
        shares = shares / shares.sum(dim=-1, keepdim=True)
        scaled = magnitude[:, None, None, None]
        constant, both, slope = (
            (shares @ (x * y).sum(dim=-1, keepdim=True))[..., 0]
            for x, y in combinations_with_replacement((self.constant, self.slope), 2)
        )
        mean_square = constant + scaled * (2.0 * both + scaled * slope)
        mean = shares @ self.constant + scaled[..., None] * (shares @ self.slope)
        return torch.exp(0.5 * (mean_square - mean.square().sum(dim=-1)))
