"""Many realizations of many records, reduced to ground-motion measures chunk by chunk."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from cgmgm_seis.conditions import ExtrapolationWarning
from cgmgm_seis.datasets.seismograms import N_SAMPLES, SAMPLING_RATE, START_OFFSET, simulate_records
from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.intensity import pgv, significant_duration, smoothed_fas
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.seeding import generator

Floats = NDArray[np.float64]
# (scenario, n_realizations, seed) to m/s, float32, (record, realization, component, sample).
Draw = Callable[[pd.DataFrame, int, int], NDArray[np.float32]]

FREQUENCIES = (2.0, 5.0, 10.0, 15.0)  # Hz
MEASURES = (*(f"FAS {f:g} Hz" for f in FREQUENCIES), "PGV", "D5-95")
# Waveforms held at once; their spectra take several times as much.
CHUNK_BYTES = 2**26


@dataclass(frozen=True)
class Window:
    """What the records of a model are: components, rate (Hz), start (s after origin), length."""

    component_order: str
    sampling_rate: float
    start_offset_s: float
    n_samples: int

    @classmethod
    def of(cls, model: GroundMotionModel) -> "Window":
        """Return the window of a model."""
        return cls(
            model.component_order, model.sampling_rate, model.start_offset_s, model.n_samples
        )


@dataclass(frozen=True)
class Draws:
    """What is kept of all realizations.

    Parameters
    ----------
    measures : numpy.ndarray
        Natural logarithms, shape (record, realization, component, measure).
    first : numpy.ndarray
        Waveforms of realization 0, m/s, float32, shape (record, component, sample).
    """

    measures: Floats
    first: NDArray[np.float32]


def ln_measures(waveforms: NDArray[np.float32], sampling_rate: float) -> Floats:
    """Return the natural logarithms of the `MEASURES` of velocities in m/s.

    They are the Fourier amplitudes at the `FREQUENCIES`, m/s x s, smoothed over the whole band
    (Konno & Ohmachi 1998, b = 20), the peak velocity, m/s, and the significant duration, s.

    Parameters
    ----------
    waveforms : numpy.ndarray
        Shape (.., sample).
    sampling_rate : float
        Hz.

    Returns
    -------
    numpy.ndarray
        Shape (.., measure).

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal((4, 3, 6000))
    >>> ln_measures(noise, 100.0).shape
    (4, 3, 6)
    """
    spectra = smoothed_fas(waveforms, sampling_rate, FREQUENCIES)
    others = [pgv(waveforms), significant_duration(waveforms, sampling_rate)]
    with np.errstate(divide="ignore"):
        logarithms: Floats = np.log(np.concatenate([spectra, np.stack(others, axis=-1)], axis=-1))
    return logarithms


def reduce_draws(
    draw: Draw,
    scenario: pd.DataFrame,
    window: Window,
    n_realizations: int,
    seed: int = 0,
    label: str = "Realizations",
    progress: bool = False,
) -> Draws:
    """Draw all realizations, a few records at a time, and keep their measures.

    Parameters
    ----------
    draw : callable
        See `model_draw` and `simulator_draw`.
    scenario : pandas.DataFrame
        Scenario table.
    window : Window
        Of the records drawn.
    n_realizations, seed : int
        As in `GroundMotionModel.sample`.
    label : str
        Name at the progress bar and in errors.
    progress : bool
        Show a progress bar where stderr is a terminal.

    Raises
    ------
    CgmgmError
        If a record is silent or holds NaN.
    """
    n_components = len(window.component_order)
    measures = np.empty((len(scenario), n_realizations, n_components, len(MEASURES)))
    first = np.empty((len(scenario), n_components, window.n_samples), np.float32)
    step = max(1, CHUNK_BYTES // (n_realizations * first[0].nbytes))
    hidden = None if progress else True
    with tqdm(total=len(scenario), desc=label, unit="rec", disable=hidden) as bar:
        for start in range(0, len(scenario), step):
            part = scenario.iloc[start : start + step].reset_index(drop=True)
            waveforms = draw(part, n_realizations, seed)
            measures[start : start + step] = ln_measures(waveforms, window.sampling_rate)
            first[start : start + step] = waveforms[:, 0]
            bar.update(len(part))
    bad = ~np.isfinite(measures).all(axis=(2, 3))
    if bad.any():
        raise CgmgmError(
            f"{bad.sum()} of {bad.size} records of {label} are silent or hold NaN on a component; "
            "every record must move."
        )
    return Draws(measures, first)


def model_draw(model: GroundMotionModel) -> Draw:
    """Return the draws of a model, also outside its trained range and without a word on it."""

    def draw(scenario: pd.DataFrame, n_realizations: int, seed: int) -> NDArray[np.float32]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExtrapolationWarning)
            return model.sample(scenario, n_realizations, seed, extrapolate=True)

    return draw


def simulator_draw(window: Window) -> Draw | None:
    """Return the draws of the simulator of `cgmgm_seis.datasets.seismograms`, or None.

    Every realization draws other events and other records of the same scenarios.

    Parameters
    ----------
    window : Window
        Of the records wanted; None is returned where the simulator's does not hold it.
    """
    first = round((window.start_offset_s - START_OFFSET) * SAMPLING_RATE)
    last = first + window.n_samples
    if window.sampling_rate != SAMPLING_RATE or first < 0 or last > N_SAMPLES:
        return None
    order = ["ZNE".index(component) for component in window.component_order]

    def draw(scenario: pd.DataFrame, n_realizations: int, seed: int) -> NDArray[np.float32]:
        # Not the seed itself, which may be that of the data set: it would give its very records.
        seeds = [int(generator(seed, "redraw", k).integers(2**62)) for k in range(n_realizations)]
        drawn = [simulate_records(scenario, own)[0][:, order, first:last] for own in seeds]
        return np.stack(drawn, axis=1)

    return draw


def is_simulated(scenario: pd.DataFrame) -> bool:
    """Tell whether the simulator of `cgmgm_seis.datasets.seismograms` made all records."""
    marks = ("trace_simulated", "source_stress_drop_pa")
    if any(mark not in scenario for mark in marks):
        return False
    return bool((scenario["trace_simulated"] == True).all())  # noqa: E712
