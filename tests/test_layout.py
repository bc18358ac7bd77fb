"""The order in which packages may import each other, and how much stands at the top."""

import ast
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "cgmgm_seis"
# A package imports from those in rows above its own; packages of one row do not form circles.
ORDER = (
    ("errors",),
    ("storage",),
    ("scenario", "measures"),
    ("models", "gmm"),
    ("simulator", "datasets", "output"),
    ("training",),
    ("tuning", "evaluation", "grid"),
    ("serve",),
    ("reproduction",),
    ("cli",),
)
ROW = {name: row for row, names in enumerate(ORDER) for name in names}
MOST_ENTRIES, MOST_LINES = 18, 500


def modules():
    """Yield the name and tree of every module of the package and of its commands."""
    for path in sorted(ROOT.rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        yield name.removesuffix(".__init__").removesuffix("__init__"), ast.parse(path.read_text())
    for path in sorted((ROOT.parent / "cli").glob("*.py")):
        yield f"cli.{path.stem}", ast.parse(path.read_text())


def imported(tree):
    """Yield the modules of the package that a tree imports when it is run."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cgmgm_seis."):
            for alias in node.names:
                yield f"{node.module}.{alias.name}".removeprefix("cgmgm_seis.")


NAMES = {name for name, _ in modules()}


def known(target):
    """Return the module that an import names."""
    while target and target not in NAMES:
        target = target.rpartition(".")[0]
    return target


@pytest.fixture(scope="module")
def imports():
    """Module to the modules that it imports."""
    found = {}
    for name, tree in modules():
        if name:
            found[name] = {known(target) for target in imported(tree)} - {"", name}
    return found


def test_packages_import_from_those_before_them(imports):
    wrong = [
        f"{name} imports {target}"
        for name, targets in imports.items()
        for target in targets
        if ROW[target.split(".")[0]] > ROW[name.split(".")[0]]
    ]
    assert not wrong


def test_no_package_imports_itself_in_a_circle(imports):
    packages = {}
    for name, targets in imports.items():
        package = name.split(".")[0]
        packages.setdefault(package, set()).update(
            target.split(".")[0] for target in targets if target.split(".")[0] != package
        )
    assert list(TopologicalSorter(packages).static_order())


def test_no_module_imports_itself_in_a_circle(imports):
    lazy = {name for name in imports if (ROOT / name.replace(".", "/") / "__init__.py").exists()}
    plain = {name: targets - lazy for name, targets in imports.items() if name not in lazy}
    assert list(TopologicalSorter(plain).static_order())


def test_order_is_that_of_contributing():
    text = (ROOT.parent / "CONTRIBUTING.md").read_text()
    places = [
        text.index(f"`{name}/`") for row in ORDER[1:-1] for name in row if f"`{name}/`" in text
    ]
    assert len(places) == sum(len(row) for row in ORDER[1:-1])
    assert all(first < second for first, second in pairwise(places))


def test_few_entries_at_the_top_and_no_long_file():
    entries = [path.name for path in ROOT.iterdir() if path.name != "__pycache__"]
    assert len(entries) <= MOST_ENTRIES, sorted(entries)
    long = {
        path.name: lines
        for path in [*ROOT.rglob("*.py"), *(ROOT.parent / "cli").glob("*.py")]
        if (lines := len(path.read_text().splitlines())) > MOST_LINES
    }
    assert not long
