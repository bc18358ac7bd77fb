"""The measures of an evaluation: spectra, peaks, energy and duration of every component.

A *series* is one measure of one component; "H" stands for orientation-independent measures of
both horizontals (EAS, RotD50).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cgmgm_seis.measures.intensity import (
    acceleration,
    arias_intensity,
    cav,
    effective_amplitude,
    fas,
    konno_ohmachi,
    pga,
    pgv,
    significant_duration,
)
from cgmgm_seis.measures.response_spectra import psa, resolved_periods, rotd50, rotd50_psa
from cgmgm_seis.scenario.arrays import Floats

FREQUENCIES = (2.0, 5.0, 10.0, 15.0)  # Hz, those of Ren et al. (2026)
SPECTRUM = tuple(sorted({*FREQUENCIES, *np.geomspace(0.5, 25.0, 18).round(2).tolist()}))  # Hz
PERIODS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)  # s
PEAKS = ("PGA", "PGV", "Arias", "CAV", "D5-75", "D5-95")
BOTH = "H"


def series(component_order: str, sampling_rate: float) -> pd.MultiIndex:
    """Name the series of records, in the order of `ln_measures`.

    Parameters
    ----------
    component_order : str
        For example "ZNE".
    sampling_rate : float
        Sampling rate, Hz; frequencies above Nyquist and periods below 5 samples are left out.

    Returns
    -------
    pandas.MultiIndex
        Levels "component" and "measure".

    Examples
    --------
    >>> names = series("ZNE", 100.0)
    >>> names[names.get_loc(("H", "RotD50 PGV"))]
    ('H', 'RotD50 PGV')
    """
    frequencies, periods = _resolved(sampling_rate)
    spectrum = [f"{f:g} Hz" for f in frequencies]
    names = [
        (component, measure)
        for component in component_order
        for measure in (*(f"FAS {f}" for f in spectrum), *PEAKS)
    ]
    if horizontals(component_order):
        names += [(BOTH, f"EAS {f}") for f in spectrum]
        names += rotd50_series(periods).tolist()
    return pd.MultiIndex.from_tuples(names, names=["component", "measure"])


def rotd50_series(periods: Sequence[float]) -> pd.MultiIndex:
    """Name the series of `ln_rotd50`: PGA, PGV, and PSA at the periods (s)."""
    names = [f"RotD50 {measure}" for measure in ("PGA", "PGV")]
    names += [f"RotD50 PSA {period:g} s" for period in periods]
    return pd.MultiIndex.from_product([[BOTH], names], names=["component", "measure"])


def horizontals(component_order: str) -> list[int]:
    """Return the indices of the two horizontals, or an empty list if there are not two."""
    found = [place for place, component in enumerate(component_order) if component != "Z"]
    return found if len(found) == 2 else []


def main_series(names: pd.MultiIndex) -> pd.MultiIndex:
    """Return the series that are shown in printed tables."""
    keep = {f"{kind} {f:g} Hz" for kind in ("FAS", "EAS") for f in FREQUENCIES}
    keep |= {"PGV", "D5-95", "RotD50 PGA", "RotD50 PGV", "RotD50 PSA 0.1 s", "RotD50 PSA 1 s"}
    return names[names.get_level_values("measure").isin(list(keep))]


def main_amplitudes(measures: Sequence[str]) -> list[str]:
    """Return the peaks, and the PSA nearest to 0.1, 0.3 and 1 s, of names of `rotd50_series`.

    Examples
    --------
    >>> main_amplitudes(["RotD50 PGA", "RotD50 PSA 0.2 s", "RotD50 PSA 0.25 s"])
    ['RotD50 PGA', 'RotD50 PSA 0.2 s', 'RotD50 PSA 0.25 s']
    >>> main_amplitudes(["RotD50 PSA 0.2 s", "RotD50 PSA 0.9 s", "RotD50 PSA 1.5 s"])
    ['RotD50 PSA 0.2 s', 'RotD50 PSA 0.9 s']
    """
    periods = {name: psa_period(name) for name in dict.fromkeys(measures)}
    spectrum = {name: period for name, period in periods.items() if period}
    chosen = [name for name in periods if name not in spectrum]
    for wanted in (0.1, 0.3, 1.0) if spectrum else ():
        chosen.append(min(spectrum, key=lambda name: abs(np.log(spectrum[name] / wanted))))
    return list(dict.fromkeys(chosen))


def psa_period(measure: str) -> float | None:
    """Return the period (s) of a name of `rotd50_series`, or None for PGA and PGV."""
    return float(measure.split()[2]) if measure.startswith("RotD50 PSA ") else None


def main_spectrum(names: pd.MultiIndex) -> tuple[str, str]:
    """Return the component and kind of the main spectrum: EAS, or else FAS of one component."""
    if BOTH in names.get_level_values("component"):
        return BOTH, "EAS"
    return str(names[-1][0]), "FAS"


def spectral_columns(
    names: pd.MultiIndex, component: str, kind: str
) -> tuple[Floats, NDArray[np.intp]]:
    """Return the frequencies (Hz) of a component's spectrum, and the indices of its series."""
    places = [
        place
        for place, (own, measure) in enumerate(names)
        if own == component and measure.startswith(f"{kind} ")
    ]
    frequencies = [float(str(names[place][1]).split()[1]) for place in places]
    return np.array(frequencies), np.array(places, dtype=np.intp)


def ln_measures(
    waveforms: NDArray[np.float32], component_order: str, sampling_rate: float
) -> Floats:
    """Return the natural logarithms of all measures of velocities in m/s.

    For every component: Fourier amplitudes at `SPECTRUM`, m/s x s, smoothed over the whole band
    (Konno & Ohmachi 1998, b = 20), and `PEAKS`: PGA, m/s2, PGV, m/s, Arias intensity, m/s,
    cumulative absolute velocity, m/s, and significant durations, s, at least one sample.  For
    both horizontals: EAS, and RotD50 of PGA, PGV and 5 % damped PSA, m/s2, at `PERIODS`.

    Parameters
    ----------
    waveforms : numpy.ndarray
        Shape (.., component, sample).
    component_order : str
        The components.
    sampling_rate : float
        Hz.

    Returns
    -------
    numpy.ndarray
        Shape (.., series), named by `series`; minus infinity if a component is zero.

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal((2, 3, 1000))
    >>> ln_measures(noise, "ZNE", 100.0).shape[-1] == len(series("ZNE", 100.0))
    True
    """
    x = np.asarray(waveforms)
    frequencies, periods = _resolved(sampling_rate)
    # Most measures share the acceleration, and all spectra the Fourier amplitudes.
    moved = acceleration(x, sampling_rate)
    arguments = (moved, sampling_rate)
    durations = significant_duration(*arguments, high=(0.75, 0.95), quantity="acceleration")
    peaks = [
        pga(*arguments, "acceleration"),
        pgv(x),
        arias_intensity(*arguments, "acceleration"),
        cav(*arguments, "acceleration"),
        *np.moveaxis(np.maximum(durations, 1.0 / sampling_rate), -1, 0),
    ]
    _, amplitudes = fas(x, sampling_rate)
    smoothing = (x.shape[-1], sampling_rate, frequencies)
    smoothed = konno_ohmachi(amplitudes, *smoothing)
    each = np.concatenate([smoothed, np.stack(peaks, axis=-1)], axis=-1)
    values = [each.reshape(*x.shape[:-2], -1)]
    if pair := horizontals(component_order):
        values += [
            konno_ohmachi(effective_amplitude(amplitudes[..., pair, :]), *smoothing),
            _rotd50_measures(x[..., pair, :], moved[..., pair, :], sampling_rate, periods),
        ]
    with np.errstate(divide="ignore"):
        logarithms: Floats = np.log(np.concatenate(values, axis=-1))
    return logarithms


def ln_rotd50(
    waveforms: NDArray[np.float32],
    component_order: str,
    sampling_rate: float,
    periods: Sequence[float],
) -> Floats:
    """Return the natural logarithms of RotD50 of PGA, PGV and 5 % damped PSA.

    Parameters
    ----------
    waveforms : numpy.ndarray
        Velocity, m/s, shape (.., component, sample).
    component_order : str
        The components, including two horizontals.
    sampling_rate : float
        Sampling rate, Hz.
    periods : sequence of float
        Periods, s, see `resolved_periods`.

    Returns
    -------
    numpy.ndarray
        ln m/s2, ln m/s and ln m/s2, shape (.., series), named by `rotd50_series`.

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal((2, 3, 1000))
    >>> ln_rotd50(noise, "ZNE", 100.0, (0.3, 1.0)).shape
    (2, 4)
    """
    both = np.asarray(waveforms)[..., horizontals(component_order), :]
    with np.errstate(divide="ignore"):
        logarithms: Floats = np.log(
            _rotd50_measures(both, acceleration(both, sampling_rate), sampling_rate, periods)
        )
    return logarithms


def ln_larger_horizontal(
    waveforms: NDArray[np.float32],
    component_order: str,
    sampling_rate: float,
    periods: Sequence[float],
) -> Floats:
    """Return the natural logarithms of PGA, PGV and PSA of the larger of two horizontals.

    It is what ShakeMap's lists of stations contain, about 1.1 times RotD50 (Boore & Kishida
    2017).  The larger one is chosen for every measure.

    Parameters
    ----------
    waveforms, component_order, sampling_rate, periods
        As in `ln_rotd50`.

    Returns
    -------
    numpy.ndarray
        As of `ln_rotd50`.
    """
    both = np.asarray(waveforms)[..., horizontals(component_order), :]
    peaks = np.stack([pga(both, sampling_rate), pgv(both)], axis=-1)
    each = np.concatenate([peaks, psa(both, sampling_rate, periods)], axis=-1)
    with np.errstate(divide="ignore"):
        logarithms: Floats = np.log(each.max(axis=-2))
    return logarithms


def _rotd50_measures(
    velocity: NDArray[np.float32],
    moved: Floats,
    sampling_rate: float,
    periods: Sequence[float],
) -> Floats:
    """Return RotD50 of PGA, PGV and PSA of velocity and acceleration, shape (.., series)."""
    # In the precision of the waveforms, which is half the work.
    moved = moved.astype(np.result_type(velocity, np.float32), copy=False)
    peaks = np.stack([rotd50(moved), rotd50(velocity)], axis=-1)
    spectra = rotd50_psa(moved, sampling_rate, periods, quantity="acceleration")
    return np.concatenate([peaks, spectra], axis=-1)


def _resolved(sampling_rate: float) -> tuple[list[float], list[float]]:
    """Return the frequencies and periods that a sampling rate resolves."""
    frequencies = [f for f in SPECTRUM if f <= 0.5 * sampling_rate]
    return frequencies, resolved_periods(PERIODS, sampling_rate)
