"""Leave-one-station-out tables of conditioned generators: simulated, recorded, Pleasant Hill.

    python tests/benchmarks/bench_conditioning.py [--weights NAME] [--events 100] [--only PART]

At every station of an event the model is conditioned on the other stations, and its realizations
are compared with the record: standard deviation and mean of recorded - median, and the share of
records between the 16th and 84th percentiles.  Beside it is the multivariate normal of the
unconditioned residuals, whose variances and correlation are fitted to these residuals.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from cgmgm_seis import load_model
from cgmgm_seis.datasets.examples import write_example
from cgmgm_seis.evaluation.flatfile import read_flatfile
from cgmgm_seis.evaluation.given import read_given
from cgmgm_seis.evaluation.measures import ln_rotd50
from cgmgm_seis.grid.measures import Measures
from cgmgm_seis.models.conditions import inside_range
from cgmgm_seis.scenario.geography import local_km
from cgmgm_seis.scenario.obspy_files import read_event, read_inventory
from cgmgm_seis.scenario.sources import source
from cgmgm_seis.simulator.catalogue import simulate_catalogue

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
LENGTHS, SHARES = (5.0, 10.0, 15.0, 20.0, 30.0, 50.0), (0.0, 0.2, 0.4, 0.6, 0.8, 0.95)
PERIODS = (0.3, 1.0)


def leave_one_out(model, scenario, evidence, measures, n_realizations):
    """Return realizations (station, realization, series): unconditioned and conditioned."""
    free = measures(model.sample(scenario, n_realizations, 1, extrapolate=True))
    given = np.empty_like(free)
    for row in range(len(scenario)):
        others = np.arange(len(scenario)) != row
        conditioned = model.given(evidence.chosen(others))
        one = scenario.iloc[[row]].reset_index(drop=True)
        given[row] = measures(conditioned.sample(one, n_realizations, 1, extrapolate=True))[0]
    return free, given


def multivariate_normal(residual, event, points):
    """Return residuals (record,) less their mean given the other stations of the event."""
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
    return fit(*min(tried, key=lambda x: fit(*x)), want=True)


def table(names, recorded, free, given, event, points):
    """Return and print what the bars ask for, one row per measure."""
    rows = {}
    for k, name in enumerate(names):
        known = np.isfinite(recorded[:, k])
        before, after = (
            recorded[known, k] - np.median(x[known, :, k], axis=1) for x in (free, given)
        )
        inside = []
        for x in (free, given):
            # Of n realizations, k are below another one with the probability k / (n + 1).
            low, high = np.percentile(x[known, :, k], [16.0, 84.0], axis=1, method="weibull")
            inside.append(np.mean((recorded[known, k] > low) & (recorded[known, k] < high)))
        normal = multivariate_normal(before, event[known], points[known])
        within = before - pd.Series(before).groupby(event[known]).transform("mean").to_numpy()
        rows[name] = {
            "records": known.sum(),
            "bias before": before.mean(),
            "after": after.mean(),
            "sd before": before.std(),
            "within": within.std(),
            "conditioned": after.std(),
            "normal": normal.std(),
            "16-84 before": inside[0],
            "conditioned ": inside[1],
        }
    found = pd.DataFrame(rows).T.round(2)
    print(found.to_string(), flush=True)
    return found


def usable(scenario, model, least=8):
    """Return the rows within the trained ranges, of events with at least 8 stations."""
    inside = [inside_range(scenario, column, limits) for column, limits in model.ranges.items()]
    keep = np.all(inside, axis=0)
    counts = scenario["source_id"][keep].value_counts()
    return keep & scenario["source_id"].isin(counts.index[counts >= least]).to_numpy()


def run(title, model, scenario, values, recorded, measures, names, n_realizations, given_by=None):
    """Print the table of a set of events, conditioned on waveforms or amplitudes."""
    parts, began = [], time.perf_counter()
    for name in scenario["source_id"].unique():
        rows = np.flatnonzero(scenario["source_id"] == name)
        own = scenario.iloc[rows].reset_index(drop=True)
        evidence = model.evidence(values[rows], own, given_by, extrapolate=True)
        parts.append((rows, *leave_one_out(model, own, evidence, measures, n_realizations)))
    rows, free, given = (np.concatenate(x) for x in zip(*parts, strict=True))
    own = scenario.iloc[rows]
    points = local_km(own["station_latitude_deg"], own["station_longitude_deg"], model.centre)
    print(
        f"\n{title}: {own['source_id'].nunique()} events, {len(rows)} records, "
        f"{time.perf_counter() - began:.0f} s"
    )
    return table(names, recorded[rows], free, given, own["source_id"].to_numpy(), points)


def simulated(model, n_events, n_realizations):
    """Simulated events that no training has seen, waveforms given."""
    waveforms, scenario = simulate_catalogue(n_events, 424242, workers=1)
    keep = usable(scenario, model)
    waveforms, scenario = waveforms[keep], scenario[keep].reset_index(drop=True)
    order = ["ZNE".index(component) for component in model.component_order]
    waveforms = np.ascontiguousarray(waveforms[:, order, : model.n_samples])
    measures = Measures(model.component_order, 100.0, ("eas", "pgv"), (2.0, 5.0, 10.0))
    recorded = measures(waveforms)
    run(
        "Simulated, waveforms given",
        model,
        scenario,
        waveforms,
        recorded,
        measures,
        measures.labels,
        n_realizations,
    )
    run(
        "Simulated, EAS and PGV given",
        model,
        scenario,
        recorded,
        recorded,
        measures,
        measures.labels,
        n_realizations,
        measures,
    )


def nga_west2(model, n_events, n_realizations):
    """Recorded amplitudes of Bay Area earthquakes."""
    flatfile = read_flatfile(SHARED / "nga_west2" / "bay_r80_measures.csv", "nga_west2")
    keep = usable(flatfile.scenario, model)
    scenario = flatfile.scenario[keep].reset_index(drop=True)
    names = ["RotD50 PGA", "RotD50 PGV", *(f"RotD50 PSA {t:g} s" for t in PERIODS)]
    places = flatfile.names.get_level_values("measure").get_indexer(names)
    recorded = flatfile.values[keep][:, places]
    some = scenario["source_id"].isin(scenario["source_id"].unique()[:n_events]).to_numpy()
    scenario, recorded = scenario[some].reset_index(drop=True), recorded[some]

    def measures(waveforms):
        return ln_rotd50(waveforms, model.component_order, model.sampling_rate, PERIODS)

    run(
        "NGA-West2, amplitudes given",
        model,
        scenario,
        recorded,
        recorded,
        measures,
        names,
        n_realizations,
        measures,
    )


def pleasant_hill(model, _, n_realizations):
    """The earthquake of the example, waveforms given."""
    with TemporaryDirectory() as folder:
        example = Path(folder) / "example"
        write_example("pleasant-hill", example)
        earthquake = source(event=read_event(example / "event.xml"))
        inventory = read_inventory(example / "stations.xml")
        given = read_given(example / "waveforms", earthquake, model, inventory)
    names = given.measures.labels
    run(
        "Pleasant Hill, waveforms given",
        model,
        given.scenario,
        given.values,
        given.values,
        given.measures,
        names,
        n_realizations,
        given.measures,
    )


PARTS = {"simulated": simulated, "nga_west2": nga_west2, "pleasant_hill": pleasant_hill}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default="bay_area_evolutionary")
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("-n", type=int, default=40, help="realizations")
    parser.add_argument("--only", choices=PARTS)
    arguments = parser.parse_args()
    for part, measured in PARTS.items():
        if arguments.only in (None, part):
            measured(load_model(arguments.weights), arguments.events, arguments.n)
