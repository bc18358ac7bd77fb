"""Drawing records of evolutionary spectra: noise, and sums of modulated Gaussian processes."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from cgmgm_seis.models.evolutionary.envelopes import RAMP_S, torch_ramp
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
        pulses, coda = waves.split([len(self.pulses), len(self.coda)], dim=2)
        pulses = pulses.transpose(2, 3)
        # What takes little memory is computed for all records.
        batch = {
            "noise": noise,
            "keys": keys,
            "onsets_s": onsets_s,
            "shapes": nn.functional.pad(shapes, (0, 1), value=1.0).to(filters),
            "coda": (coda * self.coda_powers).flatten(1, 2).transpose(1, 2),
            **self._coda_times(onsets_s),
            **self._pulse_times(onsets_s),
        }
        for which, n in self.pulse_groups:
            batch[f"pulses_{n}"] = pulses[:, :, :, which] @ self.get_buffer(f"pulse_bins_{n}")
        parts = zip(*(values.split(_DRAWN_RECORDS) for values in batch.values()), strict=True)
        return torch.cat(
            [self._draw(dict(zip(batch, part, strict=True)), steady, filters) for part in parts]
        )

    def _draw(self, batch: Mapping[str, Tensor], steady: Tensor, filters: Tensor) -> Tensor:
        """Draw a part of the records of `draw`, with power of noise and logarithms of filters."""
        noise = batch["noise"]
        endless, long, *brief = self._numbers(batch["keys"], noise.shape[1])
        # Zeros behind the record are for filters, and for the pulses of onsets near its end.
        records = noise.new_zeros(*noise.shape[:2], self.n_draw)
        self._add_coda(records, batch, *long)
        self._add_pulses(records, batch, brief)
        records[..., self.n_samples :] = 0.0
        real, imaginary = (batch["shapes"] @ part for part in filters)
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

    def _pulse_times(self, onsets_s: Tensor) -> dict[str, Tensor]:
        """Return where in records the pulses are, and their amplitudes, for `_add_pulses`."""
        rate = self.sampling_rate
        steps = torch.arange(self.n_pulse, device=onsets_s.device)
        first = torch.ceil(onsets_s * rate).clamp(0, self.n_samples)
        # Rounding may put the first sample slightly before the onset.
        delays = (first / rate - onsets_s).clamp_min(0.0)[..., None] + steps / rate
        amplitudes = self._envelopes(delays, slice(len(self.pulses))).sqrt_()
        return {
            "pulse_places": (first.long()[..., None] + steps)[:, :, None],
            "pulse_amplitudes": (amplitudes * torch_ramp(delays)[:, :, None])[:, :, None],
        }

    def _add_pulses(
        self,
        records: Tensor,
        batch: Mapping[str, Tensor],
        numbers: Sequence[tuple[Tensor, Tensor]],
    ) -> None:
        """Add the pulses of both waves to records (record, component, sample)."""
        places, amplitudes = batch["pulse_places"], batch["pulse_amplitudes"]
        pulses = records.new_zeros(*places.shape[:2], records.shape[1], self.n_pulse)
        for (which, n), own in zip(self.pulse_groups, numbers, strict=True):
            drawn = torch.fft.irfft(coefficients(*own, batch[f"pulses_{n}"]), n)
            pulses[..., :n] += drawn.mul_(amplitudes[..., which, :n]).sum(dim=3)
        for wave, place in enumerate(places.expand_as(pulses).unbind(1)):
            records.scatter_add_(2, place, pulses[:, wave])

    def _coda_times(self, onsets_s: Tensor) -> dict[str, Tensor]:
        """Return the weights of the coda's densities in frames, and ramps, for `_add_coda`.

        Once the later wave has begun, one set of frames is of both waves: the sum of Gaussian
        processes is a Gaussian process of the sum of their powers.  Around its onset the later
        wave, which has a ramp of its own, is drawn apart, in the last frames.
        """
        hop, rate, device = self.frame_hop, self.sampling_rate, onsets_s.device
        half = 0.5 * self.n_fft / rate
        shared = torch.arange(self.n_frames, device=device).expand(len(onsets_s), -1)
        later = onsets_s.amax(dim=1, keepdim=True)
        first = torch.floor(later * rate / hop).clamp(0, self.n_frames - _ONSET_FRAMES)
        apart = first.long() + torch.arange(_ONSET_FRAMES, device=device)
        waves = torch.arange(onsets_s.shape[1], device=device)
        is_later = (waves == onsets_s.argmax(dim=1, keepdim=True))[:, :, None]
        begun = ~is_later | (shared > apart[:, -1:])[:, None]
        delays = torch.cat([shared, apart], dim=1)[:, None] * hop / rate - onsets_s[..., None]
        contained = torch.cat([begun, is_later.expand(-1, -1, _ONSET_FRAMES)], dim=2)
        contained &= delays > -half
        weights = self._envelopes(delays.clamp_min(-half), slice(len(self.pulses), None))
        weights = (weights * contained[:, :, None]).flatten(1, 2).transpose(1, 2)
        places = (apart[:, :1] - 1) * hop + torch.arange((_ONSET_FRAMES + 1) * hop, device=device)
        ramps = torch_ramp(places / rate - later)
        ramps *= (places >= 0) & (places < self.n_samples)
        return {
            "coda_weights": weights[:, None],
            "coda_ramps": self._ramps(onsets_s.amin(dim=1, keepdim=True))[:, None],
            "later_places": places.clamp(0, self.n_samples - 1)[:, None],
            "later_ramps": ramps[:, None],
        }

    def _ramps(self, onsets_s: Tensor) -> Tensor:
        """Return the ramps (record, sample) of onsets (record, 1) in the samples of records."""
        rate = self.sampling_rate
        samples = torch.arange(self.n_samples, device=onsets_s.device)
        # Only these are neither 0 nor 1.
        few = torch.arange(math.ceil(RAMP_S * rate) + 1, device=onsets_s.device)
        first = torch.floor(onsets_s * rate)
        places = (first.long() + few).clamp(0, self.n_samples - 1)
        ramps = (samples > first).to(onsets_s)
        return ramps.scatter_(1, places, torch_ramp(places / rate - onsets_s))

    def _add_coda(
        self, records: Tensor, batch: Mapping[str, Tensor], numbers: Tensor, phases: Tensor
    ) -> None:
        """Add the coda to silent records (record, component, sample).

        Frames with a sine window overlap by half, so that the squared windows add up to one.
        """
        hop = self.frame_hop
        # The frames before this one, and itself, end before all onsets.
        earliest = float(batch["onsets_s"].detach().min())
        silent = int((earliest * self.sampling_rate - 0.5 * self.n_fft) / hop)
        silent = min(max(silent, 0), self.n_frames - 2)
        powers = batch["coda_weights"][:, :, silent:] @ batch["coda"]
        drawn = coefficients(numbers[..., silent:, :], phases[..., silent:, :], powers)
        frames = torch.fft.irfft(drawn, self.n_fft).mul_(self.sine)
        starts, ends = frames.split(hop, dim=-1)
        n = self.n_frames - silent
        ramps = batch["coda_ramps"][..., silent * hop :]
        motion = (ends[..., : n - 1, :] + starts[..., 1:n, :]).flatten(-2)
        motion = motion[..., : ramps.shape[-1]].mul_(ramps)
        records[..., silent * hop : self.n_samples] = motion
        motion = nn.functional.pad(starts[..., n:, :], (0, 0, 0, 1))
        motion[..., 1:, :] += ends[..., n:, :]
        motion = motion.flatten(-2) * batch["later_ramps"]
        records.scatter_add_(2, batch["later_places"].expand_as(motion), motion)

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
