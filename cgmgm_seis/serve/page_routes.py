"""Addresses of the page, which lets people choose a scenario and look at its motion."""

from collections.abc import Callable, Mapping
from functools import cache

import pandas as pd
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.serve.bodies import read_text
from cgmgm_seis.serve.limits import Limits
from cgmgm_seis.serve.page import SHAPE, archive, page_html, pgv_map, record_section
from cgmgm_seis.serve.parameters import Parameters
from cgmgm_seis.serve.syngine_request import Wanted, from_bulk
from cgmgm_seis.serve.worker import Worker

PREFIX = "/page"
# The page has all it needs in itself and speaks to this server only.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
MOST_REALIZATIONS = 1000


def page_routes(
    models: Mapping[str, GroundMotionModel],
    stations: pd.DataFrame,
    limits: Limits,
    worker: Worker,
) -> list[Route]:
    """Return the page at ``/`` and the addresses of its answers below `PREFIX`.

    Requests are those of Syngine with a body (POST), see
    `cgmgm_seis.serve.syngine_request.from_bulk`; only the scenario, the model and the seed are
    used.

    Parameters
    ----------
    models, stations, limits, worker
        See `cgmgm_seis.serve.syngine_routes.syngine_routes`.
    """
    written = cache(lambda: page_html(models, stations, limits))

    async def page(_: Request) -> Response:
        content = await run_in_threadpool(written)
        return HTMLResponse(content, headers={"Content-Security-Policy": POLICY})

    async def answer(request: Request, make: Callable[[Wanted], Response]) -> Response:
        body = await read_text(request, limits)
        wanted = await run_in_threadpool(from_bulk, body, models, stations, limits)
        return await worker.run(lambda: make(wanted))

    async def section(request: Request) -> Response:
        return await answer(
            request, lambda wanted: Response(record_section(wanted), media_type="image/png")
        )

    async def pgv(request: Request) -> Response:
        parameters = Parameters(request.query_params.multi_items(), ("realizations",))
        n_realizations = parameters.integer("realizations", 1, 1, MOST_REALIZATIONS)
        limits.check_map(n_realizations * SHAPE[0] * SHAPE[1])
        return await answer(request, lambda wanted: JSONResponse(pgv_map(wanted, n_realizations)))

    async def files(request: Request) -> Response:
        headers = {"Content-Disposition": 'attachment; filename="records.zip"'}
        return await answer(
            request,
            lambda wanted: Response(archive(wanted), media_type="application/zip", headers=headers),
        )

    return [
        Route("/", page),
        Route(f"{PREFIX}/section.png", section, methods=["POST"]),
        Route(f"{PREFIX}/pgv.json", pgv, methods=["POST"]),
        Route(f"{PREFIX}/records.zip", files, methods=["POST"]),
    ]
