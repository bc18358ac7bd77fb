"""Weights that are packed, published on a web server and installed."""

import hashlib
import json
import shutil
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import seisbench

from cgmgm_seis import CGMGM, from_points, load_model
from cgmgm_seis.errors import OutputError, WeightsError
from cgmgm_seis.models import add_weights, pack_weights, weights_archives
from cgmgm_seis.models.weights import weights_info
from cgmgm_seis.storage import seisbench_cache


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(seisbench, "cache_model_root", tmp_path / "cache")
    return tmp_path / "cache" / "cgmgm"


@pytest.fixture
def archive(tiny_weights, tmp_path):
    return pack_weights(tiny_weights, "CC-BY-4.0", tmp_path / "mine.zip", "mine", "2.1")


@pytest.fixture
def server(tmp_path):
    """URL of a web server on this machine that has the files of the folder."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{service.server_port}"
        service.shutdown()


def test_an_archive_has_card_licence_and_checksums(archive, tiny_weights, tmp_path):
    path, digest = archive
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    with zipfile.ZipFile(path) as content:
        files = {name.removeprefix("mine-v2.1/"): content.read(name) for name in content.namelist()}
    assert set(files) == {"mine.json.v2.1", "mine.pt.v2.1", "README.md", "LICENSE", "SHA256SUMS"}
    sums = dict(reversed(line.split()) for line in files.pop("SHA256SUMS").decode().splitlines())
    assert sums == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    assert files["mine.pt.v2.1"] == tiny_weights.with_suffix(".pt").read_bytes()
    metadata = json.loads(files["mine.json.v2.1"])
    assert (metadata["version"], metadata["card"]["license"]) == ("2.1", "CC-BY-4.0")
    assert "CC-BY-4.0" in files["LICENSE"].decode()
    readme = files["README.md"].decode()
    assert readme.startswith("---\nlicense: cc-by-4.0\n")
    assert "| trained on | nothing: simulated |" in readme and "--weights mine" in readme
    again = pack_weights(tiny_weights, "CC-BY-4.0", tmp_path / "again.zip", "mine", "2.1")
    assert again[1] == digest


def test_packed_weights_are_installed_and_draw_the_same(archive, cache, tiny_model):
    path, digest = archive
    info = add_weights(path, digest)
    assert (info["name"], info["version"]) == ("mine", "2.1")
    assert info["path"] == str(cache / "mine")
    table = from_points(3.0, (37.9, -122.1), [(37.8, -122.2)])
    drawn = load_model("mine").sample(table, seed=3)
    np.testing.assert_array_equal(drawn, tiny_model.sample(table, seed=3))
    assert CGMGM.list_versions("mine") == ["2.1"]
    assert sorted(file.name for file in cache.iterdir()) == ["mine.json.v2.1", "mine.pt.v2.1"]
    add_weights(path)  # the same again is no error


def test_a_pair_of_files_is_installed(tiny_weights, cache):
    for source in (
        tiny_weights,
        tiny_weights.with_suffix(".json"),
        tiny_weights.with_suffix(".pt"),
    ):
        assert add_weights(source)["name"] == "tiny"
    digest = hashlib.sha256(tiny_weights.with_suffix(".pt").read_bytes()).hexdigest()
    assert add_weights(tiny_weights, digest.upper())["version"] == "1"
    assert load_model("tiny").name == "CGMGM"


def test_downloads(archive, server, tiny_weights, tmp_path, cache):
    path, digest = archive
    assert add_weights(f"{server}/{path.name}?download=1", digest)["name"] == "mine"
    for suffix in (".json", ".pt"):
        shutil.copy(tiny_weights.with_suffix(suffix), tmp_path)
    assert add_weights(f"{server}/tiny.json")["name"] == "tiny"
    for url, said in (
        (f"{server}/nothing.zip", r"nothing\.zip cannot be downloaded: HTTP Error 404"),
        (f"{server}/tiny", r"must be the URL of a \.zip, \.json or \.pt file"),
        ("http://127.0.0.1:1/mine.zip", "cannot be downloaded"),
    ):
        with pytest.raises(WeightsError, match=said):
            add_weights(url)


def test_what_is_there_is_not_replaced_without_a_word(archive, tiny_weights, cache, tmp_path):
    add_weights(archive[0])
    other = CGMGM(griffin_lim_iterations=3, ranges=load_model(tiny_weights).ranges)
    other.save(tmp_path / "other" / "mine", "other", version_str="2.1")
    source = tmp_path / "other" / "mine.json.v2.1"
    with pytest.raises(WeightsError, match=r"Other weights 'mine' version 2\.1 .* --overwrite"):
        add_weights(source)
    assert load_model("mine").weights_docstring == "Untrained."
    add_weights(source, overwrite=True)
    assert load_model("mine").weights_docstring == "other"
    # Files without a version in their name would be found first.
    for kind in ("json", "pt"):
        (cache / f"mine.{kind}.v2.1").rename(cache / f"mine.{kind}")
    metadata = json.loads((cache / "mine.json").read_text())
    assert metadata["version"] == "2.1"
    add_weights(archive[0], overwrite=True)
    assert load_model("mine").weights_docstring == "Untrained."


def test_bundled_weights_are_not_replaced(tiny_weights, tmp_path, cache):
    version = weights_info("bay_area")["version"]
    path, _ = pack_weights(tiny_weights, "MIT", tmp_path / "b.zip", "bay_area", version)
    with pytest.raises(WeightsError, match="come with the package"):
        add_weights(path, overwrite=True)


def rewritten(path, out, **changes):
    """Write an archive with other content in the files of a kind; None leaves them out."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            kind = next((kind for kind in changes if f".{kind}." in name), None)
            if kind is None:
                target.writestr(name, source.read(name))
            elif changes[kind] is not None:
                target.writestr(name, changes[kind])
    return out


def test_bad_archives_install_nothing(archive, tmp_path, cache, monkeypatch):
    path, _ = archive
    truncated = tmp_path / "short.zip"
    truncated.write_bytes(path.read_bytes()[:5000])
    for source, said in (
        (truncated, r"short\.zip is not a readable ZIP archive"),
        (rewritten(path, tmp_path / "a.zip", pt=None), "contains 1 files .* one pair"),
        (rewritten(path, tmp_path / "b.zip", pt=b"x"), r"mine\.pt\.v2\.1"),
        (rewritten(path, tmp_path / "c.zip", json="{}"), "an unnamed model"),
        (".", r"\. must be a file, \.zip, \.json or \.pt"),
        (tmp_path / "nothing.zip", r"nothing\.zip was not found"),
        (tmp_path / "nothing", r"nothing\.json was not found"),
    ):
        with pytest.raises(WeightsError, match=said):
            add_weights(source)
    with pytest.raises(WeightsError, match=r"has the checksum .* not 00: it is damaged"):
        add_weights(path, "00")
    monkeypatch.setattr(weights_archives, "MOST_BYTES", 1000)
    with pytest.raises(WeightsError, match="contains more than 1000 bytes"):
        add_weights(path)
    assert not cache.exists()


def test_names_that_cannot_be_found_again(tiny_weights, tmp_path, archive, cache):
    for options, said in (
        ({"name": "a/b"}, "The name of weights 'a/b' must consist of"),
        ({"version": "final"}, "Version 'final' must be a version such as"),
        ({"license_id": "any licence"}, "must be an SPDX identifier"),
    ):
        with pytest.raises(WeightsError, match=said):
            pack_weights(tiny_weights, **({"license_id": "MIT", "out": tmp_path / "x"} | options))
    with pytest.raises(OutputError, match=r"mine\.zip already exists"):
        pack_weights(tiny_weights, "MIT", archive[0])


def test_nothing_is_installed_into_a_temporary_cache(archive, monkeypatch):
    monkeypatch.setattr(seisbench_cache, "_temporary", ["/tmp/seisbench-x"])
    with pytest.raises(OutputError, match="set SEISBENCH_CACHE_ROOT to a folder"):
        add_weights(archive[0])
