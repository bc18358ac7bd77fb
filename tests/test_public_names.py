"""The public names of packages: they exist, also for type checkers, and import quickly."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import cgmgm_seis

ROOT = Path(cgmgm_seis.__file__).parent
PACKAGES = {
    ".".join(path.relative_to(ROOT.parent).parent.parts): ast.parse(path.read_text())
    for path in sorted(ROOT.rglob("__init__.py"))
    if "__all__" in path.read_text()
}


@pytest.mark.parametrize("name", PACKAGES)
def test_names_are_there(name):
    package = import_module(name)
    for public in package.__all__:
        assert getattr(package, public) is not None
    assert dir(package) == sorted({*package.__all__} - {"__version__"})
    with pytest.raises(AttributeError, match=f"'{name}' has no attribute 'nothing'"):
        package.nothing  # noqa: B018


@pytest.mark.parametrize("name", PACKAGES)
def test_type_checkers_see_the_same_objects(name):
    package, tree = import_module(name), PACKAGES[name]
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: line.module for line in block.body for alias in line.names}
    assert set(seen) == {*package.__all__} - {"__version__"}
    for public, module in seen.items():
        assert getattr(package, public) is getattr(import_module(module), public)


def test_importing_packages_is_quick():
    code = f"import sys, {', '.join(PACKAGES)}; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert not {"torch", "seisbench", "obspy", "pandas"} & set(loaded.split())
