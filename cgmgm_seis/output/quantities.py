"""Conversion of generated Streams to another quantity of ground motion."""

import numpy as np
from obspy import Stream

from cgmgm_seis.measures.quantities import in_quantity
from cgmgm_seis.scenario.streams import channel_code


def converted(stream: Stream, quantity: str) -> Stream:
    """Return a Stream of generated velocity as another quantity.

    Parameters
    ----------
    stream : obspy.Stream
        Velocity, m/s, created by `to_stream`; whole records, since the filter of displacement
        starts at their first sample.
    quantity : str
        As in `cgmgm_seis.measures.quantities.in_quantity`.

    Returns
    -------
    obspy.Stream
        A copy with other samples (float32), channel codes and ``stats.quantity``.
    """
    if quantity == "velocity":
        return stream
    result = stream.copy()
    for trace in result:
        stats = trace.stats
        motion = in_quantity(trace.data, stats.sampling_rate, quantity)
        trace.data = motion.astype(np.float32)
        stats.channel = channel_code(stats.component, stats.sampling_rate, quantity)
        stats.quantity = quantity
    return result
