"""Running the web service with uvicorn, in the foreground or beside other work in a thread."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from cgmgm_seis.errors import CgmgmError, reason_of

# Connections beyond this number are answered with 503.
MOST_CONNECTIONS = 1000
# Idle connections are closed after this time, s.
KEEP_ALIVE_S = 15


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address; port 0 is any free one.

    Raises
    ------
    CgmgmError
        If the address is not this machine's, or the port is in use or not allowed.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        raise CgmgmError(f"Cannot listen at {host} port {port}: {reason_of(error)}.") from error


def new_server(application: Any, log_level: str = "warning") -> uvicorn.Server:
    """Return a uvicorn server of an application."""
    return uvicorn.Server(
        uvicorn.Config(
            application,
            log_level=log_level,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=5,
            server_header=False,
        )
    )


@contextmanager
def serving(application: Any, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Run an application in a thread, and stop it at the end of the block.

    Yields
    ------
    str
        The address, such as ``http://127.0.0.1:8080``.
    """
    place = listening_socket(host, port)
    server = new_server(application)
    thread = threading.Thread(target=server.run, args=([place],), daemon=True)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        if not server.started:
            raise CgmgmError(f"The server did not start at {host}; its log names the error.")
        yield f"http://{host}:{place.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        place.close()
