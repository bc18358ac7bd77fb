"""cgmgm-seis weights import: weights of a checkpoint of the published code of CGM-GM."""

from pathlib import Path

import click

from cgmgm_seis_cli.numbers import SECONDS
from cgmgm_seis_cli.parameters import (
    overwrite_option,
    show_messages,
    strict_option,
    units_option,
    verbosity_options,
)

# Those without an azimuth, see `cgmgm_seis.models.cgmgm.checkpoints.IMPORTABLE`.
CONDITION_SETS = ("coordinates", "distance", "epicentral_distance", "depth")


@click.command("import", context_settings={"show_default": True})
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option(
    "--condition-set",
    type=click.Choice(CONDITION_SETS),
    required=True,
    help="Conditions that the network was trained with.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="SeisBench data set that the network was trained on; all its records give the scaling.",
)
@click.option(
    "--ranges",
    "ranges_file",
    type=click.Path(path_type=Path),
    help="JSON file of the scaling: log_amplitude_range and every condition, [lowest, highest].",
)
@click.option(
    "--component",
    type=click.Choice(["Z", "N", "E"]),
    default="E",
    help="Component of the records that the network was trained on.",
)
@click.option(
    "--start-offset",
    "start_offset_s",
    type=SECONDS,
    default=-5.0,
    help="Start of these records relative to the origin time, s.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="NAME",
    help="Path of the weights without suffix.",
)
@units_option
@strict_option
@overwrite_option
@verbosity_options
def import_command(
    checkpoint: Path,
    condition_set: str,
    data: Path | None,
    ranges_file: Path | None,
    component: str,
    start_offset_s: float,
    out: Path,
    units: str,
    strict: bool,
    overwrite: bool,
    verbosity: int | None,
) -> None:
    """Convert CHECKPOINT, a best_model.pt of the published code of CGM-GM, to weights.

    The sizes of the network are those of its tensors. The checkpoint does not contain the scaling
    of conditions and amplitudes, which is that of the data the network was trained on: give --data
    or --ranges.
    """
    if (data is None) == (ranges_file is None):
        raise click.UsageError("Give one of --data and --ranges, for the scaling.")

    from cgmgm_seis.datasets.windows import read_records
    from cgmgm_seis.models.cgmgm.checkpoints import published_model, read_checkpoint, set_scaling
    from cgmgm_seis.models.weights_files import sha256
    from cgmgm_seis.storage.folders import check_new

    show_messages(verbosity or 0)
    paths = [out.with_name(f"{out.name}{suffix}") for suffix in (".json", ".pt")]
    for path in paths:
        check_new(path, overwrite)
    state = read_checkpoint(checkpoint)
    model = published_model(state, condition_set, component, start_offset_s)
    if data is not None:
        waveforms, scenario = read_records(
            data, model.window, strict, progress=verbosity != -1, units=units
        )
        model.fit_normalisation(waveforms, scenario)
        scaling = f"all {len(scenario)} records of the data set {data.resolve().name}"
    else:
        assert ranges_file is not None
        set_scaling(model, ranges_file)
        scaling = f"the file {ranges_file.name}"
    card = {
        "trained_on": f"unknown data, by the published code (checkpoint {checkpoint.name})",
        "checkpoint_sha256": sha256(checkpoint),
        "scaling_from": scaling,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "component_order": model.component_order,
        "ranges": model.ranges,
    }
    model.save(out, f"Checkpoint {checkpoint.name} of the published code of CGM-GM.", card=card)
    click.echo(
        f"Imported {card['parameters']} parameters: latents {model.n_latents}, prior "
        f"{model.prior_size}, embedding {model.embedding_size}; scaling from {scaling}."
    )
    click.echo(f"Wrote {paths[0]} and {paths[1]}.")
    click.echo(f"Generate: cgmgm-seis generate --weights {out} --mag 3 --src LAT,LON")
