"""Damaged and hostile data sets: row and column are named, and other files are not read."""

import h5py
import numpy as np
import pandas as pd
import pytest
from small_datasets import N_SAMPLES, write_dataset

from cgmgm_seis.datasets.windows import open_dataset, read_records
from cgmgm_seis.errors import DatasetError
from cgmgm_seis.scenario.window import Window

WINDOW = Window("ZNE", 100.0, -5.0, N_SAMPLES)


@pytest.fixture
def folder(tmp_path):
    return write_dataset(tmp_path / "set", n_events=4, per_event=2)


def change(folder, **columns):
    """Set values of the metadata; each column gets a row and a value."""
    table = pd.read_csv(folder / "metadata.csv", dtype=str)
    for column, (row, value) in columns.items():
        table.loc[row, column] = value
    table.to_csv(folder / "metadata.csv", index=False)


@pytest.mark.parametrize(
    "name", ["bucket0$99,:3,:800", "bucket0$a", "a$b$c", "none", "bucket0$1:2:3:4"]
)
def test_a_damaged_trace_name_is_said_with_its_row(folder, name, caplog):
    change(folder, trace_name=(3, name))
    waveforms, scenario = read_records(folder, WINDOW)
    assert len(waveforms) == len(scenario) == 7
    assert scenario.attrs["left_out"] == {"without readable samples": 1}
    assert "Row 3 of the metadata: trace_name = " in caplog.text
    with pytest.raises(DatasetError, match=r"1 without readable samples, for example row 3"):
        read_records(folder, WINDOW, strict=True)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("source_magnitude", "big"),
        ("source_origin_time", "9999-99-99"),
        ("trace_start_time", "[]"),
        ("station_latitude_deg", "1e400"),
        ("trace_sampling_rate_hz", "1e30"),
    ],
)
def test_an_impossible_value_is_said_with_row_and_column(folder, column, value, caplog):
    change(folder, **{column: (5, value)})
    waveforms, _ = read_records(folder, WINDOW)
    assert len(waveforms) == 7
    assert (
        f"Row 5 of the metadata (from 0) is the first with an impossible or missing {column}"
        in (caplog.text)
    )


def test_samples_that_are_no_numbers(folder):
    with h5py.File(folder / "waveforms.hdf5", "a") as file:
        for name in list(file["data"]):
            shape = file["data"][name].shape
            del file["data"][name]
            file["data"][name] = np.full(shape, b"text")
    with pytest.raises(DatasetError, match="None of the 8 records"):
        read_records(folder, WINDOW)


@pytest.mark.parametrize("kind", ["link", "storage", "virtual"])
def test_other_files_are_not_read(folder, tmp_path, kind):
    secret = tmp_path / "secret.hdf5"
    with h5py.File(secret, "w") as file:
        file["data"] = np.ones((1, 3, N_SAMPLES), "f4")
    (tmp_path / "secret.raw").write_bytes(bytes(4 * 3 * N_SAMPLES))
    with h5py.File(folder / "waveforms.hdf5", "a") as file:
        group = file["data"]
        if kind == "link":
            group["mine"] = h5py.ExternalLink(str(secret), "/data")
        elif kind == "storage":
            parts = [(str(tmp_path / "secret.raw"), 0, h5py.h5f.UNLIMITED)]
            group.create_dataset("mine", (1, 3, N_SAMPLES), "f4", external=parts)
        else:
            layout = h5py.VirtualLayout((1, 3, N_SAMPLES), "f4")
            layout[:] = h5py.VirtualSource(str(secret), "data", (1, 3, N_SAMPLES))
            group.create_virtual_dataset("mine", layout)
    with pytest.raises(
        DatasetError, match=r"not a readable SeisBench data set: .*mine .*in another"
    ):
        open_dataset(folder, WINDOW)


def test_damage_of_the_file_is_one_sentence(folder):
    """Bytes of the tree of names, of headers, and the end."""
    path = folder / "waveforms.hdf5"
    whole = path.read_bytes()
    for at in (0, 40, 100, 500, 800, 1200, 2048, len(whole) // 2):
        path.write_bytes(whole[:at] + b"\xff" * 16 + whole[at + 16 :])
        try:
            read_records(folder, WINDOW)
        except DatasetError as error:
            assert "\n" not in str(error) and len(str(error)) < 500
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatasetError):
        read_records(folder, WINDOW)
