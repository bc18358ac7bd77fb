"""Resumable download of an archive from several FDSN servers, with ObsPy's MassDownloader."""

import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import obspy
from obspy import Catalog, Inventory, UTCDateTime
from obspy.clients.fdsn.mass_downloader import CircularDomain, MassDownloader, Restrictions
from obspy.core.inventory import Channel
from tqdm.auto import tqdm

from cgmgm_seis.datasets.download.data_centres import DataCentre, near_data_centres
from cgmgm_seis.datasets.download.fdsn import PoliteClient, fetch_events
from cgmgm_seis.datasets.download.raw_archive import RawArchive, Request
from cgmgm_seis.errors import DatasetError, OutputError, reason_of
from cgmgm_seis.scenario.geography import KM_PER_DEGREE
from cgmgm_seis.scenario.obspy_files import epoch
from cgmgm_seis.storage.files import hidden, write_file
from cgmgm_seis.storage.json_files import json_bytes, read_json
from cgmgm_seis.storage.obspy_bytes import read_stream

logger = logging.getLogger(__name__)
_talk = logging.getLogger("obspy.clients.fdsn.mass_downloader")

# Ending of the file with failures of an event, {server: reason}; these servers are queried again.
FAILED = ".failed"


def mass_download(
    clients: Sequence[PoliteClient],
    request: Request,
    folder: str | Path,
    events: Catalog | None = None,
    progress: bool = False,
) -> list[str]:
    """Download from several servers to a folder, one waveform file per event.

    The catalogue is that of the first server.  Waveforms of each event, and responses of the
    stations that recorded it, are requested from all servers with stations near the region; if
    several servers have the same station, the first one is used.  Existing files are not
    downloaded again: the same call resumes an interrupted download at the same event, and
    repeats failed requests for the servers and events that failed.

    Parameters
    ----------
    clients : sequence of PoliteClient
        The servers, in order of preference.
    request : Request
        Selection of the data to download.
    folder : str or pathlib.Path
        Folder of the download, see `RawArchive`.
    events : obspy.Catalog, optional
        Catalogue to use instead of that of the first server.
    progress : bool
        Show a progress bar if stderr is a terminal.

    Returns
    -------
    list of str
        Events for which servers failed, with the reason; the next call queries these servers
        again.

    Raises
    ------
    DatasetError
        If there are no events, or no server has stations or waveforms.
    OutputError
        If the folder contains another download, or another process downloads to it.

    Notes
    -----
    MassDownloader itself does not pause or repeat requests, uses three threads per server, and
    does not detect files that are incomplete after an interruption.  Here its clients limit and
    repeat their requests (`DataCentre`), use one thread each, and the files of an event are kept
    only when all of them are complete.
    """
    servers = ",".join(client.name for client in clients)
    with RawArchive.opened(folder, servers, request) as archive:
        return _download(clients, archive, events, progress)


def _download(
    clients: Sequence[PoliteClient], archive: RawArchive, events: Catalog | None, progress: bool
) -> list[str]:
    """Download what an archive does not have yet; return the events that failed."""
    request = archive.request
    fetch_events(archive, clients[0], events)
    open_events = [
        (source, path, wanted)
        for source, path in archive.sources()
        if (wanted := _wanted(path, [client.name for client in clients]))
    ]
    names = {name for *_, wanted in open_events for name in wanted}
    centres = near_data_centres([client for client in clients if client.name in names], request)
    inventory = archive.stations() if archive.has_stations else Inventory()
    failed = []
    bar = tqdm(open_events, unit="event", desc="Waveforms", disable=None if progress else True)
    for source, path, wanted in bar:
        near = [centre for centre in centres if centre.name in wanted]
        asked = [centre for centre in near if not centre.lost]
        content = _fetch_event(archive, source, path, asked, inventory) if asked else b""
        failures = {centre.name: centre.failure for centre in near if centre.failure}
        _close_event(path, content, failures)
        if failures:
            failed.append(f"{source['source_id']}: {' '.join(failures.values())}")
        for centre in asked:
            centre.end_event(source["source_id"])
    if not archive.has_stations:
        nothing = (
            f"{len(clients)} server(s) have no waveforms of {request.channels} within "
            f"{request.max_distance_km:g} km of any event."
        )
        raise DatasetError(" ".join([nothing, *(c.failure for c in centres if c.failure)]))
    return failed


def _wanted(path: Path, names: list[str]) -> list[str]:
    """Return the names of the servers that have not been queried successfully for an event."""
    failed = path.with_suffix(FAILED)
    if failed.is_file():
        before = read_json(failed, DatasetError)
        return [name for name in names if name in before]
    return [] if RawArchive.has_waveforms(path) else names


def _fetch_event(
    archive: RawArchive,
    source: dict[str, Any],
    path: Path,
    centres: list[DataCentre],
    inventory: Inventory,
) -> bytes:
    """Return existing and new MiniSEED of an event, and add new stations to the inventory."""
    parts = hidden(path.with_suffix(""), "parts")
    # Files of an interrupted run may be incomplete.
    shutil.rmtree(parts, ignore_errors=True)
    there = path.read_bytes() if path.is_file() else b""
    known = {trace.id for trace in read_stream(there, headonly=True)} if there else set()
    origin = UTCDateTime(source["source_origin_time"])

    def waveform_file(*codes_and_times: Any) -> str | bool:
        name = ".".join(codes_and_times[:4])
        return True if name in known else str(parts / f"{name}.mseed")

    def station_file(
        network: str, station: str, channels: list[tuple[str, str]], *_: UTCDateTime
    ) -> dict[str, Any]:
        have = [
            codes for codes in channels if inventory.select(network, station, *codes, time=origin)
        ]
        return {
            "available_channels": have,
            "missing_channels": [codes for codes in channels if codes not in have],
            "filename": str(parts / f"{network}.{station}.xml"),
        }

    for centre in centres:
        centre.begin_event()
    try:
        with _talk_in_our_log():
            MassDownloader(centres, configure_logging=False).download(
                _domain(source, archive.request),
                _restrictions(source, archive.request),
                waveform_file,
                station_file,
                threads_per_client=1,
                print_report=False,
            )
    except OSError as error:
        raise OutputError(f"{parts} cannot be written: {reason_of(error)}.") from error
    except Exception as error:  # invalid responses that MassDownloader does not handle
        shutil.rmtree(parts, ignore_errors=True)
        for centre in centres:
            centre.failure = f"MassDownloader failed: {type(error).__name__}: {reason_of(error)}."
        return b""
    new = [_add_channels(inventory, file) for file in sorted(parts.glob("*.xml"))]
    if any(new):
        archive.write_stations(inventory)
    content = there + b"".join(file.read_bytes() for file in sorted(parts.glob("*.mseed")))
    shutil.rmtree(parts, ignore_errors=True)
    return content


def _close_event(path: Path, content: bytes, failures: dict[str, str]) -> None:
    """Store the waveforms of an event and the servers that failed."""
    failed = path.with_suffix(FAILED)
    if failures:
        write_file(failed, json_bytes(failures))
    if content or not (failures or path.is_file()):
        RawArchive.write_waveforms(path, content)
    if not failures:
        failed.unlink(missing_ok=True)


def _domain(source: dict[str, Any], request: Request) -> CircularDomain:
    # Distances on the sphere are within 1 % of the ellipsoid; stations that are too far away are
    # excluded when the data set is imported.
    degrees = 1.01 * request.max_distance_km / KM_PER_DEGREE
    return CircularDomain(
        source["source_latitude_deg"], source["source_longitude_deg"], 0.0, degrees
    )


def _restrictions(source: dict[str, Any], request: Request) -> Restrictions:
    """Return restrictions without selection, which is done when the data set is imported."""
    start, end = request.window(source)
    return Restrictions(
        start,
        end,
        # All epochs of the channels of a station at once, for later events.
        station_starttime=min(start, UTCDateTime(request.start)),
        station_endtime=max(end, UTCDateTime(request.end)),
        channel=request.channels,
        location="*",
        reject_channels_with_gaps=False,
        minimum_length=0.0,
        minimum_interstation_distance_in_m=0.0,
        # Waveforms without responses are deleted, and requested again together with them.
        sanitize=True,
    )


def _add_channels(inventory: Inventory, path: Path) -> bool:
    """Add channels of a StationXML file that the inventory does not contain for the same time."""
    found = obspy.read_inventory(path)
    for network in found:
        for station in network:
            same = inventory.select(network.code, station.code)
            described = [channel for part in same for place in part for channel in place]
            new: list[Channel] = []
            for channel in station:
                if not any(_described_by(channel, other) for other in described + new):
                    new.append(channel)
            station.channels = new
        network.stations = [station for station in network if station.channels]
    found.networks = [network for network in found if network.stations]
    inventory.networks.extend(found.networks)
    return bool(found.networks)


def _described_by(channel: Channel, other: Channel) -> bool:
    (start, end), (other_start, other_end) = epoch(channel), epoch(other)
    return (
        (channel.location_code, channel.code) == (other.location_code, other.code)
        and start < other_end
        and other_start < end
    )


@contextmanager
def _talk_in_our_log() -> Iterator[None]:
    """Redirect the log of MassDownloader to this module at lower levels."""
    before = _talk.handlers, _talk.level, _talk.propagate
    _talk.handlers, _talk.propagate = [_Relay()], False
    _talk.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        _talk.handlers, _talk.propagate = before[0], before[2]
        _talk.setLevel(before[1])


class _Relay(logging.Handler):
    """Log warnings of MassDownloader as information, and all other messages as debug."""

    def emit(self, record: logging.LogRecord) -> None:
        level = logging.INFO if record.levelno == logging.WARNING else logging.DEBUG
        logger.log(level, "%s", record.getMessage().splitlines()[0])
