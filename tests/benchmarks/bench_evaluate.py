"""Time an evaluation by stage, with its peak memory.

    python tests/benchmarks/bench_evaluate.py [--records 1000] [--processes]

Everything runs in one process and stages are counted in processor time, so that they add up and two
versions can be compared on a busy machine.  With --processes it runs as users run it, other
processes measuring and training classifiers meanwhile, and stages are counted in elapsed time: the
bar is 6 minutes on two cores for 1,000 records x 20 realizations of the default weights and of the
simulator, picks and classifiers included, and 4 GB for 5,000 records.
"""

import argparse
import os
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from cgmgm_seis.evaluation import (
    EvaluationConfig,
    classifier,
    comparisons,
    data,
    discriminator,
    draws,
    evaluate,
    generator_picks,
    identity,
    measures,
    records,
    run,
    simulator_draws,
    write_evaluation,
)
from cgmgm_seis.models.weights import load_model
from cgmgm_seis.simulator.catalogue import simulate

# Records of a simulated event, about, and the share of the events in the test split.
RECORDS_AN_EVENT, TEST_SHARE = 10, 0.1
PEAKS = "peaks, energy, durations"
STAGES: tuple[tuple[Any, str, str], ...] = (
    (data.EvaluationData, "__init__", "read"),
    (data.EvaluationData, "read_split", "read"),
    (identity, "records_sha256", "checksums"),
    (simulator_draws, "simulate_waveforms", "draw, simulator"),
    (run, "reduce_draws", "wait for draws"),
    (draws, "_check", "check"),
    (draws, "gathered", "wait for measures"),
    (records, "gathered", "wait for measures"),
    (measures, "acceleration", PEAKS),
    (measures, "pga", PEAKS),
    (measures, "pgv", PEAKS),
    (measures, "arias_intensity", PEAKS),
    (measures, "cav", PEAKS),
    (measures, "significant_duration", PEAKS),
    (measures, "fas", "FAS and EAS"),
    (measures, "rotd50", "RotD50 of peaks"),
    (measures, "rotd50_psa", "RotD50 of PSA"),
    (generator_picks, "load_picker", "load PhaseNet"),
    (generator_picks, "pick", "PhaseNet"),
    (classifier, "train", "classifiers"),
    (classifier, "right_of", "classifiers"),
    (discriminator.Classifiers, "__init__", "start classifiers"),
    (discriminator.Classifiers, "score", "wait for classifiers"),
    (comparisons, "compare", "residuals"),
    (run, "compare_draws", "highlights"),
    (run, "comparison_tables", "tables"),
    (run, "distribution_tables", "Frechet test"),
    (run, "ground_motion_models_beside", "ground-motion models"),
    (run, "structure_tables", "learned structure"),
)


class Stages:
    """Seconds of the functions of an evaluation, each without those of others in it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.seconds: Counter[str] = Counter()
        self.running = ["everything else"]
        self.since = clock()
        for owner, name, stage in STAGES:
            self.wrap(owner, name, stage)

    def wrap(self, owner: Any, name: str, stage: str) -> None:
        """Count the time of a function or method."""
        function = getattr(owner, name)
        # A method must stay one.
        setattr(owner, name, lambda *args, **kwargs: self.call(stage, function, *args, **kwargs))

    def call(self, stage: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function as a part of a stage."""
        self.count()
        self.running.append(stage)
        try:
            return function(*args, **kwargs)
        finally:
            self.count()
            self.running.pop()

    def count(self) -> None:
        """Add the time since the last call to the stage that runs."""
        now = self.clock()
        self.seconds[self.running[-1]] += now - self.since
        self.since = now


class Here(Executor):
    """Calls functions at once."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Return the result of a call."""
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


def peak_gb() -> tuple[float, float]:
    """Return the peak memory of this process and of the largest of its children, GB."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    own, child = (resource.getrusage(kind).ru_maxrss / 1e6 for kind in kinds)
    return own, child


def main() -> None:
    """Evaluate once and print seconds and memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100)
    parser.add_argument("--realizations", type=int, default=20)
    parser.add_argument("--classifiers", type=int, default=5)
    parser.add_argument("--weights", default="bay_area_evolutionary")
    parser.add_argument("--picker", default="original")
    parser.add_argument("--dataset", type=Path, help="by default one is simulated")
    parser.add_argument("--split", default="test")
    parser.add_argument("--no-gmms", action="store_true")
    parser.add_argument("--no-simulator", action="store_true", help="as for recordings")
    parser.add_argument("--processes", action="store_true", help="measure in other processes")
    parser.add_argument("--out", type=Path, help="keep the report here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        dataset = arguments.dataset or Path(folder) / "catalogue"
        if arguments.dataset is None:
            simulate(round(arguments.records / RECORDS_AN_EVENT / TEST_SHARE), 0, dataset)
        model = load_model(arguments.weights)
        if not arguments.processes:
            run.measuring_pool = lambda *_: Here()
        if arguments.no_simulator:
            run.simulator_draw = lambda *_: None
        stages = Stages(time.perf_counter if arguments.processes else time.process_time)
        stages.wrap(model, "sample", "draw, model")
        config = EvaluationConfig(
            split=arguments.split,
            n_realizations=arguments.realizations,
            picker=arguments.picker,
            n_classifiers=arguments.classifiers,
            max_records=arguments.records,
            gmms=not arguments.no_gmms,
            workers=os.cpu_count() if arguments.processes else 1,
            progress=True,
        )
        found = evaluate(dataset, {arguments.weights: model}, config)
        out = arguments.out or Path(folder) / "report"
        stages.call("figures and report", write_evaluation, out, found)
        stages.count()
    n_records, seconds = found.metrics["dataset"]["records"], stages.seconds.total()
    kind = "elapsed" if arguments.processes else "processor"
    print(f"{n_records} records x {arguments.realizations} realizations: {seconds:.0f} s ({kind})")
    for stage, own in stages.seconds.most_common():
        print(
            f"{stage:28s} {own:8.1f} s {own / seconds:6.1%} {1e3 * own / n_records:9.1f} ms/record"
        )
    own, child = peak_gb()
    print(
        f"peak memory {own:.2f} GB, and {child:.2f} GB in each of up to {os.cpu_count()} processes"
    )
    print(f"missing: {', '.join(found.metrics['not_available']) or 'nothing'}")


if __name__ == "__main__":
    main()
