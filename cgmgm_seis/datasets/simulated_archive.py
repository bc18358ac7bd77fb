"""A simulated archive: earthquakes at the Kermadec ridge in counts, as a data centre has them."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from obspy import Inventory, Stream, Trace, UTCDateTime
from obspy.core.inventory import Channel, Network, Response, Site, Station

from cgmgm_seis.scenario.geography import wrapped_longitude
from cgmgm_seis.scenario.streams import ORIENTATIONS, SYNTHESIZED, to_catalog
from cgmgm_seis.scenario.table import add_paths
from cgmgm_seis.simulator.catalogue import simulate_catalogue
from cgmgm_seis.simulator.seismograms import SAMPLING_RATE, START_OFFSET
from cgmgm_seis.storage.obspy_bytes import to_bytes

N_EVENTS, SEED = 14, 7
SHIFT_DEG = 302.2  # from 122.2 W to 180 degrees
COUNTS = 1e9  # per m/s
PAD_S = 20.0  # noise before and after the records, for the response removal
NOISE_S = 3.0  # at the beginning of a record, before any P arrival
SEISMOMETER = {"zeros": [0j, 0j], "poles": [-0.037 + 0.037j, -0.037 - 0.037j]}
README = """\
Simulated earthquakes at the Kermadec ridge (made by `cgmgm-seis example kermadec`)

No earthquake here happened and no record was recorded. The region is the simulated Bay Area of
cgmgm-seis, mirrored to the southern hemisphere and moved to the date line; the station names are
those of the Bay Area. stations.xml marks every channel as SYNTHESIZED, so that data sets and
weights made of this archive say that they are simulated.

events.xml    QuakeML
stations.xml  StationXML with the response of a broadband seismometer
waveforms/    MiniSEED in counts, one file per earthquake and station

Next, in this folder:

  cgmgm-seis dataset from-records --events events.xml --inventory stations.xml \\
      --waveforms waveforms --max-distance 120 --out dataset
  cgmgm-seis dataset info dataset

The tutorial of the documentation goes on from here to weights, an evaluation and a map.
"""


def write_archive(folder: Path) -> dict[str, str]:
    """Simulate 14 earthquakes and write QuakeML, StationXML, MiniSEED and a README.

    The region is the simulator's Bay Area, mirrored to the southern hemisphere and moved to the
    date line.  Its records are passed through the response of a seismometer.  The channels are of
    StationXML's type SYNTHESIZED, which `cgmgm_seis.datasets.archive.import_records` writes to
    the data set as ``trace_simulated``.

    Parameters
    ----------
    folder : pathlib.Path
        An existing, empty folder.

    Returns
    -------
    dict
        Description of every file and folder.
    """
    waveforms, table = simulate_catalogue(N_EVENTS, SEED, workers=1)
    columns = ("source_longitude_deg", "station_longitude_deg")
    moved = {name: [wrapped_longitude(x + SHIFT_DEG) for x in table[name]] for name in columns}
    mirrored = {name: -table[name] for name in ("source_latitude_deg", "station_latitude_deg")}
    table = add_paths(table.assign(**moved, **mirrored))
    (folder / "events.xml").write_bytes(to_bytes(to_catalog(table), "QUAKEML"))
    (folder / "stations.xml").write_bytes(to_bytes(_inventory(table), "STATIONXML"))
    (folder / "waveforms").mkdir()
    rng = np.random.default_rng(0)
    for record, row in zip(waveforms, table.to_dict("records"), strict=True):
        name = f"{row['source_id']}.{row['station_network_code']}.{row['station_code']}.mseed"
        components = zip("ZNE", record, strict=True)
        stream = Stream([_trace(data, row, code, rng) for code, data in components])
        (folder / "waveforms" / name).write_bytes(to_bytes(stream, "MSEED"))
    (folder / "README.txt").write_text(README, encoding="utf-8")
    return {
        "events.xml": f"QuakeML: {table['source_id'].nunique()} simulated earthquakes",
        "stations.xml": "StationXML: channels of the type SYNTHESIZED, with responses",
        "waveforms": f"MiniSEED: {len(table)} simulated records in counts",
        "README.txt": "what this is, and what to do with it",
    }


def _trace(
    data: NDArray[np.float32], row: dict[Hashable, Any], component: str, rng: np.random.Generator
) -> Trace:
    """Return a component in counts, with noise before and after the record."""
    n_noise, n_pad = int(NOISE_S * SAMPLING_RATE), int(PAD_S * SAMPLING_RATE)
    before, after = data[:n_noise].std() * rng.standard_normal((2, n_pad))
    counts = np.round(COUNTS * np.concatenate([before, data, after])).astype(np.int32)
    header = {
        "network": row["station_network_code"],
        "station": row["station_code"],
        "channel": f"HH{component}",
        "sampling_rate": SAMPLING_RATE,
        "starttime": UTCDateTime(row["source_origin_time"]) + START_OFFSET - PAD_S,
    }
    return Trace(counts, header)


def _inventory(table: pd.DataFrame) -> Inventory:
    """Return the stations of a table, with a seismometer each."""
    networks: dict[str, list[Station]] = {}
    places = table.drop_duplicates(["station_network_code", "station_code"])
    for row in places.to_dict("records"):
        place = {
            "latitude": row["station_latitude_deg"],
            "longitude": row["station_longitude_deg"],
            "elevation": row["station_elevation_m"],
        }
        station = Station(
            row["station_code"],
            **place,
            site=Site("Simulated station"),
            start_date=UTCDateTime(2000, 1, 1),
        )
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
                    types=[SYNTHESIZED],
                    sample_rate=SAMPLING_RATE,
                    start_date=station.start_date,
                    response=response,
                )
            )
        networks.setdefault(row["station_network_code"], []).append(station)
    return Inventory(
        [Network(code, found) for code, found in networks.items()], source="cgmgm-seis"
    )
