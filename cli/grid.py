"""cgmgm-seis grid: shaking maps and wavefields of a scenario at many nodes."""

import logging
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cgmgm_seis_cli.parameters import (
    Numbers,
    Point,
    Region,
    Shape,
    Shard,
    Time,
    Words,
    show_messages,
    verbosity_options,
)

if TYPE_CHECKING:
    from cgmgm_seis.grid.synthesis import Engine

logger = logging.getLogger("cgmgm_seis")

WRITABLE = ("waveforms", "maps", "figures", "html", "openquake", "quakeml")
MEASURES = ("fas", "eas", "pga", "pgv", "psa")

EXAMPLES = """\b
Examples:
  cgmgm-seis grid --mag 3.9 --src 37.861,-122.257 --depth 7.9 \\
      --region -122.5,-121.8,37.27,38.07 --shape 100x100 -n 100 --out scenario
  cgmgm-seis grid --mag 3.9 --src 37.861,-122.257 --stations sites.csv -n 50 \\
      --measures pga,psa --write openquake --out portfolio
  cgmgm-seis grid --mag 3.9 --src 37.861,-122.257 --stations sites.csv -n 20 \\
      --format seisbench --write waveforms --out labelled
"""


@click.command(context_settings={"show_default": True}, epilog=EXAMPLES)
@click.option("--mag", type=float, required=True, help="Moment magnitude.")
@click.option("--src", type=Point(), required=True, help="Epicentre, degrees.")
@click.option("--depth", type=float, default=8.0, help="Source depth, km.")
@click.option("--time", type=Time(), default="2020-01-01", help="Origin time, UTC.")
@click.option("--region", type=Region(), help="Map region, degrees, as GMT has it; W > E at 180.")
@click.option("--shape", type=Shape(), help="Rows and columns of nodes in --region.")
@click.option(
    "--stations",
    type=click.Path(path_type=Path),
    help="StationXML or CSV (latitude, longitude, ..) of receivers instead of --region.",
)
@click.option(
    "-n",
    "--realizations",
    type=click.IntRange(min=1),
    default=1,
    help="Earthquakes drawn: event terms, and fields of record terms.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of all that is drawn.")
@click.option("--weights", default="bay_area_evolutionary", metavar="NAME|PATH", help="Weights.")
@click.option(
    "--write",
    type=Words(WRITABLE),
    help=f"Some of {','.join(WRITABLE)}.  [default: all; waveforms of several realizations only "
    "with --format seisbench]",
)
@click.option("--measures", type=Words(MEASURES), default=",".join(MEASURES), help="Maps wanted.")
@click.option(
    "--frequencies", type=Numbers(), default="2,5,10,15", help="Of the Fourier spectra, Hz."
)
@click.option("--periods", type=Numbers(), default="0.1,0.3,1", help="Of the PSA, s.")
@click.option("--keep-realizations", is_flag=True, help="Keep every realization in maps.h5.")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["mseed", "seisbench"]),
    default="mseed",
    help="Of the waveforms; seisbench writes a data set whose P and S are labelled.",
)
@click.option(
    "--encoding",
    type=click.Choice(["float32", "steim2"]),
    default="float32",
    help="Of the MiniSEED; steim2 writes integers, with their gain in the StationXML.",
)
@click.option(
    "--movie",
    type=click.Choice(["gif", "png"]),
    help="Draw the wavefield over time, as one GIF or as PNG pictures.",
)
@click.option("--workers", type=click.IntRange(min=1), help="Processes.  [default: one a core]")
@click.option("--ray", is_flag=True, help="Run on Ray, started here (extra distributed).")
@click.option("--ray-address", metavar="ADDRESS", help="Run on this Ray cluster; auto finds it.")
@click.option("--shard", type=Shard(), help="Draw the i-th of n parts only, for job arrays.")
@click.option(
    "--out", type=click.Path(path_type=Path), default="cgmgm-grid", help="Output folder to make."
)
@click.option("--overwrite", is_flag=True, help="Replace an output folder of an earlier run.")
@click.option("--extrapolate", is_flag=True, help="Warn, not stop, outside the trained ranges.")
@click.option("--device", default="cpu", help="cpu, cuda, mps or auto.")
@verbosity_options
@click.pass_context
def grid(
    ctx: click.Context,
    mag: float,
    src: tuple[float, float],
    depth: float,
    time: Any,
    region: tuple[float, float, float, float] | None,
    shape: tuple[int, int] | None,
    stations: Path | None,
    realizations: int,
    seed: int,
    weights: str,
    write: tuple[str, ...] | None,
    measures: tuple[str, ...],
    frequencies: tuple[float, ...],
    periods: tuple[float, ...],
    keep_realizations: bool,
    file_format: str,
    encoding: str,
    movie: str | None,
    workers: int | None,
    ray: bool,
    ray_address: str | None,
    shard: tuple[int, int] | None,
    out: Path,
    overwrite: bool,
    extrapolate: bool,
    device: str,
    verbosity: int | None,
) -> None:
    """Draw shaking maps and wavefields of an earthquake at the nodes of a grid.

    Every realization is one earthquake: an event term, and record terms that resemble each other
    at neighbouring nodes as the training records' do.  Finished chunks stay in a hidden folder
    beside --out, so that the same command continues after a kill.
    """
    if (region is None) == (stations is None) or (region is None) != (shape is None):
        raise click.UsageError("Give --region with --shape, or --stations FILE.")

    from cgmgm_seis.grid.job import GridJob
    from cgmgm_seis.grid.measures import Measures
    from cgmgm_seis.grid.nodes import grid_nodes, read_nodes
    from cgmgm_seis.grid.synthesis import draw_tasks, write_grid
    from cgmgm_seis.models.conditions import ExtrapolationWarning
    from cgmgm_seis.models.weights import load_model
    from cgmgm_seis.scenario.table import SOURCE_COLUMNS, from_points
    from cgmgm_seis.storage.chunks import chunk_folder
    from cgmgm_seis.storage.folders import check_folder

    show_messages(verbosity or 0)
    if shard is None:
        check_folder(out, overwrite)
    if stations is not None:
        nodes = read_nodes(stations)
    else:
        assert region is not None and shape is not None
        nodes = grid_nodes(region, shape)
    source = from_points(mag, src, [src], depth, time)[list(SOURCE_COLUMNS)]
    model = load_model(weights, device)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExtrapolationWarning)
        messages = model.check_ranges(nodes.extremes(source), extrapolate)
    for message in messages:
        click.echo(f"Warning: {message}", err=True)
    records = realizations == 1 or file_format == "seisbench"
    chosen = write or tuple(part for part in WRITABLE if records or part != "waveforms")
    job = GridJob(
        model,
        weights,
        source,
        nodes,
        Measures(model.component_order, model.sampling_rate, measures, frequencies, periods),
        realizations,
        seed,
        waveforms="waveforms" in chosen,
        format=file_format,
        encoding=encoding,
        movie=movie is not None,
        extrapolate=extrapolate,
        device=device,
        folder=chunk_folder(out),
    )
    if model.correlation_length_km > 0.0:
        logger.info(
            "Record terms correlate over %.1f km between nodes.", model.correlation_length_km
        )
    else:
        logger.info(
            "%s, weights %s, knows no correlation between receivers: record terms are drawn "
            "independently, and sums over many nodes scatter too little.",
            model.name,
            model.weights_name,
        )
    progress = verbosity != -1 and sys.stderr.isatty()
    engine = _engine(workers, ray, ray_address)
    done = draw_tasks(job, engine, shard or (1, 1), progress)
    logger.debug("%s", ", ".join(f"{key} {value:.1f}" for key, value in done.items()))
    if shard is not None:
        click.echo(
            f"{job.folder}: part {shard[0]} of {shard[1]}, {done['tasks']} of {len(job.tasks)} "
            "chunks; when all parts are there, the same command without --shard writes --out."
        )
        return
    settings = {
        "write": list(chosen),
        "keep_realizations": keep_realizations,
        "format": file_format,
        "encoding": encoding,
        "movie": movie,
        "extrapolate": extrapolate,
        "device": device,
    }
    written = write_grid(
        out,
        job,
        parts=[part for part in chosen if part != "waveforms"],
        keep_realizations=keep_realizations,
        movie=movie,
        settings=settings,
        warnings=messages,
        command=ctx.meta.get("command", []),
        overwrite=overwrite,
        progress=progress,
    )
    job.discard()
    for path, description in written:
        click.echo(f"{path}: {description}")


def _engine(workers: int | None, ray: bool, address: str | None) -> "Engine":
    """Return where the tasks run."""
    from cgmgm_seis.grid.engines import run_ray
    from cgmgm_seis.grid.synthesis import local_engine

    if ray or address:
        return lambda job, tasks: run_ray(job, tasks, address)
    return local_engine(workers or os.cpu_count() or 1)
