"""Waveform files of a task: MiniSEED of every realization, or a chunk of a SeisBench data set."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from obspy import Stream

from cgmgm_seis.errors import OutputError
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.output.seisbench_writer import DatasetWriter, chunk_files, write_labelled
from cgmgm_seis.scenario.streams import location_code, to_stream
from cgmgm_seis.storage.obspy_bytes import to_bytes

FORMATS = ("mseed", "seisbench")
ENCODINGS = {"float32": "FLOAT32", "steim2": "STEIM2"}
# Counts a m/s of integer waveforms: a picometre a second.  Steim-2 takes differences of 29 bits.
COUNTS_PER_M_S = 1e12
LARGEST_DIFFERENCE = 2**29 - 1


@dataclass(frozen=True)
class WaveformFiles:
    """How the waveforms of some nodes and all realizations are kept.

    Parameters
    ----------
    format, encoding : str
        "mseed", or "seisbench", a data set whose P and S are labelled; "float32", or, of MiniSEED,
        "steim2": integers of `COUNTS_PER_M_S` or less a m/s.

    Raises
    ------
    OutputError
        If one of them is unknown, or they do not go together.
    """

    format: str
    encoding: str

    def __post_init__(self) -> None:
        for what, value, known in (
            ("Format", self.format, FORMATS),
            ("Encoding", self.encoding, ENCODINGS),
        ):
            if value not in known:
                raise OutputError(f"{what} '{value}' is unknown; {' and '.join(known)} are known.")
        if self.format == "seisbench" and self.encoding != "float32":
            raise OutputError(
                f"Format seisbench has no encoding '{self.encoding}'; float32 is its only one."
            )

    def names(self, first: int, last: int, n_realizations: int) -> list[str]:
        """Return the names of the files of the nodes from `first` to before `last`."""
        if self.format == "seisbench":
            return list(chunk_files(self.chunk(first, last)))
        nodes = _nodes_name(first, last)
        return [f"realization_{k:04d}/{nodes}.mseed" for k in range(n_realizations)]

    def chunk(self, first: int, last: int) -> str:
        """Return the name of these nodes' chunk of a data set."""
        return f"_{_nodes_name(first, last)}"

    def contents(
        self, model: GroundMotionModel, scenario: pd.DataFrame, records: NDArray[np.float32]
    ) -> tuple[list[bytes], NDArray[np.float64]]:
        """Return the content of every file.

        Parameters
        ----------
        model : GroundMotionModel
            What drew the records.
        scenario : pandas.DataFrame
            Of the nodes.
        records : numpy.ndarray
            Velocity, m/s, (node, realization, component, sample).

        Returns
        -------
        list of bytes, numpy.ndarray
            Of every one of `names`, and the counts of 1 m/s (realization, node x component).
        """
        if self.format == "seisbench":
            ones = np.ones((records.shape[1], len(records) * records.shape[2]))
            return _seisbench_chunk(model, scenario, records), ones
        streams = [self._stream(model, scenario, records[:, k], k) for k in range(records.shape[1])]
        encoding = ENCODINGS[self.encoding]
        contents = [to_bytes(stream, "MSEED", encoding=encoding) for stream in streams]
        return contents, np.array([[trace.stats.counts for trace in stream] for stream in streams])

    def _stream(
        self, model: GroundMotionModel, scenario: pd.DataFrame, records: NDArray[np.float32], k: int
    ) -> Stream:
        """Return the records (node, component, sample) of one realization."""
        stream = to_stream(records[:, None], scenario, model.window)
        for trace in stream:
            trace.stats.location = location_code(k)
            trace.stats.counts = 1.0
            if self.encoding == "steim2":
                trace.stats.counts = _counts(trace.data)
                trace.data = np.rint(trace.data * trace.stats.counts).astype(np.int32)
        return stream


def _nodes_name(first: int, last: int) -> str:
    return f"nodes_{first:07d}-{last - 1:07d}"


def _counts(data: NDArray[np.float32]) -> float:
    """Return a power of ten, the counts of 1 m/s, that Steim-2 can hold."""
    step = float(np.abs(np.diff(data.astype(float), prepend=0.0)).max())
    counts = COUNTS_PER_M_S
    while step * counts > LARGEST_DIFFERENCE - 1 or np.abs(data).max() * counts > 2**31 - 2:
        counts /= 10.0
    return counts


def _seisbench_chunk(
    model: GroundMotionModel, scenario: pd.DataFrame, records: NDArray[np.float32]
) -> list[bytes]:
    """Return metadata, with the samples of P and S, and waveforms."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        with DatasetWriter(folder, model.component_order, in_memory=True) as writer:
            write_labelled(
                writer,
                records,
                scenario,
                model.onsets(scenario),
                sampling_rate=model.sampling_rate,
                start_offset_s=model.start_offset_s,
            )
        return [(folder / file).read_bytes() for file in chunk_files("")]
