"""Simulated catalogues of the Bay Area in SeisBench format, by the stochastic method.

The spatial terms of the region are fixed (`cgmgm_seis.simulator.region`); the seed determines the
earthquakes.  Levels, site terms and scatter are calibrated with recorded amplitudes
(`cgmgm_seis.simulator.calibration`).
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from obspy import UTCDateTime
from tqdm.auto import tqdm

from cgmgm_seis.errors import DatasetError
from cgmgm_seis.output.seisbench_writer import horizontal_peaks, new_dataset
from cgmgm_seis.scenario.seeding import check_seed
from cgmgm_seis.simulator.earthquakes import STATIONS_PER_EVENT, draw_catalogue
from cgmgm_seis.simulator.seismograms import (
    N_SAMPLES,
    SAMPLING_RATE,
    START_OFFSET,
    simulate_records,
)
from cgmgm_seis.storage.processes import process_pool

MIN_SNR_DB = 3.0
_BLOCK = 4  # events per task
_EVENTS_WORTH_A_PROCESS = 50


def simulate(
    n_events: int,
    seed: int = 0,
    out: str | Path = "simulated",
    workers: int | None = None,
    progress: bool = True,
    overwrite: bool = False,
    stations_per_event: int = STATIONS_PER_EVENT,
) -> pd.DataFrame:
    """Simulate a catalogue and write it as a SeisBench data set.

    Records whose first 2 s of P are less than `MIN_SNR_DB` above the noise are excluded, as in
    the catalogue of a network.

    Parameters
    ----------
    n_events : int
        Number of earthquakes, M 1 to 5.5; each has about 14 records by default.
    seed : int
        Random seed of the catalogue, at least 0.
    out : str or pathlib.Path
        Folder of the data set; it is created only when it is complete.
    workers : int, optional
        Number of processes, by default up to one per core.  The data do not depend on it.
        Scripts that use several processes need the usual ``if __name__ == "__main__":``.
    progress : bool
        Show a progress bar on stderr if that is a terminal.
    overwrite : bool
        Replace an existing data set.
    stations_per_event : int
        Largest number of stations that record an earthquake.

    Returns
    -------
    pandas.DataFrame
        The metadata.

    Raises
    ------
    DatasetError
        If the number of events or stations is not positive, or no record exceeds the noise.
    CgmgmError
        If the seed is negative.
    OutputError
        If ``out`` exists and may not be overwritten, or cannot be written.

    Examples
    --------
    >>> metadata = simulate(20, seed=3, out="small", progress=False)  # doctest: +SKIP
    """
    _check(n_events, seed, stations_per_event)
    tables = []
    # The folder is checked before the progress bar appears.
    with (
        new_dataset(out, overwrite) as writer,
        tqdm(
            total=n_events, unit="event", disable=None if progress else True, file=sys.stderr
        ) as bar,
    ):
        for n_simulated, waveforms, metadata in _simulated_events(
            n_events, seed, workers, stations_per_event
        ):
            for waveform, row in zip(waveforms, metadata.to_dict("records"), strict=True):
                writer.add(row, waveform)
            tables.append(metadata)
            bar.update(n_simulated)
        metadata = pd.concat(tables, ignore_index=True)
        _check_not_empty(metadata, n_events)
    return metadata


def simulate_catalogue(
    n_events: int, seed: int = 0, workers: int | None = None
) -> tuple[NDArray[np.float32], pd.DataFrame]:
    """Simulate a catalogue and return its waveforms (record, component, sample) and metadata."""
    _check(n_events, seed)
    _, waveforms, tables = zip(*_simulated_events(n_events, seed, workers), strict=True)
    metadata = pd.concat(tables, ignore_index=True)
    _check_not_empty(metadata, n_events)
    return np.concatenate(waveforms), metadata


def _check(n_events: int, seed: int, stations_per_event: int = STATIONS_PER_EVENT) -> None:
    check_seed(seed)
    if n_events < 1 or stations_per_event < 1:
        raise DatasetError(
            f"{n_events} events at {stations_per_event} stations cannot be simulated; there must "
            "be at least 1 event and 1 station."
        )


def _check_not_empty(metadata: pd.DataFrame, n_events: int) -> None:
    if metadata.empty:
        raise DatasetError(
            f"None of the {n_events} event(s) exceeds the noise by {MIN_SNR_DB:g} dB at any "
            "station; simulate more events."
        )


def _simulated_events(
    n_events: int, seed: int, workers: int | None, stations_per_event: int = STATIONS_PER_EVENT
) -> Iterator[tuple[int, NDArray[np.float32], pd.DataFrame]]:
    """Yield the number of events and the kept records of successive blocks of events."""
    blocks = [
        (n_events, seed, range(first, min(first + _BLOCK, n_events)), stations_per_event)
        for first in range(0, n_events, _BLOCK)
    ]
    if workers is None:
        workers = min(os.cpu_count() or 1, 1 + n_events // _EVENTS_WORTH_A_PROCESS)
    if workers == 1:
        yield from map(_simulate_block, blocks)
        return
    with process_pool(workers) as pool:
        yield from pool.map(_simulate_block, blocks)


def _simulate_block(
    block: tuple[int, int, range, int],
) -> tuple[int, NDArray[np.float32], pd.DataFrame]:
    """Simulate a block of events of a catalogue and keep the records that exceed the noise."""
    n_events, seed, events, stations_per_event = block
    scenario = draw_catalogue(n_events, seed, events, stations_per_event)
    if scenario.empty:
        return len(events), np.empty((0, 3, N_SAMPLES), np.float32), scenario
    waveforms, table = simulate_records(scenario, seed)
    kept = table["trace_snr_db"].to_numpy() >= MIN_SNR_DB
    table = table[kept].reset_index(drop=True)
    starts = [str(UTCDateTime(time) + START_OFFSET) for time in table["source_origin_time"]]
    table = table.assign(
        source_magnitude_type="M",
        trace_channel="HX",
        trace_start_time=starts,
        trace_sampling_rate_hz=SAMPLING_RATE,
        trace_npts=N_SAMPLES,
        trace_component_order="ZNE",
        trace_units="m/s",
        trace_simulated=True,
        **horizontal_peaks(waveforms[kept], "ZNE", SAMPLING_RATE),
    )
    return len(events), waveforms[kept], table
