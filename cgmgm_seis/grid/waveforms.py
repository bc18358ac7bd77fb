"""Waveform files of a task: MiniSEED of every realization, or a chunk of a SeisBench data set."""

import os
import shutil
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from obspy import Stream

from cgmgm_seis.datasets.writing import (
    CHUNKS_FILE,
    DatasetWriter,
    chunk_files,
    write_labelled,
)
from cgmgm_seis.streams import location_code, to_stream

if TYPE_CHECKING:
    from cgmgm_seis.grid.job import GridJob

FORMATS = ("mseed", "seisbench")
ENCODINGS = {"float32": "FLOAT32", "steim2": "STEIM2"}
# Counts a m/s of integer waveforms: a picometre a second.  Steim-2 takes differences of 29 bits.
COUNTS_PER_M_S = 1e12
LARGEST_DIFFERENCE = 2**29 - 1


def waveform_names(job: "GridJob", first: int, last: int) -> list[str]:
    """Return the names of the files of the nodes from `first` to before `last`."""
    nodes = _nodes_name(first, last)
    if job.format == "seisbench":
        return list(chunk_files(f"_{nodes}")) if job.waveforms else []
    return [f"realization_{k:04d}/{nodes}.mseed" for k in job.realizations_written]


def bring_waveforms(folder: Path, job: "GridJob") -> str:
    """Make the folder of a finished job's waveforms; return what it holds, in words."""
    for task in job.tasks:
        for name, path in job.waveform_paths(*task).items():
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(path, place)
            except OSError:  # another file system, or one without links
                shutil.copyfile(path, place)
    nodes, n = len(job.nodes), len(job.realizations_written)
    if job.format == "seisbench":
        chunks = [f"_{_nodes_name(*task)}" for task in job.tasks]
        (folder / CHUNKS_FILE).write_text("".join(f"{chunk}\n" for chunk in chunks))
        return f"SeisBench data set: {nodes * n} records, P and S labelled"
    return f"MiniSEED of {nodes} nodes, {n} realization(s), a folder each"


def _nodes_name(first: int, last: int) -> str:
    return f"nodes_{first:07d}-{last - 1:07d}"


def waveform_files(
    job: "GridJob", records: NDArray[np.float32], first: int, last: int
) -> tuple[list[bytes], NDArray[np.float64]]:
    """Return the files of the records of the nodes from `first` to before `last`.

    Parameters
    ----------
    job : GridJob
        What is drawn.
    records : numpy.ndarray
        Velocity, m/s, (node, realization, component, sample).
    first, last : int
        First node, and node after the last.

    Returns
    -------
    list of bytes, numpy.ndarray
        The content of every one of `waveform_names`, and the counts of 1 m/s (realization, node x
        component).
    """
    scenario = job.nodes.scenario(job.source, first, last)
    if job.format == "seisbench":
        ones = np.ones((records.shape[1], len(records) * records.shape[2]))
        return _seisbench_chunk(job, scenario, records), ones
    streams = [_stream(job, records[:, k], scenario, k) for k in range(records.shape[1])]
    contents = []
    for stream in streams:
        buffer = BytesIO()
        stream.write(buffer, format="MSEED", encoding=ENCODINGS[job.encoding])
        contents.append(buffer.getvalue())
    return contents, np.array([[trace.stats.counts for trace in stream] for stream in streams])


def _stream(job: "GridJob", records: NDArray[np.float32], scenario: pd.DataFrame, k: int) -> Stream:
    """Return the records (node, component, sample) of one realization."""
    stream = to_stream(
        records[:, None],
        scenario,
        sampling_rate=job.model.sampling_rate,
        start_offset_s=job.model.start_offset_s,
        component_order=job.model.component_order,
    )
    for trace in stream:
        trace.stats.location = location_code(k)
        trace.stats.counts = 1.0
        if job.encoding == "steim2":
            trace.stats.counts = _counts(trace.data)
            trace.data = np.rint(trace.data * trace.stats.counts).astype(np.int32)
    return stream


def _counts(data: NDArray[np.float32]) -> float:
    """Return a power of ten, the counts of 1 m/s, that Steim-2 can hold."""
    step = float(np.abs(np.diff(data.astype(float), prepend=0.0)).max())
    counts = COUNTS_PER_M_S
    while step * counts > LARGEST_DIFFERENCE - 1 or np.abs(data).max() * counts > 2**31 - 2:
        counts /= 10.0
    return counts


def _seisbench_chunk(
    job: "GridJob", scenario: pd.DataFrame, records: NDArray[np.float32]
) -> list[bytes]:
    """Return metadata, with the samples of P and S, and waveforms."""
    model = job.model
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
