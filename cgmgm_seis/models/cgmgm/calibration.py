"""Calibration of CGM-GM: gains that give generated records the mean spectra of training records.

A decoder trained on squared errors gives mean logarithms, which are 0.29 below the logarithm of the
mean power of Gaussian motion; phase retrieval loses or adds energy; and what the prior draws is not
what the decoder was trained on.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from cgmgm_seis.models.base import Batch, GroundMotionModel
from cgmgm_seis.models.cgmgm.spectrogram import Spectrogram
from cgmgm_seis.models.collectives import gathered
from cgmgm_seis.scenario.seeding import Realization

# Training records for whose conditions records are drawn, and how often.
N_RECORDS, N_ROUNDS = 512, 3
# Energy, (m/s x samples)^2, added before the logarithm.
ENERGY_FLOOR = 1e-20
KNOWN = ("conditions", "onsets", "span")


def calibrate(
    model: GroundMotionModel,
    spectrogram: Spectrogram,
    recorded: Iterable[tuple[Tensor, Batch]],
    set_gains: Callable[[Tensor], None],
) -> dict[str, Any]:
    """Fit gains to training records, and set them.

    Parameters
    ----------
    model : GroundMotionModel
        Trained model.
    spectrogram : Spectrogram
        The model's, which gives bins and frames.
    recorded : iterable
        Amplitudes of training records, (record, component, bin, frame) in m/s x samples, and their
        features.
    set_gains : callable
        Sets what the model adds to ln amplitudes, (component, bin).

    Returns
    -------
    dict
        Entry of the weight card: mean of ln generated - ln recorded energy before the calibration,
        half of it, by component and bin.
    """
    parts = [
        gathered(ln_energy(spectrogram, amplitudes, batch), *(batch[name] for name in KNOWN))
        for amplitudes, batch in recorded
    ]
    step = -(-sum(len(part[0]) for part in parts) // N_RECORDS)
    wanted, *known = (torch.cat(column)[::step] for column in zip(*parts, strict=True))
    records = dict(zip(KNOWN, known, strict=True))
    gains = wanted.new_zeros(wanted.shape[1:])
    errors = []
    for part in range(N_ROUNDS):
        set_gains(gains)
        drawn = drawn_ln_energy(model, spectrogram, records, part)
        errors.append((drawn - wanted).mean(dim=0))
        gains = gains - errors[-1]
    set_gains(gains)
    rows = [[round(value, 3) for value in row] for row in errors[0].tolist()]
    return {"ln_energy_bias_taken_off": dict(zip(model.component_order, rows, strict=True))}


def drawn_ln_energy(
    model: GroundMotionModel, spectrogram: Spectrogram, records: Batch, part: int
) -> Tensor:
    """Return the ln energy of one record drawn for the conditions of each record."""
    found = []
    for rows in torch.arange(len(records["span"])).split(model.sampling_batch_size):
        numbers = model.numbers([Realization(0, (row,), part) for row in rows.tolist()])
        batch = {name: values[rows.to(values.device)] for name, values in records.items()}
        waveforms = model(batch | model.on_device(numbers))
        found.append(ln_energy(spectrogram, spectrogram.transform(waveforms).abs(), batch))
    return torch.cat(found)


def ln_energy(spectrogram: Spectrogram, amplitudes: Tensor, batch: Batch) -> Tensor:
    """Return half the ln energy (record, component, bin) of the frames from P on.

    Parameters
    ----------
    spectrogram : Spectrogram
        Gives the frames.
    amplitudes : torch.Tensor
        Shape (record, component, bin, frame), m/s x samples.
    batch : mapping
        "onsets" and "span" of the records.
    """
    frames = torch.arange(spectrogram.n_frames, device=amplitudes.device)
    after = frames * spectrogram.hop >= batch["onsets"][:, :1]
    used = (after & spectrogram.inside(batch["span"]))[:, None, None]
    return 0.5 * torch.log((amplitudes.square() * used).sum(dim=-1) + ENERGY_FLOOR)
