"""Table of intensity measures of generated records."""

import os
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from obspy import Stream

from cgmgm_seis.measures.intensity import (
    acceleration,
    arias_intensity,
    cav,
    pga,
    pgv,
    significant_duration,
)
from cgmgm_seis.measures.response_spectra import psa, resolved_periods, rotd50, rotd50_psa
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.streams import location_code

PERIODS = (0.1, 0.2, 0.3, 0.5, 1.0, 2.0)
# Records measured at once, which limits the memory.
_BLOCK = 200


def measures_table(
    stream: Stream, scenario: pd.DataFrame, periods: Sequence[float] | None = None
) -> pd.DataFrame:
    """Return the intensity measures of generated records.

    Parameters
    ----------
    stream : obspy.Stream
        Velocity, m/s, created by `to_stream` from `scenario`, with traces in the same order.
    scenario : pandas.DataFrame
        Scenario table.
    periods : sequence of float, optional
        Periods of the PSA (5 % damping), s; by default those of `PERIODS` that are not too short
        for the sampling rate.

    Returns
    -------
    pandas.DataFrame
        One row per scenario row and realization: the columns of the scenario, the realization as
        ``station_location_code``, and the measures with their units.  ``pga_mps2``, ``pgv_mps``
        and ``psa_0.300s_mps2`` are the RotD50 of two horizontal components, as in a flatfile
        (`cgmgm_seis.evaluation.flatfile`); they are missing for other components.  Measures of a
        component begin with its name: ``Z_pga_mps2``, ``Z_pgv_mps``, ``Z_psa_0.300s_mps2``,
        ``Z_arias_mps``, ``Z_cav_mps``, ``Z_d5_75_s`` and ``Z_d5_95_s``.  As in labelled data
        sets, each of several realizations is an earthquake of its own, whose number is appended
        to the ``source_id``.

    Examples
    --------
    >>> from cgmgm_seis.scenario.streams import to_stream
    >>> from cgmgm_seis.scenario.table import from_points
    >>> from cgmgm_seis.scenario.window import Window
    >>> table = from_points(4.5, (37.938, -122.057), [(37.876, -122.236)])
    >>> motion = np.sin(np.arange(6000.0) / 100.0).reshape(1, 1, 1, 6000)
    >>> stream = to_stream(motion, table, Window("Z"))
    >>> measures_table(stream, table, periods=[1.0])["Z_pgv_mps"].round(3).tolist()
    [1.0]
    """
    per_row = len(stream) // len(scenario)
    components = list(dict.fromkeys(trace.stats.component for trace in stream[:per_row]))
    n_realizations = per_row // len(components)
    rate = stream[0].stats.sampling_rate
    if periods is None:
        periods = resolved_periods(PERIODS, rate)
    rows = scenario.iloc[np.repeat(np.arange(len(scenario)), n_realizations)]
    rows = rows.reset_index(drop=True)
    rows["station_location_code"] = [location_code(k) for k in range(n_realizations)] * len(
        scenario
    )
    if n_realizations > 1:
        rows["source_id"] = rows["source_id"].astype(str) + "-" + rows["station_location_code"]
    step = _BLOCK * len(components)
    parts = []
    for first in range(0, len(stream), step):
        velocity = np.stack([trace.data for trace in stream[first : first + step]])
        records = velocity.reshape(-1, len(components), velocity.shape[-1])
        parts.append(_measures(records, components, rate, periods))
    return pd.concat([rows, pd.concat(parts, ignore_index=True)], axis=1)


def _measures(
    records: NDArray[np.float32], components: Sequence[str], rate: float, periods: Sequence[float]
) -> pd.DataFrame:
    """Return the measures of records (record, component, sample), one row each."""
    columns: dict[str, Floats] = {}
    horizontal = [place for place, name in enumerate(components) if name != "Z"]
    if len(horizontal) == 2:
        columns |= _rotd50(records[:, horizontal], rate, periods)
    for place, name in enumerate(components):
        found = _component(records[:, place], rate, periods)
        columns |= {f"{name}_{label}": values for label, values in found.items()}
    return pd.DataFrame(columns)


def _rotd50(pairs: NDArray[np.float32], rate: float, periods: Sequence[float]) -> dict[str, Floats]:
    """Return RotD50 of two horizontals (record, 2, sample) by column."""
    spectra = rotd50_psa(pairs, rate, periods, threads=os.cpu_count() or 1)
    return {
        "pga_mps2": rotd50(acceleration(pairs, rate)),
        "pgv_mps": rotd50(pairs),
        **_by_period(spectra, periods),
    }


def _component(
    velocity: NDArray[np.float32], rate: float, periods: Sequence[float]
) -> dict[str, Floats]:
    """Return the measures of one component (record, sample) by column."""
    spectra = psa(velocity, rate, periods, threads=os.cpu_count() or 1)
    motion = (acceleration(velocity, rate), rate)
    durations = significant_duration(*motion, high=(0.75, 0.95), quantity="acceleration")
    return {
        "pga_mps2": pga(*motion, "acceleration"),
        "pgv_mps": pgv(velocity),
        **_by_period(spectra, periods),
        "arias_mps": arias_intensity(*motion, "acceleration"),
        "cav_mps": cav(*motion, "acceleration"),
        "d5_75_s": durations[:, 0],
        "d5_95_s": durations[:, 1],
    }


def _by_period(spectra: Floats, periods: Sequence[float]) -> dict[str, Floats]:
    """Return spectra (record, period) by column."""
    # At least three decimals, and as many as tell any two periods apart.
    names = [np.format_float_positional(period, min_digits=3) for period in periods]
    return {f"psa_{name}s_mps2": spectra[:, k] for k, name in enumerate(names)}
