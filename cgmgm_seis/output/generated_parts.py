"""Generated velocity on its way to files: measured, converted, cut, some of it kept for figures.

Records come part by part, and only those of figures stay in memory.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
from obspy import Stream, Trace

from cgmgm_seis.output.quantities import converted
from cgmgm_seis.output.records import Arrivals, RecordsPart


class GeneratedParts:
    """What becomes of the records of a scenario.

    Parameters
    ----------
    scenario : pandas.DataFrame
        The whole scenario table.
    arrivals : tuple of numpy.ndarray
        P and S times of every row, seconds after the origin time.
    samples : slice
        Samples of the records that are written.
    quantity : str
        Quantity that is written, see `cgmgm_seis.output.quantities.converted`.
    kept_rows : collection of int
        Rows whose first realization is kept for figures.
    """

    def __init__(
        self,
        scenario: pd.DataFrame,
        arrivals: Arrivals,
        samples: slice,
        quantity: str,
        kept_rows: Collection[int] = (),
    ) -> None:
        self.scenario = scenario
        self.arrivals = arrivals
        self.samples = samples
        self.quantity = quantity
        self.kept: dict[int, list[Trace]] = {row: [] for row in kept_rows}
        self.tables: list[pd.DataFrame] = []

    def records(
        self,
        parts: Iterable[tuple[slice, Stream]],
        measures: bool = True,
        periods: Sequence[float] | None = None,
    ) -> Iterator[RecordsPart]:
        """Yield what is to be written of parts of velocity, m/s.

        Parameters
        ----------
        parts : iterable
            Result of `GroundMotionModel.generate_parts`.
        measures : bool
            Whether to measure the records, see `measures`.
        periods : sequence of float, optional
            As in `cgmgm_seis.output.measures_table.measures_table`.
        """
        for rows, velocity in parts:
            scenario = self.scenario.iloc[rows]
            if measures:
                from cgmgm_seis.output.measures_table import measures_table

                self.tables.append(measures_table(velocity, scenario, periods))
            p, s = self.arrivals
            arrivals = p[rows], s[rows]
            written = _cut(converted(velocity, self.quantity), self.samples)
            if self.kept:
                shown = written if self.quantity == "velocity" else _cut(velocity, self.samples)
                self._keep(rows.start, RecordsPart(shown, scenario, arrivals))
            yield RecordsPart(written, scenario, arrivals)

    def _keep(self, first: int, records: RecordsPart) -> None:
        """Copy the first realization of rows that are kept."""
        for place, trace in records.traces():
            if first + place in self.kept and trace.stats.location == "00":
                self.kept[first + place].append(Trace(trace.data.copy(), trace.stats))

    @property
    def measures(self) -> pd.DataFrame | None:
        """Measures of the records so far, or None if they are not measured."""
        return pd.concat(self.tables, ignore_index=True) if self.tables else None

    def shown(self, rows: Sequence[int]) -> RecordsPart:
        """Return velocity of the first realization of rows that were kept."""
        stream = Stream([trace for row in rows for trace in self.kept[row]])
        places = np.asarray(rows)
        p, s = self.arrivals
        return RecordsPart(stream, self.scenario.iloc[places], (p[places], s[places]))


def _cut(stream: Stream, samples: slice) -> Stream:
    """Return the chosen samples of every trace."""
    if (samples.start, samples.stop) == (0, stream[0].stats.npts):
        return stream
    start, rate = stream[0].stats.starttime, stream[0].stats.sampling_rate
    return stream.slice(start + samples.start / rate, start + (samples.stop - 1) / rate)
