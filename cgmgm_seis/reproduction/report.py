"""The report of a reproduction: the paper's figures in the paper's order, on one page."""

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cgmgm_seis.errors import OutputError
from cgmgm_seis.evaluation.figures import MODEL_COLOURS, new_panels, title
from cgmgm_seis.evaluation.report import (
    METRICS_FILE,
    REPORT_FILE,
    item_html,
    items_of,
    page_html,
    png_bytes,
)
from cgmgm_seis.output.provenance import versions
from cgmgm_seis.reproduction.models import CONDITIONS, EVOLUTIONARY, MODELS
from cgmgm_seis.reproduction.recipe import PaperRecipe
from cgmgm_seis.storage.json_files import read_json
from cgmgm_seis.training.run_folder import METRICS_FILE as EPOCHS_FILE
from cgmgm_seis.tuning.search import FIGURE_FILE
from cgmgm_seis.tuning.trials import TRIALS_FILE, best_trial, read_trials

# Heading of a section, and names or beginnings of names of its items.
Part = tuple[str, tuple[str, ...]]
# Sections with items of the evaluation's report, in the order of the paper.
WAVEFORMS: Part = ("Waveforms", ("panels_", "sections", "envelopes"))
PICKS: Part = ("P and S arrivals", ("picks", "pick_residuals", "picks_by_bin"))
SPECTRA: Part = (
    "Fourier amplitude spectra",
    ("spectral_residuals", "residuals_by_", "scatter_by_bin"),
)
GMMS: Part = (
    "Ergodic and non-ergodic ground-motion models",
    ("ground_motion_models_", "terms", "term_correlations"),
)
DISTRIBUTIONS: Part = (
    "Discriminative score and distributions",
    ("discriminator", "distributions", "projections", "pit"),
)
# Figures of the maps and their captions.
MAP_FIGURES = {
    "models_fas": "Median FAS of one earthquake at the nodes of the paper's region, by generators "
    "and ground-motion models, with contours of ln FAS; a row has one colour scale. The earthquake "
    "is a choice of the recipe.",
    "models_fas_ratio": "The same relative to CGM-GM.",
    "models_fas_sigma": "Standard deviation of ln FAS of a record, between and within events.",
    "models_fas_epistemic": "Standard deviation of the median itself, of models that state it.",
}


def write_report(
    folder: Path, inputs: Mapping[str, Path], dataset: str, recipe: PaperRecipe
) -> None:
    """Write the report, ``report.html``, of finished steps.

    Parameters
    ----------
    folder : pathlib.Path
        Folder to write.
    inputs : mapping
        Name of each step to its folder.
    dataset : str
        Name of the data set.
    recipe : PaperRecipe
        Settings of the reproduction.
    """
    evaluation = inputs["evaluation"]
    items = items_of((evaluation / REPORT_FILE).read_text(encoding="utf-8"))
    body = [
        *_head(evaluation, dataset, recipe),
        *_data(inputs["summary"]),
        *_search(inputs["search"]),
        *_trainings(inputs),
    ]
    for heading, names in (WAVEFORMS, PICKS, SPECTRA):
        body += _section(heading, names, items)
    body += _maps(inputs["maps"])
    for heading, names in (GMMS, DISTRIBUTIONS):
        body += _section(heading, names, items)
    body.append(
        f'<p>Everything else that was compared is in <a href="../{evaluation.name}/{REPORT_FILE}">'
        "the report of the evaluation</a>.</p>"
    )
    folder.mkdir(exist_ok=True)
    page = page_html(f"CGM-GM reproduced on {dataset}", body)
    (folder / REPORT_FILE).write_text(page, encoding="utf-8")


def _head(evaluation: Path, dataset: str, recipe: PaperRecipe) -> Iterator[str]:
    metrics: dict[str, Any] = read_json(evaluation / METRICS_FILE, OutputError)
    data = metrics["dataset"]
    kind = "simulated" if data["simulated"] else "recorded"
    yield f"<h1>CGM-GM reproduced on {escape(dataset)}</h1>"
    yield (
        "<p>The steps of Ren et al. (2026), doi 10.1038/s41467-026-70719-2: "
        f"{data['records']} {kind} records of {data['events']} events that no model was trained "
        f"on, component {escape(recipe.components)}, {recipe.n_realizations} realizations of each, "
        f"seed {recipe.seed}. Logarithms are natural; residuals are generated minus recorded.</p>"
    )
    if data["simulated"]:
        yield (
            '<p class="note">The data are simulated: nothing here says how well a model predicts '
            "real earthquakes, or whether the paper's numbers are reproduced.</p>"
        )
    if recipe.epochs < PaperRecipe.epochs:
        yield (
            f'<p class="note">CGM-GM was trained for at most {recipe.epochs} of the '
            f"{PaperRecipe.epochs:,} epochs of the paper.</p>"
        )
    if missing := metrics["not_available"]:
        texts = [f"<b>{escape(key)}</b>: {escape(why)}" for key, why in missing.items()]
        parts = "".join(f"<li>{text}</li>" for text in texts)
        yield f'<p>Not available, and left out:</p><ul class="note">{parts}</ul>'
    yield f"<p><small>{escape(', '.join(f'{k} {v}' for k, v in versions().items()))}</small></p>"


def _data(folder: Path) -> Iterator[str]:
    yield "<h2>Data</h2>"
    yield item_html(
        "data",
        (folder / "summary.png").read_bytes(),
        "The data set as training uses it: records, splits by event, magnitudes, distances and "
        "spectra. The paper splits by record, so that an event is on both sides.",
    )


def _search(folder: Path) -> Iterator[str]:
    yield "<h2>Search for settings</h2>"
    identity, trials = read_trials(folder / TRIALS_FILE)
    yield item_html(
        "trials",
        (folder / FIGURE_FILE).read_bytes(),
        f"{len(trials)} trials of the published model by the objective "
        f"'{identity['objective']}'; lower scores are better.",
    )
    columns = {}
    for name, conditions in CONDITIONS.items():
        best = best_trial(trials, condition_set=conditions)
        shown = {**best.settings, "condition_set": conditions, "best trial": best.number}
        shown["condition set of the trial"] = best.settings["condition_set"]
        columns[name] = {key: str(value) for key, value in shown.items()}
    yield item_html(
        "settings",
        pd.DataFrame(columns).rename_axis("setting").reset_index(),
        "Settings of the models: those of the best trial with their conditions, or of the best of "
        "all trials if there is none with them.",
    )


def _trainings(inputs: Mapping[str, Path]) -> Iterator[str]:
    yield "<h2>Trainings</h2>"
    curves = {name: pd.read_csv(inputs[name] / EPOCHS_FILE) for name in MODELS}
    cards = [read_json(inputs[name] / f"{name}.json", OutputError)["card"] for name in MODELS]
    yield item_html(
        "trainings",
        png_bytes(_plot_losses(curves)),
        "Loss of the training split and of the dev split by epoch; the weights with the lowest "
        f"dev loss are kept. {EVOLUTIONARY} has another loss. Epochs: "
        + ", ".join(
            f"{name} {card['epochs']} (best {card['best_epoch']}, {card['training_minutes']:.2g} "
            "minutes)"
            for name, card in zip(MODELS, cards, strict=True)
        )
        + ".",
    )


def _plot_losses(curves: Mapping[str, pd.DataFrame]) -> Figure:
    """Plot the losses of every training by epoch."""
    figure, panels = new_panels(1, len(curves), (11.0, 3.4))
    for (name, table), axes, colour in zip(
        curves.items(), panels.ravel(), MODEL_COLOURS, strict=False
    ):
        marker = "o" if len(table) < 10 else None
        axes.plot(table["epoch"], table["train_loss"], "--", color=colour, label="train")
        axes.plot(table["epoch"], table["dev_loss"], color=colour, label="dev", marker=marker)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("Epoch")
        axes.legend(frameon=False, fontsize=8)
        title(axes, name)
    panels[0, 0].set_ylabel("Loss")
    return figure


def _section(heading: str, names: tuple[str, ...], items: Mapping[str, str]) -> Iterator[str]:
    """Yield a section of the items of an evaluation whose names begin in some way."""
    found = [
        element
        for name in names
        for own, element in items.items()
        if own == name or (name.endswith("_") and own.startswith(name))
    ]
    yield f"<h2>{escape(heading)}</h2>"
    yield from found or ["<p>Not available; the reason is given at the top.</p>"]


def _maps(folder: Path) -> Iterator[str]:
    yield "<h2>Maps of Fourier amplitude spectra</h2>"
    for name, caption in MAP_FIGURES.items():
        if (path := folder / f"{name}.png").is_file():
            yield item_html(name, path.read_bytes(), caption)
    made_by = read_json(folder / "provenance.json", OutputError)
    if made_by["warnings"]:
        parts = "".join(f"<li>{escape(text)}</li>" for text in made_by["warnings"])
        yield f'<p>Outside of what the models were trained on:</p><ul class="note">{parts}</ul>'
    yield f'<p>The maps node by node: <a href="../{folder.name}/map.html">map.html</a>.</p>'
