"""Ctrl-C in a grid: at once, in one sentence, without the workers' tracebacks."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("slow_job.py")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals of process groups")
def test_ctrl_c_stops_the_workers_and_says_how_to_go_on(tmp_path):
    pipe = subprocess.PIPE
    # A terminal interrupts the whole group of processes.
    arguments = [sys.executable, str(PROGRAM), str(tmp_path)]
    with subprocess.Popen(
        arguments, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        while len(began := list(tmp_path.glob("began-*"))) < 2:
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        pressed = time.monotonic()
        said, complaints = process.communicate(timeout=30.0)
    assert time.monotonic() - pressed < 10.0  # of tasks that take 60 s
    assert said == f"Interrupted; {tmp_path} keeps the finished chunks, and the same command " + (
        "continues.\n"
    )
    assert complaints == ""
    # Workers ignore it from their beginning, before they have imported anything.
    assert {path.read_text() for path in began} == {"SIG_IGN"}
