"""Make the bundled weights of CGMGM: simulate, train, measure, and write weights, card and figures.

    python docs/make_weights.py WORK SHARED

WORK is a folder for the catalogue and the training run (about 2 GB); an interrupted run continues.
SHARED holds real recordings and PhaseNet's weights, as the tests use them (`data/`, `phasenet/`).
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from obspy import UTCDateTime

from cgmgm_seis.datasets.records import read_observed
from cgmgm_seis.datasets.windows import read_records
from cgmgm_seis.gmm.base import ErgodicFAS
from cgmgm_seis.measures.intensity import pgv, smoothed_fas
from cgmgm_seis.measures.picks import load_picker, pick
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.models.cgmgm.model import CGMGM
from cgmgm_seis.output.plots import plot_generated_and_observed
from cgmgm_seis.output.provenance import trained_on
from cgmgm_seis.scenario.obspy_files import read_event, read_inventory
from cgmgm_seis.scenario.table import from_event_and_inventory
from cgmgm_seis.scenario.window import Window
from cgmgm_seis.simulator.catalogue import simulate
from cgmgm_seis.simulator.seismograms import simulate_records
from cgmgm_seis.training.config import TrainingConfig
from cgmgm_seis.training.run import train

EVENTS, SEED = 1500, 1
FREQUENCIES = (2.0, 5.0, 10.0, 15.0)
REALIZATIONS = 20
PICK_WINDOW_S = 0.5
VERSION = "3"
TRAINED_ON = "simulated records, their amplitudes calibrated on recordings"
PHASENET = "phasenet/seisbench_cache/models/v3/phasenet/original.json.v1"
DOCSTRING = (
    "CGM-GM (Ren et al. 2026) for the San Francisco Bay Area, three components, trained on "
    "SIMULATED records (stochastic method, Boore 2003) whose amplitudes are calibrated on "
    "recordings of M 3.4 to 4.4, and to M 5.5 on published models. Not for hazard or design. Train "
    "on your own records with `cgmgm-seis train DATASET`."
)


def main(work: Path, shared: Path) -> None:
    """Run every step."""
    catalogue, figures = work / "catalogue", Path(__file__).parent / "figures"
    if not catalogue.exists():
        simulate(EVENTS, SEED, catalogue)
    torch.manual_seed(SEED)
    model = CGMGM(
        prior_size=128,
        embedding_size=32,
        arrivals=True,
        speckle=True,
        griffin_lim_iterations=10,
    )
    config = TrainingConfig(
        epochs=16,
        batch_size=32,
        learning_rate=3e-3,
        final_learning_rate=1e-5,
        patience=16,
        seed=SEED,
        device="cpu",
        name="bay_area",
    )
    model = CGMGM.load(train(model, catalogue, work / "run", config, resume=True))
    card = model.card
    card["trained_on"] = TRAINED_ON
    card["made_with"] = f"cgmgm-seis dataset simulate --events {EVENTS} --seed {SEED}"
    phasenet = load_picker(shared / PHASENET)
    card["test_split"] = simulated_metrics(model, catalogue, phasenet)
    card["pleasant_hill"] = recorded_metrics(model, card, shared, phasenet, figures, "bay_area")

    model.save(CGMGM.bundled_path() / "bay_area", DOCSTRING, VERSION, card)
    print(f"Wrote {CGMGM.bundled_path()}/bay_area.json.v{VERSION} and .pt.v{VERSION}.")


def label(model: GroundMotionModel, card: dict[str, Any], name: str) -> str:
    """Say in a figure's title what made it."""
    return f"{model.name}, weights {name} (trained on {trained_on(card)})"


def simulated_metrics(
    model: GroundMotionModel,
    catalogue: Path,
    phasenet: Any,
    components: str = "ZNE",
    n_records: int | None = None,
) -> dict[str, Any]:
    """Compare one realization of the test split's (first) records with the records themselves."""
    waveforms, scenario = read_records(catalogue, Window(components, 100.0, -5.0, 6000))
    test = np.flatnonzero(scenario["split"] == "test")[:n_records]
    waveforms, scenario = waveforms[test], scenario.iloc[test].reset_index(drop=True)
    chosen = [model.component_order.index(c) for c in components]
    generated = model.sample(scenario, seed=SEED, extrapolate=True, progress=True)[:, 0, chosen]
    residuals = ln_fas(generated) - ln_fas(waveforms)
    loud = np.flatnonzero(scenario["trace_snr_db"] > 10.0)
    true = scenario.iloc[loud]
    metrics: dict[str, Any] = {"records": len(scenario)}
    # The scatter that no generator can avoid: the simulator against itself.
    again = simulate_records(scenario, SEED + 1)[0][:, ["ZNE".index(c) for c in components]]
    own = ln_fas(again) - ln_fas(waveforms)
    for k, component in enumerate(components):
        metrics[f"ln FAS bias {component} at 2, 5, 10, 15 Hz"] = rounded(residuals[:, k].mean(0))
        metrics[f"ln FAS sigma {component} at 2, 5, 10, 15 Hz"] = rounded(residuals[:, k].std(0))
        metrics[f"the same of the simulator itself, {component}"] = rounded(own[:, k].std(0))
    for name, records in (("simulated", waveforms), ("generated", generated)):
        found = pick(phasenet, records[loud], component_order=components)
        for phase in "PS":
            delays = found[f"{phase.lower()}_s"].to_numpy()
            delays = delays - true[f"trace_{phase.lower()}_arrival_sample"].to_numpy() / 100.0
            key = f"PhaseNet {phase}, {name}"
            metrics[f"{key}: share within {PICK_WINDOW_S} s of the true onset"] = share(delays)
            metrics[f"{key}: median and 90 % of |delay| (s)"] = spread(delays)
    return metrics


def recorded_metrics(
    model: GroundMotionModel,
    card: dict[str, Any],
    shared: Path,
    phasenet: Any,
    figures: Path,
    name: str,
) -> dict[str, Any]:
    """Compare the recorded Mw 4.46 Pleasant Hill earthquake with the model's median."""
    folder = shared / "data" / "pleasant_hill"
    inventory = read_inventory([str(folder / "raw" / "*.xml")])
    scenario = from_event_and_inventory(read_event(folder / "event.xml"), inventory)
    origin = UTCDateTime(scenario["source_origin_time"].iloc[0])
    observed = read_observed([str(folder / "raw" / "*.mseed")], inventory, origin)
    generated = model.sample(scenario, REALIZATIONS, SEED, extrapolate=True)
    ln_generated = np.median(ln_fas(generated), axis=1)[:, 1:].mean(axis=1)
    ln_pgv = np.median(np.log(pgv(generated)), axis=1)[:, 1:].mean(axis=1)
    recorded_fas, recorded_pgv, picks = [], [], []
    for row in scenario.itertuples():
        station = observed.select(row.station_network_code, row.station_code)
        horizontals = [station.select(component=component)[0].data for component in "NE"]
        recorded_fas.append(np.mean([ln_fas(data) for data in horizontals], axis=0))
        recorded_pgv.append(np.mean([np.log(pgv(data)) for data in horizontals]))
        record = np.stack([station.select(component=component)[0].data for component in "ZNE"])
        picks.append(pick(phasenet, record[None]).iloc[0])
    ergodic = np.transpose(
        [
            ErgodicFAS(f).mean(
                scenario["source_magnitude"],
                scenario["path_hyp_distance_km"],
                scenario["source_depth_km"],
            )
            for f in FREQUENCIES
        ]
    )
    one = pick(phasenet, generated[:, 0])
    metrics: dict[str, Any] = {
        "records": len(scenario),
        "recorded minus generated, mean ln FAS at 2, 5, 10, 15 Hz": rounded(
            (np.array(recorded_fas) - ln_generated).mean(0)
        ),
        "recorded minus generated, mean ln PGV": round(
            float(np.mean(np.array(recorded_pgv) - ln_pgv)), 3
        ),
        "recorded minus ergodic model, mean ln FAS at 2, 5, 10, 15 Hz": rounded(
            (np.array(recorded_fas) - ergodic).mean(0)
        ),
    }
    for phase in "PS":
        recorded = np.array([found[f"{phase.lower()}_s"] for found in picks])
        generated_s = one[f"{phase.lower()}_s"].to_numpy()
        delays = generated_s - recorded
        metrics[f"PhaseNet {phase}: picked on recorded, on generated"] = [
            int(np.isfinite(recorded).sum()),
            int(np.isfinite(generated_s).sum()),
        ]
        metrics[f"PhaseNet {phase}: generated minus recorded, mean and sd (s)"] = rounded(
            [np.nanmean(delays), np.nanstd(delays)]
        )
    arrivals = model.travel_times.at(scenario["source_depth_km"], scenario["path_ep_distance_km"])
    stream = model.generate(scenario, seed=SEED)
    figure = plot_generated_and_observed(
        stream, observed, scenario, arrivals, label=label(model, card, name)
    )
    figure.savefig(figures / f"pleasant_hill_{name}.png")
    return metrics


def ln_fas(records: NDArray[Any]) -> NDArray[np.float64]:
    """Return ln of the smoothed FAS (m/s x s) at the four frequencies."""
    return np.log(smoothed_fas(records, 100.0, FREQUENCIES))


def share(delays: NDArray[np.float64]) -> float:
    """Return the share of records picked close to the true onset."""
    return round(float(np.mean(np.abs(np.nan_to_num(delays, nan=np.inf)) < PICK_WINDOW_S)), 3)


def spread(delays: NDArray[np.float64]) -> list[float]:
    """Return the median delay and the 90th percentile of its size, of picked records."""
    picked = delays[np.isfinite(delays)]
    return rounded([np.median(picked), np.percentile(np.abs(picked), 90)])


def rounded(values: Any) -> list[float]:
    """Return plain numbers with three decimals."""
    return [round(float(value), 3) for value in pd.Series(values)]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
