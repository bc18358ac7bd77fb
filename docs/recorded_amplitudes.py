"""Recorded amplitudes of the 29 earthquakes, and what published models say of others.

Used by `calibrate_simulator.py` and `measure_against_recordings.py`.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cgmgm_seis.gmm.base import ErgodicFAS
from cgmgm_seis.gmm.pygmm_models import NGA_WEST2, NGAWest2
from cgmgm_seis.measures.intensity import GRAVITY
from cgmgm_seis.scenario.table import add_paths
from cgmgm_seis.simulator import linearisation as lin
from cgmgm_seis.simulator.sites import CENTRE
from cgmgm_seis.simulator.spectra import REFERENCE_DEPTH

Floats = NDArray[np.float64]

# Larger earthquakes of the table are outside of the region's moderate ones.
LARGEST = 5.6


def recorded_table(path: Path) -> pd.DataFrame:
    """Return the rows of the moderate earthquakes."""
    table = pd.read_csv(path)
    return table[table["M"] < LARGEST].reset_index(drop=True)


def recorded_measures(table: pd.DataFrame) -> Floats:
    """Return ln measures (record, measure), m/s2 and m/s; NaN below the usable frequencies."""
    g = np.log(GRAVITY)
    columns = [table["lnPGA_g"] + g, table["lnPGV_cms"] - np.log(100.0)]
    for period in lin.PERIODS:
        column = table[f"lnPSA_g_{period:.3f}s"] + g
        columns.append(column.where(table["luf_hz"] <= 1.0 / period))
    return np.column_stack(columns)


def scenario_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return the scenario table of recorded rows."""
    return point_scenario(
        table["EQID"].astype(str),
        *(table[name] for name in ("ev_lat", "ev_lon", "ev_depth_km", "M", "sta_lat", "sta_lon")),
    )


def point_scenario(
    source: Any,
    latitude: Any,
    longitude: Any,
    depth: Any,
    magnitude: Any,
    sta_lat: Any,
    sta_lon: Any,
) -> pd.DataFrame:
    """Return a scenario of sources and stations; a depth of less than 1 km is 1 km."""
    n = len(np.atleast_1d(sta_lat))
    table = pd.DataFrame(
        {
            "source_id": source,
            "source_origin_time": "2010-01-01T00:00:00",
            "source_latitude_deg": latitude,
            "source_longitude_deg": longitude,
            "source_depth_km": np.maximum(depth, 1.0),
            "source_magnitude": magnitude,
            "station_network_code": "XX",
            "station_code": [f"S{i:04d}" for i in range(n)],
            "station_location_code": "00",
            "station_latitude_deg": sta_lat,
            "station_longitude_deg": sta_lon,
            "station_elevation_m": 0.0,
        }
    )
    return add_paths(table)


def ln_nga_west2(scenario: pd.DataFrame) -> Floats:
    """Return ln measures (record, measure), the mean of the four NGA-West2 models."""
    models = [NGAWest2(name, lin.PERIODS) for name in NGA_WEST2]
    return np.asarray(np.mean([model.predict(scenario).mean for model in models], axis=0))


def region_over_models(table: pd.DataFrame, scenario: pd.DataFrame, observed: Floats) -> Floats:
    """Return the mean event term of the region's earthquakes against the models, (measure,)."""
    described = scenario.assign(
        path_rup_distance_km=table["rrup_km"],
        path_jb_distance_km=table["rjb_km"],
        source_top_depth_km=table["ztor_km"],
        source_dip_deg=table["dip"],
        source_width_km=table["width_km"],
        source_rake_deg=table["rake"],
        station_vs30_mps=table["vs30"],
    )
    residual = pd.DataFrame(observed - ln_nga_west2(described))
    return residual.groupby(table["EQID"]).mean().mean().to_numpy()


def large_scenarios(vs30_mps: float) -> pd.DataFrame:
    """Return scenarios of M 4.5 to 5.5 at 8 to 75 km from the epicentre."""
    return around(
        [
            (magnitude, epicentral, azimuth)
            for magnitude in (4.5, 5.0, 5.5)
            for epicentral in (8.0, 20.0, 40.0, 75.0)
            for azimuth in range(4)
        ],
        vs30_mps,
    )


def small_scenarios() -> pd.DataFrame:
    """Return scenarios of M 1 to 3 within reach."""
    return around(
        [
            (magnitude, epicentral, azimuth)
            for magnitude in (1.0, 1.5, 2.0, 2.5, 3.0)
            for epicentral in (8.0, 20.0, 40.0, 60.0)
            if magnitude >= 2.0 or epicentral < 30.0
            for azimuth in range(4)
        ]
    )


def ln_ergodic(scenario: pd.DataFrame) -> Floats:
    """Return the ergodic model's ln FAS at `lin.SMALL_HZ`, (record, frequency)."""
    names = ["source_magnitude", "path_hyp_distance_km", "source_depth_km"]
    values = scenario[names].to_numpy().T
    return np.column_stack([ErgodicFAS(f).mean(*values) for f in lin.SMALL_HZ])


def around(rows: list[tuple[float, float, int]], vs30_mps: float = 760.0) -> pd.DataFrame:
    """Place stations at epicentral distances and four azimuths about the region's middle."""
    magnitude, epicentral, azimuth = np.array(rows).T
    angle = 0.3 + 0.5 * np.pi * azimuth
    north, east = epicentral * np.cos(angle) / 111.19, epicentral * np.sin(angle) / 111.19
    east = east / np.cos(np.radians(CENTRE[0]))
    names = [f"{i}" for i in range(len(rows))]
    depth = np.full(len(rows), REFERENCE_DEPTH)
    scenario = point_scenario(names, *CENTRE, depth, magnitude, CENTRE[0] + north, CENTRE[1] + east)
    return scenario.assign(station_vs30_mps=vs30_mps)


def report(
    table: pd.DataFrame, scenario: pd.DataFrame, observed: Floats, predicted: Floats
) -> pd.DataFrame:
    """Return bias, scatter, slopes and their ratio to CB14's, a column a measure."""
    magnitude = table["M"].to_numpy()
    distance = scenario["path_hyp_distance_km"].to_numpy()
    residual = observed - predicted
    rows: dict[str, Floats] = {}
    for name, values in (("model", residual), ("CB14", observed - ln_cb14(table))):
        frame = pd.DataFrame(values)
        events = frame.groupby(table["EQID"])
        rows[f"{name}: bias"] = frame.mean().to_numpy()
        rows[f"{name}: between events"] = events.mean().std().to_numpy()
        rows[f"{name}: within events"] = (frame - events.transform("mean")).std().to_numpy()
    rows["within events, ratio"] = rows["model: within events"] / rows["CB14: within events"]
    for name, part in (
        ("M < 4", magnitude < 4.0),
        ("M >= 4", magnitude >= 4.0),
        ("R < 25 km", distance < 25.0),
        ("R >= 25 km", distance >= 25.0),
    ):
        rows[f"model: bias, {name}"] = np.nanmean(residual[part], axis=0)
    terms = np.column_stack([np.ones(len(table)), np.log(distance), magnitude])
    slopes = []
    for column in residual.T:
        known = np.isfinite(column)
        slopes.append(np.linalg.lstsq(terms[known], column[known], rcond=None)[0][1:])
    rows["model: slope with ln R"], rows["model: slope with M"] = np.transpose(slopes)
    return pd.DataFrame(rows, index=list(lin.MEASURES)).T


def ln_cb14(table: pd.DataFrame) -> Floats:
    """Return the medians of Campbell & Bozorgnia (2014) in the table, as `recorded_measures`."""
    g = np.log(GRAVITY)
    columns = [table["lnCB14_PGA"] + g, table["lnCB14_PGV"] - np.log(100.0)]
    columns += [table[f"lnCB14_{period:.3f}s"] + g for period in lin.PERIODS]
    return np.column_stack(columns)
