"""A killed command, run again, gives what an undisturbed one gives; `make kill` has all of them."""

import random
import tempfile
from pathlib import Path

import pytest
from kill import Command, Runner, at_operation

pytestmark = pytest.mark.fuzz


@pytest.fixture(scope="module")
def runner():
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory(prefix="kill-") as folder,
    ):
        yield Runner(Path(folder), patch.setattr)


@pytest.mark.parametrize("name", ["train cgmgm", "from-seisbench"])
def test_a_killed_command_is_run_again(runner, name):
    command = Command(runner, name)
    rng = random.Random(2)
    for number in rng.sample(range(1, command.operations), 2):
        was_killed, faults = command.kill(at_operation(runner.work, number))
        assert was_killed, number
        assert not faults, f"killed at operation {number} of {command.operations}"
