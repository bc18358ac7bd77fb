"""Encoder: from the power of a record, relative to the expected power, to its latents."""

import numpy as np
import torch
from torch import Tensor, nn

from cgmgm_seis.models.evolutionary.spectrogram import MeanSpectrogram

# Time windows whose mean power is the encoder's input: wave, start and end relative to it, s.
TIME_WINDOWS = (
    ("P", -1000.0, -0.8),
    ("P", -0.4, 0.8),
    ("P", 0.8, 1000.0),
    ("S", -0.4, 0.8),
    ("S", 0.8, 4.0),
    ("S", 4.0, 12.0),
    ("S", 12.0, 1000.0),
)
# Windows of P end this long before S: half a window of the spectrogram, s.
BEFORE_S = 0.8
N_BANDS = 12
# Added to ratios to the expected power, so that much smaller ones have no effect.
LEAST_RATIO = 1e-3
WIDTH = 192
LOG_VARIANCES = (-10.0, 3.0)


class Encoder(nn.Sequential):
    """Layers from the mean power of time windows and bands to the posterior of the latents.

    Parameters
    ----------
    n_plain : int
        Number of plain conditions.
    n_components, n_bins : int
        Numbers of components and frequency bins of the spectrograms.
    n_latents : int
        Number of latents.
    """

    def __init__(self, n_plain: int, n_components: int, n_bins: int, n_latents: int) -> None:
        bands = _bands(n_bins)
        n_inputs = len(TIME_WINDOWS) * n_components * bands.shape[1] + n_plain
        super().__init__(nn.Linear(n_inputs, WIDTH), nn.SiLU(), nn.Linear(WIDTH, 2 * n_latents))
        self.n_components = n_components
        self.bands: Tensor
        self.register_buffer("bands", bands, persistent=False)

    def posterior(
        self,
        powers: Tensor,
        inside: Tensor,
        plain: Tensor,
        delays: Tensor,
        means: MeanSpectrogram,
    ) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of the latents, each (record, latent).

        Parameters
        ----------
        powers : torch.Tensor
            Power of the whitened records, (record, frame, component * bin).
        inside : torch.Tensor
            True for frames within the records' spans, (record, frame); only these are used.
        plain : torch.Tensor
            Plain conditions, (record, condition).
        delays : torch.Tensor
            Times of the frames' centres after P and S, s, (record, wave, frame).
        means : MeanSpectrogram
            The expected spectrogram for the scenario.
        """
        mean, log_variance = self(self._input(powers, inside, plain, delays, means)).chunk(2, dim=1)
        return mean, log_variance.clamp(*LOG_VARIANCES)

    def _input(
        self,
        powers: Tensor,
        inside: Tensor,
        plain: Tensor,
        delays: Tensor,
        means: MeanSpectrogram,
    ) -> Tensor:
        """Return ln of recorded over expected power by time window and band, and the conditions.

        The power is relative to that expected for the scenario, so that the latents cannot
        replace the conditions.  The gradient passes through the expectation, since a better
        expectation needs smaller latents and hence less divergence.
        """
        p, s = delays.unbind(dim=1)
        windows = [
            (p >= low) & (p < high) & (s < -BEFORE_S) if wave == "P" else (s >= low) & (s < high)
            for wave, low, high in TIME_WINDOWS
        ]
        mask = (torch.stack(windows, dim=1) & inside[:, None]).to(delays.dtype)
        frames = mask.sum(dim=2, keepdim=True)
        mask = mask / frames.clamp_min(1.0)
        ratio = (mask @ powers / means.averaged(mask)).unflatten(2, (self.n_components, -1))
        logarithms = torch.log(ratio @ self.bands + LEAST_RATIO) * (frames > 0.0)[..., None]
        return torch.cat([logarithms.flatten(1), plain], dim=1)


def _bands(n_bins: int) -> Tensor:
    """Return the matrix (bin, band) of means over logarithmic bands."""
    edges = np.unique(np.geomspace(1, n_bins + 1, N_BANDS + 1).round()) - 1
    bins = np.arange(n_bins)[:, None]
    inside = (bins >= edges[:-1]) & (bins < edges[1:])
    return torch.as_tensor(inside / inside.sum(axis=0), dtype=torch.float32)
