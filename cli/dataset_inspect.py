"""`cgmgm-seis dataset info` and `split`: what a data set contains, and its split."""

from io import BytesIO
from pathlib import Path

import click

from cgmgm_seis_cli.numbers import Number
from cgmgm_seis_cli.parameters import (
    components_option,
    described,
    overwrite_option,
    seed_option,
    show_messages,
    units_option,
    verbosity_options,
)


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Page to write, PNG or PDF.  [default: NAME-info.png]",
)
@click.option("--plot/--no-plot", default=True, show_default=True, help="Write the page.")
@components_option
@units_option
@seed_option
@overwrite_option
@verbosity_options
def info(
    dataset: Path,
    out: Path | None,
    plot: bool,
    components: str | None,
    units: str,
    seed: int,
    overwrite: bool,
    verbosity: int | None,
) -> None:
    """Summarise DATASET: ranges, units, split, missing columns, and what training would use."""
    from cgmgm_seis.datasets.summary import summarise
    from cgmgm_seis.scenario.window import Window
    from cgmgm_seis.storage.files import write_file
    from cgmgm_seis.storage.folders import check_new

    show_messages(verbosity or 0)
    page = out or Path(f"{dataset.resolve().name}-info.png")
    if plot and page.suffix.lower() not in (".png", ".pdf"):
        raise click.UsageError(f"--out {page} must end in .png or .pdf.")
    if plot:
        check_new(page, overwrite)
    window = Window(components) if components else None
    summary = summarise(dataset, window, seed, units)
    click.echo(str(summary))
    if plot:
        from cgmgm_seis.datasets.summary_plots import plot_summary

        picture = BytesIO()
        plot_summary(summary).savefig(picture, format=page.suffix[1:].lower())
        write_file(page, picture.getvalue())
        click.echo(f"{page}: the page with map, magnitudes, spectra and signal-to-noise ratios")


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option(
    "--by",
    type=click.Choice(["event", "station", "region"]),
    default="event",
    show_default=True,
    help="What never occurs in two splits; regions are squares of 20 km of epicentres.",
)
@seed_option
@click.option(
    "--fractions",
    nargs=3,
    type=Number(0.0, 1.0),
    default=(0.8, 0.1, 0.1),
    show_default=True,
    help="Fractions of train, dev and test.",
)
@overwrite_option
@verbosity_options
def split(
    dataset: Path,
    by: str,
    seed: int,
    fractions: tuple[float, float, float],
    overwrite: bool,
    verbosity: int | None,
) -> None:
    """Write the split of DATASET into its metadata: train, dev and test."""
    import pandas as pd

    from cgmgm_seis.datasets.splitting import split_dataset

    show_messages(verbosity or 0)
    table = split_dataset(dataset, by, seed, fractions, overwrite)
    table["source_magnitude"] = pd.to_numeric(table["source_magnitude"], errors="coerce")
    click.echo(described(dataset, table))
