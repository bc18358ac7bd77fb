"""Recorded motion: conversion of waveforms in counts to velocity in m/s."""

import logging
from collections.abc import Mapping

import numpy as np
from obspy import Inventory, Stream, UTCDateTime
from obspy.core.inventory import Channel
from obspy.signal.rotate import rotate2zne

from cgmgm_seis.datasets.instruments import (
    BOREHOLE_M,
    channel_of,
    orientation,
    sensor_depth,
    si_response,
)
from cgmgm_seis.datasets.traces import merge
from cgmgm_seis.datasets.waveform_index import WaveformIndex
from cgmgm_seis.errors import DatasetError, reason_of
from cgmgm_seis.scenario.obspy_files import Paths

logger = logging.getLogger("cgmgm_seis")

# Preferred instruments: high-rate broadband, broadband, accelerometer, then any other.
INSTRUMENTS = ("HH", "BH", "HN")
BAND_HZ = (0.5, 20.0)
# Records of seismometers are regarded as clipped above 80 % of the full scale of their digitizer,
# counts: the first of these that exceeds their peak by its margin, for the decimation filters of a
# clipped digitizer overshoot.
FULL_SCALES, OVERSHOOT = (2.0**23, 2.0**31), 1.25
CLIPPED_SHARE = 0.8
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
        Waveform files in counts, folders or SDS archives; see `WaveformIndex`.  Unreadable files
        are skipped with a warning.
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
        If no file can be read, or no station has three components with a response.
    """
    index = WaveformIndex(waveforms)
    stations = index.stations
    if not stations:
        path, reason = next(iter(index.unreadable.items()))
        raise DatasetError(f"{path} is not a readable waveform file: {reason}.")
    start = origin_time + start_offset_s
    resampled, result = [], Stream()
    for station in stations:
        instruments = index.read(station, start - MARGIN_S, start + duration_s + MARGIN_S)
        reasons = [] if instruments else [f"It has no samples around {origin_time}."]
        for instrument in by_preference(instruments, inventory, start):
            try:
                traces = merge(instruments[instrument])
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
            f"None of the {len(stations)} station(s) has three components, a response "
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

    A seismometer is regarded as clipped above 80 % of the full scale of 24 bits, or of 32 bits if
    it exceeds 24 bits, and any instrument if it stays at its peak for `PLATEAU` samples and the
    peak exceeds `PLATEAU_COUNTS`.
    """
    peaks = [float(np.abs(np.ma.filled(trace.data, 0)).max()) for trace in traces]
    limit = np.inf
    if traces[0].stats.channel[1:2] == "H":
        full_scales = (full for full in FULL_SCALES if max(peaks) <= OVERSHOOT * full)
        limit = CLIPPED_SHARE * next(full_scales, np.inf)
    for trace, peak in zip(traces, peaks, strict=True):
        at_peak = np.flatnonzero(np.abs(np.ma.filled(trace.data, 0)) == peak)
        longest = max(
            len(run) for run in np.split(at_peak, np.flatnonzero(np.diff(at_peak) > 1) + 1)
        )
        if peak > limit or (longest >= PLATEAU and peak > PLATEAU_COUNTS):
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
        If a component is missing or has a gap, there is no response, or it does not give finite
        samples.
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
        channels = [channel_of(trace, inventory, start) for trace in velocity]
        for trace, channel in zip(velocity, channels, strict=True):
            trace.stats.response, factor = si_response(channel)
            with np.errstate(all="ignore"):  # of samples that are not finite, see below
                trace.remove_response(
                    output="VEL",
                    pre_filt=pre_filter,
                    water_level=None,
                    taper_fraction=TAPER_FRACTION,
                )
                trace.data *= factor
            del trace.stats.response
    except Exception as error:  # ObsPy raises plain Exception if a response cannot be used
        raise DatasetError(f"{name} has no usable response: {reason_of(error)}.") from error
    if not all(np.isfinite(trace.data).all() for trace in velocity):
        raise DatasetError(f"{name} has samples that are not finite after the response removal.")
    step = 1 / sampling_rate
    first = max(trace.stats.starttime for trace in velocity)
    last = min(trace.stats.endtime for trace in velocity)
    # First and last grid times inside the record, or at its ends within 1 % of a step.
    first = start + np.ceil((first - start) / step - 0.01) * step
    npts = int((last - first) / step + 0.01) + 1
    if npts < 2:
        raise DatasetError(f"{name} has components that do not overlap in time.")
    steps = np.array([trace.stats.starttime - start for trace in velocity]) / step
    on_grid = np.abs(steps - np.round(steps)).max() < 0.01
    if on_grid and traces[0].stats.sampling_rate == sampling_rate:
        velocity.trim(first, first + (npts - 1) * step)
    else:
        velocity.interpolate(sampling_rate, "lanczos", first, npts - 1, a=20)
    return _rotated(velocity, channels, name)


def _rotated(velocity: Stream, channels: list[Channel], name: str) -> Stream:
    """Return the traces of three channels as Z, N and E."""
    try:
        angles = [orientation(channel) for channel in channels]
        if np.ptp([float(channel.depth) for channel in channels]) > BOREHOLE_M:
            raise DatasetError("its components are at different depths.")
        turned = rotate2zne(
            *(part for trace, pair in zip(velocity, angles, strict=True) for part in (trace, *pair))
        )
    except Exception as error:  # ObsPy raises plain ValueError
        raise DatasetError(f"{name} cannot be rotated to ZNE: {reason_of(error)}.") from error
    # With a location code for each component, that of the vertical is kept.
    dips = [abs(dip) for _, dip in angles]
    location = velocity[int(np.argmax(dips))].stats.location
    for trace, data, component in zip(velocity, turned, "ZNE", strict=True):
        trace.data = data
        trace.stats.location = location
        trace.stats.channel = trace.stats.channel[:-1] + component
    return velocity


def by_preference(
    instruments: Mapping[str, Stream], inventory: Inventory, time: UTCDateTime
) -> list[str]:
    """Return the names of the instruments of a station in the order of their preference.

    Sensors at the surface come before those in boreholes (below `BOREHOLE_M`), then the order is
    that of `INSTRUMENTS` and of the names.
    """

    def rank(name: str) -> tuple[bool, int, str]:
        code = name.rsplit(".", 1)[-1]
        order = INSTRUMENTS.index(code) if code in INSTRUMENTS else len(INSTRUMENTS)
        return sensor_depth(instruments[name][0], inventory, time) > BOREHOLE_M, order, name

    return sorted(instruments, key=rank)
