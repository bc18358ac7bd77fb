"""Sphinx configuration."""

import importlib.metadata
import json

from cgmgm_seis.pretrained import weights_info

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

# The weight card is printed from the weights themselves, so that the page cannot go stale.
_info = weights_info("bay_area")


def _rows(values: dict) -> str:
    """Return the rows of a two-column Markdown table."""
    lines = ["| what | value |", "| --- | --- |"]
    for key, value in values.items():
        text = value if isinstance(value, str) else json.dumps(value)
        lines.append(f"| {key.replace('_', ' ')} | {text} |")
    return "\n".join(lines)


_flat = {key: value for key, value in _info["card"].items() if not isinstance(value, dict)}
_tables = {key: value for key, value in _info["card"].items() if isinstance(value, dict)}
myst_substitutions = {
    "card": "\n".join(
        [
            _rows({key: _info[key] for key in ("name", "model", "version")} | _flat),
            *(f"| SHA-256 of `{name}` | `{digest}` |" for name, digest in _info["sha256"].items()),
        ]
    ),
    "card_tables": "\n\n".join(
        f"**{name.replace('_', ' ').capitalize()}**\n\n{_rows(table)}"
        for name, table in _tables.items()
        if name != "ranges"
    ),
    "card_ranges": _rows(
        {column: f"{low:.6g} to {high:.6g}" for column, (low, high) in _info["ranges"].items()}
    ),
}
