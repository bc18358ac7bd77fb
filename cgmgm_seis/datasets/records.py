"""Recorded motion: conversion of waveforms in counts to velocity in m/s."""

import logging

import numpy as np
import obspy
from obspy import Inventory, Stream, Trace, UTCDateTime

from cgmgm_seis.errors import DatasetError, reason_of
from cgmgm_seis.scenario.obspy_files import (
    Paths,
    expand,
    read_file,
)

logger = logging.getLogger("cgmgm_seis")

# Preferred instruments: high-rate broadband, broadband, accelerometer, then any other.
INSTRUMENTS = ("HH", "BH", "HN")
BAND_HZ = (0.5, 20.0)
# Records of seismometers are regarded as clipped above 80 % of the full scale of a 24-bit digitizer
# (2^23 counts).
CLIPPED_COUNTS = 0.8 * 2**23
# Number of equal samples at the peak that indicates clipping, and the smallest such peak, because
# noise of a few counts has equal samples as well.
PLATEAU, PLATEAU_COUNTS = 4, 500
# Time kept before and after the window for the edge effects of filters, seconds.
MARGIN_S = 60.0
# Share of a record that is tapered before its response is removed, half of it at each end.
TAPER_FRACTION = 0.05


def read_observed(
    waveforms: Paths,
    inventory: Inventory,
    origin_time: UTCDateTime,
    *,
    start_offset_s: float = -5.0,
    duration_s: float = 60.0,
    sampling_rate: float = 100.0,
    band_hz: tuple[float, float] = BAND_HZ,
) -> Stream:
    """Read recorded motion of an earthquake as velocity in m/s, one instrument per station.

    The instrument response is removed (see `to_velocity`), components are rotated to vertical,
    north and east, resampled if their sampling rate differs, and bandpass filtered with zero
    phase.  Resampled and skipped instruments are logged on the logger ``cgmgm_seis``.

    Parameters
    ----------
    waveforms : str, pathlib.Path or iterable of them
        Waveform files in counts, MiniSEED or another format supported by ObsPy; ``*``, ``?`` and
        ``[]`` are expanded.
    inventory : obspy.Inventory
        Responses of the instruments.
    origin_time : obspy.UTCDateTime
        Origin time of the earthquake.
    start_offset_s, duration_s : float
        Window of the result: start relative to the origin time and duration, seconds.  Shorter
        records are not padded.
    sampling_rate : float
        Sampling rate of the result, Hz.
    band_hz : tuple of float
        Corner frequencies of the bandpass, Hz.

    Returns
    -------
    obspy.Stream
        Three traces (Z, N, E) per station, m/s; ``stats.processing`` lists the processing steps.

    Raises
    ------
    DatasetError
        If a file cannot be read, or no station has three components with a response.
    """
    recorded = _read_waveforms(waveforms)
    start = origin_time + start_offset_s
    recorded.trim(start - MARGIN_S, start + duration_s + MARGIN_S)
    resampled, result = [], Stream()
    for station, instruments in _by_station(recorded).items():
        reasons = []
        for instrument in sorted(instruments, key=instrument_preference):
            traces = instruments[instrument]
            try:
                velocity = to_velocity(traces, inventory, start, sampling_rate, band_hz)
            except DatasetError as error:
                reasons.append(str(error))
                continue
            velocity.trim(start, start + duration_s - 0.5 / sampling_rate)
            if not velocity or velocity[0].stats.endtime <= origin_time:
                reasons.append(f"{instrument} has no samples after the origin time.")
                continue
            if traces[0].stats.sampling_rate != sampling_rate:
                resampled.append(f"{instrument} ({traces[0].stats.sampling_rate:g} Hz)")
            result += velocity
            if reasons:
                logger.info("%s is used, because: %s", instrument, " ".join(reasons))
            break
        else:
            logger.warning("Recorded motion of %s is not used: %s", station, " ".join(reasons))
    if not result:
        raise DatasetError(
            f"None of the {len(_by_station(recorded))} station(s) has three components, a response "
            f"and samples around {origin_time}; at least one is needed."
        )
    if resampled:
        logger.info("Resampled to %g Hz: %s.", sampling_rate, ", ".join(resampled))
    return result


def to_velocity(
    traces: Stream,
    inventory: Inventory,
    start: UTCDateTime,
    sampling_rate: float,
    band_hz: tuple[float, float],
) -> Stream:
    """Convert the three components of one instrument from counts to bandpassed velocity in m/s.

    The response is removed by `remove_instrument` with a pre-filter at 0.5 and 0.8 times the lower
    limit of the band, and 1.25 and 1.5 times the upper limit (at most 0.9 and 0.98 times the
    Nyquist frequency), followed by a zero-phase Butterworth bandpass of order 4.

    Parameters
    ----------
    traces, inventory, start, sampling_rate
        As in `remove_instrument`.
    band_hz : tuple of float
        Corner frequencies of the bandpass, Hz.

    Raises
    ------
    DatasetError
        If a component is missing, has a gap or is clipped, or there is no response.
    """
    if peak := clipped_peak(traces):
        raise DatasetError(f"{traces[0].id[:-1]} is clipped at {peak:.0f} counts.")
    low, high = band_hz
    nyquist = traces[0].stats.sampling_rate / 2
    upper = (min(1.25 * high, 0.9 * nyquist), min(1.5 * high, 0.98 * nyquist))
    pre_filter = (0.5 * low, 0.8 * low, *upper)
    velocity = remove_instrument(traces, inventory, start, sampling_rate, pre_filter)
    velocity.filter("bandpass", freqmin=low, freqmax=high, corners=4, zerophase=True)
    return velocity


def clipped_peak(traces: Stream) -> float:
    """Return the peak of an instrument in counts if it is clipped, otherwise 0.

    A seismometer is regarded as clipped above 80 % of the full scale of 24 bits, and any
    instrument if it stays at its peak for `PLATEAU` samples and the peak exceeds `PLATEAU_COUNTS`.
    """
    seismometer = traces[0].stats.channel[1:2] == "H"
    for trace in traces:
        counts = np.abs(np.ma.filled(trace.data, 0))
        peak = float(counts.max())
        at_peak = np.flatnonzero(counts == peak)
        longest = max(
            len(run) for run in np.split(at_peak, np.flatnonzero(np.diff(at_peak) > 1) + 1)
        )
        if (seismometer and peak > CLIPPED_COUNTS) or (
            longest >= PLATEAU and peak > PLATEAU_COUNTS
        ):
            return peak
    return 0.0


def remove_instrument(
    traces: Stream,
    inventory: Inventory,
    start: UTCDateTime,
    sampling_rate: float,
    pre_filter: tuple[float, float, float, float],
) -> Stream:
    """Convert the three components of one instrument from counts to velocity in m/s.

    The linear trend is removed, a 5 % cosine taper is applied, and the response is deconvolved
    with a cosine pre-filter (which also integrates accelerometers).  Records that are not on the
    time grid of the result are then interpolated with a Lanczos kernel, and the components are
    rotated to ZNE.

    Parameters
    ----------
    traces : obspy.Stream
        The components, counts.
    inventory : obspy.Inventory
        Responses and orientations.
    start : obspy.UTCDateTime
        A time on the time grid of the result.
    sampling_rate : float
        Sampling rate of the result, Hz.
    pre_filter : tuple of float
        Corner frequencies of the cosine taper, Hz: zero below the first and above the last, flat
        between the second and the third.

    Raises
    ------
    DatasetError
        If a component is missing or has a gap, or there is no response.
    """
    name = traces[0].id[:-1]
    if len(traces) != 3:
        found = "".join(sorted(trace.stats.component for trace in traces))
        raise DatasetError(f"{name} has the components {found}; three are needed.")
    if any(np.ma.is_masked(trace.data) for trace in traces):
        raise DatasetError(f"{name} has a gap around the earthquake.")
    velocity = traces.copy()
    velocity.detrend("linear")
    try:
        velocity.remove_response(
            inventory,
            output="VEL",
            pre_filt=pre_filter,
            water_level=None,
            taper_fraction=TAPER_FRACTION,
        )
    except Exception as error:  # ObsPy raises plain Exception if a response is missing
        raise DatasetError(f"{name} has no usable response: {reason_of(error)}.") from error
    step = 1 / sampling_rate
    first = max(trace.stats.starttime for trace in velocity)
    last = min(trace.stats.endtime for trace in velocity)
    # First and last grid times inside the record, or at its ends within 1 % of a step.
    first = start + np.ceil((first - start) / step - 0.01) * step
    npts = int((last - first) / step + 0.01) + 1
    if npts < 2:
        raise DatasetError(f"{name} has components that do not overlap in time.")
    on_grid = abs(first - velocity[0].stats.starttime) < 0.01 * step
    if on_grid and traces[0].stats.sampling_rate == sampling_rate:
        velocity.trim(first, first + (npts - 1) * step)
    else:
        velocity.interpolate(sampling_rate, "lanczos", first, npts - 1, a=20)
    try:
        velocity.rotate("->ZNE", inventory=inventory, components=["ZNE", "Z12", "123"])
    except Exception as error:  # ObsPy raises plain ValueError or Exception
        raise DatasetError(f"{name} cannot be rotated to ZNE: {reason_of(error)}.") from error
    return velocity.sort(["channel"], reverse=True)


def _read_waveforms(paths: Paths) -> Stream:
    """Read and join waveform files."""
    stream = Stream()
    for path in expand(paths, DatasetError):
        stream += read_file(obspy.read, path, "waveform", DatasetError)
    try:
        return stream.merge()
    except Exception as error:  # ObsPy raises plain Exception
        raise DatasetError(f"Waveform files cannot be merged: {reason_of(error)}.") from error


def _by_station(stream: Stream) -> dict[str, dict[str, Stream]]:
    """Group traces by station (NET.STA) and instrument (NET.STA.LOC.BI)."""
    stations: dict[str, dict[str, Stream]] = {}
    for trace in stream:
        instruments = stations.setdefault(_station(trace), {})
        instruments.setdefault(trace.id[:-1], Stream()).append(trace)
    return stations


def _station(trace: Trace) -> str:
    return f"{trace.stats.network}.{trace.stats.station}"


def instrument_preference(instrument: str) -> tuple[int, str]:
    """Return the sort key of an instrument: its index in `INSTRUMENTS`, then its name."""
    code = instrument.rsplit(".", 1)[-1]
    return (INSTRUMENTS.index(code) if code in INSTRUMENTS else len(INSTRUMENTS), instrument)
