"""cgmgm-seis weights pack: one archive of weights to publish."""

from pathlib import Path

import click

from cgmgm_seis_cli.parameters import overwrite_option


@click.command("pack")
@click.argument("name_or_path", metavar="NAME|PATH")
@click.option(
    "--license",
    "license_id",
    required=True,
    metavar="SPDX",
    help="Licence of the weights, such as CC-BY-4.0.",
)
@click.option("--name", help="Name of the packed weights.  [default: their own]")
@click.option("--version", help="Version of the packed weights.  [default: their own]")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE.zip",
    help="The archive.  [default: NAME-vVERSION.zip]",
)
@overwrite_option
def pack_command(
    name_or_path: str,
    license_id: str,
    name: str | None,
    version: str | None,
    out: Path | None,
    overwrite: bool,
) -> None:
    """Write weights, their card, licence and checksums as one archive.

    Publish it on Zenodo, Hugging Face or a web server; `weights add` installs it.
    """
    from cgmgm_seis.models.weights_archives import pack_weights

    path, digest = pack_weights(name_or_path, license_id, out, name, version, overwrite)
    click.echo(f"{path}  {path.stat().st_size} bytes  sha256 {digest}")
    click.echo(f"Install: cgmgm-seis weights add {path} --sha256 {digest}")
