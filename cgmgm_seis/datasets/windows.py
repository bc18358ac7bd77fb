"""Read a SeisBench data set as records of one length, cut relative to the origin time."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from seisbench.data import WaveformDataset
from tqdm import tqdm

from cgmgm_seis.errors import DatasetError, reason_of
from cgmgm_seis.scenario.columns import LIMITS, PATH_COLUMNS, REQUIRED_COLUMNS
from cgmgm_seis.scenario.seeding import random_generator
from cgmgm_seis.scenario.table import check_scenario
from cgmgm_seis.scenario.window import Window

logger = logging.getLogger(__name__)

SPLITS = ("train", "dev", "test")
NEEDED_COLUMNS = ("source_id", "source_origin_time", "trace_start_time", *REQUIRED_COLUMNS)
CODE_COLUMNS = ("station_network_code", "station_code", "station_location_code")
# SeisBench's own columns, which do not describe the cut record.
BOOKKEEPING = ("index", "trace_source_sampling_rate_hz", "trace_chunk")
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
# Of the records of an event at a station, the one whose flag is true counts.
PRIMARY = "trace_is_primary"
NOT_PRIMARY = f"not of the primary instrument of their event and station ({PRIMARY})"
PAIR_COLUMNS = ["source_id", "station_network_code", "station_code"]
_FLAGS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
# So many seconds without any motion, at an end or within, are filling, not recording.
GAP_S = 1.0


class LazyWaveforms:
    """Records that are read from the data set whenever they are indexed, not kept in memory.

    Stands where an array (record, component, sample) would; indexing gives that array.

    Parameters
    ----------
    dataset : seisbench.data.WaveformDataset
        As `open_dataset` returns it; with all its chunks.
    rows : numpy.ndarray
        Rows of its metadata, one a record.
    starts : numpy.ndarray
        Sample at which each record starts.
    n_samples : int
        Length of the records.
    """

    def __init__(
        self,
        dataset: WaveformDataset,
        rows: NDArray[np.intp],
        starts: NDArray[np.intp],
        n_samples: int,
    ) -> None:
        self.dataset, self.rows, self.starts, self.n_samples = dataset, rows, starts, n_samples

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: slice | NDArray[np.intp]) -> NDArray[np.float32]:
        records = [
            self.dataset.get_sample(int(row))[0][:, start : start + self.n_samples]
            for row, start in zip(self.rows[index], self.starts[index], strict=True)
        ]
        return np.stack(records).astype(np.float32, copy=False)

    def part(self, index: NDArray[np.intp]) -> "LazyWaveforms":
        """Return some of the records, unread."""
        return LazyWaveforms(self.dataset, self.rows[index], self.starts[index], self.n_samples)


def read_records(
    dataset: WaveformDataset | str | Path,
    window: Window,
    skip_bad: bool = False,
    progress: bool = False,
) -> tuple[NDArray[np.float32], pd.DataFrame]:
    """Read the records of a data set that cover a window around the origin time.

    Records are cut to the window, to the nearest sample, and never padded: those that do not
    cover it, lack a component or a coordinate are left out, as are those that `PRIMARY` says are
    of a second instrument, and their number is logged.  Without that column all instruments of a
    station count; records that share event and station are counted in the log.  Other sampling
    rates are resampled by SeisBench, which is logged too.

    Parameters
    ----------
    dataset : seisbench.data.WaveformDataset, str or pathlib.Path
        Data set in m/s, or the folder with its metadata.csv and waveforms.hdf5.
    window : Window
        What to return of every record.
    skip_bad : bool
        Leave out records with NaN or constant components instead of raising.
    progress : bool
        Show a progress bar where stderr is a terminal.

    Returns
    -------
    waveforms : numpy.ndarray
        Velocity in m/s, float32, shape (record, component, sample).
    scenario : pandas.DataFrame
        Scenario table, one row a record, with all other columns of the data set; those that
        end in ``_sample`` count from the start of the window.  ``attrs["left_out"]`` holds the
        number of records left out by reason.

    Raises
    ------
    DatasetError
        If the data set cannot be read, lacks columns, or no record is left; or if records are
        NaN or constant, unless `skip_bad` is set.
    """
    lazy, waveforms, scenario = _read(dataset, window, skip_bad, progress, keep=True)
    assert waveforms is not None
    return waveforms[: len(lazy)], scenario


def scan_records(
    dataset: WaveformDataset | str | Path,
    window: Window,
    skip_bad: bool = False,
    progress: bool = False,
) -> tuple[LazyWaveforms, pd.DataFrame]:
    """Read all records once as `read_records` does, but keep none of them in memory.

    Parameters, errors and scenario table are those of `read_records`; the waveforms are read
    again, chunk by chunk of the data set, whenever they are indexed.
    """
    lazy, _, scenario = _read(dataset, window, skip_bad, progress, keep=False)
    return lazy, scenario


def _read(
    dataset: WaveformDataset | str | Path,
    window: Window,
    skip_bad: bool,
    progress: bool,
    keep: bool,
) -> tuple[LazyWaveforms, NDArray[np.float32] | None, pd.DataFrame]:
    """Read and check every record; return where they are, themselves, and their scenario."""
    dataset = open_dataset(dataset, window)
    metadata = dataset.metadata
    rows, left_out = usable_rows(metadata, window.component_order)
    firsts = first_samples(metadata, window)
    _say_resampled(metadata.iloc[rows], window.sampling_rate)

    n_samples = window.n_samples
    shape = (len(rows), len(window.component_order), n_samples)
    waveforms = np.empty(shape, dtype=np.float32) if keep else None
    kept: list[dict[str, Any]] = []
    kept_rows: list[int] = []
    starts: list[int] = []
    bad: list[str] = []
    uncovered = 0
    for row in tqdm(rows, desc="Reading", unit="rec", disable=None if progress else True):
        record, values = dataset.get_sample(int(row))
        first = int(firsts[row])
        cut = record[:, max(first, 0) : first + n_samples]
        if first < 0 or cut.shape[-1] < n_samples:
            uncovered += 1
        elif not np.isfinite(cut).all() or (np.ptp(cut, axis=-1) == 0.0).any():
            bad.append(str(values["trace_name"]))
        elif _has_gap(cut, window.sampling_rate):
            uncovered += 1
        else:
            if waveforms is not None:
                waveforms[len(kept)] = cut
            kept.append(values)
            kept_rows.append(int(row))
            starts.append(first)

    if bad and not skip_bad:
        raise DatasetError(
            f"{len(bad)} of {len(metadata)} records are NaN or constant on a component "
            f"({', '.join(bad[:5])}{', ..' if len(bad) > 5 else ''}); every sample must be a "
            f"recorded one, --skip-bad (skip_bad=True) leaves them out."
        )
    left_out |= say_left_out(
        {"NaN or constant": len(bad), "not covering the window, or with a gap": uncovered}
    )
    if not kept:
        raise DatasetError(
            f"0 of {len(metadata)} records cover {window.start_offset_s:g} s to "
            f"{window.end_offset_s:g} s after the origin time with "
            f"motion on the components {window.component_order}; at least one must."
        )
    scenario = _scenario(kept, np.array(starts), window.sampling_rate)
    scenario = scenario.assign(trace_component_order=window.component_order, trace_npts=n_samples)
    scenario.attrs["left_out"] = left_out
    if repeated := repeated_records(scenario):
        logger.warning(
            "%d records share event and station with another one; all of them count (the column "
            "%s can say which one does).",
            repeated,
            PRIMARY,
        )
    lazy = LazyWaveforms(dataset, np.array(kept_rows), np.array(starts), n_samples)
    return lazy, waveforms, scenario


def event_split(
    scenario: pd.DataFrame, seed: int = 0, fractions: Sequence[float] = (0.8, 0.1, 0.1)
) -> NDArray[np.str_]:
    """Assign every record to the training, dev or test split by its event.

    An event's split depends on the seed and its ``source_id`` alone: adding events moves none.

    Parameters
    ----------
    scenario : pandas.DataFrame
        Scenario table.
    seed : int
        Another seed, another split.
    fractions : sequence of float
        Expected shares of the events in train, dev and test; they sum to 1.

    Returns
    -------
    numpy.ndarray
        "train", "dev" or "test" for every row.

    Raises
    ------
    DatasetError
        If the fractions are not three shares that sum to 1.
    """
    check_fractions(fractions)
    limits = np.cumsum(fractions)[:-1]
    events, record_event = np.unique(scenario["source_id"].astype(str), return_inverse=True)
    draws = [random_generator(seed, "split", event).random() for event in events.tolist()]
    return np.array(SPLITS)[np.searchsorted(limits, draws, side="right")][record_event]


def check_fractions(fractions: Sequence[float]) -> None:
    """Raise `DatasetError` unless these are shares of train, dev and test."""
    if len(fractions) != len(SPLITS) or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-9:
        raise DatasetError(
            f"Split fractions {tuple(fractions)} are not allowed; three shares with sum 1 are."
        )


def open_dataset(dataset: WaveformDataset | str | Path, window: Window) -> WaveformDataset:
    """Return a view of the data set with the window's rate and components, columns checked."""
    dataset = open_unchecked(dataset, window)
    _check_units(dataset)
    missing = [column for column in NEEDED_COLUMNS if column not in dataset.metadata]
    if missing:
        raise DatasetError(
            f"The data set lacks the metadata columns {', '.join(missing)}; "
            f"it needs {', '.join(NEEDED_COLUMNS)}."
        )
    return dataset


def open_unchecked(dataset: WaveformDataset | str | Path, window: Window) -> WaveformDataset:
    """Return a view of the data set with the window's rate and components, whatever it lacks."""
    try:
        if isinstance(dataset, WaveformDataset):
            dataset = dataset.copy()
        else:
            dataset = WaveformDataset(
                Path(dataset),
                component_order=window.component_order,
                sampling_rate=window.sampling_rate,
            )
            restore_codes(dataset)
        dataset.sampling_rate = window.sampling_rate
        dataset.dimension_order = "NCW"
        dataset.component_order = window.component_order
    except KeyError as error:
        raise DatasetError(
            f"{dataset} is not a readable SeisBench data set: it lacks {error}."
        ) from error
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{dataset} is not a readable SeisBench data set: {reason_of(error)}."
        ) from error
    return dataset


def _check_units(dataset: WaveformDataset) -> None:
    """Refuse counts; say so where amplitudes are normalised."""
    unit = str(dataset.data_format.get("unit", "")).lower()
    if unit == "counts":
        raise DatasetError(
            "The data set holds counts, not velocity in m/s; `cgmgm-seis dataset from-seisbench "
            "--normalise-amplitudes` makes one of shapes without amplitudes of it."
        )
    if unit == "normalised":
        logger.warning("The data set's amplitudes are normalised: they mean nothing.")


def restore_codes(dataset: WaveformDataset) -> None:
    """Read the codes of a whole data set as text.

    SeisBench's reader makes a 0 of location 00, and nothing of network NA.
    """
    tables = [
        pd.read_csv(
            Path(dataset.path) / f"metadata{chunk}.csv",
            usecols=lambda column: column in CODE_COLUMNS,
            dtype=str,
            keep_default_na=False,
        )
        for chunk in dataset.chunks
    ]
    codes = pd.concat(tables, ignore_index=True)
    for column in codes:
        dataset.metadata[column] = codes[column].to_numpy()


def usable_rows(
    metadata: pd.DataFrame, component_order: str
) -> tuple[NDArray[np.intp], dict[str, int]]:
    """Return the rows that can be used, and say and return how many cannot, by reason.

    Usable rows have all values and components and are of a primary instrument.
    """
    known = metadata[list(NEEDED_COLUMNS)].notna().all(axis=1)
    for column, (low, high) in LIMITS.items():
        known &= pd.to_numeric(metadata[column], errors="coerce").between(low, high)
    known &= pd.to_numeric(metadata["trace_sampling_rate_hz"], errors="coerce") > 0
    complete = metadata["trace_component_order"].map(lambda order: set(component_order) <= {*order})
    primary = primary_records(metadata)
    left_out = say_left_out(
        {
            "without a magnitude, time, rate or possible coordinates": int((~known).sum()),
            f"without all of the components {component_order}": int((known & ~complete).sum()),
            NOT_PRIMARY: int((known & complete & ~primary).sum()),
        }
    )
    return np.flatnonzero(known & complete & primary), left_out


def primary_records(metadata: pd.DataFrame) -> NDArray[np.bool_]:
    """Tell which records are of the primary instrument of their event and station.

    Those are all whose `PRIMARY` is not false: without the column, or a value in it, nobody knows
    which of several instruments to take.
    """
    return ~flagged(metadata, PRIMARY, False)


def repeated_records(scenario: pd.DataFrame) -> int:
    """Count the records that share event and station with another one; 0 without names."""
    if not set(PAIR_COLUMNS) <= set(scenario):
        return 0
    named = scenario[scenario["station_code"].notna() & (scenario["station_code"] != "")]
    return int(named.duplicated(PAIR_COLUMNS, keep=False).sum())


def flagged(metadata: pd.DataFrame, column: str, flag: bool = True) -> NDArray[np.bool_]:
    """Tell which rows have a flag of this value; a missing one has neither."""
    if column not in metadata:
        return np.zeros(len(metadata), bool)
    known = metadata[column].astype("string").str.lower().map(_FLAGS)
    return np.asarray(known.eq(flag).fillna(False), bool)


def first_samples(metadata: pd.DataFrame, window: Window) -> NDArray[np.float64]:
    """Return the sample of every trace at which the window starts."""
    times = [
        pd.to_datetime(metadata[column], utc=True, format="ISO8601")
        for column in ("source_origin_time", "trace_start_time")
    ]
    before_s = (times[0] - times[1]).dt.total_seconds().to_numpy()
    return np.round((before_s + window.start_offset_s) * window.sampling_rate)


def _has_gap(record: NDArray[Any], sampling_rate: float) -> bool:
    """Tell whether a component stands still for long, at an end or within: filling."""
    still = np.diff(record, axis=-1, prepend=np.nan, append=np.nan) == 0.0
    for component in still:
        # Samples that differ from the one before; what lies between two of them is constant.
        moves = np.flatnonzero(~component)
        if np.diff(moves).max(initial=0) >= max(int(GAP_S * sampling_rate), 2):
            return True
    return False


def _scenario(
    rows: list[dict[str, Any]], starts: NDArray[np.int_], sampling_rate: float
) -> pd.DataFrame:
    """Build the scenario table of records cut at `starts`; paths are computed, not read."""
    table = pd.DataFrame(rows).drop(columns=[*PATH_COLUMNS, *BOOKKEEPING], errors="ignore")
    for column in table.filter(regex="_sample$").select_dtypes("number"):
        table[column] -= starts
    for column in (column for column in CODE_COLUMNS if column in table):
        known = table[column].notna()
        table[column] = table[column].astype(object).where(known, "").astype(str)
    origins = pd.to_datetime(table["source_origin_time"], utc=True)
    trace_starts = pd.to_datetime(table["trace_start_time"], utc=True, format="ISO8601")
    trace_starts += pd.to_timedelta(starts / sampling_rate, unit="s")
    return check_scenario(
        table.assign(
            source_id=table["source_id"].astype(str),
            source_origin_time=origins.dt.strftime(TIME_FORMAT),
            trace_start_time=trace_starts.dt.strftime(TIME_FORMAT),
        )
    )


def _say_resampled(metadata: pd.DataFrame, sampling_rate: float) -> None:
    rates = metadata["trace_sampling_rate_hz"]
    others = rates[~np.isclose(rates, sampling_rate, rtol=1e-4)]
    if len(others):
        found = ", ".join(f"{rate:g}" for rate in sorted(others.unique()))
        logger.warning(
            "%d records of %s Hz are resampled to %g Hz by SeisBench.",
            len(others),
            found,
            sampling_rate,
        )


def say_left_out(reasons: dict[str, int]) -> dict[str, int]:
    """Log how many records were left out, by reason, and return the reasons that there were."""
    found = {reason: count for reason, count in reasons.items() if count}
    for reason, count in found.items():
        logger.warning("%d records left out: %s.", count, reason)
    return found
