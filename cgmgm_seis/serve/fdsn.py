"""Events, stations and waveforms that a request to one of FDSN's web services selects."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from obspy import Catalog, Inventory, Stream, UTCDateTime
from obspy.clients.fdsn.header import DEFAULT_TYPES, PARAMETER_ALIASES
from obspy.core.event import Event
from obspy.geodetics import locations2degrees

from cgmgm_seis.scenario.events import event_id, preferred_magnitude, preferred_origin
from cgmgm_seis.scenario.obspy_files import epoch
from cgmgm_seis.serve.limits import RequestError
from cgmgm_seis.serve.parameters import Parameters, as_time, body_lines, matches

VERSION = "1.1.0"
FIRST, LAST = UTCDateTime(1, 1, 1), UTCDateTime(9999, 1, 1)
CODES = ("network", "station", "location", "channel")
_PLACE = (
    "minlatitude",
    "maxlatitude",
    "minlongitude",
    "maxlongitude",
    "latitude",
    "longitude",
    "minradius",
    "maxradius",
)
_SPAN = ("starttime", "endtime")
_ANSWER = ("format", "nodata")
NAMES = {
    "dataselect": (*_SPAN, *CODES, "quality", *_ANSWER),
    "station": (*_SPAN, *CODES, *_PLACE, "level", "includerestricted", *_ANSWER),
    "event": (
        *_SPAN,
        *_PLACE,
        "mindepth",
        "maxdepth",
        "minmagnitude",
        "maxmagnitude",
        "magnitudetype",
        "eventid",
        "orderby",
        "limit",
        "offset",
        "includeallorigins",
        "includeallmagnitudes",
        "includearrivals",
        *_ANSWER,
    ),
}
LEVELS = ("network", "station", "channel", "response")
_WADL_TYPES = {UTCDateTime: "xs:dateTime", float: "xs:double", int: "xs:int", bool: "xs:boolean"}


def read_parameters(service: str, given: Sequence[tuple[str, str]]) -> Parameters:
    """Return the parameters of a request, with the short names of FDSN's specification."""
    return Parameters(given, NAMES[service], PARAMETER_ALIASES)


@dataclass(frozen=True)
class Choice:
    """Channels and times: one line of a POST request, or the parameters of a GET request.

    Parameters
    ----------
    codes : sequence of str
        Patterns of network, station, location and channel, see `matches`.
    start, end : obspy.UTCDateTime
        Span.
    """

    codes: Sequence[str]
    start: UTCDateTime
    end: UTCDateTime

    def __post_init__(self) -> None:
        if not self.start <= self.end:
            raise RequestError(f"starttime = {self.start} must be before endtime = {self.end}.")

    def takes(self, codes: Sequence[str], start: UTCDateTime, end: UTCDateTime) -> bool:
        """Return whether a channel with a span is chosen."""
        inside = start <= self.end and end >= self.start
        return inside and all(map(matches, codes, self.codes))


def query_choice(parameters: Parameters) -> Choice:
    """Return the channels and times of a GET request."""
    codes = [parameters.text(name) for name in CODES]
    return Choice(codes, parameters.time("starttime", FIRST), parameters.time("endtime", LAST))


def bulk_choices(service: str, body: str) -> tuple[Parameters, list[Choice]]:
    """Return the parameters and the lines of a POST request.

    Lines are ``name=value``, then ``NET STA LOC CHA START END``, where the location code ``--`` is
    empty and a time may be ``*``.
    """
    given, lines = body_lines(body)
    choices = []
    for line in lines:
        words = line.split()
        if len(words) != 6:
            raise RequestError(
                f"'{line[:80]}' must be network, station, location, channel, start and end."
            )
        start, end = words[4:]
        choices.append(
            Choice(
                words[:4],
                FIRST if start == "*" else as_time("The start", start),
                LAST if end == "*" else as_time("The end", end),
            )
        )
    if not choices:
        raise RequestError("The body has no line with channels and times; at least one is needed.")
    return read_parameters(service, given), choices


def select_events(catalog: Catalog, parameters: Parameters) -> Catalog:
    """Return the events that a request chooses, ordered as it says."""
    start, end = parameters.time("starttime", FIRST), parameters.time("endtime", LAST)
    kinds = parameters.text("magnitudetype").lower()
    wanted = parameters.text("eventid").split(",") if "eventid" in parameters else None
    low, high = _interval(parameters, "magnitude")
    top, bottom = _interval(parameters, "depth")
    place = _Place(parameters)
    order = parameters.choice("orderby", ("time", "time-asc", "magnitude", "magnitude-asc"), "time")
    found = []
    for event in catalog:
        origin, magnitude = _origin_and_magnitude(event)
        if (
            start <= origin.time <= end
            and low <= magnitude.mag <= high
            and top <= (origin.depth or 0.0) / 1000.0 <= bottom
            and place.holds(origin.latitude, origin.longitude)
            and (wanted is None or {event_id(event), str(event.resource_id)} & set(wanted))
            and (not kinds or (magnitude.magnitude_type or "").lower() == kinds)
        ):
            found.append(event)

    def rank(event: Any) -> Any:
        by_time = order.startswith("time")
        origin, magnitude = _origin_and_magnitude(event)
        return origin.time if by_time else magnitude.mag

    found.sort(key=rank, reverse=not order.endswith("-asc"))
    first = parameters.integer("offset", 1, 1, 10**9) - 1
    return Catalog(found[first : first + parameters.integer("limit", 10**9, 1, 10**9)])


def select_stations(
    inventory: Inventory, parameters: Parameters, choices: Sequence[Choice]
) -> Inventory:
    """Return the stations with channels that a request chooses; others are not copied."""
    place = _Place(parameters)
    networks = []
    for network in inventory:
        stations = []
        for station in network:
            channels = [
                channel
                for channel in station
                if place.holds(channel.latitude, channel.longitude)
                and any(
                    choice.takes(
                        (network.code, station.code, channel.location_code, channel.code),
                        *epoch(channel),
                    )
                    for choice in choices
                )
            ]
            if channels:
                stations.append(copy.copy(station))
                stations[-1].channels = channels
        if stations:
            networks.append(copy.copy(network))
            networks[-1].stations = stations
    return Inventory(networks, source=inventory.source)


def select_waveforms(stream: Stream, choices: Sequence[Choice]) -> Stream:
    """Return the parts of traces that a request chooses, each sample once."""
    found = Stream()
    for trace in stream:
        stats = trace.stats
        codes = stats.network, stats.station, stats.location, stats.channel
        spans = sorted(
            (choice.start, choice.end)
            for choice in choices
            if choice.takes(codes, stats.starttime, stats.endtime)
        )
        last = FIRST
        for start, end in spans:
            # A sample that two lines choose is in the answer once.
            part = trace.slice(max(start, last), end, nearest_sample=False) if end > last else None
            if part:
                found.append(part)
                last = part.stats.endtime + 0.5 * stats.delta
    return found


def event_text(catalog: Catalog) -> str:
    """Return a catalogue in FDSN's text format."""
    lines = [
        "#EventID|Time|Latitude|Longitude|Depth/km|Author|Catalog|Contributor|ContributorID|MagType"
        "|Magnitude|MagAuthor|EventLocationName"
    ]
    for event in catalog:
        origin, magnitude = _origin_and_magnitude(event)
        lines.append(
            f"{event_id(event)}|{str(origin.time).removesuffix('Z')}|{origin.latitude}|"
            f"{origin.longitude}|{(origin.depth or 0.0) / 1000.0:g}|cgmgm-seis||||"
            f"{magnitude.magnitude_type or ''}|{magnitude.mag:g}|cgmgm-seis|"
        )
    return "\n".join(lines) + "\n"


def wadl(service: str, base: str) -> str:
    """Return the description of a service in WADL, from which clients learn its parameters."""
    parameters = "\n".join(
        f'<param name="{name}" style="query" type="'
        f'{_WADL_TYPES.get(DEFAULT_TYPES.get(name, str), "xs:string")}"/>'
        for name in NAMES[service]
    )
    post = "" if service == "event" else '<method name="POST" id="postQuery"/>\n'
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<application xmlns="http://wadl.dev.java.net/2009/02" '
        'xmlns:xs="http://www.w3.org/2001/XMLSchema">\n'
        f'<resources base="{base}/fdsnws/{service}/1/">\n<resource path="query">\n'
        f'<method name="GET" id="query">\n<request>\n{parameters}\n</request>\n</method>\n{post}'
        '</resource>\n<resource path="version"><method name="GET" id="version"/></resource>\n'
        '<resource path="application.wadl"><method name="GET" id="wadl"/></resource>\n'
        "</resources>\n</application>\n"
    )


def _origin_and_magnitude(event: Event) -> tuple[Any, Any]:
    """Return origin and magnitude of an event of the archive, whose events have both."""
    return preferred_origin(event), preferred_magnitude(event)


def _interval(parameters: Parameters, name: str) -> tuple[float, float]:
    low = parameters.number(f"min{name}", float("-inf"))
    return low, parameters.number(f"max{name}", float("inf"))


class _Place:
    """A box, and a circle around a point, degrees."""

    def __init__(self, parameters: Parameters) -> None:
        self._latitudes = _interval(parameters, "latitude")
        self._longitudes = _interval(parameters, "longitude")
        self._radii = _interval(parameters, "radius")
        self._centre: tuple[float, float] | None = None
        if "minradius" in parameters or "maxradius" in parameters:
            if not ("latitude" in parameters and "longitude" in parameters):
                raise RequestError("A radius needs latitude and longitude.")
            self._centre = (
                parameters.number("latitude", 0.0, -90.0, 90.0),
                parameters.number("longitude", 0.0, -180.0, 180.0),
            )

    def holds(self, latitude: float, longitude: float) -> bool:
        """Return whether a point is inside; a box with west > east crosses the date line."""
        (south, north), (west, east) = self._latitudes, self._longitudes
        across = west <= longitude <= east if west <= east else not east < longitude < west
        if not (south <= latitude <= north and across):
            return False
        if self._centre is None:
            return True
        return (
            self._radii[0]
            <= locations2degrees(*self._centre, latitude, longitude)
            <= (self._radii[1])
        )
