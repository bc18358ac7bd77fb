"""Random command lines and damaged files: one sentence each, and nothing half done.

`long_run.py` runs more of them.
"""

import os
import tempfile
from pathlib import Path

import pytest
from cases import Cases
from long_run import again
from strategies import command_lines, damaged_files, drawn

pytestmark = pytest.mark.fuzz

CASES, SEED = int(os.environ.get("FUZZ_CASES", "200")), 1


@pytest.fixture(scope="module")
def cases():
    # Other users may pass through a temporary folder of this kind, but not through pytest's.
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        running = Cases(Path(folder))
        yield running
        running.close()


@pytest.mark.parametrize("strategy", [command_lines, damaged_files])
def test_every_case_succeeds_or_fails_in_one_sentence(cases, strategy):
    failed = []
    for case in drawn(strategy, CASES // 2, SEED):
        if faults := cases.run(case)["faults"]:
            failed.append("\n".join([*faults, again(case)]))
    assert not failed, f"{len(failed)} of {CASES // 2} cases failed:\n" + "\n\n".join(failed)
