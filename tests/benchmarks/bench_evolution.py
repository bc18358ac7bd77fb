"""Count the waveforms a second of EvolutionaryCGM.sample against the published way to generate.

Run ``python tests/benchmarks/bench_evolution.py``; the bars are a ratio of at least 400, and at
most 2.5 times the floor.

The published way is that of `bench_griffin_lim`, in batches of 50.  An untrained model is as fast
as a trained one.  A table shows where the time goes, and the floor of every stage: its random
numbers, or its matrix products and Fourier transforms, at the rates that this machine reaches
with nothing else to do; or what enters and leaves the stage, at the rate of a copy, if that
takes longer.  One thread is timed by its own clock, which other programs do not move.
"""

import argparse
import math
import statistics
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from bench_griffin_lim import plain_generation
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from cgmgm_seis import from_points
from cgmgm_seis.models.conditions import training_ranges
from cgmgm_seis.models.evolutionary import evolution
from cgmgm_seis.models.evolutionary.gaussian import coefficients, fill
from cgmgm_seis.models.evolutionary.model import EvolutionaryCGM
from cgmgm_seis.scenario.streams import to_stream

BAR, FLOOR_BAR, PUBLISHED_BATCH = 400.0, 2.5, 50
NUMBERS, GAUSSIAN = "random numbers", "Gaussian coefficients"
NETWORKS = "networks and spectra"
CONDITIONS = "table to conditions"
PULSES, CODA, COLOUR = "pulses", "coda frames", "colouring and noise"
REST = "checks and copies"
STAGES = (NUMBERS, GAUSSIAN, CONDITIONS, NETWORKS, PULSES, CODA, COLOUR, REST)
# Sizes of the arrays on which rates are measured: those of transforms fit the cache.
CACHED_BYTES, COPIED_BYTES, MATRIX, N_NUMBERS = 2**20, 2**28, 1024, 2**15
MEASURED_S = 0.2


class Stages:
    """Seconds and bytes of the stages of `sample`, each without those that it calls."""

    def __init__(self, model: EvolutionaryCGM) -> None:
        self.seconds: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        self.open = ["outside"]
        self.since = clock()
        parts: list[tuple[Any, str, str]] = [
            (model, "numbers", NUMBERS),
            (model, "conditions", CONDITIONS),
            (model, "sample", REST),
            (model.evolution, "_numbers", NUMBERS),
            (model.evolution, "draw", COLOUR),
            (model.evolution, "_pulse_times", PULSES),
            (model.evolution, "_add_pulses", PULSES),
            (model.evolution, "_coda_times", CODA),
            (model.evolution, "_add_coda", CODA),
            (model, "_gains", NETWORKS),
            (model, "_colour", NETWORKS),
            (model.means, "forward", NETWORKS),
            (model.effects, "draw", NETWORKS),
            (evolution, "coefficients", GAUSSIAN),
        ]
        for method in ("forward", "with_latents", "spectra", "delays"):
            parts.append((model.decoder, method, NETWORKS))
        for owner, method, stage in parts:
            setattr(owner, method, partial(self.call, stage, getattr(owner, method)))

    def call(self, stage: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a method as a part of a stage."""
        self._tick()
        self.open.append(stage)
        result = method(*args, **kwargs)
        self._tick()
        self.open.pop()
        self.bytes[stage] += n_bytes((args, result))
        return result

    def _tick(self) -> None:
        now = clock()
        self.seconds[self.open[-1]] += now - self.since
        self.since = now


class Work(TorchDispatchMode):
    """Floating-point operations of matrix products, and rows of transforms, by stage."""

    def __init__(self, stages: Stages) -> None:
        super().__init__()
        self.stages = stages
        self.flops: Counter[str] = Counter()
        self.rows: Counter[tuple[str, str, int]] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Count, and do, one operation."""
        result = func(*args, **(kwargs or {}))
        stage = self.stages.open[-1]
        if count := flop_registry.get(func.overloadpacket):
            self.flops[stage] += count(*args, **(kwargs or {}), out_val=result)
        elif func is torch.ops.aten._fft_r2c.default:
            self.rows[stage, "rfft", args[0].shape[-1]] += args[0].shape[:-1].numel()
        elif func is torch.ops.aten._fft_c2r.default:
            self.rows[stage, "irfft", result.shape[-1]] += result.shape[:-1].numel()
        return result


class Machine:
    """Seconds a unit of work, the best that this machine does now."""

    def __init__(self) -> None:
        square = torch.rand(MATRIX, MATRIX)
        self.flop = least_seconds(lambda: square @ square) / (2 * MATRIX**3)
        source = torch.zeros(COPIED_BYTES // 4)
        target = torch.empty_like(source)
        # A copy reads and writes.
        self.byte = least_seconds(lambda: target.copy_(source)) / (2 * COPIED_BYTES)
        numbers, power = torch.empty(N_NUMBERS), torch.ones(N_NUMBERS)
        phases, key = torch.empty(N_NUMBERS, dtype=torch.complex64), np.ones(3, np.uint64)
        filling = partial(fill, key, numbers.numpy(), phases.numpy())
        self.number = least_seconds(filling) / N_NUMBERS
        drawing = partial(coefficients, numbers, phases, power)
        self.coefficient = least_seconds(drawing) / N_NUMBERS
        self.transforms: dict[tuple[str, int], float] = {}

    def transform(self, name: str, n: int) -> float:
        """Return the seconds a row of rfft or irfft to n samples."""
        if (name, n) not in self.transforms:
            rows = max(1, CACHED_BYTES // (4 * n))
            records = torch.randn(rows, n)
            if name == "rfft":
                seconds = least_seconds(partial(torch.fft.rfft, records))
            else:
                seconds = least_seconds(partial(torch.fft.irfft, torch.fft.rfft(records), n))
            self.transforms[name, n] = seconds / rows
        return self.transforms[name, n]

    def floor(self, stage: str, stages: Stages, work: Work) -> float:
        """Return the least seconds of a stage."""
        moving = stages.bytes[stage] * self.byte
        if stage == NUMBERS:
            # A number takes 4 bytes, and its phase 8.
            return max(stages.bytes[stage] / 12 * self.number, moving)
        if stage == GAUSSIAN:
            # A coefficient is made of a number, a phase and a power, 16 bytes, and takes 8.
            return max(stages.bytes[stage] / 24 * self.coefficient, moving)
        transforms = sum(
            n_rows * self.transform(name, n)
            for (where, name, n), n_rows in work.rows.items()
            if where == stage
        )
        return max(work.flops[stage] * self.flop + transforms, moving)

    def print(self) -> None:
        """Print the rates."""
        print(
            f"matrix products {1e-9 / self.flop:.0f} GFLOP/s, copies {1e-9 / self.byte:.1f} GB/s, "
            f"random numbers {1e-6 / self.number:.0f} million/s, "
            f"Gaussian coefficients {1e-6 / self.coefficient:.0f} million/s"
        )
        for (name, n), seconds in sorted(self.transforms.items()):
            rate = 1e-9 * 2.5 * n * math.log2(n) / seconds
            print(f"{name} of {n}: {1e6 * seconds:.2f} us, {rate:.0f} GFLOP/s")


def n_bytes(values: Any) -> int:
    """Return the bytes of all arrays in nested tuples, lists and dictionaries."""
    return sum(
        leaf.nbytes for leaf in tree_leaves(values) if isinstance(leaf, torch.Tensor | np.ndarray)
    )


def clock() -> float:
    """Return seconds of this thread, or of the clock on the wall if there are several."""
    return time.thread_time() if torch.get_num_threads() == 1 else time.perf_counter()


def seconds_of(call: Callable[[], Any]) -> float:
    """Return the seconds of a call."""
    began = clock()
    call()
    return clock() - began


def least_seconds(call: Callable[[], Any]) -> float:
    """Return the seconds of the fastest of many calls."""
    seconds, end = [], time.perf_counter() + MEASURED_S
    while time.perf_counter() < end or len(seconds) < 3:
        seconds.append(seconds_of(call))
    return min(seconds)


def main() -> None:
    """Alternate the two ways, print medians, then the stages and their floors."""
    parser = argparse.ArgumentParser(description=__doc__)
    # As many as `grid` and `generate` draw at once.
    parser.add_argument("--records", type=int, default=256, help="records of EvolutionaryCGM")
    parser.add_argument("--batch", type=int, help="of them at once; by default its own choice")
    parser.add_argument("--repeats", type=int, default=5)
    # Several threads wait for each other where other programs share the cores.
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    n = arguments.records
    scenario = from_points(3.0, (37.5, -122.0), [(37.0 + 0.01 * i, -122.0) for i in range(n)])
    model = EvolutionaryCGM(ranges=training_ranges(scenario)).eval()
    traces = partial(to_stream, model.sample(scenario), scenario, model.window)
    stages = Stages(model)
    project = partial(model.sample, scenario, batch_size=arguments.batch)
    published = plain_generation(PUBLISHED_BATCH)
    project()  # warm-up

    runs: list[Counter[str]] = []
    published_seconds: list[float] = []
    traces_seconds: list[float] = []
    for _ in range(arguments.repeats):
        published_seconds.append(seconds_of(published))
        stages.seconds = Counter()
        project()
        del stages.seconds["outside"]
        runs.append(stages.seconds)
        traces_seconds.append(seconds_of(traces))
    work, stages.bytes = Work(stages), Counter()
    with work:
        project()

    rates = {
        "published": PUBLISHED_BATCH / statistics.median(published_seconds),
        "cgmgm-seis": 3 * n / statistics.median(run.total() for run in runs),
    }
    for name, rate in rates.items():
        print(f"{name:12s} {rate:7.1f} waveforms a second")
    print(f"ratio {rates['cgmgm-seis'] / rates['published']:.0f} (at least {BAR:.0f})\n")

    machine = Machine()
    print(f"{'stage':25s} {'ms a record':>11s} {'share':>6s} {'floor':>6s} {'over floor':>10s}")
    rows = {
        stage: (statistics.median(run[stage] for run in runs), machine.floor(stage, stages, work))
        for stage in STAGES
    }
    total = [sum(column) for column in zip(*rows.values(), strict=True)]
    for stage, (seconds, floor) in {**rows, "all": total}.items():
        print(
            f"{stage:25s} {1000 * seconds / n:11.3f} {seconds / total[0]:6.0%} "
            f"{1000 * floor / n:6.3f} {seconds / floor:10.1f}"
        )
    print(f"{total[0] / total[1]:.1f} times the floor (at most {FLOOR_BAR:.1f})")
    print(f"Traces, apart: {1000 * statistics.median(traces_seconds) / n:.3f} ms a record\n")
    machine.print()


if __name__ == "__main__":
    main()
