"""`cgmgm-seis weights`: the trained weights that are available."""

import json
from typing import Any

import click

from cgmgm_seis_cli.weights_add import add_command
from cgmgm_seis_cli.weights_import import import_command
from cgmgm_seis_cli.weights_pack import pack_command


@click.group()
def weights() -> None:
    """List, describe, share and import trained weights."""


for command in (add_command, import_command, pack_command):
    weights.add_command(command)


@weights.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_command(as_json: bool) -> None:
    """List the weights that `--weights NAME` finds: bundled, and in SeisBench's cache."""
    from cgmgm_seis.models.weights import list_weights

    found = list_weights()
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    header = ("name", "model", "version", "parameters", "size", "trained on")
    rows = [header] + [
        (
            info["name"],
            info["model"],
            f"{info['version']}",
            f"{info['card'].get('parameters', '?')}",
            _megabytes(info),
            _trained_on(info),
        )
        for info in found
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


@weights.command("info")
@click.argument("name_or_path", metavar="NAME|PATH")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info_command(name_or_path: str, as_json: bool) -> None:
    """Show the card, trained ranges and checksums of weights."""
    from cgmgm_seis.models.weights import weights_info
    from cgmgm_seis.models.weights_card import card_text

    info = weights_info(name_or_path)
    if as_json:
        click.echo(json.dumps(info, indent=1))
        return
    click.echo(card_text(info))


def _megabytes(info: dict[str, Any]) -> str:
    return f"{sum(info['size_bytes'].values()) / 1e6:.1f} MB"


def _trained_on(info: dict[str, Any]) -> str:
    from cgmgm_seis.output.provenance import trained_on

    return trained_on(info["card"])
