"""Pages run as they are written, in an empty folder, with nothing but the wheel."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
SOURCES = ("cgmgm_seis", "cli", "pyproject.toml", "README.md", "LICENSE")
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
MOST_BYTES = 5.5e6


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of the sources, for setuptools writes beside them."""
    folder = tmp_path_factory.mktemp("wheel")
    (folder / "sources").mkdir()
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / "sources" / name)
    command = [sys.executable, "-c", BUILD, str(folder)]
    subprocess.run(command, cwd=folder / "sources", capture_output=True, check=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def package(wheel, tmp_path_factory):
    """The unpacked wheel."""
    folder = tmp_path_factory.mktemp("package")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def run(package, tmp_path):
    """Return a function that runs a page in an empty folder and returns what it prints."""

    def run_page(page, after=""):
        environment = os.environ | {"PYTHONPATH": str(package), "MPLBACKEND": "agg"}
        done = subprocess.run(
            [sys.executable, str(ROOT / "tests" / "run_page.py"), str(page), str(package), after],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    return run_page


def test_the_wheel_is_small_and_has_the_example(wheel, package):
    assert wheel.stat().st_size < MOST_BYTES
    example = package / "cgmgm_seis" / "datasets" / "data" / "pleasant_hill"
    original = ROOT / example.relative_to(package)
    files = sorted(path.relative_to(original) for path in original.rglob("*.*"))
    assert len(files) == 14
    assert [(example / name).read_bytes() for name in files] == [
        (original / name).read_bytes() for name in files
    ]


def commands(page):
    """Return the commands of the package on a page, without what stands before and after them."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)
    text = re.sub(r"\\\n *", "", "".join(blocks))
    return set(re.findall(r"cgmgm-seis [^&\n]*[^&\s]", text))


def test_the_commands_of_the_readme_are_those_of_the_quickstart():
    assert len(commands(ROOT / "README.md")) == 4
    assert commands(ROOT / "README.md") <= commands(DOCS / "quickstart.md")


def test_the_code_of_the_readme():
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    names = {}
    exec(code, names)
    assert len(names["stream"]) == 9


@pytest.mark.slow
def test_first_steps(run, tmp_path):
    said = run(DOCS / "quickstart.md")
    assert "8 records of 1 earthquakes" in said or "11 records of 1 earthquakes" in said
    names = ("cgmgm-output/record_section", "compare/generated_and_observed", "map/map_peaks")
    for name in names:
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert "bay_area_evolutionary" in (tmp_path / "report" / "report.html").read_text()


@pytest.mark.slow
def test_your_own_region(run, tmp_path):
    said = run(DOCS / "tutorial.md")
    assert "train would" in said and "station_longitude_deg" in said
    assert "trained on: simulated records (data set kermadec)" in said
    assert "m/s at 1" in said
    assert "simulated records of" in (tmp_path / "report" / "report.html").read_text()
    for name in ("kermadec.png", "map/map_peaks.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_picker_learns(run):
    said = run(DOCS / "pickers.md", "assert np.mean(losses[-5:]) < 0.6 * losses[0]")
    assert "loss" in said
