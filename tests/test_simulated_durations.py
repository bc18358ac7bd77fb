"""Significant durations and the vertical of simulated records, beside what recordings show."""

import numpy as np
import pandas as pd
import pytest

from cgmgm_seis.intensity import significant_duration
from cgmgm_seis.scenario import from_points
from cgmgm_seis.simulator import seismograms

SOURCE = (37.85, -122.15)
DEPTH_KM = 8.0
MAGNITUDES = (3.5, 4.0, 4.5, 5.0)
DISTANCES_KM = (10.0, 20.0, 40.0, 70.0, 100.0)


def around(magnitude, distance_km, n):
    """Return the scenario of n earthquakes at four receivers at a hypocentral distance."""
    epicentral = np.sqrt(distance_km**2 - DEPTH_KM**2) / 111.2
    azimuths = 0.4 + np.pi / 2.0 * np.arange(4)
    stations = np.column_stack([np.cos(azimuths), np.sin(azimuths)]) * epicentral
    stations[:, 1] /= np.cos(np.radians(SOURCE[0]))
    table = from_points(magnitude, SOURCE, stations + SOURCE, depth_km=DEPTH_KM)
    return pd.concat([table.assign(source_id=f"{i}") for i in range(n)], ignore_index=True)


@pytest.fixture
def no_noise(monkeypatch):
    monkeypatch.setattr(seismograms, "_noise", lambda rng, station: 0.0)
    monkeypatch.setattr(seismograms, "_snr_db", lambda record, p_start: 0.0)


@pytest.mark.parametrize("distance_km", DISTANCES_KM)
def test_durations_are_those_of_afshari_and_stewart(no_noise, distance_km):
    """The published values do not depend on magnitude below 5.35: geometric means over all four."""
    pygmm = pytest.importorskip("pygmm")
    scenario = pygmm.Scenario(
        mag=4.0, dist_rup=distance_km, v_s30=400.0, mechanism="SS", depth_1_0=None
    )
    published = pygmm.AfshariStewart2016(scenario).duration
    records = [
        seismograms.simulate_records(around(magnitude, distance_km, 12), seed=1)[0][:, 1:]
        for magnitude in MAGNITUDES
    ]
    for name, high in (("D_5t75", 0.75), ("D_5t95", 0.95)):
        simulated = [
            np.log(significant_duration(horizontals, 100.0, 0.05, high)).mean()
            for horizontals in records
        ]
        np.testing.assert_allclose(simulated, np.log(published[name]), atol=0.2)
