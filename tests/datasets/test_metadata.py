"""Data sets with the columns, times and lengths that other people write."""

import os

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from seisbench.data import WaveformDataset, WaveformDataWriter
from small_datasets import N_SAMPLES, write_dataset

from cgmgm_seis.datasets.benchmarks import import_benchmark
from cgmgm_seis.datasets.splitting import split_dataset
from cgmgm_seis.datasets.windows import read_records
from cgmgm_seis.errors import DatasetError
from cgmgm_seis.scenario.window import Window
from cgmgm_seis_cli.main import main

WINDOW = Window("ZNE", 100.0, -5.0, N_SAMPLES)
# SeisBench's names, and those of STEAD's own table.
STEAD = {
    "source_latitude_deg": "source_latitude",
    "source_longitude_deg": "source_longitude",
    "station_network_code": "network_code",
    "station_code": "receiver_code",
    "station_latitude_deg": "receiver_latitude",
    "station_longitude_deg": "receiver_longitude",
}


def run(*arguments):
    return CliRunner().invoke(main, [*map(str, arguments)], prog_name="cgmgm-seis")


def as_epoch_seconds(event, row, motion):
    for column in ("source_origin_time", "trace_start_time"):
        row[column] = pd.Timestamp(row[column]).timestamp()


def test_epoch_seconds_are_times(tmp_path):
    text = write_dataset(tmp_path / "text", 4, 2)
    numbers = write_dataset(tmp_path / "numbers", 4, 2, as_epoch_seconds)
    (expected, scenario), (found, own) = (read_records(path, WINDOW) for path in (text, numbers))
    np.testing.assert_array_equal(found, expected)
    for column in ("source_origin_time", "trace_start_time"):
        assert own[column].tolist() == scenario[column].tolist()
    copied = import_benchmark(numbers, tmp_path / "copy")
    assert copied["trace_start_time"].str[:4].unique().tolist() == ["2019", "2020"]


@pytest.mark.parametrize("column", ["source_origin_time", "trace_start_time"])
@pytest.mark.parametrize("value", ["soon", "", "2020", "15/01/2020 05:33"])
def test_a_time_that_cannot_be_read_makes_a_record_unusable(tmp_path, column, value):
    def change(event, row, motion):
        row[column] = value if event == 1 else row[column]

    folder = write_dataset(tmp_path / "set", 4, 2, change)
    _, scenario = read_records(folder, WINDOW)
    reason = "without a magnitude, a readable time, a rate or possible coordinates"
    assert scenario.attrs["left_out"] == {reason: 2}
    assert len(import_benchmark(folder, tmp_path / "copy")) == 6
    result = run("dataset", "info", folder, "--no-plot")
    assert f"2 records left out: {reason}" in result.stdout


def test_times_in_several_notations_are_read(tmp_path):
    def change(event, row, motion):
        forms = "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S.%f", "%s.00"
        for column in ("source_origin_time", "trace_start_time"):
            row[column] = pd.Timestamp(row[column]).strftime(forms[event])

    folder = write_dataset(tmp_path / "set", 4, 2, change)
    assert len(read_records(folder, WINDOW)[0]) == 8


def test_missing_values_of_other_kinds_make_a_record_unusable(tmp_path):
    def change(event, row, motion):
        row["source_magnitude"] = ("None", 3.0, "-", 3.0)[event]
        row["station_longitude_deg"] = (-122.0, 238.0, -122.0, 9999.0)[event]

    _, scenario = read_records(write_dataset(tmp_path / "set", 4, 2, change), WINDOW)
    assert scenario["source_id"].tolist() == ["event1"] * 2
    assert scenario["station_longitude_deg"].tolist() == [-122.0] * 2


def of_several_lengths(folder):
    """Write records as SeisBench's writer does: those of one length in a block, others alone."""
    rng = np.random.default_rng(0)
    lengths = (900, 800, 800, 1000)
    records = [rng.standard_normal((3, n)).astype(np.float32) for n in lengths]

    whole = write_dataset(folder / "whole", 4, 1)
    table = pd.read_csv(whole / "metadata.csv").drop(columns="trace_name")
    with WaveformDataWriter(folder / "metadata.csv", folder / "waveforms.hdf5") as writer:
        writer.data_format = {"dimension_order": "CW", "component_order": "ZNE", "unit": "mps"}
        for row, record in zip(table.to_dict("records"), records, strict=True):
            writer.add_trace(row, record)
    return folder, records


def test_records_of_several_lengths_are_copied(tmp_path):
    folder, records = of_several_lengths(tmp_path)
    names = pd.read_csv(folder / "metadata.csv")["trace_name"].tolist()
    assert sum("$" in name for name in names) == 2
    for name in ("one", "two"):  # a copy can be copied
        import_benchmark(folder, tmp_path / name)
        folder = tmp_path / name
        copy = WaveformDataset(folder, component_order="ZNE")
        for k, record in enumerate(records):
            np.testing.assert_array_equal(copy.get_waveforms(k)[:, : record.shape[1]], record)
    assert len(read_records(folder, WINDOW)[0]) == 4


def stead(event, row, motion):
    """Change a row to the columns and texts of STEAD."""
    for new, old in STEAD.items():
        row[old] = row.pop(new)
    row["snr_db"] = "[56.7 55.4 47.4]"
    row["coda_end_sample"] = "[[3006.]]"
    row["p_arrival_sample"] = 700.0
    row["source_origin_time"] = row["source_origin_time"][:19].replace("T", " ") + ".00"
    row["trace_start_time"] = row["trace_start_time"][:19].replace("T", " ")


def instance(event, row, motion):
    """Change a row to the columns of INSTANCE: numbers as event names, picks with capitals."""
    row["source_id"] = 11030000 + event
    row["trace_P_arrival_sample"] = 700
    row["trace_channel"] = "HH"
    row["station_location_code"] = ""
    row["path_ep_distance_km"] = 30.0


@pytest.mark.parametrize(("layout", "name"), [(stead, "stead"), (instance, "instancegm")])
def test_benchmark_layouts_are_informed_of_trained_and_evaluated(
    tmp_path, monkeypatch, one_thread, layout, name
):
    monkeypatch.chdir(tmp_path)
    unit = {"stead": "m/s", "instancegm": ""}[name]
    folder = write_dataset(tmp_path / name, 6, 2, layout, 6000, unit=unit)
    result = run("dataset", "info", folder, "--no-plot")
    assert "use 12 records with its own split" in result.stdout
    assert "P samples        12 records" in result.stdout
    small = ("--model", "cgmgm", "--epochs", 1, "--latent", 4, "--prior", 4, "--device", "cpu")
    result = run("train", folder, "--out", "mine", *small)
    assert result.exit_code == 0, result.output
    fast = ("-n", 2, "--classifiers", 0, "--no-gmms", "--workers", 1, "--device", "cpu")
    result = run("evaluate", folder, "--weights", "mine/cgmgm", "--out", "report", *fast)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "report" / "report.html").is_file()


@pytest.mark.parametrize("name", ["stead", "instance"])
def test_benchmarks_in_counts_are_refused_in_one_sentence(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    layout = {"stead": stead, "instance": instance}[name]
    raw = {"unit": "counts", "instrument_response": "not restituted"}
    folder = write_dataset(tmp_path / name, 6, 2, layout, 6000, **raw)
    said = "The data set is in counts, but must be velocity in m/s"
    assert f"fail: {said}" in run("dataset", "info", folder, "--no-plot").stdout
    result = run("train", folder, "--out", "mine")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith(f"Error: {said}")
    result = run("evaluate", folder, "--weights", "bay_area", "--out", "report")
    assert result.exit_code == 1
    assert said in result.stderr.splitlines()[-1]


@pytest.mark.skipif(os.name != "posix", reason="the device is one of POSIX systems")
def test_metadata_of_a_device_are_refused(tmp_path):
    """It never ends."""
    folder = write_dataset(tmp_path / "data", 2, 2)
    (folder / "metadata.csv").unlink()
    (folder / "metadata.csv").symlink_to("/dev/full")
    for read in (split_dataset, lambda path: read_records(path, WINDOW)):
        with pytest.raises(DatasetError, match="it is not a regular file"):
            read(folder)


def test_a_split_is_written_though_a_magnitude_is_no_number(tmp_path):
    """Nothing of it needs magnitudes; the summary leaves this one out."""
    folder = write_dataset(tmp_path / "data", 12, 2)
    metadata = pd.read_csv(folder / "metadata.csv", dtype=str)
    metadata.loc[0, "source_magnitude"] = "3.40x"
    metadata.to_csv(folder / "metadata.csv", index=False)
    result = run("dataset", "split", folder, "--overwrite")
    assert result.exit_code == 0, result.output
    assert "M nan" not in result.output
