"""Mean spectrogram of whitened records, and the likelihood of recorded ones."""

from typing import NamedTuple

import torch
from torch import Tensor


class MeanSpectrogram(NamedTuple):
    """Mean power of a spectrogram (frame, component * bin): noise + weights @ leaked.

    Parameters
    ----------
    noise : torch.Tensor
        Power of the noise, (record, 1, component * bin).
    weights : torch.Tensor
        Weights of the waves' spectra in the frames, (record, frame, wave * envelope).
    leaked : torch.Tensor
        The waves' spectra after leakage into the spectrogram, (record, wave * envelope,
        component * bin).
    """

    noise: Tensor
    weights: Tensor
    leaked: Tensor

    def expected(self) -> Tensor:
        """Return the expected power of every frame, (record, frame, component * bin)."""
        return torch.baddbmm(*self)

    def averaged(self, mask: Tensor) -> Tensor:
        """Return the expected power averaged with weights `mask` (record, time window, frame)."""
        return torch.baddbmm(self.noise, mask @ self.weights, self.leaked)

    def minus_ln_likelihood(
        self, powers: Tensor, inside: Tensor, level: Tensor, share: float
    ) -> Tensor:
        """Return the negative ln likelihood of spectrograms, nats, the mean over records.

        For independent complex Gaussian coefficients X of variance s2 it is

            sum ln s2 + abs(X)^2 / s2,

        and half of that at 0 Hz and Nyquist, where coefficients are real.

        Parameters
        ----------
        powers : torch.Tensor
            abs(X)^2, (record, frame, component * bin).
        inside : torch.Tensor
            True for frames that count, (record, frame).
        level : torch.Tensor
            A level of ln s2, (component, bin), which is subtracted to keep the sum small enough
            for single precision.
        share : float
            Weight of a coefficient, less than 1 if frames overlap.
        """
        expected = self.expected()
        terms = (torch.log(expected) + powers / expected) * inside[:, :, None]
        weights = terms.new_ones(level.shape)
        weights[:, 0] = weights[:, -1] = 0.5
        weights *= share
        weights = weights.flatten()
        constant = (level.flatten() @ weights) * inside.sum(dim=1).to(terms.dtype).mean()
        return (terms.sum(dim=1) @ weights).mean() - constant
