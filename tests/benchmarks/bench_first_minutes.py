"""Measure what a new user waits for: an installation, the first records, map and evaluation.

    python tests/benchmarks/bench_first_minutes.py [PYTHON]

Makes a virtual environment, installs the checkout as the quickstart says, and runs the first of its
commands of every kind in an empty folder.  Prints seconds of wall and processor time, and ends with
an error if a command takes more than a minute of processor time.  The wall time of the
installation is that of the downloads, and on a shared machine also that of others.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOST_S = 60.0
STEPS = {
    "first record section": "generate",
    "recorded earthquake": "example pleasant-hill",
    "data set": "dataset from-records",
    "first map": "grid",
    "first evaluation": "evaluate",
}


def commands() -> dict[str, list[str]]:
    """Return the words of the first command of every kind in the quickstart."""
    page = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
    lines = re.findall(r"^cgmgm-seis (.*)", re.sub(r"\\\n *", "", page), flags=re.M)
    return {
        step: next(line for line in lines if f"{line} ".startswith(f"{kind} ")).split()
        for step, kind in STEPS.items()
    }


def timed(step: str, command: list[str], folder: Path, environment: dict[str, str]) -> float:
    """Run a command, print its times, and return seconds of processor time."""
    before, begin = os.times(), time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    after, end = os.times(), time.perf_counter()
    if done.returncode:
        sys.exit(f"{step}: {done.stdout}{done.stderr}")
    processor = sum(after[2:4]) - sum(before[2:4])
    print(f"{end - begin:7.1f} s wall {processor:7.1f} s processor  {step}", flush=True)
    return processor


def main(python: str) -> None:
    """Install and run."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {key: text for key, text in os.environ.items() if key != "PYTHONPATH"}
        environment["SEISBENCH_CACHE_ROOT"] = str(folder / "seisbench")
        timed("virtual environment", [python, "-m", "venv", str(folder / "env")], ROOT, environment)
        scripts = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
        install = [str(scripts / "pip"), "install", "-q", "-c", "constraints.txt", "."]
        seconds = {"installation": timed("installation", install, ROOT, environment)}
        for step, words in commands().items():
            command = [str(scripts / "cgmgm-seis"), *words]
            seconds[step] = timed(step, command, folder, environment)
        size = sum(path.lstat().st_size for path in (folder / "env").rglob("*") if path.is_file())
        print(f"The environment takes {size / 1e9:.1f} GB.")
        if slow := [step for step, value in seconds.items() if value > MOST_S]:
            sys.exit(f"More than {MOST_S:g} s of processor time: {', '.join(slow)}.")


if __name__ == "__main__":
    main(*sys.argv[1:] or [sys.executable])
