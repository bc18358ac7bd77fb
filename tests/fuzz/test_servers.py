"""A server that answers in any way: one sentence, in time, and nothing half done."""

import time

import pytest
from click.testing import CliRunner
from fdsn_server import recordings, two_earthquakes
from hostile_server import CONTENTS, WAYS, HostileServer
from kill import content, difference

from cgmgm_seis.errors import WeightsError
from cgmgm_seis.models import weights_archives
from cgmgm_seis.storage import bounded_answers, files
from cgmgm_seis_cli.main import main

pytestmark = pytest.mark.fuzz

SERVICES = ("event", "station", "responses", "dataselect")
MOST_S = 0.4


@pytest.fixture(scope="module")
def server(pleasant_hill):
    catalog = two_earthquakes(pleasant_hill)[:1]
    server = HostileServer(catalog, *recordings(pleasant_hill, catalog, ("CTA",)))
    yield server
    server.close()


@pytest.fixture
def bounds(monkeypatch):
    monkeypatch.setattr(
        bounded_answers.BoundedAnswers.__init__, "__defaults__", (8_000_000, MOST_S)
    )
    monkeypatch.setattr(files, "UNLOCKED_S", 0.0)
    monkeypatch.setattr(weights_archives, "_TIMEOUT_S", MOST_S)


def download(server, folder):
    """Download to a folder; return the result and the seconds that it took."""
    line = (
        f"dataset download --client {server.url} --start 2019-10-14 --end 2019-10-16 --min-mag 2 "
        f"--region=-123,-121,37,39 --channels HN? --out {folder}/new --pause 0 --backoff 0 "
        f"--tries 2 --timeout {MOST_S} --quiet"
    )
    began = time.monotonic()
    return CliRunner().invoke(main, line.split()), time.monotonic() - began


@pytest.fixture(scope="module")
def expected(server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("expected")
    result, _ = download(server, folder)
    assert result.exit_code == 0, result.output
    return content(folder)


def check_sentence(result):
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.stderr.splitlines()[-1].startswith("Error: "), result.stderr
    assert len(result.stderr) < 1500, result.stderr


@pytest.mark.parametrize("way", WAYS)
def test_a_server_may_answer_in_any_way(way, server, bounds, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(server, "way", way)
    for service in SERVICES:
        monkeypatch.setattr(server, "service", service)
        result, seconds = download(server, tmp_path)
        check_sentence(result)
        assert not (tmp_path / "new").exists(), service
        assert seconds < 10 * MOST_S + 20, service
    monkeypatch.setattr(server, "service", "")
    result, _ = download(server, tmp_path)
    assert result.exit_code == 0, result.output
    assert not difference(expected, content(tmp_path))


@pytest.mark.parametrize("contents", CONTENTS)
def test_answers_may_contain_anything(contents, server, bounds, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(server, "contents", contents)
    result, _ = download(server, tmp_path)
    if result.exit_code:
        check_sentence(result)
        assert not (tmp_path / "new").exists()
    assert {path.name for path in tmp_path.iterdir()} <= {"new", "new-archive"}


def test_a_server_without_tls_is_asked_for_it(server, bounds, tmp_path, monkeypatch):
    monkeypatch.setattr(server, "url", server.url.replace("http", "https"))
    check_sentence(download(server, tmp_path)[0])


@pytest.mark.parametrize("way", WAYS)
def test_weights_may_come_from_any_server(way, server, bounds, monkeypatch):
    monkeypatch.setattr(server, "service", "weights")
    monkeypatch.setattr(server, "way", way)
    with pytest.raises(WeightsError) as caught:
        weights_archives.add_weights(f"{server.url}/x/weights/tiny.zip")
    assert len(str(caught.value)) < 1500 and str(caught.value).endswith(".")
