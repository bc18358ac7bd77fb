"""Normalisation from the training records: whitening, fine shapes and levels."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import solve_toeplitz
from scipy.signal.windows import tukey
from torch import Tensor

from cgmgm_seis.measures.intensity import smoothed_fas
from cgmgm_seis.models.evolutionary.evolution import Evolution
from cgmgm_seis.scenario.spans import Spans, partial

# Frequencies of the mean spectrum to which the filter is fitted: number, and lowest in Hz.
N_SMOOTHED, LOWEST_HZ = 100, 0.1
# Below this frequency, Hz, the waves' fine shape is estimated from the data; the prior, flat
# displacement spectra, has the weight of this many records.
FINE_BELOW_HZ, FLAT_RECORDS = 3.0, 20.0
# Amplitude ratio of wave to noise above which a wave is used.
ABOVE_NOISE = 3.0


def whitening_filter(
    waveforms: NDArray[np.float32], spans: Spans, order: int, sampling_rate: float
) -> Tensor:
    """Return the prediction-error filter (order + 1,) of the geometric mean of records' spectra.

    It solves the Yule-Walker equations for the autocorrelation of the mean spectrum, and is
    minimum phase, so that it keeps onsets in place.

    Parameters
    ----------
    waveforms : numpy.ndarray
        Records (record, component, sample).
    spans : numpy.ndarray
        Their valid spans, (record, 2).
    order : int
        Length of the filter minus one, samples.
    sampling_rate : float
        Sampling rate, Hz.
    """
    n_samples = waveforms.shape[-1]
    n = 4 * n_samples
    smoothed = np.geomspace(LOWEST_HZ, 0.5 * sampling_rate, N_SMOOTHED)
    tapers = np.zeros((len(waveforms), 1, n_samples), np.float32)
    for taper, (first, last) in zip(tapers, spans, strict=True):
        taper[:, first:last] = tukey(last - first, 0.1)
    tapered = waveforms * tapers
    spectra = smoothed_fas(tapered, sampling_rate, smoothed)
    # The logarithm needs a positive value where a frequency has no power.
    logarithm = 2.0 * np.log(np.maximum(spectra, 1e-15)).mean(axis=(0, 1))
    frequencies = np.maximum(np.fft.rfftfreq(n, 1.0 / sampling_rate), LOWEST_HZ)
    fine = np.interp(np.log(frequencies), np.log(smoothed), logarithm)
    correlation = np.fft.irfft(np.exp(fine - fine.max()))[: order + 1]
    prediction = solve_toeplitz(correlation[:-1], correlation[1:])
    return torch.as_tensor(np.concatenate([[1.0], -prediction]))


def whitened(waveforms: NDArray[np.float32], whitening: Tensor) -> Tensor:
    """Return filtered records without the first samples, where the filter is not yet filled.

    A record cut out of continuous motion starts with a step, which would be taken for noise.
    """
    records = torch.as_tensor(np.asarray(waveforms, dtype=np.float64))
    n_samples, order = records.shape[-1], len(whitening) - 1
    n = n_samples + order
    spectra = torch.fft.rfft(records, n) * torch.fft.rfft(whitening.double().cpu(), n)
    return torch.fft.irfft(spectra, n)[..., order:n_samples].float()


def aligned(records: Tensor, spans: Spans) -> Tensor:
    """Return records (record, component, sample) that start with their spans, zero after them."""
    if not partial(spans, records.shape[-1]).any():
        return records
    found = torch.zeros_like(records)
    for own, record, (first, last) in zip(found, records, spans, strict=True):
        own[:, : last - first] = record[:, first:last]
    return found


def fit_shapes(
    evolution: Evolution,
    records: Tensor,
    lengths: NDArray[np.int_],
    n_valid: NDArray[np.int_],
    whitening: Tensor,
) -> None:
    """Set the fine shapes of the spectra: the noise's before P, and the waves'.

    Parameters
    ----------
    evolution : Evolution
        Changed in place.
    records : torch.Tensor
        Whitened records (record, component, sample), `aligned`.
    lengths, n_valid : numpy.ndarray
        Numbers of noise samples at the start of each record, and of all its samples, (record,).
    whitening : torch.Tensor
        The whitening filter.
    """
    # The length that half of the records have, but no more than resolves the fine shape.
    length = min(int(np.median(lengths)), evolution.finest)
    if length > evolution.n_fft:
        noise = records[lengths >= length][:, :, :length]
        evolution.fit_noise_shape(noise.double().cpu().numpy())
    quiet = lengths > evolution.n_fft
    own = records[quiet].cpu().numpy(), lengths[quiet], n_valid[quiet]
    steps = _slopes(evolution, *own, whitening)
    steps[evolution.nodes_hz[1:] > FINE_BELOW_HZ] = 0.0
    shape = np.append(-np.cumsum(steps[::-1])[::-1], 0.0)
    evolution.set_wave_shape(torch.as_tensor(shape))


def _slopes(
    evolution: Evolution,
    records: NDArray[np.float32],
    lengths: NDArray[np.int_],
    n_valid: NDArray[np.int_],
    whitening: Tensor,
) -> NDArray[np.float64]:
    """Return the mean steps (node - 1,) of the waves' ln amplitude from node to node.

    Only records that exceed the noise in their first samples at both nodes are used.  With few
    records the steps are close to those of whitened velocity with a flat displacement spectrum
    (Brune 1970).
    """
    samples, nodes, rate = np.arange(records.shape[-1]), evolution.nodes_hz, evolution.sampling_rate
    shares = np.minimum(samples / lengths[:, None], 1.0)
    windows = np.sin(np.pi * shares) ** 2
    windows *= np.sqrt(n_valid[:, None] / (windows**2).sum(axis=1, keepdims=True))
    noise, record = (
        smoothed_fas(x, rate, nodes)
        for x in (records * windows[:, None].astype(np.float32), records)
    )
    above = record > ABOVE_NOISE * noise
    logarithm = 0.5 * np.log(np.where(above, record**2 - noise**2, 1.0))
    both = above[..., 1:] & above[..., :-1]
    total = np.where(both, np.diff(logarithm), 0.0).sum(axis=(0, 1))
    angles = -2j * np.pi * np.outer(nodes, np.arange(len(whitening))) / rate
    flat = np.log(nodes * np.abs(np.exp(angles) @ whitening.double().cpu().numpy()))
    return (total + FLAT_RECORDS * np.diff(flat)) / (both.sum(axis=(0, 1)) + FLAT_RECORDS)


def noise_and_wave_levels(
    evolution: Evolution, powers: Tensor, inside: Tensor, seconds: float
) -> tuple[Tensor, Tensor]:
    """Return the initial ln spectra of noise and waves in the decoder, each (component, bin).

    Parameters
    ----------
    evolution : Evolution
        With the fine shapes set.
    powers : torch.Tensor
        Power of the whitened records, (record, frame, component * bin).
    inside : torch.Tensor
        True for frames within the records' spans, (record, frame).
    seconds : float
        Time between frames, s.
    """
    split = powers.unflatten(2, (-1, evolution.n_bins)) / evolution.noise_response
    noise = split[inside].median(dim=0).values.log()
    level = ((split * inside[:, :, None, None]).sum(dim=1) * seconds).log().mean(dim=0)
    flat = torch.ones(evolution.n_envelopes, *noise.shape)
    leaked = evolution.leaked(flat.to(level)).mean(dim=0)
    return noise, level - leaked.log()
