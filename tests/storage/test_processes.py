"""Pools of processes: they work, and none outlives a killed parent."""

import os
import signal
import subprocess
import sys
import time

from cgmgm_seis.storage.processes import process_pool

PARENT = """
import os, time
from cgmgm_seis.storage.processes import process_pool

if __name__ == "__main__":
    pool = process_pool(1)
    print(pool.submit(os.getpid).result(), flush=True)
    time.sleep(60.0)
"""


def test_the_initializer_is_called(tmp_path):
    with process_pool(1, os.chdir, (tmp_path,)) as pool:
        assert pool.submit(os.getcwd).result() == str(tmp_path)


def test_processes_end_with_a_killed_parent(tmp_path):
    """Within 10 s of kill -9."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.send_signal(signal.SIGKILL)
    for _ in range(100):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    raise AssertionError(f"process {child} still runs")
