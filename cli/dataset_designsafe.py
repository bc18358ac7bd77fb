"""`cgmgm-seis dataset import-designsafe`: the data report of the paper as a data set."""

from pathlib import Path

import click

from cgmgm_seis_cli.dataset_records import load_velocity_model
from cgmgm_seis_cli.parameters import described, show_messages, verbosity_options


@click.command("import-designsafe")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Data set to make.")
@click.option(
    "--start-offset",
    "start_offset_s",
    type=float,
    help="First sample, s after the origin.  [default: measured from the records' onsets]",
)
@click.option(
    "--events",
    multiple=True,
    metavar="FILE",
    help="QuakeML with the origin times, which the files do not tell.",
)
@click.option(
    "--velocity-model",
    type=click.Path(path_type=Path),
    metavar="FILE.nd",
    help="1-D Earth for the measured start.  [default: the Bay Area's]",
)
@click.option("--skip-bad", is_flag=True, help="Leave out rows that are no records.")
@click.option("--overwrite", is_flag=True, help="Replace the data set in --out.")
@verbosity_options
def import_designsafe(
    files: tuple[Path, ...],
    out: Path,
    start_offset_s: float | None,
    events: tuple[str, ...],
    velocity_model: Path | None,
    skip_bad: bool,
    overwrite: bool,
    verbosity: int | None,
) -> None:
    """Import FILES of DesignSafe PRJ-4573, a component each: .._EW.csv, .._NS.csv, .._UD.csv."""
    from cgmgm_seis.datasets.designsafe import import_designsafe as import_files
    from cgmgm_seis.scenario.obspy_files import read_catalog

    show_messages(verbosity or 0)
    metadata = import_files(
        files,
        out,
        start_offset_s,
        read_catalog(events) if events else None,
        load_velocity_model(velocity_model),
        skip_bad,
        overwrite,
        progress=verbosity != -1,
    )
    click.echo(described(out, metadata))
