"""SeisBench without a home folder that can be written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cgmgm_seis.storage.seisbench_cache import VARIABLE, fault_of


def start(code, **variables):
    """Run Python with other environment variables."""
    own = {name: value for name, value in os.environ.items() if name != VARIABLE}
    return subprocess.run(
        [sys.executable, "-c", code], env=own | variables, capture_output=True, text=True
    )


@pytest.mark.parametrize("variable", ["HOME", VARIABLE])
def test_a_folder_that_cannot_be_written(variable, tmp_path):
    """A file in its place cannot be written by root either."""
    file = tmp_path / "file"
    file.touch()
    code = "import cgmgm_seis, seisbench; print(seisbench.cache_root, seisbench.config)"
    done = start(code, **{variable: str(file)})
    assert done.returncode == 0, done.stderr
    folder = done.stdout.split()[0]
    assert "dimension_order" in done.stdout and not Path(folder).exists()
    root = file / ".seisbench" if variable == "HOME" else file
    assert done.stderr == (
        f"SeisBench cannot use {root} ({'Not a directory' if variable == 'HOME' else 'File exists'}"
        f"); {folder} is used until this process ends; set {VARIABLE} to a folder that you can "
        "write to.\n"
    )


def test_a_home_that_can_be_written_is_used(tmp_path):
    code = "import cgmgm_seis, seisbench; print(seisbench.cache_root)"
    done = start(code, HOME=str(tmp_path))
    assert (done.stdout, done.stderr) == (f"{tmp_path}/.seisbench\n", "")


def test_settings_that_a_full_disk_left_empty(tmp_path):
    assert fault_of(tmp_path / "new") == ""
    (tmp_path / "config.json").touch()
    assert fault_of(tmp_path) == "config.json is damaged"
    (tmp_path / "config.json").write_text("{}")
    assert fault_of(tmp_path) == ""
