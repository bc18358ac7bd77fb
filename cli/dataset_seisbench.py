"""`cgmgm-seis dataset from-seisbench`: a selection of a benchmark set."""

from pathlib import Path

import click

from cgmgm_seis_cli.parameters import described, show_messages, verbosity_options


@click.command("from-seisbench")
@click.argument("name", metavar="NAME|FOLDER")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Data set to make.")
@click.option("--region", metavar="W,E,S,N", help="Of the epicentres, degrees; W > E at 180.")
@click.option("--min-mag", type=float, help="Least magnitude.")
@click.option("--max-distance", type=float, help="Greatest epicentral distance, km.")
@click.option(
    "--normalise-amplitudes",
    is_flag=True,
    help="Take counts too: divide every record by its peak, and record it.",
)
@click.option("--overwrite", is_flag=True, help="Replace the data set in --out.")
@verbosity_options
def from_seisbench(
    name: str,
    out: Path,
    region: str | None,
    min_mag: float | None,
    max_distance: float | None,
    normalise_amplitudes: bool,
    overwrite: bool,
    verbosity: int | None,
) -> None:
    """Select records of a SeisBench set such as CEED, InstanceGM or ETHZ, as velocity in m/s."""
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
        overwrite,
        progress=verbosity != -1,
    )
    click.echo(described(out, metadata))
