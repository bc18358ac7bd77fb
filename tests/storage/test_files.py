"""Single files: complete or absent, errors of one sentence, locks."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import obspy
import pytest

from cgmgm_seis.errors import CgmgmError, DatasetError, OutputError, reason_of
from cgmgm_seis.storage.array_files import read_arrays, write_arrays
from cgmgm_seis.storage.files import hidden, link_file, sha256, write_file
from cgmgm_seis.storage.folders import (
    check_new,
    check_place,
    check_resumable,
    complete_folder,
    is_free,
)
from cgmgm_seis.storage.json_files import json_bytes, read_json
from cgmgm_seis.storage.locks import try_lock
from cgmgm_seis.storage.obspy_bytes import read_stream, to_bytes

HOLDER = """
import sys
from pathlib import Path
from cgmgm_seis.storage.locks import try_lock
lock = try_lock(Path(sys.argv[1]))
print(lock is not None, flush=True)
sys.stdin.read()
"""


def test_a_file_is_whole_and_nothing_stays_beside_it(tmp_path):
    write_file(tmp_path / "deep" / "file", b"first")
    write_file(tmp_path / "deep" / "file", b"second")
    assert (tmp_path / "deep" / "file").read_bytes() == b"second"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["file"]
    with pytest.raises(OutputError, match=r"file/x cannot be written: \w"):
        write_file(tmp_path / "deep" / "file" / "x", b"")


def test_what_a_killed_process_left_is_deleted_and_what_is_being_written_is_not(
    tmp_path, monkeypatch
):
    fcntl = pytest.importorskip("fcntl")
    left, held, new = (tmp_path / f".part-{name}" for name in ("left", "held", "new"))
    for path in (left, held, new):
        path.write_bytes(b"half")
    for path in (left, held):
        os.utime(path, (0, 0))
    with held.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        check_new(tmp_path / "out")
        assert sorted(tmp_path.iterdir()) == [held, new]
    monkeypatch.setattr("cgmgm_seis.storage.files.UNLOCKED_S", -1.0)
    check_new(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [complex, bytes, "datetime64[s]"])
def test_arrays_of_other_things_are_not_read(tmp_path, kind):
    write_arrays(tmp_path / "a.npz", {}, {"root": np.zeros(2).astype(kind)})
    with pytest.raises(CgmgmError, match=r"root is of type .* plain arrays and JSON"):
        read_arrays(tmp_path / "a.npz")


def test_hidden_names_are_beside_the_output(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    assert hidden(tmp_path / "out", "chunks").parent == tmp_path
    assert os.fspath(hidden(type(tmp_path)("out"), "chunks")) == str(tmp_path / ".out.chunks")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (ValueError("Broken.\nRead the manual."), "Broken"),
        (ValueError(), "ValueError"),
        (TypeError("Unknown format for file /tmp/x"), "unknown format"),
    ],
)
def test_reasons_are_short(error, reason):
    assert reason_of(error) == reason


def test_the_reason_inside_a_paragraph_of_hdf5(tmp_path):
    with pytest.raises(OSError) as caught:
        h5py.File(tmp_path / "none" / "x.h5", "w")
    assert reason_of(caught.value) == os.strerror(errno.ENOENT)


def test_json(tmp_path):
    path = tmp_path / "x.json"
    write_file(path, json_bytes({"a": [1, 2]}))
    assert read_json(path, DatasetError) == {"a": [1, 2]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_bytes({"a": np.nan})
    path.write_text("{")
    with pytest.raises(DatasetError, match=r"x\.json is no table: Expecting .*; mend it\.$"):
        read_json(path, DatasetError, "no table", "; mend it")


def test_obspy_objects_come_back():
    stream = obspy.read()
    found = read_stream(to_bytes(stream, "MSEED", encoding="FLOAT64"))
    for trace, other in zip(stream, found, strict=True):
        np.testing.assert_array_equal(trace.data, other.data)


def test_a_lock_ends_with_its_process(tmp_path):
    path = tmp_path / "lock"
    arguments = [sys.executable, "-c", HOLDER, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(arguments, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout.readline() == "True\n"
        assert try_lock(path) is None
        holder.kill()
    lock = try_lock(path, 1.0)
    assert lock is not None
    lock.release()


def test_without_links_and_locks_files_are_copied_and_folders_are_whole(tmp_path, monkeypatch):
    """As on file systems and systems that have neither."""

    def no_link(*args):
        raise OSError(errno.EPERM, "not permitted")

    def no_lock(*args):
        raise NotImplementedError

    monkeypatch.setattr(os, "link", no_link)
    monkeypatch.setattr("cgmgm_seis.storage.locks.FileLock.acquire", no_lock)
    write_file(tmp_path / "one", b"1")
    link_file(tmp_path / "one", tmp_path / "deep" / "two")
    assert (tmp_path / "deep" / "two").read_bytes() == b"1"
    assert (tmp_path / "deep" / "two").stat().st_nlink == 1
    with complete_folder(tmp_path / "out", overwrite=False) as temporary:
        (temporary / "file").write_bytes(b"whole")
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("one", "deep")] == ["out"]


def test_where_a_folder_may_be_written(tmp_path):
    full = tmp_path / "full"
    write_file(full / "letter", b"mine")
    (tmp_path / "empty").mkdir()
    assert is_free(tmp_path / "none") and is_free(tmp_path / "empty")
    assert not is_free(full) and not is_free(full / "letter")
    check_new(full, overwrite=True)
    with pytest.raises(OutputError, match="full already exists"):
        check_new(full)
    check_resumable(full, True, "a search")
    with pytest.raises(OutputError, match="replaces a search in it"):
        check_resumable(full, False, "a search")
    with pytest.raises(OutputError, match="cannot be created"):
        check_place(full / "letter" / "x")


@pytest.mark.skipif(os.name != "posix", reason="the device is one of POSIX systems")
def test_the_checksum_of_a_device_is_refused():
    """It never ends."""
    with pytest.raises(OSError, match="it is not a regular file"):
        sha256(Path("/dev/full"))
