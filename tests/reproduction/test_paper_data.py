"""The data of a reproduction: files of a report, and data sets of SeisBench."""

import pandas as pd
import pytest
from small_datasets import write_dataset

from cgmgm_seis.errors import DatasetError
from cgmgm_seis.reproduction.data import data_identity, report_files, write_data
from cgmgm_seis.reproduction.recipe import QUICK


@pytest.fixture
def dataset(tmp_path):
    """A data set without a split."""
    folder = write_dataset(tmp_path / "mine", n_events=40, per_event=1)
    table = pd.read_csv(folder / "metadata.csv").drop(columns="split")
    table.to_csv(folder / "metadata.csv", index=False)
    return folder


def test_a_data_set_is_linked_and_split_by_event(dataset, tmp_path):
    before = (dataset / "metadata.csv").read_bytes()
    write_data(dataset, tmp_path / "out" / "mine", QUICK, progress=False)
    assert (dataset / "metadata.csv").read_bytes() == before
    table = pd.read_csv(tmp_path / "out" / "mine" / "metadata.csv")
    assert set(table["split"]) == {"train", "dev", "test"}
    waveforms = tmp_path / "out" / "mine" / "waveforms.hdf5"
    assert waveforms.samefile(dataset / "waveforms.hdf5")
    write_data(dataset, tmp_path / "out" / "mine", QUICK, progress=False)  # after a kill


def test_its_own_split_is_kept(tmp_path):
    folder = write_dataset(tmp_path / "mine")
    write_data(folder, tmp_path / "out", QUICK, progress=False)
    columns = [pd.read_csv(path / "metadata.csv")["split"] for path in (folder, tmp_path / "out")]
    pd.testing.assert_series_equal(*columns)


def test_files_of_a_report(tmp_path):
    names = ("data_v5_EW.csv", "data_v5_NS.csv", "notes.csv")
    for name in names:
        (tmp_path / name).write_text(name)
    assert report_files(tmp_path, "E") == [tmp_path / "data_v5_EW.csv"]
    assert report_files(tmp_path, "NE") == [tmp_path / "data_v5_NS.csv", tmp_path / names[0]]
    assert report_files(tmp_path / names[1], "E") == [tmp_path / names[1]]
    with pytest.raises(DatasetError, match="0 files of component Z"):
        report_files(tmp_path, "ZNE")
    (tmp_path / "other_E.csv").touch()
    with pytest.raises(DatasetError, match=r"2 files of component E \(data_v5_EW.csv, other_E.csv"):
        report_files(tmp_path, "E")
    with pytest.raises(DatasetError, match="none does not exist"):
        report_files(tmp_path / "none", "E")


def test_the_identity_changes_with_the_data(dataset, tmp_path):
    before = data_identity(dataset, "E")
    assert before.keys() == {"metadata.csv", "waveforms.hdf5"}
    table = pd.read_csv(dataset / "metadata.csv")
    table.assign(source_magnitude=3.0).to_csv(dataset / "metadata.csv", index=False)
    assert data_identity(dataset, "E") != before
