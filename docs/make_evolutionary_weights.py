"""Make the bundled weights of EvolutionaryCGM, the default of `cgmgm-seis generate`.

    python docs/make_evolutionary_weights.py WORK SHARED

Simulates a catalogue, trains, measures as `cgmgm-seis evaluate` does, and writes weights, card and
figures.  WORK is a folder of about 3 GB; an interrupted run continues.  SHARED as for
`make_weights.py`.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from make_weights import PHASENET, TRAINED_ON, label, recorded_metrics, rounded, simulated_metrics
from matplotlib.figure import Figure
from numpy.typing import NDArray
from obspy import Stream, UTCDateTime
from scipy.spatial import Delaunay

from cgmgm_seis.datasets.records import read_observed
from cgmgm_seis.datasets.windows import read_records
from cgmgm_seis.evaluation.residuals import mixed_effects
from cgmgm_seis.measures.intensity import smoothed_fas
from cgmgm_seis.measures.picks import load_picker
from cgmgm_seis.models.cgmgm.model import CGMGM
from cgmgm_seis.models.evolutionary.model import EvolutionaryCGM
from cgmgm_seis.output.plots import plot_comparison, plot_record_section
from cgmgm_seis.scenario.obspy_files import read_event, read_inventory
from cgmgm_seis.scenario.table import from_event_and_inventory, from_points
from cgmgm_seis.scenario.window import Window
from cgmgm_seis.simulator.catalogue import simulate
from cgmgm_seis.simulator.sites import site_table
from cgmgm_seis.simulator.spectra import ln_spectrum
from cgmgm_seis.training.config import TrainingConfig
from cgmgm_seis.training.run import train

EVENTS, STATIONS_PER_EVENT, SEED, VERSION = 4000, 10, 1, "5"
NAME = "bay_area_evolutionary"
DOCSTRING = (
    "EvolutionaryCGM for the San Francisco Bay Area, three components, 0.2 to 25 Hz, trained on "
    "SIMULATED records (stochastic method, Boore 2003) whose amplitudes are calibrated on "
    "recordings of M 3.4 to 4.4, and to M 5.5 on published models. Not for hazard or design. Train "
    "on your own records with `cgmgm-seis train DATASET`."
)
ASSUMPTIONS = (
    "amplitudes of the simulator's calibration (docs/calibrate_simulator.py); Gaussian motion with "
    "an evolving spectrum; components independent given the spectra; no "
    "directivity, no polarisation, no coherent pulses"
)
# A station of the recorded event for the figure that compares the generators.
STATION, COMPONENT = "BRIB", "E"
# Sources of the maps of learned terms; the first one's paths are shown.
SOURCES = ((37.5, -122.4), (38.0, -122.0), (37.4, -121.8), (37.9, -122.5), (37.7, -122.0))
MAP_FREQUENCY = 5.0  # Hz
MEASURED_HZ = (1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0)
DRAWS, SCATTER_RECORDS = 10, 4000


def main(work: Path, shared: Path) -> None:
    """Run every step."""
    catalogue, figures = work / "catalogue", Path(__file__).parent / "figures"
    model = trained(work, SEED)
    phasenet = load_picker(shared / PHASENET)
    card = model.card
    card["trained_on"] = TRAINED_ON
    card["made_with"] = (
        f"cgmgm-seis dataset simulate --events {EVENTS} --seed {SEED} "
        f"--stations-per-event {STATIONS_PER_EVENT}"
    )
    card["assumptions"] = ASSUMPTIONS
    card["scatter"] = scatter(model, catalogue)
    card["test_split"] = simulated_metrics(model, catalogue, phasenet)
    card["pleasant_hill"] = recorded_metrics(model, card, shared, phasenet, figures, NAME)
    model.save(EvolutionaryCGM.bundled_path() / NAME, DOCSTRING, VERSION, card)
    print(f"Wrote {EvolutionaryCGM.bundled_path()}/{NAME}.json.v{VERSION} and .pt.v{VERSION}.")
    draw_record_section(model, card, figures)
    draw_comparison(model, shared, figures)
    draw_maps(model, figures)


def trained(work: Path, seed: int) -> EvolutionaryCGM:
    """Return the model trained with a seed on the catalogue, which is simulated if missing."""
    if not (work / "catalogue").exists():
        simulate(EVENTS, SEED, work / "catalogue", stations_per_event=STATIONS_PER_EVENT)
    torch.manual_seed(seed)
    model = EvolutionaryCGM(n_waves=128)
    config = TrainingConfig.of(
        model,
        epochs=32,
        batch_size=32,
        weight_decay=0.02,
        patience=500,
        seed=seed,
        device="cpu",
        name=NAME,
    )
    path = work / ("run" if seed == SEED else f"run_{seed}") / NAME
    if not path.with_suffix(".pt").exists():
        train(model, work / "catalogue", path.parent, config, resume=True)
    return EvolutionaryCGM.load(path)


def scatter(model: EvolutionaryCGM, catalogue: Path) -> dict[str, Any]:
    """Compare tau and phi of the training records with those of generated ones in their place."""
    recorded, scenario = read_part(catalogue, "train", SCATTER_RECORDS)
    drawn = draw(model, scenario)
    median = np.median(drawn[1:], axis=0)
    table: dict[str, Any] = {"records": len(scenario), "at (Hz)": list(MEASURED_HZ)}
    for name, values in (("training records", recorded), ("generated", drawn[0])):
        for k, component in enumerate("ZNE"):
            splits = [
                mixed_effects(series, scenario["source_id"]) for series in (values - median)[:, k].T
            ]
            table[f"tau {component}, {name}"] = rounded([split.tau for split in splits])
            table[f"phi {component}, {name}"] = rounded([split.phi for split in splits])
    return table


def read_part(
    catalogue: Path, split: str, n_records: int | None = None
) -> tuple[NDArray[np.float64], pd.DataFrame]:
    """Return ln FAS (record, component, frequency) and scenario of the first records of a split."""
    waveforms, scenario = read_records(catalogue, Window("ZNE", 100.0, -5.0, 6000))
    rows = np.flatnonzero(scenario["split"] == split)[:n_records]
    return ln_fas_at(waveforms[rows]), scenario.iloc[rows].reset_index(drop=True)


def draw(
    model: EvolutionaryCGM, scenario: pd.DataFrame, n_draws: int = DRAWS
) -> NDArray[np.float64]:
    """Return ln FAS of several realizations, one after the other for the memory's sake."""
    seeds = range(SEED, SEED + n_draws)
    return np.stack(
        [ln_fas_at(model.sample(scenario, seed=seed, extrapolate=True)[:, 0]) for seed in seeds]
    )


def ln_fas_at(records: NDArray[Any]) -> NDArray[np.float64]:
    """Return ln of the smoothed FAS (m/s x s)."""
    return np.log(smoothed_fas(records, 100.0, MEASURED_HZ))


def draw_record_section(model: EvolutionaryCGM, card: dict[str, Any], figures: Path) -> None:
    """Draw the README's figure: a scenario earthquake at the stations within 60 km."""
    scenario = from_points(4.5, (37.938, -122.057))
    near = scenario[scenario["path_ep_distance_km"] < 60].reset_index(drop=True)
    arrivals = model.travel_times.at(near["source_depth_km"], near["path_ep_distance_km"])
    text = label(model, card, NAME)
    figure = plot_record_section(model.generate(near), near, arrivals, label=text)
    figure.savefig(figures / "generated.png")


def draw_comparison(model: EvolutionaryCGM, shared: Path, figures: Path) -> None:
    """Draw one record of the Pleasant Hill earthquake: recorded, CGMGM, EvolutionaryCGM."""
    folder = shared / "data" / "pleasant_hill"
    inventory = read_inventory([str(folder / "raw" / "*.xml")])
    scenario = from_event_and_inventory(read_event(folder / "event.xml"), inventory)
    origin = UTCDateTime(scenario["source_origin_time"].iloc[0])
    observed = read_observed([str(folder / "raw" / "*.mseed")], inventory, origin)
    row = scenario.index[scenario["station_code"] == STATION][0]
    streams: dict[str, Stream] = {"recorded": observed}
    for generator in (CGMGM.from_pretrained("bay_area"), model):
        streams[generator.name] = generator.generate(scenario, seed=SEED, extrapolate=True)
    arrivals = model.travel_times.at(scenario["source_depth_km"], scenario["path_ep_distance_km"])
    text = "bundled weights, trained on simulated records"
    figure = plot_comparison(streams, scenario, arrivals, label=text, row=row, component=COMPONENT)
    figure.savefig(figures / "comparison.png")


def draw_maps(model: EvolutionaryCGM, figures: Path) -> None:
    """Draw what the model learned of the region beside the simulator's true terms.

    ln FAS of S at 5 Hz without its trend with distance: the mean over many sources, which is
    nearly the site term, and the rest for one source, which is its path term.
    """
    stations = site_table()
    places = stations[["station_latitude_deg", "station_longitude_deg"]].to_numpy()
    latitude, longitude = np.meshgrid(np.linspace(37.2, 38.2, 41), np.linspace(-122.6, -121.6, 41))
    points = [(float(a), float(b)) for a, b in zip(latitude.flat, longitude.flat, strict=True)]
    inside = (Delaunay(places).find_simplex(np.array(points)) >= 0).reshape(latitude.shape)
    learned, true = [], []
    for source in SOURCES:
        table = from_points(3.0, source, points)
        trend = np.stack([np.ones(len(table)), np.log(table["path_hyp_distance_km"])], axis=1)
        for found, values in ((learned, ln_s(model, table)), (true, true_ln_s(table))):
            coefficients = np.linalg.lstsq(trend[inside.flat], values[inside.flat])[0]
            found.append((values - trend @ coefficients).reshape(latitude.shape))
    figure = Figure(figsize=(9.0, 8.0), dpi=150, layout="constrained")
    for row, (title, pick_term) in enumerate(
        (
            ("mean over sources (site)", lambda maps: np.mean(maps, axis=0)),
            ("one source less the mean (path)", lambda maps: maps[0] - np.mean(maps, axis=0)),
        )
    ):
        maps = [np.where(inside, pick_term(np.array(found)), np.nan) for found in (true, learned)]
        limit = np.nanmax(np.abs(maps[0]))
        r = np.corrcoef(maps[0][inside], maps[1][inside])[0, 1]
        for column, (name, values) in enumerate(zip(("true", "learned"), maps, strict=True)):
            axes = figure.add_subplot(2, 2, 2 * row + column + 1)
            image = axes.pcolormesh(
                longitude, latitude, values, vmin=-limit, vmax=limit, cmap="RdBu_r"
            )
            axes.plot(places[:, 1], places[:, 0], "k^", markersize=3)
            if row == 1:
                axes.plot(SOURCES[0][1], SOURCES[0][0], "*", color="gold", mec="k", markersize=12)
            note = f", correlation {r:.2f}" if column else ""
            axes.set_title(f"{name}: {title}{note}", fontsize=9)
            axes.set(xlim=(-122.6, -121.6), ylim=(37.2, 38.2), aspect=1.25)
            figure.colorbar(image, ax=axes, label="ln FAS of S, 5 Hz", shrink=0.8)
    figure.savefig(figures / "learned_maps.png")


def true_ln_s(table: pd.DataFrame) -> NDArray[np.float64]:
    """Return the simulator's ln FAS of S on one horizontal component."""
    return ln_spectrum(table, [MAP_FREQUENCY])[:, 0]


@torch.no_grad()
def ln_s(model: EvolutionaryCGM, table: pd.DataFrame) -> NDArray[np.float64]:
    """Return the model's ln FAS of S on a horizontal component, its latents at their mean."""
    waves = model.median_spectra(table).waves.sum(dim=2)
    index = round(MAP_FREQUENCY * model.evolution.n_fft / model.sampling_rate)
    return 0.5 * waves[:, 1, 1:, index].log().mean(dim=1).double().numpy()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
