"""What SeisBench's own tests ask of data sets, for every kind that is written."""

import numpy as np
import pytest
import seisbench.generate as sbg
from seisbench.data import WaveformDataset
from seisbench.util.region import CircleDomain, RectangleDomain
from small_archives import catalogue, counts, inventory, write
from small_datasets import small_network

from cgmgm_seis import cross, receivers, source
from cgmgm_seis.datasets import import_records, restore_codes, split_dataset
from cgmgm_seis.output import new_dataset, write_labelled
from cgmgm_seis.output.seisbench_writer import chunk_files
from cgmgm_seis.simulator.catalogue import simulate

N_SAMPLES = 6000
SPLITS = ("train", "dev", "test")


def generated(folder):
    """Write a data set as `generate` does."""
    scenario = cross(source(4.0, 37.9, -122.1), receivers([(37.8, -122.2), (37.7, -122.3)]))
    motion = 1e-3 * np.random.default_rng(0).standard_normal((2, 6, 3, N_SAMPLES))
    onsets = np.array([3.0, 4.0]), np.array([5.0, 7.0])
    with new_dataset(folder) as writer:
        write_labelled(writer, motion, scenario, onsets, sampling_rate=100.0, start_offset_s=-5.0)


def in_chunks(folder):
    """Write a data set in two chunks, as `grid` does."""
    for number in range(2):
        generated(folder / f"part{number}")
        for name, new in zip(chunk_files(""), chunk_files(f"_{number}"), strict=True):
            (folder / f"part{number}" / name).rename(folder / new)
        (folder / f"part{number}").rmdir()


def simulated(folder):
    with small_network():
        simulate(8, 3, folder, workers=1, progress=False)


def recorded(folder):
    """Import an archive of one record, and split it."""
    write(counts(), folder.parent / "archive")
    import_records(catalogue(), inventory(), folder.parent / "archive" / "*", folder)
    split_dataset(folder, fractions=(1.0, 0.0, 0.0))


@pytest.fixture(
    scope="module", params=[generated, in_chunks, simulated, recorded], ids=lambda f: f.__name__
)
def folder(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("sets") / request.param.__name__
    request.param(path)
    return path


@pytest.fixture
def dataset(folder):
    return WaveformDataset(folder)


def test_format_and_metadata(dataset):
    expected = {
        "dimension_order": "CW",
        "component_order": "ZNE",
        "measurement": "velocity",
        "unit": "mps",
        "instrument_response": "restituted",
        "sampling_rate": 100.0,
    }
    assert dataset.data_format == expected
    assert set(dataset.metadata["trace_category"]) == {"earthquake"}
    assert (dataset.metadata["trace_sampling_rate_hz"] == 100.0).all()
    assert dataset.metadata["trace_name"].str.startswith("bucket").all()


def test_samples(dataset):
    waveforms = dataset.get_waveforms()
    assert waveforms.shape == (len(dataset), 3, N_SAMPLES) and np.isfinite(waveforms).all()
    sample, metadata = dataset.get_sample(0)
    np.testing.assert_array_equal(sample, waveforms[0])
    half, _ = dataset.get_sample(0, sampling_rate=50)
    assert half.shape == (3, N_SAMPLES // 2)
    name = dataset.metadata["trace_name"].iloc[0], dataset.metadata["trace_chunk"].iloc[0]
    assert dataset.get_idx_from_trace_name(*name) == 0
    assert dataset.copy().component_order == "ZNE" and metadata["trace_npts"] == N_SAMPLES


def test_splits_add_up_and_keep_earthquakes_together(dataset):
    parts = [dataset.get_split(name) for name in SPLITS]
    assert sum(map(len, parts)) == len(dataset) and len(dataset.train()) > 0
    assert (dataset.metadata.groupby("source_id")["split"].nunique() == 1).all()
    assert len((dataset + dataset).train()) == 2 * len(dataset.train())


def test_filters(dataset):
    strong = dataset.metadata["source_magnitude"] >= dataset.metadata["source_magnitude"].median()
    assert len(dataset.filter(strong, inplace=False)) == strong.sum()
    row = dataset.metadata.iloc[0]
    near = CircleDomain(row.source_latitude_deg + 0.01, row.source_longitude_deg, 0.0, 0.1)
    one, bay, elsewhere = dataset.copy(), dataset.copy(), dataset.copy()
    one.region_filter_source(near)
    assert row.source_id in set(one.metadata["source_id"])
    bay.region_filter_receiver(RectangleDomain(30.0, 45.0, -130.0, -110.0))
    assert len(bay) == len(dataset)
    elsewhere.region_filter_receiver(RectangleDomain(0.0, 1.0, 0.0, 1.0))
    assert len(elsewhere) == 0


def test_generators_and_labellers(dataset):
    if dataset.metadata["trace_p_arrival_sample"].isna().all():
        dataset.metadata["trace_p_arrival_sample"] = 700.0
        dataset.metadata["trace_s_arrival_sample"] = 900.0
    columns = {"trace_p_arrival_sample": "P", "trace_s_arrival_sample": "S"}
    generator = sbg.GenericGenerator(dataset)
    generator.add_augmentations(
        [
            sbg.WindowAroundSample(
                list(columns), samples_before=500, windowlen=3000, strategy="pad"
            ),
            sbg.RandomWindow(windowlen=2000, strategy="pad"),
            sbg.Normalize(demean_axis=-1, amp_norm_axis=-1, amp_norm_type="peak"),
            sbg.ChangeDtype(np.float32),
            sbg.ProbabilisticLabeller(label_columns=columns, sigma=30, dim=0),
            sbg.StepLabeller(label_columns=columns, dim=0, key=("X", "step")),
            sbg.DetectionLabeller(list(columns)[:1], list(columns)[1:], key=("X", "detection")),
        ]
    )
    for sample in (generator[0], generator[len(generator) - 1]):
        assert sample["X"].shape == sample["y"].shape == (3, 2000)
        assert sample["X"].dtype == np.float32 and np.isfinite(sample["X"]).all()
        np.testing.assert_allclose(sample["y"].sum(axis=0), 1.0, atol=1e-5)
        assert sample["detection"].shape == (1, 2000) and len(sample["step"]) >= 2


def test_records_of_an_earthquake_are_a_group(dataset):
    dataset.grouping = "source_id"
    assert len(dataset.groups) == dataset.metadata["source_id"].nunique()
    waveforms, metadata = dataset.get_group_samples(0)
    assert len(waveforms) == len(metadata["source_id"]) and len(set(metadata["source_id"])) == 1


def test_location_codes_are_text(dataset, folder):
    """SeisBench reads 00 as the number 0, of which `restore_codes` makes text again."""
    restore_codes(dataset)
    codes = dataset.metadata["station_location_code"]
    assert all(isinstance(code, str) for code in codes)
    assert codes.iloc[0] == ("" if folder.name == "recorded" else "00")
