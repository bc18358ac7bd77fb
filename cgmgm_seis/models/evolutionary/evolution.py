"""Drawing records of evolutionary spectra: noise, and sums of modulated Gaussian processes."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from cgmgm_seis.models.evolutionary.envelopes import torch_ramp
from cgmgm_seis.models.evolutionary.gaussian import coefficients
from cgmgm_seis.models.evolutionary.mean_evolution import MeanEvolution, resampled
from cgmgm_seis.scenario.seeding import fill_uniform

# Frames of the coda that may contain an onset and its ramp.
_ONSET_FRAMES = 3
# Records drawn at once, so few that most of their arrays stay in the cache of a processor.
_DRAWN_RECORDS = 8


class Evolution(MeanEvolution):
    """Evolutionary spectra of records, see `MeanEvolution`, and the records."""

    def numbers(self, generators: Sequence[np.random.Generator], n_components: int) -> list[Tensor]:
        """Return the numbers of `gaussian.coefficients` of records, for noise, pulses and coda."""
        shapes = (
            (n_components, self.n_draw // 2 + 1),
            (2, n_components, len(self.pulses), self.n_pulse // 2 + 1),
            (n_components, self.n_frames + _ONSET_FRAMES, self.n_bins),
        )
        sizes = [int(np.prod(shape)) for shape in shapes]
        numbers = np.empty((len(generators), 2 * sum(sizes)), dtype=np.float32)
        for row, random in zip(numbers, generators, strict=True):
            fill_uniform(random, row)
        parts = torch.as_tensor(numbers).to(self.sine.device).unflatten(1, (2, -1)).split(sizes, 2)
        return [part.unflatten(2, shape) for part, shape in zip(parts, shapes, strict=True)]

    def draw(
        self,
        noise: Tensor,
        waves: Tensor,
        onsets_s: Tensor,
        numbers: Sequence[Tensor],
        colour: Tensor,
        gains: Tensor | None = None,
    ) -> Tensor:
        """Draw records.

        Parameters
        ----------
        noise : torch.Tensor
            PSD of the noise, (record, component, bin), before the filter `colour`.
        waves : torch.Tensor
            D_k of P and S, (record, wave, envelope, component, bin).
        onsets_s : torch.Tensor
            Onsets after the start of the record, (record, wave).
        numbers : sequence of torch.Tensor
            Random numbers from `numbers`.
        colour : torch.Tensor
            Frequency response (n_draw/2 + 1,) of a causal filter applied to the records, at most a
            window long; it makes hard onsets as smooth as recorded ones.
        gains : torch.Tensor, optional
            ln amplitude (record, component, node) of minimum-phase filters applied to the waves of
            these records, in addition to `wave_shape`; by default none.

        Returns
        -------
        torch.Tensor
            Shape (record, component, sample).
        """
        shapes = self.wave_shape if gains is None else self.wave_shape + gains
        shapes = shapes.expand(*noise.shape[:2], -1)
        # The phases of stationary noise are random whatever a filter does to them.
        ones = noise.new_ones(self.n_bins)
        steady = self.noise_density(ones, self.n_draw) * self.noise_powers * colour.abs().square()
        ln_colour = colour.log()
        parts = (x.split(_DRAWN_RECORDS) for x in (noise, waves, onsets_s, shapes, *numbers))
        return torch.cat(
            [self._draw(steady, ln_colour, *part) for part in zip(*parts, strict=True)]
        )

    def _draw(
        self,
        steady: Tensor,
        ln_colour: Tensor,
        noise: Tensor,
        waves: Tensor,
        onsets_s: Tensor,
        shapes: Tensor,
        endless: Tensor,
        brief: Tensor,
        long: Tensor,
    ) -> Tensor:
        """Draw a part of the records of `draw`, with power of noise and logarithm of `colour`."""
        n_pulses, rate = len(self.pulses), self.sampling_rate
        # Zeros behind the record are for filters, and for the pulses of onsets near its end.
        records = noise.new_zeros(*noise.shape[:2], self.n_draw)
        self._add_coda(records, waves[:, :, n_pulses:], onsets_s, long)
        steps = torch.arange(self.n_pulse, device=onsets_s.device)
        first = torch.ceil(onsets_s * rate).clamp(0, self.n_samples)
        # Rounding may put the first sample slightly before the onset.
        delays = (first / rate - onsets_s).clamp_min(0.0)[..., None] + steps / rate
        pulses = self._pulses(waves[:, :, :n_pulses], delays, brief)
        places = (first.long()[..., None] + steps)[:, :, None].expand_as(pulses)
        for wave in range(pulses.shape[1]):
            records.scatter_add_(2, places[:, wave], pulses[:, wave])
        records[..., self.n_samples :] = 0.0
        shapes = shapes.flatten(0, 1).to(self.filters)
        real, imaginary = (
            torch.addmm(ln, shapes, part).unflatten(0, noise.shape[:2])
            for ln, part in zip((ln_colour.real, ln_colour.imag), self.filters, strict=True)
        )
        spectra = torch.fft.rfft(records).mul_(_exponential(real, imaginary))
        powers = resampled(noise, len(steady)).mul_(steady)
        spectra += coefficients(endless, powers)
        return torch.fft.irfft(spectra, self.n_draw)[..., : self.n_samples]

    def _pulses(self, spectra: Tensor, delays: Tensor, numbers: Tensor) -> Tensor:
        """Return the pulses (record, wave, component, sample) at delays (record, wave, sample)."""
        powers = spectra.transpose(2, 3).contiguous() @ self.pulse_bins
        pulses = torch.fft.irfft(coefficients(numbers, powers), self.n_pulse)
        envelopes = self._envelopes(delays, slice(len(self.pulses)))
        amplitudes = torch.sqrt(envelopes) * torch_ramp(delays)[:, :, None]
        return (pulses * amplitudes[:, :, None]).sum(dim=3)

    def _add_coda(
        self, records: Tensor, spectra: Tensor, onsets_s: Tensor, numbers: Tensor
    ) -> None:
        """Add the coda to silent records (record, component, sample).

        Frames with a sine window overlap by half, so that the squared windows add up to one.  Once
        the later wave has begun, one set of frames is of both waves: the sum of Gaussian processes
        is a Gaussian process of the sum of their powers.  Around its onset the later wave, which
        has a ramp of its own, is drawn apart, in the last frames of the numbers.
        """
        hop, rate, device = self.frame_hop, self.sampling_rate, onsets_s.device
        half = 0.5 * self.n_fft / rate
        # The frames before this one, and itself, end before all onsets.
        silent = int((float(onsets_s.min()) - half) * rate / hop)
        silent = min(max(silent, 0), self.n_frames - 2)
        shared = torch.arange(silent, self.n_frames, device=device).expand(len(onsets_s), -1)
        earlier, later = onsets_s.amin(dim=1), onsets_s.amax(dim=1)
        first = torch.floor(later * rate / hop).clamp(0, self.n_frames - _ONSET_FRAMES)
        own = first.long()[:, None] + torch.arange(_ONSET_FRAMES, device=device)
        waves = torch.arange(onsets_s.shape[1], device=device)
        is_later = (waves == onsets_s.argmax(dim=1, keepdim=True))[:, :, None]
        begun = ~is_later | (shared > own[:, -1:])[:, None]
        delays = torch.cat([shared, own], dim=1)[:, None] * hop / rate - onsets_s[..., None]
        contained = torch.cat([begun, is_later.expand(-1, -1, _ONSET_FRAMES)], dim=2)
        contained &= delays > -half
        weights = self._envelopes(delays.clamp_min(-half), slice(len(self.pulses), None))
        weights = (weights * contained[:, :, None]).flatten(1, 2).transpose(1, 2)
        powers = weights[:, None] @ (spectra * self.coda_powers).flatten(1, 2).transpose(1, 2)
        frames = torch.fft.irfft(coefficients(numbers[..., silent:, :], powers), self.n_fft)
        starts, ends = frames[..., :hop] * self.sine[:hop], frames[..., hop:] * self.sine[hop:]
        n = shared.shape[1]
        times = torch.arange(silent * hop, self.n_samples, device=device)
        motion = (ends[..., : n - 1, :] + starts[..., 1:n, :]).flatten(-2)[..., : len(times)]
        ramps = torch_ramp(times / rate - earlier[:, None])
        records[..., silent * hop : self.n_samples] = motion * ramps[:, None]
        motion = nn.functional.pad(starts[..., n:, :], (0, 0, 0, 1))
        motion[..., 1:, :] += ends[..., n:, :]
        places = (own[:, :1] - 1) * hop + torch.arange(motion[0, 0].numel(), device=device)
        ramps = torch_ramp(places / rate - later[:, None])
        ramps *= (places >= 0) & (places < self.n_samples)
        motion = motion.flatten(-2) * ramps[:, None]
        places = places.clamp(0, self.n_samples - 1)[:, None].expand_as(motion)
        records.scatter_add_(2, places, motion)

    def _envelopes(self, delays: Tensor, which: slice) -> Tensor:
        """Return the density of energy (.., envelope, delay) at delays (.., delay), no ramp.

        Exponentials continue before the onset.
        """
        decays_s, scales = self.decays_s[which, None], self.scales[which, None]
        density = torch.exp(delays[..., None, :] / -decays_s).mul_(scales)
        rising = delays.clamp_min(0.0)
        for k, envelope in enumerate((self.pulses + self.coda)[which]):
            for _ in range(envelope.order - 1):
                density[..., k, :] *= rising
        return density


def _exponential(real: Tensor, imaginary: Tensor) -> Tensor:
    """Return the exponential of complex numbers, in whose place it computes.

    Some times as fast as that of a complex tensor.
    """
    size, sine = real.exp_(), torch.sin(imaginary)
    return torch.complex(imaginary.cos_().mul_(size), sine.mul_(size))
