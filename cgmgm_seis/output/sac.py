"""Waveforms as SAC files, and their headers."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from obspy import Trace, UTCDateTime

from cgmgm_seis.output.records import RecordsPart, file_stem
from cgmgm_seis.scenario.quantities import Quantity, find_quantity
from cgmgm_seis.storage.obspy_bytes import to_bytes

# Counts per SI unit: SAC's units are nm, nm/s and nm/s/s.
SAC_GAIN = 1e9


def write_sac(folder: Path, parts: Iterable[RecordsPart], quantity: Quantity) -> dict[str, str]:
    """Write one SAC file per trace in SAC's units (nm and s).

    The reference time is the origin time in milliseconds.
    """
    (folder / "sac").mkdir()
    count = 0
    for part in parts:
        for row, trace in part.traces():
            p, s = (times[row] for times in part.arrivals)
            counts = Trace((trace.data * SAC_GAIN).astype(np.float32), trace.stats.copy())
            counts.stats.sac = sac_header(counts, part.scenario.iloc[row], p, s)
            name = f"{file_stem(trace, trace.id)}.sac"
            (folder / "sac" / name).write_bytes(to_bytes(counts, "SAC"))
            count += 1
    return {"sac": f"SAC: {count} files, one trace each, {quantity.name} in n{quantity.unit}"}


def sac_header(trace: Trace, row: pd.Series, p: float, s: float) -> dict[str, Any]:
    """Return the SAC header variables that ObsPy does not set from the stats of the trace.

    Parameters
    ----------
    trace : obspy.Trace
        A component Z, N, E, R (away from the source) or T (to the right of R).
    row : pandas.Series
        Row of the scenario table.
    p, s : float
        P and S times, s after the origin time.
    """
    origin = UTCDateTime(row["source_origin_time"])
    zero = UTCDateTime(ns=origin.ns // 1_000_000 * 1_000_000)
    shift = origin - zero
    away = (trace.stats.back_azimuth + 180.0) % 360.0
    orientation = {
        "Z": (0.0, 0.0),
        "N": (0.0, 90.0),
        "E": (90.0, 90.0),
        "R": (away, 90.0),
        "T": ((away + 90.0) % 360.0, 90.0),
    }
    cmpaz, cmpinc = orientation[trace.stats.component]
    return {
        "nzyear": zero.year,
        "nzjday": zero.julday,
        "nzhour": zero.hour,
        "nzmin": zero.minute,
        "nzsec": zero.second,
        "nzmsec": zero.microsecond // 1000,
        "iztype": 11,  # the reference time is the origin time
        "idep": find_quantity(trace.stats.quantity).sac_idep,
        "b": trace.stats.starttime - zero,
        "o": shift,
        "a": p + shift,
        "ka": "P",
        "t0": s + shift,
        "kt0": "S",
        "evla": row["source_latitude_deg"],
        "evlo": row["source_longitude_deg"],
        "evdp": row["source_depth_km"],
        "mag": row["source_magnitude"],
        "kevnm": str(row["source_id"])[:16],
        "stla": row["station_latitude_deg"],
        "stlo": row["station_longitude_deg"],
        "stel": row["station_elevation_m"],
        "dist": row["path_ep_distance_km"],
        "az": row["path_azimuth_deg"],
        "baz": trace.stats.back_azimuth,
        "cmpaz": cmpaz,
        "cmpinc": cmpinc,
        "knetwk": trace.stats.network,
        "kstnm": trace.stats.station,
        "khole": trace.stats.location,
        "kcmpnm": trace.stats.channel,
        "lcalda": False,
    }
