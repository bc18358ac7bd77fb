"""Realizations of many records, reduced to ground-motion measures chunk by chunk."""

import math
import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from cgmgm_seis.errors import CgmgmError, OutputError
from cgmgm_seis.evaluation.measures import ln_measures
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.models.conditions import ExtrapolationWarning
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.spans import cut_to_spans, valid_spans
from cgmgm_seis.scenario.window import Window
from cgmgm_seis.storage.chunks import Chunks
from cgmgm_seis.storage.processes import OF_A_WORKER, environment, kill, process_pool

# (scenario, n_realizations, seed) to m/s, float32, (record, realization, component, sample).
Draw = Callable[[pd.DataFrame, int, int], NDArray[np.float32]]
# (waveforms, component_order, sampling_rate) to logarithms (.., series); sent to other processes.
Measures = Callable[[NDArray[np.float32], str, float], Floats]

# Size of the waveforms drawn at once.
CHUNK_BYTES = 2**26
# Size of the waveforms measured at once; their response spectra need much more memory.
BLOCK_BYTES = 2**22
# Number of waveforms for which another process is started, as for every classifier.
WORTH_A_PROCESS = 1000


@dataclass(frozen=True)
class Draws:
    """Measures of all realizations, and waveforms of the first.

    Parameters
    ----------
    measures : numpy.ndarray
        Natural logarithms, shape (record, realization, series).
    first : numpy.ndarray
        Waveforms of realization 0, velocity, m/s, float32, shape (record, component, sample).
    """

    measures: Floats
    first: NDArray[np.float32]


@contextmanager
def measuring_pool(
    n_waveforms: int, workers: int | None = None, n_classifiers: int = 0
) -> Iterator[Executor]:
    """Give an executor for `ln_measures` and classifiers: up to one process per core, or a thread.

    After an error or Ctrl-C, nothing that was submitted is waited for.

    Parameters
    ----------
    n_waveforms : int
        Records times realizations.
    workers : int, optional
        Number of processes; by default up to the number of cores, depending on the work.
    n_classifiers : int
        Number of classifiers to be trained.

    Raises
    ------
    OutputError
        If a process was killed, for example because memory ran out.
    """
    if workers is None:
        workers = min(os.cpu_count() or 1, 1 + n_waveforms // WORTH_A_PROCESS + n_classifiers)
    if workers == 1:
        with ThreadPoolExecutor(1) as thread:
            try:
                yield thread
            except BaseException:
                thread.shutdown(wait=False, cancel_futures=True)
                raise
        return
    with environment(OF_A_WORKER), process_pool(workers) as pool:
        try:
            yield pool
        except BrokenProcessPool as error:
            raise OutputError(
                "A process was killed, perhaps because memory ran out; finished chunks are kept, "
                "and the same command continues."
            ) from error
        except BaseException:
            kill(pool)
            raise


def measure(
    pool: Executor,
    waveforms: NDArray[np.float32],
    window: Window,
    measures: Measures = ln_measures,
) -> list[Future[Floats]]:
    """Start measuring waveforms (record, .., component, sample), block by block."""
    n_blocks = -(-waveforms.nbytes // BLOCK_BYTES)
    return [
        pool.submit(measures, block, window.component_order, window.sampling_rate)
        for block in np.array_split(waveforms, min(n_blocks, len(waveforms)))
    ]


def gathered(futures: list[Future[Floats]]) -> Floats:
    """Wait for the results of `measure` and concatenate them."""
    return np.concatenate([future.result() for future in futures])


def reduce_draws(
    draw: Draw,
    scenario: pd.DataFrame,
    window: Window,
    n_realizations: int,
    seed: int = 0,
    label: str = "Realizations",
    progress: bool = False,
    pool: Executor | None = None,
    chunks: Chunks | None = None,
    measures: Measures = ln_measures,
    keep_first: bool = True,
) -> Draws:
    """Draw all realizations, a few records at a time, and keep their measures.

    While a chunk is measured, the next one is drawn.  Realizations of records that fill only a part
    of the window are cut to the same span.

    Parameters
    ----------
    draw : callable
        See `model_draw` and `cgmgm_seis.evaluation.simulator_draws.simulator_draw`.
    scenario : pandas.DataFrame
        Scenario table.
    window : Window
        Window of the records drawn.
    n_realizations, seed : int
        As in `GroundMotionModel.sample`.
    label : str
        Name in the progress bar and in errors.
    progress : bool
        Show a progress bar where stderr is a terminal.
    pool : concurrent.futures.Executor, optional
        See `measuring_pool`; by default one thread.
    chunks : Chunks, optional
        Where finished chunks are saved and looked up; by default nowhere.
    measures : callable
        Function that computes the measures; it must be picklable, for example a module-level
        function or `functools.partial` of one.
    keep_first : bool
        Keep the waveforms of realization 0; otherwise the result has waveforms of 0 records.

    Raises
    ------
    CgmgmError
        If a record has a constant component or NaN.
    """
    chunks = chunks or Chunks(None, {})
    pool = pool or ThreadPoolExecutor(1)
    shape = (len(scenario), len(window.component_order), window.n_samples)
    first = np.empty(shape if keep_first else (0, *shape[1:]), np.float32)
    found: list[Floats] = []
    pending: list[tuple[int, int, list[Future[Floats]]]] = []
    step = max(1, CHUNK_BYTES // (n_realizations * shape[1] * shape[2] * first.itemsize))
    bar = tqdm(total=len(scenario), desc=label, unit="rec", disable=None if progress else True)

    def finish() -> None:
        for start, stop, futures in pending:
            found.append(gathered(futures))
            chunks.save(start, stop, measures=found[-1], first=first[start:stop])
            bar.update(stop - start)
        pending.clear()

    with bar:
        for start in range(0, len(scenario), step):
            stop = min(start + step, len(scenario))
            if kept := chunks.load(start, stop):
                finish()
                found.append(kept["measures"])
                first[start:stop] = kept["first"]
                bar.update(stop - start)
                continue
            part = scenario.iloc[start:stop].reset_index(drop=True)
            waveforms = draw(part, n_realizations, seed)
            _check(waveforms, label)
            spans = valid_spans(part, window.n_samples)
            waveforms = cut_to_spans(waveforms, spans, window.sampling_rate)
            rows = first[start:stop]
            rows[:] = waveforms[: len(rows), 0]
            finish()
            pending.append((start, stop, measure(pool, waveforms, window, measures)))
        finish()
    return Draws(np.concatenate(found), first)


def _check(waveforms: NDArray[np.float32], label: str) -> None:
    finite = np.isfinite(waveforms).all(axis=(2, 3))
    bad = ~finite | (np.ptp(waveforms, axis=3) == 0.0).any(axis=2)
    if bad.any():
        raise CgmgmError(
            f"{bad.sum()} of {bad.size} records of {label} have a component that is constant or "
            "not finite; all samples must be finite and every component must vary."
        )


def model_draw(model: GroundMotionModel, window: Window) -> Draw:
    """Return a function that draws from a model, without warnings outside its trained ranges.

    The components are those of the window, in its order.
    """
    order = [model.component_order.index(component) for component in window.component_order]

    def draw(scenario: pd.DataFrame, n_realizations: int, seed: int) -> NDArray[np.float32]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExtrapolationWarning)
            drawn = model.sample(scenario, n_realizations, seed, extrapolate=math.inf)
        return drawn if order == list(range(drawn.shape[2])) else drawn[:, :, order]

    return draw
