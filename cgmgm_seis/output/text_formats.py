"""Waveforms as text: PEER's AT2 and tables (CSV)."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from obspy import Stream, Trace, UTCDateTime

from cgmgm_seis.errors import OutputError
from cgmgm_seis.measures.intensity import GRAVITY
from cgmgm_seis.scenario.quantities import find_quantity

# Samples in a line of AT2.
_PER_LINE = 5


def write_at2(folder: Path, stream: Stream, scenario: pd.DataFrame) -> dict[str, str]:
    """Write one AT2 file per trace: acceleration in g, as in PEER's NGA databases.

    Four lines of header are followed by five samples in a line.

    Raises
    ------
    OutputError
        If the stream is not acceleration.
    """
    quantity = stream[0].stats.quantity
    if quantity != "acceleration":
        raise OutputError(
            f"quantity = '{quantity}' must be acceleration in the format at2; csv holds all."
        )
    (folder / "at2").mkdir()
    per_row = len(stream) // len(scenario)
    for number, trace in enumerate(stream):
        content = at2_text(trace, scenario.iloc[number // per_row])
        (folder / "at2" / f"{file_stem(trace, trace.id)}.AT2").write_text(content, encoding="utf-8")
    return {"at2": f"PEER AT2: {len(stream)} files, one trace each, acceleration in g"}


def at2_text(trace: Trace, row: pd.Series) -> str:
    """Return the content of an AT2 file.

    Parameters
    ----------
    trace : obspy.Trace
        Acceleration, m/s2.
    row : pandas.Series
        Row of the scenario table.
    """
    stats = trace.stats
    header = (
        "GENERATED GROUND MOTION, NOT RECORDED (CGMGM-SEIS)",
        f"{row['source_id']}, M {row['source_magnitude']:g}, {row['source_origin_time']}, "
        f"{trace.id}, starts {stats.starttime}",
        "ACCELERATION TIME SERIES IN UNITS OF G",
        f"NPTS= {stats.npts:6d}, DT= {stats.delta:.5f} SEC",
    )
    samples = [f"{value:15.7E}" for value in trace.data.astype(float) / GRAVITY]
    lines = [
        "".join(samples[first : first + _PER_LINE]) for first in range(0, stats.npts, _PER_LINE)
    ]
    return "\n".join((*header, *lines)) + "\n"


def write_csv(folder: Path, stream: Stream, scenario: pd.DataFrame) -> dict[str, str]:
    """Write one CSV file per record: times in s after the origin, and its components.

    The unit is in the name of the columns, for example ``Z (m/s)``.
    """
    quantity = find_quantity(stream[0].stats.quantity)
    (folder / "csv").mkdir()
    per_row = len(stream) // len(scenario)
    components = list(dict.fromkeys(trace.stats.component for trace in stream[:per_row]))
    for first in range(0, len(stream), len(components)):
        record = stream[first : first + len(components)]
        columns = {"time (s)": _times(record[0], scenario.iloc[first // per_row])}
        for trace in record:
            columns[f"{trace.stats.component} ({quantity.unit})"] = trace.data
        table = pd.DataFrame(columns)
        # Nine digits hold every 32-bit float.
        path = folder / "csv" / f"{file_stem(record[0], record[0].id[:-1])}.csv"
        table.to_csv(path, index=False, float_format="%.9g")
    count = len(stream) // len(components)
    return {"csv": f"CSV: {count} files, one record each, {quantity.name} in {quantity.unit}"}


def _times(trace: Trace, row: pd.Series) -> NDArray[Any]:
    """Return the times of the samples, s after the origin."""
    offset = trace.stats.starttime - UTCDateTime(row["source_origin_time"])
    return np.round(offset + trace.times(), 6)


def file_stem(trace: Trace, codes: str) -> str:
    """Return the name of a file of one trace or record: codes and start time.

    Examples
    --------
    >>> file_stem(Trace(header={"network": "SY", "station": "V0000"}), "SY.V0000.00.HXZ")
    'SY.V0000.00.HXZ.19700101T000000'
    """
    return f"{codes}.{trace.stats.starttime.strftime('%Y%m%dT%H%M%S')}"
