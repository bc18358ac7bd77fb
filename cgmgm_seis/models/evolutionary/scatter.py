"""Scatter of generated Fourier amplitudes, between events and within them."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from cgmgm_seis.models.evolutionary.decoder import SpectralDecoder
from cgmgm_seis.models.evolutionary.random_effects import RandomEffects


class Scatter(NamedTuple):
    """Standard deviations of ln FAS, each (component, frequency).

    Parameters
    ----------
    tau : numpy.ndarray
        Scatter between events.
    phi : numpy.ndarray
        Scatter within events.
    """

    tau: NDArray[np.float64]
    phi: NDArray[np.float64]


def ln_fas_scatter(
    decoder: SpectralDecoder,
    effects: RandomEffects,
    bins: NDArray[np.float64],
    magnitude: float,
    wave: int,
) -> Scatter:
    """Return the standard deviations of ln FAS from the covariances of the latents.

    Parameters
    ----------
    decoder : SpectralDecoder
        Holds the effect of latents on ln FAS.
    effects : RandomEffects
        Holds the covariances of the latents.
    bins : numpy.ndarray
        Frequencies in units of the spectrogram's bins, (frequency,).
    magnitude : float
        Scaled to -1..1.
    wave : int
        0 for P, 1 for S.
    """
    loadings = decoder.energy_loadings(magnitude)[wave]
    at_bins = 0.5 * torch.einsum("cnl,nb->clb", loadings, decoder.nodes)
    lower = torch.as_tensor(np.clip(bins, 0, at_bins.shape[-1] - 1.001))
    index = lower.long().to(at_bins.device)
    share = (lower - lower.floor()).to(at_bins)
    found = torch.lerp(at_bins[..., index], at_bins[..., index + 1], share)
    tau, phi = (
        torch.einsum("clf,lk->ckf", found, root).square().sum(dim=1).sqrt()
        for root in effects.roots()
    )
    return Scatter(tau.double().cpu().numpy(), phi.double().cpu().numpy())
