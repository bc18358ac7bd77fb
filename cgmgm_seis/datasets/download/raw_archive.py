"""The folder of a download: the request and the files downloaded so far."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from obspy import Catalog, Inventory, UTCDateTime
from obspy.core.event import ResourceIdentifier

from cgmgm_seis.datasets.records import MARGIN_S
from cgmgm_seis.errors import DatasetError, OutputError
from cgmgm_seis.scenario.geography import Region
from cgmgm_seis.scenario.obspy_files import read_catalog, read_inventory
from cgmgm_seis.scenario.sources import catalog_sources
from cgmgm_seis.scenario.streams import CATALOG_ID
from cgmgm_seis.storage.files import clear_parts, write_file
from cgmgm_seis.storage.folders import is_free
from cgmgm_seis.storage.identity import difference
from cgmgm_seis.storage.json_files import json_bytes, read_json
from cgmgm_seis.storage.obspy_bytes import to_bytes
from cgmgm_seis.storage.run_lock import run_lock

REQUEST_FILE, EVENTS_FILE, STATIONS_FILE = "request.json", "events.xml", "stations.xml"
WAVEFORMS_FOLDER = "waveforms"
# Ending of the empty file of an event without waveforms, so that it is not requested again.
NO_DATA = ".nodata"


@dataclass(frozen=True)
class Request:
    """Selection of the data to download.

    Parameters
    ----------
    start, end : str
        First and last origin time, UTC.
    region : str
        Region of the epicentres: ``west,east,south,north``, degrees.
    min_magnitude : float
        Smallest magnitude.
    max_distance_km : float
        Largest epicentral distance of stations.
    channels : str
        Channel codes, separated by commas; * and ? are allowed.
    start_offset_s, duration_s : float
        Window of the records: start relative to the origin time and duration, seconds.  One
        minute is added at both ends for the filters.
    """

    start: str
    end: str
    region: str
    min_magnitude: float = 1.0
    max_distance_km: float = 100.0
    channels: str = "HH?,BH?,HN?"
    start_offset_s: float = -5.0
    duration_s: float = 60.0

    def __post_init__(self) -> None:
        Region.parse(self.region)
        try:
            span = UTCDateTime(self.end) - UTCDateTime(self.start)
        except Exception as error:  # ObsPy raises several kinds
            raise DatasetError(
                f"{self.start} and {self.end} must be times such as 2005-01-01."
            ) from error
        if span <= 0:
            raise DatasetError(f"The end {self.end} must be after the start {self.start}.")

    def window(self, source: dict[str, Any]) -> tuple[UTCDateTime, UTCDateTime]:
        """Return start and end time of the waveforms of a source, including margins."""
        start = UTCDateTime(source["source_origin_time"]) + self.start_offset_s
        return start - MARGIN_S, start + self.duration_s + MARGIN_S


class RawArchive:
    """Raw files in a folder: ``events.xml``, ``stations.xml``, ``waveforms/*.mseed``.

    The request and the servers are stored in ``request.json``.

    Parameters
    ----------
    folder : str or pathlib.Path
        The folder; created if it is missing.
    servers : str
        Names of the servers, separated by commas.
    request : Request
        Selection of the data to download.

    Raises
    ------
    OutputError
        If the folder contains another download or other files.
    """

    def __init__(self, folder: str | Path, servers: str, request: Request) -> None:
        self.folder, self.request = Path(folder), request
        self._start({"client": servers, **asdict(request)})

    @classmethod
    @contextmanager
    def opened(cls, folder: str | Path, servers: str, request: Request) -> "Iterator[RawArchive]":
        """Open the archive, as the only process that downloads to it; options of the class."""
        with run_lock(Path(folder)):
            yield cls(folder, servers, request)

    def _start(self, identity: dict[str, Any]) -> None:
        """Create the folder, or check that it contains the same download."""
        for part in (self.folder, self.folder / WAVEFORMS_FOLDER):
            clear_parts(part)
        path = self.folder / REQUEST_FILE
        if path.is_file():
            if found := difference(read_json(path, OutputError), identity):
                raise OutputError(
                    f"{self.folder} contains a download with {found}; use another folder."
                )
            return
        if not is_free(self.folder):
            raise OutputError(
                f"{self.folder} already exists and is not a download; use another folder."
            )
        write_file(path, json_bytes(identity))

    @property
    def has_events(self) -> bool:
        """Whether the catalogue has been downloaded."""
        return (self.folder / EVENTS_FILE).is_file()

    @property
    def has_stations(self) -> bool:
        """Whether station metadata have been downloaded."""
        return (self.folder / STATIONS_FILE).is_file()

    def write_events(self, catalog: Catalog) -> None:
        """Store a catalogue; the same events are the same file."""
        catalog = Catalog([*catalog], resource_id=ResourceIdentifier(CATALOG_ID))
        write_file(self.folder / EVENTS_FILE, to_bytes(catalog, "QUAKEML"))

    def check_events(self, catalog: Catalog | None) -> None:
        """Raise `OutputError` if a given catalogue has events that are not in the archive."""
        if catalog is None:
            return
        kept = {str(event.resource_id) for event in read_catalog(self.folder / EVENTS_FILE)}
        new = {str(event.resource_id) for event in catalog} - kept
        if new:
            raise OutputError(
                f"{self.folder} contains a download of {len(kept)} event(s) without "
                f"{min(new)}; use another folder."
            )

    def write_stations(self, inventory: Inventory) -> None:
        """Store station metadata."""
        write_file(self.folder / STATIONS_FILE, to_bytes(inventory, "STATIONXML"))

    def stations(self) -> Inventory:
        """Return the station metadata."""
        return read_inventory(self.folder / STATIONS_FILE)

    def sources(self) -> Iterator[tuple[dict[str, Any], Path]]:
        """Yield the ``source_*`` columns and the waveform file of each event.

        Events without origin time, epicentre or magnitude are logged and skipped; see
        `catalog_sources`.
        """
        usable, _ = catalog_sources(read_catalog(self.folder / EVENTS_FILE))
        for _, source in usable:
            name = re.sub(r"[^\w.-]", "_", source["source_id"], flags=re.ASCII)
            yield source, self.folder / WAVEFORMS_FOLDER / f"{name}.mseed"

    @staticmethod
    def write_waveforms(path: Path, content: bytes) -> None:
        """Store MiniSEED of an event; if there is none, an empty file with another name."""
        write_file(path if content else path.with_suffix(NO_DATA), content)

    @staticmethod
    def has_waveforms(path: Path) -> bool:
        """Return whether the waveforms of an event have been downloaded or do not exist."""
        return path.is_file() or path.with_suffix(NO_DATA).is_file()
