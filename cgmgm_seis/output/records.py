"""Generated records on their way to files, and the names of files of single traces."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from obspy import Stream, Trace

Arrivals = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class RecordsPart:
    """Records of some rows of a scenario; writers take them part by part.

    Parameters
    ----------
    stream : obspy.Stream
        Created by `to_stream` from `scenario`, with traces in the same order.
    scenario : pandas.DataFrame
        These rows of the scenario table.
    arrivals : tuple of numpy.ndarray
        P and S times of the rows, seconds after the origin time.
    """

    stream: Stream
    scenario: pd.DataFrame
    arrivals: Arrivals

    @property
    def per_row(self) -> int:
        """Number of traces of a row."""
        return len(self.stream) // len(self.scenario)

    @cached_property
    def components(self) -> str:
        """Components of a record, in their order."""
        return "".join(dict.fromkeys(t.stats.component for t in self.stream[: self.per_row]))

    def traces(self) -> Iterator[tuple[int, Trace]]:
        """Yield every trace after its row."""
        per_row = self.per_row
        for number, trace in enumerate(self.stream):
            yield number // per_row, trace


def file_stem(trace: Trace, codes: str) -> str:
    """Return the name of a file of one trace or record: codes and start time.

    Examples
    --------
    >>> file_stem(Trace(header={"network": "SY", "station": "V0000"}), "SY.V0000.00.HXZ")
    'SY.V0000.00.HXZ.19700101T000000'
    """
    return f"{codes}.{trace.stats.starttime.strftime('%Y%m%dT%H%M%S')}"
