"""Waveforms of a data set that are read when they are needed."""

import numpy as np
from numpy.typing import NDArray
from seisbench.data import WaveformDataset

from cgmgm_seis.datasets.samples import read_sample
from cgmgm_seis.scenario.spans import Spans


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
    factors : numpy.ndarray
        Factor to m/s of each record.
    """

    def __init__(
        self,
        dataset: WaveformDataset,
        rows: NDArray[np.intp],
        starts: NDArray[np.intp],
        spans: Spans,
        n_samples: int,
        factors: NDArray[np.float64],
    ) -> None:
        self.dataset, self.rows, self.starts = dataset, rows, starts
        self.spans, self.n_samples, self.factors = spans, n_samples, factors

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: slice | NDArray[np.intp]) -> NDArray[np.float32]:
        records = [
            factor * read_sample(self.dataset, int(row))[0][:, start : start + self.n_samples]
            for row, start, factor in zip(
                self.rows[index], self.starts[index], self.factors[index], strict=True
            )
        ]
        found = np.stack(records).astype(np.float32, copy=False)
        for record, (first, last) in zip(found, self.spans[index], strict=True):
            record[:, :first] = record[:, last:] = 0.0
        return found

    def part(self, index: NDArray[np.intp]) -> "LazyWaveforms":
        """Return a selection of the records without reading them."""
        own = self.rows[index], self.starts[index], self.spans[index], self.n_samples
        return LazyWaveforms(self.dataset, *own, self.factors[index])
