"""Times that are told before a job begins, against the time that it takes."""

import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cgmgm_seis import source
from cgmgm_seis.grid.duration import duration_text, expected_seconds, expected_time
from cgmgm_seis.grid.nodes import grid_nodes
from cgmgm_seis.grid.synthesis import draw_tasks
from cgmgm_seis.grid.tasks import NodeTasks

NODES = grid_nodes((-122.5, -121.8, 37.27, 38.07), (10, 10))


@dataclass(frozen=True)
class Job(NodeTasks):
    """A job whose tasks and records take known times, after a first record that takes longer."""

    folder: Path
    seconds: float = 0.001
    shared: float = 0.0
    n_realizations: int = 5
    task_records: int = 50
    source = source(3.9, 37.861, -122.257, 7.9)
    nodes = NODES
    labels = ("pgv",)

    @property
    def identity(self):
        return {"kind": "known"}

    about = identity

    def run(self, first, last):
        loading = 0.2 if self.n_realizations * (last - first) == 1 else 0.0
        time.sleep(loading + self.shared + self.seconds * self.n_realizations * (last - first))
        self.chunks.save(first, last, values=np.zeros(1))
        return {}

    def model_statistics(self, found):
        raise NotImplementedError


@pytest.mark.parametrize("shared", [0.0, 0.1])
def test_the_time_is_right_within_a_factor_of_two(tmp_path, shared):
    """Also if most of it is shared by the records of a task, however few they are."""
    job = Job(tmp_path / "chunks", shared=shared)
    told = expected_seconds(job, 100)
    assert not job.folder.exists()
    began = time.perf_counter()
    draw_tasks(job)
    took = time.perf_counter() - began
    assert 0.5 < told / took < 2.0


@pytest.mark.parametrize(
    ("seconds", "processes", "words"),
    [
        (0.1, 2, r"^100 nodes x 5 realizations: about (2\d|3\d) s on 2 processes\.$"),
        # There are only ten tasks.
        (0.4, 64, r"^100 nodes x 5 realizations: about 2\d s on 10 processes\.$"),
        (0.1, None, r"^100 nodes x 5 realizations: about (5\d|6\d) s on one core\.$"),
    ],
)
def test_what_is_told(tmp_path, seconds, processes, words):
    assert re.match(words, expected_time([Job(tmp_path, seconds)], processes))


def test_finished_tasks_and_other_shards_are_not_counted(tmp_path):
    job = Job(tmp_path, 0.1)
    for task in job.tasks[:4]:
        job.chunks.save(*task, values=np.zeros(1))
    assert expected_time([job], 1).startswith("60 nodes x 5 realizations")
    # Every second task, of which two are finished.
    other = Job(tmp_path, 0.1, n_realizations=10, task_records=100)
    assert expected_time([other], 1, (1, 2)).startswith("30 nodes x 10 realizations: about 30 s")


def test_of_seconds_nothing_is_told(tmp_path):
    assert expected_time([Job(tmp_path, 0.001)], 1) is None
    # Nothing is drawn for a few records.
    assert expected_time([Job(tmp_path, 1e6, n_realizations=1)], 1) is None


def test_units_of_durations():
    assert duration_text(10_800.0) == "3 h"
    assert duration_text(0.2) == "1 s"
