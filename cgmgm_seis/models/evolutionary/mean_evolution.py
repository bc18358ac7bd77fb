"""The mean spectrogram of records of evolutionary spectra, and the tables it needs.

Noise is stationary.  A wave that arrives at t0 is a sum of stationary processes y_k, each modulated
by an envelope that starts at the onset (Priestley 1965):

    x(t) = sum_k a_k(t - t0) y_k(t),    integral of a_k^2 = 1,    PSD of y_k = D_k(f),

so sum_k D_k(f) is the wave's mean squared Fourier amplitude.  Short envelopes, the pulses, describe
what is shorter than a window of the spectrogram; long ones, the coda, describe the slow decay.
"""

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from scipy.fft import next_fast_len
from torch import Tensor, nn

from cgmgm_seis.models.evolutionary.envelopes import CODA, PULSES, Envelope, ramp
from cgmgm_seis.models.evolutionary.minimum_phase import hats, log_responses
from cgmgm_seis.scenario.arrays import Floats

# Least length of a drawn pulse in units of its decay, times its order.
_PULSE_DECAYS = 10.0
# Steps per sample when envelopes are integrated, and frequencies per bin when leakage is computed.
_OVERSAMPLING = 8
# Fine frequencies of the waves: number, lowest in Hz, and highest as a share of the sampling rate.
_N_NODES, _LOWEST_HZ, _HIGHEST = 32, 0.1, 0.4
# Time by which filters may prolong a record, s.
_TAIL_S = 10.0


class MeanEvolution(nn.Module):
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
    >>> evolution = MeanEvolution(6000)
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
        self.pulse_groups = self._pulse_groups()
        self.n_pulse = max(n for _, n in self.pulse_groups)
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
        for _, n in self.pulse_groups:
            self._table(self._interpolation(n) * self._powers(n), f"pulse_bins_{n}")
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
        return resampled(spectra, n // 2 + 1) * resampled(self.noise_shape, n // 2 + 1)

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

    def _pulse_groups(self) -> list[tuple[slice, int]]:
        """Return slices of pulses of one length, and it: the longest, or half of it if enough."""
        needed = [
            _PULSE_DECAYS * envelope.order * envelope.decay_s * self.sampling_rate
            for envelope in self.pulses
        ]
        half = _fast_length(0.5 * max(needed))
        lengths = [half if length <= half else 2 * half for length in needed]
        groups, first = [], 0
        for n, group in groupby(lengths):
            last = first + len(list(group))
            groups.append((slice(first, last), n))
            first = last
        return groups

    def _energies(self) -> Iterator[tuple[Floats, bool]]:
        """Yield the energy of every envelope by sample, and whether it is drawn in frames."""
        steps = self._steps(0, self.n_samples)
        for envelopes, framed in ((self.pulses, False), (self.coda, True)):
            for envelope in envelopes:
                fine = self._framed(envelope, steps) if framed else envelope.energy(steps)
                yield fine.mean(axis=1), framed

    def _steps(self, first: int, last: int) -> Floats:
        """Return delays (sample, step) after an onset, s, of samples from `first` to `last` - 1."""
        halves = np.arange(_OVERSAMPLING * first, _OVERSAMPLING * last, dtype=np.float64) + 0.5
        return (halves / (_OVERSAMPLING * self.sampling_rate)).reshape(-1, _OVERSAMPLING)

    def _framed(self, envelope: Envelope, delay_s: Floats) -> Floats:
        """Return the energy of an envelope that is drawn in overlapping frames.

        An exponential remains one, since it continues before the onset in frames across it.
        """
        weights = np.sin(np.pi * np.arange(self.n_fft) / self.n_fft) ** 2 / self.frame_hop
        around = self._steps(-self.frame_hop, self.n_samples + self.n_fft - self.frame_hop - 1)
        frames = sliding_window_view(envelope.decaying(around), self.n_fft, axis=0)
        return np.einsum("...f,f->...", frames, weights) * ramp(delay_s) ** 2

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


def resampled(spectra: Tensor, n: int) -> Tensor:
    """Return spectra (.., bin) at n frequencies from 0 to Nyquist, linear between the bins."""
    lines = nn.functional.interpolate(
        spectra.reshape(1, -1, spectra.shape[-1]), n, mode="linear", align_corners=True
    )
    return lines.reshape(*spectra.shape[:-1], n)


def _fast_length(n: float) -> int:
    """Return an even length of at least n, of which the Fourier transform is fast."""
    return 2 * int(next_fast_len(math.ceil(0.5 * n), real=True))


def _autocorrelation(x: Floats, n: int) -> Floats:
    """Return the autocorrelation at lags 0 .. n - 1, 1 at lag 0."""
    power = np.abs(np.fft.rfft(x, len(x) + n)) ** 2
    correlation = np.fft.irfft(power, len(x) + n)[:n]
    return np.asarray(correlation / correlation[0])
