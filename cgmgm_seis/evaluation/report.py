"""Write an evaluation as a folder: numbers, tables, figures, and a report with all of them."""

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cgmgm_seis.evaluation.contents import sections
from cgmgm_seis.evaluation.figures import most_points
from cgmgm_seis.evaluation.tables import Evaluation, said_of_records
from cgmgm_seis.output.pages import fill_page, web_file
from cgmgm_seis.output.provenance import versions
from cgmgm_seis.storage.folders import (
    PROVENANCE_FILE,
    complete_folder,
)
from cgmgm_seis.storage.json_files import json_bytes

METRICS_FILE, REPORT_FILE, FIGURES_FOLDER = "metrics.json", "report.html", "figures"


def write_evaluation(
    folder: str | Path,
    evaluation: Evaluation,
    command: Sequence[str] = (),
    overwrite: bool = False,
) -> list[tuple[Path, str]]:
    """Write an evaluation to a new folder, completely or not at all.

    Parameters
    ----------
    folder : str or pathlib.Path
        The folder to write.
    evaluation : Evaluation
        Result of `evaluate`.
    command : sequence of str
        Command line, program first, for the provenance.
    overwrite : bool
        Replace an existing folder that has a provenance file.

    Returns
    -------
    list of (pathlib.Path, str)
        Files written and their descriptions, one line each.

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
        REPORT_FILE: "report with all figures and tables, for a browser",
        METRICS_FILE: "all numbers, by generator",
        PROVENANCE_FILE: "command and versions",
    }
    with complete_folder(folder, overwrite) as temporary:
        for name, content in ((METRICS_FILE, evaluation.metrics), (PROVENANCE_FILE, made_by)):
            (temporary / name).write_bytes(json_bytes(content))
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
    """Return the report as a self-contained HTML page, and its figures as PNG.

    Figures without a panel of two dots show nothing that can be compared: they are named instead.

    Parameters
    ----------
    evaluation : Evaluation
        Result of `evaluate`.
    command : sequence of str
        Command line, program first.
    """
    images: dict[str, bytes] = {}
    body = [_head(evaluation, command)]
    for title, items in sections(evaluation):
        body.append(f"<h2>{escape(title)}</h2>")
        left_out = []
        for item in items:
            content: Figure | pd.DataFrame | bytes = item.content
            if isinstance(content, Figure):
                if most_points(content) < 2:
                    left_out.append(item.name.replace("_", " "))
                    continue
                images[item.name] = content = png_bytes(content)
            body.append(item_html(item.name, content, item.sentence))
        if left_out:
            body.append(
                '<p class="note">Left out, because every panel would have one dot at most: '
                f"{escape(', '.join(left_out))}.</p>"
            )
    return page_html(f"Evaluation on {evaluation.metrics['dataset']['name']}", body), images


# ---- HTML ----------------------------------------------------------------------------------


def png_bytes(figure: Figure) -> bytes:
    """Return a figure as PNG, which depends on the figure only."""
    buffer = BytesIO()
    # `savefig` would draw it twice.
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


def page_html(title: str, body: Iterable[str]) -> str:
    """Return a self-contained page of some elements."""
    own = "cgmgm_seis.evaluation"
    style = web_file(own, "report.css")
    return fill_page(own, "report.html", title=escape(title), style=style, body="\n".join(body))


def item_html(name: str, content: bytes | pd.DataFrame, sentence: str) -> str:
    """Return a figure (PNG) or a table with its caption as an element of a page."""
    if isinstance(content, bytes):
        data = b64encode(content).decode()
        inner = f'<img src="data:image/png;base64,{data}" alt="{escape(sentence)}">'
    else:
        inner = _table(content)
    return (
        f'<figure id="{name}"><div class="wide" tabindex="0" role="group">{inner}</div>'
        f"<figcaption>{escape(sentence)}</figcaption></figure>"
    )


def items_of(page: str) -> dict[str, str]:
    """Return the elements of `item_html` in a page by name.

    Examples
    --------
    >>> items = [item_html(name, b"", "Half < whole.") for name in "ab"]
    >>> items_of(page_html("Two", items)) == dict(zip("ab", items, strict=True))
    True
    """
    found = re.findall(r'(<figure id="([^"]*)">.*?</figure>)', page, re.DOTALL)
    return {name: element for element, name in found}


def _head(evaluation: Evaluation, command: Sequence[str]) -> str:
    m = evaluation.metrics
    kind = "simulated" if m["dataset"]["simulated"] else "recorded"
    events = f" of {m['dataset']['events']} events" if m["dataset"]["events"] else ""
    parts = [
        f"<h1>Evaluation on {escape(m['dataset']['name'])}</h1>",
        f"<p>{m['dataset']['records']} {kind} records{events}, split "
        f"{escape(str(m['dataset']['split']))}; {m['n_realizations']} realizations of each, "
        f"seed {m['seed']}. Logarithms are natural; residuals are generated minus recorded.</p>",
        *(f"<p>{escape(sentence)}</p>" for sentence in said_of_records(m["dataset"])),
    ]
    if m["dataset"]["simulated"]:
        parts.append(
            '<p class="note">The data set is simulated: the results do not show how well a model '
            "predicts real earthquakes.</p>"
        )
    parts.append("<h2>Generators and their training data</h2><dl>")
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
    """Return a number with three decimals, or in exponential format if it is smaller."""
    return f"{value:.1e}" if 0 < abs(value) < 5e-4 else f"{value:.3f}"
