"""Cut the shipped example from the recordings of the Pleasant Hill earthquake.

    python docs/make_pleasant_hill.py ../shared/data/pleasant_hill

reads event.xml, raw/*.mseed and raw/*.xml in that folder and writes
``cgmgm_seis/datasets/data/pleasant_hill``.  The samples are the recorded counts, unchanged; kept
are the accelerometers of all stations and one clipped seismometer beside one of them, from
`BEFORE_S` before the origin time to `AFTER_S` after it, and the channels' responses at that time.
"""

import shutil
import sys
from fnmatch import fnmatch
from pathlib import Path

import obspy
from obspy import Inventory
from obspy.core.inventory import Network

from cgmgm_seis.scenario.obspy_files import read_event, read_inventory

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "cgmgm_seis" / "datasets" / "data" / "pleasant_hill"
LEFT_OUT = "HH?"  # BRIB's third instrument: clipped as its BH is, with a response of 0.4 MB
# 10 s more than the records of 60 s have, 5 s more after them, for tapers and filters.
BEFORE_S, AFTER_S = 15.0, 60.0
ANSWERED = obspy.UTCDateTime(2022, 9, 28)  # by the web service, with the responses


def make_example(folder: Path) -> None:
    """Write event.xml, stations.xml and one MiniSEED file a station."""
    (OUT / "waveforms").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / "event.xml", OUT / "event.xml")
    origin = read_event(OUT / "event.xml").preferred_origin().time
    inventory = read_inventory(folder / "raw" / "*.xml")
    inventory = inventory.select(time=origin).remove(channel=LEFT_OUT)
    _joined(inventory).write(OUT / "stations.xml", "STATIONXML")
    stream = obspy.read(str(folder / "raw" / "*.mseed"))
    stream = obspy.Stream([trace for trace in stream if not fnmatch(trace.stats.channel, LEFT_OUT)])
    stream.trim(origin - BEFORE_S, origin + AFTER_S)
    for code in sorted({f"{trace.stats.network}.{trace.stats.station}" for trace in stream}):
        part = stream.select(id=f"{code}.*").sort(["channel"])
        part.write(OUT / "waveforms" / f"{code}.mseed", "MSEED", encoding="STEIM2", reclen=4096)


def _joined(inventory: Inventory) -> Inventory:
    """Return an inventory with every network once."""
    networks: dict[str, Network] = {}
    for network in inventory:
        if network.code in networks:
            networks[network.code].stations += network.stations
        else:
            networks[network.code] = network
    source = "NCEDC (service.ncedc.org), cut by docs/make_pleasant_hill.py of cgmgm-seis"
    return Inventory(list(networks.values()), source=source, created=ANSWERED)


if __name__ == "__main__":
    make_example(Path(sys.argv[1]))
