"""Many clients at once, slow ones, faults of the server, and the command."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from click.testing import CliRunner

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.serve.limits import Limits
from cgmgm_seis_cli.main import main

pytest.importorskip("starlette", reason="the extra serve is not installed")
pytest.importorskip("uvicorn", reason="the extra serve is not installed")

from cgmgm_seis.serve import syngine, syngine_routes
from cgmgm_seis.serve.application import application, load_models
from cgmgm_seis.serve.server import listening_socket, serving

NAME = "bay_area_evolutionary"
QUERY = {
    "model": NAME,
    "magnitude": 4,
    "sourcelatitude": 37.9,
    "sourcelongitude": -122.1,
    "receiverlatitude": 37.8,
    "receiverlongitude": -122.2,
    "components": "Z",
}


@pytest.fixture(scope="module")
def models():
    return load_models([NAME])


def get(url, **given):
    address = f"{url}/irisws/syngine/1/query"
    return requests.get(address, params={**QUERY, **given}, timeout=60)


def test_clients_at_once_get_what_each_gets_alone(models):
    with serving(application(models)) as url:
        alone = [get(url, seed=seed).content for seed in range(4)]
        with ThreadPoolExecutor(16) as pool:
            together = list(pool.map(lambda k: get(url, seed=k % 4).content, range(32)))
    assert len(set(alone)) == 4
    assert together == [alone[k % 4] for k in range(32)]


@pytest.fixture
def held(monkeypatch):
    """Let records wait for an event."""
    event = threading.Event()
    records = syngine.records

    def wait(wanted):
        event.wait(30)
        return records(wanted)

    monkeypatch.setattr(syngine_routes.syngine, "records", wait)
    yield event
    event.set()


def test_a_request_that_takes_too_long_is_given_up(models, held):
    with serving(application(models, limits=Limits(seconds=0.3))) as url:
        answer = get(url)
        assert answer.status_code == 503
        assert "not answered within 0.3 s" in answer.text
        # The others are answered meanwhile.
        assert requests.get(f"{url}/irisws/syngine/1/version", timeout=60).text == "1.0.0"
        held.set()


def test_too_many_requests_at_once(models, held):
    with serving(application(models, limits=Limits(waiting=2))) as url:
        with ThreadPoolExecutor(6) as pool:
            answers = [pool.submit(get, url) for _ in range(6)]
            deadline = time.monotonic() + 20
            while sum(answer.done() for answer in answers) < 4 and time.monotonic() < deadline:
                time.sleep(0.02)
            held.set()
            codes = sorted(answer.result().status_code for answer in answers)
        assert codes == [200, 200, 503, 503, 503, 503]
        assert get(url).status_code == 200


def test_a_fault_of_the_server_is_not_told_to_clients(models, monkeypatch, caplog):
    def fail(wanted):
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(syngine_routes.syngine, "records", fail)
    with serving(application(models)) as url:
        answer = get(url)
    assert (answer.status_code, "secret" in answer.text) == (500, False)
    assert "log names the error" in answer.text
    assert "ZeroDivisionError" in caplog.text


def test_addresses():
    with listening_socket("127.0.0.1", 0) as place:
        port = place.getsockname()[1]
        with pytest.raises(CgmgmError, match=rf"Cannot listen at 127\.0\.0\.1 port {port}: "):
            listening_socket("127.0.0.1", port)
    with pytest.raises(CgmgmError, match="Cannot listen at no such host"):
        listening_socket("no such host", 0)


def test_models_have_names_of_their_own(models):
    assert list(models) == [NAME]
    with pytest.raises(CgmgmError, match=f"Two weights are called {NAME}"):
        load_models([NAME, f"/elsewhere/{NAME}.json"])


def test_command(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr("uvicorn.Server.run", lambda self, sockets: ran.append(sockets))
    result = CliRunner().invoke(main, ["serve", "--port", "0", "--max-stations", "3"])
    assert result.exit_code == 0, result.output
    assert f"Syngine ({NAME}): http://127.0.0.1:" in result.stdout
    assert len(ran) == 1
    result = CliRunner().invoke(main, ["serve", str(tmp_path)])
    assert result.exit_code == 1
    assert "must be a folder written by cgmgm-seis generate" in result.output
