"""Waveform files of a task: MiniSEED for each realization, or a chunk of a SeisBench data set."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from obspy import Stream

from cgmgm_seis.errors import OutputError
from cgmgm_seis.grid.miniseed import to_miniseed
from cgmgm_seis.measures.quantities import in_quantity
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.output.seisbench_writer import DatasetWriter, chunk_files, write_labelled
from cgmgm_seis.scenario.quantities import find_quantity
from cgmgm_seis.scenario.streams import channel_code, check_codes, location_code, to_stream
from cgmgm_seis.storage.obspy_bytes import to_bytes

FORMATS = ("mseed", "seisbench")
ENCODINGS = ("float32", "steim2")
# Counts per SI unit of integer waveforms, 1 pm/s per count of velocity.  Steim-2 can hold
# differences of 29 bits.
MOST_COUNTS = 1e12
LARGEST_DIFFERENCE = 2**29 - 1


@dataclass(frozen=True)
class WaveformFiles:
    """Format of the waveforms of some nodes and all realizations.

    Parameters
    ----------
    format : str
        "mseed", or "seisbench", a data set with labelled P and S arrivals.
    encoding : str
        "float32", or for MiniSEED "steim2", integers with at most `MOST_COUNTS` counts per
        SI unit.
    quantity : str
        Quantity of the waveforms: "velocity", "acceleration" or "displacement".

    Raises
    ------
    OutputError
        If one of them is unknown, or the format does not support the encoding.
    """

    format: str
    encoding: str
    quantity: str = "velocity"

    def __post_init__(self) -> None:
        find_quantity(self.quantity)
        for what, value, known in (
            ("Format", self.format, FORMATS),
            ("Encoding", self.encoding, ENCODINGS),
        ):
            if value not in known:
                raise OutputError(f"{what} '{value}' must be {' or '.join(known)}.")
        if self.format == "seisbench" and self.encoding != "float32":
            raise OutputError(
                f"Encoding '{self.encoding}' must be float32 for the format seisbench."
            )

    def names(self, first: int, last: int, n_realizations: int) -> list[str]:
        """Return the names of the files of nodes `first` to `last` - 1."""
        if self.format == "seisbench":
            return list(chunk_files(self.chunk(first, last)))
        nodes = _nodes_name(first, last)
        return [f"realization_{k:04d}/{nodes}.mseed" for k in range(n_realizations)]

    def chunk(self, first: int, last: int) -> str:
        """Return the name of the data set chunk of nodes `first` to `last` - 1."""
        return f"_{_nodes_name(first, last)}"

    def contents(
        self, model: GroundMotionModel, scenario: pd.DataFrame, records: NDArray[np.float32]
    ) -> tuple[list[bytes], NDArray[np.float64]]:
        """Return the content of every file.

        Parameters
        ----------
        model : GroundMotionModel
            The model that generated the records.
        scenario : pandas.DataFrame
            Scenario at the nodes.
        records : numpy.ndarray
            Velocity, m/s, (node, realization, component, sample).

        Returns
        -------
        list of bytes, numpy.ndarray
            Contents in the order of `names`, and counts per unit (realization, node x component).
        """
        motion = in_quantity(records, model.sampling_rate, self.quantity)
        records = np.asarray(motion, np.float32)
        ones = np.ones((records.shape[1], len(records) * records.shape[2]))
        if self.format == "seisbench":
            return _seisbench_chunk(model, scenario, records, self.quantity), ones
        check_codes(scenario, model.window.duration_s)
        every = range(records.shape[1])
        if self.encoding == "float32":
            return [self._miniseed(model, scenario, records[:, k], k) for k in every], ones
        streams = [self._stream(model, scenario, records[:, k], k) for k in every]
        contents = [to_bytes(stream, "MSEED", encoding="STEIM2") for stream in streams]
        return contents, np.array([[trace.stats.counts for trace in stream] for stream in streams])

    def _miniseed(
        self, model: GroundMotionModel, scenario: pd.DataFrame, records: NDArray[np.float32], k: int
    ) -> bytes:
        """Return the records (node, component, sample) of realization `k` as MiniSEED."""
        header = to_stream(records[:1, None], scenario[:1], model.window, quantity=self.quantity)[0]
        channels = [
            (location_code(k), channel_code(component, model.sampling_rate, self.quantity))
            for component in model.component_order
        ]
        stations = scenario[["station_network_code", "station_code"]].itertuples(index=False)
        codes = [(*station, *channel) for station in stations for channel in channels]
        return to_miniseed(records.reshape(len(codes), -1), codes, header)

    def _stream(
        self, model: GroundMotionModel, scenario: pd.DataFrame, records: NDArray[np.float32], k: int
    ) -> Stream:
        """Return the records (node, component, sample) of realization `k` as integers."""
        stream = to_stream(records[:, None], scenario, model.window, quantity=self.quantity)
        for trace in stream:
            trace.stats.location = location_code(k)
            trace.stats.counts = _counts(trace.data)
            trace.data = np.rint(trace.data * trace.stats.counts).astype(np.int32)
        return stream


def _nodes_name(first: int, last: int) -> str:
    return f"nodes_{first:07d}-{last - 1:07d}"


def _counts(data: NDArray[np.float32]) -> float:
    """Return the counts per unit, a power of ten, with which Steim-2 can hold the data."""
    step = float(np.abs(np.diff(data.astype(float), prepend=0.0)).max())
    counts = MOST_COUNTS
    while step * counts > LARGEST_DIFFERENCE - 1 or np.abs(data).max() * counts > 2**31 - 2:
        counts /= 10.0
    return counts


def _seisbench_chunk(
    model: GroundMotionModel, scenario: pd.DataFrame, records: NDArray[np.float32], quantity: str
) -> list[bytes]:
    """Return the files of a chunk: metadata with the samples of P and S, and waveforms."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        with DatasetWriter(
            folder, model.component_order, in_memory=True, quantity=quantity
        ) as writer:
            write_labelled(
                writer,
                records,
                scenario,
                model.onsets(scenario),
                sampling_rate=model.sampling_rate,
                start_offset_s=model.start_offset_s,
            )
        return [(folder / file).read_bytes() for file in chunk_files("")]
