"""`cgmgm-seis example`: a recorded earthquake and simulated data to try the commands on."""

from pathlib import Path

import click

from cgmgm_seis_cli.parameters import out_option, show_messages, verbosity_options


@click.group()
def example() -> None:
    """Write example data to try the commands on."""


@example.command("pleasant-hill")
@out_option("pleasant-hill")
@verbosity_options
def pleasant_hill(out: Path, verbosity: int | None) -> None:
    """Write a recorded earthquake: Pleasant Hill 2019, Mw 4.46, at 11 stations, in counts."""
    _write("pleasant-hill", out, verbosity)


@example.command()
@out_option("kermadec-archive")
@verbosity_options
def kermadec(out: Path, verbosity: int | None) -> None:
    """Simulate an archive of 14 earthquakes at the Kermadec ridge, for the tutorial.

    Nothing in it was recorded; its channels are marked as synthesized.
    """
    _write("kermadec", out, verbosity)


@example.command("data-report")
@out_option("data-report")
@verbosity_options
def data_report(out: Path, verbosity: int | None) -> None:
    """Simulate 24 earthquakes in the layout of the paper's data report, for `reproduce`.

    Nothing in it was recorded; data sets that are made of it say so.
    """
    _write("data-report", out, verbosity)


def _write(name: str, out: Path, verbosity: int | None) -> None:
    from cgmgm_seis.datasets.examples import write_example

    show_messages(verbosity or 0)
    for path, description in write_example(name, out):
        click.echo(f"{path}: {description}")
