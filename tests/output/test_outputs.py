"""Output folders: complete or absent, and read back by the tools they are made for."""

import errno
import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import obspy
import pytest
from matplotlib.figure import Figure
from obspy.io.quakeml.core import _validate
from obspy.io.stationxml.core import validate_stationxml
from seisbench.data import WaveformDataset

from cgmgm_seis.errors import OutputError
from cgmgm_seis.output import outputs
from cgmgm_seis.output.outputs import write_outputs
from cgmgm_seis.scenario.streams import to_stream
from cgmgm_seis.scenario.table import from_points
from cgmgm_seis.scenario.travel_times import bay_area_travel_times
from cgmgm_seis.scenario.window import Window
from cgmgm_seis.storage.folders import CONTENT


def names(folder):
    return sorted(path.name for path in folder.iterdir())


PROVENANCE = {
    "model": {"class": "CGMGM", "weights": "tiny", "weights_version": "1"},
    "sampling": {"seed": 1},
    "trained_on": "nothing",
}


@pytest.fixture
def run():
    """Return the arguments of `write_outputs` after the folder, and the samples."""
    scenario = from_points(
        4.5,
        (37.938, -122.057),
        [(37.876, -122.236), (37.9, -122.0)],
        origin_time="2019-10-15T05:33:42.8123",
    )
    samples = np.random.default_rng(0).normal(size=(2, 2, 3, 700)).astype(np.float32)
    stream = to_stream(samples, scenario, Window("ZNE", 100.0, -5.0, samples.shape[-1]))
    provenance = PROVENANCE | {"scenario": scenario.to_dict(orient="records")}
    arrivals = bay_area_travel_times().at(scenario.source_depth_km, scenario.path_ep_distance_km)
    return {
        "stream": stream,
        "scenario": scenario,
        "provenance": provenance,
        "arrivals": arrivals,
    }, samples


@pytest.mark.parametrize("code", ["AKT013", "A.B"])
def test_codes_longer_than_those_of_miniseed(run, code, tmp_path):
    """SAC, data sets and StationXML hold the six characters of K-NET, and dots."""
    arguments, samples = run
    scenario = arguments["scenario"].assign(station_code=["V0000", code])
    stream = to_stream(samples, scenario, Window("ZNE", 100.0, -5.0, samples.shape[-1]))
    arguments |= {"scenario": scenario, "stream": stream}
    with pytest.raises(OutputError, match=f"station_code = '{code}' must have 1 to 5 ASCII"):
        write_outputs(tmp_path / "mseed", **arguments)
    assert not (tmp_path / "mseed").exists()
    for name in ("sac", "seisbench"):
        write_outputs(tmp_path / name, **arguments, format=name)
        network = obspy.read_inventory(tmp_path / name / "stations.xml")[0]
        assert [station.code for station in network] == ["V0000", code]
        assert len(network[1].channels) == 6
        assert validate_stationxml(str(tmp_path / name / "stations.xml"))[0]
    (trace,) = obspy.read(tmp_path / "sac" / "sac" / f"SY.{code}.01.HXE.*.sac")
    assert trace.stats.station == code
    np.testing.assert_allclose(trace.data, 1e9 * stream[-1].data, rtol=1e-6)
    dataset = WaveformDataset(tmp_path / "seisbench")
    assert dataset.metadata["station_code"].tolist() == ["V0000", "V0000", code, code]


def test_miniseed_folder_reads_back(run, tmp_path):
    arguments, _ = run
    figures = {"empty.png": (Figure(), "a figure")}
    written = write_outputs(tmp_path / "out", **arguments, figures=figures)
    assert {path for path, _ in written} == set((tmp_path / "out").iterdir())
    assert all(description for _, description in written)
    back = obspy.read(tmp_path / "out" / "waveforms.mseed")
    for trace, original in zip(back, arguments["stream"], strict=True):
        assert trace.id == original.id
        assert trace.stats.starttime == original.stats.starttime
        assert trace.stats.mseed.encoding == "FLOAT32"
        np.testing.assert_array_equal(trace.data, original.data)
    valid, errors = validate_stationxml(str(tmp_path / "out" / "stations.xml"))
    assert valid, errors
    assert _validate(str(tmp_path / "out" / "events.xml"))
    provenance = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert provenance == arguments["provenance"]
    comment = obspy.read_inventory(tmp_path / "out" / "stations.xml")[0][0][0].comments[0].value
    assert "CGMGM, weights tiny version 1, seed 1" in comment
    assert names(tmp_path) == ["out"]


def test_sac_headers(run, tmp_path):
    arguments, _ = run
    write_outputs(tmp_path / "out", **arguments, format="sac")
    files = sorted((tmp_path / "out" / "sac").iterdir())
    assert len(files) == 12
    row = arguments["scenario"].iloc[1]
    name = "SY.V0001.01.HXE.20191015T053337.sac"
    trace = obspy.read(tmp_path / "out" / "sac" / name)[0]
    original = arguments["stream"].select(id="SY.V0001.01.HXE")[0]
    np.testing.assert_allclose(trace.data, 1e9 * original.data, rtol=1e-6)
    assert abs(trace.stats.starttime - original.stats.starttime) <= 1e-6
    header = trace.stats.sac
    expected = {
        "evla": row.source_latitude_deg,
        "evlo": row.source_longitude_deg,
        "evdp": row.source_depth_km,
        "mag": row.source_magnitude,
        "stla": row.station_latitude_deg,
        "stlo": row.station_longitude_deg,
        "stel": row.station_elevation_m,
        "dist": row.path_ep_distance_km,
        "az": row.path_azimuth_deg,
        "baz": original.stats.back_azimuth,
        "o": 0.0003,
        "b": -4.9997,
        "a": arguments["arrivals"][0][1] + 0.0003,
        "t0": arguments["arrivals"][1][1] + 0.0003,
        "cmpaz": 90.0,
        "cmpinc": 90.0,
    }
    for key, value in expected.items():
        assert header[key] == pytest.approx(value, rel=1e-6, abs=1e-6), key
    codes = [header[key].strip() for key in ("knetwk", "kstnm", "khole", "kcmpnm")]
    assert codes == ["SY", "V0001", "01", "HXE"]


def test_seisbench_reads_its_format(run, tmp_path, capsys):
    arguments, samples = run
    write_outputs(tmp_path / "out", **arguments, format="seisbench")
    assert capsys.readouterr().err == ""
    dataset = WaveformDataset(tmp_path / "out", component_order="ZNE")
    assert len(dataset) == 4
    back = np.stack([dataset.get_waveforms(k) for k in range(4)])
    np.testing.assert_array_equal(back, samples.reshape(4, 3, 700))
    metadata = dataset.metadata
    p, s = arguments["arrivals"]
    np.testing.assert_allclose(
        metadata["trace_p_arrival_sample"], np.repeat((p + 5) * 100, 2), atol=1e-3
    )
    np.testing.assert_allclose(
        metadata["trace_s_arrival_sample"], np.repeat((s + 5) * 100, 2), atol=1e-3
    )
    assert metadata["trace_sampling_rate_hz"].tolist() == [100.0] * 4
    assert metadata["trace_start_time"][0].startswith("2019-10-15T05:33:37.8123")


def test_unknown_format(run, tmp_path):
    with pytest.raises(OutputError, match=r"'wav' is not known; .* mseed, sac, seisbench"):
        write_outputs(tmp_path / "out", **run[0], format="wav")


def test_existing_folder_is_kept(run, tmp_path):
    out = tmp_path / "out"
    write_outputs(out, **run[0])
    before = (out / "waveforms.mseed").read_bytes()
    (out / "note").write_text("mine")
    with pytest.raises(OutputError, match="already exists; --overwrite"):
        write_outputs(out, **run[0], format="sac")
    assert (out / "waveforms.mseed").read_bytes() == before
    write_outputs(out, **run[0], format="sac", overwrite=True)
    assert not (out / "note").exists()
    assert not (out / "waveforms.mseed").exists()
    assert names(tmp_path) == ["out"]


def test_overwrite_spares_folders_of_others(run, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter").write_text("years of work")
    with pytest.raises(OutputError, match="not a folder of generated records"):
        write_outputs(tmp_path / "thesis", **run[0], overwrite=True)
    assert (tmp_path / "thesis" / "chapter").read_text() == "years of work"


@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), MemoryError(), OSError(errno.ENOSPC, "No space left on device")],
)
@pytest.mark.parametrize("stage", ["write_stationxml", "to_catalog"])
def test_a_failure_leaves_nothing(run, tmp_path, monkeypatch, error, stage):
    def fail(*args):
        raise error

    monkeypatch.setattr(outputs, stage, fail)
    expected = OutputError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected) as caught:
        write_outputs(tmp_path / "deep" / "out", **run[0])
    assert names(tmp_path) == []
    if isinstance(error, OSError):
        assert "No space left on device" in str(caught.value)


def test_a_failed_replacement_keeps_the_old_folder(run, tmp_path, monkeypatch):
    out = tmp_path / "out"
    write_outputs(out, **run[0])
    before = names(out)
    rename = Path.rename

    def fail_last(path, target):
        if path.name == CONTENT:
            raise OSError(errno.EIO, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail_last)
    with pytest.raises(OutputError, match="Input/output error"):
        write_outputs(out, **run[0], format="sac", overwrite=True)
    assert names(out) == before
    assert names(tmp_path) == ["out"]


def in_child(target, *args):
    """Start a function in a forked process, which shares the modules imported here."""
    try:
        context = multiprocessing.get_context("fork")
    except ValueError:
        pytest.skip("this system cannot fork processes")
    process = context.Process(target=target, args=args)
    process.start()
    return process


def write_with_little_disk(limit, arguments, folder, file_format, messages):
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        write_outputs(folder, **arguments, format=file_format)
    except OutputError as error:
        messages.send(str(error))
    messages.close()


@pytest.mark.parametrize(
    ("file_format", "limit"), [("mseed", 4096), ("sac", 2048), ("seisbench", 8192)]
)
def test_a_full_disk_is_one_line_and_leaves_nothing(run, tmp_path, file_format, limit):
    """A limit on the size of files stands in for the disk; each format's writer meets it."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = in_child(
        write_with_little_disk, limit, run[0], tmp_path / "new" / "out", file_format, sender
    )
    process.join(60)
    assert process.exitcode == 0
    assert receiver.poll(0)
    message = receiver.recv()
    assert "cannot be written" in message
    assert "\n" not in message
    assert names(tmp_path) == []


def write_slowly(arguments, folder, messages):
    def wait(scenario):
        # A shell that runs the tests in the background makes its children deaf to SIGINT.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        messages.send("writing")
        time.sleep(60)

    outputs.to_catalog = wait
    write_outputs(folder, **arguments)


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_leaves_nothing_under_the_name(run, tmp_path, kill):
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = in_child(write_slowly, run[0], tmp_path / "new" / "out", sender)
    assert receiver.poll(60)
    time.sleep(0.1)
    os.kill(process.pid, kill)
    process.join(60)
    assert process.exitcode not in (0, None)
    left = names(tmp_path)
    if kill == signal.SIGINT:
        assert left == []
    else:
        assert len(left) == 1
        assert left[0].startswith(".out-")
