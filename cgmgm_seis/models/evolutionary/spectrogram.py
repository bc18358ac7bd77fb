"""What the spectrograms of whitened records hold on average, and how likely they are."""

from typing import NamedTuple

import torch
from torch import Tensor


class MeanSpectrogram(NamedTuple):
    """What a spectrogram (frame, component * bin) holds on average: noise + weights @ leaked.

    Parameters
    ----------
    noise : torch.Tensor
        Power of the noise, (record, 1, component * bin).
    weights : torch.Tensor
        Of the waves' spectra in the frames, (record, frame, wave * envelope).
    leaked : torch.Tensor
        These spectra as the spectrogram's window sees them, (record, wave * envelope,
        component * bin).
    """

    noise: Tensor
    weights: Tensor
    leaked: Tensor

    def expected(self) -> Tensor:
        """Return the expected power of every frame, (record, frame, component * bin)."""
        return torch.baddbmm(*self)

    def averaged(self, mask: Tensor) -> Tensor:
        """Return its means with the weights `mask` (record, time window, frame)."""
        return torch.baddbmm(self.noise, mask @ self.weights, self.leaked)

    def minus_ln_likelihood(self, powers: Tensor, level: Tensor, share: float) -> Tensor:
        """Return minus the ln likelihood of spectrograms, nats, the mean over records.

        That of independent complex Gaussian coefficients,

            sum ln s2 + abs(X)^2 / s2,

        half of it at 0 Hz and Nyquist, which are real.

        Parameters
        ----------
        powers : torch.Tensor
            abs(X)^2, (record, frame, component * bin).
        level : torch.Tensor
            A level of ln s2, (component, bin), that is subtracted: it keeps the sum small enough
            for single precision.
        share : float
            What a coefficient counts, less than 1 where frames overlap.
        """
        expected = self.expected()
        terms = torch.log(expected) + powers / expected
        weights = terms.new_ones(level.shape)
        weights[:, 0] = weights[:, -1] = 0.5
        weights *= share
        weights = weights.flatten()
        constant = (level.flatten() @ weights) * terms.shape[1]
        return (terms.sum(dim=1) @ weights).mean() - constant
