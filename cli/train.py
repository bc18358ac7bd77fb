"""cgmgm-seis train: teach a generator the records of a SeisBench data set."""

from pathlib import Path
from typing import Any

import click

from cgmgm_seis_cli.parameters import Components, show_messages

CONDITION_SETS = ("coordinates", "distance", "distance_azimuth", "distance_azimuth_depth", "depth")
WIDTH = click.IntRange(min=1)


@click.command(context_settings={"show_default": True})
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Run folder.")
@click.option(
    "--model",
    "model_name",
    type=click.Choice(["cgmgm"], case_sensitive=False),
    default="cgmgm",
    help="Generator to train.",
)
@click.option(
    "--condition-set",
    type=click.Choice(CONDITION_SETS),
    default="coordinates",
    help="What the model hears of a scenario.",
)
@click.option("--components", type=Components(), default="ZNE", help="Components and their order.")
@click.option("--latent", type=WIDTH, default=32, help="Width of the latents.")
@click.option("--prior", type=WIDTH, default=32, help="Width of the prior's GRU.")
@click.option("--embedding", type=WIDTH, default=16, help="Width of the embedded conditions.")
@click.option("--alpha", default=0.0, help="Weight of the waveform error.")
@click.option("--beta", default=0.02, help="Weight of the Kullback-Leibler divergence.")
@click.option(
    "--past-dropout/--no-past-dropout",
    default=True,
    help="Let the prior hear a random share of the past, or all of it.",
)
@click.option("--published", is_flag=True, help="Repeat the published code's choices.")
@click.option(
    "--init",
    metavar="NAME|PATH",
    help="Go on from these weights, with their widths, components and scaling.",
)
@click.option("--only", default="", help='Train only parameters named so: "prior".  [default: all]')
@click.option("--epochs", default=200, help="Passes through the training split.")
@click.option("--batch-size", default=128, help="Records in a step.")
@click.option("--lr", default=8e-4, help="First learning rate; it falls as a half cosine.")
@click.option("--final-lr", default=1e-5, help="Last learning rate.")
@click.option("--weight-decay", default=1e-5, help="Weight decay of AdamW.")
@click.option("--gradient-clip", default=1000.0, help="Greatest norm of the gradient.")
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
    condition_set: str,
    components: str,
    latent: int,
    prior: int,
    embedding: int,
    alpha: float,
    beta: float,
    past_dropout: bool,
    published: bool,
    init: str | None,
    only: str,
    epochs: int,
    batch_size: int,
    lr: float,
    final_lr: float,
    weight_decay: float,
    gradient_clip: float,
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
) -> None:
    """Train a generator on DATASET, a folder in SeisBench format.

    The metadata needs magnitude, source and station columns.  The run folder gets config.json,
    metrics.csv, checkpoint.pt and the trained weights.  A run that was stopped, by whatever,
    continues with the same command and --resume.
    """
    import torch

    from cgmgm_seis.pretrained import load_model, model_class, weights_info
    from cgmgm_seis.training import TrainingConfig
    from cgmgm_seis.training import train as train_model

    show_messages(verbosity or 0)
    config = TrainingConfig(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=lr,
        final_learning_rate=final_lr,
        weight_decay=weight_decay,
        gradient_clip=gradient_clip,
        patience=patience,
        max_minutes=max_minutes,
        seed=seed,
        device=device,
        skip_bad=skip_bad,
        only=only,
        name=name,
        docstring=docstring,
    )
    torch.manual_seed(seed)
    arguments: dict[str, Any] = {
        "condition_set": condition_set,
        "component_order": components,
        "latent_size": latent,
        "prior_size": prior,
        "embedding_size": embedding,
        "alpha": alpha,
        "beta": beta,
        "past_dropout": past_dropout,
        "published": published,
    }
    model = model_class(model_name.upper())(**arguments)
    if init is not None:
        model = load_model(init)
        for setting in ("alpha", "beta", "past_dropout"):
            setattr(model, setting, arguments[setting])
    weights = train_model(
        model, dataset, out, config, resume=resume, overwrite=overwrite, progress=verbosity != -1
    )
    card = weights_info(weights)["card"]
    click.echo(
        f"Trained {card['epochs']} of {epochs} epochs ({card['stopped_by']}); the best dev loss, "
        f"{card['best_dev_loss']:.4g}, is that of epoch {card['best_epoch']}."
    )
    click.echo(f"Wrote {weights}.json and {weights}.pt, metrics.csv and checkpoint.pt beside them.")
    click.echo(f"Use them: cgmgm-seis generate --weights {weights} --mag 3.5 --src LAT,LON")
