"""Reading SeisBench data sets as windows around the origin time, and splitting by event."""

import logging
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from seisbench.data import WaveformDataset, WaveformDataWriter

from cgmgm_seis.datasets.splitting import event_split
from cgmgm_seis.datasets.windows import read_records, scan_records
from cgmgm_seis.errors import DatasetError
from cgmgm_seis.scenario.spans import VALID_END, VALID_START, valid_spans
from cgmgm_seis.scenario.window import Window

RATE, N = 100.0, 800
LIKE = Window("ZNE", RATE, start_offset_s=-2.0, n_samples=N)
ORIGIN = pd.Timestamp("2020-01-01T00:00:10.123Z")


def a_row(i=0, start_s=-2.0, **changes):
    """Return the metadata of a record that starts `start_s` after the origin."""
    return {
        "source_id": f"event{i // 2}",
        "source_origin_time": ORIGIN.isoformat(),
        "source_latitude_deg": 37.5 + 0.01 * i,
        "source_longitude_deg": -122.0,
        "source_depth_km": 8.0,
        "source_magnitude": 3.0,
        "station_network_code": "BK",
        "station_code": f"S{i}",
        "station_location_code": "",
        "station_latitude_deg": 37.8,
        "station_longitude_deg": -122.2,
        "trace_start_time": (ORIGIN + pd.Timedelta(seconds=start_s)).isoformat(),
        "trace_sampling_rate_hz": RATE,
        "trace_component_order": "ZNE",
        "trace_p_arrival_sample": 350.0,
        **changes,
    }


def noise(n=N, components=3, seed=0):
    return np.random.default_rng(seed).standard_normal((components, n)).astype(np.float32)


@pytest.fixture
def dataset(tmp_path, capfd):
    """Write (row, waveforms) pairs as a data set and return its folder."""

    def write(*records):
        with WaveformDataWriter(tmp_path / "metadata.csv", tmp_path / "waveforms.hdf5") as writer:
            writer.data_format = {"dimension_order": "CW", "unit": "mps"}
            for row, waveforms in records:
                writer.add_trace(row, waveforms)
        return tmp_path

    return write


def test_a_record_that_fits_comes_back_as_it_is(dataset):
    motion = noise()
    waveforms, scenario = read_records(dataset((a_row(), motion)), LIKE)
    assert waveforms.dtype == np.float32
    np.testing.assert_array_equal(waveforms[0], motion)
    assert scenario.trace_p_arrival_sample.tolist() == [350.0]
    assert scenario.path_hyp_distance_km.notna().all()


def test_records_are_cut_at_the_origin_and_their_samples_shifted(dataset):
    motion = noise(2000)
    folder = dataset((a_row(start_s=-5.0, trace_quality="A"), motion))
    waveforms, scenario = read_records(folder, LIKE)
    np.testing.assert_array_equal(waveforms[0], motion[:, 300 : 300 + N])
    row = scenario.iloc[0]
    assert row.trace_p_arrival_sample == 50.0
    assert row.trace_npts == N
    assert row.trace_quality == "A"
    start = pd.Timestamp(row.trace_start_time) - pd.Timestamp(row.source_origin_time)
    assert start == pd.Timedelta(seconds=-2.0)


def test_the_window_starts_at_the_nearest_sample(dataset):
    motion = noise(N + 2)
    waveforms, _ = read_records(dataset((a_row(start_s=-2.014), motion)), LIKE)
    np.testing.assert_array_equal(waveforms[0], motion[:, 1 : N + 1])


def test_records_that_do_not_cover_the_window_are_left_out(dataset, caplog):
    folder = dataset(
        (a_row(0), noise()),
        (a_row(1, start_s=-1.9), noise(2 * N)),
        (a_row(2), noise(N - 1)),
        (a_row(3), np.pad(noise(N - 150), ((0, 0), (0, 150)))),
    )
    waveforms, scenario = read_records(folder, LIKE)
    assert len(waveforms) == 1
    assert scenario.station_code.tolist() == ["S0"]
    assert "3 records left out: not covering the window, or with a gap" in caplog.text


@pytest.mark.parametrize(("seconds", "kept"), [(0.9, 2), (1.0, 1)])
@pytest.mark.parametrize("filling", [0.0, 3.0])
def test_gaps_within_are_filling_and_left_out(dataset, seconds, kept, filling):
    broken = noise(seed=1)
    broken[1, 400 : 400 + round(seconds * RATE)] = filling
    waveforms, _ = read_records(dataset((a_row(0), noise()), (a_row(1), broken)), LIKE)
    assert len(waveforms) == kept


def test_other_sampling_rates_are_resampled_and_said(dataset, caplog):
    times = np.arange(0, 12, 0.02)
    wave = np.sin(2 * np.pi * times) * np.exp(-(((times - 6) / 2) ** 2))
    slow = np.stack([wave, 2 * wave, 3 * wave]).astype(np.float32)
    folder = dataset((a_row(start_s=-2, trace_sampling_rate_hz=50.0), slow))
    waveforms, scenario = read_records(folder, LIKE)
    assert "1 records of 50 Hz are resampled to 100 Hz by SeisBench" in caplog.text
    np.testing.assert_allclose(waveforms[0][:, 50:750:2], slow[:, 25:375], atol=1e-3)
    assert scenario.trace_p_arrival_sample.tolist() == [700.0]
    assert scenario.trace_sampling_rate_hz.tolist() == [100.0]


def test_components_are_ordered_and_incomplete_records_left_out(dataset, caplog):
    motion = noise()
    folder = dataset(
        (a_row(0, trace_component_order="ENZ"), motion),
        (a_row(1, trace_component_order="Z"), noise(components=1)),
    )
    waveforms, _ = read_records(folder, LIKE)
    np.testing.assert_array_equal(waveforms, motion[None, ::-1])
    assert "1 records left out: without all of the components ZNE" in caplog.text
    waveforms, _ = read_records(folder, replace(LIKE, component_order="Z"))
    assert waveforms.shape == (2, 1, N)
    with pytest.raises(DatasetError, match="with motion on the components R; at least"):
        read_records(folder, replace(LIKE, component_order="R"))


@pytest.mark.parametrize("column", ["source_magnitude", "source_depth_km", "trace_start_time"])
def test_rows_without_a_value_are_left_out(dataset, caplog, column):
    folder = dataset((a_row(0), noise()), (a_row(1, **{column: np.nan}), noise()))
    waveforms, _ = read_records(folder, LIKE)
    assert len(waveforms) == 1
    assert "1 records left out: without a magnitude, a readable time" in caplog.text


def two_instruments(**flags):
    """Return records of two stations, the first with two instruments."""
    same = {"source_id": "event0", "station_code": "S0"}
    return [
        (a_row(i, **(same if i < 2 else {}), **{name: flag[i] for name, flag in flags.items()}), x)
        for i, x in enumerate(noise(seed=seed) for seed in range(3))
    ]


@pytest.mark.parametrize("no", [False, "False", 0])
def test_the_primary_instrument_counts(dataset, caplog, no):
    records = two_instruments(trace_is_primary=[no, True, True])
    waveforms, scenario = read_records(dataset(*records), LIKE)
    np.testing.assert_array_equal(waveforms, [records[1][1], records[2][1]])
    (reason,) = scenario.attrs["left_out"]
    assert scenario.attrs["left_out"] == {reason: 1}
    assert f"1 records left out: {reason}" in caplog.text
    assert "not of the primary instrument" in reason
    assert "share event and station" not in caplog.text


@pytest.mark.parametrize("flags", [{}, {"trace_is_primary": [np.nan, True, True]}])
def test_without_a_flag_every_instrument_counts_and_it_is_said(dataset, caplog, flags):
    waveforms, scenario = read_records(dataset(*two_instruments(**flags)), LIKE)
    assert len(waveforms) == 3
    assert scenario.attrs["left_out"] == {}
    assert (
        "2 records have the same event and station as another record; all of them are used"
        in caplog.text
    )


def test_stations_without_a_code_are_not_taken_for_one(dataset, caplog):
    rows = [a_row(i, source_id="event0", station_code="") for i in range(2)]
    assert len(read_records(dataset(*((row, noise()) for row in rows)), LIKE)[0]) == 2
    assert "share event and station" not in caplog.text


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_nan_and_constant_traces_are_named(dataset, caplog, value):
    broken = noise()
    broken[1, :] = value
    folder = dataset((a_row(0), noise()), (a_row(1), broken))
    name = WaveformDataset(folder, component_order="ZNE").metadata.trace_name[1]
    with pytest.raises(DatasetError) as error:
        read_records(folder, LIKE, strict=True)
    assert "1 of 2 records cannot be used (1 NaN or constant on N" in str(error.value)
    assert name in str(error.value)
    waveforms, _ = read_records(folder, LIKE)
    assert len(waveforms) == 1
    assert "1 records left out: NaN or constant on N" in caplog.text


def test_a_record_is_judged_by_its_window_and_components_only(dataset):
    motion = noise(2 * N)
    motion[:, N + 10 :] = np.nan
    motion[2] = 0.0
    folder = dataset((a_row(), motion))
    waveforms, _ = read_records(folder, replace(LIKE, component_order="ZN"))
    assert waveforms.shape == (1, 2, N)


def test_missing_columns_are_named(dataset):
    row = a_row()
    del row["source_magnitude"], row["station_latitude_deg"]
    with pytest.raises(DatasetError, match=r"lacks .* source_magnitude, station_latitude_deg;"):
        read_records(dataset((row, noise())), LIKE)


def test_a_sampling_rate_of_zero_counts_as_none(dataset, caplog):
    folder = dataset((a_row(0), noise()), (a_row(1, trace_sampling_rate_hz=0.0), noise()))
    waveforms, _ = read_records(folder, LIKE)
    assert len(waveforms) == 1
    assert "1 records left out: without a magnitude, a readable time, a rate" in caplog.text


def test_a_missing_trace_name_is_named(dataset):
    folder = dataset((a_row(), noise()))
    pd.read_csv(folder / "metadata.csv").drop(columns="trace_name").to_csv(
        folder / "metadata.csv", index=False
    )
    with pytest.raises(DatasetError, match="it lacks 'trace_name'"):
        read_records(folder, LIKE)


def test_unreadable_data_sets_are_named(tmp_path):
    with pytest.raises(DatasetError, match="nowhere is not a readable SeisBench data set"):
        read_records(tmp_path / "nowhere", LIKE)
    (tmp_path / "metadata.csv").write_text("source_id\n1\n")
    (tmp_path / "waveforms.hdf5").write_bytes(b"not HDF5")
    with pytest.raises(DatasetError, match="is not a readable SeisBench data set"):
        read_records(tmp_path, LIKE)


def test_an_open_data_set_is_read_and_not_changed(dataset):
    motion = noise()
    opened = WaveformDataset(dataset((a_row(), motion)), component_order="EZ", sampling_rate=20)
    waveforms, _ = read_records(opened, LIKE)
    np.testing.assert_array_equal(waveforms[0], motion)
    assert (opened.component_order, opened.sampling_rate) == ("EZ", 20)


def test_recorded_motion(bay_area_records, caplog):
    caplog.set_level(logging.WARNING)
    window = Window("ZNE", RATE, -5.0, 6000)
    with pytest.raises(DatasetError, match="5 of 31 records cannot be used"):
        read_records(bay_area_records, window, strict=True)
    waveforms, scenario = read_records(bay_area_records, window)
    assert waveforms.shape == (24, 3, 6000)
    assert "2 records left out: not of the primary instrument" in caplog.text
    assert "3 records left out: not covering the window, or with a gap" in caplog.text
    assert not scenario.duplicated(["source_id", "station_code"]).any()
    # SeisBench's own P samples: the peak comes after P, and what is before it is quieter.
    picked = scenario.trace_p_arrival_sample.notna().to_numpy()
    for record, p in zip(waveforms[picked], scenario.trace_p_arrival_sample[picked], strict=True):
        peak = np.abs(record).max(axis=0)
        assert int(np.argmax(peak)) >= int(p)


def events(n):
    return pd.DataFrame({"source_id": [f"ev{i // 3}" for i in range(3 * n)]})


def test_events_are_split_whole_and_in_proportion():
    table = events(1000)
    split = event_split(table, seed=4, fractions=(0.7, 0.2, 0.1))
    per_event = table.assign(split=split).groupby("source_id")["split"]
    assert (per_event.nunique() == 1).all()
    shares = per_event.first().value_counts(normalize=True)
    for name, share in {"train": 0.7, "dev": 0.2, "test": 0.1}.items():
        assert shares[name] == pytest.approx(share, abs=0.05)


def test_more_events_move_none_and_another_seed_does():
    table = events(200)
    split = event_split(table, seed=1)
    order = np.random.default_rng(0).permutation(len(table))[:300]
    np.testing.assert_array_equal(event_split(table.iloc[order], seed=1), split[order])
    assert (event_split(table, seed=2) != split).any()


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (0.8, 0.1, 0.2), (1.1, -0.1, 0.0)])
def test_fractions_must_be_three_shares(fractions):
    with pytest.raises(DatasetError, match="three numbers of at least 0 that sum to 1"):
        event_split(events(2), fractions=fractions)


def test_records_are_zero_outside_their_valid_span(dataset, caplog):
    """Trace samples to samples of a window that starts 2 s later; what is outside may be NaN."""
    caplog.set_level(logging.INFO)
    wide = Window("ZNE", RATE, start_offset_s=-2.0, n_samples=2000)
    broken = noise(2300, seed=1)
    broken[:, :300], broken[:, 1800:] = np.nan, 0.0
    folder = dataset(
        (a_row(0, start_s=-4.0), noise(2300)),
        (a_row(1, start_s=-4.0, **{VALID_START: 300, VALID_END: 1800}), broken),
        (a_row(2, start_s=-4.0, **{VALID_END: 1100}), noise(2300)),
    )
    waveforms, scenario = read_records(folder, wide)
    assert scenario["station_code"].tolist() == ["S0", "S1"]
    assert scenario.attrs["left_out"] == {"not covering the window, or with a gap": 1}
    assert valid_spans(scenario, 2000).tolist() == [[0, 2000], [100, 1600]]
    np.testing.assert_array_equal(waveforms[1, :, 100:1600], broken[:, 300:1800])
    assert not waveforms[1, :, :100].any() and not waveforms[1, :, 1600:].any()
    assert "1 of 2 records fill only a part of the window." in caplog.text
    lazy, _ = scan_records(folder, wide)
    np.testing.assert_array_equal(lazy[np.arange(2)], waveforms)


def test_valid_spans_of_resampled_records(dataset):
    half = Window("ZNE", 50.0, start_offset_s=-2.0, n_samples=1000)
    span = {VALID_START: 300, VALID_END: 1800}
    resampled, scenario = read_records(dataset((a_row(start_s=-4.0, **span), noise(2300))), half)
    assert valid_spans(scenario, 1000).tolist() == [[50, 800]]
    assert not resampled[0, :, :50].any() and not resampled[0, :, 800:].any()
    assert resampled[0, :, 50:800].std() > 0.5
