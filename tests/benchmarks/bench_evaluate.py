"""Time an evaluation by stage, with its peak memory.

Run ``python tests/benchmarks/bench_evaluate.py --records 1000``; the bar is 15 minutes on two cores
for 1,000 records x 20 realizations of the default weights, picking included, and 4 GB for 5,000.
The default is a tenth of it, to see that it works.  A chart of stages shows where the time goes;
realizations are measured in other processes while the next are drawn, so what measuring costs
beyond drawing is a stage of its own, waiting.
"""

import argparse
import os
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from cgmgm_seis.evaluation import (
    EvaluationConfig,
    data,
    draws,
    evaluate,
    generator_picks,
    gmm_table,
    run,
    write_evaluation,
)
from cgmgm_seis.models.weights import load_model
from cgmgm_seis.simulator.catalogue import simulate

# Records of a simulated event, about, and the share of the events in the test split.
RECORDS_AN_EVENT, TEST_SHARE = 10, 0.1
STAGES: tuple[tuple[Any, str, str], ...] = (
    (data.EvaluationData, "read_split", "read"),
    (draws, "_check", "check"),
    (draws, "gathered", "wait for measures"),
    (generator_picks, "pick", "pick"),
    (run, "discriminative_score", "classifiers"),
    (run, "compare_draws", "statistics"),
    (run, "comparison_tables", "tables"),
    (run, "distribution_tables", "Frechet test"),
    (gmm_table, "fitted_models", "fit ground-motion models"),
    (gmm_table, "published_models", "published ground-motion models"),
)


class Stages:
    """Seconds of the functions of an evaluation."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        for owner, name, stage in STAGES:
            self.wrap(owner, name, stage)

    def wrap(self, owner: Any, name: str, stage: str) -> None:
        """Count the time of a function or method."""
        function = getattr(owner, name)
        # A method must stay one.
        setattr(owner, name, lambda *args, **kwargs: self.call(stage, function, *args, **kwargs))

    def call(self, stage: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function as a part of a stage."""
        began = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            self.seconds[stage] += time.perf_counter() - began


def peak_gb() -> tuple[float, float]:
    """Return the peak memory of this process and of the largest of its children, GB."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    own, child = (resource.getrusage(kind).ru_maxrss / 1e6 for kind in kinds)
    return own, child


def main() -> None:
    """Evaluate once and print seconds, records a second and memory."""
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
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        dataset = arguments.dataset or Path(folder) / "catalogue"
        if arguments.dataset is None:
            simulate(round(arguments.records / RECORDS_AN_EVENT / TEST_SHARE), 0, dataset)
        model = load_model(arguments.weights)
        stages = Stages()
        model.sample = partial(stages.call, "draw, model", model.sample)
        stages.wrap(draws, "simulate_records", "draw, simulator")
        if arguments.no_simulator:
            run.simulator_draw = lambda window: None
        began = time.perf_counter()
        config = EvaluationConfig(
            split=arguments.split,
            n_realizations=arguments.realizations,
            picker=arguments.picker,
            n_classifiers=arguments.classifiers,
            max_records=arguments.records,
            gmms=not arguments.no_gmms,
            progress=True,
        )
        found = evaluate(dataset, {arguments.weights: model}, config)
        evaluated = time.perf_counter()
        write_evaluation(Path(folder) / "report", found)
        stages.seconds["figures and report"] = time.perf_counter() - evaluated
        seconds = time.perf_counter() - began
    n_records = found.metrics["dataset"]["records"]
    stages.seconds["everything else"] = seconds - stages.seconds.total()
    print(f"{n_records} records x {arguments.realizations} realizations: {seconds:.0f} s")
    for stage, own in stages.seconds.most_common():
        print(f"{stage:32s} {own:7.1f} s {own / seconds:5.0%} {n_records / own:10.1f} records/s")
    own, child = peak_gb()
    processes = os.cpu_count() or 1
    print(f"peak memory {own:.1f} GB, and {child:.1f} GB in each of up to {processes} processes")
    print(f"missing: {', '.join(found.metrics['not_available']) or 'nothing'}")


if __name__ == "__main__":
    main()
