"""Weights by name, in the manner of SeisBench's own tests: cache, versions, warnings, errors."""

import json
import logging
import re
import shutil
from pathlib import Path

import pytest
import seisbench

from cgmgm_seis import CGMGM, EvolutionaryCGM
from cgmgm_seis.errors import WeightsError, WeightsNotFoundError
from cgmgm_seis.models import load_model
from cgmgm_seis.models.weights_files import OLDEST_SEISBENCH

BUNDLED = {CGMGM: "bay_area", EvolutionaryCGM: "bay_area_evolutionary"}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """SeisBench's empty cache of weights."""
    monkeypatch.setattr(seisbench, "cache_model_root", tmp_path)
    return tmp_path / "cgmgm"


@pytest.fixture
def put(cache, tiny_weights):
    """Put weights into the cache: with a version in the file name, in the JSON file, or both."""

    def put(name, in_name=None, in_file="1", docstring=""):
        cache.mkdir(exist_ok=True)
        suffix = "" if in_name is None else f".v{in_name}"
        shutil.copy(tiny_weights.with_suffix(".pt"), cache / f"{name}.pt{suffix}")
        metadata = json.loads(tiny_weights.with_suffix(".json").read_text())
        metadata |= {"version": in_file, "docstring": docstring}
        (cache / f"{name}.json{suffix}").write_text(json.dumps(metadata))

    return put


@pytest.fixture
def offline(monkeypatch):
    """No network: SeisBench's list of its repository fails."""

    def fail(*args, **options):
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(seisbench.util, "ls_webdav", fail)


def test_files_without_a_version_in_their_name(put, cache):
    """As SeisBench, which renames them first; here the cache stays as it is."""
    put("mine", in_file="3", docstring="three")
    put("mine", in_name="2", in_file="2")
    before = sorted(path.name for path in cache.iterdir())
    assert CGMGM.list_pretrained() == ["bay_area", "bay_area_e", "mine"]
    assert CGMGM.list_versions("mine") == ["2", "3"]
    assert CGMGM.from_pretrained("mine").weights_version == "3"
    assert CGMGM.from_pretrained("mine", version_str="2").weights_version == "2"
    assert load_model("mine").weights_docstring == "three"
    assert sorted(path.name for path in cache.iterdir()) == before
    CGMGM._cleanup_local_repository()  # SeisBench's way
    assert (cache / "mine.json.v3").is_file()
    assert CGMGM.from_pretrained("mine").weights_version == "3"


def test_of_the_same_version_the_file_without_it_comes_first(put):
    put("mine", in_name="1", docstring="old")
    put("mine", docstring="dropped in")
    assert CGMGM.from_pretrained("mine", version_str="1").weights_docstring == "dropped in"


def test_versions_are_ordered_as_numbers(put):
    for version in ("10", "2", "draft"):
        put("mine", version, version)
    assert CGMGM.list_versions("mine") == ["draft", "2", "10"]
    assert CGMGM.from_pretrained("mine").weights_version == "10"


@pytest.mark.parametrize("cls", BUNDLED)
def test_bundled_versions_are_listed_and_latest_is_the_highest(cls, put, cache):
    name = BUNDLED[cls]
    (version,) = cls.list_versions(name)
    assert cls.from_pretrained(name).weights_version == version
    assert cls.list_versions("nothing") == []
    if cls is CGMGM:
        put(name, "99", "99")
        assert cls.list_versions(name) == [version, "99"]
        assert cls.from_pretrained(name).weights_version == "99"
        put(name, version, version, docstring="not the bundled one")
        found = cls.from_pretrained(name, version_str=version)
        assert found.weights_docstring != "not the bundled one"


@pytest.mark.parametrize("load", [CGMGM.from_pretrained, load_model])
def test_warnings_of_versions(put, monkeypatch, caplog, load):
    put("mine", "1")
    put("other", "2", "2")
    monkeypatch.setattr(CGMGM, "_weight_warnings", [("mi.e", "1", "Recalled: use version 2.")])
    with caplog.at_level(logging.WARNING):
        load("other")
        assert not caplog.records
        load("mine")
    assert "Weight version warning: Recalled: use version 2." in caplog.text


def test_errors_are_those_of_seisbench_too(put, cache):
    put("mine", "1")
    for missing in (lambda: CGMGM.from_pretrained("nothing"), lambda: load_model("nothing"),
                    lambda: CGMGM.load(cache / "nothing")):  # fmt: skip
        with pytest.raises(WeightsNotFoundError) as caught:
            missing()
        assert isinstance(caught.value, FileNotFoundError) and isinstance(caught.value, ValueError)
        assert str(caught.value).endswith(".")
    with pytest.raises(WeightsNotFoundError, match=r"'mine' \(version 3\); .* versions 1 of it"):
        CGMGM.from_pretrained("mine", version_str="3")
    (cache / "mine.pt.v1").unlink()
    with pytest.raises(FileNotFoundError, match=r"mine\.pt\.v1 is missing beside"):
        CGMGM.from_pretrained("mine")
    (cache / "mine.pt.v1").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"mine\.pt\.v1"):
        CGMGM.from_pretrained("mine")


def test_a_damaged_file_does_not_hide_others(put, cache):
    put("mine", "1")
    (cache / "broken.json").write_text("{")
    assert "mine" in CGMGM.list_pretrained()
    assert CGMGM.list_pretrained(details=True)["broken"] == ""
    with pytest.raises(WeightsError, match="broken"):
        CGMGM.from_pretrained("broken")


@pytest.mark.usefixtures("offline")
def test_offline_an_update_is_refused_in_one_sentence(put):
    put("mine", "1")
    sentence = r"SeisBench's repository of weights cannot be used \(Name or service not known\); .*"
    for ask in (
        lambda: CGMGM.from_pretrained("mine", update=True),
        lambda: CGMGM.from_pretrained("bay_area", force=True),
        lambda: CGMGM.list_pretrained(remote=True),
        lambda: CGMGM.list_versions("mine", remote=True),
    ):
        with pytest.raises(WeightsError, match=sentence) as caught:
            ask()
        assert "\n" not in str(caught.value)
    assert CGMGM.from_pretrained("mine").weights_version == "1"


def test_updates_come_from_the_repository(put, cache, tiny_weights, monkeypatch):
    """A repository with version 2 in files without it, as SeisBench's has for older weights."""
    put("mine", "1")
    remote = tiny_weights.parent / "remote"
    remote.mkdir()
    metadata = json.loads(tiny_weights.with_suffix(".json").read_text()) | {"version": "2"}
    (remote / "mine.json").write_text(json.dumps(metadata))
    shutil.copy(tiny_weights.with_suffix(".pt"), remote / "mine.pt")
    monkeypatch.setattr(seisbench.util, "ls_webdav", lambda url: ["mine.json", "mine.pt"])

    def download(url, target, **options):
        shutil.copy(remote / Path(url).name, target)

    monkeypatch.setattr(seisbench.util, "download_http", download)
    assert CGMGM.from_pretrained("mine").weights_version == "1"
    assert CGMGM.list_versions("mine", remote=True) == ["1", "2"]
    assert CGMGM.from_pretrained("mine", update=True).weights_version == "2"
    assert (cache / "mine.pt.v2").is_file()
    assert CGMGM.from_pretrained("mine").weights_version == "2"
    assert CGMGM.list_pretrained(remote=True) == ["bay_area", "bay_area_e", "mine"]


def test_a_repository_without_the_model_is_no_error(put, monkeypatch):
    put("mine", "1")

    def missing(url):
        raise ValueError("Invalid URL. Request returned status code 404.")

    monkeypatch.setattr(seisbench.util, "ls_webdav", missing)
    assert CGMGM.from_pretrained("mine", update=True).weights_version == "1"


def test_saved_weights_demand_the_oldest_seisbench(tiny_weights):
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert re.search(r'"seisbench>=([\d.]+)"', text)[1] == OLDEST_SEISBENCH
    paths = [tiny_weights.with_suffix(".json")]
    paths += [path for cls in BUNDLED for path in cls.bundled_path().glob("*.json*")]
    assert len(paths) == 4
    for path in paths:
        assert json.loads(path.read_text())["seisbench_requirement"] == OLDEST_SEISBENCH
