"""Times of tables against ObsPy's, in the forms that data sets and catalogues have them."""

import datetime
import logging

import numpy as np
import pandas as pd
import pytest
from obspy import UTCDateTime

from cgmgm_seis.scenario.times import read_times, time_texts

TIME = UTCDateTime("2019-10-15T05:33:42.81")
TEXT = "2019-10-15T05:33:42.810000Z"


@pytest.mark.parametrize(
    "value",
    [
        TEXT,
        "2019-10-15T05:33:42.81",
        " 2019-10-15 05:33:42.810 ",
        "2019-10-15 05:33:42.810+00:00",
        "2019-10-15T07:33:42.81+0200",
        "2019-10-14T22:33:42.81-07:00",
        "2019/10/15 05:33:42.81",
        "2019-10-15 05:33:42.81 UTC",
        "20191015T053342.81",
        TIME,
        TIME.datetime,
        TIME.datetime.replace(tzinfo=datetime.UTC),
        pd.Timestamp(TEXT),
        np.datetime64("2019-10-15T05:33:42.81"),
        TIME.timestamp,
        "1571117622.81",
    ],
)
def test_the_same_time_in_every_form(value):
    assert time_texts(read_times([value])).tolist() == [TEXT]


@pytest.mark.parametrize(
    "value",
    [
        "noon",
        "",
        None,
        np.nan,
        pd.NaT,
        2019,
        20191015,
        0,
        -1,
        1571117622810.0,
        np.inf,
        "2019-13-01",
    ],
)
def test_what_is_no_time_is_missing(value):
    """A year or a date as a number is not 1970, and milliseconds are no year 51757."""
    assert read_times([TEXT, value]).isna().tolist() == [False, True]


def test_numbers_are_seconds_before_and_after_1970_to_the_microsecond(caplog):
    times = [UTCDateTime(1906, 4, 18, 13, 12, 27), UTCDateTime("1989-10-18T00:04:15.123457")]
    table = pd.DataFrame({"t": [time.timestamp for time in times]}, index=[7, 3])
    with caplog.at_level(logging.INFO):
        found = read_times(table["t"])
    assert found.index.tolist() == [7, 3]
    assert [UTCDateTime(text) for text in time_texts(found)] == times
    assert "2 numbers of t are read as seconds since 1970-01-01 UTC" in caplog.text


def test_a_column_that_pandas_has_read():
    column = pd.Series(pd.to_datetime([TEXT, None], utc=True))
    assert time_texts(read_times(column)).tolist()[0] == TEXT
    assert read_times(column).isna().tolist() == [False, True]
    assert read_times([]).empty
