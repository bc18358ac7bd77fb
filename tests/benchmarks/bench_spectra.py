"""Time of maps from spectra (`grid --method spectra`), beside drawn waveforms.

    python tests/benchmarks/bench_spectra.py [SIDE] [REALIZATIONS] [WORKERS] [default|bins|peaks]

Series: FAS and EAS at the default frequencies, at all bins of the spectrogram, or at the default
frequencies with PGA, PGV and PSA.  Time of the processors (user) is printed beside that of the
clock, since other programs may share them.  The last lines compare medians and standard deviations
with those of drawn waveforms at 12 nodes.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from cgmgm_seis.grid.job import GridJob
from cgmgm_seis.grid.measures import FREQUENCIES, KINDS, Measures
from cgmgm_seis.grid.nodes import grid_nodes
from cgmgm_seis.grid.spectra_job import SpectraJob
from cgmgm_seis.grid.synthesis import draw_tasks, local_engine, run_here, write_grid
from cgmgm_seis.models.weights import load_model
from cgmgm_seis.scenario.sources import source

REGION = (-122.5, -121.8, 37.27, 38.07)
WEIGHTS = "bay_area_evolutionary"
COMPARED = 60


def user_seconds() -> float:
    """Return the processors' time of this process and of finished workers."""
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(resource.getrusage(who).ru_utime for who in whose)


def timed(job: GridJob, workers: int, out: Path) -> float:
    """Run a job, print its times, and return its user time a record."""
    engine = local_engine(workers) if workers > 1 else run_here
    began, user = time.perf_counter(), user_seconds()
    records = draw_tasks(job, engine)["records"]
    drawn, used = time.perf_counter() - began, user_seconds() - user
    write_grid(out, job, parts=["maps"])
    whole, all_used = time.perf_counter() - began, user_seconds() - user
    print(
        f"{type(job).__name__}: {records:.0f} records, drawing {drawn:.1f} s (user {used:.1f} s), "
        f"with maps {whole:.1f} s (user {all_used:.1f} s)"
    )
    return used / records


def main(side: int, n: int, workers: int, series: str) -> None:
    """Time a map, and a small one by both methods."""
    model = load_model(WEIGHTS)
    bins = tuple((np.arange(1, 81) * 0.625).tolist())
    kinds = KINDS if series == "peaks" else ("fas", "eas")
    frequencies = bins if series == "bins" else FREQUENCIES
    measures = Measures(model.component_order, model.sampling_rate, kinds, frequencies)
    given = (model, WEIGHTS, source(3.9, 37.861, -122.257, 7.9))
    with tempfile.TemporaryDirectory() as folder:
        nodes = grid_nodes(REGION, (side, side))
        job = SpectraJob(*given, nodes, measures, n, folder=Path(folder) / "chunks")
        fast = timed(job, workers, Path(folder) / "out")
        few = (*given, grid_nodes(REGION, (3, 4)), measures, COMPARED)
        chunks = Path(folder) / "few"
        jobs = [
            GridJob(*few, waveforms=False, folder=chunks),
            SpectraJob(*few, folder=chunks),
        ]
        slow = timed(jobs[0], 1, Path(folder) / "waveforms")
        draw_tasks(jobs[1])
        one, other = (
            np.concatenate([found["measures"] for _, _, found in job.results()]) for job in jobs
        )
    print(f"a record: {1e6 * fast:.0f} us, of drawn waveforms {1e6 * slow:.0f} us; ratio", end=" ")
    print(f"{slow / fast:.0f}")
    for label, k in zip(measures.labels, range(measures.n_series), strict=True):
        median = np.median(other[..., k], axis=1).mean() - np.median(one[..., k], axis=1).mean()
        sigma = other[..., k].std(axis=1).mean() / one[..., k].std(axis=1).mean()
        print(f"  {label:14s} ln median {median:+.3f}, standard deviation x {sigma:.3f}")


if __name__ == "__main__":
    words = sys.argv[1:]
    main(
        int(words[0]) if words else 100,
        int(words[1]) if len(words) > 1 else 100,
        int(words[2]) if len(words) > 2 else 2,
        words[3] if len(words) > 3 else "default",
    )
