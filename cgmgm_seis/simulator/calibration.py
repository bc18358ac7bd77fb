"""Calibration of the simulated Bay Area with recorded amplitudes, by regularised likelihood.

A recorded measure (PGA, PGV, PSA; ln units) differs from the median of the simulator by the effects
of its event, station and path on the Fourier spectrum:

    y_rm = y0_rm + sum_k J_rmk (dmedian_k + event_k + station_k) + path_rm

at frequency nodes k.  The median y0 and the sensitivity J are computed from simulated records,
including their durations, P waves and codas (`cgmgm_seis.simulator.linearisation`), and updated
after every step.  Medians are a function of a few coefficients
(`cgmgm_seis.simulator.spectra.Coefficients`) with Gaussian priors; event and station terms are
random effects (Abrahamson & Youngs 1992); path effects are correlated between the stations of an
event.  Variances are estimated by expectation maximisation (Dempster et al. 1977).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cholesky, solve_triangular

from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.simulator import spectra
from cgmgm_seis.simulator.linearisation import AVERAGE, MEASURES, NODES, Linearisation
from cgmgm_seis.simulator.spectra import Coefficients

# ---- coefficients as a vector --------------------------------------------------------------

# Prior means and standard deviations of the coefficients of the median spectrum, from physics and
# other regions; stress drops in ln Pa.  The prior of the amplification is smoothness instead.
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
# ln A(f): prior mean and standard deviation, and standard deviation of its second differences.
AMPLIFICATION, AMPLIFICATION_SIGMA, AMPLIFICATION_BEND = 2.0, 2.0, 0.15
_DIFFERENCE = 1e-4


def to_vector(c: Coefficients) -> Floats:
    """Return the fitted coefficients as a vector, in the order of `PRIORS`."""
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
    """Return the coefficients of a vector from `to_vector`, with the nodes of `like`."""
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
    """Return the prior mean (coefficient,) and precision of the coefficients."""
    pairs = [np.broadcast_arrays(np.atleast_1d(mean), sd) for mean, sd in PRIORS.values()]
    means = [mean for mean, _ in pairs] + [np.full(n_amplification, AMPLIFICATION)]
    sds = [sd for _, sd in pairs] + [np.full(n_amplification, AMPLIFICATION_SIGMA)]
    precision = np.diag(np.concatenate(sds).astype(float) ** -2)
    bends = np.diff(np.eye(n_amplification), n=2, axis=0) / AMPLIFICATION_BEND
    precision[-n_amplification:, -n_amplification:] += bends.T @ bends
    return np.concatenate(means).astype(float), precision


def spectrum_gradient(scenario: pd.DataFrame, c: Coefficients) -> tuple[Floats, Floats]:
    """Return the derivatives of the median ln spectrum of S at `NODES`.

    Returns
    -------
    tuple of numpy.ndarray
        Derivatives with respect to the coefficients, (record, node, coefficient), and to the ln
        stress drop of the event, (record, node).
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
    """Recorded measures and the linearised simulation of their scenarios.

    Parameters
    ----------
    scenario : pandas.DataFrame
        Scenario table.
    observed : numpy.ndarray
        ln measures, (record, measure); NaN where missing.
    linearisation : Linearisation
        Linearisation at the coefficients and site terms at the start of the fit.
    event, station : numpy.ndarray
        Numbers of events and stations, starting at 0, (record,).
    points_km : numpy.ndarray
        Coordinates of the stations, (record, 2).
    """

    scenario: pd.DataFrame
    observed: Floats
    linearisation: Linearisation
    event: NDArray[np.intp]
    station: NDArray[np.intp]
    points_km: Floats


@dataclass(frozen=True)
class Anchors:
    """Measures of scenarios without recordings from published models: ln values and their sd."""

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
        Variances of the amplitude and the ln stress drop of an event, and of the term of a
        station at one frequency node in addition to its published term.
    path : numpy.ndarray
        Covariance of the residuals of a record, (measure, measure).
    shared, length_km : float
        Correlation of residuals between stations of an event: shared exp(-distance / length).
    """

    event: float = 0.05
    stress_drop: float = 0.4
    station: float = 0.08
    path: Floats = field(default_factory=lambda: 0.09 * np.eye(len(MEASURES)) + 0.19)
    shared: float = 0.7
    length_km: float = 14.0


# Correlation lengths over ln f of the terms of stations, and of the spectral shapes of events (in
# addition to amplitude and stress drop) with their standard deviation.
STATION_LN_F, EVENT_LN_F, EVENT_SHAPE_SIGMA = 1.0, 1.0, 0.2
# Prior of the scatter between events: standard deviations of amplitude and ln stress drop, and its
# weight as a number of events.  Together with the shapes they give 0.4, as recorded at most
# periods; thirty events alone determine it only to 15 %.
EVENT_SIGMA, STRESS_SIGMA, EVENTS_BEFORE = 0.2, 0.6, 30.0
# Tolerance of the mean residual, and standard deviation of the change of amplification for it.
LEVEL_SD, LEVEL_CHANGE = 0.02, 0.5
# Factor of the published site terms: prior mean and standard deviation.
SITE_SHARE = (0.8, 0.3)


@dataclass(frozen=True)
class Fit:
    """Result of `fit`.

    Parameters
    ----------
    coefficients : Coefficients
        Coefficients of the median.
    site_share : numpy.ndarray
        Factor of the published site terms, (node,).
    station, station_sd : numpy.ndarray
        Station terms in addition to the published ones and their posterior sd, (station, node).
    event : numpy.ndarray
        Amplitude and ln stress drop of the events, (event, 2).
    residual : numpy.ndarray
        Residuals of the records, (record, measure).
    variances : Variances
        Variances after one more step of expectation maximisation.
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
        Recordings, linearised at ``start`` and ``base``.
    published : numpy.ndarray
        Published site terms of the stations minus their mean, (station, node).
    anchors : sequence of Anchors
        Anchors, linearised at ``start``.
    start : Coefficients
        Coefficients at which the model is linearised.
    variances : Variances
        Variances of the random effects.
    base : numpy.ndarray
        Site terms (station, node) that are already included in the linearisation.
    update : bool
        Update the variances as well, which takes most of the time.
    """
    n_stations, n_nodes = published.shape
    n_events = int(recordings.event.max()) + 1
    # Unknowns: coefficients, factors of the published terms, amplitude, stress drop and shape of
    # each event, and the terms of each station at the nodes.
    sizes = [
        *(len(to_vector(start)), n_nodes, n_events, n_events),
        *(n_events * n_nodes, n_stations * n_nodes),
    ]
    design = _design(recordings, published, start, sizes)
    # Site terms of the linearisation are removed from the median, so that the unknowns are the
    # complete terms and not changes.
    line = recordings.linearisation
    in_median = np.einsum("rmk,rk->rm", line.sensitivity, base[recordings.station])
    left = recordings.observed - (line.median - in_median)
    solution, inverse = _solution(recordings, design, left, anchors, start, sizes, variances)
    variance = np.einsum("ij,ij->j", inverse, inverse)

    ends = np.cumsum(sizes)
    vector, share, amplitude, stress, _, station = np.split(solution, ends[:-1])
    residual = left - design @ solution
    result = Fit(
        from_vector(to_vector(start) + vector, start),
        share,
        station.reshape(n_stations, n_nodes),
        np.sqrt(variance[ends[4] :]).reshape(n_stations, n_nodes),
        np.column_stack([amplitude, stress]),
        residual,
        variances,
    )
    if not update:
        return result
    updated = replace(
        variances,
        event=_event_variance(amplitude**2 + variance[ends[1] : ends[2]], EVENT_SIGMA),
        stress_drop=_event_variance(stress**2 + variance[ends[2] : ends[3]], STRESS_SIGMA),
        station=_station_variance(result.station, inverse[:, ends[4] :]),
        path=_path_covariance(recordings, design, residual, inverse, variances),
    )
    return replace(result, variances=updated)


def predicted(recordings: Recordings, found: Fit, start: Coefficients, terms: Floats) -> Floats:
    """Return the medians (record, measure) of a fit for recordings linearised at ``start``.

    Parameters
    ----------
    recordings : Recordings
        Recordings of any earthquakes.
    found : Fit
        A fit to these or other recordings.
    start : Coefficients
        Coefficients at which the recordings are linearised.
    terms : numpy.ndarray
        Change of the site terms since the linearisation, (station, node).
    """
    by_vector, _ = spectrum_gradient(recordings.scenario, start)
    change = by_vector @ (to_vector(found.coefficients) - to_vector(start))
    change = change + terms[recordings.station]
    line = recordings.linearisation
    return line.median + np.einsum("rmk,rk->rm", line.sensitivity, change)


def centred(coefficients: Coefficients, residual: Floats, sensitivity: Floats) -> Coefficients:
    """Return coefficients whose medians have no bias averaged over the records.

    A mixed model gives all events similar weight and includes published models, so that the mean
    residual of the records is not zero.  It is removed by a smooth change of the amplification.

    Parameters
    ----------
    coefficients : Coefficients
        Coefficients of a fit.
    residual : numpy.ndarray
        Recorded minus median values, (record, measure).
    sensitivity : numpy.ndarray
        See `Linearisation`.
    """
    j, bias = sensitivity.mean(axis=0) / LEVEL_SD, np.nanmean(residual, axis=0) / LEVEL_SD
    bends = np.diff(np.eye(len(NODES)), n=2, axis=0) / AMPLIFICATION_BEND
    precision = np.eye(len(NODES)) / LEVEL_CHANGE**2 + bends.T @ bends
    change = np.linalg.solve(j.T @ j + precision, j.T @ bias)
    amplification = np.array(coefficients.amplification) + change
    return replace(coefficients, amplification=tuple(amplification.tolist()))


def _design(
    recordings: Recordings, published: Floats, start: Coefficients, sizes: list[int]
) -> Floats:
    """Return the derivatives of the measures, (record, measure, unknown)."""
    j = recordings.linearisation.sensitivity
    by_vector, by_stress = spectrum_gradient(recordings.scenario, start)
    n_vector, n_nodes, *_ = sizes
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
    return design


def _solution(
    recordings: Recordings,
    design: Floats,
    left: Floats,
    anchors: Sequence[Anchors],
    start: Coefficients,
    sizes: list[int],
    variances: Variances,
) -> tuple[Floats, Floats]:
    """Return the unknowns and the inverse of the Cholesky factor of their precision."""
    n_vector = sizes[0]
    mean, precision = _prior(start, sizes, variances)
    information, score = precision.copy(), precision @ mean
    for anchor in anchors:
        gradient, _ = spectrum_gradient(anchor.scenario, start)
        a = (anchor.linearisation.sensitivity @ gradient).reshape(-1, n_vector) / anchor.sd
        y = (anchor.expected - anchor.linearisation.median).ravel() / anchor.sd
        information[:n_vector, :n_vector] += a.T @ a
        score[:n_vector] += a.T @ y
    for event in range(sizes[2]):
        a, y = _whitened(recordings, design, left, variances, event)
        information += a.T @ a
        score += a.T @ y
    factor = cholesky(information, lower=True)
    half = solve_triangular(factor, score, lower=True)
    solution = solve_triangular(factor, half, lower=True, trans=1)
    return solution, solve_triangular(factor, np.eye(len(factor)), lower=True)


def _station_variance(station: Floats, inverse: Floats) -> float:
    """Return the variance of station terms (station, node) from their expected squares."""
    n_stations, n_nodes = station.shape
    factor = cholesky(_kernel(STATION_LN_F), lower=True)
    scaled = solve_triangular(factor, station.T, lower=True)
    trace = 0.0
    for block in np.split(inverse, n_stations, axis=1):
        trace += np.square(solve_triangular(factor, block.T, lower=True)).sum()
    return float((np.square(scaled).sum() + trace) / (n_stations * n_nodes))


def _event_variance(squares: Floats, sigma: float) -> float:
    """Return the variance of event terms from their expected squares and the prior."""
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
    # The factor varies slowly with frequency.
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
    """Return the rows of one event, whitened by the covariance of path effects."""
    rows = np.flatnonzero(recordings.event == event)
    near = _correlation(recordings.points_km[rows], variances)
    known = np.isfinite(left[rows]).ravel()
    covariance = np.kron(near, variances.path)[np.ix_(known, known)]
    factor = cholesky(covariance, lower=True)
    a = design[rows].reshape(-1, design.shape[-1])[known]
    y = left[rows].ravel()[known]
    return solve_triangular(factor, a, lower=True), solve_triangular(factor, y, lower=True)


def _correlation(points_km: Floats, variances: Variances) -> Floats:
    """Return the correlation of path effects between stations of an event, (record, record)."""
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
    """Return the expected covariance (measure, measure) of path effects given the data.

    Products are weighted by the correlation within events; for each pair of measures, records in
    which both are known are used.
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
