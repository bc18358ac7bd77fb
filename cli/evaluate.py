"""cgmgm-seis evaluate: compare generators with a SeisBench data set, or with a flatfile."""

from pathlib import Path

import click

from cgmgm_seis_cli.parameters import show_messages, verbosity_options

WAVEFORM_OPTIONS = ("split", "picker", "n_classifiers", "tsne", "skip_bad")


@click.command(context_settings={"show_default": True})
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option(
    "--weights",
    "names",
    metavar="NAME|PATH",
    multiple=True,
    required=True,
    help="Weights to evaluate; may be given several times.",
)
@click.option(
    "--columns",
    metavar="NAME|FILE.json",
    help="How a flatfile calls its columns: nga_west2, or a JSON object of its names to ours.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@click.option("--split", default="test", help="Split of the data set, unseen in training.")
@click.option(
    "-n",
    "--realizations",
    "n_realizations",
    type=click.IntRange(min=2),
    default=20,
    help="Realizations of every record.",
)
@click.option(
    "--max-records",
    type=click.IntRange(min=1),
    help="Read whole events, drawn with the seed, up to so many records.  [default: all]",
)
@click.option(
    "--picker",
    metavar="NAME|PATH",
    default="original",
    help="PhaseNet weights of SeisBench; missing ones are left out.",
)
@click.option(
    "--classifiers",
    "n_classifiers",
    type=click.IntRange(min=0),
    default=5,
    help="Networks of the discriminative score; 0 leaves it out.",
)
@click.option("--tsne", is_flag=True, help="Draw log spectrograms with t-SNE too (scikit-learn).")
@click.option(
    "--gmms/--no-gmms",
    default=True,
    help="Put ground-motion models beside the generators: those fitted to the split train; "
    "NGA-West2's beside a flatfile.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes that measure.  [default: one a core, if worth it]",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of all that is drawn.")
@click.option("--device", default="auto", help="cpu, cuda, mps or auto, the fastest at hand.")
@click.option("--skip-bad", is_flag=True, help="Leave out records with NaN or constant traces.")
@click.option("--overwrite", is_flag=True, help="Replace the evaluation in --out.")
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
    picker: str,
    n_classifiers: int,
    tsne: bool,
    gmms: bool,
    workers: int | None,
    seed: int,
    device: str,
    skip_bad: bool,
    overwrite: bool,
    verbosity: int | None,
) -> None:
    """Compare generators with the records of DATASET, a SeisBench folder or a flatfile (CSV).

    Bias, scatter and calibration of Fourier and response spectra, peaks, energy and duration,
    PhaseNet's picks, how well a network tells generated from recorded, and ground-motion models
    on the same records, with figures in one page, report.html.  On the package's own simulated
    data the simulator itself stands beside the generators: none can explain more.  A killed run
    goes on where it was: finished realizations are kept in a hidden folder beside --out.

    A flatfile is a table of recorded amplitudes without waveforms: RotD50 of PGA, PGV and PSA, in
    columns such as pga_g, pgv_cmps, psa_0.300s_g and ln_pga_g.  The NGA-West2 models stand beside
    the generators there.
    """
    import shutil

    import cgmgm_seis.evaluation as library
    from cgmgm_seis.storage.folders import check_folder

    show_messages(verbosity or 0)
    check_folder(out, overwrite)
    chunk_folder = out.absolute().with_name(f".{out.absolute().name}.chunks")
    is_flatfile = dataset.is_file() or dataset.suffix == ".csv"
    if is_flatfile:
        refuse_options(ctx, WAVEFORM_OPTIONS, "needs waveforms, and a flatfile has none")
    else:
        refuse_options(ctx, ("columns",), "is for a flatfile, a CSV file, and DATASET is none")
    config = library.EvaluationConfig(
        split=split,
        n_realizations=n_realizations,
        seed=seed,
        max_records=max_records,
        picker=picker,
        n_classifiers=n_classifiers,
        skip_bad=skip_bad,
        tsne=tsne,
        gmms=gmms,
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
    """Refuse options that were given and would do nothing."""
    for name in names:
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            option = next(own for own in ctx.command.params if own.name == name)
            raise click.BadParameter(f"it {why}.", ctx, option)
