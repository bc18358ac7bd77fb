"""Traces of a station as instruments: numbers, one sampling rate, no overlaps."""

from collections import defaultdict

import numpy as np
from obspy import Stream

from cgmgm_seis.datasets.knet import set_seed_codes
from cgmgm_seis.errors import DatasetError, reason_of

# Sampling rates that differ by less than this part are the same nominal rate, which some files give
# as measured.  A record of three minutes is then shifted by less than half a sample of 100 Hz.
RATE_TOLERANCE = 2e-5


def instruments_of(stream: Stream) -> dict[str, Stream]:
    """Return the traces of a station by instrument (NET.STA.LOC.BI), sorted by trace id.

    Text channels and empty traces are left out.  Overlaps with the same samples are merged, and
    those that contradict each other are removed, as are samples that are not finite: both leave
    gaps.  Three components with a location code each are one instrument, named after the first.
    K-NET records get SEED codes.
    """
    for trace in stream:
        set_seed_codes(trace)
    channels: dict[str, Stream] = defaultdict(Stream)
    for trace in sorted(stream, key=lambda trace: trace.id):
        if trace.stats.npts and trace.data.dtype.kind in "iuf":
            channels[trace.id].append(trace)
    instruments: dict[str, Stream] = defaultdict(Stream)
    for name, traces in channels.items():
        instruments[name[:-1]] += traces
    for name, traces in instruments.items():
        _set_nominal_rate(traces)
        instruments[name] = _without_overlaps(traces)
    return _with_joined_locations(instruments)


def merge(traces: Stream, fill_value: str | None = None) -> Stream:
    """Return one trace for each channel of an instrument, with masked gaps unless they are filled.

    Raises
    ------
    DatasetError
        If the traces have different sampling rates, or cannot be merged for another reason.
    """
    name = traces[0].id[:-1]
    rates = {trace.stats.sampling_rate for trace in traces}
    if len(rates) > 1:
        raise DatasetError(f"{name} has {len(rates)} different sampling rates; it must have one.")
    try:
        return traces.copy().merge(fill_value=fill_value)
    except Exception as error:  # ObsPy raises plain Exception
        raise DatasetError(
            f"{name} has traces that cannot be merged: {reason_of(error)}."
        ) from error


def _set_nominal_rate(traces: Stream) -> None:
    """Give traces whose sampling rates are nearly the same the one closest to a whole number."""
    rates = {trace.stats.sampling_rate for trace in traces}
    if len(rates) > 1 and max(rates) - min(rates) < RATE_TOLERANCE * max(rates):
        nominal = min(rates, key=lambda rate: abs(rate - round(rate)))
        for trace in traces:
            trace.stats.sampling_rate = nominal


def _without_overlaps(traces: Stream) -> Stream:
    """Return contiguous traces; those of one channel do not overlap."""
    if len({trace.stats.sampling_rate for trace in traces}) > 1:
        return traces
    several = len({trace.id for trace in traces}) < len(traces)
    whole = all(np.isfinite(trace.data).all() for trace in traces)
    if whole and not several:
        return traces
    for trace in traces:
        trace.data = trace.data.astype(float)
    # Samples of overlaps that differ are masked by ObsPy.
    merged = merge(traces)
    for trace in merged:
        trace.data = np.ma.masked_invalid(trace.data)
    return merged.split()


def _with_joined_locations(instruments: dict[str, Stream]) -> dict[str, Stream]:
    """Join instruments of one component each that together have three different ones."""
    single: dict[str, list[str]] = defaultdict(list)
    for name, traces in instruments.items():
        if len({trace.id for trace in traces}) == 1:
            network, station, _, code = name.split(".")
            single[f"{network}.{station}.{code}"].append(name)
    joined = dict(instruments)
    for names in single.values():
        components = {instruments[name][0].id[-1] for name in names}
        if len(names) == len(components) == 3:
            for name in names[1:]:
                joined[names[0]] = joined[names[0]] + joined.pop(name)
    return joined
