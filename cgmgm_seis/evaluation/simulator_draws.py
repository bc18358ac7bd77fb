"""Realizations of the package's simulator, for records that it has made."""

from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cgmgm_seis.scenario.seeding import random_generator
from cgmgm_seis.scenario.window import Window
from cgmgm_seis.simulator.seismograms import (
    N_SAMPLES,
    SAMPLING_RATE,
    START_OFFSET,
    simulate_waveforms,
)


def simulator_draw(
    window: Window, pool: Executor | None = None
) -> Callable[[pd.DataFrame, int, int], NDArray[np.float32]] | None:
    """Return a function that draws from the simulator of `cgmgm_seis.simulator.seismograms`.

    Every realization draws new events and records for the same scenarios.  It takes (scenario,
    n_realizations, seed) and returns velocities in m/s, (record, realization, component, sample).

    Parameters
    ----------
    window : Window
        Window of the records; None is returned if the simulator's records do not cover it.
    pool : concurrent.futures.Executor, optional
        Draws the realizations; by default they are drawn where the function is called.
    """
    first = round((window.start_offset_s - START_OFFSET) * SAMPLING_RATE)
    last = first + window.n_samples
    if window.sampling_rate != SAMPLING_RATE or first < 0 or last > N_SAMPLES:
        return None
    order = ["ZNE".index(component) for component in window.component_order]

    def draw(scenario: pd.DataFrame, n_realizations: int, seed: int) -> NDArray[np.float32]:
        # Do not use the seed itself: if it is that of the data set, its records would be repeated.
        seeds = [
            int(random_generator(seed, "redraw", k).integers(2**62)) for k in range(n_realizations)
        ]
        own = partial(_simulated, scenario, order, slice(first, last))
        return np.stack(list(pool.map(own, seeds) if pool else map(own, seeds)), axis=1)

    return draw


def _simulated(
    scenario: pd.DataFrame, order: list[int], samples: slice, seed: int
) -> NDArray[np.float32]:
    """Return one realization, (record, component, sample)."""
    return simulate_waveforms(scenario, seed)[0][:, order, samples]


def is_simulated(scenario: pd.DataFrame) -> bool:
    """Return whether all records are marked as simulated, by whatever program."""
    if "trace_simulated" not in scenario:
        return False
    return bool((scenario["trace_simulated"] == True).all())  # noqa: E712


def can_be_simulated_again(scenario: pd.DataFrame) -> bool:
    """Return whether all records were made by the simulator `cgmgm_seis.simulator.seismograms`."""
    return is_simulated(scenario) and "source_stress_drop_pa" in scenario
