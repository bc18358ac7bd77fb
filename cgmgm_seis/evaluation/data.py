"""The data set of an evaluation: its components, the evaluated split and the training split."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from seisbench.data import WaveformDataset

from cgmgm_seis.datasets.samples import read_sample
from cgmgm_seis.datasets.windows import (
    NEEDED_COLUMNS,
    NOT_PRIMARY,
    choose_components,
    flagged,
    open_unchecked,
    primary_records,
    read_records,
    say_left_out,
)
from cgmgm_seis.errors import CgmgmError, DatasetError
from cgmgm_seis.evaluation.config import EvaluationConfig
from cgmgm_seis.scenario.seeding import random_generator
from cgmgm_seis.scenario.spans import cut_to_spans, valid_spans
from cgmgm_seis.scenario.window import Window

logger = logging.getLogger(__name__)

# Column that flags records whose gain is only approximate.
APPROXIMATE = "trace_units_approximate"
TRAINING_SPLIT = "train"
# Number of records of the training split that are read at once.
BLOCK_RECORDS = 500


class EvaluationData:
    """The data set of an evaluation.

    Parameters
    ----------
    dataset : seisbench.data.WaveformDataset, str or pathlib.Path
        Data set in a unit of velocity.
    window : Window
        Window of the generators.
    config : EvaluationConfig, optional
        Determines which records are read.

    Attributes
    ----------
    name : str
        Name of the folder.
    missing_columns : list of str
        Columns of a scenario that the data set lacks; if there are any, only `read_picked` can be
        used.
    window : Window
        Window that is read, with the components on which at least half of the records move.
    left_out : dict
        Components that are not compared, with the reason.

    Raises
    ------
    DatasetError
        If the data set cannot be read.
    """

    def __init__(
        self,
        dataset: WaveformDataset | str | Path,
        window: Window,
        config: EvaluationConfig | None = None,
    ) -> None:
        self.config = config or EvaluationConfig()
        self.name = dataset_name(dataset)
        self.view = open_unchecked(dataset, window)
        metadata = self.view.metadata
        self.missing_columns = [column for column in NEEDED_COLUMNS if column not in metadata]
        self.window, self.left_out = window, dict[str, str]()
        if not self.missing_columns:
            self.window = choose_components(self.view, window)
            known = self.window.component_order
            if lacking := ", ".join(c for c in window.component_order if c not in known):
                reason = f"most records have motion on {', '.join(known)} only"
                self.left_out = {f"components {lacking}": reason}

    def read_split(self) -> tuple[NDArray[np.float32], pd.DataFrame]:
        """Read the records to compare with: one split, or some of its events.

        Without a column ``split`` all records are read, with a warning.

        Returns
        -------
        waveforms : numpy.ndarray
            Velocity in m/s, float32, shape (record, component, sample), cut to valid spans, see
            `cgmgm_seis.scenario.spans.cut_to_spans`.
        scenario : pandas.DataFrame
            Scenario table, see `cgmgm_seis.datasets.windows.read_records`.

        Raises
        ------
        DatasetError
            If the data set cannot be used, lacks the split, or the first selected event has more
            than `max_records` records.
        """
        config, metadata = self.config, self.view.metadata
        wanted = _in_split(metadata, config.split)
        if config.max_records is not None:
            events, counted = metadata["source_id"].astype(str), wanted & primary_records(metadata)
            wanted &= some_events(events, counted, config.max_records, config.seed)
        part = self.view.filter(wanted, inplace=False)
        records = read_records(part, self.window, config.strict, config.progress, config.units)
        return self._cut(*records)

    def read_training(self) -> Iterator[tuple[NDArray[np.float32], pd.DataFrame]]:
        """Read the usable records of the training split in blocks.

        Yields
        ------
        waveforms : numpy.ndarray
            Velocity in m/s, float32, shape (record, component, sample), cut to valid spans.
        scenario : pandas.DataFrame
            Their scenario table.
        """
        metadata = self.view.metadata
        if "split" not in metadata:
            return
        rows = np.flatnonzero(metadata["split"] == TRAINING_SPLIT)
        for first in range(0, len(rows), BLOCK_RECORDS):
            block = np.isin(np.arange(len(metadata)), rows[first : first + BLOCK_RECORDS])
            part = self.view.filter(block, inplace=False)
            try:
                found = read_records(part, self.window, units=self.config.units)
            except CgmgmError:  # no record of this block covers the window
                continue
            yield self._cut(*found)

    def _cut(
        self, waveforms: NDArray[np.float32], scenario: pd.DataFrame
    ) -> tuple[NDArray[np.float32], pd.DataFrame]:
        spans = valid_spans(scenario, self.window.n_samples)
        return cut_to_spans(waveforms, spans, self.window.sampling_rate), scenario

    def read_picked(self) -> tuple[NDArray[np.float32], pd.DataFrame]:
        """Read records without scenario, for picking only; all are cut to the shortest.

        Returns
        -------
        waveforms : numpy.ndarray
            Float32, shape (record, component, sample), cut to the shortest record; missing
            components are zero.
        metadata : pandas.DataFrame
            One row per record; ``attrs["left_out"]`` as in
            `cgmgm_seis.datasets.windows.read_records`.

        Raises
        ------
        DatasetError
            If no record is left; records of a second instrument, and those with samples that are
            not finite or constant on all components, are left out.
        """
        metadata = self.view.metadata
        wanted, primary = _in_split(metadata, self.config.split), primary_records(metadata)
        part = self.view.filter(wanted & primary, inplace=False)
        part.missing_components = "pad"
        n_records = min(len(part), self.config.max_records or len(part))
        records, kept = [], []
        for row in range(n_records):
            try:
                waveforms, _ = read_sample(part, row)
            except DatasetError as error:
                logger.warning("%s", error)
                continue
            if waveforms.size and np.isfinite(waveforms).all() and np.ptp(waveforms, -1).any():
                records.append(waveforms.astype(np.float32))
                kept.append(row)
        left_out = say_left_out(
            {
                NOT_PRIMARY: int((wanted & ~primary).sum()),
                "empty, constant or not finite": n_records - len(kept),
            }
        )
        if not kept:
            raise DatasetError(
                f"0 of {n_records} records have motion and finite samples; at least 1 is needed."
            )
        n_samples = min(record.shape[1] for record in records)
        metadata = part.metadata.iloc[kept].reset_index(drop=True)
        metadata.attrs["left_out"] = left_out
        return np.stack([record[:, :n_samples] for record in records]), metadata


def dataset_name(dataset: WaveformDataset | str | Path) -> str:
    """Return the name of a data set, the name of its folder or file."""
    if isinstance(dataset, (str, Path)):
        return Path(dataset).absolute().name
    return str(dataset.name)


def calibrated(scenario: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which records have reliable amplitudes: those not flagged `APPROXIMATE`."""
    return ~flagged(scenario, APPROXIMATE)


def some_events(
    events: pd.Series, wanted: NDArray[np.bool_], max_records: int, seed: int
) -> NDArray[np.bool_]:
    """Return the records of randomly selected whole events, at most `max_records`.

    Parameters
    ----------
    events : pandas.Series
        The event of every record.
    wanted : numpy.ndarray
        True for records that are counted, shape (record,).
    max_records : int
        Maximum number of records.
    seed : int
        Random seed of the selection.

    Raises
    ------
    DatasetError
        If the first selected event has more than `max_records` records.
    """
    sizes = events[wanted].value_counts().sort_index()
    sizes = sizes.iloc[random_generator(seed, "events").permutation(len(sizes))]
    fitting = sizes.cumsum() <= max_records
    if not fitting.iloc[:1].all():
        raise DatasetError(
            f"max_records = {max_records} must be at least {sizes.iloc[0]}, the number of records "
            f"of the first event selected, since whole events are read."
        )
    chosen: NDArray[np.bool_] = events.isin(sizes.index[fitting]).to_numpy()
    return chosen


def _in_split(metadata: pd.DataFrame, split: str) -> NDArray[np.bool_]:
    if "split" not in metadata:
        logger.warning(
            "The data set has no column 'split': all %d records are used, including any that the "
            "models were trained on.",
            len(metadata),
        )
        return np.ones(len(metadata), bool)
    wanted = metadata["split"].to_numpy() == split
    if not wanted.any():
        known = ", ".join(sorted(map(str, metadata["split"].unique())))
        raise DatasetError(f"The data set has no split '{split}'; it has {known}.")
    return np.asarray(wanted, bool)
