"""`cgmgm-seis generate`: seismograms of an earthquake, as files."""

import logging
import sys
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cgmgm_seis_cli.numbers import MANY, SECONDS
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
    quick_imports,
    realizations_option,
    seed_option,
    show_messages,
    source_options,
    stations_option,
    verbosity_options,
    weights_option,
)
from cgmgm_seis_cli.values import Components, Numbers, Point

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from obspy import Inventory, Stream

    from cgmgm_seis.models.base import GroundMotionModel
    from cgmgm_seis.output.records import RecordsPart

logger = logging.getLogger("cgmgm_seis")

SECTION, COMPARISON = "record_section.png", "generated_and_observed.png"
EXAMPLES = """\b
Examples:
  cgmgm-seis generate --mag 4.5 --src 37.938,-122.057
  cgmgm-seis generate --mag 4 --src 37.9,-122.1 --sta 37.8,-122.2 -n 5 --seed 1 --out five
  cgmgm-seis generate --event event.xml --stations stations.csv --out stations
  cgmgm-seis generate --event event.xml --inventory 'stations/*.xml' \\
      --observed 'waveforms/*.mseed' --out event
"""


@click.command(epilog=EXAMPLES)
@source_options
@click.option(
    "--sta",
    "points",
    type=Point(),
    multiple=True,
    help="Receiver, degrees; repeatable.  [default: the bundled Bay Area stations]",
)
@stations_option
@click.option(
    "--inventory",
    "inventories",
    multiple=True,
    metavar="FILE",
    help="StationXML of the receivers with their responses, * and ? allowed; repeatable.  Those "
    "not open at the event's time are left out.  With --given and other receivers, only the "
    "responses are used.",
)
@click.option(
    "--observed",
    multiple=True,
    metavar="PATTERN|DIR",
    help="Recorded waveforms (counts) to plot with the generated ones, as for `dataset "
    "from-records`; repeatable.",
)
@given_option
@realizations_option(most=1296)
@seed_option
@click.option(
    "--components", type=Components(), help="Components to write.  [default: the model's]"
)
@click.option(
    "--start", type=SECONDS, help="Start, s after the origin time.  [default: the model's]"
)
@click.option("--duration", type=SECONDS, help="Length, s.  [default: to the end of the window]")
@weights_option(DEFAULT_WEIGHTS)
@click.option(
    "--quantity",
    type=click.Choice(["acceleration", "velocity", "displacement"]),
    help="Quantity of the waveforms; displacement is high-passed at 0.1 Hz.  [default: velocity; "
    "acceleration in the format at2]",
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["mseed", "sac", "seisbench", "at2", "csv"]),
    default="mseed",
    show_default=True,
    help="Format of the waveforms: MiniSEED, SAC, a SeisBench data set, or text (PEER's AT2 with "
    "acceleration in g, or CSV).",
)
@click.option(
    "--periods",
    type=Numbers(),
    help="Periods of the PSA in measures.csv, s.  [default: 0.1,0.2,0.3,0.5,1,2]",
)
@click.option(
    "--measures/--no-measures",
    default=True,
    show_default=True,
    help="Write measures.csv, a table of intensity measures; takes about as long as generation.",
)
@click.option("--plot/--no-plot", default=True, show_default=True, help="Draw figures (PNG).")
@out_option("cgmgm-output")
@overwrite_option
@extrapolate_options
@device_option("cpu")
@click.option("--batch-size", type=MANY, help="Records generated at once.")
@verbosity_options
@click.pass_context
def generate(
    ctx: click.Context,
    source: SourceChoice,
    points: tuple[tuple[float, float], ...],
    stations: tuple[str, ...],
    inventories: tuple[str, ...],
    observed: tuple[str, ...],
    given: str | None,
    n_realizations: int,
    seed: int,
    components: str | None,
    start: float | None,
    duration: float | None,
    weights: str,
    quantity: str | None,
    file_format: str,
    periods: tuple[float, ...] | None,
    measures: bool,
    plot: bool,
    out: Path,
    overwrite: bool,
    extrapolate: bool | float,
    device: str,
    batch_size: int | None,
    verbosity: int | None,
) -> None:
    """Generate seismograms of an earthquake at receivers, by default velocity in m/s.

    Writes a folder with waveforms, StationXML, QuakeML, a table of intensity measures, provenance
    and a figure.  Channels are HXZ, HXN and HXE (generated), or HNZ, HNN and HNE for acceleration;
    the location code is the realization.
    """
    # The waveforms of --given need responses, whatever the receivers are.
    responses_only = bool(given and not observed)
    if sum(map(bool, (points, stations, inventories and not responses_only))) > 1:
        raise click.UsageError("Give only one of --sta, --stations and --inventory.")
    quantity = quantity or ("acceleration" if file_format == "at2" else "velocity")
    if file_format == "at2" and quantity != "acceleration":
        raise click.UsageError(f"--quantity {quantity} must be acceleration with --format at2.")
    if observed and not inventories:
        raise click.UsageError("--observed needs --inventory FILE with the responses.")

    # Slow imports come after the check of the command line.
    with quick_imports():
        from cgmgm_seis.measures.response_spectra import check_periods
        from cgmgm_seis.models.weights import load_model
        from cgmgm_seis.output.generated_parts import GeneratedParts
        from cgmgm_seis.output.outputs import new_outputs
        from cgmgm_seis.output.provenance import provenance
        from cgmgm_seis.scenario.codes import check_format_codes
        from cgmgm_seis.scenario.obspy_files import read_inventory
        from cgmgm_seis.scenario.table import cross
        from cgmgm_seis.storage.folders import lock_output

    show_messages(verbosity or 0)
    ctx.with_resource(lock_output(out, overwrite))
    inventory = read_inventory(inventories) if inventories else None
    earthquake = source.table()
    chosen = source.receivers(points or stations or inventory, earthquake)
    check_format_codes(chosen, file_format)
    scenario = cross(earthquake, chosen)
    with quick_imports():
        model = load_model(weights, device)
    n_stations = len(scenario)
    if not (points or stations or inventories):
        scenario = _within_reach(scenario, model)
    _, samples = model.window.select(components, start, duration)
    check_periods(periods or (), model.sampling_rate)
    messages: list[str] = []
    with extrapolation_warnings(messages):
        model.check_ranges(scenario, extrapolate)
    if len(scenario) < n_stations:
        reach = model.ranges.get("path_ep_distance_km")
        logger.info(
            "Using %d of the %d bundled stations: those within the trained ranges%s.",
            len(scenario),
            n_stations,
            " (distance {:.0f} to {:.0f} km)".format(*reach) if reach else "",
        )
    recorded = _recorded(observed, inventory, scenario, model) if observed else None
    if given:
        from cgmgm_seis.evaluation.given import read_given

        with extrapolation_warnings(messages):
            records = read_given(given, earthquake, model, inventory, extrapolate)
            model = records.condition(model, extrapolate)

    logger.debug(
        "Generating %d realization(s) of %d records with %s, weights %s, on %s.",
        n_realizations,
        len(scenario),
        model.name,
        model.weights_name,
        device,
    )
    figures = _rows_of_figures(scenario, recorded) if plot else {}
    generated = GeneratedParts(
        scenario, model.onsets(scenario), samples, quantity, {*chain(*figures.values())}
    )
    parts = model.generate_parts(
        scenario,
        n_realizations,
        seed,
        batch_size,
        extrapolate,
        progress=sys.stderr.isatty() and verbosity != -1,
        components=components,
    )
    settings = {
        "components": components,
        "start_offset_s": start,
        "duration_s": duration,
        "quantity": quantity,
        "format": file_format,
        "device": device,
        "batch_size": batch_size,
        "extrapolate": extrapolate,
        "observed": list(observed),
        **given_settings(given, model),
    }
    with new_outputs(out, scenario, format=file_format, overwrite=overwrite) as outputs:
        with extrapolation_warnings(messages):
            outputs.write_waveforms(generated.records(parts, measures, periods), quantity)
        made_by = provenance(
            model,
            scenario,
            n_realizations=n_realizations,
            seed=seed,
            settings=settings,
            warnings=messages,
            command=ctx.meta.get("command", []),
        )
        drawn = {
            name: _figure(name, generated.shown(rows), len(scenario), recorded, model)
            for name, rows in figures.items()
        }
        outputs.write_metadata(made_by, generated.measures, drawn)
    for path, description in outputs.written:
        click.echo(f"{path}: {description}")


def _within_reach(scenario: "pd.DataFrame", model: "GroundMotionModel") -> "pd.DataFrame":
    """Keep the bundled stations within the trained ranges of the model."""
    from cgmgm_seis.models.conditions import inside_range

    inside = scenario["source_id"].notna()
    for column, limits in model.ranges.items():
        if column.startswith(("station_", "path_")):
            inside &= inside_range(scenario, column, limits)
    # If no station is left, keep all, since the range check has a better error message.
    return scenario[inside].reset_index(drop=True) if inside.any() else scenario


def _recorded(
    paths: tuple[str, ...],
    inventory: "Inventory",
    scenario: "pd.DataFrame",
    model: "GroundMotionModel",
) -> "Stream":
    """Read the recorded motion on the time axis of the model."""
    from obspy import UTCDateTime

    from cgmgm_seis.datasets.records import read_observed
    from cgmgm_seis.scenario.streams import is_synthesized

    recorded = read_observed(
        paths,
        inventory,
        UTCDateTime(scenario["source_origin_time"].iloc[0]),
        start_offset_s=model.start_offset_s,
        duration_s=model.n_samples / model.sampling_rate,
        sampling_rate=model.sampling_rate,
    )
    if any(is_synthesized(inventory, trace) for trace in recorded):
        logger.warning(
            "The waveforms of --observed are simulated, not recorded: their channels are of "
            "StationXML's type SYNTHESIZED."
        )
    return recorded


def _rows_of_figures(scenario: "pd.DataFrame", recorded: "Stream | None") -> dict[str, list[int]]:
    """Return the rows that are shown in every figure, by the name of its file."""
    from cgmgm_seis.output.plots import SECTION_RECORDS, recorded_rows
    from cgmgm_seis.scenario.table import spread_rows

    rows = {SECTION: sorted(spread_rows(scenario, SECTION_RECORDS).tolist())}
    if recorded is not None:
        rows[COMPARISON] = recorded_rows(recorded, scenario)
    return rows


def _figure(
    name: str,
    shown: "RecordsPart",
    n_records: int,
    recorded: "Stream | None",
    model: "GroundMotionModel",
) -> "tuple[Figure, str]":
    """Plot a figure and describe it."""
    from cgmgm_seis.output.plots import plot_generated_and_observed, plot_record_section
    from cgmgm_seis.output.provenance import trained_on

    label = f"{model.name}, weights {model.weights_name} (trained on {trained_on(model.card)})"
    if name == COMPARISON and recorded is not None:
        return (
            plot_generated_and_observed(
                shown.stream, recorded, shown.scenario, shown.arrivals, label=label
            ),
            "figure: generated and recorded motion, 0.5-20 Hz",
        )
    if len(shown.scenario) < n_records:
        label += f"; {len(shown.scenario)} of {n_records:,} records"
    return (
        plot_record_section(shown.stream, shown.scenario, shown.arrivals, label=label),
        "figure: generated records by distance, P and S marked",
    )
