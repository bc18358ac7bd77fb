"""A simulated data report: a catalogue of the simulator in the layout of DesignSafe PRJ-4573."""

from pathlib import Path

import numpy as np
import pandas as pd

from cgmgm_seis.datasets.designsafe_csv import write_designsafe
from cgmgm_seis.simulator.catalogue import simulate_catalogue
from cgmgm_seis.simulator.seismograms import SAMPLING_RATE, START_OFFSET

N_EVENTS, SEED = 24, 1
# Noise before the simulator's records: a file of the data report has 70 s, of which the paper uses
# the last 60 s.  It repeats the beginning of a record, before any P arrival.
LEAD_S, NOISE_S = 10.0, 4.0
# Time of the first sample relative to the origin time, s.
REPORT_START_S = START_OFFSET - LEAD_S
NAMES = {"E": "Time_Series_Data_simulated_EW.csv"}
README = """\
A simulated data report (made by `cgmgm-seis example data-report`)

No earthquake here happened and no record was recorded. The file has the layout of the data report
of Ren et al. (DesignSafe PRJ-4573): no header; per row 14 columns of metadata and 7,000 samples of
the east component, m/s, 100 Hz. Its events have negative numbers, by which `import-designsafe`
marks the data set as simulated.

Next, beside this folder:

  cgmgm-seis reproduce data-report --quick --out paper
"""


def write_simulated_report(
    folder: Path, n_events: int = N_EVENTS, seed: int = SEED, workers: int | None = 1
) -> dict[str, str]:
    """Simulate a catalogue and write its east component as the data report has it.

    Parameters
    ----------
    folder : pathlib.Path
        An existing folder.
    n_events : int
        Number of earthquakes, each with about 14 records.
    seed : int
        Random seed of the catalogue.
    workers : int, optional
        As in `cgmgm_seis.simulator.catalogue.simulate_catalogue`.

    Returns
    -------
    dict
        Description of every file.
    """
    waveforms, scenario = simulate_catalogue(n_events, seed, workers)
    east = waveforms[:, "ZNE".index("E")]
    noise = east[:, : int(NOISE_S * SAMPLING_RATE)]
    lead = np.pad(noise, ((0, 0), (int(LEAD_S * SAMPLING_RATE), 0)), mode="symmetric")
    samples = np.concatenate([lead[:, : -noise.shape[1]], east], axis=1)
    numbers = -1 - pd.factorize(scenario["source_id"])[0]
    table = scenario.assign(
        source_id=numbers,
        trace_sampling_rate_hz=SAMPLING_RATE,
        trace_npts=samples.shape[1],
        trace_dt_s=1.0 / SAMPLING_RATE,
        # The band and the number of frequencies of the report's own spectra.
        trace_f_min_hz=2.0,
        trace_f_max_hz=15.0,
        trace_n_frequencies=100,
        path_rup_distance_km=scenario["path_hyp_distance_km"],
    )
    name = NAMES["E"]
    write_designsafe(folder / name, samples, table)
    (folder / "README.txt").write_text(README, encoding="utf-8")
    return {
        name: f"{len(table)} simulated records of {n_events} earthquakes, layout of PRJ-4573",
        "README.txt": "what this is, and what to do with it",
    }
