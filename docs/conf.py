"""Sphinx configuration."""

import importlib.metadata
import pkgutil
import re
from importlib import import_module
from pathlib import Path

from sphinx.application import Sphinx

import cgmgm_seis
from cgmgm_seis.models.weights import weights_info
from cgmgm_seis.models.weights_card import card_sections, ranges_section

project = "cgmgm-seis"
author = "The cgmgm-seis developers"
version = release = importlib.metadata.version("cgmgm-seis")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
]
myst_enable_extensions = ["amsmath", "dollarmath", "substitution"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

# Notebooks are run when they are read; an error in one is an error of the build.
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 600  # of a cell, s; none takes more than 20 s on an idle core

html_theme = "furo"
html_title = f"cgmgm-seis {release}"

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_inherit_docstrings = False
napoleon_google_docstring = False
napoleon_use_rtype = False

# The button copies the code of a session without its prompts and results.
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True

# The weight cards are printed from the weights themselves, so that the page cannot go stale.


def _rows(values: dict[str, str]) -> str:
    """Return the rows of a two-column Markdown table."""
    lines = ["| what | value |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| {key} | {text} |" for key, text in values.items())])


def _card(name: str) -> dict[str, str]:
    """Return the tables of named weights: the card, what was measured, the valid ranges."""
    info = weights_info(name)
    sections = card_sections(info)
    head = _rows({key: info[key] for key in ("name", "model", "version")} | sections.pop("Card"))
    sums = [f"| SHA-256 of `{file}` | `{digest}` |" for file, digest in info["sha256"].items()]
    measured = [f"**{title}**\n\n{_rows(table)}" for title, table in sections.items()]
    return {
        name: "\n".join([head, *sums]),
        f"{name}_measured": "\n\n".join(measured),
        f"{name}_ranges": _rows(ranges_section(info)),
    }


# The page of internals holds every module but what the API page shows, so that none is forgotten.


def _public() -> tuple[set[str], set[str]]:
    """Return the modules, and the module and name of the objects, of the API page."""
    page = (Path(__file__).parent / "api.md").read_text()
    names = set()
    for path in re.findall(r"auto(?:class|function):: (\S+)", page):
        module, _, name = path.rpartition(".")
        names.add(f"{getattr(import_module(module), name).__module__}.{name}")
    return set(re.findall(r"automodule:: (\S+)", page)), names


def _internals(package: str) -> str:
    """Return the directives of the modules of a package."""
    modules, names = _public()
    blocks = []
    root = import_module(f"cgmgm_seis.{package}")
    for info in pkgutil.walk_packages(root.__path__, f"{root.__name__}."):
        module = import_module(info.name)
        own = {
            name
            for name, value in vars(module).items()
            if not name.startswith("_") and getattr(value, "__module__", "") == info.name
        }
        shown = sorted(name for name in own if f"{info.name}.{name}" not in names)
        if shown and info.name not in modules:
            blocks += [f".. rubric:: {info.name}", "", f".. automodule:: {info.name}"]
            blocks += [f"   :members: {', '.join(shown)}", ""]
    return "\n".join(["```{eval-rst}", *blocks, "```"])


_packages = [info.name for info in pkgutil.iter_modules(cgmgm_seis.__path__) if info.ispkg]
myst_substitutions = (
    _card("bay_area_evolutionary")
    | _card("bay_area")
    | _card("bay_area_e")
    | {package: _internals(package) for package in _packages}
)

# Help texts are plain text, where an asterisk is itself and a command stands in single backticks.


def _from_plain_text(_app: Sphinx, _context: object, lines: list[str]) -> None:
    """Turn the lines of a help text into reStructuredText, in place."""
    for number, line in enumerate(lines):
        if not line.startswith(".. "):
            parts = re.split(r"`+([^`]+)`+", line)
            parts[::2] = [part.replace("*", r"\*") for part in parts[::2]]
            parts[1::2] = [f"``{part}``" for part in parts[1::2]]
            lines[number] = "".join(parts)


def _example_block(_app: Sphinx, _context: object, lines: list[str]) -> None:
    """Show the examples after the help of a command as code, in place."""
    code = [f" {line.removeprefix('| ')}" for line in lines if line.strip() and "|   " in line]
    if code:
        lines[:] = ["Examples:", "", ".. code-block:: sh", "", *code, ""]


def setup(app: Sphinx) -> None:
    """Connect what turns Click's help texts into pages."""
    for part in ("description", "options", "arguments"):
        app.connect(f"sphinx-click-process-{part}", _from_plain_text)
    app.connect("sphinx-click-process-epilog", _example_block)
