"""Leave-one-station-out tables of conditioned generators: simulated, recorded, Pleasant Hill.

    python tests/benchmarks/bench_conditioning.py [--weights NAME] [--events 100] [--only PART]

The model is conditioned on all stations of an event but one, and its realizations there are
compared with the record: standard deviation and mean of recorded - median, and the share of records
between the 16th and 84th percentiles.  Beside it is the multivariate normal of the unconditioned
residuals (``normal``), with tau, phi and the correlation fitted to these residuals.  Of simulated
events two stations are left out, one after the other, of the others every one.  The part ``size``
measures time and memory of 300 recorded stations at 10,000 nodes.
"""

import argparse
import resource
import time
from pathlib import Path

import numpy as np
import pandas as pd

from cgmgm_seis import from_points, load_model
from cgmgm_seis.datasets.examples import PLEASANT_HILL
from cgmgm_seis.evaluation.flatfile import read_flatfile
from cgmgm_seis.evaluation.given import read_given
from cgmgm_seis.evaluation.measures import ln_rotd50
from cgmgm_seis.grid.measures import Measures
from cgmgm_seis.grid.nodes import grid_nodes
from cgmgm_seis.models.conditions import inside_range
from cgmgm_seis.scenario.geography import local_km
from cgmgm_seis.scenario.obspy_files import read_event, read_inventory
from cgmgm_seis.scenario.sources import source
from cgmgm_seis.simulator.catalogue import simulate_catalogue

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
LENGTHS, SHARES = (5.0, 10.0, 15.0, 20.0, 30.0, 50.0), (0.0, 0.2, 0.4, 0.6, 0.8, 0.95)
PERIODS = (0.3, 1.0)
LEAST_STATIONS, LEFT_OUT = 8, 2
# No training has this seed.
SEED = 424242
N_NODES, N_RECORDED = 10_000, 300
BLOCK = 50  # records drawn at once


class Records:
    """Events of a table: what was recorded, and realizations of the unconditioned model."""

    def __init__(self, model, scenario, recorded, measures, names, n_realizations, n_left_out=None):
        self.model, self.measures, self.names, self.n = model, measures, names, n_realizations
        self.scenario, self.recorded = scenario, recorded
        self.event = scenario["source_id"].to_numpy()
        places = scenario["station_latitude_deg"], scenario["station_longitude_deg"]
        self.points = local_km(*places, model.centre)
        rng = np.random.default_rng(0)
        rows = [rng.permutation(np.flatnonzero(self.event == e)) for e in dict.fromkeys(self.event)]
        self.left_out = np.sort(np.concatenate([own[:n_left_out] for own in rows]))
        # A few records at a time, since the waveforms of all need some gigabytes.
        parts = [scenario.iloc[k : k + BLOCK] for k in range(0, len(scenario), BLOCK)]
        drawn = (model.sample(part, n_realizations, 1, extrapolate=True) for part in parts)
        self.free = np.concatenate([measures(x) for x in drawn])

    def conditioned(self, evidence_of):
        """Return realizations (record, realization, series), NaN at stations not left out.

        ``evidence_of(rows, scenario)`` returns what the rows of an event say.
        """
        given = np.full_like(self.free, np.nan)
        for name in dict.fromkeys(self.event):
            rows = np.flatnonzero(self.event == name)
            evidence = evidence_of(rows, self.scenario.iloc[rows].reset_index(drop=True))
            for row in np.intersect1d(rows, self.left_out):
                model = self.model.given(evidence.chosen(rows != row))
                one = self.scenario.iloc[[row]].reset_index(drop=True)
                given[row] = self.measures(model.sample(one, self.n, 1, extrapolate=True))[0]
        return given

    def table(self, title, evidence_of):
        """Print and return what the bars ask for, one row per measure."""
        began = time.perf_counter()
        given = self.conditioned(evidence_of)
        found = {name: self._row(k, given[:, :, k]) for k, name in enumerate(self.names)}
        print(
            f"\n{title}: {len(set(self.event))} events, {len(self.event)} records, "
            f"{time.perf_counter() - began:.0f} s"
        )
        print(pd.DataFrame(found).T.round(2).to_string(), flush=True)

    def _row(self, k, given):
        """Return the row of a measure, whose conditioned realizations are (record, draw)."""
        known = np.isfinite(self.recorded[:, k])
        before = self.recorded[:, k] - np.median(self.free[:, :, k], axis=1)
        within = before - pd.Series(before).groupby(self.event).transform("mean").to_numpy()
        normal = np.full_like(before, np.nan)
        normal[known], fitted = multivariate_normal(
            before[known], self.event[known], self.points[known]
        )
        own = self.left_out[known[self.left_out]]
        after = self.recorded[own, k] - np.median(given[own], axis=1)
        return {
            "left out": len(own),
            "bias before": before[own].mean(),
            "after": after.mean(),
            "sd before": before[own].std(),
            "within": within[own].std(),
            "conditioned": after.std(),
            "normal": normal[own].std(),
            "16-84 before": self._inside(own, k, self.free[:, :, k]),
            "conditioned ": self._inside(own, k, given),
            **fitted,
        }

    def _inside(self, rows, k, drawn):
        """Return the share of records between the 16th and 84th percentiles."""
        # Of n realizations, k are below another one with the probability k / (n + 1).
        low, high = np.percentile(drawn[rows], [16.0, 84.0], axis=1, method="weibull")
        recorded = self.recorded[rows, k]
        return np.mean((recorded > low) & (recorded < high))


def multivariate_normal(residual, event, points):
    """Return residuals (record,) less their mean given the other stations, and the parameters."""
    rows = [np.flatnonzero(event == name) for name in np.unique(event)]
    distances = [np.hypot(*np.moveaxis(points[r][:, None] - points[r], -1, 0)) for r in rows]
    total = residual.var()

    def fit(between, share, length, want=False):
        loss, left = 0.0, np.empty_like(residual)
        for r, h in zip(rows, distances, strict=True):
            within = share * np.exp(-h / length) + (1.0 - share) * np.eye(len(r))
            inverse = np.linalg.inv(total * (between + (1.0 - between) * within))
            z = residual[r] - residual.mean()
            loss += z @ inverse @ z - np.linalg.slogdet(inverse)[1]
            left[r] = (inverse @ z) / np.diag(inverse)
        return left if want else loss

    tried = [(b, s, n) for b in (0.02, 0.1, 0.2, 0.3, 0.45) for s in SHARES for n in LENGTHS]
    between, share, length = min(tried, key=lambda x: fit(*x))
    fitted = {
        "tau": np.sqrt(total * between),
        "phi": np.sqrt(total * (1.0 - between)),
        "share": share,
        "km": length,
    }
    return fit(between, share, length, want=True), fitted


def usable(scenario, model):
    """Return the rows within the trained ranges, of events with at least 8 stations."""
    inside = [inside_range(scenario, column, limits) for column, limits in model.ranges.items()]
    keep = np.all(inside, axis=0)
    counts = scenario["source_id"][keep].value_counts()
    return keep & scenario["source_id"].isin(counts.index[counts >= LEAST_STATIONS]).to_numpy()


def first_events(scenario, keep, n_events):
    """Return the kept rows of the first events."""
    names = scenario["source_id"][keep].unique()[:n_events]
    return keep & scenario["source_id"].isin(names).to_numpy()


def simulated(model, n_events, n_realizations):
    """Simulated events that no training has seen, waveforms or amplitudes given."""
    waveforms, scenario = simulate_catalogue(n_events + n_events // 4 + 1, SEED, workers=1)
    keep = first_events(scenario, usable(scenario, model), n_events)
    scenario = scenario[keep].reset_index(drop=True)
    order = ["ZNE".index(component) for component in model.component_order]
    waveforms = np.ascontiguousarray(waveforms[keep][:, order, : model.n_samples])
    measures = Measures(model.component_order, 100.0, ("eas", "pgv"), (2.0, 5.0, 10.0))
    recorded = measures(waveforms)
    records = Records(
        model, scenario, recorded, measures, measures.labels, n_realizations, LEFT_OUT
    )
    records.table(
        "Simulated, waveforms given",
        lambda rows, own: model.evidence(waveforms[rows], own, extrapolate=True),
    )
    records.table(
        "Simulated, EAS and PGV given",
        lambda rows, own: model.evidence(recorded[rows], own, measures, extrapolate=True),
    )


def nga_west2_amplitudes(model, n_events):
    """Return scenario and logarithms of recorded amplitudes, their measures and names."""
    flatfile = read_flatfile(SHARED / "nga_west2" / "bay_r80_measures.csv", "nga_west2")
    keep = first_events(flatfile.scenario, usable(flatfile.scenario, model), n_events)
    names = ["RotD50 PGA", "RotD50 PGV", *(f"RotD50 PSA {t:g} s" for t in PERIODS)]
    places = flatfile.names.get_level_values("measure").get_indexer(names)

    def measures(waveforms):
        return ln_rotd50(waveforms, model.component_order, model.sampling_rate, PERIODS)

    scenario = flatfile.scenario[keep].reset_index(drop=True)
    return scenario, flatfile.values[keep][:, places], measures, names


def nga_west2(model, n_events, n_realizations):
    """Recorded amplitudes of Bay Area earthquakes."""
    scenario, recorded, measures, names = nga_west2_amplitudes(model, n_events)
    Records(model, scenario, recorded, measures, names, n_realizations).table(
        "NGA-West2, amplitudes given",
        lambda rows, own: model.evidence(recorded[rows], own, measures, extrapolate=True),
    )


def pleasant_hill(model, _, n_realizations):
    """The earthquake of the example, waveforms given."""
    earthquake = source(event=read_event(PLEASANT_HILL / "event.xml"))
    inventory = read_inventory(PLEASANT_HILL / "stations.xml")
    given = read_given(PLEASANT_HILL / "waveforms", earthquake, model, inventory)
    measures, values = given.measures, given.values
    Records(model, given.scenario, values, measures, measures.labels, n_realizations).table(
        "Pleasant Hill, waveforms given",
        lambda rows, own: model.evidence(values[rows], own, measures, extrapolate=True),
    )


def size(model, _, __):
    """Time and memory of 300 recorded stations at 10,000 nodes, as a ratio to unconditioned."""
    rng = np.random.default_rng(0)
    places = np.column_stack(
        [rng.uniform(37.4, 38.2, N_RECORDED), rng.uniform(-122.5, -121.8, N_RECORDED)]
    )
    stations = from_points(4.0, (37.9, -122.1), [tuple(p) for p in places.round(4).tolist()])
    waveforms = model.sample(stations, seed=9)[:, 0]
    measures = Measures(model.component_order, 100.0, ("eas", "pgv"), (2.0, 5.0, 10.0))
    recorded = measures(waveforms).astype(float)
    side = round(np.sqrt(N_NODES))
    nodes = grid_nodes((-122.5, -121.8, 37.4, 38.2), (side, side))
    earthquake = source(4.0, 37.9, -122.1)

    def drawn(own):
        """Draw one realization of all nodes, many at once as grid does; return processor s."""
        began = time.process_time()
        for first in range(0, len(nodes), 1000):
            own.sample(nodes.scenario(earthquake, first, first + 1000), 1)
        return time.process_time() - began

    plain = drawn(model)
    print(f"\n{N_RECORDED} recorded stations, {len(nodes)} nodes")
    print(f"unconditioned {plain:.0f} s, {memory():.2f} GB", flush=True)
    for name, given in (
        ("EAS and PGV", (recorded, stations, measures)),
        ("waveforms", (waveforms, stations)),
    ):
        began = time.process_time()
        conditioned = model.condition(*given)
        evidence = time.process_time() - began
        conditioned_s = drawn(conditioned)
        print(
            f"{name}: evidence {evidence:.0f} s, conditioned {conditioned_s:.0f} s, ratio "
            f"{(evidence + conditioned_s) / plain:.2f}, {memory():.2f} GB",
            flush=True,
        )


def memory():
    """Return the largest resident memory so far, GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


PARTS = {
    "simulated": simulated,
    "nga_west2": nga_west2,
    "pleasant_hill": pleasant_hill,
    "size": size,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default="bay_area_evolutionary")
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("-n", type=int, default=30, help="realizations")
    parser.add_argument("--only", choices=PARTS)
    arguments = parser.parse_args()
    for part, measured in PARTS.items():
        if arguments.only in (None, part):
            measured(load_model(arguments.weights), arguments.events, arguments.n)
