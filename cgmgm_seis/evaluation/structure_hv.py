"""Spectral ratios of horizontals to vertical (H/V) by station, and the frequencies of their peaks.

H is the effective amplitude spectrum of both horizontals and V the Fourier spectrum of the
vertical, both smoothed (Konno & Ohmachi 1998, b = 20); ratios of a station are geometric means over
its records.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cgmgm_seis.evaluation.pick_tables import RECORDED
from cgmgm_seis.gmm.nonergodic import station_codes
from cgmgm_seis.scenario.arrays import Floats

# A station needs this number of records.
FEWEST_RECORDS = 3


def hv_table(
    ln_ratios: Mapping[str, Floats], scenario: pd.DataFrame, frequencies: Sequence[float]
) -> pd.DataFrame:
    """Return the mean H/V of every station with at least `FEWEST_RECORDS` records.

    Parameters
    ----------
    ln_ratios : mapping
        Generator, or "recorded", to ln H/V, shape (record, frequency).
    scenario : pandas.DataFrame
        Scenario table of the records.
    frequencies : sequence of float
        Hz, increasing.

    Returns
    -------
    pandas.DataFrame
        Columns "generator", "station", "latitude_deg", "longitude_deg", "records",
        "frequency_hz" and "ln_hv"; empty if no station has enough records.
    """
    stations = station_codes(scenario)
    tables = []
    for name, values in ln_ratios.items():
        for station, rows in pd.Series(stations).groupby(stations).indices.items():
            if len(rows) < FEWEST_RECORDS:
                continue
            where = scenario.iloc[rows[0]]
            tables.append(
                pd.DataFrame(
                    {
                        "generator": name,
                        "station": station,
                        "latitude_deg": where["station_latitude_deg"],
                        "longitude_deg": where["station_longitude_deg"],
                        "records": len(rows),
                        "frequency_hz": np.asarray(frequencies, float),
                        "ln_hv": values[rows].mean(axis=0),
                    }
                )
            )
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def hv_peaks(ratios: pd.DataFrame) -> pd.DataFrame:
    """Return the frequency and the height of the highest peak of every station's H/V.

    Parameters
    ----------
    ratios : pandas.DataFrame
        See `hv_table`.

    Returns
    -------
    pandas.DataFrame
        Columns "generator", "station", "latitude_deg", "longitude_deg", "records",
        "peak_frequency_hz" and "peak_hv", from a parabola in ln f through the largest value and
        its neighbours; NaN if the largest value is at an end of the band.
    """
    if ratios.empty:
        return pd.DataFrame()
    keys = ["generator", "station", "latitude_deg", "longitude_deg", "records"]
    rows = []
    for key, own in ratios.groupby(keys, sort=False):
        frequency, ln_hv = _peak(own["frequency_hz"].to_numpy(), own["ln_hv"].to_numpy())
        peak = {"peak_frequency_hz": frequency, "peak_hv": np.exp(ln_hv)}
        rows.append({**dict(zip(keys, key, strict=True)), **peak})
    return pd.DataFrame(rows)


def _peak(frequencies: Floats, values: Floats) -> tuple[float, float]:
    """Return frequency and value at the maximum of values, NaN at the ends."""
    top = int(values.argmax())
    if not 0 < top < len(values) - 1:
        return np.nan, np.nan
    near = slice(top - 1, top + 2)
    ln_f = np.log(frequencies)
    curvature, slope, value = np.polyfit(ln_f[near] - ln_f[top], values[near], 2)
    if curvature >= 0.0:  # three equal values
        return float(frequencies[top]), float(values[top])
    shift = -0.5 * slope / curvature
    return float(np.exp(ln_f[top] + shift)), float(value + 0.5 * slope * shift)


def hv_summary(ratios: pd.DataFrame, peaks: pd.DataFrame) -> pd.DataFrame:
    """Return how well the H/V of generators agrees with the recorded one.

    Returns
    -------
    pandas.DataFrame
        Columns "generator", "stations", "bias" and "sigma" (mean and standard deviation of
        generated - recorded ln H/V over stations and frequencies), "correlation" (of ln H/V
        without its mean over stations), "peaks" (number of stations with a peak in both),
        "peak_bias" and "peak_sigma" (of ln peak frequency, generated - recorded) and
        "peak_correlation".
    """
    if ratios.empty:
        return pd.DataFrame()
    wide = ratios.pivot_table(
        index=["generator", "station"], columns="frequency_hz", values="ln_hv"
    )
    ln_peaks = np.log(peaks.set_index(["generator", "station"])["peak_frequency_hz"])
    recorded, recorded_peaks = wide.loc[RECORDED].to_numpy(), ln_peaks.loc[RECORDED].to_numpy()
    rows = []
    for name in ratios["generator"].unique():
        if name == RECORDED:
            continue
        own, own_peaks = wide.loc[name].to_numpy(), ln_peaks.loc[name]
        own_peaks = own_peaks.reindex(ln_peaks.loc[RECORDED].index).to_numpy()
        both = np.isfinite(own_peaks) & np.isfinite(recorded_peaks)
        centred, others = (values - values.mean(axis=0) for values in (own, recorded))
        shift = (own_peaks - recorded_peaks)[both]
        rows.append(
            {
                "generator": name,
                "stations": len(own),
                "bias": (own - recorded).mean(),
                "sigma": (own - recorded).std(),
                "correlation": _correlation(centred, others),
                "peaks": int(both.sum()),
                "peak_bias": shift.mean() if len(shift) else np.nan,
                "peak_sigma": shift.std() if len(shift) else np.nan,
                "peak_correlation": _correlation(own_peaks[both], recorded_peaks[both]),
            }
        )
    return pd.DataFrame(rows)


def _correlation(first: Floats, second: Floats) -> float:
    if first.size < 3 or min(first.std(), second.std()) < 1e-12:
        return np.nan
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])
