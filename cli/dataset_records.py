"""`cgmgm-seis dataset from-records`: from a waveform archive to a data set."""

from pathlib import Path
from typing import Any

import click

from cgmgm_seis_cli.numbers import KILOMETRES, SECONDS, Number
from cgmgm_seis_cli.parameters import (
    described,
    out_option,
    overwrite_option,
    show_messages,
    velocity_model_option,
    verbosity_options,
)

DEFECTS = click.Choice(["refuse", "flag"])
# Options of `cgmgm_seis.datasets.archive.Processing`, also used by `download`.
PROCESSING_OPTIONS = (
    click.option(
        "--duration",
        "duration_s",
        type=Number(0.0, 1e5, above=True),
        default=60.0,
        help="Length of the records, s.",
    ),
    click.option(
        "--sampling-rate",
        type=Number(0.1, 10_000.0),
        default=100.0,
        help="Sampling rate of the records, Hz.",
    ),
    click.option(
        "--band",
        "band_hz",
        nargs=2,
        type=Number(0.0, 1e4),
        default=(0.5, 40.0),
        help="Band in which the velocity is flat, Hz; the pre-filter of the response removal ends "
        "at half of the lower and 1.125 times the upper limit.",
    ),
    click.option(
        "--max-distance",
        "max_distance_km",
        type=KILOMETRES,
        default=100.0,
        help="Maximum epicentral distance, km.",
    ),
    click.option(
        "--min-snr",
        "min_snr_db",
        type=Number(-1e4, 1e4),
        default=3.0,
        help="Minimum signal-to-noise ratio, dB.",
    ),
    click.option(
        "--gaps",
        type=DEFECTS,
        default="refuse",
        help="Leave out records with gaps near the arrivals and cut others, or fill and flag.",
    ),
    click.option(
        "--clipping",
        type=DEFECTS,
        default="refuse",
        help="Leave out clipped records, or flag them.",
    ),
)


def processing_options(start: str = "--start") -> Any:
    """Add the options of `Processing` to a command; the name of the first one can be chosen."""

    def decorate(command: Any) -> Any:
        for option in reversed(PROCESSING_OPTIONS):
            command = option(command)
        text = "Start of the records, s after the origin time."
        return click.option(start, "start_offset_s", type=SECONDS, default=-5.0, help=text)(command)

    return decorate


def load_velocity_model(path: Path | None, max_distance_km: float = 100.0) -> Any:
    """Return the travel-time table of a velocity model, or None for the default."""
    from cgmgm_seis.scenario.travel_times import TravelTimeTable

    # For deeper sources, times are extrapolated linearly, which suffices to separate noise from
    # signal.
    return path and TravelTimeTable.covering(path, 60.0, max_distance_km)


@click.command("from-records", context_settings={"show_default": True})
@click.option(
    "--events",
    multiple=True,
    required=True,
    metavar="FILE",
    help="QuakeML with the events and their picks; repeatable, * allowed.",
)
@click.option(
    "--inventory",
    multiple=True,
    required=True,
    metavar="FILE",
    help="StationXML, dataless SEED or SC3ML with responses; repeatable, * allowed.",
)
@click.option(
    "--waveforms",
    multiple=True,
    required=True,
    metavar="PATTERN|DIR",
    help="Waveforms in counts: files such as 'archive/**/*.mseed', a folder, or an SDS archive.",
)
@out_option()
@processing_options()
@velocity_model_option
@click.option("--picks", is_flag=True, help="Pick with PhaseNet where the catalogue has no picks.")
@click.option("--picker", default="original", metavar="NAME|PATH", help="PhaseNet weights.")
@overwrite_option
@verbosity_options
def from_records(
    events: tuple[str, ...],
    inventory: tuple[str, ...],
    waveforms: tuple[str, ...],
    out: Path,
    velocity_model: Path | None,
    picks: bool,
    picker: str,
    overwrite: bool,
    verbosity: int | None,
    **settings: Any,
) -> None:
    """Turn raw counts into ground velocity around the origin times.

    One instrument per station is used: HH before BH before HN, unless it is clipped or is in a
    borehole.  Records that end early, or have a gap in the coda, are kept with their valid span.
    The metadata describe the processing; left_out.csv lists the events, instruments and waveform
    files that were left out, and why.
    """
    from cgmgm_seis.datasets.archive import Processing, import_records
    from cgmgm_seis.storage.folders import check_folder

    show_messages(verbosity or 0)
    processing = Processing(**settings)
    check_folder(out, overwrite, "waveforms.hdf5")
    phasenet = None
    if picks:
        from cgmgm_seis.measures.picks import load_picker

        phasenet = load_picker(picker)
    metadata = import_records(
        events,
        inventory,
        waveforms,
        out,
        processing,
        load_velocity_model(velocity_model, processing.max_distance_km),
        phasenet,
        overwrite,
        progress=verbosity != -1,
    )
    click.echo(described(out, metadata))
