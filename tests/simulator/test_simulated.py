"""The simulated catalogue: exact, reproducible, and real enough for the tools.

The reality checks run on one catalogue of 150 events, shared by the tests of this file.
"""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from obspy import Stream, Trace

from cgmgm_seis.errors import CgmgmError, DatasetError, OutputError
from cgmgm_seis.measures.intensity import smoothed_fas
from cgmgm_seis.scenario.table import from_points
from cgmgm_seis.scenario.travel_times import bay_area_travel_times
from cgmgm_seis.simulator import earthquakes, seismograms, spectra
from cgmgm_seis.simulator.catalogue import MIN_SNR_DB, simulate, simulate_catalogue
from cgmgm_seis.simulator.random_field import RandomField
from cgmgm_seis.simulator.region import true_fields
from cgmgm_seis_cli.dataset import dataset as dataset_command

PICKED_RECORDS = 150


@pytest.fixture(scope="module")
def catalogue(many_simulated):
    return many_simulated


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated") / "set"
    return folder, simulate(12, seed=5, out=folder, workers=1, progress=False)


@pytest.fixture(scope="module")
def small():
    """The records and the table that `written` should hold."""
    return simulate_catalogue(12, seed=5, workers=1)


# ---- it looks real to the tools ------------------------------------------------------------


@pytest.mark.slow
def test_phasenet_finds_the_true_onsets(catalogue, phasenet):
    waveforms, table = catalogue
    loud = np.flatnonzero(table["trace_snr_db"] > 10.0)
    chosen = np.random.default_rng(0).choice(loud, PICKED_RECORDS, replace=False)
    found = {"P": 0, "S": 0}
    for i in chosen:
        stream = Stream(
            Trace(trace * 1e9, {"station": "SIM", "channel": f"HX{c}", "sampling_rate": 100.0})
            for trace, c in zip(waveforms[i], "ZNE", strict=True)
        )
        start = stream[0].stats.starttime
        picks = phasenet.classify(stream, P_threshold=0.3, S_threshold=0.3).picks
        for phase in found:
            true = table[f"trace_{phase.lower()}_arrival_sample"].iloc[i] / 100.0
            times = [pick.peak_time - start for pick in picks if pick.phase == phase]
            found[phase] += any(abs(time - true) < 0.3 for time in times)
    assert found["P"] / PICKED_RECORDS >= 0.93
    assert found["S"] / PICKED_RECORDS >= 0.88


# ---- arrivals ------------------------------------------------------------------------------


def test_nothing_comes_before_p_and_much_at_p_and_s(monkeypatch):
    monkeypatch.setattr(seismograms, "_noise", lambda rng, station: 0.0)
    monkeypatch.setattr(seismograms, "_snr_db", lambda record, p_start: 0.0)
    waveforms, table = seismograms.simulate_records(from_points(3.0, (37.8, -122.1)))
    for record, p, s in zip(
        np.abs(waveforms).max(axis=1),
        table["trace_p_arrival_sample"],
        table["trace_s_arrival_sample"],
        strict=True,
    ):
        assert record[: int(p) - 5].max() < 0.01 * record.max()
        assert record[int(p) : int(p) + 30].max() > 10 * record[: int(p) - 5].max()
        assert record[int(s) : int(s) + 100].max() > record[int(s) - 30 : int(s) - 5].max()


def test_arrivals_are_the_table_plus_the_lateral_field(catalogue):
    _, table = catalogue
    p, s = bay_area_travel_times().at(table["source_depth_km"], table["path_ep_distance_km"])
    path = table[
        [f"{end}_{axis}_deg" for end in ("source", "station") for axis in ("latitude", "longitude")]
    ]
    slowness, delay = true_fields().delays(*path.to_numpy().T)
    true_p = table["trace_p_arrival_sample"] / 100.0 - 5.0
    true_s = table["trace_s_arrival_sample"] / 100.0 - 5.0
    np.testing.assert_allclose(true_p, p * (1 + slowness) + delay)
    assert (true_s - true_p).min() > 0.1
    assert true_s.max() < 55.0
    assert 0.05 < (true_p - p).std() < 0.6
    assert np.corrcoef(true_p - p, true_s - s)[0, 1] > 0.9


def test_s_is_polarised_across_the_ray_and_p_is_vertical(catalogue):
    waveforms, table = catalogue
    loud = np.flatnonzero(table["trace_snr_db"] > 25.0)[:200]
    after = {}
    for phase in "ps":
        first = table[f"trace_{phase}_arrival_sample"].astype(int).to_numpy()
        x = np.stack([waveforms[i, :, first[i] : first[i] + 30] for i in loud]).astype(float)
        after[phase] = x / np.sqrt((x**2).mean(axis=(1, 2), keepdims=True))
    power = {phase: (x**2).mean(axis=(0, 2)) for phase, x in after.items()}
    assert power["p"][0] > 2 * power["p"][1:].max()
    assert power["s"][0] < 0.6 * power["s"][1:].min()
    n, e = after["s"][:, 1].astype(float), after["s"][:, 2].astype(float)
    coherence = np.abs((n * e).sum(axis=1)) / np.sqrt((n**2).sum(axis=1) * (e**2).sum(axis=1))
    assert np.median(coherence) > 0.6


# ---- randomness belongs to the record ------------------------------------------------------


def test_records_depend_on_neither_order_nor_subset():
    scenario = from_points(2.5, (37.9, -122.2)).head(8)
    all_records, _ = seismograms.simulate_records(scenario, seed=3)
    some, _ = seismograms.simulate_records(scenario.iloc[[6, 2]].reset_index(drop=True), seed=3)
    np.testing.assert_allclose(some, all_records[[6, 2]], rtol=1e-5, atol=1e-14)
    other, _ = seismograms.simulate_records(scenario, seed=4)
    assert not np.array_equal(other, all_records)


def test_records_of_one_event_share_its_terms():
    scenario = from_points(2.5, (37.9, -122.2), source_id="a")
    _, table = seismograms.simulate_records(
        pd.concat([scenario, scenario.assign(source_id="b")], ignore_index=True)
    )
    terms = table.groupby("source_id")[["source_stress_drop_pa", "source_event_term"]].nunique()
    assert (terms == 1).all(axis=None)
    assert table["source_stress_drop_pa"].nunique() == 2


@pytest.mark.slow
def test_workers_make_no_difference(written, small):
    (_, table), (waveforms, one) = written, small
    parallel, two = simulate_catalogue(12, seed=5, workers=2)
    np.testing.assert_array_equal(waveforms, parallel)
    pd.testing.assert_frame_equal(one, two)
    pd.testing.assert_frame_equal(one, table)


def test_earthquakes_do_not_depend_on_their_number():
    few, many = earthquakes.draw_catalogue(3, 1), earthquakes.draw_catalogue(9, 1, range(3))
    columns = [c for c in few if c != "source_origin_time"]
    pd.testing.assert_frame_equal(few[columns], many[columns])


# ---- the catalogue -------------------------------------------------------------------------


def test_catalogue_stays_in_its_ranges(catalogue):
    waveforms, table = catalogue
    assert waveforms.shape == (len(table), 3, 6000) and waveforms.dtype == np.float32
    assert np.isfinite(waveforms).all()
    assert table["source_magnitude"].between(1.0, 5.5).all()
    assert (table["source_magnitude"] > 4.0).mean() > 0.15
    assert table["source_depth_km"].between(0.5, 18.0).all()
    assert table["path_ep_distance_km"].max() < 150.0
    assert table["trace_snr_db"].min() >= MIN_SNR_DB
    assert table["source_origin_time"].between("2015", "2021").all()
    starts = pd.to_datetime(table["trace_start_time"])
    assert ((pd.to_datetime(table["source_origin_time"]) - starts).dt.total_seconds() == 5).all()


def test_splits_keep_events_whole(catalogue):
    _, table = catalogue
    assert (table.groupby("source_id")["split"].nunique() == 1).all()
    shares = table.drop_duplicates("source_id")["split"].value_counts(normalize=True)
    assert shares["train"] == pytest.approx(0.8, abs=0.03)
    assert shares[["dev", "test"]].min() > 0.05


def test_noise_lies_between_petersons_models():
    noise = seismograms._noise(np.random.default_rng(0), "NC.CAL.00")
    assert noise.shape == (3, 6000)
    # Velocity at 4 to 6 Hz, where the models are about -168 and -100 dB of acceleration.
    level = smoothed_fas(noise, 100.0, [5.0]) / np.sqrt(60.0 / 2.0)
    db = 20 * np.log10(level * 2 * np.pi * 5.0)
    assert ((db > -168) & (db < -95)).all()


# ---- the true fields -----------------------------------------------------------------------


def test_fields_are_smooth_and_have_their_sigma():
    field = RandomField("test", 0.5, (15.0, 15.0), n_waves=2000)
    points = np.random.default_rng(0).uniform(-2000, 2000, (4000, 2))
    assert field(points).std() == pytest.approx(0.5, rel=0.1)
    near = field(points + np.array([15.0, 0.0]))
    # Squared-exponential covariance: exp(-1/2) at one correlation length.
    assert np.corrcoef(field(points), near)[0, 1] == pytest.approx(np.exp(-0.5), abs=0.06)


def test_true_spectrum_is_what_the_records_have_on_average():
    """Mean power of many realizations, event terms removed, against the true spectrum of S."""
    scenario = from_points(3.0, (37.85, -122.15), [(37.95, -122.05)])
    events = pd.concat([scenario.assign(source_id=f"{i}") for i in range(300)], ignore_index=True)
    waveforms, table = seismograms.simulate_records(events)
    true = spectra.ln_spectrum(table, [5.0], table["source_stress_drop_pa"])
    level = np.log(smoothed_fas(waveforms[:, 1:], 100.0, [5.0]))[..., 0]
    residual = level - true - table["source_event_term"].to_numpy()[:, None]
    # Smoothed amplitudes are below the rms, the coda has lost some power at 5 Hz, P adds some.
    assert -0.5 < residual.mean() < 0.1


# ---- files ---------------------------------------------------------------------------------


def test_seisbench_reads_what_was_written(written, small):
    from seisbench.data import WaveformDataset

    folder, table = written
    data = WaveformDataset(folder, component_order="ZNE")
    waveforms, _ = small
    assert len(data) == len(table)
    assert (data.metadata["trace_sampling_rate_hz"] == 100.0).all()
    assert data.data_format["measurement"] == "velocity"
    assert data.data_format["unit"] == "mps"
    np.testing.assert_array_equal(data.get_waveforms(), waveforms)
    np.testing.assert_allclose(
        data.metadata["trace_s_arrival_sample"], table["trace_s_arrival_sample"]
    )
    assert len(data.train()) == (table["split"] == "train").sum()
    again, _ = seismograms.simulate_records(data.metadata.head(3), seed=5)
    np.testing.assert_allclose(again, waveforms[:3], atol=1e-6 * np.abs(waveforms[:3]).max())


def test_an_existing_folder_is_kept(written, tmp_path):
    folder, _ = written
    before = (folder / "metadata.csv").stat()
    with pytest.raises(OutputError, match="already exists"):
        simulate(1, out=folder)
    assert (folder / "metadata.csv").stat() == before
    (tmp_path / "mine").mkdir()
    with pytest.raises(OutputError, match="not a SeisBench data set"):
        simulate(1, out=tmp_path / "mine", overwrite=True)


def test_bad_numbers_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="0 events"):
        simulate(0, out=tmp_path / "set")
    with pytest.raises(CgmgmError, match="seed = -1 must be"):
        simulate_catalogue(1, seed=-1)


def test_a_killed_run_leaves_nothing_under_the_final_name(tmp_path):
    folder = tmp_path / "set"
    code = (
        "import sys; from cgmgm_seis.simulator.catalogue import simulate; "
        "simulate(2000, out=sys.argv[1], workers=1)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(folder)])
    deadline = time.monotonic() + 60
    while not any(Path(tmp_path).glob(".set-*.part/*")) and time.monotonic() < deadline:
        if process.poll() is not None:
            break
        time.sleep(0.1)
    process.kill()
    process.wait()
    assert list(tmp_path.glob(".set-*.part"))
    assert not folder.exists()


def test_a_failed_run_cleans_up(tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cgmgm_seis.simulator.catalogue.simulate_records", fail)
    with pytest.raises(OutputError, match="No space left on device"):
        simulate(2, out=tmp_path / "set", workers=1)
    assert list(tmp_path.iterdir()) == []


def test_command_line(tmp_path):
    arguments = ["simulate", "--events", "3", "--seed", "2", "--out", str(tmp_path / "set")]
    result = CliRunner().invoke(dataset_command, arguments)
    assert result.exit_code == 0, result.output
    assert "SeisBench format" in result.output and len(result.stdout.splitlines()) == 1
    assert (tmp_path / "set" / "waveforms.hdf5").is_file()
