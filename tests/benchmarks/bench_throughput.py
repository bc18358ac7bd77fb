"""Throughput of training for both models, and the roofline of this machine.

Run ``python tests/benchmarks/bench_throughput.py --threads 1`` and ``--threads 2``, or with
``--device cuda``.  One training step (loss, gradient, optimizer) of records of 60 s, three
components.

Operations are counted by torch (matrix products and convolutions, forward and backward); bytes
are the sizes of all tensors that the operations of a step read and write, as if no cache held
any.  The machine's rates are measured: the best matrix product in single precision, and adding a
number to a vector that fits into no cache.  The roofline (Williams, Waterman & Patterson 2009) is
the larger of the times that operations and bytes take at these rates: caches can beat its memory
side, nothing the other.  One thread is timed by its own clock, which other programs do not move.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from cgmgm_seis import from_points
from cgmgm_seis.models.step import Step
from cgmgm_seis.training.recipe import Recipe
from cgmgm_seis.training.trainer import Trainer

N_SAMPLES, RECORDS = 6000, 128
MODELS = ("CGMGM", "EvolutionaryCGM")


class Bytes(TorchDispatchMode):
    """Count the bytes that operations read and write."""

    total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operation; views move nothing."""
        result = func(*args, **(kwargs or {}))
        if not func.is_view:
            for tensor in tree_leaves((args, kwargs, result)):
                if isinstance(tensor, torch.Tensor):
                    self.total += tensor.numel() * tensor.element_size()
        return result


def a_step(name: str, device: str, bf16: bool) -> tuple[Callable[[], None], int]:
    """Return a training step of a model at its default settings, and its batch size."""
    recipe = Recipe(name)
    config = recipe.config(device=device, bf16=bf16)
    model = recipe.new_model(0)
    rng = np.random.default_rng(0)
    points = [(37.5 + 0.01 * (i % 16), -122.0 + 0.02 * (i // 16)) for i in range(RECORDS)]
    scenario = from_points(3.0, (37.7, -122.1), points)
    scenario["source_id"] = [f"event{i // 8}" for i in range(RECORDS)]
    times = np.arange(N_SAMPLES) / 100.0
    envelope = 1e-5 * np.exp(-np.abs(times - rng.uniform(8, 25, (RECORDS, 1, 1))) / 4) + 1e-7
    noise = rng.standard_normal((RECORDS, 3, N_SAMPLES))
    records = (envelope * noise).astype(np.float32)
    model.fit_normalisation(records, scenario)
    features = model.features(records, scenario)
    model.to_device(device)
    trainer = Trainer(model, {"train": features, "dev": features}, config)
    trainer._set_training()
    rows = trainer._batch_rows("train")[:1]
    ((_, batch, _),) = trainer._batches("train", rows)
    with_all_terms = Step(trainer._noise("bench"), progress=0.5)

    def step() -> None:
        losses = trainer.step_loss(batch, with_all_terms)
        trainer.optimizer.zero_grad(set_to_none=True)
        losses["loss"].backward()
        torch.nn.utils.clip_grad_norm_(trainer.trained, config.gradient_clip)
        trainer.optimizer.step()

    return step, len(rows[0])


def seconds_of(step: Callable[[], Any], repeats: int, device: str) -> float:
    """Return the median time of a step."""
    found = []
    for _ in range(repeats + 2):
        if device == "cuda":
            torch.cuda.synchronize()
        alone = device == "cpu" and torch.get_num_threads() == 1
        clock = time.thread_time if alone else time.perf_counter
        began = clock()
        step()
        if device == "cuda":
            torch.cuda.synchronize()
        found.append(clock() - began)
    return statistics.median(found[2:])


def machine(device: str) -> tuple[float, float]:
    """Return the best rates of this machine: operations and bytes a second."""
    n = 1536 if device == "cpu" else 8192
    one, other = torch.randn(2, n, n, device=device)
    flops = 2 * n**3 / min(seconds_of(lambda: one @ other, 3, device) for _ in range(3))
    vector = torch.randn(2**26, device=device)
    into = torch.empty_like(vector)
    add = lambda: torch.add(vector, 1.0, out=into)  # noqa: E731
    rate = 2 * 4 * len(vector) / min(seconds_of(add, 3, device) for _ in range(3))
    return flops, rate


def against_roofline(
    name: str, device: str, bf16: bool, peak: tuple[float, float], repeats: int
) -> str:
    """Time a training step of a model, and describe it beside the rates of `machine`."""
    flops, rate = peak
    step, n = a_step(name, device, bf16)
    with FlopCounterMode(display=False) as counter:
        step()
    with Bytes() as moved:
        step()
    operations = counter.get_total_flops()
    seconds = seconds_of(step, repeats, device)
    bound = max(operations / flops, moved.total / rate)
    return (
        f"{1e3 * seconds:6.0f} ms a step of {n}, {n / seconds:6.0f} records/s; "
        f"{operations / 1e9:.1f} GFLOP, {moved.total / 1e9:.2f} GB; at the peak "
        f"{1e3 * operations / flops:.0f} ms, at the memory's rate "
        f"{1e3 * moved.total / rate:.0f} ms: {100 * bound / seconds:.0f} % of the roofline, "
        f"{100 * operations / flops / seconds:.0f} % of the peak"
    )


def main() -> None:
    """Print rates, counts and times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--bf16", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device, bf16, peak = arguments.device, arguments.bf16, machine(arguments.device)
    print(f"{device}, {arguments.threads} thread(s)")
    print(f"best product {peak[0] / 1e9:.0f} GFLOP/s, memory {peak[1] / 1e9:.1f} GB/s")
    for name in MODELS:
        print(f"{name:16s} {against_roofline(name, device, bf16, peak, arguments.repeats)}")


if __name__ == "__main__":
    main()
