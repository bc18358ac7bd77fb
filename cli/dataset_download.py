"""`cgmgm-seis dataset download`: from FDSN servers to a data set."""

from pathlib import Path
from typing import Any

import click

from cgmgm_seis_cli.dataset_records import load_velocity_model, processing_options
from cgmgm_seis_cli.numbers import Number
from cgmgm_seis_cli.parameters import (
    described,
    out_option,
    overwrite_option,
    show_messages,
    velocity_model_option,
    verbosity_options,
)

WAIT = Number(0.0, 86_400.0)


@click.command(context_settings={"show_default": True})
@click.option(
    "--client",
    multiple=True,
    required=True,
    metavar="NAME|URL|all",
    help="FDSN server such as NCEDC; repeatable, events come from the first; all: every server "
    "that ObsPy knows.",
)
@click.option("--start", "first", required=True, metavar="TIME", help="First origin time, UTC.")
@click.option("--end", "last", required=True, metavar="TIME", help="Last origin time, UTC.")
@click.option(
    "--region",
    required=True,
    metavar="W,E,S,N",
    help="Region of epicentres, degrees; W > E across 180.",
)
@click.option("--min-mag", type=Number(-10.0, 10.0), default=1.0, help="Minimum magnitude.")
@click.option("--channels", default="HH?,BH?,HN?", help="Channel codes.")
@click.option(
    "--events",
    multiple=True,
    metavar="FILE",
    help="QuakeML of the events, instead of the server's catalogue.",
)
@out_option()
@click.option(
    "--archive",
    type=click.Path(path_type=Path),
    help="Folder of the raw files, kept to continue after an interruption.  [default: OUT-archive]",
)
@processing_options(start="--record-start")
@velocity_model_option
@click.option("--pause", type=WAIT, default=0.5, help="Minimum time between two requests, s.")
@click.option(
    "--tries", type=click.IntRange(1, 1000), default=5, help="Tries of a request before it fails."
)
@click.option(
    "--backoff", type=WAIT, default=2.0, help="Wait before the second try, s; doubled every time."
)
@click.option(
    "--timeout", type=WAIT, default=120.0, help="Time that the server may take to answer, s."
)
@overwrite_option
@verbosity_options
def download(
    client: tuple[str, ...],
    first: str,
    last: str,
    region: str,
    min_mag: float,
    channels: str,
    events: tuple[str, ...],
    out: Path,
    archive: Path | None,
    velocity_model: Path | None,
    pause: float,
    tries: int,
    backoff: float,
    timeout: float,
    overwrite: bool,
    verbosity: int | None,
    **settings: Any,
) -> None:
    """Download events, responses and waveforms, and make a data set of them.

    After an interruption the same command continues.  Several servers are asked through ObsPy's
    MassDownloader.  For an archive on your own disk, such as SDS, use `from-records`.
    """
    from cgmgm_seis.datasets.archive import Processing, import_records
    from cgmgm_seis.datasets.download.data_centres import data_centres
    from cgmgm_seis.datasets.download.fdsn import PoliteClient
    from cgmgm_seis.datasets.download.fdsn import download as download_archive
    from cgmgm_seis.datasets.download.mass_download import mass_download
    from cgmgm_seis.datasets.download.raw_archive import Request
    from cgmgm_seis.scenario.obspy_files import read_catalog
    from cgmgm_seis.storage.folders import check_folder, check_name

    show_messages(verbosity or 0)
    processing = Processing(**settings)
    request = Request(
        first,
        last,
        region,
        min_mag,
        processing.max_distance_km,
        channels,
        processing.start_offset_s,
        processing.duration_s,
    )
    check_folder(out, overwrite, "waveforms.hdf5")
    folder = archive or out.with_name(f"{out.name}-archive")
    check_name(folder)
    if client[0] == "all" and not events:
        raise click.UsageError("--client all needs --events, or another --client before it")
    names = [name for given in client for name in (data_centres() if given == "all" else [given])]
    servers = [PoliteClient(name, pause, tries, backoff, timeout) for name in dict.fromkeys(names)]
    catalog = read_catalog(events) if events else None
    show_progress = verbosity != -1
    if len(servers) == 1:
        failed = download_archive(servers[0], request, folder, catalog, show_progress)
    else:
        failed = mass_download(servers, request, folder, catalog, show_progress)
    metadata = import_records(
        folder / "events.xml",
        folder / "stations.xml",
        folder / "waveforms" / "*.mseed",
        out,
        processing,
        load_velocity_model(velocity_model, processing.max_distance_km),
        overwrite=overwrite,
        progress=show_progress,
    )
    click.echo(described(out, metadata))
    if failed:
        click.echo(
            f"{len(failed)} event(s) failed; the same command with --overwrite tries them again."
        )
