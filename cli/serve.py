"""`cgmgm-seis serve`: a local web service with a page and the interfaces of Syngine and FDSN."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from cgmgm_seis_cli.numbers import MANY, Number
from cgmgm_seis_cli.parameters import (
    DEFAULT_WEIGHTS,
    device_option,
    show_messages,
    verbosity_options,
)

LOOPBACK = ("127.0.0.1", "localhost", "::1")
EXAMPLES = """\b
Examples:
  cgmgm-seis serve
  cgmgm-seis serve cgmgm-output
  cgmgm-seis serve --port 9000 --weights bay_area_evolutionary --weights bay_area
"""


@click.command(epilog=EXAMPLES)
@click.argument("folders", metavar="[FOLDER]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--weights",
    "names",
    multiple=True,
    default=(DEFAULT_WEIGHTS,),
    show_default=DEFAULT_WEIGHTS,
    metavar="NAME|PATH",
    help="Name or path of weights; repeatable.  Clients give the name as `model`.",
)
@click.option(
    "--receivers",
    multiple=True,
    metavar="FILE",
    help="Stations that clients choose from by their codes: StationXML, FDSN text or CSV; "
    "repeatable.  [default: the bundled Bay Area stations]",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen at; 0.0.0.0 lets other machines in, without a password.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Port; 0 is any free one.",
)
@click.option(
    "--max-stations",
    "stations",
    type=MANY,
    help="Most receivers of a request.  [default: 200]",
)
@click.option(
    "--max-seconds",
    "seconds",
    type=Number(0.0, 1e5, above=True),
    help="Longest time that a request may take, s.  [default: 120]",
)
@click.option(
    "--max-waiting",
    "waiting",
    type=MANY,
    help="Most requests that wait for a model at a time.  [default: 64]",
)
@device_option("cpu")
@verbosity_options
def serve(
    folders: tuple[Path, ...],
    names: tuple[str, ...],
    receivers: tuple[str, ...],
    host: str,
    port: int,
    stations: int | None,
    seconds: float | None,
    waiting: int | None,
    device: str,
    verbosity: int | None,
) -> None:
    """Answer browsers and web clients on this machine, until Ctrl-C.

    A page with a map, for a browser, draws the records of an earthquake.  Seismograms of a scenario
    are drawn for clients of IRIS Syngine, such as
    `obspy.clients.syngine.Client(base_url="http://127.0.0.1:8080/irisws/syngine/1")`.  The events,
    stations and waveforms of every FOLDER that `cgmgm-seis generate` wrote (MiniSEED or SAC) are
    given to clients of FDSN, such as `obspy.clients.fdsn.Client("http://127.0.0.1:8080")`.
    """
    try:
        from cgmgm_seis.serve.server import listening_socket, new_server
    except ImportError as error:
        raise click.UsageError(
            f"serve needs starlette and uvicorn ({error}): pip install 'cgmgm-seis[serve]'."
        ) from error
    from cgmgm_seis.serve.application import application, load_models
    from cgmgm_seis.serve.archive import read_folders
    from cgmgm_seis.serve.limits import Limits

    show_messages(verbosity or 0)
    given: dict[str, Any] = {"stations": stations, "seconds": seconds, "waiting": waiting}
    limits = replace(Limits(), **{name: value for name, value in given.items() if value})
    archive = read_folders(folders) if folders else None
    models = load_models(names, device)
    app = application(models, list(receivers) or None, limits, archive)
    with listening_socket(host, port) as place:
        shown = f"[{host}]" if ":" in host else host
        url = f"http://{shown}:{place.getsockname()[1]}"
        if host not in LOOPBACK:
            click.echo(
                f"Warning: everyone who reaches {host} can use this service; it has no password.",
                err=True,
            )
        click.echo(f"Page for a browser: {url}")
        click.echo(f"Syngine ({', '.join(models)}): {url}/irisws/syngine/1")
        if archive is not None:
            click.echo(
                f"FDSN event, station and dataselect: {url} ({len(archive.catalog)} event(s), "
                f"{len(archive.stream)} traces)"
            )
        try:
            new_server(app, "info" if verbosity == 1 else "warning").run([place])
        except KeyboardInterrupt:  # uvicorn has ended all requests
            click.echo("Stopped.", err=True)
