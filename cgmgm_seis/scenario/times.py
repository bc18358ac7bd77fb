"""Times in tables: text in ISO 8601, pandas and ObsPy times, and seconds since 1970."""

import logging
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from obspy import UTCDateTime

from cgmgm_seis.errors import ScenarioError

logger = logging.getLogger(__name__)

TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
# Numbers are seconds since 1970 if their size is within these limits, which stand for 1973 to 2100
# and for 1896 to 1966.  Smaller ones could as well be a year or a date such as 20191015, and larger
# ones are in milliseconds or without unit.
EPOCH_SECONDS = (1e8, 4.1e9)


def read_times(values: "pd.Series[Any] | Iterable[Any]") -> "pd.Series[Any]":
    """Read a column of times.

    Texts are dates and times in ISO 8601 with the year first, with ``T`` or a blank between date
    and time; they are in UTC unless they end in an offset such as ``+02:00``.  Times of pandas,
    Python and ObsPy may be mixed with them.  Numbers, also as text, are seconds since
    1970-01-01 UTC, to the microsecond, which is logged.

    Parameters
    ----------
    values : pandas.Series or iterable
        The times; the name of a series is used in the log.

    Returns
    -------
    pandas.Series
        Timestamps in UTC with the index of `values`; NaT where a value cannot be read.

    Examples
    --------
    >>> times = read_times(["2019-10-15 05:33:42.81", "2019-10-15T07:33:42.81+02:00", "noon"])
    >>> times.dt.tz_localize(None).tolist()
    [Timestamp('2019-10-15 05:33:42.810000'), Timestamp('2019-10-15 05:33:42.810000'), NaT]
    >>> int(read_times([1571117622.81]).dt.year.iloc[0])
    2019
    """
    column = values if isinstance(values, pd.Series) else pd.Series(list(values), dtype=object)
    texts = column.astype(str).str.strip().str.replace(r"\s*(?:UTC|GMT)$", "", regex=True)
    texts = texts.where(column.notna(), "")
    numbers = pd.to_numeric(texts, errors="coerce")
    # A year or a date in digits is a number, and ambiguous.
    texts = texts.where(numbers.isna(), "")
    times = pd.to_datetime(texts, utc=True, format="ISO8601", errors="coerce").dt.as_unit("us")
    epoch = numbers.abs().between(*EPOCH_SECONDS)
    if epoch.any():
        microseconds = np.round(numbers[epoch].to_numpy(float) * 1e6).astype(np.int64)
        times[epoch] = pd.to_datetime(microseconds, unit="us", utc=True)
        logger.info(
            "%d numbers of %s are read as seconds since 1970-01-01 UTC.",
            int(epoch.sum()),
            column.name or "a column of times",
        )
    return times


def time_texts(times: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return timestamps as text in ISO 8601, UTC, with microseconds; missing where they are NaT.

    Examples
    --------
    >>> time_texts(read_times(["2019-10-15 05:33:42.81", "noon"])).tolist()
    ['2019-10-15T05:33:42.810000Z', nan]
    """
    return times.dt.strftime(TIME_FORMAT)


def utc(time: UTCDateTime | str) -> UTCDateTime:
    """Return a time as ObsPy's, or raise `ScenarioError` if it cannot be read."""
    try:
        return UTCDateTime(time)
    except Exception as error:  # ObsPy raises several kinds of errors
        raise ScenarioError(
            f"'{time}' is not a time; it must be an obspy.UTCDateTime or a text such as "
            "2019-10-15T05:33:42.81."
        ) from error
