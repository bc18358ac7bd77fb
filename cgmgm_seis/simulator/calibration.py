"""Calibrate the simulated Bay Area on recorded amplitudes: regularised maximum likelihood.

A recorded measure (PGA, PGV, PSA; ln units) differs from the median of the simulator by what its
event, its station and its path do to the Fourier spectrum, seen through the measure:

    y_rm = y0_rm + sum_k J_rmk (dmedian_k + event_k + station_k) + path_rm

at nodes k of frequency.  The simulator itself gives the median y0 and the sensitivity J, with its
own durations, P waves and codas, so no random vibration theory stands between them (the relation is
linearised where it is, and again after every step).  Medians are a function of few coefficients
(`cgmgm_seis.simulator.spectra.Coefficients`) with Gaussian priors; terms are random effects
(Abrahamson & Youngs 1992); what paths do correlates between the stations of an event.  Variances
follow by expectation maximisation (Dempster et al. 1977).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cholesky, solve_triangular

from cgmgm_seis.measures.intensity import acceleration, smoothed_fas
from cgmgm_seis.measures.response_spectra import rotd50, rotd50_psa
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

Floats = NDArray[np.float64]
Measure = Callable[[NDArray[Any]], Floats]

# Nodes of frequency of terms, Hz.
NODES = np.array([0.2, 0.35, 0.6, 1.0, 1.6, 2.5, 4.0, 6.3, 10.0, 16.0, 25.0])
# Periods of PSA, s; the measures are PGA (m/s2), PGV (m/s) and these (m/s2).
PERIODS = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0)
MEASURES = ("PGA", "PGV", *(f"PSA {period:g} s" for period in PERIODS))
# Hz of the Fourier amplitudes that small earthquakes are compared at.
SMALL_HZ = (5.0, 10.0)
_STEP = 0.1  # ln units by which spectra are changed to find sensitivities
_BLOCK = 100  # records simulated at once


class AverageRegion:
    """The region without spatial terms, as `spectra.ln_spectrum` takes its fields."""

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
    """Return ln of `MEASURES` of records (record, ZNE, sample), RotD50: (record, measure)."""
    horizontals = waveforms[:, 1:].astype(float)
    pga, pgv = rotd50(acceleration(horizontals, SAMPLING_RATE)), rotd50(horizontals)
    psa = rotd50_psa(horizontals, SAMPLING_RATE, PERIODS)
    return np.log(np.column_stack([pga, pgv, psa]))


def ln_small(waveforms: NDArray[Any]) -> Floats:
    """Return ln FAS of horizontals at `SMALL_HZ`, the mean of both: (record, frequency)."""
    fas = smoothed_fas(waveforms[:, 1:], SAMPLING_RATE, SMALL_HZ)
    return np.asarray(np.log(fas).mean(axis=1))


def simulated(
    scenario: pd.DataFrame, coefficients: Coefficients, terms: Floats, seed: int = 0
) -> NDArray[np.float32]:
    """Simulate records of median spectra.

    Parameters
    ----------
    scenario : pandas.DataFrame
        Scenario table with paths.
    coefficients : Coefficients
        Of the median spectrum.
    terms : numpy.ndarray
        ln units added to the spectra at `NODES`, (record, node).
    seed : int
        Of the phases.

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
    """What the simulator makes of scenarios, and how it changes with their spectra.

    Parameters
    ----------
    median : numpy.ndarray
        Mean of ln measures over realizations, (record, measure).
    sensitivity : numpy.ndarray
        Of ln measures to ln FAS at `NODES`, (record, measure, node).
    intrinsic : numpy.ndarray
        Covariance (measure, measure) of realizations of one scenario.
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
    """Simulate records of given median spectra and find their measures' sensitivities.

    Parameters
    ----------
    scenario : pandas.DataFrame
        Scenario table with paths.
    coefficients : Coefficients
        Of the median spectrum.
    terms : numpy.ndarray
        ln units added to the spectra at `NODES`, (record, node).
    measure : callable
        From waveforms to ln measures, (record, measure).
    n_realizations, seed : int
        Of the simulated records.
    every : int
        Sensitivities are those of every so manieth record, one realization each, averaged over
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
    """Return ln measures (realization, record, measure) and sensitivities of some records."""
    scenario, terms, coefficients, measure, n_realizations, every, seed = job
    drawn = [simulated(scenario, coefficients, terms, seed + k) for k in range(n_realizations)]
    values = np.stack([measure(waveforms) for waveforms in drawn])
    hats = node_weights(np.fft.rfftfreq(N_SAMPLES, 1.0 / SAMPLING_RATE))
    spectrum = np.fft.rfft(drawn[0][::every])
    changed = [measure(np.fft.irfft(spectrum * np.exp(_STEP * hat), N_SAMPLES)) for hat in hats]
    return values, (np.stack(changed, axis=-1) - values[0][::every][..., None]) / _STEP


def _similarity(first: pd.DataFrame, second: pd.DataFrame) -> Floats:
    """Return weights (first, second) that fall with differences of magnitude and ln distance."""
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
    """Return the weights (node, frequency) that interpolate from `NODES`, linear in ln f."""
    ln_f = np.log(np.maximum(np.asarray(frequencies, float), 1e-3))
    return np.stack([np.interp(ln_f, np.log(NODES), row) for row in np.eye(len(NODES))])


# ---- coefficients as a vector --------------------------------------------------------------

# Prior means and standard deviations of what describes the median spectrum, where physics and
# other regions tell something; stress drops in ln Pa.  Amplification is smooth instead.
PRIORS: dict[str, tuple[ArrayLike, ArrayLike]] = {
    "small_magnitude": (0.25, 0.15),
    "ln_stress_drops": (np.log([0.3e6, 1.0e6, 4.0e6, 6.0e6, 8.0e6]), 1.0),
    "ln_corner_ratios": ([0.0, 0.0, 0.0, 0.4, 0.8], [0.1, 0.1, 0.2, 0.3, 0.3]),
    "stress_drop_per_km": (0.03, 0.03),
    "spreading": ([1.2, 0.5], [0.3, 0.3]),
    "ln_q0": (np.log(100.0), 0.4),
    "q_exponent": (0.7, 0.15),
    "kappa": (0.025, 0.01),
    "kappa_per_km": (0.0, 0.001),
}
# ln A(f): prior mean and standard deviation, and that of its second differences from node to node.
AMPLIFICATION, AMPLIFICATION_SIGMA, AMPLIFICATION_BEND = 2.0, 2.0, 0.15
_DIFFERENCE = 1e-4


def to_vector(c: Coefficients) -> Floats:
    """Return the coefficients that are fitted as one vector, in the order of `PRIORS`."""
    parts = (
        *(
            c.small_magnitude,
            c.ln_stress_drops,
            c.ln_corner_ratios,
            c.stress_drop_per_km,
            c.spreading,
            np.log(c.q0),
            c.q_exponent,
        ),
        *(c.kappa, c.kappa_per_km, c.amplification),
    )
    return np.concatenate([np.atleast_1d(np.asarray(part, float)) for part in parts])


def from_vector(vector: Floats, like: Coefficients) -> Coefficients:
    """Return coefficients for a vector of `to_vector`; nodes are those of `like`."""
    n = len(like.magnitudes)
    *parts, amplification = np.split(vector, np.cumsum([1, n, n, 1, 2, 1, 1, 1, 1]))
    small, stress, ratios, per_km, spreading, ln_q0, exponent, kappa, kappa_per_km = parts
    near, far = spreading.tolist()
    return replace(
        like,
        small_magnitude=float(small[0]),
        ln_stress_drops=tuple(stress.tolist()),
        ln_corner_ratios=tuple(ratios.tolist()),
        stress_drop_per_km=float(per_km[0]),
        spreading=(near, far),
        q0=float(np.exp(ln_q0[0])),
        q_exponent=float(exponent[0]),
        kappa=float(kappa[0]),
        kappa_per_km=float(kappa_per_km[0]),
        amplification=tuple(amplification.tolist()),
    )


def prior(n_amplification: int) -> tuple[Floats, Floats]:
    """Return the mean (coefficient,) and the precision of the coefficients' prior."""
    pairs = [np.broadcast_arrays(np.atleast_1d(mean), sd) for mean, sd in PRIORS.values()]
    means = [mean for mean, _ in pairs] + [np.full(n_amplification, AMPLIFICATION)]
    sds = [sd for _, sd in pairs] + [np.full(n_amplification, AMPLIFICATION_SIGMA)]
    precision = np.diag(np.concatenate(sds).astype(float) ** -2)
    bends = np.diff(np.eye(n_amplification), n=2, axis=0) / AMPLIFICATION_BEND
    precision[-n_amplification:, -n_amplification:] += bends.T @ bends
    return np.concatenate(means).astype(float), precision


def spectrum_gradient(scenario: pd.DataFrame, c: Coefficients) -> tuple[Floats, Floats]:
    """Return how the median ln spectrum of S at `NODES` changes.

    Returns
    -------
    tuple of numpy.ndarray
        With the coefficients, (record, node, coefficient), and with the ln stress drop of the
        event alone, (record, node).
    """

    def spectrum(coefficients: Coefficients, stress: Floats | None = None) -> Floats:
        return spectra.ln_spectrum(scenario, NODES, stress, spectra.S, AVERAGE, coefficients)

    vector, base = to_vector(c), spectrum(c)
    columns = [
        (spectrum(from_vector(vector + _DIFFERENCE * row, c)) - base) / _DIFFERENCE
        for row in np.eye(len(vector))
    ]
    stress = c.median_stress_drop(scenario["source_magnitude"], scenario["source_depth_km"])
    by_stress = (spectrum(c, stress * np.exp(_DIFFERENCE)) - base) / _DIFFERENCE
    return np.stack(columns, axis=-1), by_stress


# ---- the mixed model -----------------------------------------------------------------------


@dataclass(frozen=True)
class Recordings:
    """Recorded measures and what the simulator makes of their scenarios.

    Parameters
    ----------
    scenario : pandas.DataFrame
        Scenario table.
    observed : numpy.ndarray
        ln measures, (record, measure); NaN where there is none.
    linearisation : Linearisation
        About the coefficients and site terms of the fit's start.
    event, station : numpy.ndarray
        Numbers from 0 on, (record,).
    points_km : numpy.ndarray
        Places of the stations, (record, 2).
    """

    scenario: pd.DataFrame
    observed: Floats
    linearisation: Linearisation
    event: NDArray[np.intp]
    station: NDArray[np.intp]
    points_km: Floats


@dataclass(frozen=True)
class Anchors:
    """Measures of scenarios without recordings, from published models: ln values and their sd."""

    scenario: pd.DataFrame
    expected: Floats
    linearisation: Linearisation
    sd: float


@dataclass(frozen=True)
class Variances:
    """Variances and covariances of the random effects, ln units squared.

    Parameters
    ----------
    event, stress_drop, station : float
        Of the amplitude and the ln stress drop of an event, and of a station's term at one node
        of frequency besides the published one.
    path : numpy.ndarray
        Of what is left of a record, (measure, measure).
    shared, length_km : float
        Its correlation between stations of an event at a distance: shared exp(-distance / length).
    """

    event: float = 0.05
    stress_drop: float = 0.4
    station: float = 0.08
    path: Floats = field(default_factory=lambda: 0.09 * np.eye(len(MEASURES)) + 0.19)
    shared: float = 0.7
    length_km: float = 14.0


# Terms of a station, and of an event besides amplitude and stress drop, over ln f.
STATION_LN_F, EVENT_LN_F, EVENT_SHAPE_SIGMA = 1.0, 1.0, 0.2
# What is believed of the scatter between events before: standard deviations of amplitude and ln
# stress drop, and for how many events that counts.  With the shapes they give 0.4, as recorded at
# most periods; thirty events tell it to no more than 15 %.
EVENT_SIGMA, STRESS_SIGMA, EVENTS_BEFORE = 0.2, 0.6, 30.0
# How near to zero the records' mean residual is to be, and how large a change that may take.
LEVEL_SD, LEVEL_CHANGE = 0.02, 0.5
# Share of the published site terms that holds at a station: prior mean and standard deviation.
SITE_SHARE = (0.8, 0.3)


@dataclass(frozen=True)
class Fit:
    """What `fit` found.

    Parameters
    ----------
    coefficients : Coefficients
        Of the median.
    site_share : numpy.ndarray
        Share of the published site terms that holds, (node,).
    station, station_sd : numpy.ndarray
        Terms besides the published ones and their posterior sd, (station, node).
    event : numpy.ndarray
        Amplitude and ln stress drop of the events, (event, 2).
    residual : numpy.ndarray
        What is left of each record, (record, measure).
    variances : Variances
        After one more step of expectation maximisation.
    """

    coefficients: Coefficients
    site_share: Floats
    station: Floats
    station_sd: Floats
    event: Floats
    residual: Floats
    variances: Variances


def fit(
    recordings: Recordings,
    published: Floats,
    anchors: Sequence[Anchors],
    start: Coefficients,
    variances: Variances,
    base: Floats,
    update: bool = True,
) -> Fit:
    """Solve the mixed model once, and update the variances once.

    Parameters
    ----------
    recordings : Recordings
        Linearised about ``start`` and ``base``.
    published : numpy.ndarray
        Published site terms of the stations less their mean, (station, node).
    anchors : sequence of Anchors
        Linearised about ``start``.
    start : Coefficients
        Where the model is linear.
    variances : Variances
        Of the random effects.
    base : numpy.ndarray
        Site terms (station, node) that are in the linearisation already.
    update : bool
        Update the variances too, which takes most of the time.
    """
    j = recordings.linearisation.sensitivity
    n_stations, n_nodes = published.shape
    n_events = int(recordings.event.max()) + 1
    by_vector, by_stress = spectrum_gradient(recordings.scenario, start)
    n_vector = by_vector.shape[-1]
    # Unknowns: coefficients, shares of the published terms, then of each event an amplitude, a
    # stress drop and a shape, and of each station a term at every node.
    sizes = [n_vector, n_nodes, n_events, n_events, n_events * n_nodes, n_stations * n_nodes]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    design = np.zeros((*recordings.observed.shape, starts[-1]))
    rows, nodes = np.arange(len(j))[:, None], np.arange(n_nodes)
    design[:, :, :n_vector] = j @ by_vector
    design[:, :, n_vector : starts[2]] = j * published[recordings.station][:, None]
    design[rows[:, 0], :, starts[2] + recordings.event] = j.sum(axis=-1)
    design[rows[:, 0], :, starts[3] + recordings.event] = np.einsum("rmk,rk->rm", j, by_stress)
    for first, group in ((starts[4], recordings.event), (starts[5], recordings.station)):
        columns = first + group[:, None] * n_nodes + nodes
        design[rows, :, columns] = j.transpose(0, 2, 1)
    # Terms in the linearisation are taken out of the median, so unknowns are whole terms.
    median = recordings.linearisation.median - np.einsum("rmk,rk->rm", j, base[recordings.station])
    left = recordings.observed - median

    mean, precision = _prior(start, sizes, variances)
    information, score = precision.copy(), precision @ mean
    for anchor in anchors:
        gradient, _ = spectrum_gradient(anchor.scenario, start)
        a = (anchor.linearisation.sensitivity @ gradient).reshape(-1, n_vector) / anchor.sd
        y = (anchor.expected - anchor.linearisation.median).ravel() / anchor.sd
        information[:n_vector, :n_vector] += a.T @ a
        score[:n_vector] += a.T @ y
    for event in range(n_events):
        a, y = _whitened(recordings, design, left, variances, event)
        information += a.T @ a
        score += a.T @ y
    factor = cholesky(information, lower=True)
    half = solve_triangular(factor, score, lower=True)
    solution = solve_triangular(factor, half, lower=True, trans=1)
    inverse = solve_triangular(factor, np.eye(len(factor)), lower=True)
    variance = np.einsum("ij,ij->j", inverse, inverse)

    vector, share, amplitude, stress, _, station = np.split(solution, starts[1:-1])
    residual = left - design @ solution
    station_sd = np.sqrt(variance[starts[5] :]).reshape(n_stations, n_nodes)
    result = Fit(
        from_vector(to_vector(start) + vector, start),
        share,
        station.reshape(n_stations, n_nodes),
        station_sd,
        np.column_stack([amplitude, stress]),
        residual,
        variances,
    )
    if not update:
        return result
    kernel = _kernel(STATION_LN_F)
    factor_s = cholesky(kernel, lower=True)
    scaled = solve_triangular(factor_s, result.station.T, lower=True)
    trace = 0.0
    for s in range(n_stations):
        block = inverse[:, starts[5] + s * n_nodes : starts[5] + (s + 1) * n_nodes]
        trace += np.square(solve_triangular(factor_s, block.T, lower=True)).sum()
    path = _path_covariance(recordings, design, residual, inverse, variances)
    updated = replace(
        variances,
        event=_event_variance(amplitude**2 + variance[starts[2] : starts[3]], EVENT_SIGMA),
        stress_drop=_event_variance(stress**2 + variance[starts[3] : starts[4]], STRESS_SIGMA),
        station=float((np.square(scaled).sum() + trace) / (n_stations * n_nodes)),
        path=path,
    )
    return replace(result, variances=updated)


def predicted(recordings: Recordings, found: Fit, start: Coefficients, terms: Floats) -> Floats:
    """Return the medians (record, measure) of a fit for recordings linearised about ``start``.

    Parameters
    ----------
    recordings : Recordings
        Of any earthquakes.
    found : Fit
        Of these or others.
    start : Coefficients
        Where the recordings are linear.
    terms : numpy.ndarray
        Change of the site terms since, (station, node).
    """
    by_vector, _ = spectrum_gradient(recordings.scenario, start)
    change = by_vector @ (to_vector(found.coefficients) - to_vector(start))
    change = change + terms[recordings.station]
    line = recordings.linearisation
    return line.median + np.einsum("rmk,rk->rm", line.sensitivity, change)


def centred(coefficients: Coefficients, residual: Floats, sensitivity: Floats) -> Coefficients:
    """Return coefficients whose medians have no bias over the records.

    A mixed model weighs every event alike and published models too; the records' mean residual
    is then not zero.  A smooth change of the amplification takes it off.

    Parameters
    ----------
    coefficients : Coefficients
        Of a fit.
    residual : numpy.ndarray
        Recorded minus median, (record, measure).
    sensitivity : numpy.ndarray
        See `Linearisation`.
    """
    j, bias = sensitivity.mean(axis=0) / LEVEL_SD, np.nanmean(residual, axis=0) / LEVEL_SD
    bends = np.diff(np.eye(len(NODES)), n=2, axis=0) / AMPLIFICATION_BEND
    precision = np.eye(len(NODES)) / LEVEL_CHANGE**2 + bends.T @ bends
    change = np.linalg.solve(j.T @ j + precision, j.T @ bias)
    amplification = np.array(coefficients.amplification) + change
    return replace(coefficients, amplification=tuple(amplification.tolist()))


def _event_variance(squares: Floats, sigma: float) -> float:
    """Return the variance of event terms from their expected squares and its prior."""
    return float((squares.sum() + EVENTS_BEFORE * sigma**2) / (len(squares) + EVENTS_BEFORE))


def _prior(start: Coefficients, sizes: list[int], variances: Variances) -> tuple[Floats, Floats]:
    """Return mean and precision of all unknowns; coefficients are changes from the start."""
    n_vector, n_nodes, n_events, *_ = sizes
    mean = np.zeros(sum(sizes))
    precision = np.zeros((len(mean), len(mean)))
    center, precision[:n_vector, :n_vector] = prior(len(start.amplification))
    mean[:n_vector] = center - to_vector(start)
    place = n_vector
    mean[place : place + n_nodes] = SITE_SHARE[0]
    # The share changes slowly over frequency.
    share = np.linalg.inv(SITE_SHARE[1] ** 2 * _kernel(2.0))
    precision[place : place + n_nodes, place : place + n_nodes] = share
    place += n_nodes
    for variance in (variances.event, variances.stress_drop):
        index = np.arange(place, place + n_events)
        precision[index, index] = 1.0 / variance
        place += n_events
    for size, covariance in (
        (sizes[4], EVENT_SHAPE_SIGMA**2 * _kernel(EVENT_LN_F)),
        (sizes[5], variances.station * _kernel(STATION_LN_F)),
    ):
        block = np.linalg.inv(covariance)
        for first in range(place, place + size, n_nodes):
            precision[first : first + n_nodes, first : first + n_nodes] = block
        place += size
    return mean, precision


def _kernel(length: float) -> Floats:
    """Return the correlation (node, node) of terms over ln f."""
    step = np.subtract.outer(np.log(NODES), np.log(NODES)) / length
    return np.exp(-np.abs(step)) * 0.5 + np.exp(-0.5 * step**2) * 0.5


def _whitened(
    recordings: Recordings, design: Floats, left: Floats, variances: Variances, event: int
) -> tuple[Floats, Floats]:
    """Return the rows of one event with the covariance of what paths do made 1."""
    rows = np.flatnonzero(recordings.event == event)
    near = _correlation(recordings.points_km[rows], variances)
    known = np.isfinite(left[rows]).ravel()
    covariance = np.kron(near, variances.path)[np.ix_(known, known)]
    factor = cholesky(covariance, lower=True)
    a = design[rows].reshape(-1, design.shape[-1])[known]
    y = left[rows].ravel()[known]
    return solve_triangular(factor, a, lower=True), solve_triangular(factor, y, lower=True)


def _correlation(points_km: Floats, variances: Variances) -> Floats:
    """Return how what paths do correlates between the stations of an event, (record, record)."""
    distance = np.hypot(*(points_km[:, None] - points_km[None]).transpose(2, 0, 1))
    near = variances.shared * np.exp(-distance / variances.length_km)
    near[np.diag_indices(len(near))] = 1.0
    return np.asarray(near)


def _path_covariance(
    recordings: Recordings,
    design: Floats,
    residual: Floats,
    inverse: Floats,
    variances: Variances,
) -> Floats:
    """Return the covariance (measure, measure) of what paths do that is expected a posteriori.

    Weighted by their correlation within events; pairs of measures count where both are known.
    """
    n_measures = residual.shape[1]
    moments, pairs = np.zeros((2, n_measures, n_measures))
    for event in range(int(recordings.event.max()) + 1):
        rows = np.flatnonzero(recordings.event == event)
        half = np.concatenate([residual[rows][..., None], design[rows] @ inverse.T], axis=-1)
        near = _correlation(recordings.points_km[rows], variances)
        known = np.isfinite(residual[rows])
        for m in range(n_measures):
            for n in range(m, n_measures):
                both = known[:, m] & known[:, n]
                if both.any():
                    factor = cholesky(near[np.ix_(both, both)], lower=True)
                    first = solve_triangular(factor, half[both, m], lower=True)
                    second = solve_triangular(factor, half[both, n], lower=True)
                    moments[[m, n], [n, m]] += (first * second).sum()
                pairs[[m, n], [n, m]] += both.sum()
    values, vectors = np.linalg.eigh(moments / pairs)
    return np.asarray((vectors * np.maximum(values, 1e-3)) @ vectors.T)
