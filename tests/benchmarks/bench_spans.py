"""Train EvolutionaryCGM on simulated records of which half are cut to random spans.

Run ``python tests/benchmarks/bench_spans.py`` (about ten minutes on one core).  The same trainings
on whole records are the reference: the loss of whole dev records, and the bias of ln FAS and ln
D5-95 of records drawn for them, must be the same within the scatter between seeds.
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))
from small_datasets import cut_half

from cgmgm_seis import EvolutionaryCGM
from cgmgm_seis.measures.intensity import significant_duration, smoothed_fas
from cgmgm_seis.models.conditions import ExtrapolationWarning
from cgmgm_seis.simulator.catalogue import simulate_catalogue
from cgmgm_seis.training.config import TrainingConfig
from cgmgm_seis.training.trainer import Trainer

RATE, FREQUENCIES = 100.0, [0.5, 1.0, 2.0, 5.0, 10.0, 20.0]
Records = tuple[NDArray[np.float32], pd.DataFrame]


def ln_measures(waveforms: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return ln FAS at the frequencies and ln D5-95, means over the components, (record, 7)."""
    spectra = np.log(smoothed_fas(waveforms, RATE, FREQUENCIES)).mean(axis=1)
    durations = np.log(significant_duration(waveforms, RATE)).mean(axis=1)
    return np.column_stack([spectra, durations])


def trained(train: Records, dev: Records, epochs: int, width: int, seed: int) -> list[float]:
    """Return the loss of the dev records, and the mean ln ratio of drawn to recorded measures."""
    torch.manual_seed(seed)
    model = EvolutionaryCGM(width=width)
    model.fit_normalisation(*train)
    splits = {"train": model.features(*train), "dev": model.features(*dev)}
    settings = {"epochs": epochs, "batch_size": 32, "learning_rate": 1.5e-3, "seed": seed}
    config = TrainingConfig.of(model, device="cpu", **settings)
    trainer = Trainer(model, splits, config)
    for _ in range(epochs):
        trainer.run_epoch()
    model.eval()
    # The noise level is subtracted in the loss, and differs between trainings.
    level = model.decoder.noise_level.clone()
    level[:, [0, -1]] *= 0.5
    constant = 0.25 * splits["dev"]["powers"].shape[1] * float(level.sum())
    model.after_training(trainer.batches("train"))
    scenario = dev[1].reset_index(drop=True)
    drawn = model.sample(scenario, 2, seed=seed, extrapolate=True)
    ratio = np.mean([ln_measures(drawn[:, k]) for k in range(2)], axis=0) - ln_measures(dev[0])
    return [trainer.history[-1]["dev_loss"] + constant, *ratio.mean(axis=0)]


def main(n_events: int, epochs: int, width: int, n_seeds: int) -> None:
    """Print the means and the scatter over seeds of both kinds of training."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", ExtrapolationWarning)
    waveforms, scenario = simulate_catalogue(n_events, seed=8)
    event = pd.factorize(scenario["source_id"])[0]
    train = np.flatnonzero(event < 0.8 * n_events)
    dev = np.flatnonzero(event >= 0.8 * n_events)
    records = waveforms[train], scenario.iloc[train]
    whole = waveforms[dev], scenario.iloc[dev]
    print(f"{len(train)} training records, {len(dev)} dev records, {n_seeds} seeds")
    found: dict[str, list[list[float]]] = {"whole": [], "half cut": []}
    for seed in range(n_seeds):
        for name, own in (("whole", records), ("half cut", cut_half(*records, seed))):
            found[name].append(trained(own, whole, epochs, width, seed))
            print(seed, name, np.round(found[name][-1], 3), flush=True)
    of_whole, of_cut = (np.array(values) for values in found.values())
    table = pd.DataFrame(
        {
            "whole": of_whole.mean(axis=0),
            "half cut": of_cut.mean(axis=0),
            "difference": (of_cut - of_whole).mean(axis=0),
            "between seeds": of_whole.std(axis=0, ddof=1),
        },
        index=["dev loss", *(f"ln FAS {f:g} Hz" for f in FREQUENCIES), "ln D5-95"],
    )
    print(table.round(3).to_string())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=60)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    main(asked.events, asked.epochs, asked.width, asked.seeds)
