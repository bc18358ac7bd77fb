"""cgmgm-seis grid: shaking maps and wavefields of a scenario at many nodes."""

import logging
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cgmgm_seis_cli.parameters import (
    DEFAULT_WEIGHTS,
    SourceChoice,
    device_option,
    extrapolate_options,
    extrapolation_warnings,
    given_option,
    given_settings,
    out_option,
    overwrite_option,
    realizations_option,
    seed_option,
    show_messages,
    source_options,
    stations_option,
    verbosity_options,
    workers_option,
)
from cgmgm_seis_cli.values import Numbers, Region, Shape, Shard, Words

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from cgmgm_seis.grid.measures import Measures
    from cgmgm_seis.grid.nodes import Nodes
    from cgmgm_seis.grid.synthesis import Engine
    from cgmgm_seis.models.base import GroundMotionModel

logger = logging.getLogger("cgmgm_seis")

DEFAULT = ("waveforms", "maps", "figures", "html", "openquake", "quakeml")
WRITABLE = (*DEFAULT, "geotiff", "shakemap")
# Realizations that are compared with a published model where the magnitude is extrapolated.
COMPARED_REALIZATIONS = 5
MEASURES = ("fas", "eas", "pga", "pgv", "psa")

EXAMPLES = """\b
Examples:
  cgmgm-seis grid --mag 3.9 --src 37.861,-122.257 --depth 7.9 \\
      --region -122.5,-121.8,37.27,38.07 --shape 25x25 -n 20 --out scenario
  cgmgm-seis grid --mag 3.9 --src 37.861,-122.257 --stations sites.csv -n 50 \\
      --measures pga,psa --write openquake --out portfolio
  cgmgm-seis grid --mag 3.9 --src 37.861,-122.257 --stations sites.csv -n 20 \\
      --format seisbench --write waveforms --out labelled
  cgmgm-seis grid --mag 3.9 --src 37.861,-122.257 --region -122.5,-121.8,37.27,38.07 \\
      --shape 100x100 -n 100 --method spectra --measures fas,eas --out spectra
"""


@click.command(context_settings={"show_default": True}, epilog=EXAMPLES)
@source_options
@click.option(
    "--region", type=Region(), help="Map region, degrees, in GMT's order; W > E across 180."
)
@click.option("--shape", type=Shape(), help="Rows and columns of nodes in --region.")
@stations_option
@given_option
@click.option(
    "--inventory",
    "inventories",
    multiple=True,
    metavar="FILE",
    help="StationXML with the responses of the waveforms of --given, * and ? allowed; repeatable.",
)
@realizations_option()
@seed_option
@click.option(
    "--weights",
    "names",
    metavar="NAME|PATH",
    multiple=True,
    default=(DEFAULT_WEIGHTS,),
    help="Name (see `cgmgm-seis weights list`) or path of weights; repeatable: all outputs are of "
    "the first, beside which the others are mapped.",
)
@click.option(
    "--gmm",
    "gmms",
    metavar="NAME",
    multiple=True,
    help="Ground-motion model to map beside: ergodic, nonergodic:FILE (see `cgmgm-seis gmm fit`), "
    "BA19, ASK14, BSSA14, CB14 or CY14; repeatable.",
)
@click.option(
    "--write",
    type=Words(WRITABLE),
    help=f"Outputs, separated by commas: {', '.join(WRITABLE)}.  [default: all but geotiff and "
    "shakemap, and waveforms of several realizations only with --format seisbench]",
)
@click.option(
    "--ln",
    is_flag=True,
    help="Also write maps.h5, natural logarithms of the values in m, s (maps.nc is in %g, cm/s).",
)
@click.option(
    "--measures", type=Words(MEASURES), default=",".join(MEASURES), help="Measures to map."
)
@click.option(
    "--method",
    type=click.Choice(["waveforms", "spectra"]),
    default="waveforms",
    help="Measure drawn waveforms, or draw FAS, EAS and, by random vibration theory (extra `rvt`), "
    "peaks from the generator's spectra, some hundred times as fast.",
)
@click.option(
    "--frequencies",
    type=Numbers(),
    default="2,5,10,15",
    help="Frequencies of the Fourier spectra, Hz.",
)
@click.option("--periods", type=Numbers(), default="0.1,0.3,1", help="Periods of the PSA, s.")
@click.option("--keep-realizations", is_flag=True, help="Write every realization to the maps.")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["mseed", "seisbench"]),
    default="mseed",
    help="Format of the waveforms; seisbench is a data set with labelled P and S.",
)
@click.option(
    "--quantity",
    type=click.Choice(["acceleration", "velocity", "displacement"]),
    default="velocity",
    help="Quantity of the waveforms; displacement is high-passed at 0.1 Hz.",
)
@click.option(
    "--encoding",
    type=click.Choice(["float32", "steim2"]),
    default="float32",
    help="Encoding of MiniSEED; steim2 writes integers, with the gain in the StationXML.",
)
@click.option(
    "--movie",
    type=click.Choice(["gif", "png"]),
    help="Animate the wavefield, as one GIF or as PNG images.",
)
@workers_option
@click.option("--ray", is_flag=True, help="Run on Ray, started here (extra `distributed`).")
@click.option(
    "--ray-address", metavar="ADDRESS", help="Run on this Ray cluster; auto finds a running one."
)
@click.option("--shard", type=Shard(), help="Generate only the i-th of n parts, for job arrays.")
@out_option("cgmgm-grid")
@overwrite_option
@extrapolate_options
@device_option("cpu")
@verbosity_options
@click.pass_context
def grid(
    ctx: click.Context,
    source: SourceChoice,
    region: tuple[float, float, float, float] | None,
    shape: tuple[int, int] | None,
    stations: tuple[str, ...],
    given: str | None,
    inventories: tuple[str, ...],
    n_realizations: int,
    seed: int,
    names: tuple[str, ...],
    gmms: tuple[str, ...],
    write: tuple[str, ...] | None,
    ln: bool,
    measures: tuple[str, ...],
    method: str,
    frequencies: tuple[float, ...],
    periods: tuple[float, ...],
    keep_realizations: bool,
    file_format: str,
    quantity: str,
    encoding: str,
    movie: str | None,
    workers: int | None,
    ray: bool,
    ray_address: str | None,
    shard: tuple[int, int] | None,
    out: Path,
    overwrite: bool,
    extrapolate: bool | float,
    device: str,
    verbosity: int | None,
) -> None:
    """Generate shaking maps and wavefields of an earthquake at the nodes of a grid.

    Every realization is one earthquake: its nodes share the event term, and the record terms of
    neighbouring nodes correlate as those of the training records do.  Finished chunks are kept in
    a hidden folder beside --out; the same command continues after an interruption.
    """
    if (region is None) != (shape is None) or (region is None) == (not stations):
        raise click.UsageError("Give --region with --shape, or --stations FILE.")
    _check_given(given, inventories)

    from cgmgm_seis.gmm.named import NamedGMM
    from cgmgm_seis.grid.beside import jobs_beside
    from cgmgm_seis.grid.duration import expected_time
    from cgmgm_seis.grid.job import GridJob
    from cgmgm_seis.grid.measures import Measures
    from cgmgm_seis.grid.nodes import Nodes, grid_nodes
    from cgmgm_seis.grid.spectra_job import SpectraJob
    from cgmgm_seis.grid.synthesis import draw_tasks, write_grid
    from cgmgm_seis.storage.chunks import chunk_folder
    from cgmgm_seis.storage.folders import lock_output

    show_messages(verbosity or 0)
    part = "" if shard is None else "{}-of-{}".format(*shard)
    ctx.with_resource(lock_output(out, overwrite, part))
    earthquake = source.table()
    if region is not None and shape is not None:
        nodes = grid_nodes(region, shape)
    else:
        nodes = Nodes.of(source.receivers(stations, earthquake))
    models = _generators(names, device, given is not None)
    model, *_ = models.values()
    published = [NamedGMM.of(name) for name in gmms]
    messages = _range_messages(models, earthquake, nodes.extremes(earthquake), extrapolate, seed)
    if given:
        models = _conditioned(models, given, inventories, earthquake, extrapolate, messages)
        model, *_ = models.values()
    records = n_realizations == 1 or file_format == "seisbench"
    records = records and method == "waveforms"
    chosen = list(write or (part for part in DEFAULT if records or part != "waveforms"))
    measured = Measures(
        *(model.component_order, model.sampling_rate, measures, frequencies, periods)
    )
    _check_parts(chosen, nodes, measured, file_format, asked=write is not None)
    job = (SpectraJob if method == "spectra" else GridJob)(
        model,
        names[0],
        earthquake,
        nodes,
        measured,
        n_realizations,
        seed,
        waveforms="waveforms" in chosen,
        format=file_format,
        encoding=encoding,
        quantity=quantity,
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
            "%s, weights %s, has no correlation between receivers: record terms are independent, "
            "and sums over many nodes have too little scatter.",
            model.name,
            model.weights_name,
        )
    progress = verbosity != -1 and sys.stderr.isatty()
    engine = _engine(workers, ray, ray_address)
    beside = jobs_beside(job, dict(zip(names, models.items(), strict=True)), published)
    processes = None if ray or ray_address else workers or os.cpu_count()
    if told := expected_time([job, *beside.values()], processes, shard or (1, 1)):
        logger.info("%s  Ctrl-C stops and keeps what is finished.", told)
    for own in (job, *beside.values()):
        done = draw_tasks(own, engine, shard or (1, 1), progress)
        logger.debug("%s", ", ".join(f"{key} {value:.1f}" for key, value in done.items()))
    if shard is not None:
        click.echo(
            f"{job.folder}: part {shard[0]} of {shard[1]}, {done['tasks']} of {len(job.tasks)} "
            "chunks; when all parts are finished, the same command without --shard writes --out."
        )
        return
    settings = {
        "write": chosen,
        "ln": ln,
        "method": method,
        "keep_realizations": keep_realizations,
        "format": file_format,
        "encoding": encoding,
        "quantity": quantity,
        "movie": movie,
        "extrapolate": extrapolate,
        "device": device,
        **given_settings(given, model),
    }
    written = write_grid(
        out,
        job,
        beside=beside,
        parts=[part for part in chosen if part != "waveforms"],
        ln=ln,
        keep_realizations=keep_realizations,
        movie=movie,
        settings=settings,
        warnings=messages,
        command=ctx.meta.get("command", []),
        overwrite=overwrite,
        progress=progress,
    )
    for own in (*beside.values(), job):
        own.discard()
    for path, description in written:
        click.echo(f"{path}: {description}")


def _check_given(given: str | None, inventories: tuple[str, ...]) -> None:
    """Raise an error for responses without the waveforms that they belong to."""
    if inventories and not given:
        raise click.UsageError("--inventory needs --given WAVEFORMS; the nodes have --stations.")


def _generators(
    names: tuple[str, ...], device: str, given: bool
) -> "Mapping[str, GroundMotionModel]":
    """Load the generators, all of which must be conditionable if records are given."""
    from cgmgm_seis.evaluation.generators import load_generators

    models = load_generators(names, device)
    for model in models.values() if given else ():
        model.check_conditionable()
    return models


def _conditioned(
    models: "Mapping[str, GroundMotionModel]",
    given: str,
    inventories: tuple[str, ...],
    earthquake: "pd.DataFrame",
    extrapolate: bool | float,
    messages: list[str],
) -> "dict[str, GroundMotionModel]":
    """Return the models conditioned on what was recorded of the earthquake."""
    from cgmgm_seis.evaluation.given import read_given
    from cgmgm_seis.scenario.obspy_files import read_inventory

    inventory = read_inventory(inventories) if inventories else None
    found = {}
    for name, model in models.items():
        with extrapolation_warnings(messages, f"{name}: " if len(models) > 1 else ""):
            records = read_given(given, earthquake, model, inventory, extrapolate)
            found[name] = records.condition(model, extrapolate)
    return found


def _range_messages(
    models: "Mapping[str, GroundMotionModel]",
    earthquake: "pd.DataFrame",
    extremes: "pd.DataFrame",
    extrapolate: bool | float,
    seed: int,
) -> list[str]:
    """Print and return the values outside of the trained ranges, by name if there are several."""
    from cgmgm_seis.models.conditions import MAGNITUDE, inside_range

    messages: list[str] = []
    for name, model in models.items():
        with extrapolation_warnings(messages, f"{name}: " if len(models) > 1 else ""):
            model.check_ranges(extremes, extrapolate)
            limits = model.ranges.get(MAGNITUDE)
            if limits and not inside_range(earthquake, MAGNITUDE, limits).all():
                # Compares the peaks at these nodes with a published model before the long work.
                model.sample(extremes, COMPARED_REALIZATIONS, seed, extrapolate=extrapolate)
    return messages


def _check_parts(
    chosen: list[str], nodes: "Nodes", measures: "Measures", file_format: str, asked: bool
) -> None:
    """Raise an error for outputs that cannot hold the nodes, or leave them out by default."""
    from cgmgm_seis.errors import OutputError
    from cgmgm_seis.grid.geotiff import check_geotiff
    from cgmgm_seis.grid.openquake import check_sites
    from cgmgm_seis.grid.shakemap import check_shakemap
    from cgmgm_seis.scenario.codes import check_format_codes

    checks = {
        "geotiff": partial(check_geotiff, nodes),
        "shakemap": partial(check_shakemap, nodes, measures),
    }
    if nodes.codes is not None:
        checks["waveforms"] = partial(check_format_codes, nodes.codes, file_format)
        checks["openquake"] = partial(check_sites, nodes)
    for part, check in checks.items():
        if part not in chosen:
            continue
        try:
            check()
        except OutputError as error:
            if asked:
                raise
            logger.warning("Output %s is left out: %s", part, error)
            chosen.remove(part)


def _engine(workers: int | None, ray: bool, address: str | None) -> "Engine":
    """Return the engine that runs the tasks."""
    from cgmgm_seis.grid.engines import run_ray
    from cgmgm_seis.grid.synthesis import local_engine

    if ray or address:
        return lambda job, tasks: run_ray(job, tasks, address)
    return local_engine(workers or os.cpu_count() or 1)
