"""Time of `cgmgm-seis grid`, its shares and its memory, and records a second beside the paper's.

    python tests/benchmarks/bench_grid.py [SIDE] [REALIZATIONS] [WORKERS] [KINDS]
    python tests/benchmarks/bench_grid.py stages [SIDE] [REALIZATIONS] [KINDS]

SIDE 100, 1 realization: everything is written.  More realizations: maps only, of the measures KINDS
("fas,pgv").  The published procedure is a waveform by 500 Griffin-Lim iterations, here of CGMGM.

"stages" runs in one process and prints the processor time of every stage, without those that it
calls; clocks on the wall say little beside other programs.  For another version of the package, put
it first on PYTHONPATH; stages that it does not have are left out.
"""

import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from cgmgm_seis.grid.job import GridJob
from cgmgm_seis.grid.measures import KINDS, Measures
from cgmgm_seis.grid.nodes import grid_nodes
from cgmgm_seis.grid.synthesis import PARTS, draw_tasks, local_engine, write_grid
from cgmgm_seis.models.cgmgm.model import CGMGM
from cgmgm_seis.models.weights import load_model
from cgmgm_seis.scenario.sources import source
from cgmgm_seis.scenario.table import from_points

REGION = (-122.5, -121.8, 37.27, 38.07)
WEIGHTS = "bay_area_evolutionary"
PUBLISHED_ITERATIONS, PUBLISHED_RECORDS = 500, 20
# What is not written by default.
EXTRA = ("geotiff", "shakemap")
# Modules and functions of the stages.
STAGES = {
    "generation": (("models.base", "GroundMotionModel.sample"),),
    "Fourier spectra": (
        ("grid.measures", "fas"),
        ("grid.measures", "konno_ohmachi"),
        ("grid.measures", "smoothed_fas"),
    ),
    "acceleration": (("grid.measures", "acceleration"),),
    "response spectra": (("grid.measures", "rotd50_psa"),),
    "RotD50 of PGA, PGV": (("grid.measures", "rotd50"),),
    "other measures": (("grid.measures", "Measures.__call__"),),
    "MiniSEED": (("grid.waveforms", "WaveformFiles.contents"),),
    "chunks": (("grid.job", "GridJob.run"),),
    "statistics": (("grid.synthesis", "statistics"), ("grid.synthesis", "_event_terms")),
    "maps, OpenQuake": (("grid.synthesis", "_write_tables"),),
    "smoothing": (("grid.plots", "smooth_part"),),
    "figures": (("grid.synthesis", "_write_figures"),),
    "map.html": (("grid.synthesis", "write_html"),),
    "StationXML": (("grid.synthesis", "write_stationxml"),),
    "the rest": (("grid.synthesis", "write_grid"), ("grid.synthesis", "draw_tasks")),
}


class Clock:
    """Processor time of stages, each without those that it calls."""

    def __init__(self) -> None:
        self.seconds = Counter[str]()
        self.open: list[str] = []
        self.last = time.process_time()

    def switch(self) -> None:
        """Give the time since the last switch to the stage that is open."""
        now = time.process_time()
        if self.open:
            self.seconds[self.open[-1]] += now - self.last
        self.last = now

    def watch(self, stage: str, module: str, name: str) -> None:
        """Count the time of a function, unless there is none of this name."""
        owner = import_module(f"cgmgm_seis.{module}")
        *classes, own = name.split(".")
        for part in classes:
            owner = getattr(owner, part)
        if hasattr(owner, own):
            setattr(owner, own, self.timed(stage, getattr(owner, own)))

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function whose time is counted."""

        @wraps(function)
        def measured(*arguments: Any, **named: Any) -> Any:
            self.switch()
            self.open.append(stage)
            try:
                return function(*arguments, **named)
            finally:
                self.switch()
                self.open.pop()

        return measured


def stages(side: int, n: int, kinds: tuple[str, ...]) -> None:
    """Print the processor time of every stage in one process."""
    torch.set_num_threads(1)
    whole = n == 1 and kinds == KINDS
    parts = [part for part in PARTS if whole and part not in EXTRA] or ["maps"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # What is loaded and planned at first is not counted.
        first = job_of(3, n, kinds, whole, folder / "first chunks")
        draw_tasks(first)
        write_grid(folder / "first", first, parts=parts)
        clock = Clock()
        for stage, functions in STAGES.items():
            for function in functions:
                clock.watch(stage, *function)
        synthesis = import_module("cgmgm_seis.grid.synthesis")
        job = job_of(side, n, kinds, whole, folder / "chunks")
        synthesis.draw_tasks(job)
        synthesis.write_grid(folder / "out", job, parts=parts)
    total, records = clock.seconds.total(), side * side * n
    about = f"{side} x {side} nodes, {n} realization(s), {', '.join(kinds)}"
    print(f"{about}: {total:.2f} s of processor")
    for stage in STAGES:
        if seconds := clock.seconds[stage]:
            print(
                f"  {stage:20s} {100.0 * seconds / total:5.1f} %  {seconds:7.2f} s  "
                f"{1e3 * seconds / records:.3f} ms a record"
            )
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  most memory {most:.0f} MB")


def job_of(side: int, n: int, kinds: tuple[str, ...], waveforms: bool, folder: Path) -> GridJob:
    """Return the job of an earthquake at the nodes of a square."""
    model = load_model(WEIGHTS)
    return GridJob(
        model,
        WEIGHTS,
        source(3.9, 37.861, -122.257, 7.9),
        grid_nodes(REGION, (side, side)),
        Measures(model.component_order, model.sampling_rate, kinds),
        n,
        waveforms=waveforms,
        folder=folder,
    )


def main(side: int, n: int, workers: int, kinds: tuple[str, ...]) -> None:
    """Run one job and print what it took."""
    whole_map = n == 1 and side <= 100
    with tempfile.TemporaryDirectory() as folder:
        job = job_of(side, n, kinds, whole_map, Path(folder) / "chunks")
        began = time.perf_counter()
        done = draw_tasks(job, local_engine(workers), progress=True)
        drawn = time.perf_counter() - began
        write_grid(Path(folder) / "out", job, parts=PARTS if whole_map else ["maps"])
        whole = time.perf_counter() - began
    ours = done["records"] / drawn
    busy = sum(done[key] for key in ("generation", "measures", "writing"))
    print(f"{side} x {side} nodes, {n} realization(s), {', '.join(kinds)}, {workers} worker(s)")
    print(f"end to end {whole:.1f} s, of which drawing {drawn:.1f} s ({ours:.0f} records/s)")
    for key in ("generation", "measures", "writing"):
        print(f"  {key:10s} {100.0 * done[key] / busy:5.1f} % of the workers' time")
    for who, name in ((resource.RUSAGE_SELF, "this process"), (resource.RUSAGE_CHILDREN, "worker")):
        print(f"  most memory, {name}: {resource.getrusage(who).ru_maxrss / 1024:.0f} MB")
    published = CGMGM.from_pretrained("bay_area")
    published.speckle, published.griffin_lim_iterations = False, PUBLISHED_ITERATIONS
    few = from_points(3.9, (37.861, -122.257), [(37.8, -122.2)] * PUBLISHED_RECORDS, 7.9)
    began = time.perf_counter()
    published.sample(few)
    theirs = PUBLISHED_RECORDS / (time.perf_counter() - began)
    print(f"published procedure: {theirs:.1f} records/s a process; ratio {ours / theirs:.0f}")


if __name__ == "__main__":
    given = sys.argv[1:]
    staged = given[:1] == ["stages"]
    numbers = [int(word) for word in given[staged:] if word.isdigit()]
    measured = [tuple(word.split(",")) for word in given[staged:] if not word.isdigit()]
    kinds = measured[0] if measured else KINDS
    side, n, workers = (*numbers, *(100, 1, 2)[len(numbers) :])
    if staged:
        stages(side, n, kinds)
    else:
        main(side, n, workers, kinds)
