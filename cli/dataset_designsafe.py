"""`cgmgm-seis dataset import-designsafe`: the data report of the paper as a data set."""

from pathlib import Path

import click

from cgmgm_seis_cli.dataset_records import load_velocity_model
from cgmgm_seis_cli.numbers import SECONDS
from cgmgm_seis_cli.parameters import (
    described,
    out_option,
    overwrite_option,
    show_messages,
    strict_option,
    velocity_model_option,
    verbosity_options,
)


@click.command("import-designsafe")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@out_option()
@click.option(
    "--start-offset",
    "start_offset_s",
    type=SECONDS,
    help="Time of the first sample, s after the origin time.  [default: measured from onsets, "
    "uncertain by some 0.3 s]",
)
@click.option(
    "--events",
    multiple=True,
    metavar="FILE",
    help="QuakeML with the origin times, which are not in the files.",
)
@velocity_model_option
@strict_option
@overwrite_option
@verbosity_options
def import_designsafe(
    files: tuple[Path, ...],
    out: Path,
    start_offset_s: float | None,
    events: tuple[str, ...],
    velocity_model: Path | None,
    strict: bool,
    overwrite: bool,
    verbosity: int | None,
) -> None:
    """Import FILES of DesignSafe PRJ-4573, one per component.

    Their names end in _EW.csv, _NS.csv and _UD.csv.
    """
    from cgmgm_seis.datasets.designsafe import import_designsafe as import_files
    from cgmgm_seis.scenario.obspy_files import read_catalog

    show_messages(verbosity or 0)
    metadata = import_files(
        files,
        out,
        start_offset_s,
        read_catalog(events) if events else None,
        load_velocity_model(velocity_model),
        strict,
        overwrite,
        progress=verbosity != -1,
    )
    click.echo(described(out, metadata))
