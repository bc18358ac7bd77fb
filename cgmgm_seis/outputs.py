"""Output folders: waveforms, StationXML, QuakeML, provenance and figures, all of them or none."""

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from io import BytesIO, StringIO
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from obspy import Stream, Trace, UTCDateTime

from cgmgm_seis.errors import OutputError
from cgmgm_seis.provenance import channel_comment
from cgmgm_seis.scenario import COLUMNS
from cgmgm_seis.streams import to_catalog, to_inventory

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Arrivals = tuple[NDArray[np.float64], NDArray[np.float64]]
PROVENANCE_FILE = "provenance.json"


def write_outputs(
    folder: str | Path,
    stream: Stream,
    scenario: pd.DataFrame,
    provenance: Mapping[str, Any],
    *,
    arrivals: Arrivals,
    format: str = "mseed",
    figures: Mapping[str, "tuple[Figure, str]"] | None = None,
    overwrite: bool = False,
) -> list[tuple[Path, str]]:
    """Write generated records and everything about them to a new folder.

    The folder appears under its name complete or not at all: it is written beside it under a
    hidden name, which any exception (Ctrl-C and a full disk too) removes, and renamed.

    Parameters
    ----------
    folder : str or pathlib.Path
        The folder to make.
    stream : obspy.Stream
        Stream made by `to_stream` from `scenario`, traces in its order.
    scenario : pandas.DataFrame
        Scenario table.
    provenance : mapping
        Result of `cgmgm_seis.provenance.provenance`.
    arrivals : tuple of numpy.ndarray
        P and S times of every scenario row, seconds after the origin time.
    format : str
        "mseed" (one file), "sac" (a file a trace) or "seisbench" (a SeisBench data set).
    figures : mapping, optional
        File name to (figure, description).
    overwrite : bool
        Replace an existing folder, if it is one that this function wrote.

    Returns
    -------
    list of (pathlib.Path, str)
        Files written and what they hold, one line each.

    Raises
    ------
    OutputError
        If the format is unknown, the folder exists or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from cgmgm_seis import CGMGM, from_points
    >>> from cgmgm_seis.provenance import provenance
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
        raise OutputError(f"Format '{format}' is unknown; it is one of {', '.join(FORMATS)}.")
    folder = Path(folder)
    with complete_folder(folder, overwrite) as temporary:
        written = FORMATS[format](temporary, stream, scenario, arrivals)
        inventory = to_inventory(stream, channel_comment(provenance))
        _write(temporary / "stations.xml", inventory, "STATIONXML")
        _write(temporary / "events.xml", to_catalog(scenario), "QUAKEML")
        text = json.dumps(provenance, indent=1, allow_nan=False)
        (temporary / PROVENANCE_FILE).write_text(text + "\n")
        channels = len(inventory.get_contents()["channels"])
        stations = scenario.drop_duplicates(["station_network_code", "station_code"])
        written |= {
            "stations.xml": f"StationXML: {len(stations)} stations, {channels} channels",
            "events.xml": f"QuakeML: {scenario['source_id'].nunique()} event(s)",
            PROVENANCE_FILE: "what made these files: versions, weights, scenario, seed, settings",
        }
        for name, (figure, description) in (figures or {}).items():
            figure.savefig(temporary / name)
            written[name] = description
    return [(folder / name, description) for name, description in written.items()]


def check_folder(folder: str | Path, overwrite: bool = False) -> None:
    """Raise `OutputError` unless `write_outputs` may make this folder.

    An existing folder is replaced only if asked for and if it holds a provenance file, so
    that a slip of the keyboard does not delete somebody's data.
    """
    folder = Path(folder)
    if not os.path.lexists(folder):
        return
    if not overwrite:
        raise OutputError(f"{folder} exists already; --overwrite (overwrite=True) replaces it.")
    if folder.is_symlink() or not (folder / PROVENANCE_FILE).is_file():
        raise OutputError(
            f"{folder} is not a folder of generated records ({PROVENANCE_FILE} is missing); "
            "only such a folder is replaced."
        )


@contextmanager
def complete_folder(folder: Path, overwrite: bool) -> Iterator[Path]:
    """Yield a hidden folder that takes its name when all went well and vanishes otherwise."""
    check_folder(folder, overwrite)
    folder = folder.absolute()
    # Missing parents are made at the very end, so that a failure does not leave them behind.
    beside = next(parent for parent in folder.parents if parent.exists())
    token = uuid.uuid4().hex
    temporary = beside / f".{folder.name}-{token}.part"
    replaced = folder.with_name(f".{folder.name}-{token}.old")
    try:
        temporary.mkdir()
        yield temporary
        folder.parent.mkdir(parents=True, exist_ok=True)
        check_folder(folder, overwrite)
        if folder.exists():
            folder.rename(replaced)
        temporary.rename(folder)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if replaced.exists():
            replaced.rename(folder)
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
            raise OutputError(f"{folder} cannot be written: {reason}.") from error
        raise
    shutil.rmtree(replaced, ignore_errors=True)


def _write(path: Path, content: Any, format: str, **options: Any) -> None:
    """Write an ObsPy object through memory.

    ObsPy's MiniSEED writer loses the error of a full disk in a C callback.
    """
    buffer = BytesIO()
    content.write(buffer, format=format, **options)
    path.write_bytes(buffer.getvalue())


def _write_mseed(
    folder: Path, stream: Stream, scenario: pd.DataFrame, arrivals: Arrivals
) -> dict[str, str]:
    """Write one MiniSEED file of 32-bit floats."""
    _write(folder / "waveforms.mseed", stream, "MSEED", encoding="FLOAT32")
    return {"waveforms.mseed": f"MiniSEED: {len(stream)} traces, velocity in m/s"}


def _write_sac(
    folder: Path, stream: Stream, scenario: pd.DataFrame, arrivals: Arrivals
) -> dict[str, str]:
    """Write one SAC file a trace; its zero time is the origin time to the millisecond."""
    (folder / "sac").mkdir()
    per_row = len(stream) // len(scenario)
    for number, trace in enumerate(stream):
        row = number // per_row
        p, s = arrivals[0][row], arrivals[1][row]
        trace = Trace(trace.data, trace.stats.copy())
        trace.stats.sac = _sac_header(trace, scenario.iloc[row], p, s)
        start = trace.stats.starttime.strftime("%Y%m%dT%H%M%S")
        _write(folder / "sac" / f"{trace.id}.{start}.sac", trace, "SAC")
    return {"sac": f"SAC: {len(stream)} files, a trace each, velocity in m/s"}


def _sac_header(trace: Trace, row: pd.Series, p: float, s: float) -> dict[str, Any]:
    """Return the SAC header variables that ObsPy does not take from the trace's stats."""
    origin = UTCDateTime(row["source_origin_time"])
    zero = UTCDateTime(ns=origin.ns // 1_000_000 * 1_000_000)
    shift = origin - zero
    orientation = {"Z": (0.0, 0.0), "N": (0.0, 90.0), "E": (90.0, 90.0)}
    cmpaz, cmpinc = orientation[trace.stats.component]
    return {
        "nzyear": zero.year,
        "nzjday": zero.julday,
        "nzhour": zero.hour,
        "nzmin": zero.minute,
        "nzsec": zero.second,
        "nzmsec": zero.microsecond // 1000,
        "iztype": 11,  # zero is the origin time
        "idep": 7,  # velocity; SAC's unit would be nm/s, ours is m/s
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
    """Write a SeisBench data set, one trace a row and realization."""
    from seisbench.data import WaveformDataWriter

    records = [list(traces) for _, traces in groupby(stream, key=_record_key)]
    components = "".join(trace.stats.component for trace in records[0])
    n_realizations = len(records) // len(scenario)
    writer = WaveformDataWriter(folder / "metadata.csv", folder / "waveforms.hdf5")
    # Through memory: HDF5 crashes the process where the disk is full.
    writer.waveforms_path = BytesIO()
    # SeisBench's writer always draws a progress bar.
    with redirect_stderr(StringIO()), writer:
        writer.data_format = {
            "dimension_order": "CW",
            "component_order": components,
            "measurement": "velocity",
            "unit": "meters per second",
            "instrument_response": "restituted",
        }
        for number, traces in enumerate(records):
            row = number // n_realizations
            stats = traces[0].stats
            after_start = UTCDateTime(scenario["source_origin_time"].iloc[row]) - stats.starttime
            metadata = scenario.iloc[row][list(COLUMNS)].to_dict() | {
                "station_location_code": stats.location,
                "path_back_azimuth_deg": stats.back_azimuth,
                "trace_channel": stats.channel[:2],
                "trace_start_time": str(stats.starttime),
                "trace_sampling_rate_hz": stats.sampling_rate,
                "trace_npts": stats.npts,
                "trace_simulated": True,
                "trace_p_arrival_sample": (after_start + arrivals[0][row]) * stats.sampling_rate,
                "trace_s_arrival_sample": (after_start + arrivals[1][row]) * stats.sampling_rate,
            }
            writer.add_trace(metadata, np.stack([trace.data for trace in traces]))
    (folder / "waveforms.hdf5").write_bytes(writer.waveforms_path.getvalue())
    return {
        "metadata.csv": f"SeisBench metadata: {len(records)} records",
        "waveforms.hdf5": f"SeisBench waveforms: components {components}, velocity in m/s",
    }


def _record_key(trace: Trace) -> tuple[Any, ...]:
    """Return what the components of one record share."""
    stats = trace.stats
    return stats.network, stats.station, stats.location, stats.starttime


Writer = Callable[[Path, Stream, pd.DataFrame, Arrivals], dict[str, str]]
FORMATS: dict[str, Writer] = {
    "mseed": _write_mseed,
    "sac": _write_sac,
    "seisbench": _write_seisbench,
}
