"""Reading SeisBench data sets as records of equal length, cut relative to the origin time."""

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
from cgmgm_seis.scenario.spans import VALID_END, VALID_START, Spans, partial, valid_spans
from cgmgm_seis.scenario.table import check_scenario
from cgmgm_seis.scenario.window import Window

logger = logging.getLogger(__name__)

SPLITS = ("train", "dev", "test")
NEEDED_COLUMNS = ("source_id", "source_origin_time", "trace_start_time", *REQUIRED_COLUMNS)
CODE_COLUMNS = ("station_network_code", "station_code", "station_location_code")
# Internal columns of SeisBench, which do not describe the cut record.
BOOKKEEPING = ("index", "trace_source_sampling_rate_hz", "trace_chunk")
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
# Flag of the record to use if there are several records of an event at a station.
PRIMARY = "trace_is_primary"
NOT_PRIMARY = f"not of the primary instrument of their event and station ({PRIMARY})"
PAIR_COLUMNS = ["source_id", "station_network_code", "station_code"]
_FLAGS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
# Constant samples for this time, anywhere in a record, are regarded as a filled gap, seconds.
GAP_S = 1.0
# Shortest part of a record within the window that is used, seconds.
SHORTEST_S = 10.0


class LazyWaveforms:
    """Records that are read from the data set when they are indexed and not kept in memory.

    Can be used instead of an array (record, component, sample); indexing returns such an array.

    Parameters
    ----------
    dataset : seisbench.data.WaveformDataset
        Data set with all its chunks, as returned by `open_dataset`.
    rows : numpy.ndarray
        Row of its metadata for each record.
    starts : numpy.ndarray
        First sample of each record in its trace.
    spans : numpy.ndarray
        Valid span of each record, (record, 2); samples outside are zero.
    n_samples : int
        Length of the records, samples.
    """

    def __init__(
        self,
        dataset: WaveformDataset,
        rows: NDArray[np.intp],
        starts: NDArray[np.intp],
        spans: Spans,
        n_samples: int,
    ) -> None:
        self.dataset, self.rows, self.starts = dataset, rows, starts
        self.spans, self.n_samples = spans, n_samples

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: slice | NDArray[np.intp]) -> NDArray[np.float32]:
        records = [
            self.dataset.get_sample(int(row))[0][:, start : start + self.n_samples]
            for row, start in zip(self.rows[index], self.starts[index], strict=True)
        ]
        found = np.stack(records).astype(np.float32, copy=False)
        for record, (first, last) in zip(found, self.spans[index], strict=True):
            record[:, :first] = record[:, last:] = 0.0
        return found

    def part(self, index: NDArray[np.intp]) -> "LazyWaveforms":
        """Return a selection of the records without reading them."""
        own = self.rows[index], self.starts[index], self.spans[index]
        return LazyWaveforms(self.dataset, *own, self.n_samples)


def read_records(
    dataset: WaveformDataset | str | Path,
    window: Window,
    skip_bad: bool = False,
    progress: bool = False,
) -> tuple[NDArray[np.float32], pd.DataFrame]:
    """Read the records of a data set that cover a window around the origin time.

    Records are cut to the window, to the nearest sample, and not padded.  Records that do not
    cover it, lack a component or a coordinate, or belong to a second instrument according to the
    column `PRIMARY` are left out, and their number is logged.  Without that column all instruments
    of a station are used, and the number of records with the same event and station is logged.
    Records with other sampling rates are resampled by SeisBench, which is logged as well.  Records
    with a valid span (see `cgmgm_seis.scenario.spans`) are zero outside it, and are used if at
    least `SHORTEST_S` of it are within the window.

    Parameters
    ----------
    dataset : seisbench.data.WaveformDataset, str or pathlib.Path
        Data set in m/s, or the folder with its metadata.csv and waveforms.hdf5.
    window : Window
        Window of the returned records.
    skip_bad : bool
        Leave out records with NaN or constant components instead of raising an error.
    progress : bool
        Show a progress bar if stderr is a terminal.

    Returns
    -------
    waveforms : numpy.ndarray
        Velocity in m/s, float32, shape (record, component, sample).
    scenario : pandas.DataFrame
        Scenario table, one row per record, with all other columns of the data set; columns that
        end in ``_sample`` are relative to the start of the window.  ``attrs["left_out"]`` contains
        the numbers of records that were left out, by reason.

    Raises
    ------
    DatasetError
        If the data set cannot be read, lacks columns, or no records are left; or if records are
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
    """Check all records as `read_records` does, but do not keep them in memory.

    Parameters, errors and scenario table are those of `read_records`; the waveforms are read
    again from the data set when they are indexed.
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
    """Read and check all records; return them lazily, as an array if `keep`, and their scenario."""
    dataset = open_dataset(dataset, window)
    metadata = dataset.metadata
    rows, left_out = usable_rows(metadata, window.component_order)
    firsts = first_samples(metadata, window)
    spans = trace_spans(metadata, window)
    _say_resampled(metadata.iloc[rows], window.sampling_rate)

    n_samples = window.n_samples
    shape = (len(rows), len(window.component_order), n_samples)
    waveforms = np.zeros(shape, dtype=np.float32) if keep else None
    kept: list[dict[str, Any]] = []
    kept_rows: list[int] = []
    starts: list[int] = []
    bad: list[str] = []
    uncovered = 0
    for row in tqdm(rows, desc="Reading", unit="rec", disable=None if progress else True):
        record, values = dataset.get_sample(int(row))
        first = int(firsts[row])
        cut = record[:, max(first, 0) : first + n_samples]
        inside = slice(*spans[row])
        valid = cut[:, inside]
        if first < 0 or cut.shape[-1] < n_samples or valid.shape[-1] < shortest(window):
            uncovered += 1
        elif not np.isfinite(valid).all() or (np.ptp(valid, axis=-1) == 0.0).any():
            bad.append(str(values["trace_name"]))
        elif _has_gap(valid, window.sampling_rate):
            uncovered += 1
        else:
            if waveforms is not None:
                waveforms[len(kept), :, inside] = valid
            kept.append(values)
            kept_rows.append(int(row))
            starts.append(first)

    if bad and not skip_bad:
        raise DatasetError(
            f"{len(bad)} of {len(metadata)} records are NaN or constant on a component "
            f"({', '.join(bad[:5])}{', ..' if len(bad) > 5 else ''}); --skip-bad (skip_bad=True) "
            f"leaves them out."
        )
    left_out |= say_left_out(
        {"NaN or constant": len(bad), "not covering the window, or with a gap": uncovered}
    )
    if not kept:
        raise DatasetError(
            f"None of the {len(metadata)} records covers {window.start_offset_s:g} s to "
            f"{window.end_offset_s:g} s after the origin time with "
            f"motion on the components {window.component_order}; at least one is needed."
        )
    spans = spans[kept_rows]
    scenario = _scenario(kept, np.array(starts), window.sampling_rate)
    if shortened := int(partial(spans, n_samples).sum()):
        scenario = scenario.assign(**{VALID_START: spans[:, 0], VALID_END: spans[:, 1]})
        logger.info("%d of %d records fill only a part of the window.", shortened, len(kept))
    scenario = scenario.assign(trace_component_order=window.component_order, trace_npts=n_samples)
    scenario.attrs["left_out"] = left_out
    if repeated := repeated_records(scenario):
        logger.warning(
            "%d records have the same event and station as another record; all of them are used "
            "(use the column %s to select one).",
            repeated,
            PRIMARY,
        )
    lazy = LazyWaveforms(dataset, np.array(kept_rows), np.array(starts), spans, n_samples)
    return lazy, waveforms, scenario


def event_split(
    scenario: pd.DataFrame, seed: int = 0, fractions: Sequence[float] = (0.8, 0.1, 0.1)
) -> NDArray[np.str_]:
    """Assign records to the train, dev or test split by event.

    The split of an event depends only on the seed and its ``source_id``, so it does not change
    if other events are added.

    Parameters
    ----------
    scenario : pandas.DataFrame
        Scenario table.
    seed : int
        Random seed.
    fractions : sequence of float
        Expected fractions of events in train, dev and test; they must sum to 1.

    Returns
    -------
    numpy.ndarray
        "train", "dev" or "test" for each row.

    Raises
    ------
    DatasetError
        If the fractions are not three positive numbers or zeros that sum to 1.
    """
    check_fractions(fractions)
    limits = np.cumsum(fractions)[:-1]
    events, record_event = np.unique(scenario["source_id"].astype(str), return_inverse=True)
    draws = [random_generator(seed, "split", event).random() for event in events.tolist()]
    return np.array(SPLITS)[np.searchsorted(limits, draws, side="right")][record_event]


def check_fractions(fractions: Sequence[float]) -> None:
    """Raise `DatasetError` unless the fractions of train, dev and test are valid."""
    if len(fractions) != len(SPLITS) or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-9:
        raise DatasetError(
            f"Split fractions {tuple(fractions)} are not valid; they must be three numbers of at "
            "least 0 that sum to 1."
        )


def open_dataset(dataset: WaveformDataset | str | Path, window: Window) -> WaveformDataset:
    """Return a view of the data set with the rate and components of the window, and check it."""
    dataset = open_unchecked(dataset, window)
    _check_units(dataset)
    missing = [column for column in NEEDED_COLUMNS if column not in dataset.metadata]
    if missing:
        raise DatasetError(
            f"The data set lacks the metadata columns {', '.join(missing)}; "
            f"required are {', '.join(NEEDED_COLUMNS)}."
        )
    return dataset


def open_unchecked(dataset: WaveformDataset | str | Path, window: Window) -> WaveformDataset:
    """Return a view of the data set with the rate and components of the window, unchecked."""
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
    """Raise an error for counts, and log a warning for normalised amplitudes."""
    unit = str(dataset.data_format.get("unit", "")).lower()
    if unit == "counts":
        raise DatasetError(
            "The data set is in counts, but must be velocity in m/s; `cgmgm-seis dataset "
            "from-seisbench --normalise-amplitudes` converts it to normalised records without "
            "amplitudes."
        )
    if unit == "normalised":
        logger.warning("The records are normalised; their amplitudes have no physical meaning.")


def restore_codes(dataset: WaveformDataset) -> None:
    """Read network, station and location codes of all chunks of a data set as text.

    SeisBench's reader converts location 00 to 0 and network NA to a missing value.
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
    """Return the usable rows, and log and return the numbers of other rows by reason.

    Usable rows have all values and components and belong to a primary instrument.
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
    """Return which records belong to the primary instrument of their event and station.

    These are all records whose `PRIMARY` is not false, including those without a value, for which
    it is unknown which of several instruments to use.
    """
    return ~flagged(metadata, PRIMARY, False)


def repeated_records(scenario: pd.DataFrame) -> int:
    """Return the number of records with the same event and station code as another record."""
    if not set(PAIR_COLUMNS) <= set(scenario):
        return 0
    named = scenario[scenario["station_code"].notna() & (scenario["station_code"] != "")]
    return int(named.duplicated(PAIR_COLUMNS, keep=False).sum())


def flagged(metadata: pd.DataFrame, column: str, flag: bool = True) -> NDArray[np.bool_]:
    """Return which rows have this value of a flag; a missing flag is neither true nor false."""
    if column not in metadata:
        return np.zeros(len(metadata), bool)
    known = metadata[column].astype("string").str.lower().map(_FLAGS)
    return np.asarray(known.eq(flag).fillna(False), bool)


def first_samples(metadata: pd.DataFrame, window: Window) -> NDArray[np.float64]:
    """Return the sample of each trace at which the window starts."""
    times = [
        pd.to_datetime(metadata[column], utc=True, format="ISO8601")
        for column in ("source_origin_time", "trace_start_time")
    ]
    before_s = (times[0] - times[1]).dt.total_seconds().to_numpy()
    return np.round((before_s + window.start_offset_s) * window.sampling_rate)


def shortest(window: Window) -> float:
    """Return the least number of valid samples of a record."""
    return min(SHORTEST_S * window.sampling_rate, window.n_samples)


def trace_spans(metadata: pd.DataFrame, window: Window) -> Spans:
    """Return the valid span of every trace, samples after the start of the window, (record, 2)."""
    columns = [column for column in (VALID_START, VALID_END) if column in metadata]
    if not columns:
        return valid_spans(metadata, window.n_samples)
    rates = pd.to_numeric(metadata["trace_sampling_rate_hz"], errors="coerce")
    samples = metadata[columns].apply(pd.to_numeric, errors="coerce")
    scaled = samples.mul(window.sampling_rate / rates, axis=0)
    return valid_spans(scaled.sub(first_samples(metadata, window), axis=0), window.n_samples)


def _has_gap(record: NDArray[Any], sampling_rate: float) -> bool:
    """Return whether a component is constant for at least `GAP_S`, as in a filled gap."""
    still = np.diff(record, axis=-1, prepend=np.nan, append=np.nan) == 0.0
    for component in still:
        # Samples that differ from the one before; between two of them the record is constant.
        moves = np.flatnonzero(~component)
        if np.diff(moves).max(initial=0) >= max(int(GAP_S * sampling_rate), 2):
            return True
    return False


def _scenario(
    rows: list[dict[str, Any]], starts: NDArray[np.int_], sampling_rate: float
) -> pd.DataFrame:
    """Return the scenario table of records cut at `starts`; path columns are computed again."""
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
    """Log the numbers of records left out, and return those that are not zero by reason."""
    found = {reason: count for reason, count in reasons.items() if count}
    for reason, count in found.items():
        logger.warning("%d records left out: %s.", count, reason)
    return found
