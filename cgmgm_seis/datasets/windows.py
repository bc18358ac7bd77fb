"""Reading SeisBench data sets as records of equal length, cut relative to the origin time."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from seisbench.data import WaveformDataset
from tqdm.auto import tqdm

from cgmgm_seis.datasets.components import (
    STILL,
    component_hint,
    letters,
    moving,
    moving_components,
)
from cgmgm_seis.datasets.lazy_waveforms import LazyWaveforms
from cgmgm_seis.datasets.metadata import TIME_COLUMNS, open_as_written, tidy_metadata
from cgmgm_seis.datasets.samples import sample_or_none
from cgmgm_seis.datasets.units import UNIT_COLUMNS, velocity_factors
from cgmgm_seis.errors import DatasetError, reason_of
from cgmgm_seis.scenario.columns import LIMITS, PATH_COLUMNS, REQUIRED_COLUMNS
from cgmgm_seis.scenario.spans import VALID_END, VALID_START, Spans, partial, valid_spans
from cgmgm_seis.scenario.table import check_scenario
from cgmgm_seis.scenario.times import read_times, time_texts
from cgmgm_seis.scenario.window import Window

logger = logging.getLogger(__name__)

SPLITS = ("train", "dev", "test")
NEEDED_COLUMNS = ("source_id", "source_origin_time", "trace_start_time", *REQUIRED_COLUMNS)
CODE_COLUMNS = ("station_network_code", "station_code", "station_location_code")
# Internal columns of SeisBench, which do not describe the cut record.
BOOKKEEPING = ("index", "trace_source_sampling_rate_hz", "trace_chunk")
# Flag of the record to use if there are several records of an event at a station.
PRIMARY = "trace_is_primary"
NOT_PRIMARY = f"not of the primary instrument of their event and station ({PRIMARY})"
PAIR_COLUMNS = ["source_id", "station_network_code", "station_code"]
# Sampling rates of records, Hz; others are damaged values, which resampling would not end with.
RATE, RATES_HZ = "trace_sampling_rate_hz", (0.01, 1e5)
_FLAGS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
UNCOVERED = "not covering the window, or with a gap"
# Constant samples for this time, anywhere in a record, are regarded as a filled gap, seconds.
GAP_S = 1.0
# Shortest part of a record within the window that is used, seconds.
SHORTEST_S = 10.0


def read_records(
    dataset: WaveformDataset | str | Path,
    window: Window,
    strict: bool = False,
    progress: bool = False,
    units: str = "",
) -> tuple[NDArray[np.float32], pd.DataFrame]:
    """Read the records of a data set that cover a window around the origin time.

    Records are cut to the window, to the nearest sample, and not padded.  Records that do not
    cover it, lack a component, a readable time or a coordinate, are NaN or constant on a component,
    are not in a unit of velocity, or belong to a second instrument according to the column
    `PRIMARY` are left out, and their number is logged.  Without that column all instruments of a
    station are used, and the number of records with the same event and station is logged.  Records
    with other sampling rates are resampled by SeisBench, and units such as cm/s are converted to
    m/s, which is logged as well.
    Records with a valid span (see
    `cgmgm_seis.scenario.spans`) are zero outside it, and are used if at least `SHORTEST_S` of it
    are within the window.

    Parameters
    ----------
    dataset : seisbench.data.WaveformDataset, str or pathlib.Path
        Data set in a unit of velocity, or the folder with its metadata.csv and waveforms.hdf5.
    window : Window
        Window of the returned records.
    strict : bool
        Raise an error if a record cannot be used, other than those of second instruments.
    progress : bool
        Show a progress bar if stderr is a terminal.
    units : str
        Unit of the samples if the data set does not state it, such as "m/s" or "cm/s".

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
        If the data set cannot be read, lacks columns, is not in a unit of velocity, or no records
        are left; or if a record cannot be used and `strict` is set.
    """
    lazy, waveforms, scenario = _read(dataset, window, strict, progress, units, keep=True)
    assert waveforms is not None
    return waveforms[: len(lazy)], scenario


def scan_records(
    dataset: WaveformDataset | str | Path,
    window: Window,
    strict: bool = False,
    progress: bool = False,
    units: str = "",
) -> tuple[LazyWaveforms, pd.DataFrame]:
    """Check all records as `read_records` does, but do not keep them in memory.

    Parameters, errors and scenario table are those of `read_records`; the waveforms are read
    again from the data set when they are indexed.
    """
    lazy, _, scenario = _read(dataset, window, strict, progress, units, keep=False)
    return lazy, scenario


def _read(
    dataset: WaveformDataset | str | Path,
    window: Window,
    strict: bool,
    progress: bool,
    units: str,
    keep: bool,
) -> tuple[LazyWaveforms, NDArray[np.float32] | None, pd.DataFrame]:
    """Read and check all records; return them lazily, as an array if `keep`, and their scenario."""
    dataset = open_dataset(dataset, window)
    metadata = dataset.metadata
    factors = velocity_factors(dataset, units)
    rows, left_out = usable_rows(metadata, window.component_order, np.isfinite(factors))
    firsts = first_samples(metadata, window)
    spans = trace_spans(metadata, window)
    _say_resampled(metadata.iloc[rows], window.sampling_rate)

    n_samples = window.n_samples
    shape = (len(rows), len(window.component_order), n_samples)
    waveforms = np.zeros(shape, dtype=np.float32) if keep else None
    kept: list[dict[str, Any]] = []
    kept_rows: list[int] = []
    starts: list[int] = []
    unused: Counter[str] = Counter()
    bad: list[str] = []
    for row in tqdm(rows, desc="Reading", unit="rec", disable=None if progress else True):
        first = int(firsts[row])
        if (found := sample_or_none(dataset, int(row), unused)) is None:
            bad.append(f"row {row}")
            continue
        record, values = found
        cut = record[:, max(first, 0) : first + n_samples]
        inside = slice(*spans[row])
        if fault := _fault(cut, inside, first, window):
            unused[fault] += 1
            bad.append(str(values["trace_name"]))
            continue
        if waveforms is not None:
            waveforms[len(kept), :, inside] = factors[row] * cut[:, inside]
        kept.append(values)
        kept_rows.append(int(row))
        starts.append(first)

    left_out |= say_left_out(unused)
    if not kept:
        orders = metadata["trace_component_order"].astype(str)
        raise DatasetError(
            f"None of the {len(metadata)} records covers {window.start_offset_s:g} s to "
            f"{window.end_offset_s:g} s after the origin time with motion on the components "
            f"{window.component_order}; "
            f"{component_hint(orders, left_out, window.component_order)}."
        )
    if strict:
        _refuse(left_out, bad, len(metadata))
    spans = spans[kept_rows]
    scenario = _scenario(kept, np.array(starts), window.sampling_rate)
    if shortened := int(partial(spans, n_samples).sum()):
        scenario = scenario.assign(**{VALID_START: spans[:, 0], VALID_END: spans[:, 1]})
        logger.info("%d of %d records fill only a part of the window.", shortened, len(kept))
    scenario = scenario.assign(trace_component_order=window.component_order, trace_npts=n_samples)
    converted = factors[kept_rows] != 1.0
    for column in scenario.columns.intersection([*UNIT_COLUMNS]):
        scenario[column] = scenario[column].mask(converted, "m/s")
    scenario.attrs["left_out"] = left_out
    if repeated := repeated_records(scenario):
        logger.warning(
            "%d records have the same event and station as another record; all of them are used "
            "(use the column %s to select one).",
            repeated,
            PRIMARY,
        )
    own = np.array(kept_rows), np.array(starts), spans, n_samples, factors[kept_rows]
    return LazyWaveforms(dataset, *own), waveforms, scenario


def _refuse(left_out: dict[str, int], names: list[str], n_records: int) -> None:
    """Raise if records were left out that are not of second instruments; name some of them."""
    counts = {reason: count for reason, count in left_out.items() if reason != NOT_PRIMARY}
    if counts:
        reasons = "; ".join(f"{count} {reason}" for reason, count in counts.items())
        examples = f", for example {', '.join(names[:3])}" if names else ""
        raise DatasetError(
            f"{sum(counts.values())} of {n_records} records cannot be used ({reasons}{examples}); "
            "without --strict (strict=True) they are left out."
        )


def open_dataset(dataset: WaveformDataset | str | Path, window: Window) -> WaveformDataset:
    """Return a view of the data set with the rate and components of the window, and check it."""
    dataset = open_unchecked(dataset, window)
    missing = [column for column in NEEDED_COLUMNS if column not in dataset.metadata]
    if missing:
        raise DatasetError(
            f"The data set lacks the metadata columns {', '.join(missing)}; "
            f"required are {', '.join(NEEDED_COLUMNS)}."
        )
    return dataset


def choose_components(dataset: WaveformDataset | str | Path, window: Window) -> Window:
    """Return the window with the components that most records of a data set have.

    These are the most of the window's components on which at least half of the records move,
    according to some records that are read; other components are named in the log.  The window is
    returned as it is if the data set lacks columns, which reading it would report.

    Raises
    ------
    DatasetError
        If the data set cannot be read.
    """
    dataset = open_unchecked(dataset, window)
    if not set(TIME_COLUMNS) <= set(dataset.metadata):
        return window
    own = moving_components(dataset, first_samples(dataset.metadata, window), window.n_samples)
    if lacking := ", ".join(letter for letter in window.component_order if letter not in own):
        logger.warning(
            "Components %s are not used: most records have motion on %s only.",
            lacking,
            ", ".join(own),
        )
    return replace(window, component_order=own)


def open_unchecked(dataset: WaveformDataset | str | Path, window: Window) -> WaveformDataset:
    """Return a view of the data set with the rate and components of the window, unchecked."""
    try:
        if isinstance(dataset, WaveformDataset):
            dataset = dataset.copy()
        else:
            dataset = open_as_written(
                WaveformDataset,
                Path(dataset),
                component_order=window.component_order,
                sampling_rate=window.sampling_rate,
            )
            restore_codes(dataset)
        dataset.sampling_rate = window.sampling_rate
        dataset.dimension_order = "NCW"
        dataset.component_order = window.component_order
        tidy_metadata(dataset.metadata)
        dataset.metadata_cache = dataset.metadata_cache  # rebuilt, if there is one
    except KeyError as error:
        raise DatasetError(
            f"{dataset} is not a readable SeisBench data set: it lacks {error}."
        ) from error
    except Exception as error:  # pandas, HDF5 and SeisBench raise any kind for damaged files
        raise DatasetError(
            f"{dataset} is not a readable SeisBench data set: {reason_of(error)}."
        ) from error
    return dataset


def restore_codes(dataset: WaveformDataset) -> None:
    """Read network, station and location codes of all chunks of a data set as text.

    SeisBench's reader converts location 00 to 0 and network NA to a missing value.

    Examples
    --------
    >>> dataset = WaveformDataset("my_dataset")  # doctest: +SKIP
    >>> restore_codes(dataset)  # doctest: +SKIP
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
    metadata: pd.DataFrame, component_order: str, velocity: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.intp], dict[str, int]]:
    """Return the usable rows, and log and return the numbers of other rows by reason.

    Usable rows have all values and components, belong to a primary instrument and, if `velocity`
    is given, are marked there as records in a unit of velocity.
    """
    faults = _faults(metadata)
    known = ~faults.any(axis=1)
    if not known.all():
        row = int(np.argmin(known))
        column = faults.columns[faults.iloc[row]][0]
        logger.warning(
            "Row %d of the metadata (from 0) is the first with an impossible or missing %s.",
            row,
            column,
        )
    orders = metadata["trace_component_order"].astype(str)
    complete = orders.map(lambda order: set(component_order) <= {*order})
    usable, left_out = np.ones(len(metadata), bool), dict[str, int]()
    conditions = {
        "without a magnitude, a readable time, a rate or possible coordinates": known,
        f"without all of the components {component_order}": complete,
        NOT_PRIMARY: primary_records(metadata),
        "not in a unit of velocity": usable if velocity is None else velocity,
    }
    for reason, condition in conditions.items():
        passed = np.asarray(condition, bool)
        left_out[reason] = int((usable & ~passed).sum())
        usable = usable & passed
    return np.flatnonzero(usable), say_left_out(left_out)


def _faults(metadata: pd.DataFrame) -> pd.DataFrame:
    """Return which rows have a missing or impossible value, by column."""
    faults = metadata[list(NEEDED_COLUMNS)].isna()
    for column, (low, high) in {**LIMITS, RATE: RATES_HZ}.items():
        faults[column] = ~pd.to_numeric(metadata[column], errors="coerce").between(low, high)
    return faults


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
    origins, starts = (read_times(metadata[column]) for column in TIME_COLUMNS)
    before_s = (origins - starts).dt.total_seconds().to_numpy()
    return np.round((before_s + window.start_offset_s) * window.sampling_rate)


def _fault(cut: NDArray[Any], inside: slice, first: int, window: Window) -> str:
    """Return why a record, cut at its sample `first`, cannot be used; empty if it can."""
    valid = cut[:, inside]
    if first < 0 or cut.shape[-1] < window.n_samples or valid.shape[-1] < shortest(window):
        return UNCOVERED
    if not (in_motion := moving(valid)).all():
        return STILL + letters(window.component_order, ~in_motion)
    return UNCOVERED if _has_gap(valid, window.sampling_rate) else ""


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
    trace_starts = read_times(table["trace_start_time"])
    trace_starts += pd.to_timedelta(np.round(starts / sampling_rate * 1e6), unit="us")
    return check_scenario(
        table.assign(
            source_id=table["source_id"].astype(str),
            trace_start_time=time_texts(trace_starts),
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


def say_left_out(reasons: Mapping[str, int]) -> dict[str, int]:
    """Log the numbers of records left out, and return those that are not zero by reason."""
    found = {reason: count for reason, count in reasons.items() if count}
    for reason, count in found.items():
        logger.warning("%d records left out: %s.", count, reason)
    return found
