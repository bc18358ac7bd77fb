"""Calibration of CGM-GM: gains that give generated records the mean spectra of training records.

A decoder trained on squared errors gives mean logarithms, which are 0.29 below the logarithm of the
mean power of Gaussian motion; phase retrieval loses or adds energy; and what the prior draws is not
what the decoder was trained on.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cgmgm_seis.models.base import Batch
from cgmgm_seis.models.collectives import gathered
from cgmgm_seis.scenario.seeding import Realization

if TYPE_CHECKING:
    from cgmgm_seis.models.cgmgm.model import CGMGM

# Training records for whose conditions records are drawn, and how often.
N_RECORDS, N_ROUNDS = 512, 3
# Energy, (m/s x samples)^2, added before the logarithm.
ENERGY_FLOOR = 1e-20
KNOWN = ("conditions", "onsets", "span")


def calibrate(model: "CGMGM", batches: Iterable[Batch]) -> dict[str, Any]:
    """Set the gains of a model from training records.

    Parameters
    ----------
    model : CGMGM
        Trained model; its `ln_gains` are replaced.
    batches : iterable
        Features of training records.

    Returns
    -------
    dict
        Entry of the weight card: mean of ln generated - ln recorded energy before the calibration,
        half of it, by component and bin.
    """
    parts = []
    for batch in batches:
        amplitudes = model.unscale(model.from_frames(batch["amplitudes"]))
        parts.append(gathered(ln_energy(model, amplitudes, batch), *(batch[k] for k in KNOWN)))
    step = -(-sum(len(part[0]) for part in parts) // N_RECORDS)
    recorded, *known = (torch.cat(column)[::step] for column in zip(*parts, strict=True))
    records = dict(zip(KNOWN, known, strict=True))
    gains = recorded.new_zeros(recorded.shape[1:])
    errors = []
    for part in range(N_ROUNDS):
        model.ln_gains = gains.tolist()
        errors.append((drawn_ln_energy(model, records, part) - recorded).mean(dim=0))
        gains = gains - errors[-1]
    model.ln_gains = gains.tolist()
    rows = [[round(value, 3) for value in row] for row in errors[0].tolist()]
    return {"ln_energy_bias_taken_off": dict(zip(model.component_order, rows, strict=True))}


def drawn_ln_energy(model: "CGMGM", records: Batch, part: int) -> Tensor:
    """Return the ln energy of one record drawn for the conditions of each record."""
    found = []
    for rows in torch.arange(len(records["span"])).split(model.sampling_batch_size):
        numbers = model.numbers([Realization(0, (row,), part) for row in rows.tolist()])
        batch = {name: values[rows.to(values.device)] for name, values in records.items()}
        waveforms = model(batch | model.on_device(numbers))
        found.append(ln_energy(model, model.spectrogram.transform(waveforms).abs(), batch))
    return torch.cat(found)


def ln_energy(model: "CGMGM", amplitudes: Tensor, batch: Batch) -> Tensor:
    """Return half the ln energy (record, component, bin) of the frames from P on.

    Parameters
    ----------
    model : CGMGM
        Gives the frames.
    amplitudes : torch.Tensor
        Shape (record, component, bin, frame), m/s x samples.
    batch : mapping
        "onsets" and "span" of the records.
    """
    frames = torch.arange(model.spectrogram.n_frames, device=amplitudes.device)
    after = frames * model.spectrogram.hop >= batch["onsets"][:, :1]
    used = (after & model.spectrogram.inside(batch["span"]))[:, None, None]
    return 0.5 * torch.log((amplitudes.square() * used).sum(dim=-1) + ENERGY_FLOOR)
