"""cgmgm-seis tune: search for the settings of a generator."""

import json
from pathlib import Path
from typing import Any

import click

from cgmgm_seis_cli.numbers import MANY
from cgmgm_seis_cli.parameters import (
    components_of,
    components_option,
    device_option,
    out_option,
    overwrite_option,
    seed_option,
    show_messages,
    strict_option,
    units_option,
    verbosity_options,
)
from cgmgm_seis_cli.train import CONDITION_SETS, ModelChoice, model_arguments


@click.command(context_settings={"show_default": True})
@click.argument("dataset", type=click.Path(path_type=Path))
@out_option()
@click.option(
    "--model",
    "model_name",
    type=ModelChoice(),
    default="evolutionary",
    help="Generator to tune; cgmgm is the published one.",
)
@click.option(
    "--trials", type=MANY, default=30, help="Number of trials, including those before --resume."
)
@click.option(
    "--epochs",
    type=MANY,
    help="Epochs of every trial and of the final training.  [default: the model's]",
)
@click.option(
    "--objective",
    type=click.Choice(["dev", "discriminative"]),
    default="dev",
    help="Loss of the dev split, or score of classifiers of recorded and generated dev records.",
)
@click.option(
    "--random-trials",
    type=click.IntRange(0, 1_000_000),
    default=5,
    help="Number of trials with random settings before TPE starts.",
)
@click.option(
    "--early-stopping/--no-early-stopping",
    default=True,
    help="Stop trials whose dev score is worse than the median of the others after an epoch.",
)
@click.option(
    "--space",
    "space_file",
    type=click.Path(path_type=Path),
    help="JSON file of settings to search in another way than in the model's space, or too.",
)
@click.option(
    "--condition-set",
    "condition_sets",
    type=click.Choice(CONDITION_SETS),
    multiple=True,
    show_default=False,
    help="Cgmgm: what the networks receive of a scenario; repeatable, several are compared.  "
    "[default: coordinates]",
)
@click.option("--published", is_flag=True, help="Cgmgm: train the published model as published.")
@components_option
@seed_option
@device_option("auto")
@click.option("--ray", is_flag=True, help="Run the trials on the workers of a Ray cluster.")
@units_option
@strict_option
@click.option("--resume", is_flag=True, help="Continue the search in --out, or start it.")
@overwrite_option
@verbosity_options
def tune(
    dataset: Path,
    out: Path,
    model_name: str,
    trials: int,
    epochs: int | None,
    objective: str,
    random_trials: int,
    early_stopping: bool,
    space_file: Path | None,
    condition_sets: tuple[str, ...],
    published: bool,
    components: str | None,
    seed: int,
    device: str,
    ray: bool,
    units: str,
    strict: bool,
    resume: bool,
    overwrite: bool,
    verbosity: int | None,
) -> None:
    """Search for the settings of a generator on DATASET, with hyperopt's TPE.

    The trials (trials.json, .csv and .png), best.json for `train --config`, and the run of the
    best settings with its weights are written to --out.  An interrupted search continues with the
    same command and --resume.
    """
    from cgmgm_seis.models.registry import model_choices
    from cgmgm_seis.models.weights import weights_info
    from cgmgm_seis.training.recipe import Recipe
    from cgmgm_seis.tuning.objective import Study
    from cgmgm_seis.tuning.on_ray import run_on_ray
    from cgmgm_seis.tuning.search import BEST_FILE, Search, run_here
    from cgmgm_seis.tuning.search import tune as search_settings
    from cgmgm_seis.tuning.space import SearchSpace, default_space, read_space

    show_messages(verbosity or 0)
    name = model_choices()[model_name]
    space = read_space(name, space_file) if space_file else default_space(name)
    fixed: dict[str, Any] = {} if epochs is None else {"epochs": epochs}
    if published:
        fixed |= model_arguments(name, {"published": True})
    if condition_sets:
        sets = model_arguments(name, {"condition_set": list(dict.fromkeys(condition_sets))})
        space = SearchSpace(name, {**space.ranges, **sets})
    fixed["component_order"] = components or components_of(dataset, Recipe(name))
    study = Study(dataset, objective, seed, device, strict, units)
    weights = search_settings(
        Search(study, space, fixed, random_trials, early_stopping),
        out,
        trials,
        resume=resume,
        overwrite=overwrite,
        progress=verbosity != -1,
        engine=run_on_ray if ray else run_here,
    )
    best = json.loads((out / BEST_FILE).read_bytes())
    click.echo(
        f"Best of {best['trials']} trials: trial {best['trial']}, {objective} score "
        f"{best['score']:.6g}; the median of the complete trials is "
        f"{best['median_of_complete']:.6g}."
    )
    card = weights_info(weights)["card"]
    click.echo(f"Trained with these settings: dev loss {card['best_dev_loss']:.6g}.")
    click.echo(f"Wrote trials.json, trials.csv, trials.png and {BEST_FILE} to {out}.")
    click.echo(f"Wrote {weights}.json and {weights}.pt.")
    click.echo(f"Train longer: cgmgm-seis train {dataset} --config {out / BEST_FILE} --epochs N")
