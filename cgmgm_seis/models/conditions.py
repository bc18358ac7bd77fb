"""Condition sets: the scenario columns that are a model's input, their ranges and scaling."""

import logging
import math
import warnings
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cgmgm_seis.errors import RangeError, ScenarioError, WeightsError
from cgmgm_seis.scenario.events import is_moment
from cgmgm_seis.scenario.geography import middle_longitude, unwrapped_longitude
from cgmgm_seis.scenario.sources import MAGNITUDE_TYPE

logger = logging.getLogger(__name__)

MAGNITUDE = "source_magnitude"
# How far magnitudes may be outside the trained range where extrapolation names no limit.
MAGNITUDE_MARGIN = 0.5
RUPTURE, HYPOCENTRAL = "path_rup_distance_km", "path_hyp_distance_km"
# The sets of Ren et al.; `coordinates` is CGM-GM, `distance` is CGM-baseline, and
# `epicentral_distance` the one of a later notebook.  Hypocentral distances are used for models and
# records without rupture distances.
CONDITION_SETS: dict[str, tuple[str, ...]] = {
    "coordinates": (
        "source_magnitude",
        "source_latitude_deg",
        "source_longitude_deg",
        "station_latitude_deg",
        "station_longitude_deg",
        "source_depth_km",
    ),
    "distance": ("source_magnitude", RUPTURE, "source_depth_km"),
    "epicentral_distance": ("source_magnitude", "path_ep_distance_km", "source_depth_km"),
    "distance_azimuth": ("source_magnitude", RUPTURE, "path_azimuth_deg"),
    "distance_azimuth_depth": (
        "source_magnitude",
        RUPTURE,
        "path_azimuth_deg",
        "source_depth_km",
    ),
    "depth": ("source_magnitude", "source_depth_km"),
}

# Columns whose training range is saved with the weights, whether they are conditions or not.
RANGE_COLUMNS = (*CONDITION_SETS["coordinates"], "path_ep_distance_km", HYPOCENTRAL)


class ExtrapolationWarning(UserWarning):
    """A scenario value is outside the range the model was trained on, or not of the same kind."""


def condition_columns(condition_set: str) -> tuple[str, ...]:
    """Return the columns of a named condition set.

    Raises
    ------
    ScenarioError
        If no condition set has that name.
    """
    if condition_set not in CONDITION_SETS:
        raise ScenarioError(
            f"Condition set '{condition_set}' must be one of {', '.join(CONDITION_SETS)}."
        )
    return CONDITION_SETS[condition_set]


def trained_range(ranges: Mapping[str, Sequence[float]], column: str) -> Sequence[float]:
    """Return the [lowest, highest] value of a column in training.

    Raises
    ------
    WeightsError
        If it is missing.
    """
    if column not in ranges:
        raise WeightsError(f"The weights have no range of {column}; their conditions need one.")
    return ranges[column]


def training_ranges(
    table: pd.DataFrame, columns: Sequence[str] = RANGE_COLUMNS
) -> dict[str, list[float]]:
    """Return the [lowest, highest] value of every range column of a training table.

    Longitudes of a region across the date line continue beyond 180 degrees.

    Examples
    --------
    >>> columns = dict.fromkeys(RANGE_COLUMNS, [1.0, 2.0])
    >>> table = pd.DataFrame(columns | {"source_longitude_deg": [179.0, -178.0]})
    >>> training_ranges(table)["source_longitude_deg"]
    [-181.0, -178.0]
    """
    return {
        column: [float(values.min()), float(values.max())]
        for column, values in ((column, _continuous(table, column)) for column in columns)
    }


def rupture_ranges(table: pd.DataFrame, condition_set: str) -> dict[str, list[float]]:
    """Return the range of rupture distances if they are a condition and the table has them.

    The log says which distance is used.

    Returns
    -------
    dict
        `RUPTURE` and its range in `training_ranges`, or empty.
    """
    if RUPTURE not in condition_columns(condition_set):
        return {}
    n_known = int(_known_ruptures(table).sum())
    logger.info(
        "Condition set '%s': rupture distances (%s) of %d records, hypocentral distances of the "
        "other %d.",
        condition_set,
        RUPTURE,
        n_known,
        len(table) - n_known,
    )
    return training_ranges(table, (RUPTURE,)) if n_known else {}


def _known_ruptures(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which rows have a rupture distance."""
    if RUPTURE not in table:
        return np.zeros(len(table), bool)
    return np.asarray(pd.to_numeric(table[RUPTURE], errors="coerce") >= 0.0, bool)


def _values(table: pd.DataFrame, column: str) -> NDArray[np.float64]:
    """Return a column; unknown rupture distances are hypocentral distances."""
    if column != RUPTURE:
        return table[column].to_numpy(float)
    known = _known_ruptures(table)
    values = table[HYPOCENTRAL].to_numpy(float, copy=True)
    if known.any():
        values[known] = table.loc[known, RUPTURE].to_numpy(float)
    return values


def _continuous(
    table: pd.DataFrame, column: str, middle: float | None = None
) -> NDArray[np.float64]:
    """Return a column; longitudes are continuous where a region crosses the date line.

    Longitudes may then exceed 180 degrees, also in the ranges saved with the weights.
    """
    values = _values(table, column)
    if not column.endswith("_longitude_deg"):
        return values
    return unwrapped_longitude(values, middle_longitude(values) if middle is None else middle)


def inside_range(table: pd.DataFrame, column: str, limits: Sequence[float]) -> NDArray[np.bool_]:
    """Return which rows are within the trained range of a column; NaN never is.

    The lower limit of the epicentral distance is 0: receivers directly above the source do not
    count as extrapolation, and the hypocentral distance has a lower limit.

    Examples
    --------
    >>> table = pd.DataFrame({"path_ep_distance_km": [0.0, 90.0, 200.0]})
    >>> inside_range(table, "path_ep_distance_km", (0.1, 150.0)).tolist()
    [True, True, False]
    """
    low, high = limits
    values = _continuous(table, column, 0.5 * (low + high))
    if column == "path_ep_distance_km":
        low = 0.0
    return (values >= low) & (values <= high)


def check_ranges(
    table: pd.DataFrame, ranges: Mapping[str, Sequence[float]], extrapolate: bool | float = False
) -> list[str]:
    """Compare a scenario with the ranges a model was trained on.

    Scenarios without the rupture distances that a model was trained on are not an error.

    Parameters
    ----------
    table : pandas.DataFrame
        Scenario table.
    ranges : mapping
        Column to (lowest, highest) value seen in training.
    extrapolate : bool or float
        Warn instead of raising, for magnitudes up to `MAGNITUDE_MARGIN` outside their range.  A
        number is that limit instead, for example 2, or ``math.inf`` for none.

    Returns
    -------
    list of str
        One sentence per column that is outside its range, and one on rupture distances that are
        not known; empty if there are none.

    Raises
    ------
    RangeError
        With all such columns, unless `extrapolate` is set, and for magnitudes beyond its limit.
    """
    messages, refused = [], []
    limit, needed = _magnitude_limit(extrapolate), 0.0
    for column, (low, high) in ranges.items():
        outside = ~inside_range(table, column, (low, high))
        if not outside.any():
            continue
        beyond = (
            beyond_magnitudes(table, (low, high)) if column == MAGNITUDE else np.zeros(len(table))
        )
        first = int(np.argmax(beyond if beyond.any() else outside))
        row, value = table.iloc[first], _values(table, column)[first]
        # For longitudes across the date line, give the range on the same side as the value.
        turn = value - _continuous(table, column, 0.5 * (low + high))[first]
        where = ""
        if not column.startswith("source_"):
            where = f" (station {row.station_network_code}.{row.station_code})"
        message = (
            f"{column} = {value:.6g}{where} is outside the trained range "
            f"{low + turn:.6g} to {high + turn:.6g}"
        )
        if beyond[first] > max(limit + 1e-9, 0.0 if extrapolate else MAGNITUDE_MARGIN):
            needed = math.ceil(beyond[first] * 10.0 - 1e-6) / 10.0
            refused.append(f"{message}, by more than {limit or MAGNITUDE_MARGIN:g}")
        elif not extrapolate:
            refused.append(message)
        messages.append(f"{message} ({outside.sum()} of {len(table)} rows).")
    if refused:
        option = "--extrapolate (extrapolate=True)"
        if needed:
            option = f"--extrapolate-magnitude {needed:g} (extrapolate={needed:g})"
        them = "it" if len(refused) == 1 else "them"
        raise RangeError(", and ".join(refused), f"{option} allows {them}")
    if RUPTURE in ranges and (unknown := int((~_known_ruptures(table)).sum())):
        messages.append(
            f"{RUPTURE}, which the model was trained on, is not known in {unknown} of {len(table)} "
            f"rows; the hypocentral distance is used in its place."
        )
    for message in messages:
        warnings.warn(message, ExtrapolationWarning, stacklevel=2)
    return messages


def beyond_magnitudes(table: pd.DataFrame, limits: Sequence[float]) -> NDArray[np.float64]:
    """Return how far every magnitude is outside a trained range, 0 inside.

    Examples
    --------
    >>> beyond_magnitudes(pd.DataFrame({"source_magnitude": [0.5, 3.0, 7.0]}), (1.0, 5.0)).tolist()
    [0.5, 0.0, 2.0]
    """
    magnitude = table[MAGNITUDE].to_numpy(float)
    low, high = limits
    return np.abs(magnitude - np.clip(magnitude, low, high))


def _magnitude_limit(extrapolate: bool | float) -> float:
    """Return how far magnitudes may be outside the trained range."""
    if isinstance(extrapolate, bool | np.bool_):
        return MAGNITUDE_MARGIN if extrapolate else 0.0
    if not extrapolate >= 0.0:
        raise RangeError(f"extrapolate = {extrapolate} must be True, False or at least 0.")
    return float(extrapolate)


def magnitude_types(table: pd.DataFrame) -> dict[str, int]:
    """Return the number of events by the type of their magnitude, with one name for all Mw.

    Magnitudes without a type, and those of the type M, as simulated ones, are not counted.

    Examples
    --------
    >>> types = pd.DataFrame({"source_id": [1, 1, 2, 3], MAGNITUDE_TYPE: ["ML", "ML", "mww", "Mw"]})
    >>> magnitude_types(types)
    {'Mw': 2, 'ML': 1}
    """
    if MAGNITUDE_TYPE not in table:
        return {}
    types = table.drop_duplicates("source_id")[MAGNITUDE_TYPE].dropna().astype(str)
    names = ["Mw" if is_moment(name) else name for name in types if name not in ("", "M")]
    return dict(Counter(names).most_common())


def check_magnitude_types(table: pd.DataFrame, trained: Collection[str] = ("Mw",)) -> list[str]:
    """Compare the types of a scenario's magnitudes with those a model was trained on.

    Other magnitudes are used as they are, because relations between magnitudes differ from network
    to network; this is a warning.

    Parameters
    ----------
    table : pandas.DataFrame
        Scenario table; see `magnitude_types`.
    trained : collection of str
        Types of the training data; moment magnitudes if they are not known.

    Returns
    -------
    list of str
        One sentence if there are other magnitudes; empty if there are none.
    """
    known = {name.lower() for name in trained}
    types = magnitude_types(table)
    others = {name: count for name, count in types.items() if name.lower() not in known}
    if not others:
        return []
    counts = ", ".join(f"{name} ({count})" for name, count in others.items())
    message = (
        f"{sum(others.values())} of {table['source_id'].nunique()} event(s) have magnitudes of the "
        f"type {counts}, which are used without conversion; the model was trained on "
        f"{', '.join(trained)}."
    )
    warnings.warn(message, ExtrapolationWarning, stacklevel=2)
    return [message]


def scaled_conditions(
    table: pd.DataFrame, condition_set: str, ranges: Mapping[str, Sequence[float]]
) -> NDArray[np.float32]:
    """Return the conditions, min-max scaled to 0..1 by the training ranges.

    Azimuth is scaled by the full circle, so that its scaling does not depend on the data.  The
    distance is that of the ranges, see `rupture_ranges`.

    Returns
    -------
    numpy.ndarray
        Shape (record, condition), float32.
    """
    columns = [
        HYPOCENTRAL if column == RUPTURE and RUPTURE not in ranges else column
        for column in condition_columns(condition_set)
    ]
    limits = [
        (0.0, 360.0) if column == "path_azimuth_deg" else trained_range(ranges, column)
        for column in columns
    ]
    low, high = np.array(limits, dtype=float).T
    middles = low + 0.5 * (high - low)
    values = np.stack(
        [
            _continuous(table, column, middle)
            for column, middle in zip(columns, middles, strict=True)
        ],
        axis=1,
    )
    # If all records have the same depth or magnitude, the width is 0: do not divide by it.
    width = np.where(high > low, high - low, 1.0)
    return ((values - low) / width).astype(np.float32)
