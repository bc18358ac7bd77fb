"""Reading the samples of a data set made by others: checked, and named where they are damaged."""

import logging
from collections import Counter
from pathlib import Path
from typing import Any

import h5py
from numpy.typing import NDArray
from seisbench.data import WaveformDataset

from cgmgm_seis.errors import DatasetError, one_line, shortened

logger = logging.getLogger(__name__)

UNREADABLE = "without readable samples"


def read_sample(dataset: WaveformDataset, row: int) -> tuple[NDArray[Any], dict[str, Any]]:
    """Return the record (component, sample) of a row of the metadata, and its values.

    Parameters
    ----------
    dataset : seisbench.data.WaveformDataset
        Data set with dimensions in the order NCW.
    row : int
        Row of the metadata, from 0.

    Raises
    ------
    DatasetError
        If the trace is missing, damaged, or not numbers; the message names row and trace.
    """
    try:
        record, values = dataset.get_sample(row)
        if record.ndim != 2 or record.dtype.kind not in "fiu":
            raise ValueError(f"it is of shape {record.shape} and type {record.dtype}")
    except Exception as error:  # HDF5, NumPy and SeisBench raise any kind for damaged files
        raise DatasetError(
            f"Row {row} of the metadata: trace_name = "
            f"'{shortened(str(dataset.metadata['trace_name'].iloc[row]))}' cannot be read "
            f"({one_line(error, 120)}); it must be numbers (component, sample) in the waveforms."
        ) from error
    return record, values


def sample_or_none(
    dataset: WaveformDataset, row: int, lost: Counter[str]
) -> tuple[NDArray[Any], dict[str, Any]] | None:
    """Return `read_sample`, or None for a damaged trace, which is counted; the first is named."""
    try:
        return read_sample(dataset, row)
    except DatasetError as error:
        if not lost[UNREADABLE]:
            logger.warning("%s", error)
        lost[UNREADABLE] += 1
        return None


def check_links(path: Path) -> None:
    """Raise ValueError if a file of waveforms takes a part of its content from other files.

    HDF5 would read any file that its reader may read.
    """
    with h5py.File(path) as file:

        def is_elsewhere(name: bytes, info: Any) -> bytes | None:
            if info.type == h5py.h5l.TYPE_EXTERNAL:
                return name
            found = file[name] if info.type == h5py.h5l.TYPE_HARD else None
            own = not isinstance(found, h5py.Dataset) or not (found.external or found.is_virtual)
            return None if own else name

        # An exception raised in the visit would be lost.
        if name := file.id.links.visit(is_elsewhere, info=True):
            raise ValueError(f"{shortened(name.decode(errors='replace'))} is in another file")
