"""STFT, its inverse and Griffin-Lim, against Parseval, librosa and recorded onsets."""

import numpy as np
import pandas as pd
import pytest
import torch
from seisbench.data import WaveformDataset

from cgmgm_seis.models.cgmgm.model import NOISE_CLIP
from cgmgm_seis.models.cgmgm.spectrogram import Spectrogram


@pytest.fixture
def noise():
    return torch.randn(4, 6000, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def griffinlim():
    """librosa's, in plain Python: its loops are compiled for half a minute and run for none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("numba.guvectorize", lambda *args, **options: lambda function: function)
        patch.setattr("numba.vectorize", lambda *args, **options: np.vectorize)
        patch.setattr("numba.stencil", lambda function: function)
        from librosa import griffinlim

        yield griffinlim


def test_published_shape():
    assert (Spectrogram().n_bins, Spectrogram().n_frames) == (81, 131)
    assert Spectrogram().transform(torch.zeros(2, 3, 6000)).shape == (2, 3, 81, 131)


def test_inverse_of_transform_is_the_identity(noise):
    spectrogram = Spectrogram()
    torch.testing.assert_close(
        spectrogram.inverse(spectrogram.transform(noise)), noise, atol=2e-6, rtol=0
    )


@pytest.mark.parametrize("hop", [20, 40, 46])
def test_parseval(noise, hop):
    """Energy in the frames is energy of the record; edges and overlap ripple cost 1 %."""
    spectrogram = Spectrogram(hop=hop)
    energy = spectrogram.energy_weights() * spectrogram.transform(noise).abs() ** 2
    torch.testing.assert_close(energy.sum((1, 2)), (noise**2).sum(1), rtol=0.01, atol=0)


def test_a_sine_has_the_amplitude_of_theory():
    """|S| of a sine of amplitude a at a bin's frequency is a/2 times the window's sum."""
    time = torch.arange(6000) / 100.0
    amplitudes = Spectrogram().transform(3.0 * torch.sin(2 * np.pi * 10.0 * time)).abs()
    np.testing.assert_allclose(amplitudes[16, 5:-5], 3.0 / 2 * 80.0, rtol=1e-3)


def test_published_window_mismatch_multiplies_amplitudes(noise):
    """A rectangular analysis window read with a Hann window: rms up by sqrt(160/60) = 1.63."""
    published = Spectrogram(rectangular=True).transform(noise).abs()
    ratio = published.square().mean() / Spectrogram().transform(noise).abs().square().mean()
    assert float(ratio.sqrt()) == pytest.approx(np.sqrt(160 / 60), rel=0.02)


@pytest.mark.parametrize("momentum", [0.0, 0.99])
@pytest.mark.parametrize("iterations", [1, 10])
def test_griffin_lim_is_librosas(noise, griffinlim, momentum, iterations):
    """Same amplitudes and zero initial phase; float32 rounding only."""
    spectrogram = Spectrogram()
    amplitudes = spectrogram.transform(noise).abs()
    ours = spectrogram.griffin_lim(
        amplitudes, torch.zeros_like(amplitudes), iterations, momentum
    ).numpy()
    theirs = griffinlim(
        amplitudes.numpy(),
        n_iter=iterations,
        hop_length=46,
        win_length=160,
        n_fft=160,
        momentum=momentum,
        init=None,
        length=6000,
        pad_mode="reflect",
    )
    # The last window of 6000 samples is half outside the frames: compare what both define.
    error = np.linalg.norm((ours - theirs)[:, :5900]) / np.linalg.norm(theirs[:, :5900])
    assert error < 1e-2


def test_griffin_lim_does_not_depend_on_the_chunk(noise):
    spectrogram = Spectrogram()
    amplitudes = spectrogram.transform(noise).abs()
    phases = torch.rand(amplitudes.shape, generator=torch.Generator().manual_seed(1)) * 6
    together, apart = (
        spectrogram.griffin_lim(amplitudes, phases, 20, chunk=chunk) for chunk in (4, 1)
    )
    torch.testing.assert_close(together, apart, rtol=0, atol=1e-5)


def test_before_the_onset_stays_below_the_noise(noise):
    spectrogram = Spectrogram()
    amplitudes = spectrogram.transform(noise).abs()
    onsets, limit = torch.tensor([500.0, 1000.0, 0.0, 6000.0]), torch.full((4,), 0.3)
    records = spectrogram.griffin_lim(
        amplitudes, torch.zeros_like(amplitudes), 5, onsets=onsets, noise=limit
    )
    for record, onset in zip(records, onsets.int().tolist(), strict=True):
        assert record[:onset].abs().max() <= 0.3 if onset else True
        assert record[onset:].abs().max() > 0.3 if onset < 6000 else True


def aic_onset(record: np.ndarray, first: int, last: int) -> int:
    """Pick the onset between two samples with Maeda's (1985) AIC."""
    window = record[first:last].astype(float)
    window -= window.mean()
    before = np.arange(10, len(window) - 10)
    after = len(window) - before
    sums, squares = np.cumsum(window)[before - 1], np.cumsum(window**2)[before - 1]
    first_variance = squares / before - (sums / before) ** 2
    total, power = window.sum(), (window**2).sum()
    second_variance = (power - squares) / after - ((total - sums) / after) ** 2
    criterion = before * np.log(np.maximum(first_variance, 1e-20)) + after * np.log(second_variance)
    return first + int(before[np.argmin(criterion)])


def test_recorded_onsets_survive_phase_retrieval(norcal_windows):
    """At least 90 % of the P onsets of recorded verticals come back within 0.1 s."""
    dataset = WaveformDataset(norcal_windows, component_order="Z")
    table: pd.DataFrame = dataset.metadata
    records, onsets = [], []
    for index in np.flatnonzero(table["trace_snr_db"] > 10):
        p = int(table["trace_p_arrival_sample"].iloc[index])
        record = dataset.get_waveforms(index)[0, p - 800 : p + 5200]
        if len(record) == 6000 and np.ptp(record) > 0:
            records.append((record - record.mean()) / record.std())
            onsets.append(aic_onset(records[-1], 500, 1000))
    assert len(records) > 100
    waveforms = torch.tensor(np.array(records), dtype=torch.float32)
    spectrogram = Spectrogram()
    amplitudes = spectrogram.transform(waveforms).abs()
    phases = torch.rand(amplitudes.shape, generator=torch.Generator().manual_seed(0))
    rebuilt = spectrogram.griffin_lim(
        amplitudes,
        2 * torch.pi * phases,
        iterations=50,
        onsets=torch.tensor(onsets),
        noise=NOISE_CLIP * waveforms[:, :600].std(dim=1),
    ).numpy()
    errors = [
        aic_onset(record, 500, 1000) - onset for record, onset in zip(rebuilt, onsets, strict=True)
    ]
    within = np.mean(np.abs(errors) <= 10)
    print(f"{within:.3f} of {len(errors)} P onsets within 0.1 s")
    assert within >= 0.9
