"""cgmgm-seis evaluate: compare generators with a SeisBench data set, or with a flatfile."""

from pathlib import Path

import click

from cgmgm_seis_cli.parameters import (
    device_option,
    out_option,
    overwrite_option,
    realizations_option,
    seed_option,
    show_messages,
    strict_option,
    units_option,
    verbosity_options,
    weights_option,
    workers_option,
)

WAVEFORM_OPTIONS = (
    "split",
    "record",
    "n_draws",
    "picker",
    "n_classifiers",
    "tsne",
    "scaling",
    "strict",
    "units",
)


@click.command(context_settings={"show_default": True})
@click.argument("dataset", type=click.Path(path_type=Path))
@weights_option()
@click.option(
    "--columns",
    metavar="NAME|FILE.json",
    help="Column names of a flatfile: nga_west2, or a JSON file of its names to this package's.",
)
@out_option()
@click.option("--split", default="test", help="Split of the data set, not used in training.")
@realizations_option(least=2, default=20)
@click.option(
    "--max-records",
    type=click.IntRange(1, 1_000_000_000),
    help="Read whole events, chosen at random, up to this number of records.  [default: all]",
)
@click.option(
    "--record",
    metavar="EVENT/STATION",
    help="Also show this record: draws of every generator, and its reconstructions.",
)
@click.option(
    "--draws",
    "n_draws",
    type=click.IntRange(1, 100),
    default=4,
    help="Number of draws shown of --record.",
)
@click.option(
    "--picker",
    metavar="NAME|PATH",
    default="original",
    help="PhaseNet weights of SeisBench; picks are left out if these are not available, or with "
    "none.",
)
@click.option(
    "--classifiers",
    "n_classifiers",
    type=click.IntRange(0, 1000),
    default=5,
    help="Number of networks of the discriminative score; 0 leaves it out.",
)
@click.option(
    "--tsne", is_flag=True, help="Also project log spectrograms with t-SNE (needs scikit-learn)."
)
@click.option(
    "--gmms/--no-gmms",
    default=True,
    help="Also compare ground-motion models: those fitted to the training split, or, for a "
    "flatfile, those of NGA-West2.",
)
@click.option(
    "--scaling/--no-scaling",
    default=True,
    help="Also draw the generators at other magnitudes and distances, inside and outside of their "
    "trained ranges.",
)
@workers_option
@seed_option
@device_option("auto")
@units_option
@strict_option
@overwrite_option
@verbosity_options
@click.pass_context
def evaluate(
    ctx: click.Context,
    dataset: Path,
    names: tuple[str, ...],
    columns: str | None,
    out: Path,
    split: str,
    n_realizations: int,
    max_records: int | None,
    record: str | None,
    n_draws: int,
    picker: str,
    n_classifiers: int,
    tsne: bool,
    gmms: bool,
    scaling: bool,
    workers: int | None,
    seed: int,
    device: str,
    units: str,
    strict: bool,
    overwrite: bool,
    verbosity: int | None,
) -> None:
    """Compare generators with the records of DATASET, a SeisBench folder or a flatfile (CSV).

    The report, report.html, has bias, scatter and calibration of Fourier and response spectra,
    peaks, energy and duration, PhaseNet's picks, how well a network separates generated from
    recorded waveforms, and ground-motion models for the same records.  For data of this package's
    simulator, the simulator itself is compared too: no generator can explain more.  Weights of
    different components are compared on those that all of them have.  Finished realizations are
    kept in a hidden folder beside --out; the same command continues after an interruption.

    A flatfile is a table of recorded amplitudes without waveforms: RotD50 of PGA, PGV and PSA, in
    columns such as pga_g, pgv_cmps, psa_0.300s_g and ln_pga_g.  There the generators are compared
    with the NGA-West2 models.
    """
    import shutil

    import cgmgm_seis.evaluation as library
    from cgmgm_seis.storage.chunks import chunk_folder as chunk_folder_of
    from cgmgm_seis.storage.folders import lock_output

    show_messages(verbosity or 0)
    ctx.with_resource(lock_output(out, overwrite))
    chunk_folder = chunk_folder_of(out)
    is_flatfile = dataset.is_file() or dataset.suffix == ".csv"
    if is_flatfile:
        refuse_options(ctx, WAVEFORM_OPTIONS, "needs waveforms, which a flatfile does not have")
    else:
        refuse_options(ctx, ("columns",), "needs a flatfile (a CSV file) as DATASET")
    config = library.EvaluationConfig(
        split=split,
        n_realizations=n_realizations,
        seed=seed,
        max_records=max_records,
        record=record,
        n_draws=n_draws,
        picker=picker,
        n_classifiers=n_classifiers,
        strict=strict,
        units=units,
        tsne=tsne,
        gmms=gmms,
        scaling=scaling,
        columns=columns,
        workers=workers,
        chunk_folder=chunk_folder,
        progress=verbosity != -1,
    )
    generators = library.load_generators(names, device)
    if is_flatfile:
        evaluation = library.evaluate_flatfile(dataset, generators, config)
    else:
        evaluation = library.evaluate(dataset, generators, config)
    command = ctx.meta.get("command", [])
    written = library.write_evaluation(out, evaluation, command=command, overwrite=overwrite)
    shutil.rmtree(chunk_folder, ignore_errors=True)
    click.echo(str(evaluation))
    click.echo()
    for path, description in written:
        click.echo(f"{path}: {description}")


def refuse_options(ctx: click.Context, names: tuple[str, ...], why: str) -> None:
    """Raise if options were given that would have no effect."""
    for name in names:
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            option = next(own for own in ctx.command.params if own.name == name)
            raise click.BadParameter(f"it {why}.", ctx, option)
