"""The tutorials run as they are written, from the first block to the last."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from cgmgm_seis_cli.main import main

DOCS = Path(__file__).resolve().parents[1] / "docs"
COMMAND = 'cgmgm-seis() { "$PYTHON" -c "from cgmgm_seis_cli.main import main; main()" "$@"; }'
# Lines without anything that only a shell understands.
COMMANDS = re.compile(r"(cgmgm-seis [^$*?|<>&;#`\\\n]*\n)+")


def run(page, folder, after=""):
    """Run the shell and Python blocks of a page in a folder, which is the current one.

    Commands of the package alone are run in this process: a new one imports for seconds.
    """
    text = (DOCS / page).read_text()
    environment = os.environ | {"PYTHON": sys.executable, "MPLBACKEND": "agg"}
    outputs = []
    for language, block in re.findall(r"```(sh|python)\n(.*?)```", text, flags=re.S):
        block = re.sub(r"\\\n *", "", block)  # one command a line
        if language == "sh" and COMMANDS.fullmatch(block):
            for line in block.splitlines():
                result = CliRunner().invoke(main, shlex.split(line)[1:])
                assert result.exit_code == 0, f"{line}\n{result.output}"
                outputs.append(result.stdout)
            continue
        block = block.replace("python tutorial_archive.py", '"$PYTHON" tutorial_archive.py')
        if language == "sh":
            arguments = ["bash", "-c", f"set -e\n{COMMAND}\n{block}"]
        else:
            arguments = [sys.executable, "-c", block + after]
        done = subprocess.run(
            arguments, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        outputs.append(done.stdout)
    return "".join(outputs)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    shutil.copy(DOCS / "tutorial_archive.py", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_your_own_region(folder):
    said = run("tutorial.md", folder)
    assert "train would" in said and "station_longitude_deg" in said
    assert "m/s at 1" in said
    assert (folder / "report" / "report.html").is_file()
    for name in ("kermadec.png", "map/map_peaks.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_picker_learns(folder):
    said = run("pickers.md", folder, after="assert np.mean(losses[-5:]) < 0.6 * losses[0]\n")
    assert "loss" in said
