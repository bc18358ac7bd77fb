"""Make the bundled weights of EvolutionaryCGM, the default of `cgmgm-seis generate`.

    python docs/make_evolutionary_weights.py WORK SHARED

Simulates a catalogue, trains, measures as `cgmgm-seis evaluate` does, and writes weights, card and
figures.  WORK is a folder of about 3 GB; an interrupted run continues.  SHARED as for
`make_weights.py`.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from make_weights import PHASENET, label, recorded_metrics, simulated_metrics
from obspy import Stream, UTCDateTime

from cgmgm_seis.datasets.records import read_event, read_inventory, read_observed
from cgmgm_seis.datasets.simulated import simulate
from cgmgm_seis.models.cgmgm import CGMGM
from cgmgm_seis.models.evolutionary import EvolutionaryCGM
from cgmgm_seis.picks import load_picker
from cgmgm_seis.plots import plot_comparison, plot_record_section
from cgmgm_seis.scenario import from_event_and_inventory, from_points
from cgmgm_seis.training import TrainingConfig, train

EVENTS, SEED, VERSION = 2000, 1, "1"
NAME = "bay_area_evolutionary"
DOCSTRING = (
    "EvolutionaryCGM for the San Francisco Bay Area, three components, trained on SIMULATED "
    "records (stochastic method, Boore 2003), not on recordings. For learning, testing and method "
    "development; not for hazard or design. Train on recordings with `cgmgm-seis train DATASET`."
)
ASSUMPTIONS = (
    "Gaussian motion with an evolving spectrum; components independent given the spectra; no "
    "directivity, no polarisation, no coherent pulses"
)
# A station of the recorded event for the figure that compares the generators.
STATION, COMPONENT = "BRIB", "E"


def main(work: Path, shared: Path) -> None:
    """Run every step."""
    catalogue, figures = work / "catalogue", Path(__file__).parent / "figures"
    if not catalogue.exists():
        simulate(EVENTS, SEED, catalogue)
    torch.manual_seed(SEED)
    model = EvolutionaryCGM()
    config = TrainingConfig.of(
        model,
        epochs=80,
        batch_size=32,
        weight_decay=0.02,
        patience=500,
        seed=SEED,
        device="cpu",
        name=NAME,
    )
    path = work / "run" / NAME
    if not path.with_suffix(".pt").exists():
        path = train(model, catalogue, work / "run", config, resume=True)
    model = EvolutionaryCGM.load(path)
    phasenet = load_picker(shared / PHASENET)
    card = model.card
    card["trained_on"] = "simulated records"
    card["made_with"] = f"cgmgm-seis dataset simulate --events {EVENTS} --seed {SEED}"
    card["assumptions"] = ASSUMPTIONS
    card["test_split"] = simulated_metrics(model, catalogue, phasenet)
    card["pleasant_hill"] = recorded_metrics(model, card, shared, phasenet, figures, NAME)
    model.save(EvolutionaryCGM.bundled_path() / NAME, DOCSTRING, VERSION, card)
    print(f"Wrote {EvolutionaryCGM.bundled_path()}/{NAME}.json.v{VERSION} and .pt.v{VERSION}.")
    draw_record_section(model, card, figures)
    draw_comparison(model, shared, figures)


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


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
