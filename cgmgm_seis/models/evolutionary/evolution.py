"""Evolutionary spectra as sums of modulated Gaussian processes.

Noise is stationary.  A wave that arrives at t0 is a sum of stationary processes y_k, each modulated
by an envelope that starts at the onset (Priestley 1965):

    x(t) = sum_k a_k(t - t0) y_k(t),    integral of a_k^2 = 1,    PSD of y_k = D_k(f),

so sum_k D_k(f) is the wave's mean squared Fourier amplitude.  Short envelopes, the pulses, describe
what is shorter than a window of the spectrogram; long ones, the coda, describe the slow decay.
`Evolution` computes the mean spectrogram of such records, and draws records.
"""

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
        self.n_pulse = 2 ** int(np.ceil(np.log2(_PULSE_DECAYS * slowest * sampling_rate)))
        self.frame_hop = n_fft // 2
        self.n_frames = -(-n_samples // self.frame_hop) + 1
        # Long enough that the tail of a filter does not wrap around to the start, and for a pulse.
        n_longest = n_samples + max(int(_TAIL_S * sampling_rate), self.n_pulse)
        self.n_draw = 2 * int(next_fast_len(n_longest // 2 + 1, real=True))

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
        self.powers = self._table(np.array([e.order - 1.0 for e in envelopes]), "powers")
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
        size, leading = n // 2 + 1, spectra.shape[:-1]
        lines = nn.functional.interpolate(
            spectra.reshape(1, -1, self.n_bins), size, mode="linear", align_corners=True
        )
        shape = nn.functional.interpolate(
            self.noise_shape[None, None], size, mode="linear", align_corners=True
        )
        return (lines * shape).reshape(*leading, size)

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
            (2, n_components, self.n_frames, self.n_bins),
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
        parts = (x.split(_DRAWN_RECORDS) for x in (noise, waves, onsets_s, shapes, *numbers))
        return torch.cat([self._draw(colour, *part) for part in zip(*parts, strict=True)])

    def _draw(
        self,
        colour: Tensor,
        noise: Tensor,
        waves: Tensor,
        onsets_s: Tensor,
        shapes: Tensor,
        steady: Tensor,
        brief: Tensor,
        long: Tensor,
    ) -> Tensor:
        """Draw a part of the records of `draw`."""
        n_pulses, rate = len(self.pulses), self.sampling_rate
        # Zeros behind the record are for filters, and for the pulses of onsets near its end.
        records = noise.new_zeros(*noise.shape[:2], self.n_draw)
        coda = self._coda(waves[:, :, n_pulses:], onsets_s, long)
        records[..., self.n_samples - coda.shape[-1] : self.n_samples] = coda
        steps = torch.arange(self.n_pulse, device=onsets_s.device)
        first = torch.ceil(onsets_s * rate).clamp(0, self.n_samples)
        # Rounding may put the first sample slightly before the onset.
        delays = (first / rate - onsets_s).clamp_min(0.0)[..., None] + steps / rate
        pulses = self._pulses(waves[:, :, :n_pulses], delays, brief)
        places = (first.long()[..., None] + steps)[:, :, None].expand_as(pulses)
        for wave in range(pulses.shape[1]):
            records.scatter_add_(2, places[:, wave], pulses[:, wave])
        records[..., self.n_samples :] = 0.0
        filters = _exponential(*(shapes.to(self.filters) @ part for part in self.filters))
        powers = self.noise_density(noise, self.n_draw) * self.noise_powers
        spectra = coefficients(steady, powers)
        spectra = torch.addcmul(spectra, torch.fft.rfft(records), filters) * colour
        return torch.fft.irfft(spectra, self.n_draw)[..., : self.n_samples]

    def _pulses(self, spectra: Tensor, delays: Tensor, numbers: Tensor) -> Tensor:
        """Return the pulses (record, wave, component, sample) at delays (record, wave, sample)."""
        powers = spectra.transpose(2, 3).contiguous() @ self.pulse_bins
        pulses = torch.fft.irfft(coefficients(numbers, powers), self.n_pulse)
        envelopes = self._envelopes(delays, slice(len(self.pulses)))
        amplitudes = torch.sqrt(envelopes) * _torch_ramp(delays)[:, :, None]
        return (pulses * amplitudes[:, :, None]).sum(dim=3)

    def _coda(self, spectra: Tensor, onsets_s: Tensor, numbers: Tensor) -> Tensor:
        """Return the coda (record, component, sample), from shortly before the first onset on.

        Frames with a sine window overlap by half, so that the squared windows add up to one.
        """
        hop, rate, half = self.frame_hop, self.sampling_rate, 0.5 * self.n_fft / self.sampling_rate
        # The frames before this one, and itself, end before all onsets.
        silent = int((float(onsets_s.min()) - half) * rate / hop)
        silent = min(max(silent, 0), self.n_frames - 2)
        centres = torch.arange(silent, self.n_frames, device=onsets_s.device) * hop / rate
        delays = centres - onsets_s[..., None]
        weights = self._envelopes(delays.clamp_min(-half), slice(len(self.pulses), None))
        weights = (weights * (delays > -half)[:, :, None]).transpose(2, 3)
        powers = weights[:, :, None] @ (spectra * self.coda_powers).transpose(2, 3)
        frames = torch.fft.irfft(coefficients(numbers[..., silent:, :], powers), self.n_fft)
        overlapped = frames[..., :-1, hop:] * self.sine[hop:]
        overlapped = torch.addcmul(overlapped, frames[..., 1:, :hop], self.sine[:hop])
        times = torch.arange(silent * hop, self.n_samples, device=onsets_s.device) / rate
        ramps = _torch_ramp(times - onsets_s[..., None])[:, :, None]
        return (overlapped.flatten(-2)[..., : len(times)] * ramps).sum(dim=1)

    def _envelopes(self, delays: Tensor, which: slice) -> Tensor:
        """Return the density of energy (.., envelope, delay) at delays (.., delay), no ramp.

        Exponentials continue before the onset.
        """
        tables = (self.scales, self.powers, self.decays_s)
        scales, powers, decays_s = (table[which, None] for table in tables)
        delays = delays[..., None, :]
        return scales * delays.clamp_min(0.0) ** powers * torch.exp(-delays / decays_s)

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


def _exponential(real: Tensor, imaginary: Tensor) -> Tensor:
    """Return the exponential of complex numbers, some times as fast as that of a complex tensor."""
    size = torch.exp(real)
    return torch.complex(size * torch.cos(imaginary), size * torch.sin(imaginary))


def _autocorrelation(x: Floats, n: int) -> Floats:
    """Return the autocorrelation at lags 0 .. n - 1, 1 at lag 0."""
    power = np.abs(np.fft.rfft(x, len(x) + n)) ** 2
    correlation = np.fft.irfft(power, len(x) + n)[:n]
    return np.asarray(correlation / correlation[0])
