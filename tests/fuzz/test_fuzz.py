"""Random command lines and damaged files: one sentence each, and nothing half done.

The number of cases is that of the environment's FUZZ_CASES; 200 take a minute of one core.
"""

import json
import os
import shlex
import tempfile
from pathlib import Path

import pytest
from cases import Cases
from hypothesis import HealthCheck, Phase, given, seed, settings
from strategies import command_lines, damaged_files

pytestmark = pytest.mark.fuzz

CASES, SEED = int(os.environ.get("FUZZ_CASES", "200")), int(os.environ.get("FUZZ_SEED", "1"))
REPLAY = "python tests/fuzz/cases.py"


@pytest.fixture(scope="module")
def cases():
    # Other users may pass through a temporary folder of this kind, but not through pytest's.
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        running = Cases(Path(folder))
        yield running
        running.close()


@pytest.mark.parametrize("strategy", [command_lines, damaged_files])
def test_every_case_succeeds_or_fails_in_one_sentence(cases, strategy, capsys):
    failed = []

    @seed(SEED)
    @settings(
        max_examples=CASES // 2,
        database=None,
        deadline=None,
        # Every case is shown, and none is searched for a smaller one: its seed would be another.
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    @given(strategy())
    def run(case):
        if faults := cases.run(case):
            again = f"{REPLAY} {shlex.quote(json.dumps(case))}"
            failed.append("\n".join([*faults, again]))
            with capsys.disabled():
                print(f"\n{failed[-1]}", flush=True)

    run()
    assert not failed, f"{len(failed)} of {CASES // 2} cases failed:\n" + "\n\n".join(failed)
