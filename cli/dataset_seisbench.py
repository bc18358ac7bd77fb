"""`cgmgm-seis dataset from-seisbench`: a selection of a benchmark set."""

from pathlib import Path

import click

from cgmgm_seis_cli.numbers import KILOMETRES, Number
from cgmgm_seis_cli.parameters import (
    described,
    out_option,
    overwrite_option,
    show_messages,
    units_option,
    verbosity_options,
)


@click.command("from-seisbench")
@click.argument("name", metavar="NAME|FOLDER")
@out_option()
@click.option(
    "--region", metavar="W,E,S,N", help="Region of epicentres, degrees; W > E across 180."
)
@click.option("--min-mag", type=Number(-10.0, 10.0), help="Minimum magnitude.")
@click.option("--max-distance", type=KILOMETRES, help="Maximum epicentral distance, km.")
@click.option(
    "--normalise-amplitudes",
    is_flag=True,
    help="Accept counts too: divide every record by its peak, which is kept in the metadata.",
)
@units_option
@overwrite_option
@verbosity_options
def from_seisbench(
    name: str,
    out: Path,
    region: str | None,
    min_mag: float | None,
    max_distance: float | None,
    normalise_amplitudes: bool,
    units: str,
    overwrite: bool,
    verbosity: int | None,
) -> None:
    """Select records of a SeisBench data set, as velocity in m/s.

    NAME is that of a benchmark, such as CEED, InstanceGM or ETHZ.
    """
    from cgmgm_seis.datasets.benchmarks import import_benchmark
    from cgmgm_seis.scenario.geography import Region

    show_messages(verbosity or 0)
    metadata = import_benchmark(
        name,
        out,
        Region.parse(region) if region else None,
        min_mag,
        max_distance,
        normalise_amplitudes,
        units,
        overwrite,
        progress=verbosity != -1,
    )
    click.echo(described(out, metadata))
