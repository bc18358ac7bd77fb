"""StationXML of many stations that differ by code, place and counts only.

ObsPy writes the first station of every network, and its text is repeated for the others: the same
file in a fiftieth of the time, and without objects in memory.
"""

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import pandas as pd
from obspy import Inventory, Stream, Trace, UTCDateTime

from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.streams import epoch_of, to_inventory
from cgmgm_seis.storage.obspy_bytes import to_bytes

# The element of a station, and its values that differ, by the name of the value.
STATION = re.compile(r"^ *<Station .*?</Station>\n", re.DOTALL | re.MULTILINE)
DIFFERENT = {
    "attribute": re.compile('(<Station code=")[^"]*'),
    "text": re.compile(r"(<Name>Receiver ).*(?= of generated seismograms<)"),
    "station_latitude_deg": re.compile("(<Latitude [^>]*>)[^<]*"),
    "station_longitude_deg": re.compile("(<Longitude [^>]*>)[^<]*"),
    "station_elevation_m": re.compile("(<Elevation [^>]*>)[^<]*"),
}
# Every channel has its gain twice.
GAIN = re.compile(r"(<(?:InstrumentSensitivity|StageGain)>\s*<Value>)[^<]*")


class FirstStations:
    """Headers of the first station of every network, of records that are given part by part."""

    def __init__(self) -> None:
        self.networks: set[str] = set()
        self.headers = Stream()
        self.epoch: tuple[UTCDateTime, UTCDateTime] | None = None

    def add(self, stream: Stream, scenario: pd.DataFrame) -> None:
        """Keep the headers of stations of networks that are new.

        Parameters
        ----------
        stream : obspy.Stream
            Created by `to_stream` from `scenario`, with traces in the same order.
        scenario : pandas.DataFrame
            Scenario table.
        """
        epochs = [epoch_of(stream), *([self.epoch] if self.epoch else [])]
        starts, ends = zip(*epochs, strict=True)
        self.epoch = min(starts), max(ends)
        per_row = len(stream) // len(scenario)
        for row, network in enumerate(scenario["station_network_code"]):
            if network not in self.networks:
                self.networks.add(network)
                own = stream[row * per_row : (row + 1) * per_row]
                silence = np.zeros_like(own[0].data)
                self.headers.extend([Trace(silence, trace.stats) for trace in own])

    def inventory(self, comment: str, gain: float) -> Inventory:
        """Return these stations, see `cgmgm_seis.scenario.streams.to_inventory`."""
        return to_inventory(self.headers, comment, gain, self.epoch)


def write_stationxml(
    path: Path, inventory: Inventory, stations: pd.DataFrame, gains: Floats | None = None
) -> None:
    """Write the channels of many stations.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    inventory : obspy.Inventory
        The first station of every network, in the order of the networks.
    stations : pandas.DataFrame
        Codes and places of all stations, in columns of the scenario table.
    gains : numpy.ndarray, optional
        Counts per SI unit, (station, channel); by default those of the inventory.
    """
    text = to_bytes(inventory, "STATIONXML").decode()
    begin = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for element, network in zip(STATION.finditer(text), inventory, strict=True):
            own = (stations["station_network_code"] == network.code).to_numpy()
            file.write(text[begin : element.start()])
            file.writelines(
                _repeated(element.group(), stations[own], None if gains is None else gains[own])
            )
            begin = element.end()
        file.write(text[begin:])


def _repeated(element: str, stations: pd.DataFrame, gains: Floats | None) -> Iterator[str]:
    """Yield the element of a station for all stations, with the gains (station, channel)."""
    text = element.replace("{", "{{").replace("}", "}}")
    for name, pattern in DIFFERENT.items():
        text = pattern.sub(rf"\g<1>{{{name}}}", text)
    if gains is not None:
        numbers = count()
        text = GAIN.sub(lambda found: f"{found[1]}{{gains[{next(numbers) // 2}]}}", text)
    for number, row in enumerate(stations.to_dict(orient="records")):
        yield text.format_map(
            {
                **{name: float(row[name]) for name in DIFFERENT if name in row},
                "attribute": escape(str(row["station_code"]), {'"': "&quot;"}),
                "text": escape(f"{row['station_network_code']}.{row['station_code']}"),
                "gains": [] if gains is None else gains[number].tolist(),
            }
        )
