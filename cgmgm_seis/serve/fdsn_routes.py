"""Addresses of FDSN's web services event, station and dataselect."""

from collections.abc import Callable
from functools import partial
from io import StringIO

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from cgmgm_seis.serve import fdsn
from cgmgm_seis.serve.archive import Archive
from cgmgm_seis.serve.bodies import read_text
from cgmgm_seis.serve.fdsn import Choice
from cgmgm_seis.serve.limits import Limits
from cgmgm_seis.serve.parameters import Parameters
from cgmgm_seis.serve.worker import Worker
from cgmgm_seis.storage.obspy_bytes import to_bytes

Found = tuple[bytes, str] | None
Answer = Callable[[Archive, Parameters, list[Choice], Limits], Found]


def fdsn_routes(archive: Archive, limits: Limits, worker: Worker) -> list[Route]:
    """Return the addresses below ``/fdsnws``.

    Parameters
    ----------
    archive : Archive
        What is served.
    limits : Limits
        The largest request that is answered.
    worker : Worker
        Where answers are written.
    """
    routes = []
    for service, answer in _ANSWERS.items():
        prefix = f"/fdsnws/{service}/1"
        methods = ["GET"] if service == "event" else ["GET", "POST"]
        query = partial(_query, service, answer, archive, limits, worker)
        routes += [
            Route(f"{prefix}/query", query, methods=methods),
            Route(f"{prefix}/version", _version),
            Route(f"{prefix}/application.wadl", partial(_wadl, service)),
        ]
    return routes


async def _query(
    service: str,
    answer: Answer,
    archive: Archive,
    limits: Limits,
    worker: Worker,
    request: Request,
) -> Response:
    """Answer a query: what was found, or the status of nothing."""
    if request.method == "POST":
        parameters, choices = fdsn.bulk_choices(service, await read_text(request, limits))
    else:
        parameters = fdsn.read_parameters(service, request.query_params.multi_items())
        choices = [] if service == "event" else [fdsn.query_choice(parameters)]
    nothing = int(parameters.choice("nodata", ("204", "404"), "204"))
    found = await worker.run(lambda: answer(archive, parameters, choices, limits))
    if found is None:
        if nothing == 204:
            return Response(status_code=204)
        return PlainTextResponse("Nothing matches the request.\n", 404)
    content, media_type = found
    return Response(content, media_type=media_type)


async def _version(_: Request) -> Response:
    return PlainTextResponse(fdsn.VERSION)


async def _wadl(service: str, request: Request) -> Response:
    base = str(request.base_url).rstrip("/")
    return Response(fdsn.wadl(service, base), media_type="application/xml")


def _events(
    archive: Archive, parameters: Parameters, _choices: list[Choice], _limits: Limits
) -> Found:
    kind = parameters.choice("format", ("xml", "text"), "xml")
    catalog = fdsn.select_events(archive.catalog, parameters)
    if not len(catalog):
        return None
    if kind == "text":
        return fdsn.event_text(catalog).encode(), "text/plain"
    return to_bytes(catalog, "QUAKEML"), "application/xml"


def _stations(
    archive: Archive, parameters: Parameters, choices: list[Choice], _limits: Limits
) -> Found:
    kind = parameters.choice("format", ("xml", "text"), "xml")
    levels = fdsn.LEVELS if kind == "xml" else fdsn.LEVELS[:-1]
    level = parameters.choice("level", levels, "station")
    inventory = fdsn.select_stations(archive.inventory, parameters, choices)
    if not inventory.networks:
        return None
    if kind == "text":
        text = StringIO()
        inventory.write(text, "STATIONTXT", level=level)
        return text.getvalue().encode(), "text/plain"
    return to_bytes(inventory, "STATIONXML", level=level), "application/xml"


def _waveforms(
    archive: Archive, parameters: Parameters, choices: list[Choice], limits: Limits
) -> Found:
    parameters.choice("format", ("miniseed",), "miniseed")
    parameters.choice("quality", ("b", "d", "m", "q", "r"), "b")
    stream = fdsn.select_waveforms(archive.stream, choices)
    limits.check_samples(sum(trace.stats.npts for trace in stream))
    if not stream:
        return None
    return to_bytes(stream, "MSEED", encoding="FLOAT32"), "application/vnd.fdsn.mseed"


_ANSWERS: dict[str, Answer] = {
    "event": _events,
    "station": _stations,
    "dataselect": _waveforms,
}
