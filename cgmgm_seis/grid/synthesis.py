"""From a job to a folder of maps, waveforms and metadata."""

import logging
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from cgmgm_seis.errors import OutputError
from cgmgm_seis.grid.engines import Seconds, Task, run_here, run_local
from cgmgm_seis.grid.geotiff import write_geotiff
from cgmgm_seis.grid.html import write_html
from cgmgm_seis.grid.job import GridJob
from cgmgm_seis.grid.maps import open_map_file
from cgmgm_seis.grid.model_plots import model_figures
from cgmgm_seis.grid.openquake import GMF_FILE, SITES_FILE, OpenQuakeFiles
from cgmgm_seis.grid.plots import GIVEN_MODELS, GIVEN_PLACES, map_figures, write_figure, write_movie
from cgmgm_seis.grid.shakemap import write_shakemap
from cgmgm_seis.grid.stationxml import write_stationxml
from cgmgm_seis.grid.statistics import EventTerms, anchor_rows, statistics
from cgmgm_seis.grid.tasks import MODEL_STATISTICS, NodeTasks
from cgmgm_seis.output.provenance import provenance
from cgmgm_seis.output.seisbench_writer import CHUNKS_FILE
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.streams import to_catalog
from cgmgm_seis.storage.files import link_file
from cgmgm_seis.storage.folders import (
    PROVENANCE_FILE,
    complete_folder,
)
from cgmgm_seis.storage.json_files import json_bytes
from cgmgm_seis.storage.obspy_bytes import to_bytes

logger = logging.getLogger(__name__)

# Outputs besides provenance and the waveforms, which are a setting of the job.
PARTS = ("maps", "geotiff", "shakemap", "figures", "html", "openquake", "quakeml")
DEFAULT_PARTS = ("maps", "figures", "html", "openquake", "quakeml")
# Maps in familiar units, and as natural logarithms of SI values.
MAPS_FILE, LN_FILE = "maps.nc", "maps.h5"
# What is made of each of them.
NEED_MAPS, NEED_LN = {"maps", "geotiff", "shakemap"}, {"figures", "html"}

# Runs tasks of a job and yields the times of each finished task.
Engine = Callable[[NodeTasks, list[Task]], Generator[Seconds]]


def draw_tasks(
    job: NodeTasks,
    engine: Engine | None = None,
    shard: tuple[int, int] = (1, 1),
    progress: bool = False,
) -> dict[str, float]:
    """Run the unfinished tasks of a job; finished tasks are verified.

    Parameters
    ----------
    job : NodeTasks
        The job, of a generator or a ground-motion model.
    engine : callable, optional
        Engine of `cgmgm_seis.grid.engines`; by default the tasks run in this process.
    shard : tuple of int
        (i, n): run only every n-th task, starting with the i-th; 1 <= i <= n.
    progress : bool
        Show a progress bar.

    Returns
    -------
    dict
        Number of "tasks" in this shard, of tasks "found" finished and of "records" drawn, and
        seconds spent in "generation", "measures" and "writing", summed over workers.

    Raises
    ------
    OutputError
        If the shard is invalid, or a file cannot be written.
    """
    number, count = shard
    if not 1 <= number <= count:
        raise OutputError(f"Shard {number}/{count} must be I/N with I from 1 to N.")
    tasks = job.tasks[number - 1 :: count]
    hidden = not progress
    with (
        _interruptible(job),
        tqdm(tasks, desc="Verifying", unit="chunk", disable=hidden, leave=False) as bar,
    ):
        missing = [task for task in bar if job.load(*task) is None]
    if found := len(tasks) - len(missing):
        logger.info(
            "%d of %d chunks are finished and verified; drawing the others.", found, len(tasks)
        )
    totals = dict.fromkeys(("generation", "measures", "writing"), 0.0)
    records = sum(last - first for first, last in missing) * job.n_realizations
    run = (engine or run_here) if missing else run_here
    with (
        tqdm(total=len(missing), desc="Drawing", unit="chunk", disable=hidden) as bar,
        _interruptible(job),
        closing(run(job, missing)) as finished,
    ):
        for seconds in finished:
            for key, value in seconds.items():
                totals[key] += value
            bar.update()
    return {"tasks": len(tasks), "found": found, "records": records, **totals}


@contextmanager
def _interruptible(job: NodeTasks) -> Iterator[None]:
    """Turn Ctrl-C into an error that says how to continue."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise OutputError(
            f"Interrupted; {job.folder} keeps the finished chunks, and the same command continues."
        ) from error


def local_engine(workers: int) -> Engine:
    """Return an engine that runs tasks in several processes on this machine."""
    return lambda job, tasks: run_local(job, tasks, min(workers, len(tasks)))


def write_grid(
    folder: str | Path,
    job: GridJob,
    *,
    beside: Mapping[str, NodeTasks] | None = None,
    parts: Sequence[str] = DEFAULT_PARTS,
    ln: bool = False,
    keep_realizations: bool = False,
    movie: str | None = None,
    settings: Mapping[str, Any] | None = None,
    warnings: Sequence[str] = (),
    command: Sequence[str] = (),
    overwrite: bool = False,
    progress: bool = False,
) -> list[tuple[Path, str]]:
    """Write the folder of a job whose tasks are all finished, completely or not at all.

    Parameters
    ----------
    folder : str or pathlib.Path
        The folder to write.
    job : GridJob
        A job with all tasks finished, see `draw_tasks`.
    beside : mapping, optional
        Name to finished job of other generators and ground-motion models for the same source,
        nodes and number of realizations.  Their maps are written beside those of `job`, which is
        named by its weights.
    parts : sequence of str
        Some of `PARTS`; GeoTIFF and ShakeMap's grid need a regular grid of nodes.
    ln : bool
        Also write the maps as natural logarithms of SI values.
    keep_realizations : bool
        Write all realizations of the measures to the maps.
    movie : str, optional
        "gif" or "png"; requires a job with `movie` set.
    settings, warnings, command
        Written to the provenance, see `cgmgm_seis.output.provenance.provenance`.
    overwrite : bool
        Replace an existing folder of generated records.
    progress : bool
        Show a progress bar.

    Returns
    -------
    list of (pathlib.Path, str)
        Files written and their descriptions, one line each.

    Raises
    ------
    OutputError
        If a part is unknown or a file cannot be written.
    """
    for part in parts:
        if part not in PARTS:
            raise OutputError(f"Output '{part}' must be one of {', '.join(PARTS)}.")
    folder = Path(folder)
    beside = beside or {}
    made_by = _provenance(job, beside, settings, warnings, command)
    source = job.source.iloc[0]
    earthquake = f"M {source['source_magnitude']:g}, {source['source_depth_km']:g} km deep"
    title = (
        f"{earthquake}: {job.n_realizations} realization(s) of {job.model.name}, weights "
        f"{job.model.weights_name} (trained on {made_by['trained_on']})"
    )
    with _interruptible(job), complete_folder(folder, overwrite) as temporary:
        about = _attributes(job, beside, made_by)
        written = _write_tables(
            temporary, job, beside, parts, ln, about, keep_realizations, progress
        )
        several = f"{earthquake}, {job.n_realizations} realization(s) of the generators"
        titles = title, several if beside else ""
        written |= _write_from_maps(temporary, job, parts, ln, titles)
        if movie:
            name = "movie.gif" if movie == "gif" else "movie"
            envelope = np.concatenate([found["envelope"] for _, _, found in job.results()])
            count = write_movie(temporary / name, job, envelope, title)
            written[name] = f"wavefield of realization 0, {count} images"
        if job.waveforms:
            written["waveforms"] = _bring_waveforms(temporary / "waveforms", job)
            channels = write_stationxml(temporary / "stations.xml", job, made_by)
            text = f"StationXML: {len(job.nodes)} stations, {channels} channels"
            written["stations.xml"] = text
        if "quakeml" in parts:
            (temporary / "events.xml").write_bytes(to_bytes(to_catalog(job.source), "QUAKEML"))
            written["events.xml"] = "QuakeML of the source"
        (temporary / PROVENANCE_FILE).write_bytes(json_bytes(made_by))
        written[PROVENANCE_FILE] = "origin of the files: versions, weights, scenario, nodes, seed"
    return [(folder / name, description) for name, description in written.items()]


def _write_from_maps(
    folder: Path, job: GridJob, parts: Sequence[str], ln: bool, titles: tuple[str, str]
) -> dict[str, str]:
    """Write what is made of the map files, which are removed unless they are wanted themselves."""
    written = dict[str, str]()
    maps, logarithms = folder / MAPS_FILE, folder / LN_FILE
    if "geotiff" in parts:
        written["geotiff"] = write_geotiff(folder / "geotiff", maps)
    if "shakemap" in parts:
        written |= write_shakemap(folder, maps, job.source)
    if "figures" in parts:
        written |= _write_figures(folder, logarithms, *titles)
    if "html" in parts:
        written["map.html"] = write_html(folder / "map.html", logarithms, titles[0])
    for path, kept in ((maps, "maps" in parts), (logarithms, ln)):
        if not kept:
            path.unlink(missing_ok=True)
    return written


def _write_figures(folder: Path, maps: Path, title: str, several: str) -> dict[str, str]:
    """Write the figures of the maps, and with a title for them of several models."""
    figures = map_figures(maps, title)
    if several:
        figures |= model_figures(maps, several)
    written = {}
    for name, figure in figures.items():
        for suffix in ("png", "pdf"):
            write_figure(figure, folder / f"{name}.{suffix}")
        written[f"{name}.png, .pdf"] = "figure"
    return written


def _write_tables(
    folder: Path,
    job: GridJob,
    beside: Mapping[str, NodeTasks],
    parts: Sequence[str],
    ln: bool,
    about: Mapping[str, Any],
    keep: bool,
    progress: bool,
) -> dict[str, str]:
    """Write the map files and the OpenQuake files in one pass over the tasks."""
    written: dict[str, str] = {}
    # Name of the file, and whether it has logarithms.
    files = [(MAPS_FILE, False)] if NEED_MAPS & set(parts) else []
    files += [(LN_FILE, True)] if ln or NEED_LN & set(parts) else []
    motion = {"pga", "pgv", "psa"} & set(job.measures.axes)
    wants_fields = "openquake" in parts and bool(motion)
    if not (files or wants_fields):
        return written
    nodes, n = job.nodes, job.n_realizations
    models: dict[str, NodeTasks] = {job.model.weights_name: job, **beside} if beside else {}
    with ExitStack() as stack:
        terms = _event_terms(job) if files else None
        maps = [
            stack.enter_context(
                open_map_file(
                    *(folder / name, nodes, job.measures, n if keep else 0, about),
                    models=list(models),
                    ln=of_ln,
                )
            )
            for name, of_ln in files
        ]
        if wants_fields:
            fields = stack.enter_context(OpenQuakeFiles(folder, nodes, job.measures))
        bar = stack.enter_context(
            tqdm(total=len(job.tasks), desc="Mapping", unit="chunk", disable=not progress)
        )
        for first, last, found in job.results():
            values = found["measures"]
            if terms:
                places = nodes.latitude[first:last], nodes.longitude[first:last]
                found_here = statistics(values, *places, terms)
                of_models = _of_models(models, job.labels, first, last) if models else {}
                for file in maps:
                    file.write(first, values, found_here)
                    file.write_models(first, of_models)
            if wants_fields:
                fields.write(first, values)
            bar.update()
    kept = f", {n} realizations" if keep else ""
    several = f", {len(models)} models" if models else ""
    of = f"maps of {', '.join(job.measures.axes)}"
    if "maps" in parts:
        written[MAPS_FILE] = f"{of}: statistics{kept}{several} (netCDF, familiar units)"
    if ln:
        written[LN_FILE] = f"{of}: natural logarithms of SI values{kept}{several} (netCDF)"
    if wants_fields:
        written[GMF_FILE] = f"OpenQuake ground-motion fields: {len(nodes)} sites, {n} event(s)"
        written[SITES_FILE] = "OpenQuake sites"
    return written


def _of_models(
    models: Mapping[str, NodeTasks], labels: Sequence[str], first: int, last: int
) -> dict[str, Floats]:
    """Return the statistics (node, model, series) of a task; NaN for series of other models."""
    found = {
        key: np.full((last - first, len(models), len(labels)), np.nan) for key in MODEL_STATISTICS
    }
    for place, job in enumerate(models.values()):
        own = [k for k, label in enumerate(job.labels) if label in labels]
        columns = [labels.index(job.labels[k]) for k in own]
        for key, values in job.model_statistics(job.result(first, last)).items():
            found[key][:, place, columns] = values[:, own]
    return found


def _event_terms(job: GridJob) -> EventTerms:
    """Return the event terms of the realizations, estimated from the anchors."""
    rows = anchor_rows(len(job.nodes))
    parts = []
    for first, last in job.tasks:
        inside = rows[(rows >= first) & (rows < last)] - first
        if len(inside):
            found = job.result(first, last)
            parts.append(found["measures"][inside])
    places = job.nodes.latitude[rows], job.nodes.longitude[rows]
    return EventTerms.of(*places, np.concatenate(parts))


def _bring_waveforms(folder: Path, job: GridJob) -> str:
    """Create the folder of a finished job's waveforms; return a description of it."""
    for task in job.tasks:
        for name, path in job.waveform_paths(*task).items():
            link_file(path, folder / name)
    nodes, n = len(job.nodes), len(job.realizations_written)
    if job.format == "seisbench":
        lines = [f"{job.files.chunk(*task)}\n" for task in job.tasks]
        (folder / CHUNKS_FILE).write_text("".join(lines), encoding="utf-8")
        return f"SeisBench data set: {nodes * n} records, P and S labelled"
    return f"MiniSEED of {nodes} nodes and {n} realization(s), one folder per realization"


def _attributes(
    job: GridJob, beside: Mapping[str, NodeTasks], made_by: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the global attributes of the maps."""
    source, conditioning = job.source.iloc[0], job.model.conditioning
    given: dict[str, Any] = {}
    if conditioning is not None:
        given = dict(zip(GIVEN_PLACES, conditioning.evidence.places.T, strict=True))
        # All generators are conditioned, ground-motion models are not.
        generators = [name for name, own in beside.items() if isinstance(own, GridJob)]
        given |= {GIVEN_MODELS: [job.model.weights_name, *generators]} if beside else {}
    package = f"cgmgm-seis {made_by['versions']['cgmgm-seis']}"
    return {
        **given,
        "title": "Generated ground motion of a scenario earthquake",
        "source": (
            f"{job.model.name} of {package}, weights {job.model.weights_name} version "
            f"{job.model.weights_version}, trained on: {made_by['trained_on']}"
        ),
        # Without the time, so that the same command gives the same bytes.
        "history": f"{' '.join(made_by['command']) or 'write_grid'} ({package})",
        "comment": made_by["about"],
        "weights_sha256": job.model.weights_sha256,
        "n_realizations": job.n_realizations,
        "seed": job.seed,
        "correlation_length_km": job.model.correlation_length_km,
        **{key: source[key] for key in source.index if key.startswith("source_")},
    }


def _provenance(
    job: GridJob,
    beside: Mapping[str, NodeTasks],
    settings: Mapping[str, Any] | None,
    warnings: Sequence[str],
    command: Sequence[str],
) -> dict[str, Any]:
    """Return the provenance, with the source and a summary of the nodes."""
    made_by = provenance(
        job.model,
        job.source,
        n_realizations=job.n_realizations,
        seed=job.seed,
        settings=settings,
        warnings=warnings,
        command=command,
    )
    nodes = job.nodes
    return made_by | {
        "nodes": {
            "number": len(nodes),
            "shape": nodes.shape,
            "latitude": [nodes.latitude.min(), nodes.latitude.max()],
            "longitude": [nodes.longitude.min(), nodes.longitude.max()],
            "sha256": nodes.digest(),
        },
        "measures": job.measures.labels,
        "correlation_length_km": job.model.correlation_length_km,
        **({"beside": {name: own.about for name, own in beside.items()}} if beside else {}),
    }
