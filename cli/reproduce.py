"""`cgmgm-seis reproduce`: the paper in one command."""

from pathlib import Path

import click

from cgmgm_seis_cli.parameters import (
    device_option,
    out_option,
    show_messages,
    verbosity_options,
    workers_option,
)


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@out_option()
@click.option(
    "--quick", is_flag=True, help="Two trials, epochs and realizations: minutes, not days."
)
@click.option(
    "--recipe",
    "recipe_file",
    type=click.Path(path_type=Path),
    metavar="FILE.json",
    help="Settings that differ from those of the paper or, with --quick, of the quick form.",
)
@workers_option
@device_option("auto")
@verbosity_options
def reproduce(
    dataset: Path,
    out: Path,
    quick: bool,
    recipe_file: Path | None,
    workers: int | None,
    device: str,
    verbosity: int | None,
) -> None:
    """Reproduce the paper on DATASET, its data report or a SeisBench folder.

    Steps: the data, their summary, the search for settings, the trainings of CGM-GM, CGM-baseline
    and EvolutionaryCGM, a non-ergodic ground-motion model, the evaluation of all models, maps of
    Fourier spectra, and a report.  Each writes one folder in --out; after an interruption the same
    command continues, and a folder that is deleted is made again.  recipe.json in --out has all
    settings and can be given with --recipe.

    With the settings of the paper this takes days.  `cgmgm-seis example data-report` writes
    simulated data to try it on with --quick.
    """
    from cgmgm_seis.evaluation.report import REPORT_FILE
    from cgmgm_seis.reproduction import paper
    from cgmgm_seis.reproduction.recipe import QUICK, PaperRecipe, read_paper_recipe

    show_messages(verbosity or 0)
    recipe = QUICK if quick else PaperRecipe()
    if recipe_file is not None:
        recipe = read_paper_recipe(recipe_file, recipe)
    folders = paper.reproduce(
        dataset, out, recipe, device=device, workers=workers, progress=verbosity != -1
    )
    for name, folder in folders.items():
        click.echo(f"{folder}: {name}")
    click.echo(f"{folders[paper.REPORT] / REPORT_FILE}: the report, for a browser")
