"""The gallery shows every figure of the documentation, and names a script that exists."""

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"


def test_the_gallery_shows_every_figure():
    shown = re.findall(r"\{figure\} figures/(\S+)\n", (DOCS / "gallery.md").read_text("utf-8"))
    assert sorted(shown) == sorted(path.name for path in (DOCS / "figures").glob("*.png"))


def test_figures_are_made_by_scripts_that_exist_and_used_by_a_page():
    text = (DOCS / "gallery.md").read_text("utf-8")
    scripts = set(re.findall(r"`python (docs/\S+\.py)", text))
    assert scripts and all((DOCS.parent / script).is_file() for script in scripts)
    pages = [path.read_text("utf-8") for path in DOCS.glob("*.md") if path.name != "gallery.md"]
    pages.append((DOCS.parent / "README.md").read_text("utf-8"))
    for figure in (DOCS / "figures").glob("*.png"):
        assert any(f"figures/{figure.name}" in page for page in pages), figure.name
