"""The data report's CSV layout: values come back, bad rows are named, ObsPy reads it."""

import importlib.metadata
import shutil
import tomllib
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import pytest
from click.testing import CliRunner
from obspy.core.event import ResourceIdentifier
from small_datasets import small_network

from cgmgm_seis.datasets.designsafe import OFFSET_ERROR_S, import_designsafe
from cgmgm_seis.datasets.designsafe_csv import (
    component_of,
    is_designsafe,
    read_designsafe,
    write_designsafe,
)
from cgmgm_seis.datasets.windows import read_records
from cgmgm_seis.errors import DatasetError
from cgmgm_seis.scenario.streams import to_catalog
from cgmgm_seis.scenario.window import Window
from cgmgm_seis.simulator.catalogue import simulate_catalogue
from cgmgm_seis_cli.dataset import dataset as dataset_command

PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"
# The files start 15 s before the origin: 10 s of noise before the simulator's records.
LEAD = 1000


@pytest.fixture(scope="module")
def simulated():
    # The layout names no stations; the bundled ones are found by their coordinates.
    with small_network():
        waveforms, table = simulate_catalogue(6, seed=5, workers=1)
    waveforms, table = waveforms[::3], table.iloc[::3].reset_index(drop=True)
    noise = waveforms[..., :400]
    lead = np.concatenate([noise, noise[..., ::-1], noise, noise[..., ::-1]], axis=-1)[..., -LEAD:]
    numbers = {name: f"{72282711 + k}" for k, name in enumerate(table["source_id"].unique())}
    table = table.assign(
        source_id=table["source_id"].map(numbers),
        trace_npts=waveforms.shape[-1] + LEAD,
        trace_dt_s=0.01,
        trace_f_min_hz=0.5,
        trace_f_max_hz=25.0,
        trace_n_frequencies=100,
        path_rup_distance_km=table["path_hyp_distance_km"],
    )
    return np.concatenate([lead, waveforms], axis=-1), table


@pytest.fixture(scope="module")
def written(simulated, tmp_path_factory):
    """Three files, of which the second has its rows in another order."""
    waveforms, table = simulated
    tmp_path = tmp_path_factory.mktemp("files")
    order = np.random.default_rng(0).permutation(len(table))
    files = [
        (tmp_path / "data_v5_EW.csv", waveforms[:, 2], table),
        (tmp_path / "data_v5_NS.csv", waveforms[order, 1], table.iloc[order]),
        (tmp_path / "data_v5_UD.csv", waveforms[:, 0], table),
    ]
    for file in files:
        write_designsafe(*file)
    return [path for path, *_ in files]


@pytest.fixture
def files(written, tmp_path):
    """Copies, to be damaged."""
    return [Path(shutil.copy(path, tmp_path)) for path in written]


def change(path, row, column, text):
    """Change one field of a file, rows and columns counted from 1."""
    lines = path.read_text().splitlines()
    fields = lines[row - 1].split(",")
    fields[column - 1] = text
    lines[row - 1] = ",".join(fields)
    path.write_text("\n".join(lines) + "\n")


def test_three_components_come_back(simulated, files, tmp_path):
    waveforms, table = simulated
    metadata = import_designsafe(files, tmp_path / "set", start_offset_s=-15.0)
    assert len(metadata) == len(table)
    read, scenario = read_records(tmp_path / "set", Window("ZNE", 100.0, -5.0, 6000))
    peaks = np.abs(waveforms).max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(read / peaks, waveforms[..., LEAD:] / peaks, atol=1e-6)
    for column in ("source_magnitude", "source_depth_km", "station_latitude_deg"):
        np.testing.assert_allclose(scenario[column], table[column])
    assert scenario["source_id"].tolist() == table["source_id"].tolist()
    # The bundled stations are found by their coordinates.
    assert scenario["station_code"].tolist() == table["station_code"].tolist()
    assert scenario["source_origin_time_is_placeholder"].all()
    assert not scenario["trace_start_time_is_estimated"].any()
    assert scenario["source_origin_time"].nunique() == scenario["source_id"].nunique()


def test_the_start_is_measured(files, tmp_path):
    metadata = import_designsafe(files[2:], tmp_path / "set")
    start = pd.to_datetime(metadata["trace_start_time"]) - pd.to_datetime(
        metadata["source_origin_time"]
    )
    assert start.dt.total_seconds().nunique() == 1
    assert abs(start.dt.total_seconds().iloc[0] + 15.0) < OFFSET_ERROR_S
    assert metadata["trace_start_time_is_estimated"].all()


def test_no_onsets_no_start(simulated, tmp_path):
    waveforms, table = simulated
    noise = np.random.default_rng(1).standard_normal(waveforms[:, 0].shape)
    path = tmp_path / "noise_EW.csv"
    write_designsafe(path, noise, table)
    with pytest.raises(DatasetError, match="--start-offset"):
        import_designsafe([path], tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_origin_times_of_a_catalogue(simulated, files, tmp_path):
    _, table = simulated
    catalog = to_catalog(table)
    for event in catalog:
        event.resource_id = ResourceIdentifier(f"quakeml:x/nc{str(event.resource_id)[-8:]}")
    metadata = import_designsafe(files[:1], tmp_path / "set", -15.0, catalog)
    assert not metadata["source_origin_time_is_placeholder"].any()
    assert metadata["source_origin_time"].tolist() == table["source_origin_time"].tolist()


def test_rows_in_one_file_only_are_left_out(files, tmp_path, caplog):
    lines = files[2].read_text().splitlines()
    files[2].write_text("\n".join(lines[2:]) + "\n")
    metadata = import_designsafe(files, tmp_path / "set", -15.0)
    assert len(metadata) == len(lines) - 2
    assert "2 records left out, as they are not in all 3 files" in caplog.text


@pytest.mark.parametrize(
    ("column", "text", "message"),
    [
        (7, "none", r"row 3, column 7 \(source_magnitude\) is 'none'"),
        (2, "137.9", r"row 3, column 2 \(source_latitude_deg\) = 137\.9 is not valid"),
        (8, "50", "row 3 has 50 Hz and steps of 0.01 s"),
        (6, "nan", r"row 3, column 6 \(source_depth_km\) = nan"),
        (1, "", r"row 3, column 1 \(source_id\)"),
        (900, "nan", "row 3, column 900 must be a finite number"),
        (901, "x", "row 3, column 901 must be a finite number"),
        (20, "1,2", "row 3 has 7015 columns; it must have 7014"),
    ],
)
def test_bad_rows_are_named(files, tmp_path, caplog, column, text, message):
    path = files[0]
    change(path, 3, column, text)
    with pytest.raises(DatasetError, match=f"data_v5_EW.csv, {message}"):
        import_designsafe([path], tmp_path / "set", -15.0, strict=True)
    assert not (tmp_path / "set").exists()
    lines = len(path.read_text().splitlines())
    assert len(import_designsafe([path], tmp_path / "set", -15.0)) == lines - 1
    assert "left out, for example" in caplog.text


def test_components_that_contradict_each_other(files, tmp_path):
    change(files[2], 2, 7, "1.23")
    with pytest.raises(DatasetError, match=r"row \d+ has source_magnitude = .*components must agr"):
        import_designsafe(files, tmp_path / "set", -15.0)


def test_wrong_files(files, tmp_path):
    def refused(*paths):
        with pytest.raises(DatasetError) as caught:
            import_designsafe(paths, tmp_path / "set")
        return str(caught.value)

    (tmp_path / "empty_EW.csv").write_text("")
    (tmp_path / "short_EW.csv").write_text("1,2,3\n")
    assert "contains no records that are valid: at least one is needed" in refused(
        tmp_path / "empty_EW.csv"
    )
    assert "row 1 has 3 columns" in refused(tmp_path / "short_EW.csv")
    assert "No such file" in refused(tmp_path / "none_EW.csv")
    (tmp_path / "endless_EW.csv").symlink_to("/dev/full")
    assert "not a regular file" in refused(tmp_path / "endless_EW.csv")
    assert "The component of" in refused(tmp_path / "data.csv")
    assert "one to three files of different components" in refused(files[0], files[0])


def test_obspy_reads_it(simulated, files):
    waveforms, table = simulated
    assert is_designsafe(str(files[0]))
    assert not is_designsafe(str(PYPROJECT))
    stream = read_designsafe(str(files[0]))
    assert len(stream) == len(table)
    trace, row = stream[4], table.iloc[4]
    np.testing.assert_allclose(trace.data, waveforms[4, 2], rtol=1e-6)
    assert trace.id == f"{row.station_network_code}.{row.station_code}..HXE"
    assert trace.stats.coordinates.latitude == row.station_latitude_deg
    assert trace.stats.distance == pytest.approx(row.path_ep_distance_km * 1000)
    assert trace.stats.designsafe.source_magnitude == row.source_magnitude
    assert trace.stats.sampling_rate == 100.0
    assert len(read_designsafe(str(files[0]), headonly=True)[4].data) == 0


def test_other_csv_files_are_not_taken(tmp_path):
    for text in ("", "a,b,c\n1,2,3\n", "1,2,3\n", "1," * 30 + "\n"):
        (tmp_path / "other.csv").write_text(text)
        assert not is_designsafe(str(tmp_path / "other.csv"))


def test_the_plugin_is_registered(files):
    points = tomllib.loads(PYPROJECT.read_text())["project"]["entry-points"]
    module = points["obspy.plugin.waveform"]["DESIGNSAFE_CSV"]
    declared = points["obspy.plugin.waveform.DESIGNSAFE_CSV"]
    assert declared == {
        "isFormat": f"{module}:is_designsafe",
        "readFormat": f"{module}:read_designsafe",
    }
    installed = importlib.metadata.entry_points(group="obspy.plugin.waveform")
    if "DESIGNSAFE_CSV" not in installed.names:
        pytest.skip("the installed package is older than its entry points: install it again")
    stream = obspy.read(str(files[0]))
    assert stream[0].stats._format == "DESIGNSAFE_CSV"
    assert stream[0].stats.coordinates.longitude < -121


def test_components_of_names():
    names = ("Time_Series_Data_v5_EW.csv", "a_ns.csv", "x/b_UD.csv", "c_Z.csv")
    assert "".join(component_of(name) for name in names) == "ENZZ"


def test_command_line(files, tmp_path):
    arguments = ["import-designsafe", *map(str, files), "--out", str(tmp_path / "set")]
    result = CliRunner().invoke(dataset_command, arguments)
    assert result.exit_code == 0, result.output
    assert "Warning: Start offset measured from onsets: -1" in result.stderr
    assert "uncertain by some 0.3 s; if you know it, set it with --start-offset" in result.stderr
    assert result.stdout.endswith("SeisBench format\n")
