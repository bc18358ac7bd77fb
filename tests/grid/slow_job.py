"""A job whose tasks take a minute, for processes of their own that are interrupted."""

import signal
import sys
import time
from pathlib import Path

from tqdm.auto import tqdm

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.grid.synthesis import draw_tasks, local_engine

# When a worker imports this file, its initializer has not run yet.
AT_IMPORT = signal.getsignal(signal.SIGINT)


class SlowJob:
    n_realizations = 1

    def __init__(self, folder):
        self.folder = folder
        self.tasks = [(0, 1), (1, 2), (2, 3)]

    def load(self, first, last):
        return None

    def run(self, first, last):
        with tqdm(disable=True):  # as in `sample`
            (self.folder / f"began-{first}").write_text(AT_IMPORT.name)
            time.sleep(60.0)
        return {}


if __name__ == "__main__":
    from slow_job import SlowJob as Imported

    # A test run in the background of a shell ignores Ctrl-C, and its processes inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        draw_tasks(Imported(Path(sys.argv[1])), local_engine(2))
    except CgmgmError as error:
        print(error)
