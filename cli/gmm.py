"""`cgmgm-seis gmm`: fit and describe ground-motion models that stand beside the generators."""

import json
import sys
from pathlib import Path

import click

from cgmgm_seis_cli.parameters import (
    overwrite_option,
    show_messages,
    units_option,
    verbosity_options,
)
from cgmgm_seis_cli.values import Components, Numbers


@click.group()
def gmm() -> None:
    """Fit and describe ground-motion models."""


@gmm.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="File to write, such as bay.npz."
)
@click.option(
    "--frequencies",
    type=Numbers(),
    default="2,5,10,15",
    show_default=True,
    help="Frequencies of the Fourier spectra, Hz.",
)
@click.option(
    "--components",
    type=Components(),
    default="ZNE",
    show_default=True,
    help="Components that are read; the model is fitted to the last horizontal.",
)
@units_option
@overwrite_option
@verbosity_options
def fit(
    dataset: Path,
    out: Path,
    frequencies: tuple[float, ...],
    components: str,
    units: str,
    overwrite: bool,
    verbosity: int | None,
) -> None:
    """Fit the non-ergodic model of FAS to the training split of DATASET, a SeisBench folder.

    The model has source, site and path terms that are Gaussian processes over the region; the
    file is for `cgmgm-seis grid --gmm nonergodic:FILE`.
    """
    from cgmgm_seis.evaluation.config import EvaluationConfig
    from cgmgm_seis.evaluation.gmm_table import fit_nonergodic
    from cgmgm_seis.storage.folders import check_new, check_place

    show_messages(verbosity or 0)
    check_new(out, overwrite)
    check_place(out)
    progress = verbosity != -1 and sys.stderr.isatty()
    config = EvaluationConfig(units=units, progress=progress)
    model = fit_nonergodic(dataset, components, frequencies, config)
    model.save(out)
    click.echo(f"{out}: {_described(model.card)}")


@gmm.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@verbosity_options
def info(file: Path, as_json: bool, verbosity: int | None) -> None:
    """Show what the model of FILE was fitted to, and its standard deviations and lengths."""
    from cgmgm_seis.gmm.nonergodic import NonErgodicFAS

    show_messages(verbosity or 0)
    model = NonErgodicFAS.load(file)
    table = model.hyperparameters
    if as_json:
        rows = table.to_dict(orient="records")
        click.echo(json.dumps({"card": model.card, "hyperparameters": rows}, indent=1))
        return
    click.echo(_described(model.card))
    click.echo("\nStandard deviations, ln units, and correlation lengths, km:")
    click.echo(table.to_string(index=False, float_format="{:.3g}".format))


def _described(card: dict[str, object]) -> str:
    """Return what a model was fitted to, in one line."""
    if not {"component", "records", "events", "dataset", "split"} <= set(card):
        return "non-ergodic model of FAS (of unknown records)"
    return (
        f"non-ergodic model of FAS, component {card['component']}, fitted to {card['records']} "
        f"records of {card['events']} events of {card['dataset']}, split {card['split']}"
    )
