"""What is distributed: the sdist has all that documentation and tests need, the wheel the data."""

import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# Of the checkout; what lies there beside them, such as environments, does not matter.
PARTS = ("cgmgm_seis", "cli", "tests", "docs", ".ci")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the checkout, since a build writes into it."""
    folder = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns("__pycache__", "_build")
    for name in PARTS:
        if not (ROOT / name).exists():
            pytest.skip(f"{name} is not beside the tests")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for path in ROOT.iterdir():
        if path.is_file() and path.name != ".git":
            shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def contents(checkout):
    """Names of the files in the sdist."""
    code = "from setuptools import build_meta; print(build_meta.build_sdist('.'))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=checkout, capture_output=True, text=True
    )
    if "No module named 'setuptools'" in done.stderr:
        pytest.skip("setuptools is not installed")
    assert done.returncode == 0, done.stderr
    with tarfile.open(checkout / done.stdout.split()[-1]) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def test_the_sdist_is_the_checkout(contents, checkout):
    files = {
        path.relative_to(checkout).as_posix()
        for name in PARTS
        for path in (checkout / name).rglob("*")
        if path.is_file()
    }
    assert not files - contents
    named = "CHANGELOG.md CITATION.cff CONTRIBUTING.md LICENSE README.md Makefile constraints.txt"
    assert {*named.split(), "MANIFEST.in", ".readthedocs.yaml"} <= contents
    assert {"tests/lowest.txt", "tests/conftest.py", "tests/small_datasets.py"} <= contents
    assert not [name for name in contents if name.endswith(".pyc")]


def requirements(lines):
    """Return name and version of lines such as ``click>=8.2``."""
    found = (re.match(r"[\s\"-]*([\w-]+)\s*[>=]=\s*([\d.]+)", line) for line in lines)
    return {match[1]: match[2] for match in found if match}


def numbers(versions):
    """Return versions without zeros at their ends, which say nothing."""
    return {name: re.sub(r"(\.0)+$", "", version) for name, version in versions.items()}


def test_the_lowest_versions_are_those_of_the_project():
    lowest = requirements(PROJECT["project"]["dependencies"])
    tested = requirements((ROOT / "tests" / "lowest.txt").read_text().splitlines())
    assert numbers(tested) == numbers(lowest)
    recipe = (ROOT / "docs" / "packaging" / "recipe.yaml").read_text()
    conda = requirements(recipe.partition("  run:")[2].partition("tests:")[0].splitlines())
    names = {"matplotlib-base": "matplotlib", "pytorch": "torch"}
    conda = {names.get(name, name): version for name, version in conda.items()}
    assert conda.pop("python") == PROJECT["project"]["requires-python"].removeprefix(">=")
    assert numbers(conda) == numbers(lowest)
    assert f"version: {PROJECT['project']['version']}" in recipe


def test_pinned_versions_are_allowed():
    pinned = requirements((ROOT / "constraints.txt").read_text().splitlines())
    for name, low in requirements(PROJECT["project"]["dependencies"]).items():
        release = [[int(part) for part in text.split(".")] for text in (pinned[name], low)]
        assert release[0] >= release[1], name


def test_every_package_and_its_data_are_distributed(checkout):
    packages = {
        ".".join(path.parent.relative_to(checkout).parts)
        for path in (checkout / "cgmgm_seis").rglob("__init__.py")
    }
    listed = set(PROJECT["tool"]["setuptools"]["packages"])
    assert listed == packages | {"cgmgm_seis_cli"}
    data = PROJECT["tool"]["setuptools"]["package-data"]
    found = {
        path
        for package, patterns in data.items()
        for pattern in patterns
        for path in (checkout / package.replace(".", "/")).glob(pattern)
    }
    others = {
        path
        for path in (checkout / "cgmgm_seis").rglob("*")
        if path.is_file() and path.suffix != ".py"
    }
    assert not others - found
