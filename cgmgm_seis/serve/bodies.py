"""Bodies of requests, read within the limits of size and time."""

import asyncio

from starlette.requests import Request

from cgmgm_seis.serve.limits import Limits, RequestError


async def read_text(request: Request, limits: Limits) -> str:
    """Return the body of a request as text.

    Raises
    ------
    RequestError
        If it is too large, arrives too slowly or is not ASCII.
    """
    try:
        async with asyncio.timeout(limits.seconds):
            content = await _read(request, limits.body_bytes)
    except TimeoutError as error:
        raise RequestError(f"The body did not arrive within {limits.seconds:g} s.", 408) from error
    try:
        return content.decode("ascii")
    except UnicodeDecodeError as error:
        raise RequestError("The body must be ASCII text.") from error


async def _read(request: Request, most: int) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise RequestError(
                f"The body is larger than {most} bytes, the most that this server allows.", 413
            )
        parts.append(part)
    return b"".join(parts)
