"""Draw recorded windows beside generated ones, and how sure PhaseNet is of P and S on both.

    python docs/figures/make_generated_and_recorded.py SHARED

SHARED holds recordings and PhaseNet's weights, as the tests use them.  The records of
`bay_area_records` meet the record generated for the same earthquake and station; the windows of
`norcal_windows`, of which neither is known, meet the one of a simulated catalogue's scenarios whose
S - P time is nearest.  The figure is written beside this script.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from seisbench.data import WaveformDataset

from cgmgm_seis import EvolutionaryCGM
from cgmgm_seis.datasets.windows import read_records
from cgmgm_seis.measures.picks import load_picker, pick
from cgmgm_seis.scenario.window import Window
from cgmgm_seis.simulator.earthquakes import draw_catalogue

NAME = "bay_area_evolutionary"
PHASENET = "phasenet/seisbench_cache/models/v3/phasenet/original.json.v1"
RATE = 100.0
BEFORE_P, LENGTH = 300, 3001  # samples drawn and picked
SHOWN = 50  # of each kind, every other one


def main(shared: Path) -> None:
    """Cut, pick and draw."""
    model = EvolutionaryCGM.from_pretrained(NAME)
    recorded, generated = (
        np.concatenate(parts)
        for parts in zip(bay_area(model, shared), norcal(model, shared), strict=True)
    )
    picker = load_picker(shared / PHASENET)
    found = {
        "recorded": pick(picker, recorded, RATE),
        "generated, trained on simulated waveforms": pick(picker, generated, RATE),
    }
    figure = Figure(figsize=(12.0, 11.0), dpi=100, layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=[3.0, 1.0])
    for k, (name, records) in enumerate(zip(found, (recorded, generated), strict=True)):
        axes = figure.add_subplot(grid[0, k])
        time = (np.arange(LENGTH) - BEFORE_P) / RATE
        for row, record in enumerate(records[:: max(1, len(records) // SHOWN)][:SHOWN]):
            trace = record[2] - record[2, : BEFORE_P - 20].mean()
            axes.plot(time, row + 0.9 * trace / np.abs(trace).max(), "k", linewidth=0.4)
        axes.set(xlim=(-3.0, 20.0), ylim=(-1, SHOWN), yticks=[], xlabel="s after P", title=name)
    for k, phase in enumerate("PS"):
        axes = figure.add_subplot(grid[1, k])
        values = [table[f"{phase.lower()}_probability"] for table in found.values()]
        labels = [
            f"{name.split(',')[0]}: median {np.median(v):.2f}"
            for name, v in zip(found, values, strict=True)
        ]
        axes.hist(values, bins=np.linspace(0.0, 1.0, 21), label=labels)
        axes.set(xlabel=f"largest probability of {phase} (PhaseNet)", ylabel="records")
        axes.legend()
    figure.savefig(Path(__file__).with_name("generated_and_recorded.png"))


def bay_area(
    model: EvolutionaryCGM, shared: Path
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return windows of recorded motion and of that generated for the same pairs."""
    folder = shared / "data" / "bay_area_records"
    waveforms, scenario = read_records(folder, Window("ZNE", RATE, -5.0, 6000))
    live = (np.abs(waveforms).max(axis=-1) > 0.0).all(axis=1)
    usable = live & scenario["trace_p_arrival_sample"].notna().to_numpy()
    waveforms, scenario = waveforms[usable], scenario[usable].reset_index(drop=True)
    p, _ = model.onsets(scenario)
    drawn = model.sample(scenario, extrapolate=True)[:, 0]
    return cut(waveforms, scenario["trace_p_arrival_sample"]), cut(drawn, (p + 5.0) * RATE)


def norcal(model: EvolutionaryCGM, shared: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return recorded windows and generated ones of the same S - P times."""
    data = WaveformDataset(
        shared / "data" / "norcal_windows", component_order="ZNE", sampling_rate=RATE
    )
    table = data.metadata
    usable = table[
        table["trace_s_arrival_sample"].notna() & table["trace_p_arrival_sample"].notna()
    ]
    traces = [data.get_waveforms(int(i)) for i in usable.index]
    live = [k for k, trace in enumerate(traces) if (np.abs(trace).max(axis=1) > 0.0).all()]
    onsets = usable.iloc[live][["trace_p_arrival_sample", "trace_s_arrival_sample"]].to_numpy()
    scenario = draw_catalogue(200, seed=3)
    scenario = scenario[scenario["source_magnitude"].between(1.5, 3.5)].reset_index(drop=True)
    p, s = model.onsets(scenario)
    lag = np.diff(onsets)[:, 0] / RATE
    nearest = np.abs(np.log((s - p)[None] / lag[:, None])).argmin(axis=1)
    pairs = scenario.iloc[nearest].reset_index(drop=True)
    # The same pair may be nearest to several windows: each has an earthquake of its own.
    pairs["source_latitude_deg"] += 1e-5 * np.arange(len(pairs))
    drawn = model.sample(pairs, extrapolate=True)[:, 0]
    recorded = cut([traces[k] for k in live], onsets[:, 0])
    return recorded, cut(drawn, (p[nearest] + 5.0) * RATE)


def cut(
    records: NDArray[np.float32] | list[NDArray[np.float32]], p: pd.Series | NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return windows (record, component, sample) from 3 s before P on; zeros past the end."""
    windows = np.zeros((len(records), 3, LENGTH), np.float32)
    for window, record, sample in zip(windows, records, np.asarray(p, float), strict=True):
        first = max(int(sample) - BEFORE_P, 0)
        part = record[:, first : first + LENGTH]
        window[:, : part.shape[1]] = part
    return windows


if __name__ == "__main__":
    main(Path(sys.argv[1]))
