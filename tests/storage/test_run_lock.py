"""The lock of a run folder: one process at a time, named in the error, free after a kill."""

import json
import os
import re
import socket
import subprocess
import sys

import pytest
from filelock import SoftFileLock

from cgmgm_seis.errors import OutputError
from cgmgm_seis.storage.files import write_file
from cgmgm_seis.storage.folders import check_name, is_free, lock_output
from cgmgm_seis.storage.run_lock import run_lock

HOLDER = """
import sys
from pathlib import Path
from cgmgm_seis.storage.run_lock import run_lock
folder = Path(sys.argv[1])
with run_lock(folder):
    (folder / ".part-dead").write_text("half")
    print("held", flush=True)
    sys.stdin.read()
"""
WRITER = """
import sys
from pathlib import Path
from cgmgm_seis.storage.files import write_file
for number in range(200):
    write_file(Path(sys.argv[1]), sys.argv[2].encode() * 500_000)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of the folder run."""
    pipe = subprocess.PIPE
    arguments = [sys.executable, "-c", HOLDER, str(tmp_path / "run")]
    with subprocess.Popen(arguments, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_lock_says_who_holds_it_and_ends_with_a_kill(holder, tmp_path):
    run = tmp_path / "run"
    who = rf"run is being written by process {holder.pid} on {re.escape(socket.gethostname())}"
    text = who + r" since \d{4}-\d\d-\d\dT.*; wait until it ends"
    with pytest.raises(OutputError, match=text), run_lock(run):
        pass
    assert (run / ".part-dead").exists()
    holder.kill()
    holder.wait()
    assert is_free(run)  # what the killed process left does not count
    with run_lock(run):
        assert not (run / ".part-dead").exists()
        assert json.loads((run / ".lock.json").read_text())["process"] == os.getpid()
        (run / "result").write_text("mine")
    assert [path.name for path in run.iterdir()] == ["result"]


def test_what_a_killed_process_left_of_its_lock_goes(tmp_path):
    """The hidden folder beside an output holds nothing but the lock."""
    left = tmp_path / ".out.lock"
    left.mkdir()
    (left / ".lock").write_text("")
    (left / ".lock.json").write_text("{}")
    with lock_output(tmp_path / "out"):
        pass
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    with run_lock(tmp_path / "mine"):
        pass
    assert (tmp_path / "mine").is_dir()  # a folder of the user stays


def test_where_files_cannot_be_locked_the_lock_is_a_file(tmp_path, monkeypatch):
    """As on systems without fcntl, where filelock takes its other kind of lock."""
    monkeypatch.setattr("cgmgm_seis.storage.run_lock.FileLock", SoftFileLock)
    text = f"process {os.getpid()} on"
    run = tmp_path / "run"
    with run_lock(run), pytest.raises(OutputError, match=text), run_lock(run):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_stays_empty_is_removed_with_its_parents(tmp_path):
    with pytest.raises(ZeroDivisionError), run_lock(tmp_path / "a" / "b"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"), run_lock(tmp_path / "file" / "x"):
        pass


def test_parts_of_a_work_do_not_wait_for_each_other(tmp_path):
    out = tmp_path / "out"
    with (
        lock_output(out, part="1-of-2"),
        lock_output(out, part="2-of-2"),
        pytest.raises(OutputError, match="out is being written"),
        lock_output(out, part="2-of-2"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_two_writers_of_one_file_never_show_half_of_it(tmp_path):
    path = tmp_path / "file"
    write_file(path, b"a" * 500_000)
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), letter]) for letter in "ab"
    ]
    reads = 0
    while any(writer.poll() is None for writer in writers) or reads < 10:
        content = path.read_bytes()
        assert len(content) == 500_000 and len(set(content)) == 1
        reads += 1
    assert [writer.returncode for writer in writers] == [0, 0]
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_names_that_no_folder_can_have(tmp_path):
    for path, text in (
        ("/", "must end with a name"),
        ("a/..", "must end with a name"),
        ("x" * 250, r"name '.{77} \.\.' has 250 bytes and must have at most 200"),
        ("a/" * 1500 + "b", r"path '.{77} \.\.' has \d+ bytes and must have at most 900"),
    ):
        with pytest.raises(OutputError, match=text):
            check_name(type(tmp_path)(path))
    check_name(tmp_path)


def test_an_empty_lock_beside_an_output_is_left_by_a_killed_process(tmp_path):
    """It was killed just before it removed the folder; an empty folder of a user stays."""
    beside, users = tmp_path / ".out.lock", tmp_path / "users"
    beside.mkdir()
    users.mkdir()
    with run_lock(beside, tmp_path / "out"), run_lock(users):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["users"]
