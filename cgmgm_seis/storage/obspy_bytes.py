"""ObsPy objects converted to and from the bytes of files, in memory."""

from io import BytesIO
from typing import Any

import obspy


def to_bytes(content: Any, format: str, **options: Any) -> bytes:
    """Return the bytes of a file written from an ObsPy object.

    ObsPy's MiniSEED writer does not report a full disk (the error is lost in a C callback);
    writing the bytes from Python does.

    Parameters
    ----------
    content : obspy.Stream, obspy.Trace, obspy.Inventory or obspy.Catalog
        The object to write.
    format : str
        A format of ObsPy for this object, such as "MSEED", "STATIONXML" or "QUAKEML".
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
    """Read waveforms from the bytes of a file; options are passed to `obspy.read`."""
    return obspy.read(BytesIO(content), **options)
