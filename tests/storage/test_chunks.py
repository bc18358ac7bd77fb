"""Chunks: what was saved comes back, damage and other identities do not."""

import numpy as np
import pytest

from cgmgm_seis.errors import OutputError
from cgmgm_seis.storage.chunks import Chunks

VALUES = np.arange(6.0).reshape(2, 3)


def test_arrays_come_back(tmp_path):
    folder = tmp_path / ".chunks"
    Chunks(folder, {"seed": 1}).save(0, 2, values=VALUES, first=VALUES.astype(np.float32))
    found = Chunks(folder, {"seed": 1}).load(0, 2)
    np.testing.assert_array_equal(found["values"], VALUES)
    assert found["first"].dtype == np.float32
    assert [path.suffix for path in folder.iterdir()] == [".chunk"]


def test_other_rows_and_identities_are_not_found(tmp_path):
    Chunks(tmp_path, {"seed": 1, "model": "a"}).save(0, 2, values=VALUES)
    assert Chunks(tmp_path, {"model": "a", "seed": 1}).load(0, 2) is not None
    assert Chunks(tmp_path, {"seed": 2, "model": "a"}).load(0, 2) is None
    assert Chunks(tmp_path, {"seed": 1, "model": "b"}).load(0, 2) is None
    assert Chunks(tmp_path, {"seed": 1, "model": "a"}).load(0, 3) is None


@pytest.mark.parametrize("damage", ["cut", "changed", "empty"])
def test_damage_is_said_and_not_used(tmp_path, caplog, damage):
    chunks = Chunks(tmp_path, {})
    chunks.save(0, 2, values=VALUES)
    (path,) = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes({"cut": content[:-40], "changed": content, "empty": b""}[damage])
    assert chunks.load(0, 2) is None
    assert "is damaged" in caplog.text


def test_without_a_folder_nothing_is_kept():
    chunks = Chunks(None, {})
    chunks.save(0, 2, values=VALUES)
    assert chunks.load(0, 2) is None


def test_a_file_in_the_way_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot be written"):
        Chunks(tmp_path / "file", {}).save(0, 1, values=VALUES)
