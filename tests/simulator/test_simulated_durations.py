"""Significant durations and the vertical of simulated records, beside what recordings show."""

import numpy as np
import pandas as pd
import pytest
from scipy.signal import butter, sosfiltfilt

from cgmgm_seis.measures.intensity import significant_duration
from cgmgm_seis.scenario.table import from_points
from cgmgm_seis.simulator import seismograms

SOURCE = (37.85, -122.15)
DEPTH_KM = 8.0
MAGNITUDES = (3.5, 4.0, 4.5, 5.0)
DISTANCES_KM = (10.0, 20.0, 40.0, 70.0, 100.0)

# Of P and of S in 60 recorded windows of northern California.
RECORDED_MEDIAN = (0.23, -0.50)
RECORDED_SIGMA = (0.52, 0.49)


def ln_vertical_over_horizontals(record, p, s):
    """Return ln (rms of Z over rms of N and E), 1-10 Hz, in 0.8 s from P and in 3 s from S."""
    band = butter(4, [1.0, 10.0], "bandpass", fs=100.0, output="sos")
    x = sosfiltfilt(band, record - record.mean(axis=1, keepdims=True).astype(float), axis=1)
    power = [(x[:, a : a + n] ** 2).mean(axis=1) for a, n in ((p, 80), (s, 300))]
    return [0.5 * np.log(z / (0.5 * (n + e))) for z, n, e in power]


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
    """The published values do not depend on magnitude below 5.35."""
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
        bias = [
            np.log(significant_duration(horizontals, 100.0, 0.05, high)).mean()
            - np.log(published[name])
            for horizontals in records
        ]
        assert abs(np.mean(bias)) < 0.2
        # A cell's standard error is up to 0.06.
        assert np.abs(bias).max() < 0.25


def test_vertical_over_horizontals_is_as_recorded(many_simulated):
    """Medians and standard deviations of the recorded windows."""
    waveforms, table = many_simulated
    onsets = table[["trace_p_arrival_sample", "trace_s_arrival_sample"]].to_numpy().astype(int)
    s_minus_p = np.diff(onsets)[:, 0]
    near = np.flatnonzero((s_minus_p > 80) & (s_minus_p < 400) & (table["trace_snr_db"] > 10.0))
    ratios = np.array([ln_vertical_over_horizontals(waveforms[i], *onsets[i]) for i in near])
    np.testing.assert_allclose(np.median(ratios, axis=0), RECORDED_MEDIAN, atol=0.15)
    np.testing.assert_allclose(ratios.std(axis=0), RECORDED_SIGMA, atol=0.15)
