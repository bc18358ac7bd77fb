"""Evolutionary spectra as sums of modulated Gaussian processes.

Noise is stationary.  A wave that arrives at t0 is a sum of stationary processes y_k, each modulated
by an envelope that starts at the onset (Priestley 1965):

    x(t) = sum_k a_k(t - t0) y_k(t),    integral of a_k^2 = 1,    PSD of y_k = D_k(f),

so sum_k D_k(f) is the wave's mean squared Fourier amplitude.  Short envelopes, the pulses, describe
what is shorter than a window of the spectrogram; long ones, the coda, describe the slow decay.
`Evolution` computes the mean spectrogram of such records, and draws records.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor, nn

from cgmgm_seis.models.evolutionary.gaussian import coefficients
from cgmgm_seis.models.evolutionary.minimum_phase import hats, log_responses
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.seeding import fill_uniform

# Amplitudes rise from zero to one within this time after an onset, s.
RAMP_S = 0.03
# Length of a drawn pulse in units of its slowest decay.
_PULSE_DECAYS = 10.0
# Steps per sample when envelopes are integrated, and frequencies per bin when leakage is computed.
_OVERSAMPLING = 8
# Fine frequencies of the waves: number, lowest in Hz, and highest as a share of the sampling rate.
_N_NODES, _LOWEST_HZ, _HIGHEST = 32, 0.1, 0.4
# Time by which filters may prolong a record, s.
_TAIL_S = 10.0
# Frames of the coda that may contain an onset and its ramp.
_ONSET_FRAMES = 3
# Records drawn at once, so few that most of their arrays stay in the cache of a processor.
_DRAWN_RECORDS = 8


@dataclass(frozen=True)
class Envelope:
    """Energy after an onset: d^(order - 1) exp(-d / decay), times the ramp; its integral is 1."""

    order: int
    decay_s: float

    def energy(self, delay_s: Floats) -> Floats:
        """Return the energy density at delays after the onset (s), not yet normalised."""
        return self.decaying(delay_s) * (delay_s > 0.0) * _ramp(delay_s) ** 2

    def decaying(self, delay_s: Floats) -> Floats:
        """Return `energy` without the ramp; an exponential continues before the onset."""
        rising = np.maximum(delay_s, 0.0) if self.order > 1 else np.ones_like(delay_s)
        return rising ** (self.order - 1) * np.exp(-delay_s / self.decay_s)


PULSES = (Envelope(1, 0.05), Envelope(1, 0.15), Envelope(2, 0.1), Envelope(1, 0.4))
CODA = (
    Envelope(1, 1.0),
    Envelope(2, 1.0),
    Envelope(1, 2.5),
    Envelope(2, 3.0),
    Envelope(1, 7.0),
    Envelope(1, 20.0),
)


def _ramp(delay_s: Floats) -> Floats:
    """Return the amplitude of an onset: 0 before it, rising to 1."""
    return np.sin(0.5 * np.pi * np.clip(delay_s / RAMP_S, 0.0, 1.0)) ** 2


class Evolution(nn.Module):
    """Records of a fixed length as noise and two waves, P and S, of given spectra.

    Spectra are given at the bins of the spectrogram, f_b = b fs / n_fft.  These cannot resolve
    spectra below 2 Hz, so noise and waves also have finer shapes, `noise_shape` and `wave_shape`,
    common to all records.  The shape of the waves is a minimum-phase filter, which keeps onsets.

    Parameters
    ----------
    n_samples : int
        Length of the records.
    sampling_rate : float
        Hz.
    n_fft : int
        Length of the spectrogram's Hann window and of the frames of the coda, samples.
    pulses, coda : sequence of Envelope
        Envelopes of a wave; D_k are in this order, pulses first.

    Examples
    --------
    >>> evolution = Evolution(6000)
    >>> evolution.n_envelopes, evolution.n_bins
    (10, 81)
    """

    def __init__(
        self,
        n_samples: int,
        sampling_rate: float = 100.0,
        n_fft: int = 160,
        pulses: Sequence[Envelope] = PULSES,
        coda: Sequence[Envelope] = CODA,
    ) -> None:
        super().__init__()
        self.n_samples = n_samples
        self.sampling_rate = sampling_rate
        self.n_fft = n_fft
        self.pulses = tuple(pulses)
        self.coda = tuple(coda)
        self.n_bins = n_fft // 2 + 1
        self.finest = _OVERSAMPLING * n_fft
        self.n_envelopes = len(self.pulses) + len(self.coda)
        slowest = max(envelope.decay_s for envelope in self.pulses)
        self.n_pulse = _fast_length(_PULSE_DECAYS * slowest * sampling_rate)
        self.frame_hop = n_fft // 2
        self.n_frames = -(-n_samples // self.frame_hop) + 1
        # Long enough that the tail of a filter does not wrap around to the start, and for a pulse.
        n_longest = n_samples + max(int(_TAIL_S * sampling_rate), self.n_pulse)
        self.n_draw = _fast_length(n_longest)

        window = np.hanning(n_fft + 1)[:-1]
        sine = np.sqrt(window)
        self.noise_response = sampling_rate * float(np.sum(window**2))
        self.nodes_hz: Floats = np.geomspace(_LOWEST_HZ, _HIGHEST * sampling_rate, _N_NODES)
        responses, scales, smears = [], [], []
        for energy, framed in self._energies():
            scales.append(sampling_rate / energy.sum())
            responses.append(self._response(window, energy * scales[-1]))
            smears.append(self._smear(np.sqrt(energy), sine if framed else None))
        self.responses = self._table(np.stack(responses, axis=1), "responses")
        self.smears = self._table(np.stack(smears), "smears")
        envelopes = self.pulses + self.coda
        self.scales = self._table(np.array(scales), "scales")
        self.decays_s = self._table(np.array([e.decay_s for e in envelopes]), "decays_s")
        self.window = self._table(window, "window")
        seen = self._kernel(_autocorrelation(window, n_fft), to=_OVERSAMPLING)
        self.noise_kernel = self._table(seen, "kernel")
        lines = np.arange(self.finest // 2 + 1) * sampling_rate / self.finest
        self.node_lines = self._table(hats(self.nodes_hz, lines), "node_lines")
        self.node_bins = self._table(hats(self.nodes_hz, lines[::_OVERSAMPLING]), "node_bins")
        filters = log_responses(self.nodes_hz, self.n_draw, sampling_rate)
        self.filters = self._table(np.stack([filters.real, filters.imag]), "filters")
        self.noise_shape: Tensor
        self.wave_shape: Tensor
        self.leakages: Tensor
        self.register_buffer("noise_shape", torch.ones(self.finest // 2 + 1))
        self.register_buffer("wave_shape", torch.zeros(_N_NODES))
        self.register_buffer("leakages", torch.empty(0))
        self.set_wave_shape(self.wave_shape)
        self.pulse_bins = self._table(
            self._interpolation(self.n_pulse) * self._powers(self.n_pulse), "pulse_bins"
        )
        self.coda_powers = self._table(self._powers(n_fft), "coda_powers")
        self.noise_powers = self._table(self._powers(self.n_draw), "noise_powers")
        self.sine = self._table(sine, "sine")

    # ---- the mean spectrogram --------------------------------------------------------------

    def leaked(self, spectra: Tensor) -> Tensor:
        """Return D_k, shape (.., envelope, component, bin), after leakage into the spectrogram.

        Modulation and windows smear a spectrum over frequency; this is the mean over the frames.
        """
        return torch.einsum("...kcf,kfg->...kcg", spectra, self.leakages)

    def set_wave_shape(self, shape: Tensor) -> None:
        """Set the ln amplitude (node,) of the filter of all waves, and update the leakage."""
        self.wave_shape = shape.to(self.wave_shape)
        squared = torch.exp(2.0 * self.wave_shape @ self.node_lines)
        self.leakages = (self.smears * squared) @ self.noise_kernel

    def leaked_noise(self, spectra: Tensor) -> Tensor:
        """Return the noise's PSD, shape (.., bin), after leakage into the spectrogram."""
        lines = self.noise_density(torch.eye(self.n_bins).to(spectra), self.finest)
        return spectra @ (lines @ self.noise_kernel)

    def noise_density(self, spectra: Tensor, n: int) -> Tensor:
        """Return the noise's PSD, given at the bins, at the n/2 + 1 frequencies of an rfft.

        Between the bins it is linear, times the finer `noise_shape` common to all records: 0.625 Hz
        bins cannot resolve the low-frequency roll-off of recordings.
        """
        return _resampled(spectra, n // 2 + 1) * _resampled(self.noise_shape, n // 2 + 1)

    def fit_noise_shape(self, noise: Floats) -> None:
        """Set `noise_shape` from recorded noise (record, component, sample).

        It is the geometric mean of the records' spectra, so that loud records do not dominate.
        """
        window = np.hanning(noise.shape[-1] + 1)[:-1]
        powers = np.abs(np.fft.rfft(noise * window, self.finest)) ** 2
        mean = np.exp(np.log(powers + 1e-30 * powers.max()).mean(axis=(0, 1)))
        seen = mean @ self.noise_kernel.cpu().numpy()
        lines = np.interp(np.arange(len(mean)) / _OVERSAMPLING, np.arange(self.n_bins), seen)
        self.noise_shape = torch.as_tensor(mean / lines).to(self.noise_shape)

    def response(self, delay_s: Tensor) -> Tensor:
        """Return the weight (.., envelope) of leaked D_k in a frame centred `delay_s` after onset.

        The mean power of a frame is the sum of the weighted D_k, plus `noise_response` times the
        noise.  Weights are linear between samples, so that they have a gradient in the onsets.
        """
        place = delay_s * self.sampling_rate + self.n_fft // 2 + 1
        place = place.clamp(0.0, len(self.responses) - 1.001)
        # If a training has diverged, onsets are NaN; the result is then NaN too.
        index = place.detach().nan_to_num(0.0).floor().long()
        return torch.lerp(
            self.responses[index], self.responses[index + 1], (place - index)[..., None]
        )

    # ---- drawing ---------------------------------------------------------------------------

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
        parts = (x.split(_DRAWN_RECORDS) for x in (noise, waves, onsets_s, shapes, *numbers))
        return torch.cat(
            [self._draw(steady, colour.log(), *part) for part in zip(*parts, strict=True)]
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
        powers = _resampled(noise, len(steady)).mul_(steady)
        spectra += coefficients(endless, powers)
        return torch.fft.irfft(spectra, self.n_draw)[..., : self.n_samples]

    def _pulses(self, spectra: Tensor, delays: Tensor, numbers: Tensor) -> Tensor:
        """Return the pulses (record, wave, component, sample) at delays (record, wave, sample)."""
        powers = spectra.transpose(2, 3).contiguous() @ self.pulse_bins
        pulses = torch.fft.irfft(coefficients(numbers, powers), self.n_pulse)
        envelopes = self._envelopes(delays, slice(len(self.pulses)))
        amplitudes = torch.sqrt(envelopes) * _torch_ramp(delays)[:, :, None]
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
        ramps = _torch_ramp(times / rate - earlier[:, None])
        records[..., silent * hop : self.n_samples] = motion * ramps[:, None]
        motion = nn.functional.pad(starts[..., n:, :], (0, 0, 0, 1))
        motion[..., 1:, :] += ends[..., n:, :]
        places = (own[:, :1] - 1) * hop + torch.arange(motion[0, 0].numel(), device=device)
        ramps = _torch_ramp(places / rate - later[:, None])
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

    # ---- tables ----------------------------------------------------------------------------

    def _table(self, values: Floats, name: str) -> Tensor:
        """Register a buffer that is not part of the weights, and return it."""
        table = torch.as_tensor(values, dtype=torch.float32)
        self.register_buffer(name, table, persistent=False)
        return table

    @cached_property
    def energies(self) -> Floats:
        """Density of energy (envelope, sample) after an onset, 1/s, of integral 1."""
        energies = np.stack([energy for energy, _ in self._energies()])
        return energies * self.sampling_rate / energies.sum(axis=1, keepdims=True)

    def _energies(self) -> Iterator[tuple[Floats, bool]]:
        """Yield the energy of every envelope by sample, and whether it is drawn in frames."""
        halves = np.arange(_OVERSAMPLING * self.n_samples, dtype=np.float64) + 0.5
        steps: Floats = halves / (_OVERSAMPLING * self.sampling_rate)
        for envelopes, framed in ((self.pulses, False), (self.coda, True)):
            for envelope in envelopes:
                fine = self._framed(envelope, steps) if framed else envelope.energy(steps)
                yield fine.reshape(self.n_samples, _OVERSAMPLING).mean(axis=1), framed

    def _framed(self, envelope: Envelope, delay_s: Floats) -> Floats:
        """Return the energy of an envelope that is drawn in overlapping frames.

        An exponential remains one, since it continues before the onset in frames across it.
        """
        samples = np.arange(self.n_fft)
        weights = np.sin(np.pi * samples / self.n_fft) ** 2 / self.frame_hop
        offsets = (samples - self.frame_hop) / self.sampling_rate
        framed = sum(
            weight * envelope.decaying(delay_s + offset)
            for offset, weight in zip(offsets, weights, strict=True)
        )
        return np.asarray(framed) * _ramp(delay_s) ** 2

    def _response(self, window: Floats, energy: Floats) -> Floats:
        """Return the energy in a window centred at -n_fft/2 - 1, .. samples from the onset."""
        seen = np.convolve(energy, (window**2)[::-1])[: self.n_samples]
        return np.concatenate([[0.0, 0.0], self.sampling_rate * seen])

    def _smear(self, amplitude: Floats, frame: Floats | None) -> Floats:
        """Return the weights (bin, line) of D_k's bins in the fine spectrum of the drawn process.

        They are the Fourier transform of the autocorrelation of the modulation and, if the process
        is drawn in frames, of their window.  Spectra of pulses are linear between bins.
        """
        correlation = _autocorrelation(amplitude, self.finest // 2)
        if frame is not None:
            correlation = correlation * _autocorrelation(frame, self.finest // 2)
            return self._kernel(correlation, of=_OVERSAMPLING)
        return np.asarray(self._interpolation(self.finest) @ self._kernel(correlation))

    def _kernel(self, correlation: Floats, of: int = 1, to: int = 1) -> Floats:
        """Return weights of every `of`-th fine frequency of a spectrum in every `to`-th.

        For a process times a modulation with this autocorrelation: its Fourier transform, folded
        at 0 Hz and at the Nyquist frequency.
        """
        n = self.finest
        both = np.zeros(n)
        both[: len(correlation)] = correlation
        both[n - len(correlation) + 1 :] = correlation[:0:-1]
        kernel = np.fft.fft(both).real * of / n
        places = np.arange(0, n // 2 + 1, of)[:, None]
        lines = np.arange(0, n // 2 + 1, to)
        folded = kernel[(places - lines) % n] + kernel[(places + lines) % n]
        folded[[0, -1]] *= 0.5
        return np.asarray(folded)

    def _powers(self, n: int) -> Floats:
        """Return the mean squared rfft (n/2 + 1,) of n samples of a process of two-sided PSD 1.

        At 0 Hz and Nyquist irfft uses the real part only, which must have all of the variance.
        """
        powers = np.full(n // 2 + 1, n * self.sampling_rate)
        powers[[0, -1]] *= 2.0
        return powers

    def _interpolation(self, n: int) -> Floats:
        """Return the matrix (bin, frequency) from bins to the n/2 + 1 frequencies of an rfft."""
        place = np.arange(n // 2 + 1) * self.n_fft / n
        return np.maximum(0.0, 1.0 - np.abs(np.arange(self.n_bins)[:, None] - place))


def _torch_ramp(delay_s: Tensor) -> Tensor:
    return torch.sin(0.5 * torch.pi * (delay_s / RAMP_S).clamp(0.0, 1.0)) ** 2


def _resampled(spectra: Tensor, n: int) -> Tensor:
    """Return spectra (.., bin) at n frequencies from 0 to Nyquist, linear between the bins."""
    lines = nn.functional.interpolate(
        spectra.reshape(1, -1, spectra.shape[-1]), n, mode="linear", align_corners=True
    )
    return lines.reshape(*spectra.shape[:-1], n)


def _exponential(real: Tensor, imaginary: Tensor) -> Tensor:
    """Return the exponential of complex numbers, in whose place it computes.

    Some times as fast as that of a complex tensor.
    """
    size, sine = real.exp_(), torch.sin(imaginary)
    return torch.complex(imaginary.cos_().mul_(size), sine.mul_(size))


def _fast_length(n: float) -> int:
    """Return an even length of at least n, of which the Fourier transform is fast."""
    return 2 * int(next_fast_len(math.ceil(0.5 * n), real=True))


def _autocorrelation(x: Floats, n: int) -> Floats:
    """Return the autocorrelation at lags 0 .. n - 1, 1 at lag 0."""
    power = np.abs(np.fft.rfft(x, len(x) + n)) ** 2
    correlation = np.fft.irfft(power, len(x) + n)[:n]
    return np.asarray(correlation / correlation[0])
