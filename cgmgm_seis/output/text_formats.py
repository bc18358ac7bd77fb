"""Waveforms as text: PEER's AT2 and tables (CSV)."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from obspy import Trace, UTCDateTime

from cgmgm_seis.errors import OutputError
from cgmgm_seis.measures.intensity import GRAVITY
from cgmgm_seis.output.records import RecordsPart, file_stem
from cgmgm_seis.scenario.quantities import Quantity

# Samples in a line of AT2.
_PER_LINE = 5


def write_at2(folder: Path, parts: Iterable[RecordsPart], quantity: Quantity) -> dict[str, str]:
    """Write one AT2 file per trace: acceleration in g, as in PEER's NGA databases.

    Four lines of header are followed by five samples in a line.

    Raises
    ------
    OutputError
        If the records are not acceleration.
    """
    if quantity.name != "acceleration":
        raise OutputError(
            f"quantity = '{quantity.name}' must be acceleration in the format at2; csv holds all."
        )
    (folder / "at2").mkdir()
    count = 0
    for part in parts:
        for row, trace in part.traces():
            content = at2_text(trace, part.scenario.iloc[row])
            path = folder / "at2" / f"{file_stem(trace, trace.id)}.AT2"
            path.write_text(content, encoding="utf-8")
            count += 1
    return {"at2": f"PEER AT2: {count} files, one trace each, acceleration in g"}


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


def write_csv(folder: Path, parts: Iterable[RecordsPart], quantity: Quantity) -> dict[str, str]:
    """Write one CSV file per record: times in s after the origin, and its components.

    The unit is in the name of the columns, for example ``Z (m/s)``.
    """
    (folder / "csv").mkdir()
    count = 0
    for part in parts:
        stream, width = part.stream, len(part.components)
        for first in range(0, len(stream), width):
            record = stream[first : first + width]
            row = part.scenario.iloc[first // part.per_row]
            columns = {"time (s)": _times(record[0], row)}
            for trace in record:
                columns[f"{trace.stats.component} ({quantity.unit})"] = trace.data
            table = pd.DataFrame(columns)
            # Nine digits hold every 32-bit float.
            path = folder / "csv" / f"{file_stem(record[0], record[0].id[:-1])}.csv"
            table.to_csv(path, index=False, float_format="%.9g")
            count += 1
    return {"csv": f"CSV: {count} files, one record each, {quantity.name} in {quantity.unit}"}


def _times(trace: Trace, row: pd.Series) -> NDArray[Any]:
    """Return the times of the samples, s after the origin."""
    offset = trace.stats.starttime - UTCDateTime(row["source_origin_time"])
    return np.round(offset + trace.times(), 6)
