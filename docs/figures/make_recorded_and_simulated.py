"""Draw recorded windows of northern California beside simulated records.

    python make_recorded_and_simulated.py NORCAL_WINDOWS

NORCAL_WINDOWS is a SeisBench data set of recorded windows with P and S samples.  The figure is
written beside this script.  Each recorded window meets the simulated record whose S - P time is
nearest.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from seisbench.data import WaveformDataset

from cgmgm_seis.simulator.catalogue import simulate_catalogue

MIN_SNR_DB = 15.0
N_PAIRS = 7


def s_minus_p(table: pd.DataFrame) -> np.ndarray:
    """Return S - P times in s, of records at 100 Hz."""
    samples = table["trace_s_arrival_sample"] - table["trace_p_arrival_sample"]
    return samples.to_numpy(float) / 100.0


def draw(axes: list[Axes], record: np.ndarray, p: float, lag: float, title: str) -> None:
    """Draw Z, N and E from before P to long after S, in units of the record's peak."""
    time = np.arange(record.shape[-1]) / 100.0 - p / 100.0
    shown = (time > -max(0.5, 0.3 * lag)) & (time < max(3.0, 4.0 * lag))
    record = record - record[:, time < -0.1].mean(axis=1, keepdims=True)
    record = record / np.abs(record[:, shown]).max()
    for axis, trace, component in zip(axes, record, "ZNE", strict=True):
        axis.plot(time[shown], trace[shown], color="black", linewidth=0.5)
        for onset, colour in ((0.0, "tab:blue"), (lag, "tab:red")):
            axis.axvline(onset, color=colour, linewidth=0.7)
        axis.set(ylim=(-1.05, 1.05), yticks=[])
        axis.margins(x=0)
        axis.tick_params(labelsize=6, pad=1)
        axis.text(0.99, 0.93, component, transform=axis.transAxes, ha="right", va="top", fontsize=7)
    axes[0].set_title(title, fontsize=7, loc="left", pad=2)


def main(folder: Path) -> None:
    data = WaveformDataset(folder, component_order="ZNE", missing_components="ignore")
    table = data.metadata
    good = (table["trace_n_components"] == 3) & (table["trace_snr_db"] > MIN_SNR_DB)
    table = table[good & table["trace_s_arrival_sample"].notna()]
    table = table.iloc[np.argsort(s_minus_p(table))]
    # Evenly spaced in rank among the shorter ones, then the longest.
    chosen = table.iloc[np.linspace(8, len(table) - 1, N_PAIRS).astype(int)]

    waveforms, simulated = simulate_catalogue(150, seed=11, workers=2)
    lags = np.where(simulated["trace_snr_db"] > MIN_SNR_DB, s_minus_p(simulated), np.inf)

    figure, axes = plt.subplots(N_PAIRS, 6, figsize=(15, 1.6 * N_PAIRS))
    recorded_rows = zip(chosen.index, chosen.itertuples(), s_minus_p(chosen), strict=True)
    for axis, (index, row, lag) in zip(axes, recorded_rows, strict=True):
        title = f"recorded, {row.station_network_code}.{row.station_code}"
        record = data.get_waveforms(int(index))
        draw(axis[:3], record, row.trace_p_arrival_sample, lag, title)
        nearest = int(np.argmin(np.abs(np.log(lags / lag))))
        twin = simulated.iloc[nearest]
        title = f"simulated, M {twin.source_magnitude:.1f}, {twin.path_hyp_distance_km:.0f} km"
        draw(axis[3:], waveforms[nearest], twin.trace_p_arrival_sample, lags[nearest], title)
        lags[nearest] = np.inf
    for axis in axes[-1]:
        axis.set_xlabel("s after P", fontsize=7)
    figure.tight_layout(h_pad=0.3, w_pad=0.3)
    figure.savefig(Path(__file__).with_name("recorded_and_simulated.png"), dpi=90)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
