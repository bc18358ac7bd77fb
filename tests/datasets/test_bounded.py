"""A hostile server on loopback: bombs, answers without end, codes that are paths."""

import copy
import gzip
import time
from contextlib import suppress

import obspy
import pytest
from fdsn_server import FDSNServer, recordings, two_earthquakes

from cgmgm_seis.datasets.download.data_centres import DataCentre
from cgmgm_seis.datasets.download.fdsn import PoliteClient
from cgmgm_seis.datasets.download.raw_archive import Request
from cgmgm_seis.datasets.waveform_index import WaveformIndex
from cgmgm_seis.errors import DatasetError

REQUEST = Request("2019-10-14", "2019-10-17", "-123,-121,37,39", 2.0)


class HostileServer(FDSNServer):
    """Packs answers, or sends them without end: attribute `packing` and `endless`."""

    packing, endless = "", False

    def _handler(self):
        server, kind = self, super()._handler()

        class Handler(kind):
            def send_header(self, name, value):
                if server.endless and name == "Content-Length":
                    return
                super().send_header(name, value)

            def end_headers(self):
                if server.packing:
                    super().send_header("Content-Encoding", server.packing)
                super().end_headers()
                if server.endless:
                    try:
                        while True:
                            self.wfile.write(b" ")
                            time.sleep(0.01)
                    except OSError:
                        self.close_connection = True

        return Handler

    def answer(self, service, options, body):
        status, content = super().answer(service, options, body)
        return status, gzip.compress(content + self.padding) if self.packing == "gzip" else content

    padding = b""


@pytest.fixture
def server(pleasant_hill):
    catalog = two_earthquakes(pleasant_hill)
    server = HostileServer(catalog, *recordings(pleasant_hill, catalog, ("CTA",)))
    yield server
    server.close()


@pytest.fixture
def client(server):
    return PoliteClient(server.url, pause_s=0.0, tries=3, backoff_s=0.01, timeout_s=2.0)


def test_packed_answers_come_back(server, client):
    assert len(client.events(REQUEST)) == 2
    server.packing = "gzip"
    assert len(client.events(REQUEST)) == 2
    server.packing = "br"
    with pytest.raises(DatasetError, match="packed as br; it must be gzip"):
        client.events(REQUEST)


def test_a_bomb_is_not_unpacked_and_not_asked_for_again(server, client):
    server.packing, server.padding = "gzip", b" " * 5_000_000
    client.bounds.most_bytes = 1_000_000
    with pytest.raises(DatasetError, match="more than 1000000 bytes"):
        client.events(REQUEST)
    assert len(server.asked) == 1
    centre = DataCentre(client)  # an ObsPy client of its own
    with pytest.raises(Exception, match="more than 1000000 bytes"):
        centre.get_stations(level="station", latitude=37.9, longitude=-122.1, maxradius=1.0)


def test_an_answer_without_end_ends(server, client):
    server.endless = True
    client.bounds.most_s = 0.3
    began = time.monotonic()
    with pytest.raises(DatasetError, match=r"took more than 0\.3 s"):
        client.events(REQUEST)
    assert time.monotonic() - began < 5.0
    assert len(server.asked) == 1


def test_lines_before_an_answer_end(server, client):
    """Each of them comes in time, but not all."""

    def trickle(handler, *_):
        handler.connection.sendall(b"HTTP/1.1 200 OK\r\n")
        with suppress(OSError):
            for _ in range(100):
                handler.connection.sendall(b"X: y\r\n")
                time.sleep(0.05)

    server.send, client.tries = trickle, 1
    client.client.timeout = 0.3
    began = time.monotonic()
    with pytest.raises(DatasetError, match="Timed Out"):
        client.events(REQUEST)
    assert time.monotonic() - began < 4.0


def test_codes_that_would_be_paths_are_left_out(server, client, caplog):
    network = server.inventory[0]
    for code in ("A.B", "../../x"):
        other = copy.deepcopy(network[0])
        other.code = code
        network.stations.append(other)
    found = client.stations(REQUEST)
    assert {own.code for network in found for own in network} == {"CTA"}
    for code in ("A.B", "../../x"):
        assert f"station '{network.code}.{code}' is left out" in caplog.text


def test_traces_with_a_dot_in_a_code_are_said(tmp_path, caplog):
    stream = obspy.read()[:2]
    stream[0].stats.station = "A.B"
    stream.write(str(tmp_path / "x.mseed"), "MSEED")
    index = WaveformIndex(tmp_path / "x.mseed")
    assert len(list(index.spans())) == 1
    assert "trace 'BW.A.B..EHZ' has a dot in a code" in caplog.text
