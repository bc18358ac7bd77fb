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
        Effect of latents on ln energies at the bins: at magnitude 0, for a step of 1 in scaled
        magnitude, their three mean products over the latents, and 1, (wave * component, bin, 2 *
        latent + 4).
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
        spread = model.effects.spread()
        constant, slope = loadings.flatten(1, 2).movedim(0, -1).chunk(2, dim=-1)
        one, other = constant @ spread, slope @ spread
        products = [(x * y).sum(dim=-1) for x, y in ((one, one), (one, other), (other, other))]
        last = torch.stack([*products, torch.ones_like(products[0])], dim=-1)
        table = torch.cat([constant, slope, last], dim=-1)
        return cls(model.evolution.smears @ tables["smoothing"], table, spread)

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
        shares = torch.einsum("rwkcb,kbf->wcrfb", energy, self.table).flatten(2, 3).flatten(0, 1)
        sums = (shares @ self.loadings).unflatten(1, (len(energy), -1))
        # (record, wave, component, frequency, ..), as the sum of the shares is not 1 yet.
        means = (sums / sums[..., -1:]).unflatten(0, energy.shape[1:4:2]).movedim(2, 0)
        n, scaled = len(self.spread), magnitude[:, None, None, None]
        effect = means[..., :n] + scaled[..., None] * means[..., n : 2 * n]
        first, both, second = means[..., 2 * n : -1].unbind(dim=-1)
        mean_square = first + scaled * (2.0 * both + scaled * second)
        return effect, 0.5 * (mean_square - (effect @ self.spread).square().sum(dim=-1))
