"""Resumable download of an archive from an FDSN server, with a limited rate of requests."""

import logging
import math
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from obspy import Catalog, Inventory, UTCDateTime, read
from obspy.clients.fdsn import Client
from obspy.clients.fdsn.header import (
    FDSNBadGatewayException,
    FDSNBadRequestException,
    FDSNException,
    FDSNForbiddenException,
    FDSNInternalServerException,
    FDSNNoDataException,
    FDSNRequestTooLargeException,
    FDSNServiceUnavailableException,
    FDSNTimeoutException,
    FDSNTooManyRequestsException,
    FDSNUnauthorizedException,
)
from tqdm.auto import tqdm

from cgmgm_seis.datasets.archive import near_stations
from cgmgm_seis.datasets.download.raw_archive import RawArchive, Request
from cgmgm_seis.errors import DatasetError, reason_of, shortened
from cgmgm_seis.scenario.codes import is_code
from cgmgm_seis.scenario.geography import KM_PER_DEGREE, Region, wrapped_longitude
from cgmgm_seis.storage.bounded_answers import BoundedAnswers

logger = logging.getLogger(__name__)

# Errors that may be temporary; others are caused by the request.
PASSING = (
    FDSNInternalServerException,
    FDSNServiceUnavailableException,
    FDSNTimeoutException,
    FDSNTooManyRequestsException,
    FDSNBadGatewayException,
    ConnectionError,
    TimeoutError,
)
FINAL = (FDSNBadRequestException, FDSNForbiddenException, FDSNUnauthorizedException)


class PoliteClient:
    """An FDSN client that waits between requests and repeats failed requests.

    Parameters
    ----------
    name : str
        Name of a data centre in ObsPy, such as "NCEDC", or the address of a server.
    pause_s : float
        Smallest time between two requests, seconds.
    tries : int
        Largest number of attempts per request; the waiting time is doubled after each attempt.
    backoff_s : float
        First waiting time, seconds.
    timeout_s : float
        Timeout of the server, seconds.

    Raises
    ------
    DatasetError
        If the name is unknown or the address is not valid.
    """

    def __init__(
        self,
        name: str,
        pause_s: float = 0.5,
        tries: int = 5,
        backoff_s: float = 2.0,
        timeout_s: float = 120.0,
    ) -> None:
        self.name = name
        self.pause_s, self.tries, self.backoff_s = pause_s, tries, backoff_s
        self._last = -math.inf
        self.bounds = BoundedAnswers()
        try:
            self.client = Client(name, timeout=timeout_s, _discover_services=False)
            self.client._url_opener.add_handler(self.bounds)
        except (ValueError, FDSNException) as error:
            raise DatasetError(
                f"FDSN server {name} is not known: {reason_of(error)}; it must be a name in ObsPy, "
                "such as NCEDC, or an address, such as https://service.ncedc.org."
            ) from error

    def ask(self, request: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Return the response to a request, or None if there are no data.

        Raises
        ------
        DatasetError
            If the server rejects the request, or all attempts fail.
        FDSNRequestTooLargeException
            If the request is too large.
        """
        for attempt in range(1, self.tries + 1):
            time.sleep(max(self._last + self.pause_s - time.monotonic(), 0.0))
            self.bounds.exceeded = False
            try:
                return request(*arguments, **options)
            except FDSNNoDataException:
                return None
            except FDSNRequestTooLargeException:
                raise
            except Exception as error:  # parsers raise any error for a truncated response
                reason = f"{type(error).__name__}: {reason_of(error)}"
                final = isinstance(error, FINAL) or self.bounds.exceeded
                if final or attempt == self.tries:
                    raise DatasetError(f"The request to {self.name} failed: {reason}.") from error
                if not isinstance(error, PASSING):
                    logger.debug("Damaged response of %s: %s.", self.name, reason)
                wait_s = self.backoff_s * 2.0 ** (attempt - 1)
                logger.info("%s; the request to %s is repeated in %g s.", reason, self.name, wait_s)
                time.sleep(wait_s)
            finally:
                self._last = time.monotonic()
        raise AssertionError("unreachable")

    def events(self, request: Request) -> Catalog:
        """Return the catalogue; time spans that are too large are requested in halves."""
        found = Catalog()
        spans = [(UTCDateTime(request.start), UTCDateTime(request.end))]
        while spans:
            start, end = spans.pop()
            try:
                for box in Region.parse(request.region).boxes():
                    part = self.ask(
                        self.client.get_events,
                        starttime=start,
                        endtime=end,
                        minmagnitude=request.min_magnitude,
                        **_box(box),
                    )
                    found += part or Catalog()
            except FDSNRequestTooLargeException as error:
                if end - start < 60.0:
                    raise DatasetError(
                        f"{self.name} rejects a request for one minute of events as too large."
                    ) from error
                middle = start + (end - start) / 2.0
                spans += [(start, middle), (middle, end)]
        unique = {str(event.resource_id): event for event in found}
        return Catalog(sorted(unique.values(), key=_origin_time))

    def stations(self, request: Request) -> Inventory:
        """Return the stations near the region with responses, requested by network."""
        found = Inventory()
        for common in _station_queries(request):
            try:
                names = self.ask(self.client.get_stations, level="station", **common)
            except FDSNRequestTooLargeException as error:
                raise DatasetError(
                    f"{self.name} rejects the request for stations near {request.region} as too "
                    "large; use a smaller region."
                ) from error
            for network in with_codes(names or Inventory(), self.name):
                codes = sorted({station.code for station in network})
                found += self._responses(network.code, codes, common)
        return found

    def has_stations(self, request: Request) -> bool:
        """Return whether there are stations near the region."""
        try:
            return any(
                self.ask(self.client.get_stations, level="station", **common)
                for common in _station_queries(request)
            )
        except FDSNRequestTooLargeException:
            return True

    def _responses(self, network: str, codes: list[str], common: dict[str, Any]) -> Inventory:
        """Return the responses of stations, requested in halves if there are too many."""
        try:
            part = self.ask(
                self.client.get_stations,
                network=network,
                station=",".join(codes),
                level="response",
                **common,
            )
            return with_codes(part or Inventory(), self.name)
        except FDSNRequestTooLargeException as error:
            if len(codes) == 1:
                raise DatasetError(
                    f"{self.name} rejects a request for station {codes[0]} as too large."
                ) from error
            half = len(codes) // 2
            first = self._responses(network, codes[:half], common)
            return first + self._responses(network, codes[half:], common)

    def waveforms(self, bulk: list[tuple[Any, ...]]) -> bytes:
        """Return MiniSEED of (network, station, location, channel, start, end), complete records.

        Responses that are truncated or damaged are requested again.
        """
        if not bulk:
            return b""
        try:
            return self.ask(self._whole, bulk) or b""
        except FDSNRequestTooLargeException as error:
            if len(bulk) == 1:
                raise DatasetError(
                    f"{self.name} rejects the request {bulk[0]} as too large."
                ) from error
            half = len(bulk) // 2
            return self.waveforms(bulk[:half]) + self.waveforms(bulk[half:])

    def _whole(self, bulk: list[tuple[Any, ...]]) -> bytes:
        with TemporaryDirectory(prefix="waveforms-") as folder:
            path = Path(folder, "waveforms.mseed")
            self.client.get_waveforms_bulk(bulk, filename=str(path))
            _check_miniseed(path)  # a server without data says so
            return path.read_bytes()


def with_codes(inventory: Inventory, server: str) -> Inventory:
    """Return an inventory without stations whose codes are none, which are logged.

    The codes become names of files and parts of SEED identifiers.
    """
    for network in inventory:
        own = [station for station in network if is_code(network.code) and is_code(station.code)]
        for station in network:
            if station not in own:
                logger.warning(
                    "%s: station '%s' is left out: codes must have letters, digits, - or _ only.",
                    server,
                    shortened(f"{network.code}.{station.code}"),
                )
        network.stations = own
    inventory.networks = [network for network in inventory if network.stations]
    return inventory


def download(
    client: PoliteClient,
    request: Request,
    folder: str | Path,
    events: Catalog | None = None,
    progress: bool = False,
) -> list[str]:
    """Download catalogue, responses and waveforms to a folder, one waveform file per event.

    Existing files are not downloaded again, so that the same call resumes an interrupted download.
    For several servers, see `cgmgm_seis.datasets.download.mass_download.mass_download`.

    Parameters
    ----------
    client : PoliteClient
        The server.
    request : Request
        Selection of the data to download.
    folder : str or pathlib.Path
        Folder of the download, see `RawArchive`.
    events : obspy.Catalog, optional
        Catalogue to use instead of that of the server.
    progress : bool
        Show a progress bar if stderr is a terminal.

    Returns
    -------
    list of str
        Events whose waveforms could not be downloaded, with the reason; the next call tries them
        again.

    Raises
    ------
    DatasetError
        If there are no events or stations, or the server fails repeatedly.
    OutputError
        If the folder contains another download, or another process downloads to it.

    Examples
    --------
    >>> request = Request("2019-10-14", "2019-10-16", "-123,-121,37,38.5", min_magnitude=4.0)
    >>> download(PoliteClient("NCEDC"), request, "archive")  # doctest: +SKIP
    """
    with RawArchive.opened(folder, client.name, request) as archive:
        return _download(client, archive, events, progress)


def _download(
    client: PoliteClient, archive: RawArchive, events: Catalog | None, progress: bool
) -> list[str]:
    """Download what an archive does not have yet; return the events that failed."""
    request = archive.request
    fetch_events(archive, client, events)
    if not archive.has_stations:
        inventory = client.stations(request)
        if not len(inventory.networks):
            raise DatasetError(
                f"{client.name} has no stations with channels {request.channels} within "
                f"{request.max_distance_km:g} km of {request.region}; at least one is needed."
            )
        archive.write_stations(inventory)
    inventory = archive.stations()
    failed = []
    bar = tqdm(
        list(archive.sources()), unit="event", desc="Waveforms", disable=None if progress else True
    )
    for source, path in bar:
        if archive.has_waveforms(path):
            continue
        try:
            archive.write_waveforms(path, client.waveforms(_bulk(source, inventory, request)))
        except DatasetError as error:
            failed.append(f"{source['source_id']}: {error}")
            logger.warning("Event %s", failed[-1])
    return failed


def fetch_events(archive: RawArchive, client: PoliteClient, events: Catalog | None) -> None:
    """Store a given catalogue, or that of the server, if the archive has none yet.

    Raises
    ------
    DatasetError
        If there are no events, or the server fails repeatedly.
    OutputError
        If the archive contains a catalogue that differs from the given one.
    """
    if archive.has_events:
        archive.check_events(events)
        return
    request = archive.request
    catalog = client.events(request) if events is None else events
    if not len(catalog):
        raise DatasetError(
            f"{client.name} has no events of M {request.min_magnitude:g} or more in "
            f"{request.region} from {request.start} to {request.end}; at least one is needed."
        )
    archive.write_events(catalog)


def _bulk(source: dict[str, Any], inventory: Inventory, request: Request) -> list[tuple[Any, ...]]:
    """Return the requests for one event: all channels that operated at nearby stations."""
    origin = UTCDateTime(source["source_origin_time"])
    wanted: dict[tuple[str, str, str, str], None] = {}
    for station in near_stations(inventory, source, request.max_distance_km):
        codes = station["station_network_code"], station["station_code"]
        for network in inventory.select(*codes, time=origin):
            for channel in (channel for found in network for channel in found):
                wanted[*codes, channel.location_code or "--", channel.code] = None
    return [(*codes, *request.window(source)) for codes in wanted]


def _check_miniseed(path: Path) -> None:
    """Raise `DatasetError` if MiniSEED does not end with a complete record."""
    # Given a path, ObsPy would unpack an archive, which may be huge.
    with warnings.catch_warnings(record=True) as caught, path.open("rb") as file:
        warnings.simplefilter("always")
        stream = read(file, format="MSEED")
    sizes = {trace.stats.mseed.record_length for trace in stream}
    if caught or not sizes or path.stat().st_size % min(sizes):
        raise DatasetError("the MiniSEED is truncated or damaged")


def _station_queries(request: Request) -> list[dict[str, Any]]:
    """Return the query for stations near the region, as two queries across the date line."""
    common = {
        "starttime": UTCDateTime(request.start),
        "endtime": UTCDateTime(request.end),
        "channel": request.channels,
    }
    around = _around(Region.parse(request.region), request.max_distance_km)
    return [common | _box(box) for box in around.boxes()]


def _box(box: tuple[float, float, float, float]) -> dict[str, float]:
    names = ("minlongitude", "maxlongitude", "minlatitude", "maxlatitude")
    return dict(zip(names, box, strict=True))


def _around(region: Region, distance_km: float) -> Region:
    """Return a region extended by a distance on all sides."""
    degrees = distance_km / KM_PER_DEGREE
    south, north = max(region.south - degrees, -90.0), min(region.north + degrees, 90.0)
    across = degrees / max(math.cos(math.radians(max(abs(south), abs(north)))), 1e-6)
    width = (region.east - region.west) % 360.0
    if width + 2.0 * across >= 360.0 or (region.west == -180.0 and region.east == 180.0):
        return Region(-180.0, 180.0, south, north)
    return Region(
        wrapped_longitude(region.west - across),
        wrapped_longitude(region.east + across),
        south,
        north,
    )


def _origin_time(event: Any) -> float:
    origin = event.preferred_origin() or (event.origins[0] if event.origins else None)
    return origin.time.timestamp if origin is not None and origin.time else 0.0
