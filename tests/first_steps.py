"""Run every kind of command once, as a new user would, and print the seconds that each takes.

    python tests/first_steps.py

It needs the installed package only, runs in a temporary folder, and ends with an error if a command
fails or takes more than a minute.  CI runs it with the newest and with the lowest versions of all
requirements (tests/lowest.txt).
"""

import os
import subprocess
import sys
import tempfile
import time

MOST_S = 60.0
SOURCE = ("--mag", "4.5", "--src", "37.938,-122.057")
SMALL = ("--device", "cpu", "-q")
STEPS = {
    "help": ("--help",),
    "first record section": ("generate", *SOURCE),
    "first map": (
        *("grid", *SOURCE, "--region", "-122.3,-121.9,37.8,38.1", "--shape", "8x8"),
        *("-n", "4", "--out", "maps"),
    ),
    "data set": ("dataset", "simulate", "--events", "20", "--out", "catalogue", "-q"),
    "summary": ("dataset", "info", "catalogue"),
    "first training": (
        *("train", "catalogue", "--model", "cgmgm", "--epochs", "1", "--out", "run", *SMALL),
    ),
    "first search": (
        *("tune", "catalogue", "--model", "cgmgm", "--trials", "1", "--epochs", "1"),
        *("--out", "search", *SMALL),
    ),
    "first evaluation": (
        *("evaluate", "catalogue", "--weights", "run/cgmgm", "-n", "2", "--picker", "none"),
        *("--classifiers", "0", "--no-gmms", "--no-scaling", "--out", "evaluated", *SMALL),
    ),
    "weights": ("weights", "pack", "run/cgmgm", "--license", "CC-BY-4.0", "--name", "mine"),
    "installed weights": ("weights", "add", "mine-v1.zip"),
    "their records": ("generate", "--weights", "mine", *SOURCE, "--extrapolate", "--out", "again"),
}


def main() -> None:
    """Run the commands in order."""
    slow = []
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "SEISBENCH_CACHE_ROOT": os.path.join(folder, "seisbench")}  # noqa: PTH118
        for name, arguments in STEPS.items():
            begin = time.perf_counter()
            command = [sys.executable, "-m", "cgmgm_seis", *arguments]
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True
            )
            seconds = time.perf_counter() - begin
            print(f"{seconds:6.1f} s  {name}: {' '.join(arguments)}", flush=True)
            if done.returncode:
                sys.exit(done.stdout + done.stderr)
            if seconds > MOST_S:
                slow.append(name)
    if slow:
        sys.exit(f"More than {MOST_S:g} s: {', '.join(slow)}.")


if __name__ == "__main__":
    main()
