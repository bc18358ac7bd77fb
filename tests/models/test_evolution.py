"""Evolutionary spectra: what is drawn against what its spectrogram should hold."""

import numpy as np
import pytest
import torch
from scipy.signal import butter, lfilter, sosfilt, sosfreqz, welch

from cgmgm_seis.models.cgmgm.spectrogram import Spectrogram
from cgmgm_seis.models.evolutionary.envelopes import CODA, PULSES, Envelope
from cgmgm_seis.models.evolutionary.evolution import Evolution

RATE, N = 100.0, 3000
ONSET = 8.013
N_DRAWS = 2000
BINS = torch.arange(81) * RATE / 160
# A spectrum of ground motion: rising, then falling by four orders of magnitude.
SPECTRUM = (BINS / 5) ** 2 / (1 + (BINS / 8) ** 4) * torch.exp(-0.1 * BINS) + 1e-5
NOISE = 1e-6 / (1 + BINS)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def evolution():
    return Evolution(N, RATE, 160)


def draw(evolution, spectra, noise=NOISE, colour=None, n=N_DRAWS, onset=ONSET, gains=None):
    """Records of one component with P at the onset and S behind the end."""
    waves = torch.zeros(1, 2, evolution.n_envelopes, 1, 81)
    waves[0, 0, :, 0] = spectra
    numbers = evolution.keys([np.random.default_rng([8, i]) for i in range(n)])
    colour = (
        torch.ones(evolution.n_draw // 2 + 1, dtype=torch.complex64) if colour is None else colour
    )
    onsets = torch.tensor([[onset, 1000.0]])
    return evolution.draw(
        noise.expand(n, 1, -1),
        waves.expand(n, -1, -1, -1, -1),
        onsets.expand(n, -1),
        numbers,
        colour,
        gains,
    )[:, 0]


def only(evolution, k, spectrum=SPECTRUM):
    spectra = torch.zeros(evolution.n_envelopes, 81)
    spectra[k] = spectrum
    return spectra


@pytest.mark.parametrize("k", range(len(PULSES) + len(CODA)))
def test_the_mean_spectrogram_is_that_of_the_drawn_records(evolution, k):
    """Summed over the frames after the onset, to 6 %: 2000 draws and the mean leakage."""
    spectra = only(evolution, k)
    records = draw(evolution, spectra)
    spectrogram = Spectrogram(N, 160, 40)
    powers = spectrogram.transform(records).abs().square().mean(dim=0)
    centres = torch.arange(spectrogram.n_frames) * 40 / RATE
    weights = evolution.response(centres - ONSET)
    leaked = evolution.leaked(spectra[:, None])[:, 0]
    noise = evolution.noise_response * evolution.leaked_noise(NOISE)
    expected = (weights @ leaked + noise).T
    for bins in (slice(3, 6), slice(6, 14), slice(14, 32), slice(32, 60)):
        assert powers[bins].sum() == pytest.approx(float(expected[bins].sum()), rel=0.06)
    # In time, at the frequencies of most of the power: the decay, and nothing before the window.
    drawn, mean = powers[6:20].sum(dim=0), expected[6:20].sum(dim=0)
    after = (centres > ONSET + 0.4) & (mean > 0.02 * mean.max())
    assert torch.allclose(drawn[after], mean[after], rtol=0.25)
    before = centres < ONSET - 0.85
    assert torch.allclose(drawn[before], mean[before], rtol=0.15)


@pytest.mark.parametrize("onsets", [(8.013, 14.6), (14.6, 8.013), (8.013, 8.013), (-0.5, 29.95)])
def test_p_and_s_add_up_though_they_share_frames(evolution, onsets):
    """Mean squares over time are the sums of those of each wave alone, to 12 % in every 0.2 s."""
    waves = torch.zeros(2, 2, evolution.n_envelopes, 1, 81)
    waves[:, 0, len(PULSES) + 2, 0] = SPECTRUM
    waves[:, 1, len(PULSES), 0] = SPECTRUM.flip(0)

    def mean_squares(some, seed):
        n = N_DRAWS // 4
        records = evolution.draw(
            1e-12 * NOISE.expand(n, 1, -1),
            some.expand(n, -1, -1, -1, -1),
            torch.tensor([onsets]).expand(n, -1),
            evolution.keys([np.random.default_rng([seed, i]) for i in range(n)]),
            torch.ones(evolution.n_draw // 2 + 1, dtype=torch.complex64),
        )
        return records.square().mean(dim=(0, 1)).double()

    alone = waves.clone()
    alone[0, 1], alone[1, 0] = 0.0, 0.0
    both = mean_squares(waves[:1], 1)
    expected = mean_squares(alone[:1], 2) + mean_squares(alone[1:], 3)
    first = max(0, int(np.ceil(min(onsets) * RATE)))
    assert (both[:first] < 1e-4 * both.max()).all()
    for part, wanted in zip(both[first:].split(20), expected[first:].split(20), strict=True):
        if wanted.sum() > 1e-3 * expected.sum():
            assert part.sum() == pytest.approx(float(wanted.sum()), rel=0.12)
    assert both.sum() == pytest.approx(float(expected.sum()), rel=0.03)


def test_energy_spectra_are_squared_fourier_amplitudes(evolution):
    """Parseval: the mean squared FAS of the drawn records is D, to 6 %."""
    records = draw(evolution, only(evolution, len(PULSES)), noise=1e-12 * NOISE)
    squared = (torch.fft.rfft(records) / RATE).abs().square().mean(dim=0)
    frequencies = torch.arange(len(squared)) * RATE / N
    for low, high in ((2, 4), (4, 8), (8, 16)):
        part = (frequencies >= low) & (frequencies < high)
        wanted = np.interp(frequencies[part], BINS, SPECTRUM)
        assert squared[part].mean() == pytest.approx(wanted.mean(), rel=0.06)


def test_noise_has_the_given_density(evolution):
    """Welch's method, two-sided, to 5 %."""
    records = draw(evolution, torch.zeros(evolution.n_envelopes, 81), n=200)
    frequencies, density = welch(records.numpy(), RATE, nperseg=160, return_onesided=False)
    inner = (frequencies > 2.0) & (frequencies < 45.0)
    wanted = np.interp(frequencies[inner], BINS, NOISE)
    assert density.mean(axis=0)[inner] == pytest.approx(wanted, rel=0.05)


def test_a_fine_shape_of_the_noise_is_found_and_drawn():
    """A corner within a bin, of a Butterworth filter, is in what is drawn, to 12 %."""
    evolution = Evolution(N, RATE, 160)
    sos = butter(2, 0.5, "high", fs=RATE, output="sos")
    white = np.random.default_rng(2).standard_normal((400, 1, 2000))
    evolution.fit_noise_shape(sosfilt(sos, white)[..., -1000:])
    # The shape divides what a window sees of the noise; that is its density at the bins.
    frequencies = np.arange(evolution.finest // 2 + 1) * RATE / evolution.finest
    exact = np.abs(sosfreqz(sos, frequencies, fs=RATE)[1]) ** 2
    bins = torch.as_tensor(exact @ evolution.noise_kernel.numpy(), dtype=torch.float32)
    records = draw(evolution, torch.zeros(evolution.n_envelopes, 81), noise=bins)
    found, density = welch(records.numpy(), RATE, nperseg=1000, return_onesided=False)
    for low, high in ((0.25, 0.45), (0.45, 0.75), (0.75, 1.5), (1.5, 5.0)):
        part = (found > low) & (found < high)
        wanted = np.interp(found[part], frequencies, exact)
        assert density.mean(axis=0)[part].mean() == pytest.approx(wanted.mean(), rel=0.12)
    # The spectrogram's window sees of the shape what it sees of the noise.
    assert evolution.leaked_noise(bins)[1:].numpy() == pytest.approx(bins[1:].numpy(), rel=0.12)


def test_the_waves_have_a_fine_shape_and_gains(evolution):
    """A steep fall below 1 Hz, within a bin: in energies, and in what a spectrogram sees."""
    shaped = Evolution(N, RATE, 160)
    nodes = shaped.nodes_hz
    shaped.set_wave_shape(torch.as_tensor(np.minimum(2.0 * np.log(nodes), 0.0)))
    gains = torch.full((1, 1, len(nodes)), 0.25)
    flat = torch.ones_like(SPECTRUM)
    records = draw(shaped, only(shaped, 1, flat), noise=1e-12 * NOISE, gains=gains)
    squared = (torch.fft.rfft(records) / RATE).abs().square().mean(dim=0)
    frequencies = np.arange(len(squared)) * RATE / N
    for low, high in ((0.25, 0.4), (0.4, 0.7), (1.0, 2.0), (4.0, 8.0)):
        part = (frequencies >= low) & (frequencies < high)
        wanted = np.exp(0.5) * np.minimum(frequencies[part], 1.0) ** 4
        assert squared[part].mean() == pytest.approx(wanted.mean(), rel=0.12)
    spectrogram = Spectrogram(N, 160, 40)
    powers = spectrogram.transform(records).abs().square().mean(dim=0).sum(dim=1)
    centres = torch.arange(spectrogram.n_frames) * 40 / RATE
    response = shaped.response(centres - ONSET).sum(dim=0)[1]
    expected = np.exp(0.5) * response * shaped.leaked(only(shaped, 1, flat)[:, None])[1, 0]
    assert powers[:6].numpy() == pytest.approx(expected[:6].numpy(), rel=0.12)


def test_onsets_on_a_sample_are_drawn(evolution):
    """Rounded, a hair after a sample is on it, and the sample before the onset."""
    onsets = torch.nextafter(torch.arange(1, 1500) / RATE, torch.tensor(torch.inf))
    onsets = onsets[torch.ceil(onsets * RATE) / RATE < onsets][:100]
    assert len(onsets) == 100
    n, generators = len(onsets), [np.random.default_rng(i) for i in range(len(onsets))]
    waves = SPECTRUM.expand(n, 2, evolution.n_envelopes, 1, -1)
    records = evolution.draw(
        NOISE.expand(n, 1, -1),
        waves,
        torch.stack([onsets, onsets + 10.0], dim=1),
        evolution.keys(generators),
        torch.ones(evolution.n_draw // 2 + 1, dtype=torch.complex64),
    )
    assert torch.isfinite(records).all()


def test_nothing_before_the_onset(evolution):
    """Also what a causal filter smooths: a recursive one, as lfilter applies it."""
    silence = torch.zeros_like(NOISE)
    gains = torch.randn(1, 1, len(evolution.nodes_hz), generator=torch.Generator().manual_seed(0))
    spectra = SPECTRUM / 10 * torch.ones(evolution.n_envelopes, 1)
    gained = draw(evolution, spectra, silence, n=4, gains=gains)
    before = gained[:, : int(np.ceil(ONSET * RATE))]
    assert before.abs().max() < 1e-3 * gained.abs().max()
    plain = draw(evolution, SPECTRUM / 10 * torch.ones(evolution.n_envelopes, 1), silence, n=4)
    first = int(np.ceil(ONSET * RATE))
    assert plain[:, :first].abs().max() < 1e-6 * plain.abs().max()
    whitening = torch.tensor([1.0, -0.9])
    colour = 1.0 / torch.fft.rfft(whitening, evolution.n_draw)
    coloured = draw(
        evolution, SPECTRUM / 10 * torch.ones(evolution.n_envelopes, 1), silence, colour, n=4
    )
    filtered = lfilter([1.0], whitening.numpy(), plain.numpy())
    assert coloured.numpy() == pytest.approx(filtered, abs=1e-5 * np.abs(filtered).max())


def test_the_response_is_the_share_of_the_window(evolution):
    """An exponential envelope in closed form, and zero where window and envelope do not meet."""
    slow = len(PULSES) + [envelope.decay_s for envelope in CODA].index(20.0)
    window = np.hanning(161)[:-1]
    later = (np.arange(160) - 80) / RATE + 10.0
    exact = RATE * np.sum(window**2 * np.exp(-later / 20.0)) / 20.0
    # The records end 30 s after the onset, where the envelope is normalised.
    share = 1.0 - np.exp(-30.0 / 20.0)
    found = evolution.response(torch.tensor([10.0, -0.82]))
    assert float(found[0, slow]) == pytest.approx(exact / share, rel=5e-3)
    assert found[1].abs().max() == 0.0


def test_the_response_has_the_gradient_of_the_onset(evolution):
    delay = torch.tensor([0.203], requires_grad=True)
    evolution.response(delay)[0, 3].backward()
    low, high = (float(evolution.response(torch.tensor([x]))[0, 3]) for x in (0.2005, 0.2095))
    assert float(delay.grad) == pytest.approx((high - low) / 0.009, rel=1e-2)


def test_a_flat_spectrum_stays_flat(evolution):
    """Leakage moves power between frequencies and loses none."""
    flat = evolution.leaked(torch.ones(evolution.n_envelopes, 1, 81))
    assert torch.allclose(flat, torch.ones_like(flat), atol=1e-4)


def test_an_envelope_is_a_gamma_density():
    """Away from the ramp; scipy's gamma distribution, to 1e-6 in ratio."""
    from scipy.stats import gamma

    envelope = Envelope(2, 0.4)
    delays = np.array([0.1, 0.5, 2.0])
    ratio = envelope.energy(delays) / gamma.pdf(delays, 2, scale=0.4)
    assert ratio == pytest.approx(np.full(3, ratio[0]), rel=1e-6)
