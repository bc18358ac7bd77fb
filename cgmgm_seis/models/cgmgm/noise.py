"""The noise before P in amplitudes that CGM-GM draws."""

import torch
from torch import Tensor

from cgmgm_seis.models.cgmgm.spectrogram import Spectrogram

# Before P, the waveform is limited to this many standard deviations of its noise, and a frame to
# this many times the amplitude of a quiet one.
NOISE_CLIP = 2.0


def frames_before(spectrogram: Spectrogram, onsets: Tensor) -> Tensor:
    """Return a mask (record, frame) of the frames that end before onsets (record,) in samples."""
    centres = torch.arange(spectrogram.n_frames, device=onsets.device) * spectrogram.hop
    before = centres < onsets[:, None] - spectrogram.n_fft / 2
    # A record that starts with the arrival has no frame before it: use the first frame.
    before[:, 0] = True
    return before


def without_bursts(amplitudes: Tensor, before: Tensor) -> Tensor:
    """Limit every frequency before the first arrival to a multiple of its lower quartile.

    In the first frames the prior has no previous latents as input, and the amplitudes are sometimes
    far too large.

    Parameters
    ----------
    amplitudes : torch.Tensor
        Shape (record, component, bin, frame).
    before : torch.Tensor
        Mask (record, frame), see `frames_before`.
    """
    quiet = before[:, None, None]
    ordered = amplitudes.masked_fill(~quiet, torch.inf).sort(dim=-1).values
    place = (before.sum(dim=1) // 4)[:, None, None, None].expand(*ordered.shape[:3], 1)
    limit = NOISE_CLIP * ordered.gather(-1, place)
    return torch.where(quiet, torch.minimum(amplitudes, limit), amplitudes)


def noise_level(spectrogram: Spectrogram, amplitudes: Tensor, before: Tensor) -> Tensor:
    """Return the rms (record, component) of the frames before the first arrival."""
    weights = spectrogram.energy_weights().to(amplitudes.device)
    power = (weights * amplitudes**2).sum(dim=2) / spectrogram.hop
    mask = before[:, None].to(power.dtype)
    return torch.sqrt((power * mask).sum(dim=-1) / mask.sum(dim=-1))
