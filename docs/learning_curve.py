"""Train the published model, one component, as far as wanted, and measure it on the way.

    python docs/learning_curve.py WORK SHARED [EPOCHS ..]

Trains CGM-GM as published (component E) on 600 simulated events to 50, 100, 200 and
400 epochs, or the given numbers, and measures the weights of each as `make_weights.py` does, beside
EvolutionaryCGM's.  An interrupted run continues, and a later one with more epochs goes on where the
last one ended.  Prints a table, draws `figures/learning_curve.png` and writes the last weights as
the bundled `bay_area_e`.  Version 2 of these came from version 1, 150 epochs of this script, with
`train --init bay_area_e` (docs/weights.md).  WORK and SHARED as for `make_weights.py`; half a
minute per epoch on one core.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from make_weights import PHASENET, SEED, TRAINED_ON, simulated_metrics
from matplotlib.figure import Figure

from cgmgm_seis.measures.picks import load_picker
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.models.cgmgm.model import CGMGM
from cgmgm_seis.models.weights import load_model
from cgmgm_seis.simulator.catalogue import simulate
from cgmgm_seis.training.config import TrainingConfig
from cgmgm_seis.training.run import train

EVENTS = 600
STAGES, RECORDS = (50, 100, 200, 400), 300
NAME, VERSION = "bay_area_e", "3"
DOCSTRING = (
    "CGM-GM as published (Ren et al. 2026; component E) for the San Francisco Bay Area, trained on "
    "SIMULATED records (stochastic method, Boore 2003) whose amplitudes are calibrated on "
    "recordings of M 3.4 to 4.4, and to M 5.5 on published models. To compare with; not for hazard "
    "or design. Train on your own records with `cgmgm-seis train DATASET --model cgmgm --published`"
    "."
)


def main(work: Path, shared: Path, stages: list[int]) -> None:
    """Train to every stage and measure it."""
    catalogue = work / "catalogue"
    if not catalogue.exists():
        simulate(EVENTS, SEED, catalogue)
    phasenet = load_picker(shared / PHASENET)
    rows = {}
    for epochs in sorted(stages):
        weights = stage(work, catalogue, epochs)
        model = CGMGM.load(weights)
        rows[f"{epochs} epochs"] = row(measured(model, weights, catalogue, phasenet), model.card)
        print(table(rows), flush=True)
    card = model.card
    card["trained_on"] = TRAINED_ON
    card["made_with"] = f"cgmgm-seis dataset simulate --events {EVENTS} --seed {SEED}"
    card["test_split"] = measured(model, weights, catalogue, phasenet)
    model.save(CGMGM.bundled_path() / NAME, DOCSTRING, VERSION, card)
    other = load_model("bay_area_evolutionary")
    rows["EvolutionaryCGM"] = row(measured(other, work / "other", catalogue, phasenet), {})
    print(table(rows))
    draw(work / "published" / "metrics.csv", Path(__file__).parent / "figures")


def stage(work: Path, catalogue: Path, epochs: int) -> Path:
    """Return the path of the weights after a number of epochs; they are trained if missing."""
    kept = work / f"{NAME}_{epochs}"
    if kept.with_suffix(".pt").exists():
        return kept
    torch.manual_seed(SEED)
    # The search's best values are unknown; these are the middle ones and the largest networks.
    model = CGMGM(
        component_order="E", published=True, prior_size=32, alpha=0.01, beta=0.04, n_latents=32
    )
    config = TrainingConfig.of(
        model, epochs=epochs, batch_size=128, patience=10**6, seed=SEED, device="cpu", name=NAME
    )
    path = train(model, catalogue, work / "published", config, resume=True)
    for suffix in (".json", ".pt"):
        shutil.copy(path.with_suffix(suffix), kept.with_suffix(suffix))
    return kept


def measured(
    model: GroundMotionModel, weights: Path, catalogue: Path, phasenet: Any
) -> dict[str, Any]:
    """Return the metrics of weights, which are kept beside them."""
    kept = weights.with_name(f"{weights.name}_metrics.json")
    if not kept.exists():
        kept.write_text(json.dumps(simulated_metrics(model, catalogue, phasenet, "E", RECORDS)))
    found: dict[str, Any] = json.loads(kept.read_text())
    return found


def row(metrics: dict[str, Any], card: dict[str, Any]) -> dict[str, Any]:
    """Return what the table shows."""
    at = "E at 2, 5, 10, 15 Hz"
    shown = {"dev loss": round(card["best_dev_loss"], 2) if card else "-"}
    for name in ("bias", "sigma"):
        shown[f"ln FAS {name}"] = ", ".join(f"{x:.2f}" for x in metrics[f"ln FAS {name} {at}"])
    for phase in "PS":
        key = f"PhaseNet {phase}, generated"
        shown[f"{phase} picked"] = metrics[f"{key}: share within 0.5 s of the true onset"]
        shown[f"{phase} 90 % (s)"] = metrics[f"{key}: median and 90 % of |delay| (s)"][1]
    return shown


def table(rows: dict[str, dict[str, Any]]) -> str:
    """Return rows as text."""
    return pd.DataFrame(rows).T.to_string()


def draw(history: Path, figures: Path) -> None:
    """Draw the losses of all epochs."""
    losses = pd.read_csv(history)
    figure = Figure(figsize=(7.0, 4.0), layout="constrained")
    axes = figure.subplots()
    epochs = np.arange(1, len(losses) + 1)
    for split in ("train", "dev"):
        axes.plot(epochs, losses[f"{split}_loss"], label=split)
    axes.set(xscale="log", yscale="log", xlabel="Epoch", ylabel="Loss of a record")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(figures / "learning_curve.png", dpi=120)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), [int(n) for n in sys.argv[3:]] or list(STAGES))
