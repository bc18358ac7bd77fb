"""`cgmgm-seis dataset`: make and inspect data sets."""

from pathlib import Path

import click

from cgmgm_seis_cli.dataset_designsafe import import_designsafe
from cgmgm_seis_cli.dataset_download import download
from cgmgm_seis_cli.dataset_inspect import info, split
from cgmgm_seis_cli.dataset_records import from_records
from cgmgm_seis_cli.dataset_seisbench import from_seisbench
from cgmgm_seis_cli.numbers import MANY
from cgmgm_seis_cli.parameters import (
    described,
    out_option,
    overwrite_option,
    seed_option,
    show_messages,
    verbosity_options,
    workers_option,
)


@click.group()
def dataset() -> None:
    """Make and inspect data sets in SeisBench format."""


@dataset.command()
@click.option("--events", type=MANY, required=True, help="Number of earthquakes.")
@seed_option
@out_option()
@workers_option
@click.option(
    "--stations-per-event",
    type=click.IntRange(1, 10_000),
    default=16,
    show_default=True,
    help="Maximum number of stations that record an earthquake.",
)
@overwrite_option
@verbosity_options
def simulate(
    events: int,
    seed: int,
    out: Path,
    workers: int | None,
    stations_per_event: int,
    overwrite: bool,
    verbosity: int | None,
) -> None:
    """Simulate a catalogue of the Bay Area by the stochastic method.

    Magnitudes 1 to 5.5, three components, 60 s at 100 Hz.
    """
    from cgmgm_seis.simulator.catalogue import simulate as simulate_dataset

    show_messages(verbosity or 0)
    metadata = simulate_dataset(
        events,
        seed,
        out,
        workers=workers,
        progress=verbosity != -1,
        overwrite=overwrite,
        stations_per_event=stations_per_event,
    )
    click.echo(described(out, metadata))


for command in (download, import_designsafe, from_records, from_seisbench, info, split):
    dataset.add_command(command)
