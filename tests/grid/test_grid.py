"""Maps of a scenario: files, and work that is never lost."""

import multiprocessing
import os
import signal
import time
from dataclasses import replace

import h5py
import numpy as np
import obspy
import pandas as pd
import pytest
from obspy.io.stationxml.core import validate_stationxml

from cgmgm_seis import EvolutionaryCGM, read_output, receivers, source
from cgmgm_seis.errors import CgmgmError, OutputError, ScenarioError
from cgmgm_seis.grid.engines import run_local, run_ray
from cgmgm_seis.grid.job import GridJob
from cgmgm_seis.grid.measures import Measures
from cgmgm_seis.grid.nodes import Nodes, grid_nodes
from cgmgm_seis.grid.openquake import LN_G
from cgmgm_seis.grid.synthesis import draw_tasks, local_engine, write_grid
from cgmgm_seis.measures.intensity import eas, fas
from cgmgm_seis.measures.quantities import in_quantity
from cgmgm_seis.measures.response_spectra import rotd50_psa
from cgmgm_seis.scenario.table import from_points
from cgmgm_seis.serve.archive import read_folders

pytestmark = pytest.mark.usefixtures("one_thread", "unarranged")

REGION = (-122.5, -121.8, 37.27, 38.07)
SOURCE = source(3.9, 37.861, -122.257, 7.9)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights whose record terms correlate."""
    model = EvolutionaryCGM.from_pretrained("bay_area_evolutionary")
    model.effects.length_km.fill_(15.0)
    model.effects.correlated.fill_(0.9)
    path = tmp_path_factory.mktemp("weights") / "correlated"
    model.save(path, card={"trained_on": "simulated records"})
    return path


@pytest.fixture
def job(weights, tmp_path):
    """Twelve nodes, two realizations, four tasks."""
    model = EvolutionaryCGM.load(weights)
    measures = Measures("ZNE", 100.0, periods=(0.3,))
    return GridJob(
        model,
        str(weights),
        SOURCE,
        grid_nodes(REGION, (3, 4)),
        measures,
        n_realizations=2,
        seed=3,
        folder=tmp_path / "chunks",
        task_records=6,
    )


@pytest.fixture
def few_pictures(monkeypatch):
    """Films of a picture every five seconds."""
    for module in ("job", "plots"):
        monkeypatch.setattr(f"cgmgm_seis.grid.{module}.MOVIE_STEP_S", 5.0)


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# ---- the model's fields ------------------------------------------------------------------------


def test_records_near_each_other_resemble_each_other(weights):
    """The variogram of ln EAS at 0.3 km is below half of that at 60 km, but not without fields."""
    model = EvolutionaryCGM.load(weights)
    table = from_points(
        3.5, (37.861, -122.257), [(37.6, -122.0), (37.6027, -122.0), (38.1, -122.3)]
    )
    gamma = {}
    for length in (15.0, 0.0):
        model.effects.length_km.fill_(length)
        x = np.log(eas(model.sample(table, 60, seed=1)[:, :, 1:], 100.0, (3.0, 8.0)))
        x -= x.mean(axis=1, keepdims=True)
        gamma[length] = [0.5 * ((x[0] - x[k]) ** 2).mean() for k in (1, 2)]
    assert gamma[15.0][0] < 0.5 * gamma[15.0][1]
    assert gamma[0.0][0] > 0.7 * gamma[0.0][1]


# ---- files -------------------------------------------------------------------------------------


def test_all_files_of_a_job(job, tmp_path, few_pictures):
    xarray = pytest.importorskip("xarray")
    job = replace(job, movie=True)
    done = draw_tasks(job)
    assert (done["tasks"], done["found"], done["records"]) == (4, 0, 24)
    written = write_grid(tmp_path / "out", job, ln=True, keep_realizations=True, movie="png")
    assert all(description for _, description in written)
    table = job.nodes.scenario(SOURCE, 0, 12)
    direct = job.model.sample(table, 2, seed=3)

    stream = obspy.read(str(tmp_path / "out/waveforms/realization_0001/*.mseed"))
    assert len(stream) == 36
    trace = stream.select(id="SY.A0005.01.HXN")[0]
    np.testing.assert_allclose(trace.data, direct[5, 1, 1], atol=1e-5 * np.abs(direct[5]).max())
    inventory = obspy.read_inventory(tmp_path / "out/stations.xml")
    assert len(inventory.get_contents()["channels"]) == 72
    assert inventory.get_coordinates("SY.A0005.01.HXN")["latitude"] == 37.67
    assert validate_stationxml(str(tmp_path / "out/stations.xml"))[0]
    assert len(obspy.read_events(tmp_path / "out/events.xml")) == 1

    with xarray.open_dataset(tmp_path / "out/maps.h5") as maps:
        assert maps.ln_fas_median.dims == ("component", "frequency", "latitude", "longitude")
        assert maps.attrs["Conventions"] == "CF-1.10"
        assert maps.latitude.attrs["units"] == "degrees_north"
        wanted = np.log(eas(direct[:, :, 1:], 100.0, (5.0,)))[..., 0]
        kept = maps.ln_eas.sel(frequency=5.0)
        assert kept.dims == ("realization", "latitude", "longitude")
        np.testing.assert_allclose(kept.to_numpy().reshape(2, 12).T, wanted, atol=1e-3)
        mean = maps.ln_eas_mean.sel(frequency=5.0, latitude=37.67)
        np.testing.assert_allclose(mean, wanted[4:8].mean(axis=1), atol=1e-3)
        node = maps.ln_psa_p84.isel(period=0, latitude=2, longitude=3).item()
        psa = np.log(rotd50_psa(direct[11, :, 1:], 100.0, (0.3,)))[:, 0]
        assert node == pytest.approx(np.percentile(psa, 84.0), abs=1e-3)

    fields = pd.read_csv(tmp_path / "out/gmf_data.csv")
    sites = pd.read_csv(tmp_path / "out/sitemesh.csv")
    assert fields.columns.tolist() == ["site_id", "event_id", "gmv_PGA", "gmv_PGV", "gmv_SA(0.3)"]
    assert sites.columns.tolist() == ["custom_site_id", "lon", "lat"]
    assert sites["custom_site_id"].tolist() == job.nodes.table(0, 12)["station_code"].tolist()
    assert fields["site_id"].tolist() == np.repeat(range(12), 2).tolist()
    one = fields[(fields["event_id"] == 1) & (fields["site_id"] == 11)]
    assert one["gmv_SA(0.3)"].item() == pytest.approx(np.exp(psa[1] + LN_G), rel=1e-3)
    # 1 g is 9.80665 m/s2.
    assert np.exp(np.log(9.80665) + LN_G) == pytest.approx(1.0)

    page = (tmp_path / "out/map.html").read_text()
    assert '"label": "EAS 5 Hz"' in page and '"statistic": "median of the realizations"' in page
    for name in ("map_spectra.png", "map_sigma.pdf", "map_peaks.png", "movie/frame_0010.png"):
        assert (tmp_path / "out" / name).stat().st_size > 1000


def test_integers_and_their_gain_give_the_motion_back(job, tmp_path):
    """Steim-2: to a count, a picometre a second or the digits that 30 bits hold."""
    job = replace(job, encoding="steim2", n_realizations=1)
    draw_tasks(job)
    write_grid(tmp_path / "out", job, parts=["quakeml"])
    scenario = job.nodes.scenario(SOURCE, 0, 12)
    direct = job.model.sample(scenario, 1, seed=3)
    stream = obspy.read(str(tmp_path / "out/waveforms/*/*.mseed"))
    trace = stream.select(id="SY.A0007.00.HXE")[0]
    assert trace.stats.mseed.encoding == "STEIM2" and trace.data.dtype == np.int32
    inventory = obspy.read_inventory(tmp_path / "out/stations.xml")
    response = inventory.get_response(trace.id, trace.stats.starttime)
    counts = response.instrument_sensitivity.value
    motion = direct[7, 0, 2]
    np.testing.assert_allclose(trace.data / counts, motion, atol=2e-6 * np.abs(motion).max())
    (read,) = read_output(tmp_path / "out").select(id=trace.id)
    assert read.stats.distance == pytest.approx(1000.0 * scenario["path_ep_distance_km"].iloc[7])
    for back in (trace.copy().remove_sensitivity(inventory), read):
        np.testing.assert_allclose(back.data, motion, atol=2e-6 * np.abs(motion).max())
    (served,) = read_folders([tmp_path / "out"]).stream.select(id=trace.id)
    np.testing.assert_array_equal(served.data, trace.data)


@pytest.mark.parametrize("encoding", ["float32", "steim2"])
def test_waveforms_of_other_quantities(job, tmp_path, encoding):
    """Samples and units; the maps are those of velocity."""
    drawn = job.model.sample(job.nodes.scenario(SOURCE, 0, 12), 2, 3).astype(float)
    for quantity, unit in (("acceleration", "m/s**2"), ("displacement", "m")):
        one = replace(job, quantity=quantity, encoding=encoding, folder=tmp_path / f".{quantity}")
        draw_tasks(one)
        write_grid(tmp_path / quantity, one, parts=("maps",))
        inventory = obspy.read_inventory(tmp_path / quantity / "stations.xml")
        channels = [channel for station in inventory[0] for channel in station]
        sensitivities = [channel.response.instrument_sensitivity for channel in channels]
        assert {sensitivity.input_units for sensitivity in sensitivities} == {unit}
        stream = obspy.read(tmp_path / quantity / "waveforms" / "realization_0001" / "*.mseed")
        stream.remove_sensitivity(inventory)
        expected = in_quantity(drawn[:, 1], 100.0, quantity).reshape(-1, 6000)
        for trace, wanted in zip(stream, expected, strict=True):
            assert trace.stats.channel[1] == ("N" if quantity == "acceleration" else "X")
            # Derivatives enlarge the rounding of other batches.
            np.testing.assert_allclose(trace.data, wanted, atol=1e-4 * np.abs(wanted).max())
    a, b = (h5py.File(tmp_path / name / "maps.nc") for name in ("acceleration", "displacement"))
    np.testing.assert_array_equal(a["pga_median"][:], b["pga_median"][:])


def test_a_labelled_data_set_of_all_nodes(job, tmp_path):
    """Chunks of a SeisBench set: the records of `sample`, the onsets of the model, resumable."""
    from seisbench.data import WaveformDataset

    job = replace(job, format="seisbench")
    draw_tasks(job)
    wanted = contents(job.folder)
    damaged = next(job.folder.rglob("waveforms_nodes_0000003*.hdf5"))
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert draw_tasks(job)["found"] == 3 and contents(job.folder) == wanted
    written = dict(write_grid(tmp_path / "out", job, parts=["quakeml"]))
    assert "24 records, P and S labelled" in written[tmp_path / "out" / "waveforms"]
    data = WaveformDataset(tmp_path / "out/waveforms", component_order="ZNE")
    assert data.chunks == [f"_nodes_{k:07d}-{k + 2:07d}" for k in (0, 3, 6, 9)]
    table = job.nodes.scenario(SOURCE, 0, 12)
    direct, (p, s) = job.model.sample(table, 2, seed=3), job.model.onsets(table)
    assert data["station_code"].tolist() == np.repeat(table["station_code"], 2).tolist()
    # Every realization is an earthquake.
    assert data["source_id"].tolist() == ["scenario-00", "scenario-01"] * 12
    for row in (0, 13, 23):
        x = direct[row // 2, row % 2]
        np.testing.assert_allclose(data.get_waveforms(row), x, atol=1e-5 * np.abs(x).max())
    for phase, times in (("p", p), ("s", s)):
        np.testing.assert_allclose(
            data[f"trace_{phase}_arrival_sample"], np.repeat(100.0 * (times + 5.0), 2), atol=1e-3
        )
    assert len(obspy.read_inventory(tmp_path / "out/stations.xml").get_contents()["channels"]) == 72
    with pytest.raises(OutputError, match="Encoding 'steim2' must be float32"):
        replace(job, encoding="steim2")


def test_stations_of_a_file_have_maps_too(job, tmp_path, few_pictures):
    xarray = pytest.importorskip("xarray")
    (tmp_path / "a.csv").write_text(
        "lon,lat,network,station\n-122.2,37.8,BK,BKS\n-122,37.9,NC,JFP\n"
    )
    job = replace(job, nodes=Nodes.of(receivers(tmp_path / "a.csv")), waveforms=False, movie=True)
    draw_tasks(job)
    write_grid(tmp_path / "out", job, movie="gif")
    with xarray.open_dataset(tmp_path / "out/maps.nc") as maps:
        assert maps.pgv_median.dims == ("station",)
        assert maps.station.to_numpy().tolist() == ["BK.BKS", "NC.JFP"]
        assert maps.pgv_median.latitude.to_numpy().tolist() == [37.8, 37.9]
    assert not (tmp_path / "out/waveforms").exists()


# ---- never lost, always the same ---------------------------------------------------------------


@pytest.mark.slow
def test_engines_and_shards_give_the_same_bytes(job, tmp_path):
    draw_tasks(job)
    wanted = contents(job.folder)
    assert len(wanted) == 4 + 8
    parts = replace(job, folder=tmp_path / "parts")
    for k in (2, 1, 3):
        draw_tasks(parts, shard=(k, 3))
    assert contents(parts.folder) == wanted
    processes = replace(job, folder=tmp_path / "processes")
    draw_tasks(processes, local_engine(2))
    assert contents(processes.folder) == wanted
    with pytest.raises(OutputError, match="Shard 4/3"):
        draw_tasks(parts, shard=(4, 3))


@pytest.mark.slow
def test_a_killed_run_goes_on_and_damage_is_found(job, tmp_path):
    job = replace(job, task_records=2)
    whole = replace(job, folder=tmp_path / "whole")
    draw_tasks(whole)
    process = multiprocessing.get_context("spawn").Process(target=draw_tasks, args=(job,))
    process.start()
    deadline = time.monotonic() + 120.0
    while not list(job.folder.glob("*.chunk")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    found = sorted(job.folder.glob("*.chunk"))
    assert 0 < len(found) < 12
    damaged = found[0].read_bytes()
    found[0].write_bytes(damaged[:-1] + bytes([damaged[-1] ^ 1]))
    records = sorted(job.folder.rglob("*.mseed"))
    if len(found) > 1:
        with records[-1].open("ab") as file:
            file.write(b"more")
    with pytest.raises(OutputError, match="missing or damaged"):
        list(job.results())
    done = draw_tasks(job)
    assert done["found"] < len(found)
    keep = {k: v for k, v in contents(job.folder).items() if ".part-" not in k}
    assert keep == contents(whole.folder)
    for name in ("a", "b"):
        write_grid(tmp_path / name, job if name == "a" else whole)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_killed_worker_is_said(job):
    job = replace(job, task_records=2)

    def killed():
        for _ in run_local(job, job.tasks, 1):
            for child in multiprocessing.active_children():
                os.kill(child.pid, signal.SIGKILL)

    with pytest.raises(OutputError, match="A worker was killed"):
        killed()
    assert draw_tasks(job)["found"] > 0


def test_a_full_disk_leaves_nothing(job, tmp_path, monkeypatch):
    draw_tasks(job)
    usage = os.statvfs_result
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    with pytest.raises(OutputError, match=r"maps.nc needs \d+ MB"):
        write_grid(tmp_path / "out", job)
    assert usage and not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))


def test_ctrl_c_while_files_are_written(job, tmp_path, monkeypatch):
    """Nothing is left of the folder, the finished chunks are, and it is said."""
    job = replace(job, waveforms=False)
    draw_tasks(job)

    def pressed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("cgmgm_seis.grid.synthesis.write_html", pressed)
    with pytest.raises(OutputError, match="keeps the finished chunks, and the same command"):
        write_grid(tmp_path / "out", job, parts=["maps", "html"])
    assert [path.name for path in tmp_path.iterdir()] == ["chunks"]
    assert draw_tasks(job)["found"] == 4


def test_nan_of_a_node_stops(job, monkeypatch):
    monkeypatch.setattr(
        type(job.model),
        "sample",
        lambda self, table, *_, **__: np.full((len(table), 2, 3, 6000), np.nan),
    )
    with pytest.raises(ScenarioError, match="NaN or infinity at one of the nodes 0 to 2"):
        draw_tasks(job)
    assert not list(job.folder.rglob("*.chunk"))


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.usefixtures("ray_of_two")
def test_ray_gives_the_same_bytes_though_a_worker_is_killed(job, tmp_path):
    job = replace(job, task_records=2)
    draw_tasks(job)
    remote = replace(job, folder=tmp_path / "remote")
    killed = False
    for _ in run_ray(remote, remote.tasks):
        for pid in _ray_workers() if not killed else ():
            os.kill(pid, signal.SIGKILL)
            killed = True
            break
    assert killed
    keep = {k: v for k, v in contents(remote.folder).items() if ".part-" not in k}
    assert keep == contents(job.folder)


def _ray_workers():
    """Return the processes that run a task, by what Ray calls them."""
    import psutil

    return [
        child.pid
        for child in psutil.Process().children(recursive=True)
        if "_run_shared" in " ".join(child.cmdline())
    ]


def test_ray_that_is_not_there(job, monkeypatch):
    pytest.importorskip("ray")
    # The other tests' Ray may run.
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    with pytest.raises(CgmgmError, match=r"Ray at '127.0.0.1:1' cannot be reached"):
        list(run_ray(job, job.tasks, "127.0.0.1:1"))


def test_maps_are_written_in_any_pieces(tmp_path):
    """Pieces that begin and end within rows give the map of one piece."""
    from cgmgm_seis.grid.maps import open_map_file

    nodes, measures = grid_nodes(REGION, (5, 7)), Measures("ZNE", 100.0, ("eas", "pgv"))
    values = np.random.default_rng(0).standard_normal((35, 2, measures.n_series)).astype("f4")
    found = dict.fromkeys(("median", "mean"), values[:, 0])
    maps = {}
    for step in (35, 3, 9):
        path = tmp_path / f"{step}.h5"
        with open_map_file(path, nodes, measures, 2, {}, ln=True) as file:
            for first in range(0, 35, step):
                part = slice(first, first + step)
                file.write(first, values[part], {k: v[part] for k, v in found.items()})
        with h5py.File(path) as file:
            maps[step] = file["ln_eas_median"][:], file["ln_eas"][:], file["ln_pgv"][:]
    np.testing.assert_array_equal(maps[35][0].reshape(4, 35).T, values[:, 0, :4])
    for step in (3, 9):
        for one, other in zip(maps[step], maps[35], strict=True):
            np.testing.assert_array_equal(one, other)


def test_frequencies_of_the_fourier_spectrum_are_in_the_maps(job):
    """The measured ln FAS is near the mean log of the raw spectrum about 5 Hz (to 0.5)."""
    draw_tasks(replace(job, waveforms=False))
    found = next(iter(replace(job, waveforms=False).results()))[2]["measures"]
    direct = job.model.sample(job.nodes.scenario(SOURCE, 0, 3), 2, seed=3)
    frequencies, amplitudes = fas(direct, 100.0)
    near = np.abs(frequencies - 5.0) < 0.4
    raw = np.log(amplitudes[..., near].mean(axis=-1))
    place = job.measures.labels.index("fas E 5 Hz")
    np.testing.assert_allclose(found[..., place], raw[..., 2], atol=0.5)
