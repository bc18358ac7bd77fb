"""Tables that turn the spectra of EvolutionaryCGM into distributions of smoothed amplitudes.

The Fourier transform of a record is complex Gaussian.  Its smoothed amplitude scatters the less,
the more independent frequencies the smoothing window covers; neighbouring frequencies are the more
similar, the shorter the motion.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from cgmgm_seis.measures.intensity import konno_ohmachi_matrix
from cgmgm_seis.models.evolutionary.evolution import Evolution
from cgmgm_seis.models.evolutionary.minimum_phase import hats
from cgmgm_seis.scenario.arrays import Floats

# Lags between frequencies at which coherences are computed.
N_LAGS = 18
# Autocorrelations of smoothing windows below this are neglected.
LEAST_OVERLAP = 1e-3
# Frequencies at which latents change the spectrum of an oscillator, lowest in Hz.
N_MOMENT_NODES, LOWEST_MOMENT_HZ = 24, 0.2
# Times after an onset, s, between which the energy of strong motion is computed.
N_TIMES, FIRST_TIME_S = 56, 0.02


def interpolation(places: Floats, frequencies: Floats) -> Floats:
    """Return the matrix (place, frequency) of linear interpolation."""
    return np.stack([np.interp(frequencies, places, row) for row in np.eye(len(places))])


class SmoothingTables(NamedTuple):
    """Smoothing of amplitudes at some frequencies.

    Parameters
    ----------
    smoothing : numpy.ndarray
        From amplitudes at the fine frequencies of `Evolution` to smoothed ones, (line, frequency).
    step : numpy.ndarray
        Squared smoothed amplitude of a step of 1 m/s between the ends of a record, (frequency,).
    bins, fine : numpy.ndarray
        Interpolation from the bins of the spectrogram, (bin, frequency), and from the fine
        frequencies, (line, frequency).
    lags : numpy.ndarray
        Weights of the lags in the variance of a smoothed amplitude, (lag, frequency).
    lags_hz : numpy.ndarray
        Lags between frequencies, (lag,), the first 0.
    coherences : numpy.ndarray
        Complex coherence of every envelope, (envelope, lag).
    root : numpy.ndarray
        Root (frequency, frequency) of the correlation between smoothed amplitudes, as large as
        their windows overlap.
    """

    smoothing: Floats
    step: Floats
    bins: Floats
    fine: Floats
    lags: Floats
    lags_hz: Floats
    coherences: Floats
    root: Floats

    @classmethod
    def of(cls, evolution: Evolution, frequencies: Sequence[float]) -> "SmoothingTables":
        """Return the tables for the records of an `Evolution` and frequencies in Hz."""
        n, rate = evolution.n_samples, evolution.sampling_rate
        lines = np.arange(n // 2 + 1) * rate / n
        fine = np.arange(evolution.finest // 2 + 1) * rate / evolution.finest
        bins = np.arange(evolution.n_bins) * rate / evolution.n_fft
        windows = konno_ohmachi_matrix(lines, frequencies)
        # The spectrum of a sampled step, where that of a continuous one is 1 / (2 pi f).
        step = windows[:, 1:] @ (0.5 / rate / np.sin(np.pi * lines[1:] / rate))
        overlap = _autocorrelations(windows)
        seen = np.flatnonzero((overlap > LEAST_OVERLAP * overlap[:, :1]).any(axis=0))
        last = 1 + int(seen.max(initial=0))
        lags = np.unique(np.geomspace(1.0, last, N_LAGS - 1).round().astype(int))
        lags = np.concatenate([[0], lags])
        spread = interpolation(lags.astype(float), np.arange(last + 1.0))
        twice = np.where(np.arange(last + 1) > 0, 2.0, 1.0)
        times = (np.arange(n) + 0.5) / rate
        turns = np.exp(-2j * np.pi * np.outer(times, lags * rate / n))
        values, vectors = np.linalg.eigh(_correlation(windows))
        return cls(
            (windows @ interpolation(fine, lines).T).T,
            step**2,
            interpolation(bins, np.asarray(frequencies, float)),
            interpolation(fine, np.asarray(frequencies, float)),
            spread @ (twice * overlap[:, : last + 1]).T,
            lags * rate / n,
            evolution.energies @ turns / rate,
            vectors * np.sqrt(np.maximum(values, 0.0)),
        )


class PeakTables(NamedTuple):
    """Oscillators and time after an onset, for peaks by random vibration theory.

    Parameters
    ----------
    moments : numpy.ndarray
        From energies at the fine frequencies to spectral moments 0, 1 and 2 of the response, by
        frequency node, (line, node, oscillator, 3).
    nodes : numpy.ndarray
        Interpolation from the bins to the frequency nodes, (bin, node).
    edges_s : numpy.ndarray
        Edges of intervals of time after an onset, s, (interval + 1,).
    energies : numpy.ndarray
        Density of energy of the response to every envelope, (oscillator, envelope, interval), 1/s.
    """

    moments: Floats
    nodes: Floats
    edges_s: Floats
    energies: Floats

    @classmethod
    def of(cls, evolution: Evolution, periods: Sequence[float | None]) -> "PeakTables":
        """Return the tables for oscillators.

        Parameters
        ----------
        evolution : Evolution
            Makes the records.
        periods : sequence of float or None
            Periods of PSA, s; 0 for acceleration and None for velocity.
        """
        rate = evolution.sampling_rate
        fine = np.arange(evolution.finest // 2 + 1) * rate / evolution.finest
        bins = np.arange(evolution.n_bins) * rate / evolution.n_fft
        nodes = np.geomspace(LOWEST_MOMENT_HZ, 0.5 * rate, N_MOMENT_NODES)
        angular = 2.0 * np.pi * fine
        responses = np.stack([_response(angular, period) for period in periods], axis=1)
        powers = np.stack([responses * angular[:, None] ** k for k in range(3)], axis=2)
        moments = hats(nodes, fine).T[:, :, None, None] * (2.0 * fine[1] * powers[:, None])
        edges = np.geomspace(FIRST_TIME_S, evolution.n_samples / rate, N_TIMES)
        edges = np.concatenate([[0.0], edges])
        energies = [_within(edges, evolution, period) for period in periods]
        return cls(moments, interpolation(bins, nodes), edges, np.stack(energies))


# Fraction of critical damping of the oscillators.
DAMPING = 0.05


def _response(angular: Floats, period: float | None) -> Floats:
    """Return the squared response (line,) to velocity, of acceleration or an oscillator."""
    if period is None:
        return np.ones_like(angular)
    if period == 0.0:
        return angular**2
    ratio = (angular * period / (2.0 * np.pi)) ** 2
    return angular**2 / ((1.0 - ratio) ** 2 + 4.0 * DAMPING**2 * ratio)


def _within(edges: Floats, evolution: Evolution, period: float | None) -> Floats:
    """Return the density of energy (envelope, interval) of the response to an envelope, 1/s.

    The energy of an oscillator decays as exp(-2 w h t).
    """
    rate, energies = evolution.sampling_rate, evolution.energies
    times = np.arange(energies.shape[1] + 1) / rate
    reached = np.pad(np.cumsum(energies, axis=1) / rate, ((0, 0), (1, 0)))
    if period:
        n = next_fast_len(2 * len(times), real=True)
        decay = 4.0 * np.pi * DAMPING / period
        kernel = -np.diff(np.exp(-decay * np.append(times, times[-1] + 1.0 / rate)))
        reached = irfft(rfft(reached, n) * rfft(kernel, n), n)[:, : len(times)]
    at_edges = np.stack([np.interp(edges, times, row) for row in reached])
    return np.asarray(np.diff(at_edges, axis=1) / np.diff(edges))


def _autocorrelations(windows: Floats) -> Floats:
    """Return the autocorrelation (frequency, lag) of smoothing windows."""
    n = next_fast_len(2 * windows.shape[1], real=True)
    return irfft(np.abs(rfft(windows, n)) ** 2, n)[:, : windows.shape[1]]


def _correlation(windows: Floats) -> Floats:
    """Return the correlation (frequency, frequency) of white noise seen in the windows."""
    unit = windows / np.sqrt((windows**2).sum(axis=1, keepdims=True))
    return np.asarray(unit @ unit.T)
