import shutil
import socket

import numpy as np
import pytest
import seisbench
import torch
from obspy import Stream, Trace, UTCDateTime
from seisbench.data import WaveformDataset
from seisbench.models import PhaseNet

from cgmgm_seis.errors import DatasetError, WeightsError
from cgmgm_seis.measures import picks
from cgmgm_seis.measures.picks import COLUMNS, load_picker, pick, with_all_components
from cgmgm_seis.scenario.table import from_points
from cgmgm_seis.simulator.seismograms import simulate_records

pytestmark = pytest.mark.usefixtures("one_thread")
SAMPLES, RECORDS = 6000, 40


@pytest.fixture(scope="module")
def simulated():
    """Simulated records (record, Z N E, sample), m/s, and the samples of their onsets."""
    points = [(37.7 + 0.03 * k, -122.2 + 0.02 * k) for k in range(12)]
    waveforms, table = simulate_records(from_points(3.0, (37.85, -122.15), points), seed=1)
    onsets = table[["trace_p_arrival_sample", "trace_s_arrival_sample"]].to_numpy(float)
    return waveforms, onsets


def windows(folder, first):
    """Recorded windows of one length, 100 Hz, three components that move."""
    dataset = WaveformDataset(folder, component_order="ZNE", sampling_rate=100)
    usable = dataset.metadata["trace_n_components"] == 3
    usable &= dataset.metadata["trace_npts"] >= first + SAMPLES
    records = np.array(
        [
            dataset.get_waveforms(int(row))[:, first : first + SAMPLES]
            for row in np.flatnonzero(usable)[:RECORDS]
        ]
    )
    assert records.shape[1:] == (3, SAMPLES) and np.ptp(records, axis=-1).all()
    return records


def one_by_one(picker, records, sampling_rate=100.0, components="ZNE"):
    """What SeisBench's classify and annotate say of each record alone, as `pick` returns it."""
    start = UTCDateTime(2019, 10, 15, 5, 33, 7.8)
    expected = np.full((len(records), 4), np.nan)
    for row, record in enumerate(records):
        stream = Stream(
            Trace(
                data.astype(float) * 1e9,
                {
                    "network": "BK",
                    "station": "BRIB",
                    "channel": f"HH{component}",
                    "sampling_rate": sampling_rate,
                    "starttime": start,
                },
            )
            for component, data in zip(components, record, strict=True)
        )
        found = picker.classify(stream, P_threshold=0.3, S_threshold=0.3).picks
        curves = picker.annotate(stream)
        for k, phase in enumerate("PS"):
            chosen = [one for one in found if one.phase == phase]
            if chosen:
                strongest = max(chosen, key=lambda one: one.peak_value)
                expected[row, k] = strongest.peak_time - start
            expected[row, k + 2] = curves.select(channel=f"*_{phase}")[0].data.max()
    return expected


def assert_same(found, expected):
    """Same picks within a hundredth of a sample, same probabilities within 1e-4: rounding."""
    values = found[list(COLUMNS)].to_numpy()
    assert len(found) == len(expected)
    np.testing.assert_allclose(values[:, :2], expected[:, :2], atol=1e-4, rtol=0)
    np.testing.assert_allclose(values[:, 2:], expected[:, 2:], atol=1e-4, rtol=0)
    assert np.isfinite(expected[:, 0]).mean() > 0.5


@pytest.mark.parametrize(("name", "first"), [("norcal_windows", 1500), ("bay_area_records", 0)])
def test_recorded_picks_are_seisbenchs(name, first, request, phasenet):
    records = windows(request.getfixturevalue(name), first)
    assert_same(pick(phasenet, records), one_by_one(phasenet, records))


def test_simulated_picks_are_seisbenchs_and_near_the_onsets(simulated, phasenet):
    waveforms, onsets = simulated
    found = pick(phasenet, waveforms)
    assert_same(found, one_by_one(phasenet, waveforms))
    delays = found[["p_s", "s_s"]].to_numpy() - onsets / 100.0
    assert np.nanmedian(np.abs(delays)) < 0.1


@pytest.mark.parametrize("sampling_rate", [50.0, 200.0])
def test_other_rates_are_resampled_by_seisbench(sampling_rate, simulated, phasenet):
    waveforms = simulated[0][:4]
    records = waveforms[..., ::2] if sampling_rate == 50.0 else np.repeat(waveforms, 2, axis=-1)
    found = pick(phasenet, records, sampling_rate)
    assert_same(found, one_by_one(phasenet, records, sampling_rate))


def test_batches_chunks_and_component_order_change_nothing(simulated, phasenet, monkeypatch):
    waveforms, _ = simulated
    expected = pick(phasenet, waveforms)
    monkeypatch.setattr(picks, "CHUNK", 5)
    turned = pick(phasenet, waveforms[:, ::-1], component_order="21Z", batch_size=4)
    # The picker takes 1 for N and 2 for E: here 2 is E and 1 is N.
    np.testing.assert_allclose(turned, expected, atol=1e-4)


def test_the_threshold_takes_away_picks_and_not_probabilities(simulated, phasenet):
    waveforms = simulated[0]
    median = pick(phasenet, waveforms)["s_probability"].median()
    found = pick(phasenet, waveforms, threshold=median)
    weak = found["s_probability"] <= median
    assert 0 < weak.sum() < len(found)
    np.testing.assert_array_equal(found["s_s"].isna(), weak)
    quiet = np.random.default_rng(0).normal(0.0, 1e-8, (2, 3, SAMPLES))
    assert pick(phasenet, quiet)[["p_s", "s_s"]].isna().all(axis=None)


def test_no_records_give_an_empty_table(phasenet):
    found = pick(phasenet, np.empty((0, 3, SAMPLES)))
    assert list(found.columns) == list(COLUMNS) and found.empty


@pytest.mark.parametrize(
    ("shape", "components", "message"),
    [
        ((3, SAMPLES), "ZNE", r"\(3, 6000\) must have"),
        ((2, 1, SAMPLES), "ZNE", "the 3 components ZNE"),
        ((2, 2, SAMPLES), "ER", "Components ER must be some of Z, N"),
        ((2, 2, SAMPLES), "2E", "Components 2E must be some of Z, N"),
        ((2, 3, 3000), "ZNE", r"Records of 30 s are too short for PhaseNet; .* 30\.01 s"),
    ],
)
def test_records_that_phasenet_cannot_take_are_refused(shape, components, message, phasenet):
    with pytest.raises(DatasetError, match=message):
        pick(phasenet, np.ones(shape), component_order=components)


def test_missing_and_constant_components_are_copies_of_the_last():
    z, n, e, still = [0.0, 1.0], [0.0, 2.0], [0.0, 3.0], [7.0, 7.0]
    expected = {
        "E": ([[e]], [e, e, e]),
        "ZE": ([[z, e]], [z, e, e]),
        "EZ": ([[e, z]], [z, e, e]),
        "1Z": ([[n, z]], [z, n, n]),
        "ZNE": ([[z, n, still]], [z, n, n]),
    }
    for order, (records, whole) in expected.items():
        np.testing.assert_array_equal(with_all_components(np.array(records), order), [whole])


def test_one_component_is_picked_as_three_copies(simulated, phasenet):
    east = simulated[0][:6, 2:]
    found = pick(phasenet, east, component_order="E")
    assert_same(found, one_by_one(phasenet, np.repeat(east, 3, axis=1)))


class Curves:
    """A picker that finds P with 0.9 at 2 s and with 0.5 at 10 s, and S with 0.8 at 10 s."""

    sampling_rate, in_samples = 100.0, 3001

    def annotate(self, stream, **_):
        annotations = Stream()
        for station in sorted({trace.stats.station for trace in stream}):
            for phase, peaks in {"P": {200: 0.9, 1000: 0.5}, "S": {1000: 0.8}}.items():
                data = np.zeros(SAMPLES)
                data[list(peaks)] = list(peaks.values())
                header = {"station": station, "channel": f"XX{phase}", "sampling_rate": 100.0}
                annotations += Trace(data, header)
        return annotations


def test_p_is_picked_within_its_window_only():
    records = np.random.default_rng(0).standard_normal((4, 1, SAMPLES))
    windows_s = [[0.0, 60.0], [8.0, 12.0], [12.0, 20.0], [-9.0, -5.0]]
    found = pick(Curves(), records, component_order="E", p_window_s=windows_s)
    np.testing.assert_allclose(found["p_s"], [2.0, 10.0, np.nan, np.nan])
    np.testing.assert_allclose(found["p_probability"], [0.9, 0.5, 0.0, 0.0])
    np.testing.assert_allclose(found["s_s"], 10.0)
    # Both limits hold: the window of P, and the valid span, here up to 5 s.
    spans = np.array([[0, 600]] * 4)
    found = pick(Curves(), records, component_order="E", spans=spans, p_window_s=windows_s)
    np.testing.assert_allclose(found["p_s"], [2.0, np.nan, np.nan, np.nan])
    assert found["s_s"].isna().all()


def test_copies_of_one_recorded_component_are_picked_better_than_zeros(
    norcal_windows, phasenet, monkeypatch
):
    records = windows(norcal_windows, 1500)
    near_p = np.tile([13.0, 17.0], (len(records), 1))  # P is at 15 s
    east = {"component_order": "E", "p_window_s": near_p}
    whole, copies = pick(phasenet, records), pick(phasenet, records[:, 2:], **east)
    zeros = records * np.array([0.0, 0.0, 1.0])[:, None]
    monkeypatch.setattr(picks, "with_all_components", lambda *_: zeros)
    padded = pick(phasenet, records[:, 2:], **east)
    for phase in ("p_s", "s_s"):
        assert copies[phase].notna().mean() > max(0.8, padded[phase].notna().mean() + 0.1)
        assert (copies[phase] - whole[phase]).abs().quantile(0.9) < 0.5
    assert ((copies["p_s"] - 15.0).abs().dropna() <= 2.0).all()


def test_records_as_long_as_the_window_are_picked(simulated, phasenet):
    assert_same(
        pick(phasenet, simulated[0][..., :3001]), one_by_one(phasenet, simulated[0][..., :3001])
    )


def test_samples_that_are_not_finite_are_refused(phasenet):
    records = np.ones((3, 3, SAMPLES))
    records[1, 0, 7] = np.nan
    with pytest.raises(DatasetError, match=r"1 of 3 records \(the first is record 1\)"):
        pick(phasenet, records)


# ---- loading -------------------------------------------------------------------------------


@pytest.fixture
def offline(monkeypatch):
    """No repository of SeisBench: nothing listens on that port."""
    monkeypatch.setattr(seisbench, "remote_model_root", "http://127.0.0.1:9/models/v3/")


def test_cached_weights_are_loaded_without_the_network(phasenet, monkeypatch):
    def asked(*arguments, **keywords):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(picks, "urlopen", asked)
    monkeypatch.setattr(seisbench.util, "ls_webdav", asked)
    assert load_picker("original").weights_docstring == phasenet.weights_docstring


@pytest.mark.parametrize("given", ["mine", "mine.json", "mine.pt"])
def test_weights_are_loaded_from_a_path(given, tmp_path, phasenet, offline):
    phasenet.save(tmp_path / "mine")
    loaded = load_picker(tmp_path / given)
    for key, value in phasenet.state_dict().items():
        assert (loaded.state_dict()[key] == value).all()


def test_weights_are_loaded_from_a_path_with_a_version(tmp_path, phasenet, offline):
    phasenet.save(tmp_path / "mine", version_str="2")
    assert isinstance(load_picker(tmp_path / "mine.json.v2"), PhaseNet)


@pytest.mark.parametrize("name", ["nothing", "folder/nothing", "nothing.json"])
def test_missing_weights_name_the_two_ways_to_get_them(name, offline):
    with pytest.raises(WeightsError, match=r"from_pretrained.*or pass the path") as caught:
        load_picker(name)
    assert f"'{name}'" in str(caught.value)


def test_a_network_that_does_not_answer_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(picks, "TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        root = f"http://127.0.0.1:{silent.getsockname()[1]}/models/v3/"
        monkeypatch.setattr(seisbench, "remote_model_root", root)
        with pytest.raises(WeightsError, match="'nothing' are not available"):
            load_picker("nothing")


def test_damaged_weights_are_refused(tmp_path, phasenet):
    phasenet.save(tmp_path / "mine")
    shutil.copy(tmp_path / "mine.json", tmp_path / "mine.pt")
    with pytest.raises(WeightsError, match="cannot be loaded"):
        load_picker(tmp_path / "mine")
    (tmp_path / "mine.json").write_text("{")
    with pytest.raises(WeightsError, match="cannot be loaded"):
        load_picker(tmp_path / "mine")


def test_no_code_in_the_weights_of_a_picker_runs(tmp_path, monkeypatch):
    """Though torch is told by its environment variable to read anything."""

    class Payload:
        def __reduce__(self):
            return (exec, ("raise SystemExit('unpickled')",))

    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    (tmp_path / "mine.json").write_text("{}")
    torch.save({"model": Payload()}, tmp_path / "mine.pt")
    with pytest.raises(WeightsError, match=r"PhaseNet weights .*mine' cannot be loaded"):
        load_picker(tmp_path / "mine")
