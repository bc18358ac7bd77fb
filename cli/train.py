"""cgmgm-seis train: teach a generator the records of a SeisBench data set."""

from pathlib import Path
from typing import Any

import click

from cgmgm_seis_cli.parameters import Components, show_messages

CONDITION_SETS = ("coordinates", "distance", "distance_azimuth", "distance_azimuth_depth", "depth")
WIDTH = click.IntRange(min=1)
# Options of one model: the model's argument.
MODELS: dict[str, tuple[str, dict[str, str]]] = {
    "evolutionary": ("EvolutionaryCGM", {"latent": "n_latents", "width": "width"}),
    "cgmgm": (
        "CGMGM",
        {
            "condition_set": "condition_set",
            "latent": "latent_size",
            "prior": "prior_size",
            "embedding": "embedding_size",
            "alpha": "alpha",
            "beta": "beta",
            "past_dropout": "past_dropout",
            "published": "published",
        },
    ),
}
# Options that weights may be given anew.
CHANGEABLE = ("alpha", "beta", "past_dropout")


@click.command(context_settings={"show_default": True})
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Run folder.")
@click.option(
    "--model",
    "model_name",
    type=click.Choice(list(MODELS), case_sensitive=False),
    default="evolutionary",
    help="Generator to train; cgmgm is the published one.",
)
@click.option("--components", type=Components(), default="ZNE", help="Components and their order.")
@click.option("--latent", type=WIDTH, help="Number of latents.  [default: the model's]")
@click.option("--width", type=WIDTH, help="Evolutionary: hidden layers.  [default: 128]")
@click.option(
    "--condition-set",
    type=click.Choice(CONDITION_SETS),
    help="Cgmgm: what it hears of a scenario.  [default: coordinates]",
)
@click.option("--prior", type=WIDTH, help="Cgmgm: width of the prior's GRU.  [default: 32]")
@click.option("--embedding", type=WIDTH, help="Cgmgm: embedded conditions.  [default: 16]")
@click.option("--alpha", type=float, help="Cgmgm: weight of the waveform error.  [default: 0]")
@click.option(
    "--beta", type=float, help="Cgmgm: weight of the Kullback-Leibler divergence.  [default: 0.02]"
)
@click.option(
    "--past-dropout/--no-past-dropout",
    default=None,
    help="Cgmgm: let the prior hear a random share of the past, or all of it.",
)
@click.option(
    "--published", is_flag=True, default=None, help="Cgmgm: repeat the published code's choices."
)
@click.option(
    "--init",
    metavar="NAME|PATH",
    help="Go on from these weights, with their widths, components and scaling.",
)
@click.option("--only", default="", help='Train only parameters named so: "prior".  [default: all]')
@click.option(
    "--epochs", type=int, help="Passes through the training split.  [default: the model's]"
)
@click.option("--batch-size", type=int, help="Records in a step.  [default: the model's]")
@click.option(
    "--lr", type=float, help="First learning rate, of a half cosine.  [default: the model's]"
)
@click.option("--final-lr", default=1e-5, help="Last learning rate.")
@click.option("--weight-decay", type=float, help="Of AdamW.  [default: the model's]")
@click.option(
    "--gradient-clip", type=float, help="Greatest norm of the gradient.  [default: the model's]"
)
@click.option("--patience", default=50, help="Epochs without a better dev loss before it stops.")
@click.option("--max-minutes", type=float, help="Time for this call.  [default: no limit]")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    help="Of the first weights, batches, noise and split.",
)
@click.option("--device", default="auto", help="cpu, cuda, mps or auto, the fastest at hand.")
@click.option(
    "--name",
    default="",
    show_default=False,
    help="Name of the weights' two files.  [default: the model's]",
)
@click.option(
    "--docstring", default="", show_default=False, help="Text that says what the weights are."
)
@click.option("--skip-bad", is_flag=True, help="Leave out records with NaN or constant traces.")
@click.option("--resume", is_flag=True, help="Continue the run in --out, or start it.")
@click.option("--overwrite", is_flag=True, help="Replace the run in --out.")
@click.option("-v", "--verbose", "verbosity", flag_value=1, type=int, help="Print a line an epoch.")
@click.option("-q", "--quiet", "verbosity", flag_value=-1, type=int, help="Print no progress.")
def train(
    dataset: Path,
    out: Path,
    model_name: str,
    components: str,
    init: str | None,
    only: str,
    epochs: int | None,
    batch_size: int | None,
    lr: float | None,
    final_lr: float,
    weight_decay: float | None,
    gradient_clip: float | None,
    patience: int,
    max_minutes: float | None,
    seed: int,
    device: str,
    name: str,
    docstring: str,
    skip_bad: bool,
    resume: bool,
    overwrite: bool,
    verbosity: int | None,
    **of_one_model: Any,
) -> None:
    """Train a generator on DATASET, a folder in SeisBench format.

    The metadata needs magnitude, source and station columns.  The run folder gets config.json,
    metrics.csv, checkpoint.pt and the trained weights.  A run that was stopped, by whatever,
    continues with the same command and --resume.
    """
    class_name, names = MODELS[model_name]
    given = {option: value for option, value in of_one_model.items() if value is not None}
    if init is None and (foreign := sorted(set(given) - set(names))):
        raise click.UsageError(
            f"--{foreign[0].replace('_', '-')} is no option of --model {model_name}; "
            f"it has {', '.join('--' + option.replace('_', '-') for option in names)}."
        )

    import torch

    from cgmgm_seis.pretrained import load_model, model_class, weights_info
    from cgmgm_seis.training import TrainingConfig
    from cgmgm_seis.training import train as train_model

    show_messages(verbosity or 0)
    torch.manual_seed(seed)
    if init is not None:
        model = load_model(init)
        for option in CHANGEABLE:
            if option in given:
                setattr(model, option, given[option])
    else:
        arguments = {names[option]: value for option, value in given.items()}
        model = model_class(class_name)(component_order=components, **arguments)
    settings = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": lr,
        "final_learning_rate": final_lr,
        "weight_decay": weight_decay,
        "gradient_clip": gradient_clip,
        "patience": patience,
        "max_minutes": max_minutes,
        "seed": seed,
        "device": device,
        "skip_bad": skip_bad,
        "only": only,
        "name": name,
        "docstring": docstring,
    }
    chosen = {key: value for key, value in settings.items() if value is not None}
    config = TrainingConfig.of(model, **chosen)
    weights = train_model(
        model, dataset, out, config, resume=resume, overwrite=overwrite, progress=verbosity != -1
    )
    card = weights_info(weights)["card"]
    click.echo(
        f"Trained {card['epochs']} of {config.epochs} epochs ({card['stopped_by']}); the best dev "
        f"loss, {card['best_dev_loss']:.4g}, is that of epoch {card['best_epoch']}."
    )
    click.echo(f"Wrote {weights}.json and {weights}.pt, metrics.csv and checkpoint.pt beside them.")
    click.echo(f"Use them: cgmgm-seis generate --weights {weights} --mag 3.5 --src LAT,LON")
