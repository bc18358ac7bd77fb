"""Answers of servers with bounded size and time, also once they are unpacked."""

import time
import zlib
from email.message import Message
from http.client import HTTPResponse, IncompleteRead
from io import BytesIO
from typing import Any
from urllib.request import BaseHandler, Request
from urllib.response import addinfourl

# Largest answer, as it is and unpacked, bytes; longest time until it is complete, seconds.
MOST_BYTES, MOST_S = 1_000_000_000, 1800.0
PIECE = 1 << 16


class BoundedAnswers(BaseHandler):
    """Read answers completely, within bounds, before others see them.

    The timeout of a socket applies to each piece only: a server may send pieces without end.

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

    # Before urllib's handler of errors, whose answers are bounded too.
    handler_order = 100

    def __init__(self, most_bytes: int = MOST_BYTES, most_s: float = MOST_S) -> None:
        self.most_bytes, self.most_s = most_bytes, most_s
        self.exceeded = False

    def http_response(self, request: Request, response: HTTPResponse) -> Any:
        """Return an answer in memory, unpacked.

        Raises
        ------
        ValueError
            If it exceeds the bounds, or is packed in another way than gzip.
        IncompleteRead
            If it ends before its length.
        """
        content, headers = self._read(response), response.headers
        packed = headers.get("Content-Encoding", "identity").lower()
        if packed != "identity":
            if packed != "gzip":
                raise ValueError(f"the answer is packed as {packed}; it must be gzip")
            content = self._unpacked(content)
        unpacked = BytesIO(content), _without_packing(headers)
        answer: Any = addinfourl(*unpacked, response.url, response.status)
        answer.msg = response.msg
        return answer

    https_response = http_response

    def _read(self, response: HTTPResponse) -> bytes:
        deadline, parts, size = time.monotonic() + self.most_s, list[bytes](), 0
        while part := response.read1(PIECE):
            parts.append(part)
            size += len(part)
            self._check(size)
            if time.monotonic() > deadline:
                self.exceeded = True
                raise ValueError(f"the answer took more than {self.most_s:g} s")
        if response.length:  # what remains of the stated length
            raise IncompleteRead(b"".join(parts), response.length)
        return b"".join(parts)

    def _unpacked(self, content: bytes) -> bytes:
        unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        unpacked = unpacker.decompress(content, self.most_bytes + 1)
        self._check(len(unpacked))
        if not unpacker.eof:
            raise IncompleteRead(unpacked)
        return unpacked

    def _check(self, size: int) -> None:
        if size > self.most_bytes:
            self.exceeded = True
            raise ValueError(f"the answer has more than {self.most_bytes} bytes")


def _without_packing(headers: Message) -> Message:
    kept = Message()
    for name, value in headers.items():
        if name.lower() not in ("content-encoding", "content-length"):
            kept[name] = value
    return kept
