"""Seismograms with given Fourier spectra: direct pulses, codas and noise on three components.

Each wave is the minimum-phase pulse of its spectrum, so that there is no motion before the onset,
convolved with a series of arrivals: the direct arrival, scattered arrivals and the coda.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from obspy.signal.spectral_estimation import get_nhnm, get_nlnm
from scipy.fft import irfft, rfft, rfftfreq
from scipy.signal import butter, lfilter, sosfilt

from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.geography import local_km
from cgmgm_seis.scenario.seeding import random_generator
from cgmgm_seis.scenario.table import check_scenario
from cgmgm_seis.scenario.travel_times import bay_area_travel_times
from cgmgm_seis.simulator import spectra
from cgmgm_seis.simulator.random_field import REGION_SEED, RandomField
from cgmgm_seis.simulator.region import true_fields
from cgmgm_seis.simulator.scatter import bay_area_scatter
from cgmgm_seis.simulator.sites import CENTRE

SAMPLING_RATE = 100.0
N_SAMPLES = 6000
START_OFFSET = -5.0  # s relative to the origin time
_N_FFT = 8192
_FREQUENCIES = rfftfreq(_N_FFT, 1.0 / SAMPLING_RATE)
COARSE = np.geomspace(0.1, 50.0, 54)
# The response of recordings is removed above this frequency (2nd-order Butterworth), Hz.
_HIGH_PASS = 0.15
_BAND = (_FREQUENCIES / _HIGH_PASS) ** 2 / np.sqrt(1.0 + (_FREQUENCIES / _HIGH_PASS) ** 4)
# What all pulses share: the places of the frequencies among those of `COARSE`, and the ln band.
_LN_FREQUENCIES, _LN_COARSE = np.log(np.maximum(_FREQUENCIES, COARSE[0])), np.log(COARSE)
_LN_BAND = np.log(np.maximum(_BAND, 1e-3) * SAMPLING_RATE)

# Standard deviations of the vertical relative to the horizontals: between stations (smooth over
# frequency) and between the records of a station.
VERTICAL_SITE_SIGMA, VERTICAL_RECORD_SIGMA = 0.3, 0.25
# Ground noise as a fraction of the way from the low to the high noise model: mean, and standard
# deviations between stations and between the components of a record.
NOISE_LEVEL, STATION_NOISE_SIGMA, RECORD_NOISE_SIGMA = 0.38, 0.1, 0.05
# Fractions of the power of S: the direct arrival, which decreases with distance by scattering, and
# the coda. The rest is scattered near the ray.
S_DIRECT, S_DIRECT_LENGTH = 0.15, 40.0  # -, km
S_CODA = 0.21
P_SHARES = (0.05, 0.5, 0.2)
# Decay time of arrivals scattered near the ray: SCATTER_TIME R^SCATTER_EXPONENT, with an ln
# standard deviation between records, and longer for longer sources; together with the fractions
# above fitted to the significant durations of Afshari & Stewart (2016). Their rise time is
# RISE_TIME R, so that onsets become more emergent with distance.
SCATTER_TIME, SCATTER_EXPONENT, SCATTER_SIGMA = 1.1, 0.4, 0.35  # s with R in km
SCATTER_PER_SOURCE_DURATION = 0.1
RISE_TIME = 0.005  # s/km
# Time scale of the coda as a fraction of the travel time of S.
S_CODA_TIME = 0.6
# Ratio of radial to vertical motion of direct P, and its standard deviation.
P_RADIAL, P_RADIAL_SIGMA = 0.5, 0.06
# Amplitude ratios: scattered P on the horizontals to the vertical, and scattered S on the vertical.
P_HORIZONTAL, S_VERTICAL = 1.45, 0.68
# P on the horizontals is converted to S below the station, which is attenuated more strongly.
CONVERSION_KAPPA = 0.016  # s
# Ratios of S to P: relative change of slowness along the path, and delay below a station.
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
        Random seed.  Samples depend on seed, event and station, but not on the other rows.

    Returns
    -------
    waveforms : numpy.ndarray
        Velocity in m/s, shape (record, component Z N E, sample), 100 Hz, starting 5 s before the
        origin time.
    metadata : pandas.DataFrame
        The scenario with ``source_stress_drop_pa``, ``source_event_term``, the exact
        ``trace_p_arrival_sample`` and ``trace_s_arrival_sample``, and ``trace_snr_db``.
    """
    waveforms, table = simulate_waveforms(scenario, seed)
    onsets = table["trace_p_arrival_sample"] / SAMPLING_RATE
    snr = [_snr_db(record, start) for record, start in zip(waveforms, onsets, strict=True)]
    return waveforms, table.assign(trace_snr_db=snr)


def simulate_waveforms(
    scenario: pd.DataFrame, seed: int = 0
) -> tuple[NDArray[np.float32], pd.DataFrame]:
    """Return what `simulate_records` does, without ``trace_snr_db``."""
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
    return draw_waveforms(table, ln_p, ln_s, corners, seed), table


def draw_waveforms(
    table: pd.DataFrame, ln_p: Floats, ln_s: Floats, corners: Floats, seed: int = 0
) -> NDArray[np.float32]:
    """Draw random records with given spectra of P and S.

    Parameters
    ----------
    table : pandas.DataFrame
        Scenario table with the samples of P and S.
    ln_p, ln_s : numpy.ndarray
        ln FAS at `COARSE`, m/s x s, (record, frequency).
    corners : numpy.ndarray
        Corner frequencies of S, Hz, (record,); their inverse is the source duration.
    seed : int
        Random seed.

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
        rng = random_generator(seed, "record", str(source_id), station)
        signal = _signal(
            rng,
            ln_p[i],
            ln_s[i],
            p_start[i],
            s_start[i],
            durations[i],
            distances[i],
            azimuths[i],
            _vertical(station),
        )
        waveforms[i] = signal + _noise(rng, station)
    return waveforms


def true_arrival_times(table: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return P and S times (s after the origin time): 1-D model plus lateral variations."""
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
    """Return network.station.location codes; location 00 may have been read from a file as 0."""
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
    vertical: Floats,
) -> Floats:
    """Return P and S waves with their codas.

    Parameters
    ----------
    rng : numpy.random.Generator
        Random generator of the record.
    ln_p, ln_s : numpy.ndarray
        ln FAS of P and S at `COARSE`.
    p_start, s_start : float
        Onsets, s after the start of the trace.
    duration : float
        Duration of the source, s.
    distance, azimuth : float
        Hypocentral distance, km; azimuth of the station, radians clockwise from north.
    vertical : numpy.ndarray
        ln amplification of the vertical component below the station at `COARSE`.

    Returns
    -------
    numpy.ndarray
        Shape (3, sample), m/s.
    """
    steepness, scattering, p_vertical, s_vertical = rng.standard_normal(4)
    # P is polarised along the ray, with either sign; S is polarised in a random direction across
    # it, with a mean power of 1 on each horizontal component.
    angle = rng.uniform(0.0, 2.0 * np.pi)
    polarity = rng.choice([-1.0, 1.0])
    radial = P_RADIAL + P_RADIAL_SIGMA * steepness
    p_axis = polarity * np.array([1.0, radial * np.cos(azimuth), radial * np.sin(azimuth)])
    s_axis = np.array(
        [0.35 * np.sign(np.cos(angle)), 2**0.5 * np.cos(angle), 2**0.5 * np.sin(angle)]
    )
    # Source duration and scattering along the path lengthen a pulse and make its onset emergent.
    scatter = SCATTER_TIME * distance**SCATTER_EXPONENT * np.exp(SCATTER_SIGMA * scattering)
    scatter += SCATTER_PER_SOURCE_DURATION * duration
    rise = RISE_TIME * distance
    direct = S_DIRECT * np.exp(-distance / S_DIRECT_LENGTH)
    s_minus_p = s_start - p_start
    p_train = _Train(
        axis=p_axis,
        components=np.array([1.0, P_HORIZONTAL, P_HORIZONTAL]),
        shares=P_SHARES,
        rise=rise,
        scatter=scatter,
        coda=s_minus_p,
        fade=s_minus_p,
        corners=(30.0, 14.0),
    ).draw(rng, p_start)
    s_train = _Train(
        axis=s_axis,
        components=np.array([S_VERTICAL, 1.0, 1.0]),
        shares=(direct, 1.0 - S_CODA - direct, S_CODA),
        rise=rise,
        scatter=scatter,
        coda=S_CODA_TIME * s_start,
        fade=np.inf,
        corners=(28.0, 10.0),
    ).draw(rng, s_start)
    spectrum = np.zeros((3, _N_FFT // 2 + 1), complex)
    p_loss = np.pi * CONVERSION_KAPPA * COARSE
    for train, ln_level, loss, start, term in (
        (p_train, ln_p, p_loss, p_start, p_vertical),
        (s_train, ln_s, 0.0, s_start, s_vertical),
    ):
        arrivals = rfft(train, _N_FFT)
        spectrum[0] += (
            _pulse(ln_level + vertical + VERTICAL_RECORD_SIGMA * term, start) * arrivals[0]
        )
        spectrum[1:] += _pulse(ln_level - loss, start) * arrivals[1:]
    return irfft(spectrum, _N_FFT)[:, :N_SAMPLES]


@cache
def _vertical(station: str) -> Floats:
    """Return the ln amplification of the vertical component below a station at `COARSE`."""
    term = RandomField(f"vertical {station}", VERTICAL_SITE_SIGMA, (1.0,))
    return term(_LN_COARSE[:, None])


@dataclass(frozen=True)
class _Train:
    """The series of arrivals of one wave on Z, N and E.

    Below the corner frequencies, the mean power spectrum on a component of weight 1 is the sum of
    three parts: the direct arrival, polarised along an axis; arrivals scattered near the ray, with
    an exponential decay and half of their power polarised; and the coda.

    Parameters
    ----------
    axis : numpy.ndarray
        Amplitudes of the direct arrival, shape (3,).
    components : numpy.ndarray
        Weights of the scattered arrivals, shape (3,).
    shares : tuple of float
        Fractions of the power: direct, scattered, coda.
    rise, scatter, coda, fade : float
        Rise and decay times of the scattered arrivals; the amplitude of the coda decreases as
        (1 + t / coda)^-1.5, and faster after ``fade``; s.
    corners : tuple of float
        Corner frequencies above which the scattered arrivals and the coda are attenuated on
        their longer paths, Hz.
    """

    axis: Floats
    components: Floats
    shares: tuple[float, float, float]
    rise: float
    scatter: float
    coda: float
    fade: float
    corners: tuple[float, float]

    def draw(self, rng: np.random.Generator, start: float) -> Floats:
        """Draw arrivals from an onset at ``start`` (s) to the end of the trace, (3, sample)."""
        delay = np.arange(N_SAMPLES - int(start * SAMPLING_RATE)) / SAMPLING_RATE
        near = np.exp(-delay / self.scatter)
        near *= np.expm1((delay + 1.0 / SAMPLING_RATE) / -self.rise)
        # The power -1.5 of these times, without a logarithm.
        times = 1.0 + delay / self.coda
        tail = 1.0 / (times * np.sqrt(times))
        fading = delay > self.fade
        tail[fading] *= np.exp((self.fade - delay[fading]) / self.coda)
        near *= -np.sqrt(0.5 * self.shares[1] / (near @ near))
        tail *= np.sqrt(self.shares[2] / (tail @ tail))
        late, along, across = rng.standard_normal((3, 3, len(delay)))
        poles = np.exp(-2.0 * np.pi * np.array(self.corners) / SAMPLING_RATE)
        train = tail * lfilter([1.0 - poles[1]], [1.0, -poles[1]], late)
        # What is polarised along the axis is one series.
        scattered = np.vstack([across, along[:1]])
        scattered = near * lfilter([1.0 - poles[0]], [1.0, -poles[0]], scattered)
        train += scattered[:3]
        train *= self.components[:, None]
        train += self.axis[:, None] * scattered[3]
        train[:, 0] += self.axis * self.shares[0] ** 0.5
        return train


def _pulse(ln_amplitude: Floats, start: float) -> NDArray[np.complex128]:
    """Return the minimum-phase spectrum of a log FAS (at `COARSE`), delayed to ``start``.

    The phase is minus the Hilbert transform of the log amplitude, computed by the folded cepstrum
    (Oppenheim & Schafer 1989, chapter 12).
    """
    ln_full = np.interp(_LN_FREQUENCIES, _LN_COARSE, ln_amplitude) + _LN_BAND
    cepstrum = irfft(np.maximum(ln_full, ln_full.max() - 18.0))
    cepstrum[1 : _N_FFT // 2] *= 2.0
    cepstrum[_N_FFT // 2 + 1 :] = 0.0
    return np.exp(rfft(cepstrum) - 2j * np.pi * _FREQUENCIES * start)


def _noise(rng: np.random.Generator, station: str) -> NDArray[Any]:
    """Return ground noise, (3, sample), between Peterson's (1993) low and high noise models."""
    base = random_generator(REGION_SEED, "noise", station).normal(NOISE_LEVEL, STATION_NOISE_SIGMA)
    level = np.clip(base + rng.normal(0.0, RECORD_NOISE_SIGMA, (3, 1)), 0.1, 0.9)
    db = _LOW_NOISE + level.astype(np.float32) * _NOISE_RANGE
    # Single precision is enough for noise, unlike for a signal that begins as quiet as the noise.
    white = rfft(rng.standard_normal((3, _N_FFT)).astype(np.float32))
    white *= np.exp(db * np.float32(np.log(10.0) / 20.0))
    white *= _NOISE_BAND
    return irfft(white, _N_FFT)[:, :N_SAMPLES]


def _peterson(model: tuple[Floats, Floats]) -> NDArray[np.float32]:
    """Interpolate a noise model (period, dB of acceleration power) to the FFT frequencies."""
    period, db = model
    order = np.argsort(-period)
    ln_frequencies = np.log(np.maximum(_FREQUENCIES, 0.01))
    return np.interp(ln_frequencies, -np.log(period[order]), db[order]).astype(np.float32)


_LOW_NOISE = _peterson(get_nlnm())
_NOISE_RANGE = _peterson(get_nhnm()) - _LOW_NOISE
# From acceleration to the spectrum of velocity in the band.
_NOISE_BAND = np.float32(
    _BAND * np.sqrt(SAMPLING_RATE / 2.0) / (2.0 * np.pi * np.maximum(_FREQUENCIES, 0.01))
)


# The signal-to-noise ratio is measured above the frequencies of microseisms.
_SNR_BAND = butter(2, 1.0, "highpass", fs=SAMPLING_RATE, output="sos")
_SNR_MARGIN = int(SAMPLING_RATE)  # samples affected by the start of the filter


def _snr_db(record: NDArray[np.float32], p_start: float) -> float:
    """Return the ratio in dB of the power above 1 Hz of 2 s from P to that of the noise before."""
    p = int(p_start * SAMPLING_RATE)
    filtered = sosfilt(_SNR_BAND, record - record[:, :1].astype(float))
    noise = filtered[:, _SNR_MARGIN : p - 10]
    signal = filtered[:, p : p + int(2.0 * SAMPLING_RATE)]
    return float(10.0 * np.log10(np.mean(signal**2) / np.mean(noise**2)))
