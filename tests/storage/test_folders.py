"""Output folders: complete or absent, and what a killed process leaves behind."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from cgmgm_seis.errors import OutputError
from cgmgm_seis.storage.folders import PROVENANCE_FILE, complete_folder


def begin(folder, overwrite, ready):
    """Begin to write a folder, and wait to be killed."""
    with complete_folder(folder, overwrite) as temporary:
        (temporary / "half").write_text("half")
        ready.set()
        signal.pause()


@pytest.fixture
def beginner(tmp_path):
    """A process that is writing the folder out."""
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=begin, args=(tmp_path / "out", True, ready))
    process.start()
    assert ready.wait(120.0)
    yield process
    process.kill()
    process.join()


def write(folder, text, overwrite=False):
    with complete_folder(folder, overwrite) as temporary:
        (temporary / PROVENANCE_FILE).write_text(text)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_a_killed_process_left_goes_and_what_another_is_writing_stays(beginner, tmp_path):
    write(tmp_path / "out", "mine")
    assert len(names(tmp_path)) == 2
    os.kill(beginner.pid, signal.SIGKILL)
    beginner.join()
    assert len(names(tmp_path)) == 2
    write(tmp_path / "out", "again", overwrite=True)
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out" / PROVENANCE_FILE).read_text() == "again"


def test_a_folder_put_aside_by_a_killed_process_comes_back(tmp_path):
    """Killed between two renames: the old folder has no name and the new one not yet."""
    write(tmp_path / "out", "old")
    (tmp_path / "out").rename(tmp_path / ".out-1.old")
    (tmp_path / ".out-1.part").mkdir()
    with pytest.raises(OutputError, match="already exists"):
        write(tmp_path / "out", "new")
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out" / PROVENANCE_FILE).read_text() == "old"


def test_a_folder_put_aside_after_the_new_one_was_complete_goes(tmp_path):
    write(tmp_path / "out", "new")
    (tmp_path / ".out-1.old").mkdir()
    with pytest.raises(OutputError, match="already exists"):
        write(tmp_path / "out", "newer")
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out" / PROVENANCE_FILE).read_text() == "new"


def test_other_folders_stay(tmp_path):
    for name in (".other-1.part", ".out.chunks", ".out-1.part.txt"):
        (tmp_path / name).mkdir()
    write(tmp_path / "out", "new")
    assert names(tmp_path) == [".other-1.part", ".out-1.part.txt", ".out.chunks", "out"]


def test_a_folder_has_a_name():
    with pytest.raises(OutputError, match="must end with a name"), complete_folder(Path("/"), True):
        pass
