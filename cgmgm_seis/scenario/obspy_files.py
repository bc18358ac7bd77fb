"""Reading and checking files with ObsPy: QuakeML and StationXML."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from glob import escape, glob
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import obspy
from obspy import Catalog, Inventory, UTCDateTime
from obspy.core.event import Event
from obspy.core.inventory import Channel

from cgmgm_seis.errors import ScenarioError, reason_of
from cgmgm_seis.scenario.events import unique_events
from cgmgm_seis.storage.files import check_regular
from cgmgm_seis.storage.text import decoded

logger = logging.getLogger(__name__)

# ObsPy's readers of SEED and RESP set unknown elevations and depths to this, m, and unknown
# coordinates to 0.
NO_VALUE = 123456.0

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

    Unreadable files are skipped, with a warning, if they match a pattern together with readable
    ones.

    Raises
    ------
    ScenarioError
        If a file is missing or unreadable, or there are no events.
    """
    joined = Catalog()
    for events in _read_files(_read_events, paths):
        joined += events
    if not len(joined):
        raise ScenarioError(f"The catalogue {paths} contains no events; at least one is needed.")
    return joined


def read_inventory(paths: Paths) -> Inventory:
    """Read and join station metadata, in StationXML or another format supported by ObsPy.

    Unreadable files are skipped as in `read_catalog`.

    Parameters
    ----------
    paths : str, pathlib.Path or iterable of them
        Files; ``*``, ``?``, ``[]``, ``**`` and ``~`` are expanded.  FDSN text may be in Latin-1 or
        UTF-16.

    Raises
    ------
    ScenarioError
        If a file is missing, unreadable or contains no station or no coordinates.
    """
    joined = Inventory()
    for inventory in _read_files(_read_stations, paths):
        joined += inventory
    return joined


def parse_inventory(file: BinaryIO) -> Inventory:
    """Read an inventory in any format supported by ObsPy from an open file."""
    content = file.read()
    text = decoded(content)
    if text is not None and text.lower().startswith("#network"):
        # ObsPy reads FDSN text in UTF-8 only, without a byte order mark.
        content = text.encode()
    return obspy.read_inventory(BytesIO(content))


def expand(paths: Paths, error: type[Exception]) -> list[Path]:
    """Return the files that match one or more paths or patterns, or raise `error`.

    ``~`` is the home folder; ``**`` matches all subfolders, also those behind links, each once.
    """
    found: dict[Path, None] = {}
    for path in map(with_home, [paths] if isinstance(paths, str | Path) else paths):
        matches = [path] if Path(path).is_file() else _matches(path)
        files = [Path(match) for match in matches if Path(match).is_file()]
        if not files:
            raise error(f"No file matches {path}.")
        found |= dict.fromkeys(files)
    return list(found)


def with_home(path: str | Path) -> str:
    """Return a path or pattern with the home folder in place of ``~``."""
    # Path.expanduser raises an error for the names of unknown users.
    return os.path.expanduser(path)  # noqa: PTH111


def _matches(pattern: str) -> list[str]:
    """Return the sorted matches of a pattern."""
    parts = Path(pattern).parts
    if "**" not in parts:
        return sorted(glob(pattern))  # noqa: PTH207  Path.glob does not support absolute patterns
    at = parts.index("**")
    rest = Path(*parts[at + 1 :] or "*")
    return sorted(
        match
        for top in glob(str(Path(*parts[:at])))  # noqa: PTH207
        for folder in _folders(top)
        for match in _matches(str(Path(escape(folder), rest)))
    )


def _folders(top: str) -> Iterator[str]:
    """Yield a folder and its subfolders that are not hidden, each once even if links repeat it."""
    seen = set()
    for folder, below, _ in os.walk(top, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        below[:] = sorted(name for name in below if not name.startswith("."))
        yield folder


def _read_files(read: Callable[[Path], Any], paths: Paths) -> Iterator[Any]:
    """Yield the contents of files; skip unreadable ones that match a pattern with readable ones."""
    files = expand(paths, ScenarioError)
    named = {with_home(path) for path in ([paths] if isinstance(paths, str | Path) else paths)}
    faults = []
    for path in files:
        try:
            content = read(path)
        except ScenarioError as error:
            if str(path) in named:
                raise
            faults.append(error)
            continue
        yield content
    if len(faults) == len(files):
        raise faults[0]
    for fault in faults:
        logger.warning("Skipped: %s", fault)


def _read_events(path: Path) -> Catalog:
    return read_file(obspy.read_events, path, "QuakeML", ScenarioError)


def _read_stations(path: Path) -> Inventory:
    """Read a file with stations that have coordinates, or raise an error."""
    inventory = read_file(parse_inventory, path, "StationXML", ScenarioError)
    stations = [station for network in inventory for station in network]
    if not stations:
        raise ScenarioError(f"{path} contains no stations; at least one is needed.")
    if any(station.elevation == NO_VALUE for station in stations):
        raise ScenarioError(
            f"{path} is a RESP file, which has no coordinates; StationXML, dataless SEED or SC3ML "
            "is needed."
        )
    return inventory


def read_file(
    reader: Callable[[BinaryIO], Any], path: str | Path, kind: str, error_type: type[Exception]
) -> Any:
    """Read a file with one of ObsPy's readers, or raise `error_type`."""
    try:
        check_regular(Path(with_home(path)))
        with Path(with_home(path)).open("rb") as file:
            if not file.read(1):
                raise ValueError("it is empty")
            file.seek(0)
            return reader(file)
    except Exception as error:  # ObsPy's readers pass on any error of their parsers
        raise error_type(f"{path} is not a readable {kind} file: {reason_of(error)}.") from error


def epoch(channel: Channel) -> tuple[UTCDateTime, UTCDateTime]:
    """Return start and end date of a channel; 1970 and 9999 where they are not given."""
    return channel.start_date or UTCDateTime(0), channel.end_date or UTCDateTime(9999, 1, 1)
