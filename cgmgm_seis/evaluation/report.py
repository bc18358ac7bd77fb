"""An evaluation as a folder: numbers, tables, figures, and one page that holds them all."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from cgmgm_seis.evaluation.distribution_plots import plot_pit, plot_projections
from cgmgm_seis.evaluation.draws import Window
from cgmgm_seis.evaluation.highlights import section_rows
from cgmgm_seis.evaluation.maps import plot_maps
from cgmgm_seis.evaluation.measures import BOTH, main_series
from cgmgm_seis.evaluation.pick_plots import plot_picks, plot_picks_by_bin
from cgmgm_seis.evaluation.residual_plots import (
    plot_intensity_measures,
    plot_residuals_by,
    plot_scatter_by_bin,
    plot_spectral_residuals,
)
from cgmgm_seis.evaluation.tables import Evaluation
from cgmgm_seis.evaluation.waveform_plots import plot_envelopes, plot_panels, plot_sections
from cgmgm_seis.outputs import PROVENANCE_FILE, complete_folder
from cgmgm_seis.provenance import versions

METRICS_FILE, REPORT_FILE, FIGURES_FOLDER = "metrics.json", "report.html", "figures"


@dataclass(frozen=True)
class Item:
    """A figure or a table of the report, and a sentence on what it says."""

    name: str
    content: Figure | pd.DataFrame
    sentence: str


Section = tuple[str, list[Item]]


def write_evaluation(
    folder: str | Path,
    evaluation: Evaluation,
    command: Sequence[str] = (),
    overwrite: bool = False,
) -> list[tuple[Path, str]]:
    """Write an evaluation to a new folder, which appears complete or not at all.

    Parameters
    ----------
    folder : str or pathlib.Path
        The folder to make.
    evaluation : Evaluation
        What `evaluate` returned.
    command : sequence of str
        Command line, program first, for the provenance.
    overwrite : bool
        Replace an existing folder that holds a provenance file.

    Returns
    -------
    list of (pathlib.Path, str)
        Files written and what they hold, one line each.

    Raises
    ------
    OutputError
        If the folder exists or cannot be written.
    """
    folder = Path(folder)
    made_by = {
        "about": "A comparison of generated with recorded seismograms.",
        "command": list(command),
        "versions": versions(),
    }
    written = {
        REPORT_FILE: "everything to read, in one file for a browser",
        METRICS_FILE: "all numbers, by generator",
        PROVENANCE_FILE: "command and versions",
    }
    with complete_folder(folder, overwrite) as temporary:
        for name, content in ((METRICS_FILE, evaluation.metrics), (PROVENANCE_FILE, made_by)):
            text = json.dumps(content, indent=1, allow_nan=False)
            (temporary / name).write_text(text + "\n")
        for name, table in evaluation.tables.items():
            table.to_csv(temporary / f"{name}.csv", index=False)
            written[f"{name}.csv"] = f"table of {len(table)} rows"
        (temporary / FIGURES_FOLDER).mkdir()
        page, images = render(evaluation, command)
        for name, image in images.items():
            (temporary / FIGURES_FOLDER / f"{name}.png").write_bytes(image)
        (temporary / REPORT_FILE).write_text(page, encoding="utf-8")
        written[FIGURES_FOLDER] = f"the {len(images)} figures of the report, PNG"
    return [(folder / name, description) for name, description in written.items()]


def render(evaluation: Evaluation, command: Sequence[str] = ()) -> tuple[str, dict[str, bytes]]:
    """Return the report as one HTML page that needs no other file, and its figures as PNG.

    Parameters
    ----------
    evaluation : Evaluation
        What `evaluate` returned.
    command : sequence of str
        Command line, program first.
    """
    images: dict[str, bytes] = {}
    body = [_head(evaluation, command)]
    for title, items in sections(evaluation):
        body.append(f"<h2>{escape(title)}</h2>")
        for item in items:
            if isinstance(item.content, Figure):
                buffer = BytesIO()
                item.content.savefig(buffer, format="png", metadata={"Software": None})
                images[item.name] = buffer.getvalue()
                data = b64encode(images[item.name]).decode()
                inner = f'<img src="data:image/png;base64,{data}" alt="{escape(item.sentence)}">'
            else:
                inner = _table(item.content)
            body.append(
                f'<figure id="{item.name}"><div class="wide">{inner}</div>'
                f"<figcaption>{escape(item.sentence)}</figcaption></figure>"
            )
    name = escape(evaluation.metrics["dataset"]["name"])
    return PAGE.format(title=f"Evaluation on {name}", style=STYLE, body="\n".join(body)), images


# ---- what is shown -------------------------------------------------------------------------


def sections(evaluation: Evaluation) -> Iterator[Section]:
    """Yield the titles of the report's sections and what they hold; empty ones are left out."""
    makers: dict[str, Callable[[Evaluation], Iterator[Item]]] = {
        "Which model is better?": _models,
        "Fourier amplitude spectra": _spectra,
        "Intensity measures": _intensity,
        "Calibration and distributions": _distributions,
        "Phase picks": _picks,
        "Waveforms": _waveforms,
        "Maps": _maps,
    }
    for title, maker in makers.items():
        if items := list(maker(evaluation)):
            yield title, items


def _models(evaluation: Evaluation) -> Iterator[Item]:
    table = evaluation.tables.get("ground_motion_models")
    if table is None:
        return
    for component in table["component"].unique():
        own = table[table["component"] == component]
        wide = own.pivot_table(
            index="generator", columns="measure", values=["bias", "sigma"], sort=False
        )
        wide.columns = wide.columns.map(" ".join)
        shares = own.groupby("generator")["extrapolated"].first().reindex(wide.index)
        wide["extrapolated"] = shares.map("{:.0%}".format, na_action="ignore")
        ends = " (BA19 begins at M 3; Vs30 is 760 m/s everywhere)" if component == BOTH else ""
        what = "both horizontals together" if component == BOTH else f"component {component}"
        yield Item(
            f"ground_motion_models_{component}",
            wide.reset_index(),
            f"Spectra of {what}: bias (predicted minus recorded) and standard deviation of the "
            "residuals, ln units, of every model on the same unseen records; both are better the "
            "nearer to zero, and a generator's prediction is the median of its realizations. "
            f"Extrapolated is the share of records outside of a model's own data{ends}.",
        )


def _spectra(evaluation: Evaluation) -> Iterator[Item]:
    tables = evaluation.tables
    if "measures" not in tables:
        return
    yield Item(
        "spectral_residuals",
        plot_spectral_residuals(tables["measures"]),
        "Bias, total scatter of the records about the generator's median, and its parts between "
        "and within events: where a generator varies as the records do, the dashed line of one "
        "of its realizations lies on the solid one.",
    )
    if "bins" not in tables:
        return
    for by in ("distance", "magnitude"):
        if (tables["bins"]["by"] == by).any():
            yield Item(
                f"residuals_by_{by}",
                plot_residuals_by(tables["records"], tables["bins"], by),
                f"Median of the realizations minus the record, a dot a record, with mean and "
                f"standard deviation in bins of {by}: a trend is scaling that the generator has "
                "not learnt.",
            )
    yield Item(
        "scatter_by_bin",
        plot_scatter_by_bin(tables["bins"]),
        "Scatter of the records about the generator's median in bins of distance and magnitude.",
    )


def _intensity(evaluation: Evaluation) -> Iterator[Item]:
    tables = evaluation.tables
    if "measures" not in tables:
        return
    yield Item(
        "intensity_measures",
        plot_intensity_measures(tables["measures"]),
        "Bias and scatter of peaks, 5 % damped response spectra, Arias intensity, cumulative "
        "absolute velocity and significant durations: 0.7 is a factor of two.",
    )
    table = tables["measures"]
    names = pd.MultiIndex.from_frame(table[["component", "measure"]])
    columns = ["generator", "component", "measure", "median_bias", "sigma", "coverage", "crps"]
    columns += [column for column in ("simulator_sigma",) if column in table]
    yield Item(
        "measures",
        table.loc[names.isin(main_series(names)), columns],
        "The main measures in ln units: coverage is the share of records within the 16 to 84 % "
        "band of the realizations, 0.68 where the generator is right, and CRPS measures nearness "
        "and sharpness together, the smaller the better; measures.csv has all.",
    )


def _distributions(evaluation: Evaluation) -> Iterator[Item]:
    tables = evaluation.tables
    if "pit" in tables:
        yield Item(
            "pit",
            plot_pit(tables["pit"]),
            "Where each record ranks among its realizations (PIT): flat is right, a slope is bias, "
            "a bowl is too little scatter and a hill too much.",
        )
    if "discriminator" in tables:
        yield Item(
            "discriminator",
            tables["discriminator"],
            "How well a small network tells generated from recorded, on events it was not trained "
            "on: |accuracy - 0.5| is 0.5 where it always can, guessing gives what its column says, "
            "and a small p-value says that the two are not of one law.",
        )
    if "distributions" in tables:
        yield Item(
            "distributions",
            tables["distributions"],
            "Frechet distance of the log spectrograms, in ln units a cell of time and frequency, "
            "beside what is left where recorded and generated are exchanged at random.",
        )
    if "projections" in tables:
        yield Item(
            "projections",
            plot_projections(tables["projections"], evaluation.metrics["variance_shares"]),
            "Log spectrograms, a dot a record, in the directions in which the records differ most: "
            "both colours should fill the same places.",
        )


def _picks(evaluation: Evaluation) -> Iterator[Item]:
    tables = evaluation.tables
    if "picks" not in tables:
        return
    yield Item(
        "picks",
        tables["picks"].dropna(axis=1, how="all"),
        "Share of records on which PhaseNet finds P, S and both, its median probability, and its "
        "picks against known onsets and against its own picks on the records: number, median and "
        "90th percentile of the size, in seconds.",
    )
    residuals = tables["pick_records"][["minus_onset_s", "minus_recorded_s"]]
    if residuals.notna().any(axis=None):
        yield Item(
            "pick_residuals",
            plot_picks(tables["pick_records"]),
            "Pick residuals of P, S and S minus P; what is farther out is in the outermost bins.",
        )
    if "picks_by_bin" in tables:
        yield Item(
            "picks_by_bin",
            plot_picks_by_bin(tables["picks_by_bin"]),
            "How often, how surely and how precisely phases are picked, in bins of distance and "
            "magnitude; P solid, S dashed.",
        )


def _waveforms(evaluation: Evaluation) -> Iterator[Item]:
    if not evaluation.highlights:
        return
    highlights, scenario = evaluation.highlights, evaluation.scenario
    window = Window(**evaluation.metrics["window"])
    if "highlights" in evaluation.tables:
        ranks = evaluation.tables["highlights"]
        for number, name in enumerate(ranks["generator"].unique()):
            own = ranks[ranks["generator"] == name]
            roles = dict(zip(own["role"], own["row"], strict=True))
            yield Item(
                f"panels_{number}",
                plot_panels(highlights, scenario, roles, name, window),
                f"{name}: the realization whose spectrum is nearest to its record, the one in the "
                "middle and the farthest one, each scaled by its own largest peak; numbers are "
                "peaks in µm/s.",
            )
    yield Item(
        "sections",
        plot_sections(highlights, scenario, section_rows(scenario), window),
        f"The event with most records by distance, component {window.component_order[-1]}, every "
        "trace scaled by its own peak: recorded, and one realization of every generator.",
    )
    yield Item(
        "envelopes",
        plot_envelopes(highlights, scenario, window),
        "Mean envelopes (geometric, over records) in frequency bands, of the nearest, middle and "
        "farthest third of the records: level, arrivals and decay of the coda.",
    )


def _maps(evaluation: Evaluation) -> Iterator[Item]:
    if "places" in evaluation.tables:
        yield Item(
            "maps",
            plot_maps(evaluation.tables["places"]),
            "Bias of every station (its records of all events) and of every event (its records at "
            "all stations); larger symbols have more records, and neighbours of one colour are "
            "site or source effects that the generator has not learnt.",
        )


# ---- HTML ----------------------------------------------------------------------------------


def _head(evaluation: Evaluation, command: Sequence[str]) -> str:
    m = evaluation.metrics
    kind = "simulated" if m["dataset"]["simulated"] else "recorded"
    events = f" of {m['dataset']['events']} events" if m["dataset"]["events"] else ""
    parts = [
        f"<h1>Evaluation on {escape(m['dataset']['name'])}</h1>",
        f"<p>{m['dataset']['records']} {kind} records{events}, split "
        f"{escape(str(m['dataset']['split']))}; {m['n_realizations']} realizations of each, "
        f"seed {m['seed']}. Logarithms are natural; residuals are generated minus recorded.</p>",
    ]
    if m["dataset"]["simulated"]:
        parts.append(
            '<p class="note">The data set itself is simulated: what is called recorded below '
            "comes from the package's simulator, and nothing here says how a model does on the "
            "Earth.</p>"
        )
    parts.append("<h2>Generators, and what they were trained on</h2><dl>")
    for name, model in m["models"].items():
        parts.append(
            f"<dt>{escape(name)}: {escape(model['class'])}, version {escape(str(model['version']))}"
            f"</dt><dd>Trained on: <b>{escape(model['trained_on'])}</b>. {escape(model['label'])} "
            f"<small>(sha256 {escape((model['sha256'] or 'unknown')[:16])})</small></dd>"
        )
    parts.append("</dl>")
    if m["not_available"]:
        items = "".join(
            f"<li><b>{escape(key)}</b>: not available: {escape(why)}</li>"
            for key, why in m["not_available"].items()
        )
        parts.append(f'<ul class="note">{items}</ul>')
    if command:
        parts.append(f"<pre>{escape(' '.join(command))}</pre>")
    return "\n".join(parts)


def _table(table: pd.DataFrame) -> str:
    shown = table.rename(columns=lambda name: str(name).replace("_", " "))
    return shown.to_html(index=False, border=0, na_rep="", float_format=_number, escape=True)


def _number(value: Any) -> str:
    """Return three decimals; p-values below that as what they are."""
    return f"{value:.1e}" if 0 < abs(value) < 5e-4 else f"{value:.3f}"


STYLE = """
body{font:16px/1.5 system-ui,sans-serif;color:#222;max-width:1240px;margin:0 auto;padding:1rem}
h1{font-size:1.6rem;margin:.5rem 0}
h2{font-size:1.25rem;margin:2.2rem 0 .6rem;border-bottom:1px solid #ccc}
figure{margin:0 0 1.8rem}
dt{font-weight:600}
dd{margin:0 0 .6rem 1rem;max-width:60rem}
figcaption{margin-top:.4rem;font-size:.95rem;color:#444;max-width:60rem}
.wide{overflow-x:auto}
img{display:block;max-width:100%;min-width:44rem;height:auto}
table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .6rem;text-align:right;border-bottom:1px solid #e4e4e4;vertical-align:top}
th{position:sticky;top:0;background:#fff}
td:first-child,th:first-child{text-align:left;white-space:nowrap}
.note{background:#fdf3e7;border-left:4px solid #c1440e;padding:.6rem 1rem}
ul.note{padding-left:2rem}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f5f5f5;padding:.6rem;font-size:.85rem}
@media(max-width:40rem){td:first-child{white-space:normal}}
@media print{figure,table{break-inside:avoid}.wide{overflow:visible}
img{min-width:0;max-height:24cm}body{max-width:none;font-size:11pt}}
"""
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""
