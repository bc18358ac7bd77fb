"""Writing data sets in SeisBench format, record by record."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stderr, suppress
from io import FileIO, StringIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from obspy import UTCDateTime
from obspy.geodetics import gps2dist_azimuth

from cgmgm_seis.measures.quantities import in_quantity
from cgmgm_seis.output.records import RecordsPart
from cgmgm_seis.scenario.quantities import Quantity, find_quantity
from cgmgm_seis.scenario.streams import channel_code, location_code
from cgmgm_seis.storage.folders import complete_folder

METADATA_FILE, WAVEFORMS_FILE = "metadata.csv", "waveforms.hdf5"
# File with the names of the chunks of a chunked data set, one per line.
CHUNKS_FILE = "chunks"
# Number of records that are kept in memory and written as one HDF5 block.
_BLOCK = 256
# Splits of successive generated earthquakes: 80, 10 and 10 %, and some in dev after 3 of them.
SPLIT_CYCLE = ("train", "train", "dev", "train", "train", "test", *["train"] * 4)


def chunk_files(chunk: str) -> tuple[str, str]:
    """Return SeisBench's file names for the metadata and waveforms of a chunk.

    Examples
    --------
    >>> chunk_files("_2020")
    ('metadata_2020.csv', 'waveforms_2020.hdf5')
    """
    return METADATA_FILE.replace(".", f"{chunk}."), WAVEFORMS_FILE.replace(".", f"{chunk}.")


class DatasetWriter:
    """Write ground motion to ``metadata.csv`` and ``waveforms.hdf5`` in a folder.

    It is a context manager: the files are complete at the end of the ``with`` block.

    Parameters
    ----------
    folder : pathlib.Path
        An existing folder; `new_dataset` creates one that appears only when it is complete.
    component_order : str
        Components along the first axis of the waveforms.
    unit, response : str
        Unit and instrument response of the samples, in the terms of SeisBench's data format; by
        default the SI unit of the quantity.
    quantity : str
        Quantity of the samples: "velocity", "acceleration" or "displacement".
    """

    def __init__(
        self,
        folder: Path,
        component_order: str = "ZNE",
        unit: str | None = None,
        response: str = "restituted",
        quantity: str = "velocity",
    ) -> None:
        from seisbench.data import WaveformDataWriter

        self.folder = folder
        self.component_order = component_order
        self.quantity = find_quantity(quantity)
        self.n_records = 0
        self._rates: set[float] = set()
        # By earthquake, its number in the order of the records.
        self.sources: dict[Any, int] = {}
        self._file = _HDF5File(folder / WAVEFORMS_FILE, "w+")
        self._writer = WaveformDataWriter(folder / METADATA_FILE, folder / WAVEFORMS_FILE)
        self._writer.bucket_size = _BLOCK
        self._writer.waveforms_path = self._file
        self._writer.data_format = {
            "dimension_order": "CW",
            "component_order": component_order,
            "measurement": self.quantity.name,
            "unit": unit or self.quantity.seisbench_unit,
            "instrument_response": response,
        }

    def add(self, metadata: Mapping[Any, Any], waveform: NDArray[Any]) -> None:
        """Add a record: its metadata and its samples (component, sample).

        A ``trace_name`` is kept as ``trace_name_original``, since it is its place in another file.
        Without a ``trace_category`` a record is that of an earthquake.
        """
        own = {"trace_category": "earthquake", **metadata}
        own["trace_component_order"] = self.component_order
        if name := own.pop("trace_name", None):
            own["trace_name_original"] = name
        self._rates.add(float(own.get("trace_sampling_rate_hz", np.nan)))
        # SeisBench's writer always shows a progress bar.
        with redirect_stderr(StringIO()):
            self._writer.add_trace(own, np.asarray(waveform, dtype=np.float32))
        self._file.check()
        self.n_records += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if len(self._rates) == 1 and np.isfinite(rate := next(iter(self._rates))):
            self._writer.data_format["sampling_rate"] = rate
        # After an exception, SeisBench's writer only closes its files; its errors are suppressed.
        with redirect_stderr(StringIO()), suppress(*([Exception] if kind else [])):
            self._writer.__exit__(None, None, None)
        self._file.close()
        if kind is None:
            self._file.check()


class _HDF5File(FileIO):
    """A file that HDF5 writes: it keeps errors, such as of a full disk, which may crash HDF5."""

    error: OSError | None = None

    def write(self, content: Any) -> int:
        """Write all of the content, unless there is an error or has been one."""
        left = memoryview(content).cast("B")
        size = len(left)
        try:
            while len(left) and self.error is None:
                left = left[super().write(left) :]
        except OSError as error:
            self.error = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """Change the size of the file, unless there is an error or has been one."""
        try:
            return super().truncate(size) if self.error is None else size or 0
        except OSError as error:
            self.error = error
            return size or 0

    def check(self) -> None:
        """Raise the error, if there has been one."""
        if self.error is not None:
            raise self.error


@contextmanager
def new_dataset(
    out: str | Path, overwrite: bool = False, component_order: str = "ZNE", **options: Any
) -> Iterator[DatasetWriter]:
    """Yield a writer of a data set whose folder appears only if no exception occurs.

    Parameters
    ----------
    out : str or pathlib.Path
        Folder of the data set.
    overwrite : bool
        Replace an existing data set; other folders are never replaced.
    component_order : str
        Components along the first axis of the waveforms.
    **options
        Further arguments of `DatasetWriter`.

    Raises
    ------
    OutputError
        If ``out`` exists and may not be overwritten, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with new_dataset(f"{folder}/mine") as writer:
    ...         writer.add({"trace_sampling_rate_hz": 100.0}, np.zeros((3, 6000)))
    ...     sorted(path.name for path in Path(folder, "mine").iterdir())
    ['metadata.csv', 'waveforms.hdf5']
    """
    with (
        complete_folder(Path(out), overwrite, WAVEFORMS_FILE) as folder,
        DatasetWriter(folder, component_order, **options) as writer,
    ):
        yield writer


def write_labelled(
    writer: DatasetWriter,
    waveforms: NDArray[Any],
    scenario: pd.DataFrame,
    arrivals: tuple[ArrayLike, ArrayLike],
    *,
    sampling_rate: float,
    start_offset_s: float,
) -> None:
    """Write generated records with the samples of the P and S onsets, for training pickers.

    Each realization is treated as a separate earthquake: its number is the location code and, if
    there are several realizations, it is appended to the ``source_id``.  Of ten earthquakes, one
    each is in the splits dev and test, as in `SPLIT_CYCLE`.  ``trace_pga_cmps2`` (of velocity and
    acceleration) and ``trace_pgv_cmps`` (of velocity) are the larger of the horizontal peaks.

    Parameters
    ----------
    writer : DatasetWriter
        Writer with the same components as the waveforms.
    waveforms : numpy.ndarray
        The writer's quantity in SI units, shape (record, realization, component, sample).
    scenario : pandas.DataFrame
        Scenario table, one row per record.
    arrivals : tuple of array_like
        P and S times of every scenario row, seconds after the origin time.  These are the onsets
        passed to the generator, not picks.
    sampling_rate : float
        Samples per second, Hz.
    start_offset_s : float
        Time of the first sample relative to the origin time, seconds.

    Examples
    --------
    >>> import tempfile
    >>> from cgmgm_seis.scenario.table import from_points
    >>> table = from_points(4.0, (37.9, -122.1), [(37.8, -122.2)])
    >>> motion = np.zeros((1, 2, 3, 6000), np.float32)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with new_dataset(f"{folder}/labelled") as writer:
    ...         write_labelled(
    ...             writer, motion, table, ([3.0], [5.2]), sampling_rate=100, start_offset_s=-5
    ...         )
    ...     rows = pd.read_csv(f"{folder}/labelled/metadata.csv")
    >>> rows.trace_s_arrival_sample.round(3).tolist()
    [1020.0, 1020.0]
    >>> rows.source_id.tolist()
    ['scenario-00', 'scenario-01']
    """
    p_times, s_times = (np.asarray(times, float) for times in arrivals)
    channel = channel_code("Z", sampling_rate, writer.quantity.name)[:2]
    described = scenario.filter(regex="^(source|station|path)_")
    for number, (row, record) in enumerate(
        zip(described.to_dict("records"), waveforms, strict=True)
    ):
        ends = (
            row["source_latitude_deg"],
            row["source_longitude_deg"],
            row["station_latitude_deg"],
            row["station_longitude_deg"],
        )
        labels = {
            "path_back_azimuth_deg": gps2dist_azimuth(*ends)[2],
            "trace_channel": channel,
            "trace_start_time": str(UTCDateTime(row["source_origin_time"]) + start_offset_s),
            "trace_sampling_rate_hz": sampling_rate,
            "trace_npts": record.shape[-1],
            "trace_units": writer.quantity.unit,
            "trace_simulated": True,
            "trace_p_arrival_sample": (p_times[number] - start_offset_s) * sampling_rate,
            "trace_s_arrival_sample": (s_times[number] - start_offset_s) * sampling_rate,
        }
        peaks = horizontal_peaks(
            record, writer.component_order, sampling_rate, writer.quantity.name
        )
        source = writer.sources.setdefault(row["source_id"], len(writer.sources))
        for realization, components in enumerate(record):
            code = location_code(realization)
            earthquake = source * len(record) + realization
            own = {
                "station_location_code": code,
                "split": SPLIT_CYCLE[earthquake % len(SPLIT_CYCLE)],
                **{name: values[realization] for name, values in peaks.items()},
            }
            if len(record) > 1:
                own["source_id"] = f"{row['source_id']}-{code}"
            writer.add(row | own | labels, components)


def write_dataset(folder: Path, parts: Iterable[RecordsPart], quantity: Quantity) -> dict[str, str]:
    """Write a labelled data set of generated records, see `write_labelled`."""
    writer = None
    with ExitStack() as stack:
        for part in parts:
            if writer is None:
                writer = DatasetWriter(folder, part.components, quantity=quantity.name)
                stack.enter_context(writer)
            stats = part.stream[0].stats
            samples = np.stack([trace.data for trace in part.stream])
            origin = UTCDateTime(part.scenario["source_origin_time"].iloc[0])
            write_labelled(
                writer,
                samples.reshape(len(part.scenario), -1, len(part.components), stats.npts),
                part.scenario,
                part.arrivals,
                sampling_rate=stats.sampling_rate,
                start_offset_s=stats.starttime - origin,
            )
    n_records, components = (writer.n_records, writer.component_order) if writer else (0, "")
    return {
        METADATA_FILE: f"SeisBench metadata: {n_records} records",
        WAVEFORMS_FILE: f"SeisBench waveforms: components {components}, {quantity.name} in "
        f"{quantity.unit}",
    }


def horizontal_peaks(
    motion: NDArray[Any], component_order: str, sampling_rate: float, quantity: str = "velocity"
) -> dict[str, NDArray[np.float64]]:
    """Return peaks of records by SeisBench's names of columns.

    Parameters
    ----------
    motion : numpy.ndarray
        The quantity in SI units, (record, component, sample).
    component_order : str
        Components of the records.
    sampling_rate : float
        Samples per second, Hz.
    quantity : str
        Quantity of the records.

    Returns
    -------
    dict of numpy.ndarray
        The larger of the horizontal peaks of every record: ``trace_pga_cmps2`` of velocity and
        acceleration, and ``trace_pgv_cmps`` of velocity; empty without horizontals.

    Examples
    --------
    >>> horizontal_peaks(np.full((1, 1, 9), -0.01), "N", 100.0)["trace_pgv_cmps"].tolist()
    [1.0]
    """
    rows = [row for row, letter in enumerate(component_order) if letter in "NE"]
    horizontal = motion[:, rows]
    found = {}
    if rows and quantity == "velocity":
        found["trace_pgv_cmps"] = horizontal
        found["trace_pga_cmps2"] = in_quantity(horizontal, sampling_rate, "acceleration")
    elif rows and quantity == "acceleration":
        found["trace_pga_cmps2"] = horizontal
    return {name: 100.0 * np.abs(part).max(axis=(1, 2)) for name, part in found.items()}
