"""Real records redrawn from their own evolutionary spectra: what the assumptions keep.

Spectra are fitted to each window by maximum likelihood, with the analysts' onsets, and records are
drawn from them; PhaseNet then picks both.  What is lost is lost by the model of ground motion
itself, whatever its networks learn.
"""

import numpy as np
import pytest
import torch
from seisbench.data import WaveformDataset

from cgmgm_seis import EvolutionaryCGM
from cgmgm_seis.models.evolutionary import _whitening
from cgmgm_seis.picks import pick

pytestmark = pytest.mark.usefixtures("one_thread")

BEFORE_P, N_SAMPLES, RATE = 1200, 6000, 100.0
STEPS, LEARNING_RATE = 300, 0.1


@pytest.fixture(scope="module")
def windows(norcal_windows):
    """60 s from 12 s before P on, scaled to 1, and the analysts' P and S in seconds."""
    dataset = WaveformDataset(norcal_windows, component_order="ZNE")
    columns = ["trace_p_arrival_sample", "trace_s_arrival_sample"]
    rows = np.flatnonzero(dataset.metadata[columns].notna().all(axis=1))
    picks = dataset.metadata[columns].to_numpy(float)[rows]
    first = (picks[:, 0] - BEFORE_P).astype(int)
    records = np.stack(
        [
            dataset.get_waveforms(row)[:, start : start + N_SAMPLES]
            for row, start in zip(rows, first, strict=True)
        ]
    )
    records = records - records.mean(axis=-1, keepdims=True)
    records = records / records.std(axis=(1, 2), keepdims=True)
    return records.astype(np.float32), (picks - first[:, None]) / RATE


def fitted(records, onsets):
    """Return a model and its spectra of the records by maximum likelihood.

    A weak prior keeps neighbouring frequencies alike.
    """
    model = EvolutionaryCGM()
    decoder, shape = model.decoder, (3, model.spectrogram.n_bins)
    model.whitening = _whitening(model.powers(records).sum(dim=1).unflatten(1, shape)).float()
    powers = model.powers(records)
    density = (powers / model.evolution.noise_response).mean(dim=1)
    level = torch.log(density + 1e-12).mean(dim=0).reshape(shape)
    decoder.noise_level, decoder.wave_level = level - 3.0, level + np.log(60.0)
    output = torch.zeros(len(records), sum(decoder.sizes), requires_grad=True)
    optimizer = torch.optim.Adam([output], lr=LEARNING_RATE)
    weights = 0.25 * torch.ones(shape)
    weights[:, [0, -1]] *= 0.5
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * (1.0 - step / STEPS) + 0.005
        expected = torch.baddbmm(*model._means(decoder.spectra(output), onsets))
        deviance = (torch.log(expected) + powers / expected).sum(dim=1) @ weights.flatten()
        _, energy, share = output.split(decoder.sizes, dim=1)
        energy = energy.unflatten(1, (2, 3, -1)).diff(dim=-1).square().sum()
        share = share.unflatten(1, (2 * model.evolution.n_envelopes, 3, -1))
        prior = energy + 2.0 * share.diff(dim=-1).square().sum() + 0.2 * share.square().sum()
        optimizer.zero_grad()
        (deviance.sum() + 0.2 * prior).backward()
        optimizer.step()
    with torch.no_grad():
        return model, decoder.spectra(output)


def test_redrawn_records_keep_their_onsets(windows, phasenet):
    """Of the windows where PhaseNet finds both phases near the analysts' picks."""
    records, onsets = windows
    recorded = pick(phasenet, records)[["p_s", "s_s"]].to_numpy()
    found = (np.abs(recorded - onsets) < 0.5).all(axis=1)
    records, onsets, recorded = records[found], onsets[found], recorded[found]
    assert len(records) > 60
    times = torch.as_tensor(onsets, dtype=torch.float32)
    model, spectra = fitted(records, times)
    evolution = model.evolution
    shares, shifts = [], []
    for seed in range(2):
        generators = [np.random.default_rng([seed, i]) for i in range(len(records))]
        with torch.no_grad():
            drawn = evolution.draw(
                spectra.noise * model._colour(evolution.n_fft).abs().square(),
                spectra.waves,
                times,
                evolution.numbers(generators, 3),
                model._colour(evolution.n_draw),
            )
        redrawn = pick(phasenet, drawn.numpy())[["p_s", "s_s"]].to_numpy()
        near = np.abs(redrawn - onsets) < 0.5
        shares.append(np.isfinite(redrawn).mean(axis=0))
        shifts.append(np.mean(redrawn - recorded, axis=0, where=near))
    share, shift = np.mean(shares, axis=0), np.mean(shifts, axis=0)
    print(f"picked: P {share[0]:.3f}, S {share[1]:.3f}; shift P {shift[0]:.3f}, S {shift[1]:.3f} s")
    assert share[0] > 0.97
    assert share[1] > 0.93
    assert (np.abs(shift) < 0.05).all()
