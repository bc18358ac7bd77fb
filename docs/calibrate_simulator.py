"""Calibrate the simulated Bay Area on recorded amplitudes; write what the package takes from it.

    python docs/calibrate_simulator.py WORK SHARED

WORK keeps linearisations, so that an interrupted run continues.  SHARED holds the recorded
amplitudes as the tests use them (`data/nga_west2/`).  Writes `bay_area_calibration.json`,
`bay_area_sites.csv` and `bay_area_sources.csv` in `cgmgm_seis/simulator/data/`, and prints
how well held-out earthquakes are told.
"""

import json
import pickle
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from recorded_amplitudes import (
    large_scenarios,
    ln_ergodic,
    ln_nga_west2,
    recorded_measures,
    recorded_table,
    region_over_models,
    report,
    scenario_of,
    small_scenarios,
)
from scipy.optimize import least_squares, nnls
from scipy.spatial import cKDTree

from cgmgm_seis.scenario.geography import local_km
from cgmgm_seis.simulator import calibration as cal
from cgmgm_seis.simulator import linearisation as lin
from cgmgm_seis.simulator import spectra
from cgmgm_seis.simulator.region import true_fields
from cgmgm_seis.simulator.residual_scatter import ResidualScatter, residual_scatter
from cgmgm_seis.simulator.scatter import Scatter, bay_area_scatter
from cgmgm_seis.simulator.seismograms import simulate_records
from cgmgm_seis.simulator.sites import CENTRE, SiteTerms, bay_area_sites, site_table
from cgmgm_seis.simulator.sources import SOURCE_SIGMA, bay_area_sources, source_table
from cgmgm_seis.simulator.spectra import Coefficients

Floats = NDArray[np.float64]

DATA = Path(__file__).parents[1] / "cgmgm_seis" / "simulator" / "data"
SOURCES = (
    "Ancheta et al. 2014 (NGA-West2 amplitudes); Campbell & Bozorgnia 2014; Kuehn et al. (site "
    "terms of NGA-West3, EAS); Abrahamson et al. 2014, Boore et al. 2014, Chiou & Youngs 2014 "
    "(M 4.5 to 5.5); Ren et al. 2026 (ergodic FAS, M 1 to 3, 5 and 10 Hz)"
)
# Where the calibration starts; the amplification is that of a generic rock site.
START = Coefficients(
    small_magnitude=0.2,
    magnitudes=(1.0, 2.4, 3.4, 4.5, 5.5),
    ln_stress_drops=(11.4, 13.4, 14.8, 15.3, 15.8),
    ln_corner_ratios=(0.05, 0.05, 0.1, 0.3, 0.6),
    stress_drop_per_km=0.03,
    spreading=(1.2, 0.3),
    knee_km=50.0,
    q0=110.0,
    q_exponent=0.55,
    kappa=0.03,
    kappa_per_km=0.0,
    frequencies=tuple(lin.NODES.tolist()),
    amplification=(1.8, 2.0, 2.1, 2.0, 2.0, 2.0, 1.8, 1.6, 1.2, 0.9, 0.5),
)
SAME_PLACE_KM = 0.3
ROUNDS, STEPS, LEVEL_STEPS, FOLDS, DRAWS = 3, 2, 2, 5, 12
# Standard deviations of what published models say, ln units: of M 4.5 to 5.5, and of small events.
LARGE_SD, SMALL_SD = 0.8, 0.3
# Correlation length of what paths do, km: of residuals less their event's mean it is 14 km, of a
# likelihood without any bound 44 km, with hardly any event terms.
PATH_KM = 20.0
# Nodes of the scatter of records, Hz.
SCATTER_HZ = (0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.0)


def main(work: Path, shared: Path) -> None:
    """Run every step."""
    work.mkdir(parents=True, exist_ok=True)
    table = recorded_table(shared / "data" / "nga_west2" / "bay_r80_measures.csv")
    stations, every_term = published_terms(shared / "data" / "nga_west2" / "bay_site_terms_eas.csv")
    station, published, places = station_numbers(table, stations, every_term)
    observed = recorded_measures(table)
    scenario = scenario_of(table)
    shift = region_over_models(table, scenario, observed)
    large = large_scenarios(float(np.exp(np.log(table["vs30"]).mean())))
    small = small_scenarios()
    expected, ergodic = ln_nga_west2(large) + shift, ln_ergodic(small)

    coefficients, variances = START, cal.Variances()
    base = 0.7 * published
    for step in range(ROUNDS):
        cache = work / f"linearisation_{step}.pickle"
        if not cache.exists():
            none = np.zeros((1, len(lin.NODES)))
            lines = [
                lin.linearise(pairs, coefficients, terms, measure, workers=2)
                for pairs, terms, measure in (
                    (scenario, base[station], lin.ln_measures),
                    (large, none.repeat(len(large), axis=0), lin.ln_measures),
                    (small, none.repeat(len(small), axis=0), lin.ln_small),
                )
            ]
            cache.write_bytes(pickle.dumps((coefficients, base, lines)))
        start, base, (line, *others) = pickle.loads(cache.read_bytes())
        recordings = cal.Recordings(
            scenario,
            observed,
            line,
            np.unique(table["EQID"], return_inverse=True)[1],
            station,
            local_km(table["sta_lat"], table["sta_lon"], CENTRE),
        )
        anchors = [
            cal.Anchors(large, expected, others[0], LARGE_SD),
            cal.Anchors(small, ergodic, others[1], SMALL_SD),
        ]
        for _ in range(STEPS):
            found = cal.fit(recordings, published, anchors, start, variances, base)
            variances = found.variances
            print(describe(variances), flush=True)
        terms = found.site_share * published + found.station
        residual = observed - cal.predicted(recordings, found, start, terms - base)
        coefficients = cal.centred(found.coefficients, residual, line.sensitivity)
        start_terms, base = base, terms
    print(coefficients)
    predicted = cross_validated(recordings, published, anchors, start, variances, start_terms)
    print(report(table, scenario, observed, predicted).round(2).to_string())
    residual = observed - predicted
    unseen = residual_scatter(residual, recordings.event, recordings.points_km, PATH_KM)
    scatter = fourier_scatter(recordings, variances, start, unseen)
    known = SiteTerms(
        *(
            stations[name].iloc[places[places >= 0]]
            for name in ("station_latitude", "station_longitude")
        ),
        lin.NODES,
        found.station[places >= 0],
    )
    terms = found.site_share * every_term + known(
        stations["station_latitude"], stations["station_longitude"], lin.NODES
    )
    terms[places[places >= 0]] = base[places >= 0]
    write_sources(table, recordings, found, start)
    write(coefficients, scatter, shift, stations, terms)
    # What scatters over frequency raises the medians of peaks: the level is that of whole records.
    # The change is nonlinear, so that one step leaves a few hundredths.
    for _ in range(LEVEL_STEPS):
        residual = observed - median_of_draws(scenario)
        print("level", np.nanmean(residual, axis=0).round(3), flush=True)
        coefficients = cal.centred(coefficients, residual, line.sensitivity)
        write(coefficients, scatter, shift, stations, terms)


# ---- stations ------------------------------------------------------------------------------


def published_terms(path: Path) -> tuple[pd.DataFrame, Floats]:
    """Return the stations of NGA-West3 and their EAS site terms less their mean, at `lin.NODES`.

    Where a term is not known at a frequency it is that at neighbouring ones, drawn towards zero
    (a Gaussian process over ln f).
    """
    stations = pd.read_csv(path, dtype={"network_code": str, "station_code": str})
    columns = [name for name in stations if name.startswith("vs_F")]
    frequencies = np.array([float(name[4:].replace("_", ".")) for name in columns])
    values = stations[columns].to_numpy(float)
    values[values < -900.0] = np.nan
    values -= np.nanmean(values, axis=0)
    ln_f, ln_nodes = np.log(frequencies), np.log(lin.NODES)
    terms = np.zeros((len(stations), len(ln_nodes)))
    for i, row in enumerate(values):
        known = np.isfinite(row)
        between = np.exp(-np.abs(np.subtract.outer(ln_f[known], ln_f[known])) / 2.5)
        to_nodes = np.exp(-np.abs(np.subtract.outer(ln_nodes, ln_f[known])) / 2.5)
        terms[i] = to_nodes @ np.linalg.solve(between + 0.03 * np.eye(known.sum()), row[known])
    return stations, terms


def station_numbers(
    table: pd.DataFrame, stations: pd.DataFrame, published: Floats
) -> tuple[NDArray[np.intp], Floats, NDArray[np.intp]]:
    """Number the recorded stations by place.

    Returns
    -------
    tuple of numpy.ndarray
        The number of each row's station, the published terms of the numbered stations (zero where
        there are none), and their rows in ``stations`` (-1 where there is none).
    """
    tree = cKDTree(local_km(stations["station_latitude"], stations["station_longitude"], CENTRE))
    distance, nearest = tree.query(local_km(table["sta_lat"], table["sta_lon"], CENTRE))
    own = [f"{a:.3f} {b:.3f}" for a, b in zip(table["sta_lat"], table["sta_lon"], strict=True)]
    keys = np.where(distance < SAME_PLACE_KM, nearest.astype(str), own)
    names, number = np.unique(keys, return_inverse=True)
    places = np.array([int(name) if name.isdigit() else -1 for name in names])
    known = np.where((places >= 0)[:, None], published[places], 0.0)
    return number, known, places


# ---- the steps -----------------------------------------------------------------------------


def fourier_scatter(
    recordings: cal.Recordings,
    variances: cal.Variances,
    start: Coefficients,
    unseen: ResidualScatter,
) -> Scatter:
    """Return the scatter of Fourier spectra that gives the scatter of the measures.

    Standard deviations are those of earthquakes that a fit has not seen, correlations between
    measures those of the mixed model.  The scatter between realizations of one spectrum, which is
    each record's own, is taken off.
    """
    j, intrinsic = recordings.linearisation.sensitivity, recordings.linearisation.intrinsic
    ln_nodes, ln_f = np.log(SCATTER_HZ), np.log(lin.NODES)
    to_nodes = np.stack([np.interp(ln_f, ln_nodes, row) for row in np.eye(len(ln_nodes))], axis=1)
    k = np.einsum("rmk,kn->rmn", j, to_nodes)
    sd = np.sqrt(np.diag(variances.path))
    target = variances.path * np.outer(unseen.phi / sd, unseen.phi / sd)

    def modelled(x: Floats) -> Floats:
        correlation = np.exp(-np.abs(np.subtract.outer(ln_nodes, ln_nodes)) / np.exp(x[-1]))
        covariance = correlation * np.outer(x[:-1], x[:-1])
        return np.einsum("rmk,kl,rnl->mn", k, covariance, k, optimize=True) / len(k) + intrinsic

    def misfit(x: Floats) -> Floats:
        smooth = 0.3 * np.diff(x[:-1], n=2)
        return np.concatenate([(modelled(x) - target)[np.triu_indices(len(target))], smooth])

    x = least_squares(misfit, np.r_[np.full(len(ln_nodes), 0.5), 1.0]).x
    total, own = np.diag(modelled(x)), np.diag(intrinsic)
    shared = float(np.mean(np.minimum(unseen.shared * total / (total - own), 1.0)))
    # What an event's amplitude and stress drop do to the measures.
    _, by_stress = cal.spectrum_gradient(recordings.scenario, start)
    effects = np.column_stack(
        [
            np.square(j.sum(axis=-1)).mean(axis=0),
            np.square(np.einsum("rmk,rk->rm", j, by_stress)).mean(axis=0),
        ]
    )
    event, stress_drop = nnls(effects, unseen.tau**2)[0]
    # A part of it belongs to the place of the source.
    of_event = max(event - SOURCE_SIGMA**2, 0.0)
    for name, found, wanted in (
        ("within", np.sqrt(total), unseen.phi),
        ("between", np.sqrt(effects @ [event, stress_drop]), unseen.tau),
    ):
        print(f"scatter of measures {name} events", wanted.round(2), "modelled", found.round(2))
    return Scatter(
        stress_drop=round(float(np.sqrt(stress_drop)), 3),
        event=round(float(np.sqrt(of_event)), 3),
        frequencies=SCATTER_HZ,
        record=tuple(np.abs(x[:-1]).round(3).tolist()),
        p_wave=0.25,
        shared=round(shared, 3),
        length_km=round(unseen.length_km, 1),
        ln_f_length=round(float(np.exp(x[-1])), 3),
    )


def median_of_draws(scenario: pd.DataFrame) -> Floats:
    """Return medians (record, measure) of what the package simulates with the files just written.

    Event terms differ between draws; their mean over all earthquakes and draws is nearly zero.
    """
    for cached in (
        spectra.calibration,
        spectra.bay_area,
        bay_area_scatter,
        site_table,
        bay_area_sites,
        source_table,
        bay_area_sources,
        true_fields,
    ):
        cached.cache_clear()
    draws = [lin.ln_measures(simulate_records(scenario, seed)[0]) for seed in range(DRAWS)]
    return np.asarray(np.median(draws, axis=0))


def describe(variances: cal.Variances) -> str:
    """Return the standard deviations in words."""
    path = np.sqrt(np.diag(variances.path)).round(2)
    return (
        f"sd: event {variances.event**0.5:.3f}, ln stress drop {variances.stress_drop**0.5:.3f}, "
        f"station {variances.station**0.5:.3f}, record {path}"
    )


def write(
    coefficients: Coefficients,
    scatter: Scatter,
    shift: Floats,
    stations: pd.DataFrame,
    terms: Floats,
) -> None:
    """Write what the package takes: coefficients, scatter and the stations with their terms."""
    values = {
        "sources": SOURCES,
        "made_with": "docs/calibrate_simulator.py",
        "coefficients": _rounded(asdict(coefficients)),
        "scatter": _rounded(asdict(scatter)),
        "bay_area_over_nga_west2": dict(zip(lin.MEASURES, shift.round(3).tolist(), strict=True)),
    }
    text = json.dumps(values, indent=1) + "\n"
    (DATA / "bay_area_calibration.json").write_text(text)
    sites = pd.DataFrame(
        {
            "station_network_code": stations["network_code"],
            "station_code": stations["station_code"],
            "station_latitude_deg": stations["station_latitude"],
            "station_longitude_deg": stations["station_longitude"],
            "station_elevation_m": stations["station_elevation"],
            "station_vs30_mps": stations["vs30"].round(1),
        }
    )
    sites = (
        with_terms(sites, terms).dropna().drop_duplicates(["station_network_code", "station_code"])
    )
    sites.to_csv(DATA / "bay_area_sites.csv", index=False)


def write_sources(
    table: pd.DataFrame, recordings: cal.Recordings, found: cal.Fit, start: Coefficients
) -> None:
    """Write the terms of the recorded earthquakes: amplitude, and stress drop above the corner.

    Less their mean over all records, for the records' level is in the coefficients.
    """
    _, by_stress = cal.spectrum_gradient(recordings.scenario, start)
    amplitude, stress = found.event.T
    by_stress = pd.DataFrame(by_stress).groupby(recordings.event).mean().to_numpy()
    terms = amplitude[:, None] + stress[:, None] * by_stress
    terms -= terms[recordings.event].mean(axis=0)
    places = table.groupby(recordings.event)[["ev_lat", "ev_lon"]].first().round(3)
    names = ["source_latitude_deg", "source_longitude_deg"]
    sources = with_terms(places.set_axis(names, axis="columns"), terms)
    sources.to_csv(DATA / "bay_area_sources.csv", index=False)


def with_terms(table: pd.DataFrame, terms: Floats) -> pd.DataFrame:
    """Add terms (row, node) as the columns that `cgmgm_seis.simulator.sites.terms_of` reads."""
    return table.assign(
        **{f"ln_{f:g}hz": column.round(3) for f, column in zip(lin.NODES, terms.T, strict=True)}
    )


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: [round(x, 4) for x in value] if isinstance(value, tuple) else round(value, 5)
        for name, value in values.items()
    }


# ---- how well unseen earthquakes are told --------------------------------------------------


def cross_validated(
    recordings: cal.Recordings,
    published: Floats,
    anchors: list[cal.Anchors],
    start: Coefficients,
    variances: cal.Variances,
    base: Floats,
) -> Floats:
    """Return the medians (record, measure) of every record from fits without its earthquake."""
    n_events = int(recordings.event.max()) + 1
    order = np.argsort(-np.bincount(recordings.event))
    fold = np.empty(n_events, int)
    fold[order] = np.arange(n_events) % FOLDS
    fold = fold[recordings.event]
    predicted = np.empty_like(recordings.observed)
    line = recordings.linearisation
    for k in range(FOLDS):
        rest, out = np.flatnonzero(fold != k), fold == k
        part = cal.Recordings(
            recordings.scenario.iloc[rest].reset_index(drop=True),
            recordings.observed[rest],
            lin.Linearisation(line.median[rest], line.sensitivity[rest], line.intrinsic),
            np.unique(recordings.event[rest], return_inverse=True)[1],
            recordings.station[rest],
            recordings.points_km[rest],
        )
        found = cal.fit(part, published, anchors, start, variances, base, update=False)
        terms = found.site_share * published + found.station - base
        residual = part.observed - cal.predicted(part, found, start, terms)
        level = cal.centred(found.coefficients, residual, part.linearisation.sensitivity)
        found = replace(found, coefficients=level)
        predicted[out] = cal.predicted(recordings, found, start, terms)[out]
    return predicted


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
