"""One StationXML file for all nodes and realizations whose waveforms are written."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from obspy import Inventory, UTCDateTime
from obspy.core.inventory import Network

from cgmgm_seis.grid.job import GridJob
from cgmgm_seis.output.provenance import channel_comment
from cgmgm_seis.scenario.streams import set_gain, to_inventory, to_stream


def write_stationxml(path: Path, job: GridJob, provenance: Mapping[str, Any]) -> int:
    """Write the channels of all waveforms with their counts per unit; return their number.

    The creation time is the origin time, so that the same command gives the same bytes.
    """
    networks: dict[str, Network] = {}
    channels = 0
    for inventory in _inventories(job, channel_comment(provenance)):
        for network in inventory:
            channels += sum(len(station.channels) for station in network)
            known = networks.setdefault(network.code, network)
            if known is not network:
                known.stations.extend(network.stations)
    created = UTCDateTime(job.source["source_origin_time"].iloc[0])
    whole = Inventory(list(networks.values()), source="cgmgm-seis", created=created)
    whole.write(str(path), format="STATIONXML")
    return channels


def _inventories(job: GridJob, comment: str) -> Iterator[Inventory]:
    """Yield the inventory of every task."""
    n = len(job.realizations_written)
    shape = (n, len(job.model.component_order), job.model.n_samples)
    for first, last, found in job.results():
        scenario = job.nodes.scenario(job.source, first, last)
        # All traces share this array, since only their headers are needed.
        silence = np.broadcast_to(np.float32(0.0), (len(scenario), *shape))
        stream = to_stream(silence, scenario, job.model.window, quantity=job.quantity)
        inventory = to_inventory(stream, comment)
        stations = [station for network in inventory for station in network]
        scales = found["scales"].reshape(n, len(stations), -1)
        for number, station in enumerate(stations):
            for channel, counts in zip(station.channels, scales[:, number].ravel(), strict=True):
                if counts != 1.0:
                    set_gain(channel.response, float(counts))
        yield inventory
