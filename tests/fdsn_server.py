"""A small FDSN server on loopback: event, station and dataselect of a folder, and their faults."""

import threading
import time
from contextlib import suppress
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO, StringIO
from urllib.parse import parse_qs, urlparse

import obspy
from obspy import UTCDateTime
from obspy.core.event import ResourceIdentifier
from obspy.geodetics import locations2degrees

from cgmgm_seis.scenario.obspy_files import read_catalog, read_inventory

EMPTY = b""


def two_earthquakes(folder):
    """A catalogue of the earthquake in a folder and of one a day later, without waveforms."""
    catalog = read_catalog(folder / "event.xml")
    second = catalog[0].copy()
    second.resource_id = ResourceIdentifier("smi:local/event/nc2")
    second.preferred_origin().time += 86400
    catalog.append(second)
    return catalog


def recordings(folder, catalog, codes):
    """Inventory and stream of the accelerometers of some stations of a folder."""
    raw, time = folder / "raw", catalog[0].preferred_origin().time
    inventory = read_inventory([raw / f"*.{code}.xml" for code in codes])
    stream = obspy.Stream()
    for code in codes:
        stream += obspy.read(str(raw / f"*.{code}.*HN*.mseed"))
    return inventory.select(channel="HN?", time=time), stream


class FDSNServer:
    """Serve a catalogue, an inventory and a stream.

    Of the station service, lists of channels are called "availability", and bulk requests for
    responses "responses".  ``faults`` is a list of (service, fault), used up one a request: a
    status such as 500, "slow", "truncated" or "cut", a connection that ends too early.  ``limit``
    is the number of channels of a bulk request beyond which the answer is 413; ``asked`` lists
    what was asked for.
    """

    def __init__(self, catalog, inventory, stream):
        self.catalog, self.inventory, self.stream = catalog, inventory, stream
        self.faults, self.asked, self.times = [], [], []
        self.limit = 1000
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def answer(self, service, options, body):
        """Return status and content."""
        if service == "event":
            return self._events(options)
        if service in ("station", "availability"):
            return self._stations(options)
        lines = [line.split() for line in body.decode().splitlines() if "=" not in line]
        if service == "responses":
            return self._responses(lines)
        if len(lines) > self.limit:
            return 413, EMPTY
        found = obspy.Stream()
        for network, station, location, channel, start, end in lines:
            part = self.stream.select(network, station, location.strip("-"), channel)
            found += part.slice(UTCDateTime(start), UTCDateTime(end))
        if not found:
            return 204, EMPTY
        buffer = BytesIO()
        found.write(buffer, "MSEED", reclen=512)
        return 200, buffer.getvalue()

    def send(self, handler, service, status, content, fault):
        """Send an answer, or what a fault makes of it."""
        if fault == "truncated":
            content = content[:-300]
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        with suppress(OSError):  # the client may not have waited
            handler.wfile.write(content[: len(content) // 2] if fault == "cut" else content)

    def _events(self, options):
        start, end = (UTCDateTime(options[name]) for name in ("starttime", "endtime"))
        if end - start > 86400 * self.limit:
            return 413, EMPTY
        found = obspy.Catalog(
            [
                event
                for event in self.catalog
                if start <= event.preferred_origin().time <= end
                and event.preferred_magnitude().mag >= float(options["minmagnitude"])
                and _inside(event.preferred_origin(), options)
            ],
            resource_id="smi:local/catalogue",  # by default random, and answers would differ
        )
        buffer = BytesIO()
        found.write(buffer, "QUAKEML")
        return (200, buffer.getvalue()) if len(found) else (204, EMPTY)

    def _stations(self, options):
        found = self.inventory.copy()
        for network in found:
            codes = options.get("station", "*").split(",")
            network.stations = [
                station
                for station in network
                if _inside(station, options) and (codes == ["*"] or station.code in codes)
            ]
            for station in network:
                station.channels = [
                    channel
                    for channel in station
                    if options["level"] != "station"
                    and any(fnmatch(channel.code, code) for code in options["channel"].split(","))
                ]
        wanted = options.get("network", "*")
        found.networks = [
            network for network in found if len(network) and wanted in ("*", network.code)
        ]
        if options["level"] == "response" and sum(map(len, found)) > self.limit:
            return 413, EMPTY
        return self._described(found, options)

    def _responses(self, lines):
        """Answer a bulk request for the responses of channels."""
        found = obspy.Inventory()
        for network, station, location, channel, *_ in lines:
            found += self.inventory.select(network, station, location.strip("-"), channel)
        return self._described(found, {})

    def _described(self, inventory, options):
        if not inventory.networks:
            return 204, EMPTY
        if options.get("format") == "text":
            text = StringIO()
            inventory.write(text, "STATIONTXT", level=options["level"])
            return 200, text.getvalue().encode()
        buffer = BytesIO()
        inventory.write(buffer, "STATIONXML")
        return 200, buffer.getvalue()

    def _handler(self):
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                self.handle_request(b"")

            def do_POST(self):
                self.handle_request(self.rfile.read(int(self.headers["Content-Length"])))

            def handle_request(self, body):
                url = urlparse(self.path)
                service = url.path.split("/")[2]
                options = {name: values[0] for name, values in parse_qs(url.query).items()}
                if service == "station" and body:
                    service = "responses"
                elif service == "station" and options["level"] == "channel":
                    service = "availability"
                server.asked.append((service, options or body.decode()))
                server.times.append(time.monotonic())
                fault = None
                if server.faults and server.faults[0][0] == service:
                    fault = server.faults.pop(0)[1]
                status, content = server.answer(service, options, body)
                if fault == "slow":
                    # Behind the answer: libmseed, which writes it, is not for two threads at once,
                    # and the client has begun to read another answer by then.
                    time.sleep(2.5)
                if isinstance(fault, int):
                    status, content = fault, b"Error"
                server.send(self, service, status, content, fault)

        return Handler


def _inside(place, options):
    if "maxradius" in options:
        center = float(options["latitude"]), float(options["longitude"])
        distance = locations2degrees(*center, place.latitude, place.longitude)
        return distance <= float(options["maxradius"])
    return float(options["minlongitude"]) <= place.longitude <= float(
        options["maxlongitude"]
    ) and float(options["minlatitude"]) <= place.latitude <= float(options["maxlatitude"])
