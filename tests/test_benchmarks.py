"""Selections of benchmark sets: units, columns, chunks; with small sets in the same layout."""

import numpy as np
import pandas as pd
import pytest
import seisbench.data
from click.testing import CliRunner
from seisbench.data import WaveformDataset, WaveformDataWriter

from cgmgm_seis.datasets.benchmarks import import_benchmark, integrated
from cgmgm_seis.datasets.units import unit_factor
from cgmgm_seis.datasets.windows import read_records
from cgmgm_seis.errors import DatasetError
from cgmgm_seis.scenario.geography import Region
from cgmgm_seis.scenario.window import Window
from cgmgm_seis_cli.dataset import dataset as dataset_command

RATE, N = 100.0, 6500


def motion(k):
    return np.random.default_rng(k).standard_normal((3, N)).astype(np.float32)


def a_row(k, **changes):
    """Metadata as CEED and INSTANCE have it."""
    return {
        "source_id": f"e{k // 2}",
        "source_origin_time": "2020-01-01T00:00:00Z",
        "source_latitude_deg": 42.0 + k,
        "source_longitude_deg": 13.0,
        "source_depth_km": 8.0,
        "source_magnitude": 1.0 + k,
        "station_network_code": "IV",
        "station_code": f"S{k}",
        "station_location_code": "00",
        "station_latitude_deg": 42.1 + k,
        "station_longitude_deg": 13.1,
        "station_elevation_m": -10.0,
        "trace_channel": "HH",
        "trace_start_time": "2019-12-31T23:59:54Z",
        "trace_sampling_rate_hz": RATE,
        **changes,
    }


def write(folder, rows, chunk="", **data_format):
    """Write rows as one chunk of a set."""
    files = folder / f"metadata{chunk}.csv", folder / f"waveforms{chunk}.hdf5"
    with WaveformDataWriter(*files) as writer:
        writer.data_format = {"dimension_order": "CW", "component_order": "ZNE", **data_format}
        for k, row in enumerate(rows):
            writer.add_trace(row, row.pop("samples", motion(k)))
    return folder


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("m/s", (1.0, False)),
        ("mps", (1.0, False)),
        ("meters per second", (1.0, False)),
        ("nm/s", (1e-9, False)),
        ("km/s", (1e3, False)),
        ("1e-6m/s", (1e-6, False)),
        ("1e-6m/s**2", (1e-6, True)),
        ("m/s^2", (1.0, True)),
        ("cm/s/s", (1e-2, True)),
        ("counts", None),
        ("none/normalized", None),
        ("", None),
    ],
)
def test_units(text, expected):
    assert unit_factor(text) == expected


def test_integration_of_a_sine():
    """Of 5 Hz, away from the ends: amplitude over 2 pi f, a quarter of a period later; to 1 %."""
    times = np.arange(4000) / RATE
    velocity = integrated(np.sin(2 * np.pi * 5.0 * times), RATE)
    expected = -np.cos(2 * np.pi * 5.0 * times) / (2 * np.pi * 5.0)
    np.testing.assert_allclose(velocity[1000:3000], expected[1000:3000], atol=0.01 / (10 * np.pi))


def test_velocity_is_scaled_and_read_for_training(tmp_path):
    (tmp_path / "set").mkdir()
    rows = [a_row(k, trace_unit="1e-6m/s") for k in range(3)]
    write(tmp_path / "set", rows, measurement="velocity")
    metadata = import_benchmark(tmp_path / "set", tmp_path / "out")
    assert metadata["trace_units_original"].unique().tolist() == ["1e-6m/s"]
    waveforms, scenario = read_records(tmp_path / "out", Window("ZNE", RATE, -5.0, 6000))
    np.testing.assert_allclose(waveforms[0], 1e-6 * motion(0)[:, 100:6100], rtol=1e-5)
    assert scenario["station_location_code"].tolist() == ["00"] * 3
    assert scenario["station_elevation_m"].tolist() == [-10.0] * 3


def test_selection_over_chunks(tmp_path):
    (tmp_path / "set").mkdir()
    for chunk in ("a", "b"):
        rows = [a_row(k, trace_units="m/s", source_id=f"{chunk}{k}") for k in range(4)]
        write(tmp_path / "set", rows, chunk)
    (tmp_path / "set" / "chunks").write_text("a\nb\n")
    metadata = import_benchmark(
        tmp_path / "set", tmp_path / "out", Region(12.0, 14.0, 41.0, 44.5), 1.5, 30.0
    )
    assert metadata["source_id"].tolist() == ["a1", "a2", "b1", "b2"]
    assert len(WaveformDataset(tmp_path / "out")) == 4
    with pytest.raises(DatasetError, match="are left"):
        import_benchmark(tmp_path / "set", tmp_path / "none", min_magnitude=9.0)
    assert not (tmp_path / "none").exists()


def test_counts_are_refused_or_normalised(tmp_path, caplog):
    (tmp_path / "set").mkdir()
    write(
        tmp_path / "set",
        [a_row(k) for k in range(2)],
        unit="counts",
        instrument_response="not restituted",
    )
    with pytest.raises(DatasetError, match="are in counts, but must be in m/s"):
        import_benchmark(tmp_path / "set", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(DatasetError, match="is in counts"):
        read_records(tmp_path / "set", Window("ZNE", RATE, -5.0, 6000))
    metadata = import_benchmark(tmp_path / "set", tmp_path / "out", normalise_amplitudes=True)
    assert metadata["trace_units"].tolist() == ["normalised"] * 2
    assert metadata["trace_units_original"].tolist() == ["counts"] * 2
    waveforms, _ = read_records(tmp_path / "out", Window("ZNE", RATE, -5.0, 6000))
    assert np.abs(waveforms).max() <= 1.0
    assert "records are normalised" in caplog.text


def test_velocity_with_its_response_is_refused(tmp_path):
    (tmp_path / "set").mkdir()
    write(tmp_path / "set", [a_row(0)], unit="mps", instrument_response="not restituted")
    with pytest.raises(DatasetError, match="not restituted"):
        import_benchmark(tmp_path / "set", tmp_path / "out")


def test_named_sets_and_accelerometers(tmp_path, monkeypatch):
    """INSTANCE's ground motion tells no units: m/s, and m/s^2 of HN channels."""
    folder = tmp_path / "instancegm"
    folder.mkdir()
    write(folder, [a_row(0), a_row(1, trace_channel="HN")])

    class InstanceGM(seisbench.data.WaveformBenchmarkDataset):
        def __init__(self, **options):
            super().__init__(citation="", repository_lookup=False, **options)

        @property
        def path(self):
            return folder

        @classmethod
        def available_chunks(cls, force=False, wait_for_file=False):
            return [""]

        def _download_dataset(self, writer, **options):
            raise AssertionError("nothing is to be downloaded")

    monkeypatch.setattr(seisbench.data, "InstanceGM", InstanceGM)
    metadata = import_benchmark("InstanceGM", tmp_path / "out")
    assert metadata["trace_units_original"].tolist() == ["m/s", "m/s^2"]
    read = WaveformDataset(tmp_path / "out", component_order="ZNE")
    np.testing.assert_allclose(read.get_waveforms(0), motion(0), rtol=1e-6)
    np.testing.assert_allclose(
        read.get_waveforms(1), integrated(motion(1).astype(float), RATE), atol=1e-6
    )


def test_what_cannot_be_used(tmp_path):
    (tmp_path / "set").mkdir()
    rows = [a_row(k, trace_units="m/s") for k in range(5)]
    rows[0]["source_magnitude"] = None
    rows[1]["trace_component_order"] = "Z"
    rows[1]["samples"] = motion(1)[:1]
    rows[2]["samples"] = np.zeros((3, N), np.float32)
    rows[3]["source_longitude_deg"] = 373.0
    for row in rows:
        row.setdefault("trace_component_order", "ZNE")
    write(tmp_path / "set", rows)
    metadata = import_benchmark(tmp_path / "set", tmp_path / "out")
    assert metadata["source_id"].tolist() == ["e1", "e2"]
    assert metadata["source_longitude_deg"].tolist() == [13.0, 13.0]
    table = pd.read_csv(tmp_path / "set" / "metadata.csv").drop(columns="source_magnitude")
    table.to_csv(tmp_path / "set" / "metadata.csv", index=False)
    with pytest.raises(DatasetError, match="lacks the metadata columns source_magnitude"):
        import_benchmark(tmp_path / "set", tmp_path / "out", overwrite=True)
    assert len(WaveformDataset(tmp_path / "out")) == 2


def test_names_that_are_none(tmp_path):
    for name in ("NoSuchSet", "WaveformDataWriter"):
        with pytest.raises(DatasetError, match="nor a data set"):
            import_benchmark(name, tmp_path / "out")
    with pytest.raises(DatasetError, match="not a readable"):
        import_benchmark(tmp_path, tmp_path / "out")


def test_command_line(bay_area_records, tmp_path):
    arguments = [str(bay_area_records), "--min-mag", "4", "--out", str(tmp_path / "set")]
    result = CliRunner().invoke(dataset_command, ["from-seisbench", *arguments])
    assert result.exit_code == 0, result.output
    assert "13 records of 1 earthquakes, M 4.5 to 4.5" in result.stdout
