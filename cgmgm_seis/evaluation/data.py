"""The records an evaluation judges by: one split, or some of its events; picks need less."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from seisbench.data import WaveformDataset

from cgmgm_seis.datasets.windows import (
    NEEDED_COLUMNS,
    NOT_PRIMARY,
    flagged,
    open_dataset,
    primary_records,
    read_records,
    say_left_out,
)
from cgmgm_seis.errors import DatasetError
from cgmgm_seis.scenario.seeding import generator
from cgmgm_seis.scenario.window import Window

logger = logging.getLogger(__name__)

# Velocities whose gain is only about right, see the column of the same name.
APPROXIMATE = "trace_units_approximate"


def read_split(
    dataset: WaveformDataset | str | Path,
    window: Window,
    split: str = "test",
    seed: int = 0,
    max_records: int | None = None,
    skip_bad: bool = False,
    progress: bool = False,
) -> tuple[NDArray[np.float32], pd.DataFrame]:
    """Read one split of a data set, or some of its events.

    Parameters
    ----------
    dataset : seisbench.data.WaveformDataset, str or pathlib.Path
        Data set in m/s.
    window : Window
        What to read of every record.
    split : str
        Split to read; without a column ``split`` all is read, which is logged.
    seed : int
        Of the choice of events.
    max_records : int, optional
        Draw whole events until the next one would exceed this number of records.
    skip_bad, progress : bool
        See `cgmgm_seis.datasets.windows.read_records`.

    Returns
    -------
    waveforms : numpy.ndarray
        Velocity in m/s, float32, shape (record, component, sample).
    scenario : pandas.DataFrame
        Scenario table, see `cgmgm_seis.datasets.windows.read_records`.

    Raises
    ------
    DatasetError
        If the data set cannot be used, has other splits only, or the first event drawn has more
        records than are wanted.
    """
    view = open_dataset(dataset, window)
    metadata = view.metadata
    wanted = _in_split(metadata, split)
    if max_records is not None:
        events, counted = metadata["source_id"].astype(str), wanted & primary_records(metadata)
        wanted &= some_events(events, counted, max_records, seed)
    view.filter(wanted)
    return read_records(view, window, skip_bad, progress)


def missing_columns(dataset: WaveformDataset | str | Path) -> list[str]:
    """Return the columns of a scenario that a data set has not; none where it can be judged by."""
    metadata = _opened(dataset, "ZNE").metadata
    return [column for column in NEEDED_COLUMNS if column not in metadata]


def known_components(dataset: WaveformDataset | str | Path, component_order: str) -> str:
    """Return those of a model's components that the most complete records have.

    Parameters
    ----------
    dataset : seisbench.data.WaveformDataset, str or pathlib.Path
        Data set.
    component_order : str
        The model's components.

    Returns
    -------
    str
        In the model's order; all of them if one record has all.
    """
    orders = _opened(dataset, component_order).metadata["trace_component_order"].astype(str)
    known = orders.map(lambda own: "".join(c for c in component_order if c in own)).value_counts()
    return max(known.index, key=lambda own: (len(own), known[own])) or component_order


def read_windows(
    dataset: WaveformDataset | str | Path,
    component_order: str,
    sampling_rate: float,
    split: str = "test",
    max_records: int | None = None,
) -> tuple[NDArray[np.float32], pd.DataFrame]:
    """Read records that have no scenario, for their picks: all that are as long as the shortest.

    Parameters
    ----------
    dataset : seisbench.data.WaveformDataset, str or pathlib.Path
        Data set with waveforms of any length; missing components are zero.
    component_order : str
        Components to return.
    sampling_rate : float
        Hz.
    split : str
        Split to read; without a column ``split`` all is read.
    max_records : int, optional
        Read the first so many.

    Returns
    -------
    waveforms : numpy.ndarray
        Float32, shape (record, component, sample), cut to the shortest record.
    metadata : pandas.DataFrame
        One row a record; ``attrs["left_out"]`` as of `cgmgm_seis.datasets.windows.read_records`.

    Raises
    ------
    DatasetError
        If no record is left; those of a second instrument, or with samples that are not finite,
        are left out.
    """
    view = _opened(dataset, component_order)
    view.sampling_rate, view.dimension_order = sampling_rate, "NCW"
    view.missing_components = "pad"
    wanted, primary = _in_split(view.metadata, split), primary_records(view.metadata)
    view.filter(wanted & primary)
    n_records = min(len(view), max_records or len(view))
    records, kept = [], []
    for row in range(n_records):
        waveforms, _ = view.get_sample(row)
        if waveforms.size and np.isfinite(waveforms).all():
            records.append(waveforms.astype(np.float32))
            kept.append(row)
    left_out = say_left_out(
        {
            NOT_PRIMARY: int((wanted & ~primary).sum()),
            "empty or not finite": n_records - len(kept),
        }
    )
    if not kept:
        raise DatasetError(f"0 of {n_records} records have finite samples; at least one must.")
    n_samples = min(record.shape[1] for record in records)
    metadata = view.metadata.iloc[kept].reset_index(drop=True)
    metadata.attrs["left_out"] = left_out
    return np.stack([record[:, :n_samples] for record in records]), metadata


def calibrated(scenario: pd.DataFrame) -> NDArray[np.bool_]:
    """Tell which records have amplitudes to trust: those not flagged `APPROXIMATE`."""
    return ~flagged(scenario, APPROXIMATE)


def some_events(
    events: pd.Series, wanted: NDArray[np.bool_], max_records: int, seed: int
) -> NDArray[np.bool_]:
    """Return the records of events drawn one after the other, as long as they fit.

    Parameters
    ----------
    events : pandas.Series
        The event of every record.
    wanted : numpy.ndarray
        True for records that count, shape (record,).
    max_records : int
        So many records, at most.
    seed : int
        Of the choice of events.

    Raises
    ------
    DatasetError
        If the first event drawn has more records.
    """
    sizes = events[wanted].value_counts().sort_index()
    sizes = sizes.iloc[generator(seed, "events").permutation(len(sizes))]
    fitting = sizes.cumsum() <= max_records
    if not fitting.iloc[:1].all():
        raise DatasetError(
            f"At most {max_records} record(s) are wanted, but the first event drawn has "
            f"{sizes.iloc[0]}; whole events are read."
        )
    chosen: NDArray[np.bool_] = events.isin(sizes.index[fitting]).to_numpy()
    return chosen


def _opened(dataset: WaveformDataset | str | Path, component_order: str) -> WaveformDataset:
    if isinstance(dataset, WaveformDataset):
        view = dataset.copy()
        view.component_order = component_order
        return view
    try:
        return WaveformDataset(Path(dataset), component_order=component_order)
    except (OSError, ValueError, KeyError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).strip().rstrip(".")
        raise DatasetError(f"{dataset} is not a readable SeisBench data set: {reason}.") from error


def _in_split(metadata: pd.DataFrame, split: str) -> NDArray[np.bool_]:
    if "split" not in metadata:
        logger.warning(
            "The data set has no column 'split': all %d records are used, also those a model "
            "may have been trained on.",
            len(metadata),
        )
        return np.ones(len(metadata), bool)
    wanted = metadata["split"].to_numpy() == split
    if not wanted.any():
        known = ", ".join(sorted(map(str, metadata["split"].unique())))
        raise DatasetError(f"The data set has no split '{split}'; it has {known}.")
    return np.asarray(wanted, bool)
