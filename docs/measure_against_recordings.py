"""Hold weights against recorded amplitudes and published models, and print what is found.

    python docs/measure_against_recordings.py WEIGHTS SHARED

WEIGHTS is a name or a path, or "simulator" for the simulated Bay Area itself.  SHARED holds the
recordings as the tests use them (`data/`).
The station terms of the bundled weights come from the same earthquakes: how well others are told is
what `calibrate_simulator.py` prints of held-out ones.
"""

import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pygmm
from numpy.typing import NDArray
from recorded_amplitudes import (
    around,
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
from scipy.signal import butter, sosfiltfilt

from cgmgm_seis.datasets.windows import read_records
from cgmgm_seis.evaluation.generators import load_generators
from cgmgm_seis.evaluation.residuals import in_band
from cgmgm_seis.gmm.pygmm_models import NGA_WEST2, NGAWest2
from cgmgm_seis.measures.intensity import significant_duration, smoothed_fas
from cgmgm_seis.scenario.geography import local_km
from cgmgm_seis.scenario.window import Window
from cgmgm_seis.simulator import linearisation as lin
from cgmgm_seis.simulator.residual_scatter import DISTANCES_KM
from cgmgm_seis.simulator.seismograms import simulate_records, true_arrival_times
from cgmgm_seis.simulator.sites import CENTRE, site_table

Floats = NDArray[np.float64]

DRAWS = 16
# PGA, PGV, PSA at 0.1, 0.3 and 1 s among the measures.
SOME = (0, 1, 3, 5, 7)
# Hz.
SPECTRAL_HZ = (0.5, 1.0, 2.0, 5.0, 10.0, 15.0)
DURATION_KM = (10.0, 20.0, 40.0, 70.0, 100.0)


class Simulator:
    """The simulated Bay Area as a generator."""

    def sample(
        self, scenario: pd.DataFrame, n_realizations: int = 1, seed: int = 0, **options: Any
    ) -> NDArray[np.float32]:
        """Return records (record, realization, component, sample), m/s."""
        seeds = range(seed, seed + n_realizations)
        return np.stack([simulate_records(scenario, k)[0] for k in seeds], axis=1)

    def onsets(self, scenario: pd.DataFrame) -> tuple[Floats, Floats]:
        """Return P and S, s after the origin."""
        return true_arrival_times(scenario)


def main(weights: str, shared: Path) -> None:
    """Print every comparison."""
    if weights == "simulator":
        model: Any = Simulator()
    else:
        (model,) = load_generators([weights], "cpu").values()
    table = recorded_table(shared / "data" / "nga_west2" / "bay_r80_measures.csv")
    scenario, observed = scenario_of(table), recorded_measures(table)
    drawn = draws(model, scenario)
    print("Recorded amplitudes of 29 earthquakes")
    found = report(table, scenario, observed, np.median(drawn, axis=1))
    inside = np.where(np.isfinite(observed), in_band(observed, drawn), np.nan)
    found.loc["coverage of 16 to 84 %"] = np.nanmean(inside, axis=0)
    own = own_scatter(drawn, table["EQID"])
    found.loc["tau of the model's draws"], found.loc["phi of the model's draws"] = own
    show(found)
    print("Correlation within events")
    show(correlations(table, scenario, observed, drawn))
    print("Correlation of ln Fourier amplitudes between frequencies, within events")
    show(between_frequencies(model, scenario))
    print("Pleasant Hill, recorded less the median")
    show(pleasant_hill(model, shared))
    shift = region_over_models(table, scenario, observed)
    large = large_scenarios(float(np.exp(np.log(table["vs30"]).mean())))
    print("M 4.5 to 5.5 less the NGA-West2 models with the region's event terms")
    show(differences(large, np.median(draws(model, large), axis=1), ln_nga_west2(large) + shift))
    small = small_scenarios()
    print("M 1 to 3 less the ergodic model, ln FAS at 5 and 10 Hz")
    fas = np.median(draws(model, small, lin.ln_small), axis=1)
    show(differences(small, fas, ln_ergodic(small)))
    print("Significant durations less Afshari & Stewart (2016), ln")
    show(durations(model))
    print("Vertical over horizontals, ln rms ratio at 1 to 10 Hz")
    show(vertical(model, scenario, shared))


def draws(model: Any, scenario: pd.DataFrame, measure: Any = lin.ln_measures) -> Floats:
    """Return ln measures (record, realization, measure), one realization after the other."""
    return np.stack(
        [
            measure(model.sample(scenario, seed=seed, extrapolate=True)[:, 0])
            for seed in range(DRAWS)
        ],
        axis=1,
    )


def own_scatter(drawn: Floats, event: Any) -> tuple[Floats, Floats]:
    """Return tau and phi (measure,) of the draws about their means, as of recorded residuals."""
    deviation = drawn - drawn.mean(axis=1, keepdims=True)
    # The mean follows the draws.
    deviation *= np.sqrt(DRAWS / (DRAWS - 1.0))
    tau, phi = [], []
    for k in range(drawn.shape[1]):
        frame = pd.DataFrame(deviation[:, k])
        events = frame.groupby(event)
        tau.append(events.mean().std().to_numpy() ** 2)
        phi.append((frame - events.transform("mean")).std().to_numpy() ** 2)
    return np.sqrt(np.mean(tau, axis=0)), np.sqrt(np.mean(phi, axis=0))


def correlations(
    table: pd.DataFrame, scenario: pd.DataFrame, observed: Floats, drawn: Floats
) -> pd.DataFrame:
    """Return correlations of residuals within events with distance, and of measures with PGA."""
    places = scenario["station_latitude_deg"], scenario["station_longitude_deg"]
    points = local_km(*places, CENTRE)
    median = np.median(drawn, axis=1)
    rows = {}
    series = {"recorded": [observed - median]}
    series["generated"] = [drawn[:, k] - median for k in range(drawn.shape[1])]
    for name, residuals in series.items():
        by_distance = np.mean([near(r, points, table["EQID"]) for r in residuals], axis=0)
        between = np.mean([within(r, table["EQID"]).corr()[0] for r in residuals], axis=0)
        for j in SOME:
            rows[f"{name}, {lin.MEASURES[j]}"] = [*by_distance[:, j], between[j]]
    columns = [f"{a:g}-{b:g} km" for a, b in itertools.pairwise(DISTANCES_KM)]
    return pd.DataFrame(rows, index=[*columns, "with PGA"]).T


def between_frequencies(model: Any, scenario: pd.DataFrame) -> pd.DataFrame:
    """Return correlations of generated smoothed FAS, and Bayless & Abrahamson's (2019)."""

    def ln_fas(waveforms: NDArray[Any]) -> Floats:
        return np.asarray(np.log(smoothed_fas(waveforms[:, 1:], 100.0, SPECTRAL_HZ)).mean(axis=1))

    drawn = draws(model, scenario, ln_fas)
    median = np.median(drawn, axis=1)
    found = np.mean(
        [within(drawn[:, k] - median, scenario["source_id"]).corr() for k in range(DRAWS)], axis=0
    )
    published = pygmm.BaylessAbrahamson2018.corr(np.array(SPECTRAL_HZ))
    first, second = np.triu_indices(len(SPECTRAL_HZ), 1)
    names = [f"{f:g}, {g:g} Hz" for f, g in itertools.combinations(SPECTRAL_HZ, 2)]
    rows = {"generated": found[first, second], "published": published[first, second]}
    return pd.DataFrame(rows, index=names).T


def within(residual: Floats, event: Any) -> pd.DataFrame:
    """Return residuals less their event's mean."""
    frame = pd.DataFrame(residual)
    return frame - frame.groupby(event).transform("mean")


def near(residual: Floats, points: Floats, event: Any) -> Floats:
    """Return the correlation (distance bin, measure) between stations of an event."""
    values = within(residual, event)
    values = (values / values.std()).to_numpy()
    sums, counts = np.zeros((2, len(DISTANCES_KM) - 1, values.shape[1]))
    for rows in pd.Series(range(len(values))).groupby(np.asarray(event)).indices.values():
        first, second = (rows[side] for side in np.triu_indices(len(rows), 1))
        place = np.digitize(np.hypot(*(points[first] - points[second]).T), DISTANCES_KM) - 1
        product = values[first] * values[second]
        for b in range(len(sums)):
            sums[b] += np.nansum(product[place == b], axis=0)
            counts[b] += np.isfinite(product[place == b]).sum(axis=0)
    return sums / counts


def pleasant_hill(model: Any, shared: Path) -> pd.DataFrame:
    """Return the mean residual of the 11 stations, of the model and of the NGA-West2 models."""
    waveforms, scenario = read_records(shared / "data" / "bay_area_records", Window())
    rows = (scenario["source_magnitude"] > 4.3) & scenario["trace_is_primary"].astype(bool)
    scenario = scenario[rows].reset_index(drop=True)
    observed = lin.ln_measures(waveforms[rows.to_numpy()])
    sites = site_table()
    here, there = (
        local_km(part["station_latitude_deg"], part["station_longitude_deg"], CENTRE)
        for part in (scenario, sites)
    )
    nearest = np.hypot(*(here[:, None] - there[None]).transpose(2, 0, 1)).argmin(axis=1)
    vs30 = sites["station_vs30_mps"].to_numpy()[nearest]
    described = scenario.assign(station_vs30_mps=vs30)
    medians = {"model": np.median(draws(model, scenario), axis=1)}
    for name in NGA_WEST2:
        medians[name] = NGAWest2(name, lin.PERIODS).predict(described).mean
    table = {f"{name}, mean": (observed - m).mean(axis=0) for name, m in medians.items()}
    table["model, scatter between stations"] = (observed - medians["model"]).std(axis=0)
    return pd.DataFrame(table, index=list(lin.MEASURES)).T


def differences(scenario: pd.DataFrame, found: Floats, expected: Floats) -> pd.DataFrame:
    """Return mean differences by magnitude and distance, and over all distances."""
    frame = pd.DataFrame(found - expected)
    keys = [scenario["source_magnitude"], scenario["path_ep_distance_km"].round(0)]
    cells = frame.groupby(keys).mean()
    overall = frame.groupby(scenario["source_magnitude"]).mean()
    overall.index = pd.MultiIndex.from_product([overall.index, ["all"]])
    return pd.concat([cells, overall])


def durations(model: Any) -> pd.DataFrame:
    """Return ln D5-75 and D5-95 of horizontals less the published, by magnitude and distance."""
    rows = {}
    for magnitude in (3.5, 4.0, 4.5, 5.0):
        for distance in DURATION_KM:
            epicentral = float(np.sqrt(distance**2 - 64.0))
            scenario = around([(magnitude, epicentral, azimuth) for azimuth in range(4)])
            records = model.sample(scenario, n_realizations=12, extrapolate=True)[:, :, 1:]
            published = pygmm.AfshariStewart2016(
                pygmm.Scenario(
                    mag=magnitude, dist_rup=distance, v_s30=400.0, mechanism="SS", depth_1_0=None
                )
            ).duration
            rows[f"M {magnitude:g}, {distance:g} km"] = {
                name: np.log(significant_duration(records, 100.0, 0.05, high)).mean()
                - np.log(published[key])
                for name, key, high in (("D5-75", "D_5t75", 0.75), ("D5-95", "D_5t95", 0.95))
            }
    return pd.DataFrame(rows).T


def vertical(model: Any, scenario: pd.DataFrame, shared: Path) -> pd.DataFrame:
    """Return median and standard deviation of the ratio after S (3 s) and P (0.8 s)."""
    some = scenario.iloc[::4].reset_index(drop=True)
    records = model.sample(some, extrapolate=True)[:, 0]
    p, s = (
        model.onsets(some)
        if hasattr(model, "onsets")
        else model.travel_times.at(some["source_depth_km"], some["path_ep_distance_km"])
    )
    rows = {"generated": ratios(records, (p + 5.0) * 100.0, (s + 5.0) * 100.0)}
    import seisbench.data as sbd

    windows = sbd.WaveformDataset(
        shared / "data" / "norcal_windows", component_order="ZNE", sampling_rate=100
    )
    onsets = windows.metadata[["trace_p_arrival_sample", "trace_s_arrival_sample"]]
    usable = np.flatnonzero(onsets.notna().all(axis=1))
    traces = [windows.get_waveforms(int(i)) for i in usable]
    live = [k for k, trace in enumerate(traces) if (np.abs(trace).max(axis=1) > 0).all()]
    picked = onsets.iloc[usable[live]].to_numpy().T
    rows["recorded windows"] = ratios([traces[k] for k in live], *picked)
    return pd.DataFrame(rows).T


def ratios(records: Any, p: Floats, s: Floats) -> dict[str, float]:
    """Return medians and deviations of ln Z / sqrt((N^2 + E^2) / 2) of rms."""
    band = butter(4, [1.0, 10.0], "bandpass", fs=100.0, output="sos")
    values: dict[str, list[float]] = {"S": [], "P": []}
    for record, p_sample, s_sample in zip(records, p, s, strict=True):
        x = sosfiltfilt(band, np.asarray(record, float))
        for wave, first, seconds in (("P", p_sample, 0.8), ("S", s_sample, 3.0)):
            part = x[:, int(first) : int(first + 100 * seconds)]
            if part.shape[1] >= 100 * seconds and (wave == "S" or s_sample - p_sample > 80):
                power = (part**2).mean(axis=1)
                values[wave].append(0.5 * np.log(power[0] / power[1:].mean()))
    return {
        f"{wave}, {name}": float(of(values[wave]))
        for wave in values
        for name, of in (("median", np.median), ("sd", np.std))
    }


def show(table: pd.DataFrame) -> None:
    """Print a table."""
    print(table.round(2).to_string(), end="\n\n", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
