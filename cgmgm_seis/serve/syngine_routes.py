"""Addresses of IRIS Syngine's interface."""

from collections.abc import Mapping

import pandas as pd
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.serve import syngine
from cgmgm_seis.serve.bodies import read_text
from cgmgm_seis.serve.limits import Limits
from cgmgm_seis.serve.parameters import Parameters
from cgmgm_seis.serve.syngine_request import Wanted, from_bulk, from_query
from cgmgm_seis.serve.worker import Worker

PREFIX = "/irisws/syngine/1"
# The header of an answer that says what made it.
NOTE_HEADER = "X-Cgmgm-Seis"


def syngine_routes(
    models: Mapping[str, GroundMotionModel],
    stations: pd.DataFrame,
    limits: Limits,
    worker: Worker,
) -> list[Route]:
    """Return the addresses below `PREFIX`.

    Parameters
    ----------
    models : mapping
        Model by its name in lower case.
    stations : pandas.DataFrame
        Receivers that ``network`` and ``station`` choose from.
    limits : Limits
        The largest request that is answered.
    worker : Worker
        Where records are drawn.
    """

    async def query(request: Request) -> Response:
        if request.method == "POST":
            body = await read_text(request, limits)
            wanted = await run_in_threadpool(from_bulk, body, models, stations, limits)
        else:
            given = request.query_params.multi_items()
            wanted = await run_in_threadpool(from_query, given, models, stations, limits)
        return await worker.run(lambda: _answer(wanted))

    async def info(request: Request) -> Response:
        parameters = Parameters(request.query_params.multi_items(), ("model",))
        name = parameters.choice("model", list(models), "")
        return JSONResponse(syngine.model_information(models[name]))

    async def list_models(_: Request) -> Response:
        return JSONResponse(
            {name: syngine.model_information(model) for name, model in models.items()}
        )

    async def version(_: Request) -> Response:
        return PlainTextResponse(syngine.VERSION)

    return [
        Route(f"{PREFIX}/query", query, methods=["GET", "POST"]),
        Route(f"{PREFIX}/info", info),
        Route(f"{PREFIX}/models", list_models),
        Route(f"{PREFIX}/version", version),
    ]


def _answer(wanted: Wanted) -> Response:
    """Draw the records of a request and return its answer."""
    content, media_type, name = syngine.content(wanted, syngine.records(wanted))
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        # Headers are ASCII; names of weights need not be.
        NOTE_HEADER: syngine.note(wanted).encode("ascii", "replace").decode(),
    }
    return Response(content, media_type=media_type, headers=headers)
