"""ShakeMap's ``stationlist.json``: peaks and response spectra of the stations of an earthquake.

The layout is that of ShakeMap's manual (Worden et al. 2020), "Stationlist GeoJSON": a feature a
station, with the amplitudes of its channels.  The rules are ShakeMap's as well: any flag but "0"
and "" rejects a measure at the station, and of the horizontals the larger value counts.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cgmgm_seis.errors import DatasetError
from cgmgm_seis.evaluation.flatfile import AMPLITUDES
from cgmgm_seis.measures.intensity import GRAVITY
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.storage.json_files import read_json

# Networks of reported intensities, in lower case.
MACROSEISMIC = ("dyfi", "mmi", "intensity", "ciim")
# Value of the units in m/s2 and m/s, and whether the amplitudes are logarithms.
_ACCELERATION = {"%g": (GRAVITY / 100.0, False), "ln(g)": (GRAVITY, True)}
_VELOCITY = {"cm/s": (0.01, False), "ln(cm/s)": (0.01, True)}
# Horizontals whose names end neither in N nor in E.
_HORIZONTAL = ("UNK", "DERIVED", "H1", "H2")


class StationList(NamedTuple):
    """Amplitudes of a station list.

    Parameters
    ----------
    stations : pandas.DataFrame
        ``station_*`` columns of the usable stations, and ``hypocentral_km``, the hypocentral
        distance that ShakeMap computed, km, NaN where unknown.
    values : numpy.ndarray
        Natural logarithms of the larger horizontal, m/s2 and m/s, NaN where unknown, (station,
        series): PGA, PGV, and PSA at the periods.
    periods : tuple of float
        Periods of the response spectra, s, increasing.
    left_out : dict
        Counts of what is not used, by reason.
    n_single : int
        Number of stations with one horizontal, whose values are taken for the larger ones of two.
    """

    stations: pd.DataFrame
    values: Floats
    periods: tuple[float, ...]
    left_out: dict[str, int]
    n_single: int


def read_stationlist(path: str | Path) -> StationList:
    """Read the amplitudes of the seismic stations of ShakeMap's ``stationlist.json``.

    Left out and counted are macroseismic observations, flagged and unknown amplitudes, those with
    a standard deviation (means of a distribution), stations that occur twice, and stations
    without an amplitude of a horizontal.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.

    Raises
    ------
    DatasetError
        If the file is not a station list, an amplitude has an unknown unit, or no station can be
        used.
    """
    content = read_json(path, DatasetError)
    features = content.get("features") if isinstance(content, dict) else None
    if not isinstance(features, list):
        raise DatasetError(f"{path} must be ShakeMap's stationlist.json, an object with features.")
    left_out: Counter[str] = Counter()
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    measured: list[dict[tuple[str, float], float]] = []
    n_single = 0
    for number, feature in enumerate(features, start=1):
        try:
            row, channels = _station(feature)
            amplitudes = _larger(channels, left_out) if row["seismic"] else {}
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise DatasetError(
                f"Feature {number} of {path} is not a station of ShakeMap: {error!r}."
            ) from error
        key = row["station_network_code"], row["station_code"]
        if not row.pop("seismic"):
            left_out["macroseismic observations"] += 1
        elif key in rows:
            left_out["stations that occur twice"] += 1
        elif not amplitudes:
            left_out["stations without an amplitude of a horizontal"] += 1
        else:
            rows[key] = row
            measured.append(amplitudes)
            n_single += len(channels) == 1
    if not rows:
        reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
        raise DatasetError(
            f"{path} has 0 usable stations ({reasons or 'it is empty'}); at least 1 is needed."
        )
    periods = tuple(sorted({period for own in measured for kind, period in own if kind == "psa"}))
    keys = [("pga", 0.0), ("pgv", 0.0), *(("psa", period) for period in periods)]
    values = np.array([[own.get(key, np.nan) for key in keys] for own in measured])
    return StationList(pd.DataFrame(rows.values()), values, periods, dict(left_out), n_single)


def _station(feature: Mapping[str, Any]) -> tuple[dict[str, Any], list[Mapping[str, Any]]]:
    """Return the columns of a station, and whether it is seismic; and its horizontal channels."""
    own, (longitude, latitude, *_) = feature["properties"], feature["geometry"]["coordinates"]
    network = str(own["network"])
    reported = own.get("station_type") == "macroseismic" or network.lower() in MACROSEISMIC
    row = {
        "seismic": not reported,
        "station_network_code": network,
        # The code of ShakeMap's own lists begins with that of the network.
        "station_code": str(own["code"]).removeprefix(f"{network}."),
        "station_latitude_deg": float(latitude),
        "station_longitude_deg": float(longitude),
        "hypocentral_km": _number((own.get("distances") or {}).get("rhypo")),
    }
    return row, [] if reported else _horizontals(own["channels"])


def _horizontals(channels: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the horizontal channels of a station.

    Channels 1 and 2 are horizontal beside a channel Z.
    """
    names = [str(channel["name"]).upper() for channel in channels]
    ends = "NE12" if any(name.endswith("Z") for name in names) else "NE"
    return [
        channel
        for name, channel in zip(names, channels, strict=True)
        if name.endswith(tuple(ends)) or name in _HORIZONTAL
    ]


def _larger(
    channels: list[Mapping[str, Any]], left_out: Counter[str]
) -> dict[tuple[str, float], float]:
    """Return the logarithm of the larger value of every measure, and count what is left out."""
    found: dict[tuple[str, float], float] = {}
    rejected: set[tuple[str, float]] = set()
    low, high = AMPLITUDES
    for key, amplitude in _amplitudes(channels):
        value, scale = _number(amplitude.get("value")), _unit(key[0], amplitude.get("units"))
        with np.errstate(divide="ignore", invalid="ignore"):
            value = float(value if scale[1] else np.log(value)) + np.log(scale[0])
        if str(amplitude.get("flag") or "0") != "0":
            left_out["flagged amplitudes"] += 1
            rejected.add(key)
        elif not np.log(low) <= value <= np.log(high):
            left_out[f"amplitudes that are not numbers from {low:g} to {high:g} m/s2 or m/s"] += 1
            rejected.add(key)
        elif _number(amplitude.get("ln_sigma")) > 0.0:
            left_out["amplitudes with a standard deviation"] += 1
            rejected.add(key)
        else:
            found[key] = max(value, found.get(key, -np.inf))
    return {key: value for key, value in found.items() if key not in rejected}


def _amplitudes(
    channels: list[Mapping[str, Any]],
) -> Iterator[tuple[tuple[str, float], Mapping[str, Any]]]:
    """Yield the amplitudes with their kind and period, s, which is 0 for PGA and PGV."""
    for channel in channels:
        for amplitude in channel["amplitudes"]:
            name = str(amplitude["name"]).lower()
            if name in ("pga", "acc"):
                yield ("pga", 0.0), amplitude
            elif name in ("pgv", "vel"):
                yield ("pgv", 0.0), amplitude
            elif match := re.fullmatch(r"sa\(([\d.]+)\)", name):
                yield ("psa", float(match[1])), amplitude
            elif match := re.fullmatch(r"psa(\d)(\d+)", name):
                yield ("psa", float(f"{match[1]}.{match[2]}")), amplitude


def _unit(kind: str, unit: Any) -> tuple[float, bool]:
    """Return the value of a unit in m/s2 or m/s, and whether amplitudes are logarithms."""
    units = _VELOCITY if kind == "pgv" else _ACCELERATION
    # Without units, they are those of linear amplitudes.
    unit = next(iter(units)) if unit is None else unit
    if unit not in units:
        raise ValueError(f"unit {unit} of {kind} must be one of {', '.join(units)}")
    return units[unit]


def _number(value: Any) -> float:
    """Return a number, NaN for null and the text null."""
    return np.nan if value in (None, "null") else float(value)
