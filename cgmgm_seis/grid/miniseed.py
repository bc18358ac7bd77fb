"""MiniSEED of many traces at once, in the records that ObsPy writes for the first of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from obspy import Trace

from cgmgm_seis.storage.obspy_bytes import to_bytes

# Places in the fixed header of a MiniSEED record (SEED manual 2.4, chapter 8): station, location,
# channel and network; number of samples; offset of the data.
CODES, N_SAMPLES, DATA_OFFSET = slice(8, 20), slice(30, 32), slice(44, 46)
# ObsPy's default length of a record, bytes.
RECORD_BYTES = 4096


def to_miniseed(
    samples: NDArray[np.float32], codes: Sequence[tuple[str, str, str, str]], header: Trace
) -> bytes:
    """Return MiniSEED (FLOAT32) of traces that have the time window of one trace.

    Their records differ from those of ObsPy for that trace by codes and samples only.

    Parameters
    ----------
    samples : numpy.ndarray
        Shape (trace, sample).
    codes : sequence of tuple
        Network, station, location and channel code of every trace.
    header : obspy.Trace
        A float32 trace of this length, with the start time and the sampling rate of all.

    Examples
    --------
    >>> header = Trace(np.zeros(3000, np.float32))
    >>> len(to_miniseed(np.zeros((2, 3000), np.float32), [("SY", "A", "00", "HXZ")] * 2, header))
    24576
    """
    first = np.frombuffer(to_bytes(header, "MSEED", encoding="FLOAT32"), np.uint8)
    first = first.reshape(-1, RECORD_BYTES)
    content = np.zeros((len(samples), *first.shape), np.uint8)
    ends = np.cumsum(first[:, N_SAMPLES].copy().view(">u2")[:, 0])
    begin = int(first[0, DATA_OFFSET].copy().view(">u2")[0])
    content[:, :, :begin] = first[:, :begin]
    texts = [f"{station:5}{at:2}{channel:3}{network:2}" for network, station, at, channel in codes]
    written = np.array([text.encode("ascii") for text in texts]).view(np.uint8)
    content[:, :, CODES] = written.reshape(len(texts), 1, -1)
    for number, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
        data = content[:, number, begin : begin + 4 * (end - start)]
        data.view(">f4")[:] = samples[:, start:end]
    return content.tobytes()
