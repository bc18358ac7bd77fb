"""The web service as an ASGI application, and its errors."""

import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from cgmgm_seis.errors import CgmgmError, RangeError
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.models.weights import load_model
from cgmgm_seis.scenario.stations import Places, receivers
from cgmgm_seis.serve.archive import Archive
from cgmgm_seis.serve.fdsn_routes import fdsn_routes
from cgmgm_seis.serve.limits import Limits, RequestError
from cgmgm_seis.serve.page_routes import page_routes
from cgmgm_seis.serve.syngine_routes import syngine_routes
from cgmgm_seis.serve.worker import Worker
from cgmgm_seis.storage.seisbench_cache import PAIR_FILE

logger = logging.getLogger(__name__)


def load_models(weights: Iterable[str], device: str = "cpu") -> dict[str, GroundMotionModel]:
    """Load the models of a service.

    Parameters
    ----------
    weights : iterable of str
        Names or paths, as for `cgmgm_seis.load_model`.
    device : str
        "cpu", "cuda", "mps" or "auto", the fastest available.

    Returns
    -------
    dict
        Model by the name that clients give, in lower case: that of the weights without folder.

    Raises
    ------
    CgmgmError
        If weights cannot be loaded, or two have the same name.
    """
    found: dict[str, GroundMotionModel] = {}
    for name in dict.fromkeys(weights):
        file = PAIR_FILE.fullmatch(Path(name).name)
        short = (file["name"] if file else Path(name).name).lower()
        if short in found:
            raise CgmgmError(f"Two weights are called {short}; each needs a name of its own.")
        found[short] = load_model(name, device)
    return found


def application(
    models: Mapping[str, GroundMotionModel],
    stations: Places | None = None,
    limits: Limits | None = None,
    archive: Archive | None = None,
) -> Starlette:
    """Return the web service.

    Parameters
    ----------
    models : mapping
        Name, as clients give it in ``model``, to a generator.
    stations : optional
        Receivers that the codes ``network`` and ``station`` of a request choose from, see
        `cgmgm_seis.receivers`; by default the bundled Bay Area stations.
    limits : Limits, optional
        The largest request that is answered.
    archive : Archive, optional
        Generated folders for the services of FDSN, see
        `cgmgm_seis.serve.archive.read_folders`; by default none.

    Returns
    -------
    starlette.applications.Starlette
        An ASGI application, to be run by a server such as uvicorn, or mounted in another one.
    """
    limits = limits or Limits()
    worker = Worker(limits)
    named = {name.lower(): model for name, model in models.items()}

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        worker.close()

    chosen_from = receivers(stations)
    routes = page_routes(named, chosen_from, limits, worker)
    routes += syngine_routes(named, chosen_from, limits, worker)
    if archive is not None:
        routes += fdsn_routes(archive, limits, worker)
    return Starlette(
        routes=routes,
        exception_handlers={
            CgmgmError: _refuse,
            HTTPException: _no_address,
            Exception: _failed,
        },
        lifespan=lifespan,
    )


def _refuse(_: Request, error: Exception) -> Response:
    """Answer a request that cannot be met with the sentence of the error."""
    status = error.status if isinstance(error, RequestError) else 400
    # A request cannot choose the options that allow other ranges.
    text = error.reason if isinstance(error, RangeError) else str(error)
    return _sentence(" ".join(text.split()), status)


def _no_address(request: Request, error: Exception) -> Response:
    """Answer a request to an address, or with a method, that does not exist."""
    assert isinstance(error, HTTPException)
    return _sentence(
        f"{request.method} {request.url.path[:80]} is not answered by this server: {error.detail}.",
        error.status_code,
        error.headers,
    )


def _failed(request: Request, error: Exception) -> Response:
    """Answer a request that met a fault of the server."""
    logger.error("%s %s failed: %r", request.method, request.url.path, error)
    return _sentence("The request failed in the server, whose log names the error.", 500)


def _sentence(text: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    return PlainTextResponse(text + "\n", status, dict(headers) if headers else None)
