"""Sphinx configuration."""

import importlib.metadata
import json

from cgmgm_seis.models.weights import weights_info

project = "cgmgm-seis"
author = "The cgmgm-seis developers"
version = release = importlib.metadata.version("cgmgm-seis")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx.ext.napoleon"]
myst_enable_extensions = ["amsmath", "dollarmath", "substitution"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"cgmgm-seis {release}"

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_inherit_docstrings = False
napoleon_google_docstring = False
napoleon_use_rtype = False

# The weight cards are printed from the weights themselves, so that the page cannot go stale.


def _rows(values: dict) -> str:
    """Return the rows of a two-column Markdown table."""
    lines = ["| what | value |", "| --- | --- |"]
    for key, value in values.items():
        text = value if isinstance(value, str) else json.dumps(value)
        lines.append(f"| {key.replace('_', ' ')} | {text} |")
    return "\n".join(lines)


def _card(name: str) -> dict[str, str]:
    """Return the tables of named weights: the card, what was measured, the valid ranges."""
    info = weights_info(name)
    card = info["card"]
    flat = {key: value for key, value in card.items() if not isinstance(value, dict)}
    tables = {key: value for key, value in card.items() if isinstance(value, dict)}
    head = _rows({key: info[key] for key in ("name", "model", "version")} | flat)
    sums = [f"| SHA-256 of `{file}` | `{digest}` |" for file, digest in info["sha256"].items()]
    measured = [
        f"**{key.replace('_', ' ').capitalize()}**\n\n{_rows(table)}"
        for key, table in tables.items()
        if key != "ranges"
    ]
    limits = {column: f"{low:.6g} to {high:.6g}" for column, (low, high) in info["ranges"].items()}
    return {
        name: "\n".join([head, *sums]),
        f"{name}_measured": "\n\n".join(measured),
        f"{name}_ranges": _rows(limits),
    }


myst_substitutions = _card("bay_area_evolutionary") | _card("bay_area")
