"""cgmgm-seis weights add: install weights where their name finds them."""

import click

from cgmgm_seis_cli.parameters import overwrite_option


@click.command("add")
@click.argument("source", metavar="PATH|URL")
@click.option(
    "--sha256",
    "checksum",
    metavar="HEX",
    help="Expected checksum: of the archive, or of the .pt file of a pair.",
)
@overwrite_option
def add_command(source: str, checksum: str | None, overwrite: bool) -> None:
    """Install weights from an archive of `weights pack` or a pair of files.

    They are copied into SeisBench's cache, where --weights NAME finds them. Code in them is not
    run.
    """
    from cgmgm_seis.models.weights_archives import add_weights

    info = add_weights(source, checksum, overwrite)
    for name, digest in info["sha256"].items():
        click.echo(f"{name}  sha256 {digest}")
    click.echo(f"Installed {info['name']} ({info['model']}, version {info['version']}).")
    click.echo(f"Generate: cgmgm-seis generate --weights {info['name']} --mag 3 --src LAT,LON")
