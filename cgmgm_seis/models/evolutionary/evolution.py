"""Drawing records of evolutionary spectra: noise, and sums of modulated Gaussian processes."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from cgmgm_seis.models.evolutionary.envelopes import torch_ramp
from cgmgm_seis.models.evolutionary.gaussian import coefficients, fill
from cgmgm_seis.models.evolutionary.mean_evolution import MeanEvolution, resampled

# Frames of the coda that may contain an onset and its ramp.
_ONSET_FRAMES = 3
# Records drawn at once, so few that most of their arrays stay in the cache of a processor.
_DRAWN_RECORDS = 16


class Evolution(MeanEvolution):
    """Evolutionary spectra of records, see `MeanEvolution`, and the records."""

    @staticmethod
    def keys(generators: Sequence[np.random.Generator]) -> Tensor:
        """Return the keys of `gaussian.fill` of records, (record, 3), from their generators."""
        words = [random.bit_generator.random_raw(3) for random in generators]
        return torch.as_tensor(np.array(words).view(np.int64))

    def draw(
        self,
        noise: Tensor,
        waves: Tensor,
        onsets_s: Tensor,
        keys: Tensor,
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
        keys : torch.Tensor
            Keys of the records' random numbers, see `keys`, (record, 3).
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
        # The filter of all records is one more node, whose ln amplitude is 1.
        ln_colour = torch.view_as_real(colour.log()).T[:, None].to(self.filters)
        filters = torch.cat([self.filters, ln_colour], dim=1)
        shapes = nn.functional.pad(shapes, (0, 1), value=1.0).to(filters)
        parts = (x.split(_DRAWN_RECORDS) for x in (noise, waves, onsets_s, keys, shapes))
        return torch.cat([self._draw(steady, filters, *part) for part in zip(*parts, strict=True)])

    def _draw(
        self,
        steady: Tensor,
        filters: Tensor,
        noise: Tensor,
        waves: Tensor,
        onsets_s: Tensor,
        keys: Tensor,
        shapes: Tensor,
    ) -> Tensor:
        """Draw a part of the records of `draw`, with power of noise and logarithms of filters."""
        n_pulses, rate = len(self.pulses), self.sampling_rate
        endless, long, *brief = self._numbers(keys, noise.shape[1])
        # Zeros behind the record are for filters, and for the pulses of onsets near its end.
        records = noise.new_zeros(*noise.shape[:2], self.n_draw)
        self._add_coda(records, waves[:, :, n_pulses:], onsets_s, *long)
        steps = torch.arange(self.n_pulse, device=onsets_s.device)
        first = torch.ceil(onsets_s * rate).clamp(0, self.n_samples)
        # Rounding may put the first sample slightly before the onset.
        delays = (first / rate - onsets_s).clamp_min(0.0)[..., None] + steps / rate
        pulses = self._pulses(waves[:, :, :n_pulses], delays, brief)
        places = (first.long()[..., None] + steps)[:, :, None].expand_as(pulses)
        for wave in range(pulses.shape[1]):
            records.scatter_add_(2, places[:, wave], pulses[:, wave])
        records[..., self.n_samples :] = 0.0
        real, imaginary = (shapes @ part for part in filters)
        spectra = torch.fft.rfft(records).mul_(_exponential(real, imaginary))
        powers = resampled(noise, len(steady)).mul_(steady)
        spectra += coefficients(*endless, powers)
        return torch.fft.irfft(spectra, self.n_draw)[..., : self.n_samples]

    def _numbers(self, keys: Tensor, n_components: int) -> list[tuple[Tensor, Tensor]]:
        """Return numbers and phases, each (record, ..), of noise, coda and groups of pulses.

        They are drawn by the processor also if another device computes what follows.
        """
        shapes = [
            (n_components, self.n_draw // 2 + 1),
            (n_components, self.n_frames + _ONSET_FRAMES, self.n_bins),
            *((2, n_components, p.stop - p.start, n // 2 + 1) for p, n in self.pulse_groups),
        ]
        sizes = [math.prod(shape) for shape in shapes]
        shape = len(keys), sum(sizes)
        numbers, phases = np.empty(shape, np.float32), np.empty(shape, np.complex64)
        for key, own, turns in zip(keys.cpu().numpy(), numbers, phases, strict=True):
            fill(key.view(np.uint64), own, turns)
        drawn = (
            torch.as_tensor(x).to(self.sine.device).split(sizes, dim=1) for x in (numbers, phases)
        )
        return [
            (own.unflatten(1, shape), turns.unflatten(1, shape))
            for shape, own, turns in zip(shapes, *drawn, strict=True)
        ]

    def _pulses(
        self, spectra: Tensor, delays: Tensor, numbers: Sequence[tuple[Tensor, Tensor]]
    ) -> Tensor:
        """Return the pulses (record, wave, component, sample) at delays (record, wave, sample)."""
        spectra = spectra.transpose(2, 3)
        pulses = spectra.new_zeros(*spectra.shape[:3], self.n_pulse)
        ramps = torch_ramp(delays)[:, :, None]
        for (which, n), own in zip(self.pulse_groups, numbers, strict=True):
            powers = spectra[:, :, :, which].contiguous() @ self.get_buffer(f"pulse_bins_{n}")
            amplitudes = self._envelopes(delays[..., :n], which).sqrt_().mul_(ramps[..., :n])
            drawn = torch.fft.irfft(coefficients(*own, powers), n)
            pulses[..., :n] += drawn.mul_(amplitudes[:, :, None]).sum(dim=3)
        return pulses

    def _add_coda(
        self, records: Tensor, spectra: Tensor, onsets_s: Tensor, numbers: Tensor, phases: Tensor
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
        silent = int((float(onsets_s.detach().min()) - half) * rate / hop)
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
        drawn = coefficients(numbers[..., silent:, :], phases[..., silent:, :], powers)
        frames = torch.fft.irfft(drawn, self.n_fft).mul_(self.sine)
        starts, ends = frames.split(hop, dim=-1)
        n = shared.shape[1]
        times = torch.arange(silent * hop, self.n_samples, device=device)
        motion = (ends[..., : n - 1, :] + starts[..., 1:n, :]).flatten(-2)[..., : len(times)]
        ramps = torch_ramp(times / rate - earlier[:, None])
        records[..., silent * hop : self.n_samples] = motion.mul_(ramps[:, None])
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
