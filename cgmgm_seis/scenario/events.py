"""Events of catalogues: their ids, their magnitudes, and events that are listed more than once."""

import logging
import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from obspy import Catalog
from obspy.core.event import Event, Magnitude, Origin

logger = logging.getLogger(__name__)

# The value of a query such as "query?eventid=nc73291880&format=quakeml" or of "ISC/evid=600516598".
_ID_VALUE = re.compile(r"(?:^|[/?&;])\w*id=([^&;/?#]+)", re.IGNORECASE)
# ObsPy gives events of formats without identifiers a random one.
_RANDOM_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Events closer than this in time and space may be two solutions of one earthquake.
CLOSE_S, CLOSE_DEG = 2.0, 0.2


def event_id(event: Event) -> str:
    """Return a readable identifier of an event.

    This is the value of ``eventid`` if the resource identifier is a query, as in the catalogues
    of ComCat and SCEDC, or else its last part.  Events with a random identifier, which ObsPy gives
    to those of formats that have none, are named after their origin time.

    Examples
    --------
    >>> from obspy.core.event import ResourceIdentifier
    >>> comcat = "quakeml:earthquake.usgs.gov/fdsnws/event/1/query?eventid=nc73291880&format=xml"
    >>> event_id(Event(resource_id=ResourceIdentifier(comcat)))
    'nc73291880'
    >>> event_id(Event(resource_id=ResourceIdentifier("smi:org.gfz-potsdam.de/geofon/gfz2019uf")))
    'gfz2019uf'
    """
    name = str(event.resource_id)
    if values := _ID_VALUE.findall(name):
        return str(values[-1])
    last = name.split("?", 1)[0].rstrip("/").rsplit("/", 1)[-1]
    origin = preferred_origin(event)
    if _RANDOM_ID.fullmatch(last) and origin is not None and origin.time is not None:
        return str(origin.time.strftime("%Y%m%dT%H%M%S"))
    return last


def preferred_origin(event: Event) -> Origin | None:
    """Return the preferred origin of an event, or else the first one."""
    return event.preferred_origin() or (event.origins[0] if event.origins else None)


def preferred_magnitude(event: Event) -> Magnitude | None:
    """Return the preferred magnitude of an event, or else the first moment magnitude or the first.

    Examples
    --------
    >>> both = [Magnitude(mag=4.2, magnitude_type="ML"), Magnitude(mag=4.5, magnitude_type="Mww")]
    >>> preferred_magnitude(Event(magnitudes=both)).magnitude_type
    'Mww'
    """
    if (preferred := event.preferred_magnitude()) is not None:
        return preferred
    moment = [found for found in event.magnitudes if is_moment(found.magnitude_type)]
    return next(iter(moment + event.magnitudes), None)


def is_moment(magnitude_type: object) -> bool:
    """Return whether a type is that of a moment magnitude: Mw, Mww, Mwc, Mwr and others.

    Examples
    --------
    >>> [is_moment(name) for name in ("mw", "Mwc", "ML", None)]
    [True, True, False, False]
    """
    return str(magnitude_type).strip().lower().startswith("mw")


def unique_events(events: Iterable[Event]) -> Catalog:
    """Return the events of a catalogue without those that are listed more than once.

    Two events are the same if they have the same resource identifier, or if origin time,
    epicentre, depth and magnitude are the same.  The most recent of them is kept, or else the one
    with the most picks, or else the first.  How many are left out is logged, and so are different
    events that are within `CLOSE_S` and `CLOSE_DEG` of each other, which are all kept.
    """
    groups: dict[object, list[Event]] = {}
    seen: dict[object, list[Event]] = {}
    for event in events:
        name = str(event.resource_id)
        content = _content(event) or name
        same = seen.get(name) or seen.get(content) or groups.setdefault(name, [])
        same.append(event)
        seen[name] = seen[content] = same
    kept = [max(same, key=_version) for same in groups.values()]
    repeated = [event_id(same[0]) for same in groups.values() if len(same) > 1]
    if repeated:
        logger.warning(
            "%d event(s) are listed more than once and used once: %s.",
            len(repeated),
            _some(repeated),
        )
    _say_close(kept)
    return Catalog(kept)


def unique_ids(events: Iterable[Event]) -> list[str]:
    """Return a different `event_id` for each event.

    Where identifiers differ only before the part that `event_id` returns, as those of two agencies
    that number their events, the whole resource identifier is used.

    Examples
    --------
    >>> from obspy.core.event import ResourceIdentifier
    >>> names = ("smi:nc/Event/1", "smi:uw/Event/1", "smi:nc/Event/2")
    >>> unique_ids(Event(resource_id=ResourceIdentifier(name)) for name in names)
    ['nc_Event_1', 'uw_Event_1', '2']
    """
    events = list(events)
    short = [event_id(event) for event in events]
    counts = Counter(short)
    return [
        name if counts[name] == 1 else _whole_id(event)
        for name, event in zip(short, events, strict=True)
    ]


def _whole_id(event: Event) -> str:
    path = str(event.resource_id).split(":", 1)[-1]
    return re.sub(r"[^\w.-]+", "_", path, flags=re.ASCII)


def _content(event: Event) -> tuple[float, ...] | None:
    """Return the preferred origin and magnitude as numbers, or None if one of them is missing."""
    origin, magnitude = preferred_origin(event), preferred_magnitude(event)
    if origin is None or origin.time is None or magnitude is None:
        return None
    values = origin.latitude, origin.longitude, magnitude.mag
    if any(value is None for value in values):
        return None
    depth_m = -1e6 if origin.depth is None else origin.depth
    latitude, longitude, mag = values
    return (
        round(origin.time.timestamp, 2),
        round(latitude, 4),
        round(longitude % 360.0, 4),
        round(depth_m),
        round(mag, 2),
    )


def _version(event: Event) -> tuple[float, int]:
    """Return the sort key of versions of an event: time of creation, and number of picks."""
    origin = preferred_origin(event)
    infos = [part.creation_info for part in (event, origin) if part is not None]
    times = [info.creation_time.timestamp for info in infos if info and info.creation_time]
    return max(times, default=0.0), len(event.picks)


def _say_close(events: list[Event]) -> None:
    """Log events that may be two solutions of the same earthquake."""
    placed = [(event, found) for event in events if (found := _content(event)) is not None]
    placed.sort(key=lambda pair: pair[1][0])
    close = [
        f"{one.resource_id} and {other.resource_id}"
        for (one, a), (other, b) in pairwise(placed)
        if b[0] - a[0] < CLOSE_S and max(abs(b[1] - a[1]), abs(b[2] - a[2])) < CLOSE_DEG
    ]
    if close:
        logger.warning(
            "%d pair(s) of events within %g s and %g degrees may be the same earthquake; all of "
            "them are used: %s.",
            len(close),
            CLOSE_S,
            CLOSE_DEG,
            _some(close),
        )


def _some(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (", .." if len(names) > most else "")
