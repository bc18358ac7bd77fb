"""Output folders with waveforms, StationXML, QuakeML, measures, provenance and figures."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from obspy import Stream, Trace, UTCDateTime

from cgmgm_seis.errors import OutputError
from cgmgm_seis.measures.intensity import GRAVITY
from cgmgm_seis.output.provenance import channel_comment
from cgmgm_seis.output.seisbench_writer import DatasetWriter, write_labelled
from cgmgm_seis.output.text_formats import file_stem, write_at2, write_csv
from cgmgm_seis.scenario.codes import check_format_codes
from cgmgm_seis.scenario.quantities import find_quantity
from cgmgm_seis.scenario.streams import to_catalog, to_inventory
from cgmgm_seis.storage.folders import PROVENANCE_FILE, complete_folder
from cgmgm_seis.storage.json_files import json_bytes
from cgmgm_seis.storage.obspy_bytes import to_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEASURES_FILE = "measures.csv"
# Counts per SI unit in formats with units of their own: nm, nm/s and nm/s/s in SAC, g in AT2.
GAINS = {"sac": 1e9, "at2": 1.0 / GRAVITY}
# Traces converted to MiniSEED at once.
TRACES = 300
Arrivals = tuple[NDArray[np.float64], NDArray[np.float64]]


def write_outputs(
    folder: str | Path,
    stream: Stream,
    scenario: pd.DataFrame,
    provenance: Mapping[str, Any],
    *,
    arrivals: Arrivals,
    format: str = "mseed",
    measures: pd.DataFrame | None = None,
    figures: Mapping[str, "tuple[Figure, str]"] | None = None,
    overwrite: bool = False,
) -> list[tuple[Path, str]]:
    """Write generated records and their metadata to a new folder.

    The folder is written completely or not at all: files are written to a hidden folder next to
    it, which is renamed at the end and deleted after any exception (also Ctrl-C or a full disk).

    Parameters
    ----------
    folder : str or pathlib.Path
        The folder to create.
    stream : obspy.Stream
        Stream created by `to_stream` from `scenario`, with traces in the same order.
    scenario : pandas.DataFrame
        Scenario table.
    provenance : mapping
        Result of `cgmgm_seis.output.provenance.provenance`.
    arrivals : tuple of numpy.ndarray
        P and S times of every scenario row, seconds after the origin time.
    format : str
        "mseed" (one file), "sac" (one file per trace, nm/s and so on), "seisbench" (a SeisBench
        data set), "at2" (one file per trace, acceleration in g) or "csv" (one file per record).
    measures : pandas.DataFrame, optional
        Table of the measures of the records, see `cgmgm_seis.output.measures_table`.
    figures : mapping, optional
        Figures and their descriptions by file name, as (figure, description).
    overwrite : bool
        Replace an existing folder that was written by this function.

    Returns
    -------
    list of (pathlib.Path, str)
        Files written and a one-line description of each.

    Raises
    ------
    OutputError
        If the format is unknown or cannot hold a code, the folder exists or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from cgmgm_seis import CGMGM, from_points
    >>> from cgmgm_seis.output.provenance import provenance
    >>> model = CGMGM.from_pretrained("bay_area")
    >>> table = from_points(4.0, (37.9, -122.1), [(37.8, -122.2)])
    >>> stream = model.generate(table, seed=1)
    >>> made_by = provenance(model, table, n_realizations=1, seed=1)
    >>> arrivals = model.travel_times.at(table["source_depth_km"], table["path_ep_distance_km"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = write_outputs(
    ...         f"{folder}/out", stream, table, made_by, arrivals=arrivals
    ...     )
    >>> written[0][1]
    'MiniSEED: 3 traces, velocity in m/s'
    """
    if format not in FORMATS:
        raise OutputError(f"format = '{format}' is not known; use one of {', '.join(FORMATS)}.")
    check_format_codes(scenario, format)
    folder = Path(folder)
    with complete_folder(folder, overwrite) as temporary:
        written = FORMATS[format](temporary, stream, scenario, arrivals)
        gain = GAINS.get(format, 1.0)
        inventory = to_inventory(stream, channel_comment(provenance), gain)
        (temporary / "stations.xml").write_bytes(to_bytes(inventory, "STATIONXML"))
        (temporary / "events.xml").write_bytes(to_bytes(to_catalog(scenario), "QUAKEML"))
        (temporary / PROVENANCE_FILE).write_bytes(json_bytes(provenance))
        channels = len(inventory.get_contents()["channels"])
        stations = scenario.drop_duplicates(["station_network_code", "station_code"])
        written |= {
            "stations.xml": f"StationXML: {len(stations)} stations, {channels} channels",
            "events.xml": f"QuakeML: {scenario['source_id'].nunique()} event(s)",
            PROVENANCE_FILE: "provenance: versions, weights, scenario, seed, settings",
        }
        if measures is not None:
            measures.to_csv(temporary / MEASURES_FILE, index=False, float_format="%.9g")
            written[MEASURES_FILE] = f"intensity measures of {len(measures)} records"
        for name, (figure, description) in (figures or {}).items():
            figure.savefig(temporary / name)
            written[name] = description
    return [(folder / name, description) for name, description in written.items()]


def _write_mseed(
    folder: Path, stream: Stream, _scenario: pd.DataFrame, _arrivals: Arrivals
) -> dict[str, str]:
    """Write one MiniSEED file of 32-bit floats."""
    with (folder / "waveforms.mseed").open("wb") as file:
        # Some traces at a time, so that the file is not in memory as a whole.
        for first in range(0, len(stream), TRACES):
            part = stream[first : first + TRACES]
            file.write(to_bytes(part, "MSEED", encoding="FLOAT32"))
    return {"waveforms.mseed": f"MiniSEED: {len(stream)} traces, {_described(stream)}"}


def _write_sac(
    folder: Path, stream: Stream, scenario: pd.DataFrame, arrivals: Arrivals
) -> dict[str, str]:
    """Write one SAC file per trace in SAC's units (nm and s).

    The reference time is the origin time in milliseconds.
    """
    (folder / "sac").mkdir()
    per_row = len(stream) // len(scenario)
    for number, trace in enumerate(stream):
        row = number // per_row
        p, s = arrivals[0][row], arrivals[1][row]
        trace = Trace((trace.data * GAINS["sac"]).astype(np.float32), trace.stats.copy())
        trace.stats.sac = sac_header(trace, scenario.iloc[row], p, s)
        (folder / "sac" / f"{file_stem(trace, trace.id)}.sac").write_bytes(to_bytes(trace, "SAC"))
    return {"sac": f"SAC: {len(stream)} files, one trace each, {_described(stream, 'n')}"}


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


def _write_seisbench(
    folder: Path, stream: Stream, scenario: pd.DataFrame, arrivals: Arrivals
) -> dict[str, str]:
    """Write a SeisBench data set, one trace per row and realization."""
    stats = stream[0].stats
    n_components = next(
        (k for k, trace in enumerate(stream) if _record(trace) != _record(stream[0])), len(stream)
    )
    components = "".join(trace.stats.component for trace in stream[:n_components])
    waveforms = np.stack([trace.data for trace in stream])
    # In memory, because HDF5 crashes the process if the disk is full.
    with DatasetWriter(folder, components, in_memory=True, quantity=stats.quantity) as writer:
        write_labelled(
            writer,
            waveforms.reshape(len(scenario), -1, n_components, stats.npts),
            scenario,
            arrivals,
            sampling_rate=stats.sampling_rate,
            start_offset_s=stats.starttime - UTCDateTime(scenario["source_origin_time"].iloc[0]),
        )
    return {
        "metadata.csv": f"SeisBench metadata: {len(stream) // n_components} records",
        "waveforms.hdf5": f"SeisBench waveforms: components {components}, {_described(stream)}",
    }


def _described(stream: Stream, prefix: str = "") -> str:
    """Return quantity and unit of a stream, such as "velocity in m/s"."""
    quantity = find_quantity(stream[0].stats.quantity)
    return f"{quantity.name} in {prefix}{quantity.unit}"


def _record(trace: Trace) -> tuple[Any, ...]:
    """Return the codes and start time that the components of one record share."""
    stats = trace.stats
    return stats.network, stats.station, stats.location, stats.starttime


Writer = Callable[[Path, Stream, pd.DataFrame, Arrivals], dict[str, str]]
FORMATS: dict[str, Writer] = {
    "mseed": _write_mseed,
    "sac": _write_sac,
    "seisbench": _write_seisbench,
    "at2": lambda folder, stream, scenario, _: write_at2(folder, stream, scenario),
    "csv": lambda folder, stream, scenario, _: write_csv(folder, stream, scenario),
}
