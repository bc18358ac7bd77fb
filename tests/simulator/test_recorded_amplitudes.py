"""The simulated Bay Area beside recorded amplitudes of NGA-West2 and published models.

The recorded earthquakes are those of the calibration: how well it tells earthquakes that it has not
seen is printed by docs/calibrate_simulator.py and stands in docs/simulated.md.
"""

import numpy as np
import pandas as pd
import pytest

from cgmgm_seis.gmm.base import ErgodicFAS
from cgmgm_seis.gmm.pygmm_models import NGA_WEST2, NGAWest2
from cgmgm_seis.measures.intensity import GRAVITY, smoothed_fas
from cgmgm_seis.scenario.table import add_paths, from_points
from cgmgm_seis.simulator import linearisation as lin
from cgmgm_seis.simulator import spectra
from cgmgm_seis.simulator.sites import bay_area_sites

EVERY = 5  # of the recorded rows, for the time it takes
REALIZATIONS = 24  # of a scenario at four distances: standard errors of up to 0.03


@pytest.fixture(scope="module")
def recorded(nga_west2):
    """Some recorded rows, their scenario and ln measures, NaN below the usable frequency."""
    table = pd.read_csv(nga_west2 / "bay_r80_measures.csv")
    table = table[table["M"] < 5.6].iloc[::EVERY].reset_index(drop=True)
    scenario = add_paths(
        pd.DataFrame(
            {
                "source_id": table["EQID"].astype(str),
                "source_origin_time": "2010-01-01T00:00:00",
                "source_latitude_deg": table["ev_lat"],
                "source_longitude_deg": table["ev_lon"],
                "source_depth_km": table["ev_depth_km"].clip(lower=1.0),
                "source_magnitude": table["M"],
                "station_network_code": "XX",
                "station_code": [f"S{i:04d}" for i in range(len(table))],
                "station_location_code": "00",
                "station_latitude_deg": table["sta_lat"],
                "station_longitude_deg": table["sta_lon"],
                "station_elevation_m": 0.0,
            }
        )
    )
    columns = [table["lnPGA_g"] + np.log(GRAVITY), table["lnPGV_cms"] - np.log(100.0)]
    for period in lin.PERIODS:
        usable = table["luf_hz"] <= 1.0 / period
        columns.append((table[f"lnPSA_g_{period:.3f}s"] + np.log(GRAVITY)).where(usable))
    return table, scenario, np.column_stack(columns)


@pytest.fixture(scope="module")
def residuals(recorded):
    """Recorded minus the median of the simulator with its site terms, (record, measure)."""
    _, scenario, observed = recorded
    places = scenario["station_latitude_deg"], scenario["station_longitude_deg"]
    terms = bay_area_sites()(*places, lin.NODES)
    drawn = [
        lin.ln_measures(lin.simulated(scenario, spectra.bay_area(), terms, seed))
        for seed in range(2)
    ]
    return observed - np.mean(drawn, axis=0)


def test_levels_are_the_recorded_ones(recorded, residuals):
    table, scenario, _ = recorded
    bias = np.nanmean(residuals, axis=0)
    # 2 s is the end of the band that many records have.
    assert (np.abs(bias[:-1]) < 0.15).all() and abs(bias[-1]) < 0.25
    distance = scenario["path_hyp_distance_km"]
    for part in (table["M"] < 4.0, table["M"] >= 4.0, distance < 25.0, distance >= 25.0):
        assert (np.abs(np.nanmean(residuals[part.to_numpy(), :-1], axis=0)) < 0.3).all()


def test_site_terms_tell_more_than_a_ground_motion_model(recorded, residuals):
    """Scatter within events at most 0.87 of that about Campbell & Bozorgnia (2014)."""
    table, _, observed = recorded
    cb14 = [table["lnCB14_PGA"] + np.log(GRAVITY), table["lnCB14_PGV"] - np.log(100.0)]
    cb14 += [table[f"lnCB14_{period:.3f}s"] + np.log(GRAVITY) for period in lin.PERIODS]
    scatter = []
    for values in (residuals, observed - np.column_stack(cb14)):
        frame = pd.DataFrame(values)
        scatter.append((frame - frame.groupby(table["EQID"]).transform("mean")).std().to_numpy())
    assert (scatter[0] / scatter[1] < 0.87).all()


SHORT = [name for name in lin.MEASURES if name not in ("PGV", "PSA 1 s", "PSA 2 s")]
LONG = [name for name in lin.MEASURES if name not in SHORT]


@pytest.mark.parametrize("names", [SHORT, LONG])
@pytest.mark.parametrize("magnitude", [4.5, 5.0, 5.5])
def test_larger_earthquakes_are_those_of_published_models(magnitude, names):
    """The mean of four NGA-West2 models at the region's mean Vs30 and with its mean event terms."""
    points = [(37.8 + d / 111.19, -122.2) for d in (10.0, 20.0, 40.0, 75.0)]
    scenario = from_points(magnitude, (37.8, -122.2), points).assign(station_vs30_mps=440.0)
    zeros = np.zeros((len(points), len(lin.NODES)))
    drawn = [
        lin.ln_measures(lin.simulated(scenario, spectra.bay_area(), zeros, seed))
        for seed in range(REALIZATIONS)
    ]
    models = [NGAWest2(name, lin.PERIODS) for name in NGA_WEST2]
    expected = np.mean([model.predict(scenario).mean for model in models], axis=0)
    expected += list(spectra.calibration()["bay_area_over_nga_west2"].values())
    columns = [lin.MEASURES.index(name) for name in names]
    difference = (np.mean(drawn, axis=0) - expected)[:, columns]
    assert np.abs(difference.mean(axis=0)).max() < 0.3
    assert np.sqrt((difference**2).mean()) < 0.3


@pytest.mark.parametrize("magnitude", [1.0, 2.0, 3.0])
def test_small_earthquakes_are_those_of_the_ergodic_model(magnitude):
    """At 5 and 10 Hz, where records filtered to 2 to 15 Hz are to be trusted, within 0.3."""
    reach = {1.0: (10.0, 20.0), 2.0: (10.0, 20.0, 40.0), 3.0: (10.0, 20.0, 40.0, 60.0)}[magnitude]
    points = [(37.8 + d / 111.19, -122.2) for d in reach]
    scenario = from_points(magnitude, (37.8, -122.2), points)
    zeros = np.zeros((len(points), len(lin.NODES)))
    drawn = [
        np.log(smoothed_fas(records[:, 1:], 100.0, lin.SMALL_HZ)).mean(axis=1)
        for records in (
            lin.simulated(scenario, spectra.bay_area(), zeros, seed) for seed in range(REALIZATIONS)
        )
    ]
    columns = ["source_magnitude", "path_hyp_distance_km", "source_depth_km"]
    expected = np.column_stack(
        [ErgodicFAS(f).mean(*scenario[columns].to_numpy().T) for f in lin.SMALL_HZ]
    )
    assert np.abs((np.mean(drawn, axis=0) - expected).mean(axis=0)).max() < 0.3
