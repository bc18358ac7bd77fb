"""ObsPy objects to the content of files and back, through memory."""

from io import BytesIO
from typing import Any

import obspy


def to_bytes(content: Any, format: str, **options: Any) -> bytes:
    """Return the content of a file of an ObsPy object.

    ObsPy's MiniSEED writer loses the error of a full disk in a C callback; writing bytes does not.

    Parameters
    ----------
    content : obspy.Stream, obspy.Trace, obspy.Inventory or obspy.Catalog
        What is written.
    format : str
        One of ObsPy's formats for it, such as "MSEED", "STATIONXML" or "QUAKEML".
    **options
        Further arguments of ObsPy's writer.

    Examples
    --------
    >>> stream = read_stream(to_bytes(obspy.read(), "MSEED", encoding="FLOAT64"))
    >>> len(stream), stream[0].stats.npts
    (3, 3000)
    """
    buffer = BytesIO()
    content.write(buffer, format=format, **options)
    return buffer.getvalue()


def read_stream(content: bytes, **options: Any) -> obspy.Stream:
    """Return the waveforms in the content of a file; options are those of `obspy.read`."""
    return obspy.read(BytesIO(content), **options)
