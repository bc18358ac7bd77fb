"""Seismograms with given Fourier spectra: direct pulses, codas and noise on three components.

Every wave is its spectrum's minimum-phase pulse, so nothing comes before the onset, repeated by a
train of arrivals: the direct one, the scatterers near it and the coda.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from obspy.signal.spectral_estimation import get_nhnm, get_nlnm
from scipy.signal import lfilter

from cgmgm_seis.arrivals import bay_area_travel_times
from cgmgm_seis.scenario import check_scenario
from cgmgm_seis.seeding import generator
from cgmgm_seis.simulator import spectra
from cgmgm_seis.simulator.region import REGION_SEED, true_fields
from cgmgm_seis.simulator.scatter import bay_area_scatter
from cgmgm_seis.simulator.sites import CENTRE
from cgmgm_seis.spatial import local_km

Floats = NDArray[np.float64]

SAMPLING_RATE = 100.0
N_SAMPLES = 6000
START_OFFSET = -5.0  # s after the origin
_N_FFT = 8192
_FREQUENCIES = np.fft.rfftfreq(_N_FFT, 1.0 / SAMPLING_RATE)
COARSE = np.geomspace(0.2, 50.0, 48)
# Recordings come with their response removed above this frequency (2nd-order Butterworth).
_HIGH_PASS = 0.5
_BAND = (_FREQUENCIES / _HIGH_PASS) ** 2 / np.sqrt(1.0 + (_FREQUENCIES / _HIGH_PASS) ** 4)

# Standard deviation of what makes P incline, a record's own.
RECORD_SIGMA = 0.3
# Ground noise as a fraction of the way from the low to the high noise model: mean, and standard
# deviations between stations and between the components of a record.
NOISE_LEVEL, STATION_NOISE_SIGMA, RECORD_NOISE_SIGMA = 0.38, 0.1, 0.05
# What a relative change of P slowness along the path, and a delay of P under a station, are for S.
S_SLOWNESS_RATIO = 1.3
S_DELAY_RATIO = 2.0


def simulate_records(
    scenario: pd.DataFrame, seed: int = 0
) -> tuple[NDArray[np.float32], pd.DataFrame]:
    """Simulate one seismogram for every row of a scenario table.

    Parameters
    ----------
    scenario : pandas.DataFrame
        Scenario table; records of one ``source_id`` share its stress drop and event term.
    seed : int
        Same seed, event and station: same samples, whatever the other rows.

    Returns
    -------
    waveforms : numpy.ndarray
        Velocity in m/s, shape (record, component Z N E, sample), 100 Hz, from 5 s before origin.
    metadata : pandas.DataFrame
        The scenario with ``source_stress_drop_pa``, ``source_event_term``, the exact
        ``trace_p_arrival_sample`` and ``trace_s_arrival_sample``, and ``trace_snr_db``.
    """
    table = check_scenario(scenario)
    scatter = bay_area_scatter()
    stations = _station_names(table)
    points = local_km(table["station_latitude_deg"], table["station_longitude_deg"], CENTRE)
    ln_stress, event_term = np.empty((2, len(table)))
    record_terms = np.empty((2, len(table), len(COARSE)))
    for name, rows in table.groupby("source_id", sort=False).indices.items():
        ln_stress[rows], event_term[rows] = scatter.event_terms(seed, str(name))
        codes = [stations[row] for row in rows]
        record_terms[:, rows] = scatter.record_terms(seed, str(name), codes, points[rows], COARSE)
    region = spectra.bay_area()
    median = region.median_stress_drop(table["source_magnitude"], table["source_depth_km"])
    stress_drop = median * np.exp(ln_stress)
    table["source_stress_drop_pa"] = stress_drop
    table["source_event_term"] = event_term
    p_time, s_time = true_arrival_times(table)
    table["trace_p_arrival_sample"] = SAMPLING_RATE * (p_time - START_OFFSET)
    table["trace_s_arrival_sample"] = SAMPLING_RATE * (s_time - START_OFFSET)
    ln_p, ln_s = (
        event_term[:, None] + terms + spectra.ln_spectrum(table, COARSE, stress_drop, wave)
        for wave, terms in zip((spectra.P, spectra.S), record_terms, strict=True)
    )
    corners = region.corner_frequency(table["source_magnitude"], stress_drop)
    waveforms = draw_waveforms(table, ln_p, ln_s, corners, seed)
    onsets = p_time - START_OFFSET
    snr = [_snr_db(record, start) for record, start in zip(waveforms, onsets, strict=True)]
    return waveforms, table.assign(trace_snr_db=snr)


def draw_waveforms(
    table: pd.DataFrame, ln_p: Floats, ln_s: Floats, corners: Floats, seed: int = 0
) -> NDArray[np.float32]:
    """Draw records with given spectra of P and S.

    Parameters
    ----------
    table : pandas.DataFrame
        Scenario table with the samples of P and S.
    ln_p, ln_s : numpy.ndarray
        ln FAS at `COARSE`, m/s x s, (record, frequency).
    corners : numpy.ndarray
        Corner frequencies of S, Hz, (record,); the inverse is the duration of the source.
    seed : int
        Of all that is drawn.

    Returns
    -------
    numpy.ndarray
        Velocity in m/s, shape (record, component Z N E, sample).
    """
    waveforms = np.empty((len(table), 3, N_SAMPLES), dtype=np.float32)
    p_start = table["trace_p_arrival_sample"].to_numpy(float) / SAMPLING_RATE
    s_start = table["trace_s_arrival_sample"].to_numpy(float) / SAMPLING_RATE
    durations = 1.0 / np.asarray(corners, float)
    distances = table["path_hyp_distance_km"].to_numpy(float)
    azimuths = np.radians(table["path_azimuth_deg"].to_numpy(float))
    stations = _station_names(table)
    for i, (source_id, station) in enumerate(zip(table["source_id"], stations, strict=True)):
        rng = generator(seed, "record", str(source_id), station)
        signal = _signal(
            rng,
            ln_p[i],
            ln_s[i],
            p_start[i],
            s_start[i],
            durations[i],
            distances[i],
            azimuths[i],
        )
        waveforms[i] = signal + _noise(rng, station)
    return waveforms


def true_arrival_times(table: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return the P and S times (s after origin) of a scenario table: 1-D model + lateral field."""
    p_time, s_time = bay_area_travel_times().at(
        table["source_depth_km"].to_numpy(float), table["path_ep_distance_km"].to_numpy(float)
    )
    slowness, delay = true_fields().delays(
        table["source_latitude_deg"],
        table["source_longitude_deg"],
        table["station_latitude_deg"],
        table["station_longitude_deg"],
    )
    p_true = p_time * (1.0 + slowness) + delay
    s_true = s_time * (1.0 + S_SLOWNESS_RATIO * slowness) + S_DELAY_RATIO * delay
    return p_true, s_true


def _station_names(table: pd.DataFrame) -> list[str]:
    """Return network.station.location codes; location 00 may come back from a file as 0."""
    columns = ["station_network_code", "station_code", "station_location_code"]
    codes = table[columns].astype(str)
    return [f"{network}.{code}.{location:0>2}" for network, code, location in codes.to_numpy()]


def _signal(
    rng: np.random.Generator,
    ln_p: Floats,
    ln_s: Floats,
    p_start: float,
    s_start: float,
    duration: float,
    distance: float,
    azimuth: float,
) -> Floats:
    """Return P and S and their codas.

    Parameters
    ----------
    rng : numpy.random.Generator
        The record's generator.
    ln_p, ln_s : numpy.ndarray
        ln FAS of P and S at `COARSE`.
    p_start, s_start : float
        Onsets, s after the trace's start.
    duration : float
        Of the source, s.
    distance, azimuth : float
        Hypocentral distance, km; direction to the station, radians clockwise from north.

    Returns
    -------
    numpy.ndarray
        Shape (3, sample), m/s.
    """
    steepness = RECORD_SIGMA * rng.standard_normal()
    # P moves the ground up or down and along the ray; S in any direction across it, with a mean
    # power of 1 on each horizontal component.
    angle = rng.uniform(0.0, 2.0 * np.pi)
    polarity = rng.choice([-1.0, 1.0])
    radial = 0.4 + 0.2 * steepness
    p_axis = polarity * np.array([1.0, radial * np.cos(azimuth), radial * np.sin(azimuth)])
    s_axis = np.array(
        [0.35 * np.sign(np.cos(angle)), 2**0.5 * np.cos(angle), 2**0.5 * np.sin(angle)]
    )
    # The source and the scatterers of the path lengthen a pulse.
    scatter = 0.15 + 0.3 * duration + 0.03 * distance
    s_minus_p = s_start - p_start
    p_train = _Train(
        axis=p_axis,
        components=np.array([1.0, 0.75, 0.75]),
        shares=(0.12, 0.25, 0.63),
        scatter=0.5 * scatter,
        coda=s_minus_p,
        fade=s_minus_p,
        coda_corner=14.0,
    ).draw(rng, p_start)
    s_train = _Train(
        axis=s_axis,
        components=np.array([0.6, 1.0, 1.0]),
        shares=(0.12, 0.38, 0.5),
        scatter=scatter,
        coda=0.5 * s_start,
        fade=np.inf,
        coda_corner=6.0,
    ).draw(rng, s_start)
    p = _pulse(ln_p, p_start) * np.fft.rfft(p_train, _N_FFT)
    s = _pulse(ln_s, s_start) * np.fft.rfft(s_train, _N_FFT)
    return np.fft.irfft(p + s, _N_FFT)[:, :N_SAMPLES]


@dataclass(frozen=True)
class _Train:
    """The arrivals of one wave on Z, N and E.

    Their mean power spectrum on a component of weight 1 is 1 (of the coda: below its corner), in
    three shares: the direct arrival, polarised along an axis; those scattered near the ray, with
    an exponential decay and half as much polarised; and the coda.

    Parameters
    ----------
    axis : numpy.ndarray
        Amplitudes of the direct arrival, shape (3,).
    components : numpy.ndarray
        Weights of the scattered arrivals, shape (3,).
    shares : tuple of float
        Of the power: direct, scattered, coda.
    scatter, coda, fade : float
        Decay of the scattered arrivals; the coda's amplitude falls as (1 + t / coda)^-1.5 and
        faster after ``fade``; s.
    coda_corner : float
        The coda loses the frequencies above this on its longer paths, Hz.
    """

    axis: Floats
    components: Floats
    shares: tuple[float, float, float]
    scatter: float
    coda: float
    fade: float
    coda_corner: float

    def draw(self, rng: np.random.Generator, start: float) -> Floats:
        """Draw the arrivals from an onset ``start`` s into the trace on; shape (3, sample)."""
        delay = np.arange(N_SAMPLES - int(start * SAMPLING_RATE)) / SAMPLING_RATE
        near = np.exp(-delay / self.scatter)
        tail = (1.0 + delay / self.coda) ** -1.5
        tail *= np.exp(-np.maximum(delay - self.fade, 0.0) / self.coda)
        near *= np.sqrt(self.shares[1] / np.sum(near**2))
        tail *= np.sqrt(self.shares[2] / np.sum(tail**2))
        along, across, late = rng.standard_normal((3, 3, len(delay)))
        pole = np.exp(-2.0 * np.pi * self.coda_corner / SAMPLING_RATE)
        late = lfilter([1.0 - pole], [1.0, -pole], late)
        train = self.components[:, None] * (near * 0.5**0.5 * across + tail * late)
        train += self.axis[:, None] * near * 0.5**0.5 * along[0]
        train[:, 0] += self.axis * self.shares[0] ** 0.5
        return train


def _pulse(ln_amplitude: Floats, start: float) -> NDArray[np.complex128]:
    """Return the minimum-phase spectrum of a log FAS (at `COARSE`), delayed to ``start``.

    The phase is minus the Hilbert transform of the log amplitude, by the folded cepstrum
    (Oppenheim & Schafer 1989, chapter 12).
    """
    ln_full = np.interp(np.log(np.maximum(_FREQUENCIES, COARSE[0])), np.log(COARSE), ln_amplitude)
    ln_full += np.log(np.maximum(_BAND, 1e-3) * SAMPLING_RATE)
    cepstrum = np.fft.irfft(np.maximum(ln_full, ln_full.max() - 18.0))
    cepstrum[1 : _N_FFT // 2] *= 2.0
    cepstrum[_N_FFT // 2 + 1 :] = 0.0
    return np.exp(np.fft.rfft(cepstrum) - 2j * np.pi * _FREQUENCIES * start)


def _noise(rng: np.random.Generator, station: str) -> Floats:
    """Return ground noise, (3, sample), between Peterson's (1993) low and high noise models."""
    base = generator(REGION_SEED, "noise", station).normal(NOISE_LEVEL, STATION_NOISE_SIGMA)
    level = np.clip(base + rng.normal(0.0, RECORD_NOISE_SIGMA, (3, 1)), 0.1, 0.9)
    db = (1.0 - level) * _LOW_NOISE + level * _HIGH_NOISE
    white = np.fft.rfft(rng.standard_normal((3, _N_FFT)))
    velocity = 10.0 ** (db / 20.0) / (2.0 * np.pi * np.maximum(_FREQUENCIES, 0.01))
    shaped = white * velocity * _BAND * np.sqrt(SAMPLING_RATE / 2.0)
    return np.fft.irfft(shaped, _N_FFT)[:, :N_SAMPLES]


def _peterson(model: tuple[Floats, Floats]) -> Floats:
    """Interpolate a noise model (period, dB of acceleration power) to the FFT's frequencies."""
    period, db = model
    order = np.argsort(-period)
    return np.interp(np.log(np.maximum(_FREQUENCIES, 0.01)), -np.log(period[order]), db[order])


_LOW_NOISE, _HIGH_NOISE = _peterson(get_nlnm()), _peterson(get_nhnm())


def _snr_db(record: NDArray[np.float32], p_start: float) -> float:
    """Return the power of the 2 s from P over that of the noise before it, in dB."""
    p = int(p_start * SAMPLING_RATE)
    noise = record[:, : p - 10].astype(float)
    signal = record[:, p : p + int(2.0 * SAMPLING_RATE)].astype(float)
    return float(10.0 * np.log10(np.mean(signal**2) / np.mean(noise**2)))
