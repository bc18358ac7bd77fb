"""Time spectra of many records.

Run ``python tests/benchmarks/bench_intensity.py``; the bars are 3 s for the smoothed FAS of
10,000 records of 6,000 samples, and 10 s for the PSA of 1,000 at 100 periods on two cores.
"""

import argparse
import time

import numpy as np

from cgmgm_seis.measures.intensity import smoothed_fas
from cgmgm_seis.measures.response_spectra import psa, rotd50_psa

PERIODS = np.geomspace(0.05, 2.0, 100)
CENTRES = np.geomspace(0.5, 30.0, 100)


def records_like(n: int) -> np.ndarray:
    """Return decaying noise (record, sample), m/s, about as strong as a small earthquake."""
    rng = np.random.default_rng(0)
    envelope = 1e-4 * np.exp(-np.arange(6000) / 400.0) + 1e-7
    return (envelope * rng.standard_normal((n, 6000))).astype(np.float32)


def main() -> None:
    """Time each once and print seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    threads = parser.parse_args().threads
    many, some = records_like(10_000), records_like(1_000)
    pairs = some[:200].reshape(100, 2, -1)
    cases = {
        "smoothed FAS, 10,000 records (at most 3)": lambda: smoothed_fas(many, 100.0, CENTRES),
        "PSA, 1,000 records x 100 periods (at most 10)": lambda: psa(
            some, 100.0, PERIODS, threads=threads
        ),
        "RotD50 of PSA, 100 pairs x 100 periods": lambda: rotd50_psa(
            pairs, 100.0, PERIODS, threads=threads
        ),
    }
    for name, compute in cases.items():
        began, busy = time.perf_counter(), time.process_time()
        compute()
        seconds, used = time.perf_counter() - began, time.process_time() - busy
        print(f"{name:46s} {seconds:5.1f} s, {used:5.1f} s of processor, {threads} threads")


if __name__ == "__main__":
    main()
