"""Folders of generated records read back: as the Stream that was written, and by SeisBench."""

import numpy as np
import pandas as pd
import pytest
from seisbench.data import MultiWaveformDataset, WaveformDataset

from cgmgm_seis import from_points, read_output
from cgmgm_seis.datasets import restore_codes
from cgmgm_seis.errors import OutputError
from cgmgm_seis.measures.quantities import in_quantity
from cgmgm_seis.output.outputs import write_outputs
from cgmgm_seis.scenario.streams import to_stream
from cgmgm_seis.scenario.window import Window

POINTS = [(37.876, -122.236), (37.9, -122.0)]
N_REALIZATIONS, N_SAMPLES = 12, 400


@pytest.fixture(scope="module")
def scenario():
    return from_points(4.5, (37.938, -122.057), POINTS, origin_time="2019-10-15T05:33:42.81")


@pytest.fixture(scope="module")
def samples():
    shape = (len(POINTS), N_REALIZATIONS, 3, N_SAMPLES)
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def write(folder, samples, scenario, quantity="velocity", order="ZNE", **options):
    stream = to_stream(samples, scenario, Window(order, 100.0, -5.0, N_SAMPLES), quantity=quantity)
    provenance = {
        "model": {"class": "CGMGM", "weights": "tiny", "weights_version": "1"},
        "sampling": {"seed": 1},
        "trained_on": "nothing",
        "scenario": scenario.to_dict(orient="records"),
    }
    arrivals = np.array([3.0, 2.0]), np.array([5.0, 4.0])
    write_outputs(folder, stream, scenario, provenance, arrivals=arrivals, **options)
    return stream


@pytest.mark.parametrize("file_format", ["mseed", "sac", "seisbench"])
@pytest.mark.parametrize("quantity", ["velocity", "acceleration"])
def test_what_is_read_is_what_was_written(samples, scenario, tmp_path, file_format, quantity):
    stream = write(tmp_path / "out", samples, scenario, quantity, format=file_format)
    back = read_output(tmp_path / "out")
    assert len(back) == len(stream)
    for trace in stream:
        (found,) = back.select(id=trace.id)
        assert abs(found.stats.starttime - trace.stats.starttime) < 1e-5
        np.testing.assert_allclose(found.data, trace.data, rtol=1e-6)
        assert found.data.dtype == np.float32
        assert found.stats.coordinates == trace.stats.coordinates
        assert found.stats.distance == pytest.approx(trace.stats.distance, rel=1e-9)
        assert found.stats.back_azimuth == pytest.approx(trace.stats.back_azimuth, rel=1e-9)
        assert found.stats.quantity == quantity


def test_every_record_has_the_distance_of_its_own_earthquake(samples, scenario, tmp_path):
    later = from_points(3.0, (37.5, -122.0), POINTS[:1], 8.0, "2020-01-01", "later")
    both = pd.concat([scenario.iloc[:1], later], ignore_index=True)
    stream = write(tmp_path / "out", samples, both)
    back = read_output(tmp_path / "out").sort(["starttime", "location", "channel"])
    expected = [trace.stats.distance for trace in stream.sort(["starttime", "location", "channel"])]
    assert [trace.stats.distance for trace in back] == pytest.approx(expected)
    assert len({round(distance) for distance in expected}) == 2


def test_folders_that_cannot_be_read(samples, scenario, tmp_path):
    with pytest.raises(OutputError, match=r"has no stations\.xml; it must be a folder"):
        read_output(tmp_path)
    write(tmp_path / "text", samples, scenario, format="csv")
    with pytest.raises(OutputError, match="has no waveforms that can be read; they must be"):
        read_output(tmp_path / "text")


def test_a_data_set_has_the_columns_of_seisbench(samples, scenario, tmp_path):
    write(tmp_path / "out", samples, scenario, format="seisbench")
    dataset = WaveformDataset(tmp_path / "out")
    assert set(dataset.metadata["trace_category"]) == {"earthquake"}
    assert dataset.data_format["measurement"] == "velocity"
    # The same split for all records of an earthquake, and all of them in one of the three.
    assert (dataset.metadata.groupby("source_id")["split"].nunique() == 1).all()
    sizes = [len(part) for part in dataset.train_dev_test()]
    assert sizes == [20, 2, 2]
    # Peaks of both horizontals, in cm/s and cm/s2.
    horizontal = samples[:, :, 1:].astype(float).reshape(24, 2, N_SAMPLES)
    pgv = 100.0 * np.abs(horizontal).max(axis=(1, 2))
    np.testing.assert_allclose(dataset.metadata["trace_pgv_cmps"], pgv, rtol=1e-6)
    motion = in_quantity(horizontal, 100.0, "acceleration")
    pga = 100.0 * np.abs(motion).max(axis=(1, 2))
    np.testing.assert_allclose(dataset.metadata["trace_pga_cmps2"], pga, rtol=1e-5)
    assert len(MultiWaveformDataset([dataset, dataset]).train()) == 2 * sizes[0]


def test_location_codes_are_text_again(samples, scenario, tmp_path):
    """SeisBench's reader makes numbers of a column of 00 and 01."""
    write(tmp_path / "out", samples[:, :2], scenario, format="seisbench")
    dataset = WaveformDataset(tmp_path / "out")
    assert dataset.metadata["station_location_code"].tolist() == [0, 1] * 2
    restore_codes(dataset)
    assert dataset.metadata["station_location_code"].tolist() == ["00", "01"] * 2


def test_peaks_are_those_of_the_horizontals_that_are_there(samples, scenario, tmp_path):
    cases = {
        ("acceleration", "ZNE"): {"trace_pga_cmps2"},
        ("displacement", "ZNE"): set(),
        ("velocity", "Z"): set(),
        ("velocity", "E"): {"trace_pga_cmps2", "trace_pgv_cmps"},
    }
    for number, ((quantity, order), expected) in enumerate(cases.items()):
        folder = tmp_path / str(number)
        some = samples[:, :1, : len(order)]
        write(folder, some, scenario, quantity, order, format="seisbench")
        columns = WaveformDataset(folder, component_order=order).metadata.columns
        assert {name for name in columns if name.startswith("trace_pg")} == expected
