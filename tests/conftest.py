"""Fixtures that several test files share, and a SeisBench cache of the tests' own."""

import atexit
import logging
import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from filelock import FileLock

SHARED = Path(__file__).resolve().parents[2] / "shared"
PHASENET_CACHE = SHARED / "phasenet" / "seisbench_cache"

# Two threads that share a busy core wait for each other most of the time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# What others' functions compute here is compiled for longer than it runs.
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")

# SeisBench reads this at import and writes to it, so it comes first and is a copy.
_cache = Path(tempfile.mkdtemp(prefix="seisbench-cache-"))
atexit.register(shutil.rmtree, _cache, ignore_errors=True)
if PHASENET_CACHE.is_dir():
    shutil.copytree(PHASENET_CACHE, _cache, dirs_exist_ok=True)
for _folder in (_cache, *_cache.rglob("*")):
    _folder.chmod(0o755 if _folder.is_dir() else 0o644)
os.environ["SEISBENCH_CACHE_ROOT"] = str(_cache)


def pytest_configure(config):
    """Keep the order of `pytest_collection_modifyitems` where workers share the tests."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items):
    """Put files with slow tests first: a worker runs whole files, and the last one decides."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


def _shared(*parts: str) -> Path:
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"the folder shared/{'/'.join(parts)} is not beside the checkout")
    return path


@pytest.fixture(autouse=True)
def own_messages():
    """Begin and end with the package's log as it is imported, whatever commands did to it."""
    _reset_log()
    yield
    _reset_log()


def _reset_log() -> None:
    logger = logging.getLogger("cgmgm_seis")
    logger.setLevel(logging.NOTSET)
    logger.handlers, logger.propagate = [], True


@pytest.fixture(scope="session")
def pyrvt():
    """The package pyRVT, whose integrands Numba has to compile."""
    numba = pytest.importorskip("numba")
    disabled, numba.config.DISABLE_JIT = numba.config.DISABLE_JIT, 0
    yield pytest.importorskip("pyrvt")
    numba.config.DISABLE_JIT = disabled


@pytest.fixture
def one_thread():
    """Keep sums in one order; small batches gain nothing from threads either."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def pleasant_hill(tmp_path_factory):
    """Folder of the shipped example, laid out as it was before it was cut: event.xml, raw/."""
    import obspy

    from cgmgm_seis.datasets.examples import write_example

    folder = tmp_path_factory.mktemp("pleasant_hill") / "example"
    write_example("pleasant-hill", folder)
    (folder / "raw").mkdir()
    inventory = obspy.read_inventory(folder / "stations.xml")
    for path in (folder / "waveforms").iterdir():
        network, station = path.stem.split(".")
        part = inventory.select(network=network, station=station)
        part.write(folder / "raw" / f"{path.stem}.xml", "STATIONXML")
        for trace in obspy.read(path):
            trace.write(folder / "raw" / f"{trace.id}.mseed", "MSEED")
    (folder / "stations.xml").unlink()
    shutil.rmtree(folder / "waveforms")
    return folder


@pytest.fixture(scope="session")
def whole_pleasant_hill():
    """Folder of the same earthquake with seven minutes of all instruments: event.xml, raw/."""
    return _shared("data", "pleasant_hill")


@pytest.fixture(scope="session")
def bay_area_records():
    """Folder of recorded motion in SeisBench format, response removed."""
    return _shared("data", "bay_area_records")


@pytest.fixture(scope="session")
def norcal_windows():
    """Folder of windows with analyst picks, SeisBench format."""
    return _shared("data", "norcal_windows")


@pytest.fixture(scope="session")
def nga_west2():
    """Folder of tables of recorded amplitudes: NGA-West2 and 3 in the Bay Area."""
    return _shared("data", "nga_west2")


@pytest.fixture(scope="session")
def published_numbers():
    """Arrays that the published code of CGM-GM computed, see the README beside them."""
    import numpy as np

    with np.load(_shared("published", "golden.npz")) as arrays:
        return dict(arrays)


@pytest.fixture(scope="session")
def phasenet():
    """PhaseNet with its published weights."""
    _shared("phasenet", "seisbench_cache")
    import seisbench.models

    return seisbench.models.PhaseNet.from_pretrained("original")


@pytest.fixture
def unarranged(monkeypatch):
    """Leave the panels of figures where they are: arranging them takes most of a figure's time.

    For tests of what stands in files; figures are arranged in the tests of figures and commands.
    """
    method = "matplotlib.figure.Figure.set_layout_engine"
    monkeypatch.setattr(method, lambda self, *args, **options: None)


@pytest.fixture(scope="session")
def browser_page():
    """A page of a browser without a window and without a network, see `browser.Page`."""
    import browser

    if browser.CHROMIUM is None:
        pytest.skip(browser.MISSING)
    with browser.browsing() as page:
        yield page


@pytest.fixture(scope="session")
def ray_of_two():
    """Ray with two processors, started once: its workers import torch for seconds."""
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Return a function that makes a folder which all workers share; the first one makes it."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def folder_of(name, make):
        folder, unfinished = shared / name, tmp_path_factory.mktemp("unfinished") / name
        with FileLock(shared / f"{name}.lock"):
            if not folder.exists():
                make(unfinished)
                unfinished.rename(folder)
        return folder

    return folder_of


@pytest.fixture(scope="session")
def many_simulated(made_once):
    """Waveforms and scenario of 150 simulated events that no weights were trained on."""
    import numpy as np
    import pandas as pd

    from cgmgm_seis.simulator.catalogue import simulate_catalogue

    def make(folder):
        waveforms, scenario = simulate_catalogue(150, seed=7, workers=2)
        folder.mkdir()
        np.save(folder / "waveforms.npy", waveforms)
        scenario.to_pickle(folder / "scenario.pkl")

    folder = made_once("many_simulated", make)
    return np.load(folder / "waveforms.npy"), pd.read_pickle(folder / "scenario.pkl")


@pytest.fixture(scope="session")
def whole_catalogue(made_once):
    """Folder of a simulated data set; its test split has 4 events or more."""
    import pandas as pd
    from small_datasets import CATALOGUE_SEED

    from cgmgm_seis.simulator.catalogue import simulate

    def make(folder):
        simulate(60, CATALOGUE_SEED, folder, workers=1, progress=False)

    folder = made_once("catalogue", make)
    metadata = pd.read_csv(folder / "metadata.csv")
    assert metadata.loc[metadata["split"] == "test", "source_id"].nunique() >= 4
    return folder


@pytest.fixture(scope="session")
def tiny_ranges():
    """Ranges of untrained models."""
    from small_datasets import TINY_RANGES

    return TINY_RANGES


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory):
    """Path (without suffix) of saved weights of an untrained CGMGM that samples fast."""
    import torch
    from small_datasets import TINY_RANGES

    from cgmgm_seis.models.cgmgm.model import CGMGM

    torch.manual_seed(0)
    model = CGMGM(griffin_lim_iterations=2, ranges=TINY_RANGES)
    path = tmp_path_factory.mktemp("weights") / "tiny"
    model.save(path, weights_docstring="Untrained.", card={"trained_on": "nothing: simulated"})
    return path


@pytest.fixture(scope="session")
def tiny_model(tiny_weights):
    """The model of `tiny_weights`."""
    from cgmgm_seis.models.weights import load_model

    return load_model(tiny_weights)
