"""One StationXML file for all nodes and realizations whose waveforms are written.

The stations of a network differ by code, place and counts only: ObsPy writes the first of them, and
its text is repeated for the others, in a fiftieth of the time and without objects in memory.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from obspy import UTCDateTime

from cgmgm_seis.grid.job import GridJob
from cgmgm_seis.output.provenance import channel_comment
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.streams import to_inventory, to_stream
from cgmgm_seis.storage.obspy_bytes import to_bytes

# The element of a station, and its values that differ, by the name of the value.
STATION = re.compile(r"^ *<Station .*?</Station>\n", re.DOTALL | re.MULTILINE)
DIFFERENT = {
    "station_code": re.compile(r'(<Station code="|<Name>Receiver [^<]*\.)[^" ]*'),
    "station_latitude_deg": re.compile("(<Latitude [^>]*>)[^<]*"),
    "station_longitude_deg": re.compile("(<Longitude [^>]*>)[^<]*"),
    "station_elevation_m": re.compile("(<Elevation [^>]*>)[^<]*"),
}
# Every channel has its gain twice.
GAIN = re.compile(r"(<(?:InstrumentSensitivity|StageGain)>\s*<Value>)[^<]*")


def write_stationxml(path: Path, job: GridJob, provenance: Mapping[str, Any]) -> int:
    """Write the channels of all waveforms with their counts per unit; return their number.

    The creation time is the origin time, so that the same command gives the same bytes.
    """
    stations = job.nodes.table(0, len(job.nodes))
    networks = stations["station_network_code"].to_numpy(str)
    firsts = np.sort(np.unique(networks, return_index=True)[1])
    text = _described(job, firsts, channel_comment(provenance))
    gains = np.concatenate([_gains(job, found["scales"]) for _, _, found in job.results()])
    begin = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for element, first in zip(STATION.finditer(text), firsts, strict=True):
            own = networks == networks[first]
            file.write(text[begin : element.start()])
            file.writelines(_repeated(element.group(), stations[own], gains[own]))
            begin = element.end()
        file.write(text[begin:])
    return gains.size


def _gains(job: GridJob, scales: Floats) -> Floats:
    """Return counts per unit (realization, node x component) of a task by (node, channel)."""
    by_node = scales.reshape(len(scales), -1, len(job.model.component_order))
    return np.moveaxis(by_node, 0, 1).reshape(by_node.shape[1], -1)


def _described(job: GridJob, rows: NDArray[np.int64], comment: str) -> str:
    """Return the StationXML of some nodes by ObsPy."""
    parts = [job.nodes.scenario(job.source, row, row + 1) for row in rows.tolist()]
    scenario = pd.concat(parts, ignore_index=True)
    shape = len(job.realizations_written), len(job.model.component_order), job.model.n_samples
    # All traces share this array, since only their headers are needed.
    silence = np.broadcast_to(np.float32(0.0), (len(rows), *shape))
    stream = to_stream(silence, scenario, job.model.window, quantity=job.quantity)
    inventory = to_inventory(stream, comment)
    inventory.created = UTCDateTime(job.source["source_origin_time"].iloc[0])
    return to_bytes(inventory, "STATIONXML").decode()


def _repeated(element: str, stations: pd.DataFrame, gains: Floats) -> Iterator[str]:
    """Yield the element of a station for the others, with the gains (station, channel)."""
    text = element.replace("{", "{{").replace("}", "}}")
    for name, pattern in DIFFERENT.items():
        text = pattern.sub(rf"\g<1>{{{name}}}", text)
    numbers = count()
    text = GAIN.sub(lambda found: f"{found[1]}{{gains[{next(numbers) // 2}]}}", text)
    for row, own in zip(stations.to_dict(orient="records"), gains.tolist(), strict=True):
        yield text.format(gains=own, **{str(name): value for name, value in row.items()})
