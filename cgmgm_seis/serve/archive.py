"""Folders written by ``generate`` or ``grid``, read for the web services of FDSN."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from obspy import Catalog, Inventory, Stream, UTCDateTime

from cgmgm_seis.datasets.generated import read_waveforms
from cgmgm_seis.errors import CgmgmError, ScenarioError
from cgmgm_seis.scenario.events import preferred_magnitude, preferred_origin
from cgmgm_seis.scenario.obspy_files import read_catalog, read_inventory

logger = logging.getLogger(__name__)


@dataclass
class Archive:
    """Events, stations and waveforms, held in memory.

    Parameters
    ----------
    catalog : obspy.Catalog
    inventory : obspy.Inventory
    stream : obspy.Stream
        Samples as in the files: multiplied by the gain in the inventory (1, or 1e9 of SAC).
    """

    catalog: Catalog = field(default_factory=Catalog)
    inventory: Inventory = field(default_factory=Inventory)
    stream: Stream = field(default_factory=Stream)


def read_folders(folders: Iterable[str | Path]) -> Archive:
    """Read and join folders of ``cgmgm-seis generate`` or ``grid``.

    Raises
    ------
    CgmgmError
        If a folder lacks stations or events, or two folders have different events of one name or
        one channel at the same time.
    """
    archive = Archive()
    events: dict[str, tuple[tuple[object, ...], Path]] = {}
    for folder in map(Path, folders):
        if not (folder / "stations.xml").is_file() or not (folder / "events.xml").is_file():
            raise ScenarioError(
                f"{folder} has no stations.xml and events.xml; it must be a folder written by "
                "cgmgm-seis generate."
            )
        for event in read_catalog(folder / "events.xml"):
            origin, magnitude = preferred_origin(event), preferred_magnitude(event)
            if origin is None or magnitude is None:
                raise ScenarioError(
                    f"{folder}/events.xml has an event without origin or magnitude; every event "
                    "must have both."
                )
            values = origin.time, origin.latitude, origin.longitude, origin.depth, magnitude.mag
            name = str(event.resource_id)
            if name not in events:
                events[name] = values, folder
                archive.catalog.append(event)
            elif events[name][0] != values:
                raise CgmgmError(
                    f"{folder} and {events[name][1]} have different events called {name}; serve "
                    "one of them."
                )
        archive.inventory += read_inventory(folder / "stations.xml")
        stream = read_waveforms(folder)
        if not stream:
            logger.warning(
                "%s has no MiniSEED or SAC files: its event and stations are served without "
                "waveforms.",
                folder,
            )
        archive.stream += stream
    _check_overlaps(archive.stream)
    return archive


def _check_overlaps(stream: Stream) -> None:
    """Raise an error if two traces hold the same channel at the same time."""
    last: dict[str, UTCDateTime] = {}
    for trace in sorted(stream, key=lambda trace: (trace.id, trace.stats.starttime)):
        start, end = trace.stats.starttime, trace.stats.endtime
        if trace.id in last and start <= last[trace.id]:
            raise CgmgmError(
                f"Two folders have {trace.id} at {start}; serve one of them, or generate with "
                "another --time."
            )
        last[trace.id] = end
