"""The simulated Bay Area beside recorded amplitudes of NGA-West2 and published models.

The recorded earthquakes are those of the calibration: how well it tells earthquakes that it has not
seen is printed by docs/calibrate_simulator.py and stands in docs/simulated.md.
"""

import numpy as np
import pandas as pd
import pytest

from cgmgm_seis.evaluation.flatfile import read_flatfile
from cgmgm_seis.gmm.base import ErgodicFAS
from cgmgm_seis.gmm.pygmm_models import NGA_WEST2, NGAWest2
from cgmgm_seis.measures.intensity import smoothed_fas
from cgmgm_seis.scenario.table import add_paths, from_points
from cgmgm_seis.simulator import linearisation as lin
from cgmgm_seis.simulator import spectra
from cgmgm_seis.simulator.region import true_fields
from cgmgm_seis.simulator.sites import bay_area_sites

EVERY = 5  # of the recorded rows, for the time it takes
REALIZATIONS = 24  # of a scenario at four distances: standard errors of up to 0.03


@pytest.fixture(scope="module")
def recorded(nga_west2):
    """Scenario and ln measures of some recorded rows, NaN below the usable frequency."""
    flatfile = read_flatfile(nga_west2 / "bay_r80_measures.csv", "nga_west2")
    rows = np.flatnonzero(flatfile.scenario["source_magnitude"] < 5.6)[::EVERY]
    names = pd.MultiIndex.from_tuples([("H", f"RotD50 {name}") for name in lin.MEASURES])
    values = flatfile.values[np.ix_(rows, flatfile.names.get_indexer(names))]
    return flatfile.scenario.iloc[rows].reset_index(drop=True), values


@pytest.fixture(scope="module")
def residuals(recorded):
    """Recorded minus the median of the simulator with its site terms, (record, measure)."""
    scenario, observed = recorded
    deep = scenario.assign(source_depth_km=scenario["source_depth_km"].clip(lower=1.0))
    places = scenario["station_latitude_deg"], scenario["station_longitude_deg"]
    terms = bay_area_sites()(*places, lin.NODES)
    drawn = [
        lin.ln_measures(lin.simulated(add_paths(deep), spectra.bay_area(), terms, seed))
        for seed in range(2)
    ]
    return observed - np.mean(drawn, axis=0)


def test_levels_are_the_recorded_ones(recorded, residuals):
    scenario, _ = recorded
    bias = np.nanmean(residuals, axis=0)
    # 2 s is the end of the band that many records have.
    assert (np.abs(bias[:-1]) < 0.15).all() and abs(bias[-1]) < 0.25
    magnitude, distance = scenario["source_magnitude"], scenario["path_hyp_distance_km"]
    for part in (magnitude < 4.0, magnitude >= 4.0, distance < 25.0, distance >= 25.0):
        assert (np.abs(np.nanmean(residuals[part.to_numpy(), :-1], axis=0)) < 0.3).all()


def test_attenuation_has_no_mean_over_recorded_paths(recorded):
    """`MEAN_ATTENUATION` is that of the field over the calibration's paths, to two digits."""
    scenario, _ = recorded
    names = ["source_latitude_deg", "source_longitude_deg", "station_latitude_deg"]
    places = scenario[[*names, "station_longitude_deg"]].to_numpy().T
    excess = true_fields().attenuation(*places)
    # Every fifth record; the field's standard deviation over paths is about 0.15.
    assert abs(np.average(excess, weights=scenario["path_hyp_distance_km"])) < 0.02


def test_site_terms_tell_more_than_a_ground_motion_model(recorded, residuals):
    """Scatter within events at most 0.87 of that about Campbell & Bozorgnia (2014)."""
    scenario, observed = recorded
    cb14 = NGAWest2("CB14", lin.PERIODS).predict(scenario).mean
    scatter = []
    for values in (residuals, observed - cb14):
        frame, events = pd.DataFrame(values), scenario["source_id"]
        scatter.append((frame - frame.groupby(events).transform("mean")).std().to_numpy())
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
