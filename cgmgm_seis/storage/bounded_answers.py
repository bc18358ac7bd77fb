"""Answers of servers with bounded size and time, also once they are unpacked."""

import time
import zlib
from collections.abc import Callable
from email.message import Message
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from io import BufferedReader, RawIOBase
from socket import socket
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from urllib.request import HTTPHandler, HTTPSHandler, Request
from urllib.response import addinfourl

# Largest answer, as it is and unpacked, bytes; longest time until it is complete, seconds.
MOST_BYTES, MOST_S = 1_000_000_000, 1800.0
PIECE = 1 << 16
# Larger answers are kept in a temporary file, bytes.
MOST_IN_MEMORY = 1 << 24


class BoundedAnswers(HTTPHandler, HTTPSHandler):
    """Read answers completely, within bounds, before others see them.

    The timeout of a socket applies to each piece only: a server may send pieces without end.  Here
    the timeout of a request is that of all lines before the content.

    Parameters
    ----------
    most_bytes : int
        Largest answer, as it is and unpacked.
    most_s : float
        Longest time until it is complete, seconds.

    Attributes
    ----------
    exceeded : bool
        Whether an answer exceeded the bounds: asking again would not help.
    """

    # Before urllib's handlers of connections and errors, whose answers are bounded too.
    handler_order = 100

    def __init__(self, most_bytes: int = MOST_BYTES, most_s: float = MOST_S) -> None:
        super().__init__()
        self.most_bytes, self.most_s = most_bytes, most_s
        self.exceeded = False

    def http_open(self, req: Request) -> HTTPResponse:
        """Ask for something by HTTP."""
        return self.do_open(partial(_connection, HTTPConnection), req)

    def https_open(self, req: Request) -> HTTPResponse:
        """Ask for something by HTTPS."""
        return self.do_open(partial(_connection, HTTPSConnection), req)

    def other_open(self, req: Request) -> HTTPResponse:
        """Refuse what a server may refer to, but where nothing is bounded, or which is a file."""
        raise ValueError(f"the server refers to {req.type}; it must be http or https")

    ftp_open = file_open = data_open = other_open

    def http_response(self, request: Request, response: HTTPResponse) -> Any:
        """Return a complete answer, unpacked; a large one is a temporary file.

        Raises
        ------
        ValueError
            If it exceeds the bounds, is packed in another way than gzip, or damaged.
        HTTPException
            If it ends before its end.
        """
        packed = response.headers.get("Content-Encoding", "identity").lower()
        if packed not in ("identity", "gzip"):
            raise ValueError(f"the answer is packed as {packed}; it must be gzip")
        content = self._read(response, packed == "gzip")
        headers = _without_packing(response.headers)
        answer: Any = addinfourl(content, headers, response.url, response.status)
        answer.msg = response.msg
        return answer

    https_response = http_response

    def _read(self, response: HTTPResponse, packed: bool) -> IO[bytes]:
        deadline, size = time.monotonic() + self.most_s, 0
        if isinstance(response, TimedAnswer):
            response.ends_at(deadline)
        content = SpooledTemporaryFile(MOST_IN_MEMORY)  # noqa: SIM115 - closed with the answer
        unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        try:
            while part := response.read1(PIECE):
                size += len(part)
                if packed:
                    part = b"" if unpacker.eof else unpacker.decompress(part)
                content.write(part)
                self._check(max(size, content.tell()))
        except TimeoutError as error:
            if time.monotonic() < deadline:
                raise
            self.exceeded = True
            raise ValueError(f"the answer took more than {self.most_s:g} s") from error
        except zlib.error as error:
            raise ValueError(f"the answer is damaged gzip: {error}") from error
        # What remains of the stated length.
        if response.length or (packed and not unpacker.eof):
            raise HTTPException(f"the answer ends after {size} bytes, before its end")
        content.seek(0)
        return content

    def _check(self, size: int) -> None:
        if size > self.most_bytes:
            self.exceeded = True
            raise ValueError(f"the answer has more than {self.most_bytes} bytes")


def _connection(
    kind: Callable[..., HTTPConnection], host: str, timeout: float, **options: Any
) -> HTTPConnection:
    connection = kind(host, timeout=timeout, **options)
    connection.response_class = partial(TimedAnswer, timeout)  # type: ignore[assignment]
    return connection


class TimedAnswer(HTTPResponse):
    """An answer that is read until a deadline: first that of the lines before its content."""

    def __init__(self, timeout: float, sock: socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self._pieces = _Pieces(sock, self.fp.detach(), timeout)
        self.fp = BufferedReader(self._pieces)

    def ends_at(self, deadline: float) -> None:
        """Set the time at which the answer must be complete, as of `time.monotonic`."""
        self._pieces.deadline = deadline


class _Pieces(RawIOBase):
    """What a socket receives until a deadline."""

    def __init__(self, sock: socket, raw: RawIOBase, timeout: float) -> None:
        self._socket, self._raw, self._timeout = sock, raw, timeout
        self.deadline = time.monotonic() + timeout

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self.deadline - time.monotonic()
        if left <= 0.0:
            raise TimeoutError("timed out")
        self._socket.settimeout(min(left, self._timeout))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _without_packing(headers: Message) -> Message:
    kept = Message()
    for name, value in headers.items():
        if name.lower() not in ("content-encoding", "content-length"):
            kept[name] = value
    return kept
