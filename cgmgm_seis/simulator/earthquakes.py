"""Simulated earthquakes along the faults of the Bay Area, and the stations that record them."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from obspy import UTCDateTime

from cgmgm_seis.scenario.geography import KM_PER_DEGREE
from cgmgm_seis.scenario.seeding import random_generator
from cgmgm_seis.scenario.table import add_paths
from cgmgm_seis.simulator.sites import site_table
from cgmgm_seis.simulator.sources import source_table

# Approximate surface traces, accurate to several km: fraction of the earthquakes, then longitude
# and latitude of points from north to south.  This is not a fault model.
FAULTS = {
    "San Andreas": (0.17, [(-122.85, 38.10), (-122.50, 37.70), (-122.05, 37.20), (-121.55, 36.85)]),
    "San Gregorio": (0.06, [(-122.60, 37.65), (-122.42, 37.42), (-122.30, 37.10)]),
    "Hayward": (0.18, [(-122.40, 38.00), (-122.25, 37.87), (-122.05, 37.65), (-121.80, 37.40)]),
    "Rodgers Creek": (0.08, [(-122.75, 38.50), (-122.60, 38.30), (-122.45, 38.08)]),
    "Calaveras": (0.19, [(-122.00, 37.85), (-121.85, 37.50), (-121.65, 37.25), (-121.50, 36.95)]),
    "Concord-Green Valley": (0.10, [(-122.17, 38.35), (-122.08, 38.10), (-122.00, 37.92)]),
    "Greenville": (0.08, [(-121.88, 37.90), (-121.72, 37.70), (-121.50, 37.42)]),
    "West Napa": (0.05, [(-122.42, 38.45), (-122.32, 38.25), (-122.24, 38.12)]),
    "Geysers": (0.09, [(-122.86, 38.84), (-122.78, 38.80), (-122.70, 38.75)]),
}
FAULT_SCATTER_KM = 2.5
# Fraction of the earthquakes near those of the calibration, many of which are not on these faults,
# and their scatter: within half a correlation length of the source terms.
RECORDED_SHARE, RECORDED_SCATTER_KM = 0.25, 5.0
DEPTHS_KM = (0.5, 18.0)
MAGNITUDES = (1.0, 5.5)
# Almost uniform (b = 0), instead of the regional Gutenberg-Richter b value of about 1, so that a
# few hundred events include large ones.
B_VALUE = 0.15
FIRST_ORIGIN = UTCDateTime(2015, 1, 1)
LAST_ORIGIN = UTCDateTime(2020, 12, 31)
MAX_EPICENTRAL_KM = 150.0
STATIONS_PER_EVENT = 16
# The probability that a station is selected decreases as exp(-distance / length), so that records
# near large earthquakes, which the whole region records, are as frequent as near small ones.
NEAR_KM = 30.0
# Events are assigned to the splits in this cycle, 80 / 10 / 10 %.
SPLIT_CYCLE = ("train",) * 4 + ("dev",) + ("train",) * 4 + ("test",)


def draw_catalogue(
    n_events: int,
    seed: int,
    events: Iterable[int] | None = None,
    stations_per_event: int = STATIONS_PER_EVENT,
) -> pd.DataFrame:
    """Draw random earthquakes and the stations that record them.

    Magnitudes follow a truncated exponential distribution with `B_VALUE`, epicentres scatter
    around the fault traces and around recorded earthquakes, and depths follow a beta distribution
    with a maximum near 7 km.  From the several hundred stations of the region
    (`cgmgm_seis.simulator.sites.site_table`), stations within a distance that increases with
    magnitude are drawn, with higher probability for near ones.

    Parameters
    ----------
    n_events : int
        Number of earthquakes.
    seed : int
        Random seed.  Except for its origin time, event i does not depend on the number of events.
    events : iterable of int, optional
        Numbers of the earthquakes to draw, by default all.
    stations_per_event : int
        Largest number of stations per event.

    Returns
    -------
    pandas.DataFrame
        Scenario table with a column ``split``, which is the same for all records of an event.
    """
    columns = [f"station_{name}" for name in ("network_code", "code", "latitude_deg")]
    columns += ["station_longitude_deg", "station_elevation_m", "station_vs30_mps"]
    stations = site_table()[columns].assign(station_location_code="00")
    interval = (LAST_ORIGIN - FIRST_ORIGIN) / n_events
    tables = []
    for i in range(n_events) if events is None else events:
        rng = random_generator(seed, "earthquake", int(i))
        longitude, latitude = _epicentre(rng)
        table = stations.assign(
            source_id=f"sim{seed}_{i:05d}",
            source_origin_time=str(FIRST_ORIGIN + (i + rng.random()) * interval),
            source_latitude_deg=round(latitude, 5),
            source_longitude_deg=round(longitude, 5),
            source_depth_km=round(DEPTHS_KM[0] + np.ptp(DEPTHS_KM) * rng.beta(2.0, 3.0), 2),
            source_magnitude=_magnitude(rng),
            split=SPLIT_CYCLE[i % len(SPLIT_CYCLE)],
        )
        table = add_paths(table)
        # The largest values of ln weight + Gumbel noise are a sample without replacement.
        chance = rng.gumbel(size=len(table)) - table["path_ep_distance_km"] / NEAR_KM
        table = table.iloc[np.argsort(-chance.to_numpy())]
        near = table["path_ep_distance_km"] < MAX_EPICENTRAL_KM
        heard = table["path_hyp_distance_km"] < _reach_km(table["source_magnitude"].iloc[0])
        tables.append(table[near & heard].head(stations_per_event))
    return pd.concat(tables, ignore_index=True)


def _magnitude(rng: np.random.Generator) -> float:
    """Draw a magnitude from the truncated Gutenberg-Richter distribution by inversion."""
    low, high = (10.0 ** (-B_VALUE * m) for m in MAGNITUDES)
    return round(float(-np.log10(low + rng.random() * (high - low)) / B_VALUE), 2)


def _epicentre(rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw longitude and latitude near a recorded earthquake, or uniformly along a fault."""
    if rng.random() < RECORDED_SHARE:
        recorded = source_table()[["source_longitude_deg", "source_latitude_deg"]].to_numpy()
        point, scatter_km = recorded[rng.choice(len(recorded))], RECORDED_SCATTER_KM
    else:
        shares = np.array([share for share, _ in FAULTS.values()])
        fault = rng.choice(len(FAULTS), p=shares / shares.sum())
        trace = np.array(list(FAULTS.values())[fault][1])
        lengths = np.hypot(*(np.diff(trace, axis=0) * _km_per_degree(trace)).T)
        along = np.concatenate([[0.0], np.cumsum(lengths)])
        place = rng.uniform(0.0, along[-1])
        point = np.array([np.interp(place, along, trace[:, k]) for k in (0, 1)])
        scatter_km = FAULT_SCATTER_KM
    return np.asarray(point + scatter_km * rng.standard_normal(2) / _km_per_degree(point))


def _km_per_degree(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return km per degree of longitude and latitude at points (.., 2)."""
    latitude = np.radians(points[..., 1].mean())
    return KM_PER_DEGREE * np.array([np.cos(latitude), 1.0])


def _reach_km(magnitude: float) -> float:
    """Return the distance to which events exceed typical noise: 25 km at M 1, 125 km at M 3."""
    return 25.0 * 10.0 ** (0.35 * (magnitude - 1.0))
