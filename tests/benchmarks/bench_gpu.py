"""All that a lent accelerator should answer, in one run of a given length.

Run ``python tests/benchmarks/bench_gpu.py --out DIR`` on the machine with the accelerator (12
minutes); ``--device cpu --events 20 --minutes 2`` tries the script itself.  In this order:

1. training steps of both models against the roofline, in single precision and with ``--bf16`` of
   `train` (see ``bench_throughput.py``);
2. parity with the CPU: records of the bundled weights, bar 1e-4 of the peak; losses, bar 1e-4 in
   single precision and 1e-2 in bfloat16;
3. records per second of both bundled weights, by batch size, and on the CPU;
4. with the time that is left, a training of the published model (component E) on simulated
   records, whose run folder in DIR `train --resume` continues.

Ends with 1 if a bar of 2. is missed.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch
from bench_throughput import MODELS, against_roofline, machine

from cgmgm_seis import from_points
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.models.cgmgm.model import CGMGM
from cgmgm_seis.models.step import Step
from cgmgm_seis.models.weights import load_model
from cgmgm_seis.simulator.catalogue import simulate
from cgmgm_seis.training.config import TrainingConfig
from cgmgm_seis.training.run import train

WEIGHTS = ("bay_area", "bay_area_evolutionary")
RECORDS_BAR, LOSS_BAR, BF16_BAR = 1e-4, 1e-4, 1e-2
POINTS = [(37.3 + 0.02 * k, -122.4 + 0.02 * k) for k in range(32)]


def rooflines(device: str) -> None:
    """Print how close training steps come to what the machine can do."""
    peak = machine(device)
    print(f"Best product {peak[0] / 1e9:.0f} GFLOP/s, memory {peak[1] / 1e9:.1f} GB/s.")
    for name in MODELS:
        for bf16 in (False, True):
            found = against_roofline(name, device, bf16, peak, 5)
            print(f"{name}, {'bfloat16' if bf16 else 'single'}: {found}", flush=True)


def parity(device: str) -> bool:
    """Print how far records and losses are from those of the CPU; return whether all bars hold."""
    scenario = from_points(3.5, (37.6, -122.1), POINTS)
    scenario["source_id"] = "event"
    good = True
    for name in WEIGHTS:
        here = load_model(name)
        there = load_model(name).to_device(device)
        records = here.sample(scenario, seed=1)
        others = there.sample(scenario, seed=1)
        found = {"records": float(np.abs(others - records).max() / np.abs(records).max())}
        losses = [loss(here, records[:, 0], scenario, False)]
        losses += [loss(there, records[:, 0], scenario, bf16) for bf16 in (False, True)]
        for key, value in zip(("loss", "loss in bfloat16"), losses[1:], strict=True):
            found[key] = abs(value / losses[0] - 1.0)
        for key, bar in zip(found, (RECORDS_BAR, LOSS_BAR, BF16_BAR), strict=True):
            good &= found[key] <= bar
            print(f"{name}: {key} within {found[key]:.1e} of the CPU's, bar {bar:g}.", flush=True)
    return good


@torch.no_grad()
def loss(model: GroundMotionModel, records: np.ndarray, scenario: object, bf16: bool) -> float:
    """Return the loss of records with noise that is the same on all devices."""
    batch = model.on_device(model.features(records, scenario))  # type: ignore[arg-type]
    with torch.autocast(model.device.type, torch.bfloat16, enabled=bf16):
        return float(model.loss(batch, SameStep(torch.Generator().manual_seed(0), 1.0))["loss"])


class SameStep(Step):
    """Noise drawn on the CPU, and moved."""

    def normal(self, like: torch.Tensor) -> torch.Tensor:
        """Return standard normal numbers of the shape of `like`."""
        return super().normal(like.cpu()).to(like.device)

    def uniform(self, like: torch.Tensor) -> torch.Tensor:
        """Return uniform numbers of the shape of `like`."""
        return super().uniform(like.cpu()).to(like.device)


def generation(device: str) -> None:
    """Print records per second by batch size, and those of the CPU."""
    for name in WEIGHTS:
        for where, sizes in (("cpu", (64,)), (device, (64, 256, 1024))):
            model = load_model(name).to_device(where)
            for size in sizes:
                draws = max(size // len(POINTS), 1)
                scenario = from_points(3.5, (37.6, -122.1), POINTS)
                model.sample(scenario, draws, batch_size=size)  # warm-up
                began = time.perf_counter()
                model.sample(scenario, 2 * draws, seed=1, batch_size=size)
                rate = 2 * draws * len(POINTS) / (time.perf_counter() - began)
                print(f"{name} on {where}, batches of {size}: {rate:.0f} records/s.", flush=True)


def training(out: Path, device: str, events: int, minutes: float) -> None:
    """Train the published model for some minutes, and print where it is then."""
    catalogue = out / "catalogue"
    if not catalogue.exists():
        simulate(events, 1, catalogue)
    torch.manual_seed(1)
    model = CGMGM(
        component_order="E", published=True, prior_size=32, alpha=0.01, beta=0.04, n_latents=32
    )
    config = TrainingConfig.of(
        model,
        epochs=5000,
        batch_size=128,
        patience=10**6,
        seed=1,
        device=device,
        max_minutes=minutes,
        name="published_e",
    )
    card = CGMGM.load(train(model, catalogue, out / "published", config, resume=True)).card
    seconds = 60.0 * card["training_minutes"] / card["epochs"]
    print(
        f"{card['epochs']} epochs of {seconds:.2f} s; best dev loss {card['best_dev_loss']:.2f} "
        f"in epoch {card['best_epoch']}."
    )


def main() -> None:
    """Run all parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--events", type=int, default=600)
    parser.add_argument("--minutes", type=float, default=12.0)
    arguments = parser.parse_args()
    began = time.monotonic()
    rooflines(arguments.device)
    good = parity(arguments.device)
    generation(arguments.device)
    # Half a minute remains for what is done after the last epoch.
    left = arguments.minutes - 0.5 - (time.monotonic() - began) / 60.0
    training(arguments.out, arguments.device, arguments.events, max(left, 0.1))
    sys.exit(not good)


if __name__ == "__main__":
    main()
