"""The part of a recording that is kept when an archive becomes a data set.

Triggered instruments record a minute or two, and others have gaps.  A recording is kept if its part
without gaps around P, less the ends that tapers and filters change, covers what `needed_s` states.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from obspy import Stream, UTCDateTime

from cgmgm_seis.datasets.records import TAPER_FRACTION
from cgmgm_seis.errors import DatasetError
from cgmgm_seis.scenario.spans import partial, valid_spans
from cgmgm_seis.scenario.window import Window

logger = logging.getLogger(__name__)

# Noise that is needed before P of the 1-D model, and the least time that is needed after S, s.
NOISE_S, AFTER_S_S = 2.0, 10.0

Part = tuple[UTCDateTime, UTCDateTime]


def usable_part(
    traces: Stream,
    start: UTCDateTime,
    onsets_s: tuple[float, float],
    window: Window,
    low_hz: float,
    bridge_gaps: bool = False,
) -> tuple[Part, tuple[int, int]]:
    """Return the part of a recording to process, and the valid span of the result.

    Parameters
    ----------
    traces, bridge_gaps
        As in `common_part`.
    start : obspy.UTCDateTime
        Start of the window.
    onsets_s : tuple of float
        P and S times of the 1-D model, seconds after the start of the window.
    window : Window
        Window of the result.
    low_hz : float
        Lower limit of the band, Hz.

    Raises
    ------
    DatasetError
        If the span does not cover what is needed.
    """
    part = common_part(traces, start + onsets_s[0], bridge_gaps)
    rate = window.sampling_rate
    span = valid_samples(part, start, window.n_samples, rate, low_hz)
    needed = needed_s(*onsets_s, window.duration_s)
    if span[0] > np.ceil(needed[0] * rate) or span[1] < np.floor(needed[1] * rate):
        gaps_s = [gap[6] for gap in traces.get_gaps() if gap[6] > 0.0 and not bridge_gaps]
        gaps = f" has {len(gaps_s)} gap(s) of {sum(gaps_s):.3g} s and" if gaps_s else ""
        raise DatasetError(
            f"{traces[0].id[:-1]}{gaps} does not cover the arrivals: it is valid from "
            f"{span[0] / rate:.2f} to {span[1] / rate:.2f} s after the start of the window; "
            f"{needed[0]:.2f} to {needed[1]:.2f} s are needed."
        )
    return part, span


def needed_s(p_s: float, s_s: float, duration_s: float) -> tuple[float, float]:
    """Return what a record must cover: 2 s before P to 10 s, or S - P if longer, after S.

    Parameters
    ----------
    p_s, s_s : float
        P and S times of the 1-D model, seconds after the start of the window.
    duration_s : float
        Duration of the window, at whose ends the result is cut.

    Examples
    --------
    >>> needed_s(8.0, 11.0, 60.0), needed_s(20.0, 35.0, 60.0)
    ((6.0, 21.0), (18.0, 50.0))
    """
    return max(p_s - NOISE_S, 0.0), min(s_s + max(AFTER_S_S, s_s - p_s), duration_s)


def common_part(traces: Stream, time: UTCDateTime, bridge_gaps: bool = False) -> Part:
    """Return start and end of the part around a time that all components recorded without gaps.

    Parameters
    ----------
    traces : obspy.Stream
        Traces of the components of one instrument, one or several for each.
    time : obspy.UTCDateTime
        A time; if it is in a gap, the part is after the gap.
    bridge_gaps : bool
        Disregard gaps.
    """
    channels = {trace.id for trace in traces}
    own = [[trace.stats for trace in traces if trace.id == channel] for channel in channels]
    first = max(min(stats.starttime for stats in part) for part in own)
    last = min(max(stats.endtime for stats in part) for part in own)
    for *_, before, after, gap_s, _ in traces.get_gaps():
        if gap_s <= 0.0 or bridge_gaps:
            continue
        if before >= time:
            last = min(last, before)
        else:
            first = max(first, after)
    return first, last


def valid_samples(
    part: Part,
    start: UTCDateTime,
    n_samples: int,
    sampling_rate: float,
    low_hz: float,
) -> tuple[int, int]:
    """Return the first sample of the window that a part covers, and the one after the last.

    At each end, the part is shorter by its taper and by one period of the lower limit of the band,
    the time in which the filters' response to the end decays.

    Parameters
    ----------
    part : tuple of obspy.UTCDateTime
        See `common_part`.
    start : obspy.UTCDateTime
        Start of the window.
    n_samples, sampling_rate
        Samples of the window, and their rate, Hz.
    low_hz : float
        Lower limit of the band, Hz.

    Examples
    --------
    >>> origin = UTCDateTime("2019-10-15T05:33:42")
    >>> valid_samples((origin - 20, origin + 40), origin - 5, 6000, 100.0, 0.5)
    (0, 4151)
    """
    first, last = part
    edge_s = 0.5 * TAPER_FRACTION * (last - first) + 1.0 / low_hz
    # Times are known to a microsecond.
    begin = int(np.ceil((first + edge_s - start) * sampling_rate - 0.01))
    end = int(np.floor((last - edge_s - start) * sampling_rate + 0.01)) + 1
    return min(max(begin, 0), n_samples), min(max(end, 0), n_samples)


def say_partial(rows: Sequence[Mapping[str, Any]], window: Window) -> None:
    """Log how many records fill only a part of the window."""
    spans = valid_spans(pd.DataFrame(rows), window.n_samples)
    if shortened := int(partial(spans, window.n_samples).sum()):
        logger.info("%d of %d records fill only a part of the window.", shortened, len(rows))
