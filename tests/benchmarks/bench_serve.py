"""Latency and throughput of the web service on loopback.

Run ``python tests/benchmarks/bench_serve.py [CLIENTS [REQUESTS]]``: clients that ask at the same
time, and requests of each.  For requests of one receiver, and of ten stations, it
prints the median and the 95th percentile of the latency, and records a second, beside the records a
second that the model alone draws in the same process.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import requests

from cgmgm_seis import from_points
from cgmgm_seis.serve.application import application, load_models
from cgmgm_seis.serve.limits import Limits
from cgmgm_seis.serve.server import serving

NAME = "bay_area_evolutionary"
SOURCE = {
    "model": NAME,
    "magnitude": 4,
    "sourcelatitude": 37.87,
    "sourcelongitude": -122.2,
    "units": "velocity",
}
STATIONS = from_points(4.0, (37.87, -122.2), depth_km=8.0)
REQUESTS = {
    "one receiver": (1, "37.8 -122.2\n"),
    "ten stations": (
        10,
        "".join(
            f"{row.station_network_code} {row.station_code}\n"
            for row in STATIONS.nsmallest(10, "path_ep_distance_km").itertuples()
        ),
    ),
}


def main() -> None:
    """Print one line a kind of request."""
    clients, count = (int(text) for text in [*sys.argv[1:], "8", "5"][:2])
    models = load_models([NAME])
    head = "".join(f"{name}={value}\n" for name, value in SOURCE.items())
    with serving(application(models, limits=Limits(waiting=clients))) as url:
        for kind, (n_records, lines) in REQUESTS.items():

            def ask(seed: int, lines: str = lines) -> float:
                began = time.perf_counter()
                answer = requests.post(
                    f"{url}/irisws/syngine/1/query", f"{head}seed={seed}\n{lines}", timeout=600
                )
                answer.raise_for_status()
                return time.perf_counter() - began

            ask(0)
            began = time.perf_counter()
            with ThreadPoolExecutor(clients) as pool:
                latencies = list(pool.map(ask, range(clients * count)))
            seconds = time.perf_counter() - began
            scenario = STATIONS.nsmallest(n_records, "path_ep_distance_km")
            began = time.perf_counter()
            for seed in range(count):
                models[NAME].generate(scenario, seed=seed)
            alone = n_records * count / (time.perf_counter() - began)
            print(
                f"{kind}, {clients} clients: latency {1e3 * np.median(latencies):.0f} ms (95 %: "
                f"{1e3 * np.percentile(latencies, 95):.0f} ms), "
                f"{n_records * len(latencies) / seconds:.1f} records/s; the model alone "
                f"{alone:.1f} records/s"
            )


if __name__ == "__main__":
    main()
