"""Time of `cgmgm-seis grid`, its shares and its memory, and records a second beside the paper's.

    python tests/benchmarks/bench_grid.py [SIDE] [REALIZATIONS] [WORKERS] [KINDS]

SIDE 100, 1 realization: everything is written.  More realizations: maps only, of the measures KINDS
("fas,pgv").  The published procedure is a waveform by 500 Griffin-Lim iterations, here of CGMGM.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

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


def main(side: int, n: int, workers: int, kinds: tuple[str, ...]) -> None:
    """Run one job and print what it took."""
    model = load_model(WEIGHTS)
    earthquake = source(3.9, 37.861, -122.257, 7.9)
    with tempfile.TemporaryDirectory() as folder:
        job = GridJob(
            model,
            WEIGHTS,
            earthquake,
            grid_nodes(REGION, (side, side)),
            Measures(model.component_order, model.sampling_rate, kinds),
            n,
            waveforms=n == 1 and side <= 100,
            folder=Path(folder) / "chunks",
        )
        began = time.perf_counter()
        done = draw_tasks(job, local_engine(workers), progress=True)
        drawn = time.perf_counter() - began
        write_grid(Path(folder) / "out", job, parts=PARTS if n == 1 and side <= 100 else ["maps"])
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
    main(
        int(given[0]) if given else 100,
        int(given[1]) if len(given) > 1 else 1,
        int(given[2]) if len(given) > 2 else 2,
        tuple(given[3].split(",")) if len(given) > 3 else KINDS,
    )
