"""cgmgm-seis train: train a generator on the records of a SeisBench data set."""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from cgmgm_seis_cli.numbers import MANY, PROCESSES, Number
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
    velocity_model_option,
    verbosity_options,
)

CONDITION_SETS = (
    *("coordinates", "distance", "epicentral_distance"),
    *("distance_azimuth", "distance_azimuth_depth", "depth"),
)
OPTIMIZERS, SCHEDULES = ("adamw", "adam"), ("cosine", "step")
WIDTH = click.IntRange(1, 4096)
# Options whose names differ from those of the settings.
SETTINGS = {"lr": "learning_rate", "final_lr": "final_learning_rate"}


class ModelChoice(click.ParamType):
    """A generator by the name of its entry point, see `cgmgm_seis.models.registry`."""

    name = "model"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """Show the choices."""
        from cgmgm_seis.models.registry import model_choices

        return f"[{'|'.join(model_choices())}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the choice in lower case."""
        from cgmgm_seis.models.registry import model_choices

        choices = model_choices()
        if str(value).lower() not in choices:
            names = ", ".join(f"'{name}'" for name in choices)
            self.fail(f"'{value}' is not one of {names}.", param, ctx)
        return str(value).lower()


@click.command(context_settings={"show_default": True})
@click.argument("dataset", type=click.Path(path_type=Path))
@out_option()
@click.option(
    "--model",
    "model_name",
    type=ModelChoice(),
    default="evolutionary",
    help="Generator to train; cgmgm is the published one.",
)
@components_option
@click.option("--latent", type=WIDTH, help="Number of latents.  [default: the model's]")
@click.option(
    "--width", type=WIDTH, help="Evolutionary: width of the hidden layers.  [default: 128]"
)
@click.option(
    "--condition-set",
    type=click.Choice(CONDITION_SETS),
    help="Cgmgm: what the networks receive of a scenario.  [default: coordinates]",
)
@click.option("--prior", type=WIDTH, help="Cgmgm: width of the prior's GRU.  [default: 32]")
@click.option(
    "--embedding", type=WIDTH, help="Cgmgm: size of the embedded conditions.  [default: 16]"
)
@click.option(
    "--alpha", type=Number(0.0, 1e6), help="Cgmgm: weight of the waveform error.  [default: 0]"
)
@click.option(
    "--beta",
    type=Number(0.0, 1e6),
    help="Cgmgm: weight of the Kullback-Leibler divergence.  [default: 0.02]",
)
@click.option(
    "--past-dropout/--no-past-dropout",
    default=None,
    help="Cgmgm: give the prior a random share of the past latents, or all of them.",
)
@click.option(
    "--arrivals/--no-arrivals",
    default=None,
    help="Cgmgm: the networks receive the time since P and S, or not.  [default: not]",
)
@click.option(
    "--speckle/--no-speckle",
    default=None,
    help="Cgmgm: amplitudes have the scatter of noise, or are smooth.  [default: smooth]",
)
@click.option(
    "--published",
    is_flag=True,
    default=None,
    help="Cgmgm: train the published model as published, see the documentation of its theory.",
)
@velocity_model_option
@click.option(
    "--init",
    metavar="NAME|PATH",
    help="Start from these weights, with their sizes, components and scaling.",
)
@click.option(
    "--only",
    default="",
    show_default=False,
    help='Train only parameters whose names start with this text, such as "prior".  [default: all]',
)
@click.option(
    "--epochs", type=MANY, help="Passes through the training split.  [default: the model's]"
)
@click.option("--batch-size", type=MANY, help="Records per step.  [default: the model's]")
@click.option(
    "--lr",
    type=Number(0.0, 100.0, above=True),
    help="First learning rate.  [default: the model's]",
)
@click.option(
    "--final-lr",
    type=Number(0.0, 100.0),
    default=1e-5,
    help="Last learning rate of the schedule cosine.",
)
@click.option("--weight-decay", type=Number(0.0, 1e6), help="Weight decay.  [default: the model's]")
@click.option(
    "--optimizer",
    type=click.Choice(OPTIMIZERS),
    help="Optimizer.  [default: adamw; with --published adam]",
)
@click.option(
    "--schedule",
    type=click.Choice(SCHEDULES),
    help="Learning rate: half a cosine, or 1 % less after every 100 epochs.  [default: cosine; "
    "with --published step]",
)
@click.option(
    "--gradient-clip",
    type=Number(0.0, 1e15),
    help="Maximum norm of the gradient; 0 for none.  [default: the model's]",
)
@click.option(
    "--patience",
    type=MANY,
    default=50,
    help="Epochs without a lower dev loss before training stops.",
)
@click.option(
    "--max-minutes", type=Number(0.0, 1e7), help="Time limit, minutes.  [default: no limit]"
)
@seed_option
@device_option("auto")
@click.option(
    "--name",
    default="",
    show_default=False,
    help="Name of the weights' two files.  [default: the model's]",
)
@click.option("--docstring", default="", show_default=False, help="Description of the weights.")
@units_option
@strict_option
@click.option(
    "--bf16", is_flag=True, help="Compute the networks' products in bfloat16, for accelerators."
)
@click.option(
    "--devices",
    type=PROCESSES,
    default=1,
    help="Processes on this machine, one per device, that share every batch.",
)
# Differs from --workers of other commands: 0 is allowed here, and is the default.
@click.option(
    "--workers",
    type=click.IntRange(0, 1024),
    default=0,
    help="Number of processes that read the records in every epoch; 0 keeps them in memory.",
)
@click.option("--tensorboard", is_flag=True, help="Also write the metrics for TensorBoard.")
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="File of settings, such as best.json of `tune`; options on the command line override it.",
)
@click.option("--resume", is_flag=True, help="Continue the run in --out, or start it.")
@overwrite_option
@verbosity_options
@click.pass_context
def train(
    ctx: click.Context,
    dataset: Path,
    out: Path,
    model_name: str,
    components: str | None,
    velocity_model: Path | None,
    init: str | None,
    config_file: Path | None,
    resume: bool,
    overwrite: bool,
    verbosity: int | None,
    **given: Any,
) -> None:
    """Train a generator on DATASET, a folder in SeisBench format.

    The metadata needs magnitude, source and station columns.  config.json, metrics.csv,
    checkpoint.pt and the trained weights are written to --out.  An interrupted run continues with
    the same command and --resume.
    """
    if init is not None:
        _check_init(velocity_model=velocity_model, components=components)

    from cgmgm_seis.models.collectives import rank
    from cgmgm_seis.models.registry import model_choices
    from cgmgm_seis.models.weights import load_model, weights_info
    from cgmgm_seis.training.config import TrainingConfig
    from cgmgm_seis.training.data import regional_travel_times
    from cgmgm_seis.training.recipe import Recipe, read_recipe
    from cgmgm_seis.training.run import train as train_model

    show_messages(verbosity or 0)
    # Options that are not given have the value of --config or the model's default.
    chosen = {option: value for option, value in given.items() if _is_given(ctx, option)}
    settings = {SETTINGS.get(option, option): value for option, value in chosen.items()}
    known = {field.name for field in fields(TrainingConfig)}
    of_one_model = {option: settings.pop(option) for option in settings.keys() - known}
    if init is not None:
        if config_file is not None or _is_given(ctx, "model_name"):
            raise click.UsageError(
                "Give only one of --init, --model and --config, since each defines the model"
            )
        model = load_model(init)
        for option, argument in model.train_options.items():
            if option in of_one_model and argument in model.adjustable:
                setattr(model, argument, of_one_model[option])
        config = TrainingConfig.of(model, **settings)
    else:
        if config_file is not None and _is_given(ctx, "model_name"):
            raise click.UsageError(
                "Give only one of --config and --model, since each defines the model"
            )
        recipe = read_recipe(config_file) if config_file else Recipe(model_choices()[model_name])
        arguments = {**recipe.arguments, **model_arguments(recipe.model, of_one_model)}
        recipe = replace(recipe, arguments=arguments)
        config = recipe.config(**settings)  # before the data are opened
        if config_file is None or _is_given(ctx, "components"):
            order = components or components_of(dataset, recipe)
            recipe = replace(recipe, arguments={**arguments, "component_order": order})
        model = recipe.new_model(config.seed)
    _check_schedule(config.schedule, chosen)
    if velocity_model is not None:
        times = regional_travel_times(velocity_model, dataset, model, progress=verbosity != -1)
        model.set_travel_times(times)
    weights = train_model(
        model, dataset, out, config, resume=resume, overwrite=overwrite, progress=verbosity != -1
    )
    if rank() > 0:  # of several processes, only the first prints
        return
    card = weights_info(weights)["card"]
    click.echo(
        f"Trained {card['epochs']} of {config.epochs} epochs ({card['stopped_by']}); the best dev "
        f"loss is {card['best_dev_loss']:.4g}, in epoch {card['best_epoch']}."
    )
    click.echo(
        f"Wrote {weights}.json and {weights}.pt, and metrics.csv and checkpoint.pt to the same "
        "folder."
    )
    click.echo(f"Generate: cgmgm-seis generate --weights {weights} --mag 3.5 --src LAT,LON")


def _is_given(ctx: click.Context, option: str) -> bool:
    return ctx.get_parameter_source(option) is not ParameterSource.DEFAULT


def _check_init(**given: Any) -> None:
    for name, value in given.items():
        if value is not None:
            raise click.UsageError(
                f"Give only one of --init and --{name.replace('_', '-')}, since weights include "
                "components and travel times."
            )


def _check_schedule(schedule: str, given: Mapping[str, Any]) -> None:
    if schedule != "cosine" and "final_lr" in given:
        raise click.UsageError(
            f"--final-lr belongs to the schedule cosine, but the schedule is {schedule}"
        )


def model_arguments(class_name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of one model as its arguments; raise for options of another model."""
    from cgmgm_seis.models.registry import model_choices, model_class

    names = model_class(class_name).train_options
    if foreign := sorted(given.keys() - names.keys()):
        choice = next(key for key, name in model_choices().items() if name == class_name)
        own = ", ".join(f"--{option.replace('_', '-')}" for option in names) or "none"
        raise click.UsageError(
            f"--{foreign[0].replace('_', '-')} is not an option of --model {choice}, which has "
            f"{own}."
        )
    return {names[option]: value for option, value in given.items()}
