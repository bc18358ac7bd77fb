"""What of an archive did not become records, and why: the rows of ``left_out.csv``."""

import logging
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from obspy import UTCDateTime

from cgmgm_seis.datasets.waveform_index import WaveformIndex

logger = logging.getLogger(__name__)

LEFT_OUT_FILE = "left_out.csv"
COLUMNS = ("source_id", "station", "instrument_or_file", "reason")
# A row of the file; parts that do not apply are empty.
Fault = tuple[str, str, str, str]
# Windows of the events near a station: source_id, start and end time.
Windows = Mapping[str, list[tuple[str, UTCDateTime, UTCDateTime]]]


def write_left_out(folder: Path, faults: Iterable[Fault]) -> None:
    """Write the rows to `LEFT_OUT_FILE` in a folder."""
    pd.DataFrame(faults, columns=list(COLUMNS)).to_csv(folder / LEFT_OUT_FILE, index=False)


def unused_waveforms(
    index: WaveformIndex,
    stations: Collection[str],
    windows: Windows,
    rows: Iterable[Mapping[str, Any]],
    faults: Iterable[Fault],
    max_distance_km: float,
) -> list[Fault]:
    """Return a row for each instrument of each file that is neither in a record nor left out yet.

    Stations that are not in the inventory are logged as a warning, and the number of other files
    for information.

    Parameters
    ----------
    index : WaveformIndex
        The archive.  Of SDS archives, which contain all days, whole stations are named, not files.
    stations : collection of str
        Codes (NET.STA) of all stations of the inventory.
    windows : mapping
        Windows of the records of each station (NET.STA) that was near an event.
    rows : iterable of mapping
        Metadata of the records.
    faults : iterable of Fault
        What was left out with a reason so far.
    max_distance_km : float
        Largest epicentral distance of stations.
    """
    known, others = _instruments(rows, faults)
    limits = {
        station: np.array([(start.timestamp, end.timestamp) for _, start, end in own])
        for station, own in windows.items()
    }
    unused: dict[tuple[str, str], Fault] = {}
    accounted: set[tuple[str, str]] = set()
    for station, trace_id, first, last, path in index.spans():
        instrument, source_id = trace_id[:-1], ""
        reason = _station_reason(station, stations, windows, max_distance_km)
        if not reason:
            starts, ends = limits[station].T
            overlap = (starts <= last.timestamp) & (ends >= first.timestamp)
            events = [windows[station][place][0] for place in np.flatnonzero(overlap)]
            if any((name, instrument) in known for name in events):
                accounted.add((str(path), instrument))
                continue
            source_id = events[0] if events else ""
            reason = f"{instrument} " + others.get(
                (source_id, station), "has no samples in the window of an event."
            )
        unused.setdefault((str(path), instrument), (source_id, station, str(path), reason))
    found = [fault for key, fault in unused.items() if key not in accounted]
    for station, folder in index.sds_stations():
        if reason := _station_reason(station, stations, windows, max_distance_km):
            found.append(("", station, str(folder), reason))
    _say(found, stations)
    return found


def _instruments(
    rows: Iterable[Mapping[str, Any]], faults: Iterable[Fault]
) -> tuple[set[tuple[str, str]], dict[tuple[str, str], str]]:
    """Return the instruments by event that were used or left out, and why others were not.

    The latter is the end of a sentence by event and station.
    """
    known = {(source_id, instrument) for source_id, _, instrument, _ in faults}
    others = {
        (source_id, station): f"is not used: {reason}" for source_id, station, _, reason in faults
    }
    for row in rows:
        station = f"{row['station_network_code']}.{row['station_code']}"
        for trace_id in str(row["trace_source_channels"]).split():
            known.add((row["source_id"], trace_id[:-1]))
            others[row["source_id"], station] = (
                f"is not used, but {trace_id[:-1]} of the same station is."
            )
    return known, others


def _station_reason(
    station: str, stations: Collection[str], windows: Windows, max_distance_km: float
) -> str:
    """Return why none of the waveforms of a station can be used, if so."""
    if station not in stations:
        return f"Station {station} is not in the inventory."
    if station not in windows:
        return f"Station {station} was not open within {max_distance_km:g} km of an event."
    return ""


def _say(found: list[Fault], stations: Collection[str]) -> None:
    """Log the stations that are not in the inventory, and the number of other files."""
    unknown = sorted({station for _, station, _, _ in found} - set(stations))
    if unknown:
        logger.warning(
            "Waveforms of %d station(s) are not used, because they are not in the inventory: %s.",
            len(unknown),
            ", ".join(unknown[:5]) + (", .." if len(unknown) > 5 else ""),
        )
    others = [fault for fault in found if fault[1] in stations]
    if others:
        logger.info(
            "%d waveform file(s) contain unused instruments, for example: %s",
            len({path for _, _, path, _ in others}),
            others[0][3],
        )
