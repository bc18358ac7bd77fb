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
    recipe = conda_recipe()
    conda = requirements(recipe.partition("  run:")[2].partition("tests:")[0].splitlines())
    names = {"matplotlib-base": "matplotlib", "pytorch": "torch"}
    conda = {names.get(name, name): version for name, version in conda.items()}
    conda.pop("python", None)
    assert numbers(conda) == numbers(lowest)


def conda_recipe():
    """Return the text of the recipe, with the values of its context in place."""
    text = (ROOT / "docs" / "packaging" / "recipe.yaml").read_text("utf-8")
    context = text.partition("context:")[2].partition("\n\n")[0]
    for name, value in re.findall(r'(\w+): "?([^"\n]+)', context):
        text = text.replace(f"${{{{ {name} }}}}", value)
    return text


def test_the_conda_recipe_is_that_of_the_project():
    recipe, project = conda_recipe(), PROJECT["project"]
    lowest_python = project["requires-python"].removeprefix(">=")
    assert f"\n  version: {project['version']}\n" in recipe
    assert f"    - python {lowest_python}.*\n" in recipe
    assert f"    - python >={lowest_python}\n" in recipe
    (build,) = requirements(PROJECT["build-system"]["requires"]).items()
    assert f"    - {build[0]} >={build[1]}\n" in recipe
    for name, target in project["scripts"].items():
        assert f"      - {name} = {target}\n" in recipe
    assert f"license: {project['license']}\n" in recipe
    assert f"homepage: {project['urls']['Paper']}\n" in recipe
    # Of ObsPy's plugins and the like, pip installs the entry points.
    assert "pip install . -vv --no-deps" in recipe


def test_pythons_are_those_that_ci_runs():
    minors = {
        text.rpartition(" ")[2]
        for text in PROJECT["project"]["classifiers"]
        if re.search(r":: 3\.\d+$", text)
    }
    assert min(minors) == PROJECT["project"]["requires-python"].removeprefix(">=")
    workflow = ROOT / ".github" / "workflows" / "tests.yml"
    if workflow.is_file():  # the sdist has none
        matrix = re.search(r"python-version: \[(.*)\]", workflow.read_text("utf-8"))[1]
        assert set(matrix.replace('"', "").split(", ")) == minors
    for name in (".readthedocs.yaml", "docs/packaging/Dockerfile"):
        (version,) = re.findall(r'python: ?"?(3\.\d+)', (ROOT / name).read_text("utf-8"))
        assert version in minors


def test_torch_for_the_cpu_is_installed_from_one_place():
    pages = ("README.md", "docs/install.md", "docs/packaging/Dockerfile", ".readthedocs.yaml")
    for page in pages:
        text = re.sub(r"\\\n *", "", (ROOT / page).read_text("utf-8"))
        assert re.search(r"pip install [^\n]*https://download\.pytorch\.org/whl/cpu", text), page


def test_the_image_is_built_and_runs(checkout):
    if shutil.which("docker") is None:
        pytest.skip("docker is not installed")
    if subprocess.run(["docker", "info"], capture_output=True, timeout=60).returncode:
        pytest.skip("docker has no daemon here")
    build = ["docker", "build", "--quiet", "-f", "docs/packaging/Dockerfile", "."]
    built = subprocess.run(build, cwd=checkout, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    command = ["docker", "run", "--rm", built.stdout.strip(), "weights", "list"]
    said = subprocess.run(command, capture_output=True, text=True)
    assert "bay_area_evolutionary" in said.stdout, said.stderr


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
