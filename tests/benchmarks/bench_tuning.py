"""Compare a search with random trials of the same seed, on about 1,000 simulated records.

Run ``python tests/benchmarks/bench_tuning.py``; it ends with status 1 unless the best of the search
is better than the median of the random trials, which are never stopped early, and prints the
seconds of both.
"""

import argparse
import logging
import statistics
import sys
import tempfile
import time
from pathlib import Path

from cgmgm_seis.simulator.catalogue import simulate
from cgmgm_seis.tuning.objective import Study
from cgmgm_seis.tuning.search import Search, tune
from cgmgm_seis.tuning.space import default_space
from cgmgm_seis.tuning.trials import Trial, TrialsFile

EVENTS, TRIALS, EPOCHS = 100, 12, 3


def main() -> None:
    """Run both searches and print every score."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="EvolutionaryCGM", choices=["EvolutionaryCGM", "CGMGM"])
    parser.add_argument("--components", default="Z")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--events", type=int, default=EVENTS, help="Simulated earthquakes.")
    parser.add_argument("--dataset", type=Path, help="By default simulated.")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        dataset = arguments.dataset or Path(folder) / "simulated"
        if arguments.dataset is None:
            simulate(arguments.events, 1, dataset)
        study = Study(dataset, seed=arguments.seed, device="cpu")
        space = default_space(arguments.model)
        fixed = {"epochs": EPOCHS, "component_order": arguments.components}
        searches = {
            "search": Search(study, space, fixed),
            "random": Search(study, space, fixed, n_random=TRIALS, stops=False),
        }
        found: dict[str, list[Trial]] = {}
        seconds = {}
        for name, search in searches.items():
            began = time.perf_counter()
            tune(search, Path(folder) / name, TRIALS, progress=False, retrain=name == "search")
            seconds[name] = time.perf_counter() - began
            data = study.read(search.any_recipe())
            found[name] = TrialsFile(Path(folder) / name, search.identity(data)).trials
            scores = " ".join(
                f"{trial.score:.0f}{'*' if trial.state == 'stopped' else ''}"
                if trial.score is not None
                else trial.state
                for trial in found[name]
            )
            print(f"{name} ({seconds[name]:.0f} s): {scores}  (* stopped early)")
    complete = [t.score for t in found["search"] if t.state == "complete" and t.score is not None]
    random = [t.score for t in found["random"] if t.score is not None]
    best, median = min(complete), statistics.median(random)
    print(f"best of the search {best:.1f}, of random trials {min(random):.1f}")
    print(f"median of the search's complete trials {statistics.median(complete):.1f}")
    print(f"median of random trials {median:.1f}")
    if best >= median:
        sys.exit("The search is not better than the median of random trials.")


if __name__ == "__main__":
    main()
