"""Files of tensors from strangers: no code, no bombs, no repeated values."""

import zipfile

import pytest
import torch

from cgmgm_seis.errors import WeightsError
from cgmgm_seis.storage.torch_files import read_torch_file


def test_tensors_come_back(tmp_path):
    torch.save({"a": torch.arange(3)}, tmp_path / "x.pt")
    assert read_torch_file(tmp_path / "x.pt", WeightsError)["a"].tolist() == [0, 1, 2]


def test_a_compressed_archive_is_refused_before_it_is_unpacked(tmp_path):
    torch.save({"a": torch.zeros(5_000_000)}, tmp_path / "plain.pt")
    with (
        zipfile.ZipFile(tmp_path / "plain.pt") as plain,
        zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for name in plain.namelist():
            bomb.writestr(name, plain.read(name))
    assert (tmp_path / "bomb.pt").stat().st_size < 100_000
    with pytest.raises(WeightsError, match=r"bomb\.pt has \d+ bytes, but 20\d+ unpacked"):
        read_torch_file(tmp_path / "bomb.pt", WeightsError)


def test_a_tensor_that_repeats_one_value_is_refused(tmp_path):
    torch.save({"deep": [{"a": torch.zeros(1).expand(10**12)}]}, tmp_path / "x.pt")
    with pytest.raises(WeightsError, match=r"shape \(1000000000000,\) is larger than the file"):
        read_torch_file(tmp_path / "x.pt", WeightsError)


def test_damage_and_other_files_are_said(tmp_path):
    path = tmp_path / "x.pt"
    torch.save({"a": torch.arange(1000)}, path)
    whole = path.read_bytes()
    for content in (b"", b"PK", whole[:500], whole[:600] + b"\xff" * 300 + whole[900:]):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match=r"x\.pt is damaged"):
            read_torch_file(path, WeightsError)
    with pytest.raises(WeightsError, match="cannot be read"):
        read_torch_file(tmp_path / "none.pt", WeightsError)
    (tmp_path / "endless.pt").symlink_to("/dev/full")
    with pytest.raises(WeightsError, match="not a regular file"):
        read_torch_file(tmp_path / "endless.pt", WeightsError)
