"""Flatfiles: tables of recorded amplitudes of source-station pairs, without waveforms.

Columns of source, station and path have the names of the scenario table; names of amplitudes
include the unit: ``pga_g``, ``pgv_cmps``, ``psa_0.300s_g``, ``ln_pga_g``.  All are RotD50 of both
horizontals, PSA at 5 % damping.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from cgmgm_seis.errors import DatasetError, reason_of
from cgmgm_seis.evaluation.measures import rotd50_series
from cgmgm_seis.measures.intensity import GRAVITY
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.columns import COLUMNS, PATH_COLUMNS, REQUIRED_COLUMNS
from cgmgm_seis.scenario.sources import DEFAULT_ORIGIN_TIME
from cgmgm_seis.scenario.table import check_scenario
from cgmgm_seis.storage.files import check_regular
from cgmgm_seis.storage.json_files import read_json

NEEDED_COLUMNS = ("source_id", *REQUIRED_COLUMNS)
USABLE = "lowest_usable_frequency_hz"
# Optional numerical columns, and the minimum of each.
NUMBERS = {
    USABLE: 0.0,
    "station_vs30_mps": 1.0,
    "station_z1p0_km": 0.0,
    "station_z2p5_km": 0.0,
    "path_rup_distance_km": 0.0,
    "path_jb_distance_km": 0.0,
    "source_top_depth_km": -10.0,
    "source_dip_deg": 0.0,
    "source_width_km": 0.0,
    "source_rake_deg": -360.0,
}
# Value of the units of amplitudes in m/s2 and m/s.
_ACCELERATION = {"g": GRAVITY, "mps2": 1.0, "cmps2": 0.01}
UNITS = {"pga": _ACCELERATION, "pgv": {"mps": 1.0, "cmps": 0.01}, "psa": _ACCELERATION}
# Smallest and largest amplitude, m/s2 or m/s: far beyond what was ever recorded, so that others are
# errors of the file.
AMPLITUDES = (1e-12, 1e4)
# Column names of other flatfiles to the names of this package; {period} stands for a number.
LAYOUTS: dict[str, dict[str, str]] = {
    "nga_west2": {
        "EQID": "source_id",
        "datetime": "source_origin_time",
        "ev_lat": "source_latitude_deg",
        "ev_lon": "source_longitude_deg",
        "ev_depth_km": "source_depth_km",
        "M": "source_magnitude",
        "dip": "source_dip_deg",
        "rake": "source_rake_deg",
        "ztor_km": "source_top_depth_km",
        "width_km": "source_width_km",
        "net": "station_network_code",
        "sta": "station_code",
        "sta_lat": "station_latitude_deg",
        "sta_lon": "station_longitude_deg",
        "vs30": "station_vs30_mps",
        "z2p5_km": "station_z2p5_km",
        "rrup_km": "path_rup_distance_km",
        "rjb_km": "path_jb_distance_km",
        "luf_hz": USABLE,
        "lnPGA_g": "ln_pga_g",
        "lnPGV_cms": "ln_pgv_cmps",
        "lnPSA_g_{period}s": "ln_psa_{period}s_g",
    }
}

_AMPLITUDE = re.compile(r"(ln_)?(pga|pgv|psa)(?:_([\d.]+)s)?_(\w+)")
_LIKE_AMPLITUDE = re.compile(r"(ln_)?(pga|pgv|psa)(_.*)?")
# Columns that are kept in addition to amplitudes.
_KEPT = (*COLUMNS, *NUMBERS, "source_mechanism")


class _Amplitudes(NamedTuple):
    """A column of amplitudes: its unit in m/s2 or m/s, and whether it holds logarithms."""

    column: str
    unit: float
    logarithmic: bool


@dataclass(frozen=True)
class Flatfile:
    """Recorded amplitudes of a flatfile.

    Parameters
    ----------
    scenario : pandas.DataFrame
        Scenario table of the usable rows, with the optional columns of the file;
        ``attrs["left_out"]`` counts the other rows by reason.
    values : numpy.ndarray
        Natural logarithms of m/s2 and m/s, NaN where missing, shape (record, series).
    names : pandas.MultiIndex
        Component and measure of the series.
    periods : tuple of float
        Periods of PSA, s, increasing.
    notes : dict
        Values of usable rows that are not used, and the reason.
    """

    scenario: pd.DataFrame
    values: Floats
    names: pd.MultiIndex
    periods: tuple[float, ...]
    notes: dict[str, str]


def read_flatfile(
    path: str | Path, columns: str | Path | Mapping[str, str] | None = None
) -> Flatfile:
    """Read a CSV file of recorded amplitudes.

    Rows without event, coordinates, depth or magnitude, and rows without any amplitude, are left
    out and counted.  So are PSA at periods longer than 1 / ``lowest_usable_frequency_hz`` of the
    row, and values that are not numbers.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.
    columns : str, pathlib.Path or mapping, optional
        Column names of the file to names of this package, where they differ: a mapping, a JSON
        file with one, or the name of one of `LAYOUTS`.  ``{period}`` stands for a period in
        seconds in both names.

    Returns
    -------
    Flatfile

    Raises
    ------
    DatasetError
        If the file or the mapping cannot be read, a column is missing, duplicate or in an unknown
        unit, an amplitude is not within `AMPLITUDES`, or no row can be used.
    ScenarioError
        If coordinates, a depth or a magnitude are invalid.
    """
    table = _table(Path(path), columns)
    amplitudes = _amplitude_columns(table)
    if missing := [column for column in NEEDED_COLUMNS if column not in table]:
        raise DatasetError(f"{path} lacks the columns {', '.join(missing)}.")
    if not amplitudes:
        raise DatasetError(
            f"{path} has 0 columns of amplitudes; at least 1 is needed, with a name such as pga_g, "
            "pgv_cmps, psa_0.300s_g or ln_pga_g."
        )
    notes = _make_numbers(table, [own.column for own in amplitudes.values()])
    placed = table[list(NEEDED_COLUMNS)].notna().all(axis=1)
    left_out = {"without event, coordinates, depth or magnitude": int((~placed).sum())}
    table = table.loc[placed]
    periods, values = _values(table, amplitudes)
    if USABLE in table:
        notes |= _leave_out_unusable(values[:, 2:], periods, table[USABLE])
    known = np.asarray(np.isfinite(values).any(axis=1))
    left_out["without an amplitude"] = int((~known).sum())
    left_out = {reason: count for reason, count in left_out.items() if count}
    if not known.any():
        reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
        raise DatasetError(
            f"{path} has 0 usable rows ({reasons or 'it is empty'}); at least 1 is needed."
        )
    scenario = _scenario(table.loc[known])
    scenario.attrs["left_out"] = left_out
    used = np.asarray(np.isfinite(values).any(axis=0))
    names = rotd50_series(periods)
    given = (("pga", 0.0) in amplitudes, ("pgv", 0.0) in amplitudes, *(True for _ in periods))
    for (_, measure), was_given, there in zip(names, given, used, strict=True):
        if was_given and not there:
            notes[measure] = "no row has a value"
    kept = tuple(period for period, there in zip(periods, used[2:], strict=True) if there)
    return Flatfile(scenario, values[known][:, used], names[used], kept, notes)


def _make_numbers(table: pd.DataFrame, amplitudes: list[str]) -> dict[str, str]:
    """Convert text to numbers, in place, and count optional values that are not numbers."""
    notes = {}
    for column in (*REQUIRED_COLUMNS, *NUMBERS, *amplitudes):
        if column not in table:
            continue
        numbers = pd.to_numeric(table[column], errors="coerce").astype(float)
        unreadable = int((numbers.isna() & table[column].notna()).sum())
        # Rows without a required value are left out and counted as a whole.
        if unreadable and column not in REQUIRED_COLUMNS:
            notes[f"some values of {column}"] = f"{unreadable} of {len(table)} are not numbers"
        if column in NUMBERS:
            least = NUMBERS[column]
            _check(numbers, numbers >= least, f"must be at least {least:g}, or empty")
        table[column] = numbers
    return notes


def _leave_out_unusable(
    spectrum: Floats, periods: tuple[float, ...], lowest: pd.Series
) -> dict[str, str]:
    """Remove PSA (record, period) below the lowest usable frequency, in place, and count them."""
    beyond, known = np.outer(lowest, periods) > 1.0 + 1e-9, np.isfinite(spectrum)
    spectrum[beyond] = np.nan
    if not (beyond & known).any():
        return {}
    return {
        "some PSA": f"{(beyond & known).sum()} of {known.sum()} values are at periods longer than "
        "1 / lowest usable frequency of their record"
    }


def _table(path: Path, columns: str | Path | Mapping[str, str] | None) -> pd.DataFrame:
    """Read all columns as text with this package's names; empty values are missing."""
    table = _cells(path)
    layout = _layout(columns)
    patterns = [
        (re.escape(theirs).replace(r"\{period\}", r"(?P<period>[\d.]+)"), ours)
        for theirs, ours in layout.items()
    ]

    def ours(name: str) -> str:
        for pattern, own in patterns:
            if found := re.fullmatch(pattern, name):
                return own.replace("{period}", found.groupdict().get("period", ""))
        return name

    table = table.rename(columns=ours)
    if table.columns.duplicated().any():
        twice = table.columns[table.columns.duplicated()][0]
        raise DatasetError(f"{path} has more than one column {twice}; only one is allowed.")
    return table


def _cells(path: Path, n_rows: int | None = None) -> pd.DataFrame:
    """Read the first rows of a CSV file, by default all, as text."""
    try:
        check_regular(path)
        # Without pandas' default missing values, since NA is a network code.
        table = pd.read_csv(
            path, dtype=str, keep_default_na=False, na_values=["", "nan", "NaN"], nrows=n_rows
        )
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} is not a readable CSV file: {reason_of(error)}.") from error
    table.columns = table.columns.str.strip()
    return table


def built_in_layout(path: Path) -> str | None:
    """Return the name of the layout that a flatfile has, None for that of this package."""
    names = _cells(path, n_rows=0).columns
    if "source_id" in names or "EQID" not in names:
        return None
    return next((name for name, columns in LAYOUTS.items() if "EQID" in columns), None)


def _layout(columns: str | Path | Mapping[str, str] | None) -> Mapping[str, str]:
    if columns is None:
        return {}
    if isinstance(columns, Mapping):
        return columns
    if str(columns) in LAYOUTS:
        return LAYOUTS[str(columns)]
    wanted = f"neither a layout ({', '.join(LAYOUTS)}) nor a readable JSON file"
    layout = read_json(columns, DatasetError, wanted)
    if not isinstance(layout, dict) or not all(isinstance(name, str) for name in layout.values()):
        raise DatasetError(f"{columns} must hold a JSON object of column names.")
    return layout


def _amplitude_columns(table: pd.DataFrame) -> dict[tuple[str, float], _Amplitudes]:
    """Return the columns of amplitudes by kind and period, which is 0 for PGA and PGV."""
    found: dict[tuple[str, float], _Amplitudes] = {}
    for column in map(str, table):
        if not _LIKE_AMPLITUDE.fullmatch(column):
            continue
        match = _AMPLITUDE.fullmatch(column)
        logarithmic, kind, period, unit = match.groups() if match else (None,) * 4
        natural = _positive(period) if period else 0.0
        if kind is None or natural is None or (kind == "psa") != (natural > 0.0):
            raise DatasetError(
                f"Column {column} must be named pga_UNIT, pgv_UNIT or psa_PERIODs_UNIT, with ln_ "
                "in front for natural logarithms."
            )
        units = UNITS[kind]
        if unit not in units:
            raise DatasetError(
                f"Unit '{unit}' of column {column} must be one of {', '.join(units)}."
            )
        if other := found.get((kind, natural)):
            raise DatasetError(
                f"Columns {other.column} and {column} are the same measure; only one is allowed."
            )
        found[kind, natural] = _Amplitudes(column, units[unit], bool(logarithmic))
    return found


def _positive(text: str) -> float | None:
    """Return a positive number, or None."""
    try:
        return float(text) if float(text) > 0.0 else None
    except ValueError:
        return None


def _values(
    table: pd.DataFrame, amplitudes: Mapping[tuple[str, float], _Amplitudes]
) -> tuple[tuple[float, ...], Floats]:
    """Return the periods, and the logarithms of PGA, PGV and PSA (record, series)."""
    periods = tuple(sorted(period for kind, period in amplitudes if kind == "psa"))
    keys = [("pga", 0.0), ("pgv", 0.0), *(("psa", period) for period in periods)]
    values = np.full((len(table), len(keys)), np.nan)
    for place, key in enumerate(keys):
        if key not in amplitudes:
            continue
        kind, _ = key
        column, unit, logarithmic = amplitudes[key]
        given = table[column]
        with np.errstate(over="ignore"):
            amplitude = unit * (np.exp(given) if logarithmic else given)
        low, high = AMPLITUDES
        _check(
            given,
            amplitude.between(low, high),
            f"must be an amplitude from {low:g} to {high:g} {'m/s' if kind == 'pgv' else 'm/s2'}, "
            "or empty if it is unknown",
        )
        values[:, place] = np.log(amplitude)
    return periods, values


def _check(values: pd.Series, allowed: pd.Series, what: str) -> None:
    bad = ~allowed & values.notna()
    if bad.any():
        row = int(np.argmax(bad))
        raise DatasetError(
            f"{values.name} = {values.iloc[row]:g} (row {values.index[row] + 1}) {what}."
        )


def _scenario(table: pd.DataFrame) -> pd.DataFrame:
    """Return the scenario; stations without code get one code per location."""
    places = (
        table["station_latitude_deg"].astype(str) + " " + table["station_longitude_deg"].astype(str)
    )
    numbers = pd.Series(pd.factorize(places)[0], table.index)
    defaults = {
        "source_origin_time": str(DEFAULT_ORIGIN_TIME),
        "station_network_code": "SY",
        "station_code": "V" + numbers.astype(str).str.zfill(4),
    }
    for column, default in defaults.items():
        given = table[column] if column in table else pd.Series(np.nan, table.index, dtype=object)
        table = table.assign(**{column: given.where(given.notna(), default)})
    kept = [column for column in _KEPT if column in table and column not in PATH_COLUMNS]
    return check_scenario(table[kept])
