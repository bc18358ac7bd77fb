"""Measures of simulated records and their sensitivity to the Fourier spectra of the records.

Measures (PGA, PGV, PSA; ln units) are computed from simulated records, including their durations,
P waves and codas, without random vibration theory.  Sensitivities to the Fourier spectrum are
computed by small changes of the spectra at frequency nodes.  The calibration with recorded
amplitudes (`cgmgm_seis.simulator.calibration`) is based on this linearisation.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cgmgm_seis.measures.intensity import acceleration, smoothed_fas
from cgmgm_seis.measures.response_spectra import rotd50, rotd50_psa
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.travel_times import bay_area_travel_times
from cgmgm_seis.simulator import spectra
from cgmgm_seis.simulator.seismograms import (
    COARSE,
    N_SAMPLES,
    SAMPLING_RATE,
    START_OFFSET,
    draw_waveforms,
)
from cgmgm_seis.simulator.spectra import Coefficients
from cgmgm_seis.storage.processes import process_pool

Measure = Callable[[NDArray[Any]], Floats]

# Frequency nodes of the terms, Hz.
NODES = np.array([0.2, 0.35, 0.6, 1.0, 1.6, 2.5, 4.0, 6.3, 10.0, 16.0, 25.0])
# Periods of PSA, s; the measures are PGA (m/s2), PGV (m/s) and PSA (m/s2).
PERIODS = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0)
MEASURES = ("PGA", "PGV", *(f"PSA {period:g} s" for period in PERIODS))
# Frequencies at which Fourier amplitudes of small earthquakes are compared, Hz.
SMALL_HZ = (5.0, 10.0)
_STEP = 0.1  # change of the spectra to compute sensitivities, ln units
_BLOCK = 100  # records simulated at once


class AverageRegion:
    """A region without spatial terms, for the argument `fields` of `spectra.ln_spectrum`."""

    def site(self, latitude: ArrayLike, longitude: ArrayLike, frequencies: ArrayLike) -> Floats:
        """Return zeros (record, frequency)."""
        return np.zeros((np.size(latitude), np.size(frequencies)))

    def source(self, latitude: ArrayLike, longitude: ArrayLike, frequencies: ArrayLike) -> Floats:
        """Return zeros (record, frequency)."""
        return self.site(latitude, longitude, frequencies)

    def attenuation(
        self,
        source_latitude: ArrayLike,
        source_longitude: ArrayLike,
        station_latitude: ArrayLike,
        station_longitude: ArrayLike,
    ) -> Floats:
        """Return zeros (record,)."""
        return np.zeros(np.size(source_latitude))


AVERAGE = AverageRegion()


def ln_measures(waveforms: NDArray[Any]) -> Floats:
    """Return ln `MEASURES` (record, measure), as RotD50, of records (record, ZNE, sample)."""
    horizontals = waveforms[:, 1:].astype(float)
    pga, pgv = rotd50(acceleration(horizontals, SAMPLING_RATE)), rotd50(horizontals)
    psa = rotd50_psa(horizontals, SAMPLING_RATE, PERIODS)
    return np.log(np.column_stack([pga, pgv, psa]))


def ln_small(waveforms: NDArray[Any]) -> Floats:
    """Return the mean ln FAS of both horizontals at `SMALL_HZ`, (record, frequency)."""
    fas = smoothed_fas(waveforms[:, 1:], SAMPLING_RATE, SMALL_HZ)
    return np.asarray(np.log(fas).mean(axis=1))


def simulated(
    scenario: pd.DataFrame, coefficients: Coefficients, terms: Floats, seed: int = 0
) -> NDArray[np.float32]:
    """Simulate records with median spectra.

    Parameters
    ----------
    scenario : pandas.DataFrame
        Scenario table with paths.
    coefficients : Coefficients
        Coefficients of the median spectrum.
    terms : numpy.ndarray
        Terms added to the ln spectra at `NODES`, (record, node).
    seed : int
        Random seed of the phases.

    Returns
    -------
    numpy.ndarray
        Velocity in m/s, shape (record, component Z N E, sample).
    """
    depth = scenario["source_depth_km"].to_numpy(float)
    p, s = bay_area_travel_times().at(depth, scenario["path_ep_distance_km"].to_numpy(float))
    table = scenario.assign(
        trace_p_arrival_sample=SAMPLING_RATE * (p - START_OFFSET),
        trace_s_arrival_sample=SAMPLING_RATE * (s - START_OFFSET),
    )
    magnitude, extra = table["source_magnitude"].to_numpy(float), terms @ node_weights(COARSE)
    stress = coefficients.median_stress_drop(magnitude, depth)
    ln_p, ln_s = (
        spectra.ln_spectrum(table, COARSE, stress, wave, AVERAGE, coefficients) + wave.site * extra
        for wave in (spectra.P, spectra.S)
    )
    corners = coefficients.corner_frequency(magnitude, stress)
    return draw_waveforms(table, ln_p, ln_s, corners, seed)


@dataclass(frozen=True)
class Linearisation:
    """Measures of simulated records and their sensitivity to the spectra.

    Parameters
    ----------
    median : numpy.ndarray
        Mean of ln measures over realizations, (record, measure).
    sensitivity : numpy.ndarray
        Derivatives of ln measures with respect to ln FAS at `NODES`, (record, measure, node).
    intrinsic : numpy.ndarray
        Covariance (measure, measure) between realizations of one scenario.
    """

    median: Floats
    sensitivity: Floats
    intrinsic: Floats


def linearise(
    scenario: pd.DataFrame,
    coefficients: Coefficients,
    terms: Floats,
    measure: Measure = ln_measures,
    n_realizations: int = 2,
    every: int = 3,
    seed: int = 0,
    workers: int = 1,
) -> Linearisation:
    """Simulate records with given median spectra and compute their measures and sensitivities.

    Parameters
    ----------
    scenario : pandas.DataFrame
        Scenario table with paths.
    coefficients : Coefficients
        Coefficients of the median spectrum.
    terms : numpy.ndarray
        Terms added to the ln spectra at `NODES`, (record, node).
    measure : callable
        Function of waveforms that returns ln measures, (record, measure).
    n_realizations, seed : int
        Number of realizations and random seed of the simulated records.
    every : int
        Sensitivities are computed for one realization of every n-th record and averaged over
        records of similar magnitude and distance.
    workers : int
        Number of processes.
    """
    blocks = [
        (scenario.iloc[i : i + _BLOCK].reset_index(drop=True), terms[i : i + _BLOCK])
        for i in range(0, len(scenario), _BLOCK)
    ]
    given = (coefficients, measure, n_realizations, every, seed)
    jobs = [(*block, *given) for block in blocks]
    if workers == 1:
        parts = [_linearise_block(job) for job in jobs]
    else:
        with process_pool(workers) as pool:
            parts = list(pool.map(_linearise_block, jobs))
    values = np.concatenate([part[0] for part in parts], axis=1)
    some = np.concatenate([part[1] for part in parts])
    n = len(scenario)
    rows = np.concatenate([np.arange(i, min(i + _BLOCK, n), every) for i in range(0, n, _BLOCK)])
    near = _similarity(scenario, scenario.iloc[rows])
    deviations = np.diff(values, axis=0).reshape(-1, values.shape[-1]) / np.sqrt(2.0)
    return Linearisation(
        values.mean(axis=0), np.einsum("rs,smk->rmk", near, some), np.cov(deviations.T)
    )


def _linearise_block(job: tuple[Any, ...]) -> tuple[Floats, Floats]:
    """Return ln measures (realization, record, measure) and sensitivities of a block."""
    scenario, terms, coefficients, measure, n_realizations, every, seed = job
    drawn = [simulated(scenario, coefficients, terms, seed + k) for k in range(n_realizations)]
    values = np.stack([measure(waveforms) for waveforms in drawn])
    hats = node_weights(np.fft.rfftfreq(N_SAMPLES, 1.0 / SAMPLING_RATE))
    spectrum = np.fft.rfft(drawn[0][::every])
    changed = [measure(np.fft.irfft(spectrum * np.exp(_STEP * hat), N_SAMPLES)) for hat in hats]
    return values, (np.stack(changed, axis=-1) - values[0][::every][..., None]) / _STEP


def _similarity(first: pd.DataFrame, second: pd.DataFrame) -> Floats:
    """Return weights (first, second) that decrease with difference in magnitude and ln distance."""
    magnitude, distance = (
        np.subtract.outer(of(first), of(second))
        for of in (
            lambda table: table["source_magnitude"].to_numpy(float),
            lambda table: np.log(table["path_hyp_distance_km"].to_numpy(float)),
        )
    )
    weights = np.exp(-0.5 * ((magnitude / 0.2) ** 2 + (distance / 0.25) ** 2))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def node_weights(frequencies: ArrayLike) -> Floats:
    """Return weights (node, frequency) for interpolation from `NODES`, linear in ln f."""
    ln_f = np.log(np.maximum(np.asarray(frequencies, float), 1e-3))
    return np.stack([np.interp(ln_f, np.log(NODES), row) for row in np.eye(len(NODES))])
