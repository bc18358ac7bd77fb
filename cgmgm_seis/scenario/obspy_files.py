"""Reading and checking files with ObsPy: QuakeML and StationXML."""

from collections.abc import Callable, Iterable
from glob import glob
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import obspy
from obspy import Catalog, Inventory, UTCDateTime
from obspy.core.event import Event
from obspy.core.inventory import Channel

from cgmgm_seis.errors import ScenarioError, reason_of
from cgmgm_seis.scenario.events import unique_events

Paths = str | Path | Iterable[str | Path]


def read_event(path: str | Path) -> Event:
    """Read a file with one earthquake, in QuakeML or another format supported by ObsPy.

    An event that is listed more than once is used once, see `unique_events`.

    Raises
    ------
    ScenarioError
        If the file cannot be read or does not contain exactly one event.
    """
    events = unique_events(read_file(obspy.read_events, path, "QuakeML", ScenarioError))
    if len(events) != 1:
        raise ScenarioError(f"{path} contains {len(events)} events; it must contain exactly one.")
    return events[0]


def read_catalog(paths: Paths) -> Catalog:
    """Read and join catalogues, in QuakeML or another format supported by ObsPy.

    Raises
    ------
    ScenarioError
        If a file is missing or unreadable, or there are no events.
    """
    joined = Catalog()
    for path in expand(paths, ScenarioError):
        joined += read_file(obspy.read_events, path, "QuakeML", ScenarioError)
    if not len(joined):
        raise ScenarioError(f"The catalogue {paths} contains no events; at least one is needed.")
    return joined


def read_inventory(paths: Paths) -> Inventory:
    """Read and join StationXML files.

    Parameters
    ----------
    paths : str, pathlib.Path or iterable of them
        Files; ``*``, ``?`` and ``[]`` are expanded.

    Raises
    ------
    ScenarioError
        If a file is missing, unreadable or contains no station, or a channel has two
        descriptions for the same time.
    """
    joined = Inventory()
    for path in expand(paths, ScenarioError):
        inventory = read_file(obspy.read_inventory, path, "StationXML", ScenarioError)
        if not any(len(network) for network in inventory):
            raise ScenarioError(f"{path} contains no stations; at least one is needed.")
        joined += inventory
    _check_epochs(joined)
    return joined


def expand(paths: Paths, error: type[Exception]) -> list[Path]:
    """Return the files that match one or more paths or patterns, or raise `error`.

    ``**`` matches all subfolders.
    """
    found: dict[Path, None] = {}
    for path in [paths] if isinstance(paths, str | Path) else paths:
        # Path.glob does not support absolute patterns.
        matches = sorted(glob(str(path), recursive=True))  # noqa: PTH207
        matches = [str(path)] if Path(path).is_file() else matches
        files = [Path(match) for match in matches if Path(match).is_file()]
        if not files:
            raise error(f"No file matches {path}.")
        found |= dict.fromkeys(files)
    return list(found)


def read_file(
    reader: Callable[[BinaryIO], Any], path: str | Path, kind: str, error_type: type[Exception]
) -> Any:
    """Read a file with one of ObsPy's readers, or raise `error_type`."""
    try:
        with Path(path).open("rb") as file:
            if not file.read(1):
                raise ValueError("it is empty")
            file.seek(0)
            return reader(file)
    except Exception as error:  # ObsPy's readers pass on any error of their parsers
        raise error_type(f"{path} is not a readable {kind} file: {reason_of(error)}.") from error


def epoch(channel: Channel) -> tuple[UTCDateTime, UTCDateTime]:
    """Return start and end date of a channel; 1970 and 9999 where they are not given."""
    return channel.start_date or UTCDateTime(0), channel.end_date or UTCDateTime(9999, 1, 1)


def _check_epochs(inventory: Inventory) -> None:
    """Raise an error if a channel has two descriptions for the same time."""
    epochs: dict[str, list[tuple[Any, Any]]] = {}
    for network in inventory:
        for station in network:
            for channel in station:
                name = f"{network.code}.{station.code}.{channel.location_code}.{channel.code}"
                epochs.setdefault(name, []).append(epoch(channel))
    for name, spans in epochs.items():
        spans.sort()
        for (_, end), (start, _) in pairwise(spans):
            if start < end:
                raise ScenarioError(
                    f"Channel {name} has two descriptions for {start}; only one is allowed."
                )
