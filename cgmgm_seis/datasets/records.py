"""Recorded motion: waveforms in counts to velocity in m/s, ready to compare."""

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

# One instrument a station: high-rate broadband, broadband, accelerometer, then any other.
INSTRUMENTS = ("HH", "BH", "HN")
BAND_HZ = (0.5, 20.0)
# A seismometer on a 24-bit digitizer counts as clipped from 80 % of its full scale (2^23 counts).
CLIPPED_COUNTS = 0.8 * 2**23
# Samples at the peak that show clipping, and the least such peak: noise of a few counts repeats.
PLATEAU, PLATEAU_COUNTS = 4, 500
# Recorded time kept around the window while filters ring, seconds.
MARGIN_S = 60.0


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
    """Read recorded motion of an earthquake as velocity in m/s, one instrument a station.

    The instrument response is removed (see `to_velocity`), components are turned to vertical,
    north and east, resampled where their rate differs and bandpassed without phase shift.
    What was resampled or left out is said on the logger ``cgmgm_seis``.

    Parameters
    ----------
    waveforms : str, pathlib.Path or iterable of them
        Waveform files in counts, MiniSEED or another format of ObsPy; ``*``, ``?`` and ``[]``
        are expanded.
    inventory : obspy.Inventory
        Responses of the instruments.
    origin_time : obspy.UTCDateTime
        Origin time of the earthquake.
    start_offset_s, duration_s : float
        Window kept: its start after the origin time and its length, seconds.  Shorter records
        stay short; nothing is padded.
    sampling_rate : float
        Sampling rate of the result, Hz.
    band_hz : tuple of float
        Corners of the bandpass, Hz.

    Returns
    -------
    obspy.Stream
        Three traces (Z, N, E) a station, m/s; ``stats.processing`` tells each step.

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
                logger.info("%s is used instead: %s", instrument, " ".join(reasons))
            break
        else:
            logger.warning("Recorded motion of %s is left out: %s", station, " ".join(reasons))
    if not result:
        raise DatasetError(
            f"0 of {len(_by_station(recorded))} stations have three components, a response and "
            f"samples around {origin_time}; at least one is needed."
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
    """Turn the three components of one instrument from counts to velocity in a band, m/s.

    `remove_instrument` with a pre-filter of half and 0.8 times the lower band limit, and 1.25
    and 1.5 times the upper one (at most 0.9 and 0.98 times the Nyquist frequency), then a
    zero-phase Butterworth bandpass of order 4.

    Parameters
    ----------
    traces, inventory, start, sampling_rate
        As in `remove_instrument`.
    band_hz : tuple of float
        Corners of the bandpass, Hz.

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
    """Return the peak of an instrument's traces, counts, where it is clipped, otherwise 0.

    A seismometer counts as clipped above 80 % of the full scale of 24 bits; any instrument does
    that stays at its peak for `PLATEAU` samples, if the peak is not a few counts of noise.
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
    """Turn the three components of one instrument from counts to velocity in m/s.

    Linear trend removed, 5 % cosine taper, response divided out between the corners of a
    cosine pre-filter, which also integrates accelerometers.  Then Lanczos interpolation onto
    the result's time grid, where the record is not on it, and rotation to ZNE.

    Parameters
    ----------
    traces : obspy.Stream
        The components, counts.
    inventory : obspy.Inventory
        Response and orientation.
    start : obspy.UTCDateTime
        A time on the result's grid.
    sampling_rate : float
        Sampling rate of the result, Hz.
    pre_filter : tuple of float
        Corners of the cosine taper in the frequency domain, Hz: zero below the first and above
        the last, flat between the second and the third.

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
            inventory, output="VEL", pre_filt=pre_filter, water_level=None, taper_fraction=0.05
        )
    except Exception as error:  # ObsPy raises plain Exception where a response is missing
        raise DatasetError(f"{name} has no usable response: {reason_of(error)}.") from error
    step = 1 / sampling_rate
    first = max(trace.stats.starttime for trace in velocity)
    last = min(trace.stats.endtime for trace in velocity)
    # The grid's first and last times strictly inside the record, or on its ends to 1 % of a step.
    first = start + np.ceil((first - start) / step - 0.01) * step
    npts = int((last - first) / step + 0.01) + 1
    if npts < 2:
        raise DatasetError(f"{name} has no time that all components share.")
    on_grid = abs(first - velocity[0].stats.starttime) < 0.01 * step
    if on_grid and traces[0].stats.sampling_rate == sampling_rate:
        velocity.trim(first, first + (npts - 1) * step)
    else:
        velocity.interpolate(sampling_rate, "lanczos", first, npts - 1, a=20)
    try:
        velocity.rotate("->ZNE", inventory=inventory, components=["ZNE", "Z12", "123"])
    except Exception as error:  # ObsPy raises plain ValueError or Exception
        raise DatasetError(f"{name} cannot be turned to ZNE: {reason_of(error)}.") from error
    return velocity.sort(["channel"], reverse=True)


def _read_waveforms(paths: Paths) -> Stream:
    """Read and join waveform files."""
    stream = Stream()
    for path in expand(paths, DatasetError):
        stream += read_file(obspy.read, path, "waveform", DatasetError)
    try:
        return stream.merge()
    except Exception as error:  # ObsPy raises plain Exception
        raise DatasetError(f"Waveform files contradict each other: {reason_of(error)}.") from error


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
    """Sort key of an instrument: its place in `INSTRUMENTS`, then its name."""
    code = instrument.rsplit(".", 1)[-1]
    return (INSTRUMENTS.index(code) if code in INSTRUMENTS else len(INSTRUMENTS), instrument)
