"""The folder of a download: what was asked for, and what has come so far."""

import logging
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from obspy import Catalog, Inventory, UTCDateTime

from cgmgm_seis.datasets.records import MARGIN_S
from cgmgm_seis.errors import DatasetError, OutputError, ScenarioError
from cgmgm_seis.scenario.geography import Region
from cgmgm_seis.scenario.obspy_files import read_catalog, read_inventory
from cgmgm_seis.scenario.sources import event_source
from cgmgm_seis.storage.files import write_file
from cgmgm_seis.storage.folders import (
    is_free,
)
from cgmgm_seis.storage.identity import difference
from cgmgm_seis.storage.json_files import json_bytes, read_json
from cgmgm_seis.storage.obspy_bytes import to_bytes

logger = logging.getLogger(__name__)

REQUEST_FILE, EVENTS_FILE, STATIONS_FILE = "request.json", "events.xml", "stations.xml"
WAVEFORMS_FOLDER = "waveforms"
# Ending of the empty file of an event without waveforms, so that it is not asked for again.
NO_DATA = ".nodata"


@dataclass(frozen=True)
class Request:
    """What to download.

    Parameters
    ----------
    start, end : str
        First and last origin time, UTC.
    region : str
        Of the epicentres: ``west,east,south,north``, degrees.
    min_magnitude : float
        Least magnitude.
    max_distance_km : float
        Epicentral distance of the farthest station.
    channels : str
        Channel codes, * and ? allowed.
    start_offset_s, duration_s : float
        Window of the records, which gets a minute on both sides for the filters.
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
                f"{self.start} to {self.end} are no times such as 2005-01-01."
            ) from error
        if span <= 0:
            raise DatasetError(f"The end {self.end} is not after the start {self.start}.")

    def window(self, source: dict[str, Any]) -> tuple[UTCDateTime, UTCDateTime]:
        """Return the first and last time of the waveforms of a source, margins included."""
        start = UTCDateTime(source["source_origin_time"]) + self.start_offset_s
        return start - MARGIN_S, start + self.duration_s + MARGIN_S


class RawArchive:
    """Raw files in a folder: ``events.xml``, ``stations.xml``, ``waveforms/*.mseed``.

    ``request.json`` in it keeps what was asked for, of whom.

    Parameters
    ----------
    folder : str or pathlib.Path
        The folder; made where it is missing.
    servers : str
        Name or names of whom is asked.
    request : Request
        What to download.

    Raises
    ------
    OutputError
        If the folder holds another download, or other things.
    """

    def __init__(self, folder: str | Path, servers: str, request: Request) -> None:
        self.folder, self.request = Path(folder), request
        self._start({"client": servers, **asdict(request)})

    def _start(self, identity: dict[str, Any]) -> None:
        """Make the folder, or check that it holds the same download."""
        path = self.folder / REQUEST_FILE
        if path.is_file():
            if found := difference(read_json(path, OutputError), identity):
                raise OutputError(
                    f"{self.folder} holds a download with {found}; another folder is needed."
                )
            return
        if not is_free(self.folder):
            raise OutputError(
                f"{self.folder} exists already and holds no download; another name is needed."
            )
        write_file(path, json_bytes(identity))

    @property
    def has_events(self) -> bool:
        """Whether there is a catalogue."""
        return (self.folder / EVENTS_FILE).is_file()

    @property
    def has_stations(self) -> bool:
        """Whether there are station metadata."""
        return (self.folder / STATIONS_FILE).is_file()

    def write_events(self, catalog: Catalog) -> None:
        """Keep a catalogue."""
        write_file(self.folder / EVENTS_FILE, to_bytes(catalog, "QUAKEML"))

    def check_events(self, catalog: Catalog | None) -> None:
        """Raise `OutputError` where a catalogue, if given, has events that are not kept."""
        if catalog is None:
            return
        kept = {str(event.resource_id) for event in read_catalog(self.folder / EVENTS_FILE)}
        new = {str(event.resource_id) for event in catalog} - kept
        if new:
            raise OutputError(
                f"{self.folder} holds a download of {len(kept)} event(s) without "
                f"{min(new)}; another folder is needed."
            )

    def write_stations(self, inventory: Inventory) -> None:
        """Keep station metadata."""
        write_file(self.folder / STATIONS_FILE, to_bytes(inventory, "STATIONXML"))

    def stations(self) -> Inventory:
        """Return the station metadata."""
        return read_inventory(self.folder / STATIONS_FILE)

    def sources(self) -> Iterator[tuple[dict[str, Any], Path]]:
        """Yield the ``source_*`` columns of the events, and the file of their waveforms.

        Events without magnitude or place are named and passed over.
        """
        for event in read_catalog(self.folder / EVENTS_FILE):
            try:
                source = event_source(event)
            except ScenarioError as error:
                logger.warning("%s", error)
                continue
            name = re.sub(r"[^\w.-]", "_", source["source_id"], flags=re.ASCII)
            yield source, self.folder / WAVEFORMS_FOLDER / f"{name}.mseed"

    @staticmethod
    def write_waveforms(path: Path, content: bytes) -> None:
        """Keep MiniSEED of an event; an empty file of another name where there is none."""
        write_file(path if content else path.with_suffix(NO_DATA), content)

    @staticmethod
    def has_waveforms(path: Path) -> bool:
        """Whether the waveforms of an event have come, or there are none."""
        return path.is_file() or path.with_suffix(NO_DATA).is_file()
