"""An FDSN server on loopback that answers one service in a hostile way, and the ways."""

import gzip
import re
import ssl
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

from fdsn_server import FDSNServer

# Pieces without end are sent so many times, at most, so that threads of a server end.
WITHOUT_END, PAUSE_S = 2000, 0.01
LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE q [<!ENTITY a0 "ha">'
    + b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 12))
    + b"]><q>&a11;</q>"
)
FOREIGN = (
    b'<?xml version="1.0"?><!DOCTYPE q [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    b'<q:quakeml xmlns:q="http://quakeml.org/xmlns/quakeml/1.2"><a>&x;</a></q:quakeml>'
)


def _head(status: str = "200 OK", *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode("latin-1")


def _sized(content: bytes, *headers: str) -> bytes:
    return _head("200 OK", f"Content-Length: {len(content)}", *headers) + content


def _slowly(begin: bytes, piece: bytes) -> Iterator[bytes]:
    """Yield a beginning, and a piece again and again."""
    yield begin
    for _ in range(WITHOUT_END):
        time.sleep(PAUSE_S)
        yield piece


def _redirect(place: str) -> bytes:
    return _head("302 Found", f"Location: {place}", "Content-Length: 0")


# What is sent instead of an answer, given the answer.
WAYS: dict[str, Callable[[bytes], bytes | Iterator[bytes]]] = {
    "nothing": lambda _: b"",
    "an empty answer": lambda _: _sized(b""),
    "status 404": lambda _: _head("404 Not Found", "Content-Length: 0"),
    "status 500": lambda _: _head("500 No", "Content-Length: 3") + b"\xff\x00\xfe",
    "status 999": lambda _: _head("999 " + "x" * 1000, "Content-Length: 0"),
    "no status": lambda _: b"\x00\x01\x02\xff\r\n\r\n",
    "continue without end": lambda _: _slowly(b"", _head("100 Continue")),
    "a status line without end": lambda _: _slowly(b"HTTP/1.1 200 ", b"O"),
    "headers without end": lambda _: _slowly(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "a long header": lambda _: _head("200 OK", "X: " + "y" * 1_000_000),
    "a thousand headers": lambda _: _head("200 OK", *["X: y"] * 1000),
    "content without end": lambda _: _slowly(_head(), b" "),
    "much content": lambda _: iter([_head(), *[b" " * 1_000_000] * 10]),
    "chunks without end": lambda _: _slowly(
        _head("200 OK", "Transfer-Encoding: chunked"), b"1\r\nx\r\n"
    ),
    "chunks of no size": lambda _: _head("200 OK", "Transfer-Encoding: chunked") + b"zz\r\nx\r\n",
    "a huge chunk": lambda _: _head("200 OK", "Transfer-Encoding: chunked") + b"f" * 15 + b"\r\nx",
    "trailers without end": lambda content: _slowly(
        _head("200 OK", "Transfer-Encoding: chunked") + b"1\r\nx\r\n0\r\n", b"X: y\r\n"
    ),
    "gzip of much": lambda _: _sized(gzip.compress(bytes(10_000_000)), "Content-Encoding: gzip"),
    "gzip cut short": lambda own: _sized(gzip.compress(own)[:-20], "Content-Encoding: gzip"),
    "no gzip": lambda own: _sized(own, "Content-Encoding: gzip"),
    "deflate": lambda own: _sized(zlib.compress(own), "Content-Encoding: deflate"),
    "gzip twice": lambda own: _sized(
        gzip.compress(gzip.compress(own)), "Content-Encoding: gzip, gzip"
    ),
    "too long a length": lambda own: _head("200 OK", f"Content-Length: {len(own) + 9}") + own,
    "too short a length": lambda own: _head("200 OK", f"Content-Length: {len(own) // 2 + 7}") + own,
    "a negative length": lambda own: _head("200 OK", "Content-Length: -5") + own[:-40],
    "a huge length": lambda own: _head("200 OK", f"Content-Length: {10**30}") + own,
    "a page": lambda _: _sized(b"<html><body>Log in</body></html>", "Content-Type: text/html"),
    "half": lambda own: _sized(own[: len(own) // 2 + 7]),
    "noise": lambda _: _sized(bytes(range(256)) * 64),
    "zeros": lambda own: _sized(bytes(len(own))),
    "other letters": lambda own: _sized(b"\xff\xfe\x80" * 1000),
    "entities": lambda _: _sized(LAUGHS),
    "an entity of a file": lambda _: _sized(FOREIGN),
    "deep elements": lambda _: _sized(b"<a>" * 100_000),
    "to itself": lambda _: _redirect("?"),
    "to a file": lambda _: _redirect("file:///etc/passwd"),
    "to ftp": lambda _: _redirect("ftp://127.0.0.1:9/x"),
    "to nowhere": lambda _: _redirect("http://[::bad/"),
    "to another server": lambda _: _redirect("http://127.0.0.1:9/x"),
    "TLS": lambda _: b"\x15\x03\x01\x00\x02\x02\x46" + ssl.RAND_bytes(100),
    "a reset": lambda _: iter([_head("200 OK", "Content-Length: 99"), b""]),
}

# Contents that are well formed: what is replaced in an answer, and by what.
CONTENTS: dict[str, tuple[bytes, bytes]] = {
    "no latitude": (rb"<(Latitude|latitude>\s*<value)>[^<]*<", rb"<\1>NaN<"),
    "far away": (rb"<(Latitude|latitude>\s*<value)>[^<]*<", rb"<\1>1e308<"),
    "no longitude": (rb"<(Longitude|longitude>\s*<value)>[^<]*<", rb"<\1>inf<"),
    "no depth": (rb"<(Elevation|depth>\s*<value)>[^<]*<", rb"<\1>-inf<"),
    "no magnitude": (rb"<mag>\s*<value>[^<]*<", b"<mag><value>NaN<"),
    "another time": (rb"<time>\s*<value>[^<]*<", b"<time><value>9999-12-31T23:59:59Z<"),
    "no time": (rb"<time>\s*<value>[^<]*<", b"<time><value>now<"),
    "a path as code": (rb'code="CTA"', b'code="../../CTA"'),
    "a dot in a code": (rb'code="CTA"', b'code="C.A"'),
    "a long code": (rb'code="CTA"', b'code="' + b"A" * 5000 + b'"'),
    "a code of other letters": (rb'code="CTA"', 'code="\u202e\U0001d518"'.encode()),
    "a path as id": (rb'publicID="[^"]*"', b'publicID="smi:local/../../../etc/x"'),
    "no gain": (rb"<Value>[^<]*<", b"<Value>0<"),
    "a strange gain": (rb"<Value>[^<]*<", b"<Value>NaN<"),
    "no rate": (rb"<SampleRate>[^<]*<", b"<SampleRate>0<"),
    "strange units": (rb"<Name>[^<]*<", b"<Name>&lt;&#9731;<"),
    "many stations": (rb"(?s)(<Station .*</Station>)", rb"\1" * 500),
    "the same events": (rb"(?s)(<event .*</event>)", rb"\1" * 50),
    "records of no samples": (rb"(?s)^(\d{6}D .{22})..", b"\\1\x00\x00"),
    "records of many samples": (rb"(?s)^(\d{6}D .{22})..", b"\\1\xff\xff"),
    "records of another rate": (rb"(?s)^(\d{6}D .{24})....", b"\\1\x7f\xff\x7f\xff"),
    "records of another year": (rb"(?s)^(\d{6}D .{12})..", b"\\1\xff\xff"),
    "records of another encoding": (rb"(?s)^(\d{6}D .{44}).", b"\\1\x63"),
    "records of another length": (rb"(?s)^(\d{6}D .{46}).", b"\\1\x1e"),
}


class HostileServer(FDSNServer):
    """Answers as an `FDSNServer`, but a service in a way of `WAYS`, or all with one of `CONTENTS`.

    Attributes of these names say which.
    """

    service, way, contents = "", "", ""

    def send(self, handler: Any, service: str, status: int, content: bytes, fault: Any) -> None:
        """Send an answer, or what the way makes of it."""
        options = self.asked[-1][1]
        if isinstance(options, dict) and options.get("level") == "response":
            service = "responses"
        if self.contents:
            content = re.sub(*CONTENTS[self.contents], content)
        if service != self.service:
            super().send(handler, service, status, content, fault)
            return
        handler.close_connection = True
        sent = WAYS[self.way](content)
        with suppress(OSError):  # the client may not have waited
            for piece in (sent,) if isinstance(sent, bytes) else sent:
                handler.connection.sendall(piece)
        if self.way == "a reset":
            handler.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            handler.connection.close()
