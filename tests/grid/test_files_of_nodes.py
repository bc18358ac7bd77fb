"""MiniSEED and StationXML of many nodes are those that ObsPy writes, byte for byte."""

from dataclasses import replace

import numpy as np
import pytest
from obspy import UTCDateTime

from cgmgm_seis import EvolutionaryCGM, source
from cgmgm_seis.grid.job import GridJob
from cgmgm_seis.grid.measures import Measures
from cgmgm_seis.grid.miniseed import to_miniseed
from cgmgm_seis.grid.nodes import Nodes
from cgmgm_seis.grid.stationxml import write_stationxml
from cgmgm_seis.output.provenance import channel_comment, provenance
from cgmgm_seis.scenario.streams import to_inventory, to_stream
from cgmgm_seis.scenario.table import from_points
from cgmgm_seis.scenario.window import Window
from cgmgm_seis.storage.obspy_bytes import to_bytes

SOURCE = source(3.9, 37.861, -122.257, 7.9)
PLACES = [(37.8, -122.2), (37.9, -122.1), (38.0, -121.75)]


@pytest.mark.parametrize(
    ("rate", "start", "n_samples"),
    # Also parts of 0.1 ms, another rate, and records that are just filled.
    [(100.0, -5.0, 6000), (100.0, -5.00001, 1500), (33.3, 2.0, 700), (100.0, 0.0, 2020)],
)
def test_miniseed_is_obspys(rate, start, n_samples):
    scenario = from_points(4.5, (37.938, -122.057), PLACES)
    samples = np.random.default_rng(0).standard_normal((3, 1, 3, n_samples)).astype(np.float32)
    stream = to_stream(samples, scenario, Window("ZNE", rate, start, n_samples))
    codes = [tuple(trace.id.split(".")) for trace in stream]
    ours = to_miniseed(samples.reshape(9, -1), codes, stream[0])
    assert ours == to_bytes(stream, "MSEED", encoding="FLOAT32")


@pytest.fixture
def job(tmp_path):
    """Six stations of two networks in turn, and weights whose name needs care in XML."""
    table = from_points(4.5, (37.938, -122.057), PLACES * 2)
    table["station_network_code"] = ["BK", "NC", "BK", "NC", "NC", "BK"]
    table["station_elevation_m"] = [0.0, -12.5, 1e-5, 1234.0, 3.0, 4.0]
    model = EvolutionaryCGM(component_order="ZNE")
    model.weights_name = "{a} <b> & c"
    given = Nodes.of(table), Measures("ZNE", 100.0, ("pgv",))
    folder = tmp_path / "chunks"
    return GridJob(model, "none", SOURCE, *given, 2, folder=folder, task_records=4)


def expected(job, made_by, scales):
    """Return ObsPy's StationXML of all nodes, with counts per unit (realization, channel)."""
    scenario = job.nodes.scenario(job.source, 0, len(job.nodes))
    silence = np.zeros((len(scenario), 2, 3, job.model.n_samples), np.float32)
    stream = to_stream(silence, scenario, job.model.window, quantity=job.quantity)
    inventory = to_inventory(stream, channel_comment(made_by))
    inventory.created = UTCDateTime(SOURCE["source_origin_time"].iloc[0])
    numbers = {trace.id: k for k, trace in enumerate(stream)}
    # By node, realization and component, as the traces are.
    counts = scales.reshape(2, len(scenario), 3).swapaxes(0, 1).ravel()
    for network in inventory:
        for station in network:
            for channel in station:
                code = network.code, station.code, channel.location_code, channel.code
                response, value = channel.response, float(counts[numbers[".".join(code)]])
                response.instrument_sensitivity.value = value
                response.response_stages[0].stage_gain = value
    return to_bytes(inventory, "STATIONXML")


@pytest.mark.parametrize("quantity", ["velocity", "acceleration"])
def test_stationxml_is_obspys(job, tmp_path, quantity):
    job = replace(job, quantity=quantity)
    scales = 10.0 ** np.random.default_rng(1).integers(6, 20, (2, len(job.nodes) * 3))
    for first, last in job.tasks:
        job.chunks.save(first, last, scales=scales[:, 3 * first : 3 * last])
    made_by = provenance(job.model, SOURCE, n_realizations=2, seed=0)
    assert write_stationxml(tmp_path / "stations.xml", job, made_by) == 36
    written = (tmp_path / "stations.xml").read_bytes()
    assert written == expected(job, made_by, scales)
