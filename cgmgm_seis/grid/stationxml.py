"""One StationXML file for all nodes and realizations whose waveforms are written."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from obspy import Inventory, UTCDateTime

from cgmgm_seis.grid.job import GridJob
from cgmgm_seis.output import stationxml
from cgmgm_seis.output.provenance import channel_comment
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.streams import to_inventory, to_stream


def write_stationxml(path: Path, job: GridJob, provenance: Mapping[str, Any]) -> int:
    """Write the channels of all waveforms with their counts per unit; return their number.

    The creation time is the origin time, so that the same command gives the same bytes.
    """
    stations = job.nodes.table(0, len(job.nodes))
    networks = stations["station_network_code"].to_numpy(str)
    firsts = np.sort(np.unique(networks, return_index=True)[1])
    inventory = _described(job, firsts, channel_comment(provenance))
    gains = np.concatenate([_gains(job, found["scales"]) for _, _, found in job.results()])
    stationxml.write_stationxml(path, inventory, stations, gains)
    return gains.size


def _gains(job: GridJob, scales: Floats) -> Floats:
    """Return counts per unit (realization, node x component) of a task by (node, channel)."""
    by_node = scales.reshape(len(scales), -1, len(job.model.component_order))
    return np.moveaxis(by_node, 0, 1).reshape(by_node.shape[1], -1)


def _described(job: GridJob, rows: NDArray[np.int64], comment: str) -> Inventory:
    """Return the inventory of some nodes."""
    parts = [job.nodes.scenario(job.source, row, row + 1) for row in rows.tolist()]
    scenario = pd.concat(parts, ignore_index=True)
    shape = len(job.realizations_written), len(job.model.component_order), job.model.n_samples
    # All traces share this array, since only their headers are needed.
    silence = np.broadcast_to(np.float32(0.0), (len(rows), *shape))
    stream = to_stream(silence, scenario, job.model.window, quantity=job.quantity)
    inventory = to_inventory(stream, comment)
    inventory.created = UTCDateTime(job.source["source_origin_time"].iloc[0])
    return inventory
