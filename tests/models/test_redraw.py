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
from cgmgm_seis.measures.picks import pick
from cgmgm_seis.models.evolutionary.normalisation import fit_shapes, whitened, whitening_filter

pytestmark = pytest.mark.usefixtures("one_thread")

BEFORE_P, NOISE, N_SAMPLES, RATE = 1200, 1080, 6000, 100.0
STEPS, LEARNING_RATE = 300, 0.1
N_DRAWS = 8


@pytest.fixture(scope="module")
def windows(norcal_windows):
    """60 s from 12 s before P on, scaled to 1, and the analysts' P and S in seconds.

    Of the windows with both picks and motion on all three components.
    """
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
    alive = (records.std(axis=-1) > 0.0).all(axis=1)
    records, picks, first = records[alive], picks[alive], first[alive]
    records = records - records.mean(axis=-1, keepdims=True)
    records = records / records.std(axis=(1, 2), keepdims=True)
    return records.astype(np.float32), (picks - first[:, None]) / RATE


def fitted(records, onsets):
    """Return a model and its spectra of the records by maximum likelihood.

    A weak prior keeps neighbouring frequencies alike.
    """
    model = EvolutionaryCGM()
    decoder, shape = model.decoder, (3, model.evolution.n_bins)
    spans = np.tile([0, records.shape[-1]], (len(records), 1))
    model.whitening = whitening_filter(records, spans, model.order, RATE).float()
    white = whitened(records, model.whitening)
    lengths, n_valid = (np.full(len(records), n) for n in (NOISE - model.order, white.shape[-1]))
    fit_shapes(model.evolution, white, lengths, n_valid, model.whitening)
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
        expected = model._means(decoder.spectra(output), onsets).expected()
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


@pytest.mark.xfail(
    strict=True,
    reason="In 8 draws of 66 windows S is picked on 0.93 (0.86 to 0.96 a draw), on 0.98 of the "
    "recorded ones; whitening filters of 0.3 and 0.5 s give the same",
)
def test_redrawn_records_keep_their_onsets(windows, phasenet):
    """Phases picked near the analysts' as often as in the records, or at most 0.035 less."""
    records, onsets = windows
    recorded = pick(phasenet, records)[["p_s", "s_s"]].to_numpy()
    times = torch.as_tensor(onsets, dtype=torch.float32)
    model, spectra = fitted(records, times)
    evolution = model.evolution
    redrawn = []
    for seed in range(N_DRAWS):
        generators = [np.random.default_rng([seed, i]) for i in range(len(records))]
        with torch.no_grad():
            drawn = evolution.draw(
                spectra.noise,
                spectra.waves,
                times,
                evolution.keys(generators),
                model._colour(evolution.n_draw),
            )
        redrawn.append(pick(phasenet, drawn.numpy())[["p_s", "s_s"]].to_numpy())
    found = np.abs(recorded - onsets) < 0.5
    again = np.abs(np.stack(redrawn) - onsets) < 0.5
    shift = np.mean(np.stack(redrawn) - recorded, axis=(0, 1), where=again & found)
    share, wanted = again.mean(axis=(0, 1)), found.mean(axis=0)
    print(
        f"recorded: P {wanted[0]:.3f}, S {wanted[1]:.3f}; redrawn: P {share[0]:.3f}, "
        f"S {share[1]:.3f}, {shift[0]:.3f} and {shift[1]:.3f} s later"
    )
    assert len(records) == 66
    assert (share > wanted - 0.035).all()
    assert (np.abs(shift) < 0.05).all()
