"""`cgmgm-seis generate`: seismograms of an earthquake, as files."""

import logging
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cgmgm_seis_cli.parameters import Components, Point, Time, show_messages, verbosity_options

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from obspy import Inventory, Stream

    from cgmgm_seis.models.base import GroundMotionModel
    from cgmgm_seis.output.outputs import Arrivals

logger = logging.getLogger("cgmgm_seis")

DEFAULT_WEIGHTS = "bay_area_evolutionary"

EXAMPLES = """\b
Examples:
  cgmgm-seis generate --mag 4.5 --src 37.938,-122.057
  cgmgm-seis generate --mag 4 --src 37.9,-122.1 --sta 37.8,-122.2 -n 5 --seed 1 --out five
  cgmgm-seis generate --event event.xml --inventory 'stations/*.xml' \\
      --observed 'waveforms/*.mseed' --out event
"""


@click.command(epilog=EXAMPLES)
@click.option("--mag", type=float, help="Moment magnitude.")
@click.option("--src", type=Point(), help="Epicentre, degrees.")
@click.option(
    "--depth",
    type=float,
    help="Source depth, km.  [default: the event's, else 8]",
)
@click.option(
    "--time", type=Time(), help="Origin time, UTC.  [default: the event's, else 2020-01-01]"
)
@click.option(
    "--event",
    type=click.Path(path_type=Path),
    help="QuakeML file of one earthquake; --mag, --src, --depth and --time override it.",
)
@click.option(
    "--sta",
    "points",
    type=Point(),
    multiple=True,
    help="Receiver, degrees; repeatable.  [default: the bundled Bay Area stations]",
)
@click.option(
    "--inventory",
    "inventories",
    multiple=True,
    metavar="FILE",
    help="StationXML file(s) of the receivers, * and ? allowed; repeatable.",
)
@click.option(
    "--observed",
    multiple=True,
    metavar="FILE",
    help="Recorded waveforms (counts) to plot beside the generated ones; repeatable.",
)
@click.option(
    "-n",
    "--realizations",
    type=click.IntRange(1, 1296),
    default=1,
    show_default=True,
    help="Records drawn for every receiver.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed: the same seed draws the same records.",
)
@click.option("--components", type=Components(), help="Components wanted.  [default: the model's]")
@click.option("--start", type=float, help="Start, s after the origin time.  [default: the model's]")
@click.option("--duration", type=float, help="Length, s.  [default: to the end of the window]")
@click.option(
    "--weights",
    default=DEFAULT_WEIGHTS,
    show_default=True,
    metavar="NAME|PATH",
    help="Weights: see `cgmgm-seis weights list`.",
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["mseed", "sac", "seisbench"]),
    default="mseed",
    show_default=True,
    help="Format of the waveforms.",
)
@click.option("--plot/--no-plot", default=True, show_default=True, help="Draw figures (PNG).")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="cgmgm-output",
    show_default=True,
    help="Output folder to make.",
)
@click.option("--overwrite", is_flag=True, help="Replace an output folder of an earlier run.")
@click.option("--extrapolate", is_flag=True, help="Warn, not stop, outside the trained ranges.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, mps or auto.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Records drawn at once.")
@verbosity_options
@click.pass_context
def generate(
    ctx: click.Context,
    mag: float | None,
    src: tuple[float, float] | None,
    depth: float | None,
    time: Any,
    event: Path | None,
    points: tuple[tuple[float, float], ...],
    inventories: tuple[str, ...],
    observed: tuple[str, ...],
    realizations: int,
    seed: int,
    components: str | None,
    start: float | None,
    duration: float | None,
    weights: str,
    file_format: str,
    plot: bool,
    out: Path,
    overwrite: bool,
    extrapolate: bool,
    device: str,
    batch_size: int | None,
    verbosity: int | None,
) -> None:
    """Generate seismograms (velocity, m/s) of an earthquake at receivers.

    Writes a folder with waveforms, StationXML, QuakeML, provenance and a figure, complete or
    not at all.  Channels are HXZ, HXN, HXE (generated); the location code is the realization.
    """
    if event is None and (mag is None or src is None):
        missing = [name for name, value in (("--mag", mag), ("--src", src)) if value is None]
        raise click.UsageError(f"{' and '.join(missing)} missing; give both, or --event FILE.")
    if points and inventories:
        raise click.UsageError("--sta and --inventory exclude each other; give one of them.")
    if observed and not inventories:
        raise click.UsageError("--observed needs --inventory FILE, which holds the responses.")

    # Heavy imports wait until the command line is known to make sense.
    from cgmgm_seis.models.conditions import ExtrapolationWarning
    from cgmgm_seis.models.weights import load_model
    from cgmgm_seis.output.outputs import write_outputs
    from cgmgm_seis.output.provenance import provenance
    from cgmgm_seis.scenario.obspy_files import read_inventory
    from cgmgm_seis.storage.folders import check_folder

    show_messages(verbosity or 0)
    check_folder(out, overwrite)
    inventory = read_inventory(inventories) if inventories else None
    scenario = _scenario(mag, src, depth, time, event, points, inventory)
    model = load_model(weights, device)
    n_stations = len(scenario)
    if not points and inventory is None:
        scenario = _within_reach(scenario, model)
    messages = _check_ranges(model, scenario, extrapolate)
    if len(scenario) < n_stations:
        logger.info(
            "Using %d of the %d bundled stations: those within the trained ranges (distance %.0f "
            "to %.0f km).",
            len(scenario),
            n_stations,
            *model.ranges["path_ep_distance_km"],
        )
    recorded = _recorded(observed, inventory, scenario, model) if observed else None

    logger.debug(
        "Drawing %d realization(s) of %d records with %s, weights %s, on %s.",
        realizations,
        len(scenario),
        model.name,
        model.weights_name,
        device,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExtrapolationWarning)
        stream = model.generate(
            scenario,
            realizations,
            seed,
            batch_size,
            extrapolate,
            progress=sys.stderr.isatty() and verbosity != -1,
            components=components,
            start_offset_s=start,
            duration_s=duration,
        )
    arrivals = model.onsets(scenario)
    settings = {
        "components": components,
        "start_offset_s": start,
        "duration_s": duration,
        "format": file_format,
        "device": device,
        "batch_size": batch_size,
        "extrapolate": extrapolate,
        "observed": list(observed),
    }
    made_by = provenance(
        model,
        scenario,
        n_realizations=realizations,
        seed=seed,
        settings=settings,
        warnings=messages,
        command=ctx.meta.get("command", []),
    )
    written = write_outputs(
        out,
        stream,
        scenario,
        made_by,
        arrivals=arrivals,
        format=file_format,
        figures=_figures(stream, scenario, arrivals, recorded, model) if plot else None,
        overwrite=overwrite,
    )
    for path, description in written:
        click.echo(f"{path}: {description}")


def _scenario(
    mag: float | None,
    src: tuple[float, float] | None,
    depth: float | None,
    time: Any,
    event_path: Path | None,
    points: tuple[tuple[float, float], ...],
    inventory: "Inventory | None",
) -> "pd.DataFrame":
    """Build the scenario table; given options override the event's values."""
    from obspy.core.event import Event

    from cgmgm_seis.datasets.records import read_event
    from cgmgm_seis.scenario.table import (
        DEFAULT_DEPTH_KM,
        DEFAULT_ORIGIN_TIME,
        from_event_and_inventory,
        from_points,
    )

    values: dict[str, Any] = {}
    if event_path is None:
        values = {
            "source_id": "scenario",
            "source_origin_time": str(DEFAULT_ORIGIN_TIME),
            "source_depth_km": DEFAULT_DEPTH_KM,
        }
    if src is not None:
        values |= {"source_latitude_deg": src[0], "source_longitude_deg": src[1]}
    given = {
        "source_magnitude": mag,
        "source_depth_km": depth,
        "source_origin_time": None if time is None else str(time),
    }
    values |= {column: value for column, value in given.items() if value is not None}
    event = Event() if event_path is None else read_event(event_path)
    scenario = from_event_and_inventory(event, inventory, **values)
    if not points:
        return scenario
    source = scenario.iloc[0]
    return from_points(
        source["source_magnitude"],
        (source["source_latitude_deg"], source["source_longitude_deg"]),
        points,
        source["source_depth_km"],
        source["source_origin_time"],
        source["source_id"],
    )


def _within_reach(scenario: "pd.DataFrame", model: "GroundMotionModel") -> "pd.DataFrame":
    """Keep the bundled stations that the model was trained for."""
    from cgmgm_seis.models.conditions import inside_range

    inside = scenario["source_id"].notna()
    for column, limits in model.ranges.items():
        if column.startswith(("station_", "path_")):
            inside &= inside_range(scenario, column, limits)
    # Where none is left, the range check of the whole table has the better message.
    return scenario[inside].reset_index(drop=True) if inside.any() else scenario


def _check_ranges(
    model: "GroundMotionModel", scenario: "pd.DataFrame", extrapolate: bool
) -> list[str]:
    """Check the ranges, showing every warning as one line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        messages = model.check_ranges(scenario, extrapolate)
    for message in messages:
        click.echo(f"Warning: {message}", err=True)
    return messages


def _recorded(
    paths: tuple[str, ...],
    inventory: "Inventory",
    scenario: "pd.DataFrame",
    model: "GroundMotionModel",
) -> "Stream":
    """Read the recorded motion on the time axis of the model."""
    from obspy import UTCDateTime

    from cgmgm_seis.datasets.records import read_observed

    return read_observed(
        paths,
        inventory,
        UTCDateTime(scenario["source_origin_time"].iloc[0]),
        start_offset_s=model.start_offset_s,
        duration_s=model.n_samples / model.sampling_rate,
        sampling_rate=model.sampling_rate,
    )


def _figures(
    stream: "Stream",
    scenario: "pd.DataFrame",
    arrivals: "Arrivals",
    recorded: "Stream | None",
    model: "GroundMotionModel",
) -> "dict[str, tuple[Figure, str]]":
    """Draw the figures of a run."""
    from cgmgm_seis.output.plots import plot_generated_and_observed, plot_record_section
    from cgmgm_seis.output.provenance import trained_on

    label = f"{model.name}, weights {model.weights_name} (trained on {trained_on(model.card)})"
    figures = {
        "record_section.png": (
            plot_record_section(stream, scenario, arrivals, label=label),
            "figure: generated records by distance, P and S marked",
        )
    }
    if recorded is not None:
        figures["generated_and_observed.png"] = (
            plot_generated_and_observed(stream, recorded, scenario, arrivals, label=label),
            "figure: generated over recorded motion, 0.5-20 Hz",
        )
    return figures
