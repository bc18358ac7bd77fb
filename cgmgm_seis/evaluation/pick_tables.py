"""Tables of picks: share picked, probability and residuals of P, S and S minus P."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cgmgm_seis.evaluation.residuals import BINS, FEWEST
from cgmgm_seis.scenario.arrays import Floats

RECORDED = "recorded"
PHASES = ("P", "S")
DIFFERENCE = "S-P"
PATH_COLUMNS = ("source_magnitude", "path_hyp_distance_km")
CODE_COLUMNS = ("source_id", "station_network_code", "station_code")
RESIDUALS = ("minus_onset_s", "minus_recorded_s")


def known_onsets(scenario: pd.DataFrame, sampling_rate: float) -> dict[str, Floats]:
    """Return the P and S onsets of a data set, s after the records' start; NaN if unknown."""
    onsets = {}
    for phase in PHASES:
        column = f"trace_{phase.lower()}_arrival_sample"
        samples = scenario.get(column, pd.Series(np.nan, scenario.index))
        onsets[phase] = pd.to_numeric(samples, errors="coerce").to_numpy(float) / sampling_rate
    return onsets


def pick_records(
    picks: Mapping[str, pd.DataFrame], scenario: pd.DataFrame, sampling_rate: float
) -> pd.DataFrame:
    """Return all picks, and their residuals relative to the onset and to the recorded pick.

    Parameters
    ----------
    picks : mapping
        Generator, including `RECORDED`, to the result of `cgmgm_seis.measures.picks.pick`.
    scenario : pandas.DataFrame
        Metadata of the records, with known onsets in ``trace_p_arrival_sample`` and
        ``trace_s_arrival_sample``.
    sampling_rate : float
        Sampling rate, Hz.

    Returns
    -------
    pandas.DataFrame
        One row per generator, phase (P, S, S-P) and record: "time_s", "probability",
        "minus_onset_s" and "minus_recorded_s", with the record's codes, magnitude and distance.
    """
    described = scenario[[c for c in (*CODE_COLUMNS, *PATH_COLUMNS) if c in scenario]]
    onsets = _with_difference(known_onsets(scenario, sampling_rate))
    recorded = _times(picks[RECORDED])
    tables = []
    for name, found in picks.items():
        for phase, times in _times(found).items():
            values = {
                "time_s": times,
                "probability": found.get(f"{phase.lower()}_probability", np.nan),
                "minus_onset_s": times - onsets[phase],
                "minus_recorded_s": times - recorded[phase] if name != RECORDED else np.nan,
            }
            table = described.assign(**values)
            table.insert(0, "generator", name)
            table.insert(1, "phase", phase)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def picks_table(records: pd.DataFrame) -> pd.DataFrame:
    """Return the share picked and the residuals of every generator and phase.

    Columns: "records", "picked", "probability" (median), and for the residuals relative to the
    onset and to the recorded pick their number, median and 90th percentile of the absolute value.
    """
    rows = [
        {"generator": name, "phase": phase, **_statistics(own)}
        for (name, phase), own in records.groupby(["generator", "phase"], sort=False)
    ]
    return pd.DataFrame(rows)


def picks_by_bin(records: pd.DataFrame) -> pd.DataFrame:
    """Return `picks_table` in bins of magnitude and distance, if the records have them."""
    rows = []
    for by, (column, edges) in BINS.items():
        if column not in records:
            continue
        place = pd.cut(records[column], edges, right=False)
        for bin in place.cat.categories:
            inside = records[place == bin]
            for (name, phase), own in inside.groupby(["generator", "phase"], sort=False):
                if len(own) >= FEWEST:
                    where = {"by": by, "low": bin.left, "high": bin.right}
                    where["mean"] = own[column].mean()
                    rows.append({"generator": name, "phase": phase, **where, **_statistics(own)})
    return pd.DataFrame(rows)


def _statistics(own: pd.DataFrame) -> dict[str, float]:
    found: dict[str, float] = {
        "records": len(own),
        "picked": own["time_s"].notna().mean(),
        "probability": own["probability"].median(),
    }
    for column in RESIDUALS:
        delays = own[column].dropna().to_numpy(float)
        kind = column.removesuffix("_s")
        found[f"{kind}_n"] = len(delays)
        found[f"{kind}_median_s"] = float(np.median(delays)) if len(delays) else np.nan
        found[f"{kind}_p90_s"] = float(np.percentile(np.abs(delays), 90)) if len(delays) else np.nan
    return found


def _times(found: pd.DataFrame) -> dict[str, Floats]:
    return _with_difference(
        {phase: found[f"{phase.lower()}_s"].to_numpy(float) for phase in PHASES}
    )


def _with_difference(times: Mapping[str, Floats]) -> dict[str, Floats]:
    return {**times, DIFFERENCE: times["S"] - times["P"]}
