"""Data sets of a few short records for the tests of training, and parts of simulated ones."""

from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
import pandas as pd
from seisbench.data import WaveformDataWriter

from cgmgm_seis.scenario.spans import VALID_END, VALID_START
from cgmgm_seis.scenario.stations import bay_area_stations

N_SAMPLES = 800
CATALOGUE_SEED = 5
# Ranges of weights that are not trained.
TINY_RANGES = {
    "source_magnitude": [1.0, 5.0],
    "source_latitude_deg": [36.5, 39.0],
    "source_longitude_deg": [-123.5, -121.0],
    "source_depth_km": [0.0, 20.0],
    "station_latitude_deg": [36.5, 39.0],
    "station_longitude_deg": [-123.5, -121.0],
    "path_ep_distance_km": [0.0, 60.0],
    "path_hyp_distance_km": [0.0, 70.0],
}


def write_dataset(
    folder,
    n_events=12,
    per_event=4,
    change=lambda i, row, motion: None,
    n_samples=N_SAMPLES,
    **data_format,
):
    """Write decaying noise, louder for larger magnitudes; `change` edits rows and records."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    with WaveformDataWriter(folder / "metadata.csv", folder / "waveforms.hdf5") as writer:
        writer.data_format = {
            "dimension_order": "CW",
            "component_order": "ZNE",
            "unit": "mps",
            **data_format,
        }
        for i in range(n_events * per_event):
            event = i // per_event
            magnitude = 1.0 + 0.2 * event
            origin = pd.Timestamp("2020-01-01T00:00:00Z") + pd.Timedelta(hours=event)
            row = {
                "source_id": f"event{event}",
                "source_origin_time": origin.isoformat(),
                "source_latitude_deg": 37.5 + 0.02 * event,
                "source_longitude_deg": -122.0,
                "source_depth_km": 5.0 + event,
                "source_magnitude": magnitude,
                "station_network_code": "BK",
                "station_code": f"S{i % per_event}",
                "station_location_code": "00",
                "station_latitude_deg": 37.8,
                "station_longitude_deg": -122.2 + 0.01 * (i % per_event),
                "trace_start_time": (origin - pd.Timedelta(seconds=5)).isoformat(),
                "trace_sampling_rate_hz": 100.0,
                "trace_simulated": True,
                "split": ("train", "train", "train", "dev", "train", "test")[event % 6],
            }
            decay = np.exp(-np.maximum(np.arange(n_samples) - 550, 0) / 80)
            envelope = 1e-8 + 10.0 ** (magnitude - 7) * decay * (np.arange(n_samples) > 550)
            motion = (envelope * rng.standard_normal((3, n_samples))).astype(np.float32)
            motion = motion[: len(writer.data_format["component_order"])]
            change(event, row, motion)
            writer.add_trace(row, motion)
    return folder


def first_events(catalogue, n_events):
    """Return waveforms and scenario of a catalogue's first events."""
    waveforms, scenario = catalogue
    n_records = int((pd.factorize(scenario["source_id"])[0] < n_events).sum())
    return waveforms[:n_records], scenario.iloc[:n_records]


@contextmanager
def small_network():
    """Have earthquakes recorded by the 58 bundled stations, any within reach, in this process."""
    stations = bay_area_stations().assign(station_vs30_mps=760.0)
    module = "cgmgm_seis.simulator.earthquakes"
    with patch(f"{module}.site_table", lambda: stations), patch(f"{module}.NEAR_KM", np.inf):
        yield


def cut_half(waveforms, scenario, seed=0, rate=100.0):
    """Return the records with every second one cut to a random span of 30 to 60 s that has P."""
    rng, n_samples = np.random.default_rng(seed), waveforms.shape[-1]
    cut, first, last = waveforms.copy(), np.zeros(len(scenario)), np.full(len(scenario), n_samples)
    p = scenario["trace_p_arrival_sample"].to_numpy(float)
    for row in range(0, len(scenario), 2):
        length = round(rate * rng.uniform(30.0, 60.0))
        latest = min(n_samples - length, p[row] - 2.0 * rate)
        first[row] = round(rng.uniform(0.0, max(latest, 0.0)))
        last[row] = first[row] + length
        cut[row, :, : int(first[row])] = cut[row, :, int(last[row]) :] = 0.0
    return cut, scenario.assign(**{VALID_START: first, VALID_END: last})
