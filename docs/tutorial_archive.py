"""A stand-in for a network's archive: simulated earthquakes at the Kermadec ridge, in counts.

Makes ``archive/`` with events.xml, stations.xml and MiniSEED, so that the tutorial runs without a
network.  The region is the simulator's Bay Area mirrored to the southern hemisphere and moved to
the date line; its records are the simulator's, passed through a seismometer's response.
"""

from pathlib import Path

import numpy as np
from obspy import Inventory, Stream, Trace, UTCDateTime
from obspy.core.inventory import Channel, Network, Response, Station

from cgmgm_seis.scenario.geography import wrapped_longitude
from cgmgm_seis.scenario.streams import ORIENTATIONS, to_catalog
from cgmgm_seis.scenario.table import add_paths
from cgmgm_seis.simulator.catalogue import simulate_catalogue

N_EVENTS = 14
SHIFT_DEG = 302.2  # 122.2 W to 180
COUNTS = 1e9  # per m/s
PAD_S = 20.0  # noise before and after the records, for the response removal
SEISMOMETER = {"zeros": [0j, 0j], "poles": [-0.037 + 0.037j, -0.037 - 0.037j]}


def make_archive(folder: Path = Path("archive")) -> None:
    """Write the archive."""
    waveforms, table = simulate_catalogue(N_EVENTS, seed=7, workers=1)
    columns = ("source_longitude_deg", "station_longitude_deg")
    moved = {name: [wrapped_longitude(x + SHIFT_DEG) for x in table[name]] for name in columns}
    mirrored = {name: -table[name] for name in ("source_latitude_deg", "station_latitude_deg")}
    table = add_paths(table.assign(**moved, **mirrored))
    (folder / "2015").mkdir(parents=True)
    to_catalog(table).write(folder / "events.xml", "QUAKEML")
    _inventory(table).write(folder / "stations.xml", "STATIONXML")
    rng = np.random.default_rng(0)
    for record, row in zip(waveforms, table.to_dict("records"), strict=True):
        start = UTCDateTime(row["source_origin_time"]) - 5.0 - PAD_S
        stream = Stream()
        for component, data in zip("ZNE", record, strict=True):
            quiet = data[:300].std() * rng.standard_normal((2, int(100 * PAD_S)))
            counts = np.round(COUNTS * np.concatenate([quiet[0], data, quiet[1]])).astype(np.int32)
            header = {
                "network": row["station_network_code"],
                "station": row["station_code"],
                "channel": f"HH{component}",
                "sampling_rate": 100.0,
                "starttime": start,
            }
            stream.append(Trace(counts, header))
        name = f"{row['source_id']}.{row['station_network_code']}.{row['station_code']}.mseed"
        stream.write(folder / "2015" / name, "MSEED")


def _inventory(table) -> Inventory:
    networks: dict[str, dict[str, Station]] = {}
    places = table.drop_duplicates(["station_network_code", "station_code"])
    for row in places.to_dict("records"):
        place = {
            "latitude": row["station_latitude_deg"],
            "longitude": row["station_longitude_deg"],
            "elevation": row["station_elevation_m"],
        }
        station = Station(row["station_code"], **place, start_date=UTCDateTime(2000, 1, 1))
        for component, (azimuth, dip) in ORIENTATIONS.items():
            response = Response.from_paz(
                **SEISMOMETER, stage_gain=COUNTS, input_units="M/S", output_units="COUNTS"
            )
            station.channels.append(
                Channel(
                    f"HH{component}",
                    "",
                    **place,
                    depth=0.0,
                    azimuth=azimuth,
                    dip=dip,
                    sample_rate=100.0,
                    start_date=station.start_date,
                    response=response,
                )
            )
        networks.setdefault(row["station_network_code"], {})[row["station_code"]] = station
    return Inventory([Network(code, list(found.values())) for code, found in networks.items()])


if __name__ == "__main__":
    make_archive()
