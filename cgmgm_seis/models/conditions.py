"""Condition sets: which columns of the scenario a model hears, their ranges and scaling."""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cgmgm_seis.errors import RangeError, ScenarioError
from cgmgm_seis.scenario.geography import middle_longitude, unwrapped_longitude

# The five sets of Ren et al.; `coordinates` is CGM-GM, `distance` is CGM-baseline.
CONDITION_SETS: dict[str, tuple[str, ...]] = {
    "coordinates": (
        "source_magnitude",
        "source_latitude_deg",
        "source_longitude_deg",
        "station_latitude_deg",
        "station_longitude_deg",
        "source_depth_km",
    ),
    "distance": ("source_magnitude", "path_hyp_distance_km", "source_depth_km"),
    "distance_azimuth": ("source_magnitude", "path_hyp_distance_km", "path_azimuth_deg"),
    "distance_azimuth_depth": (
        "source_magnitude",
        "path_hyp_distance_km",
        "path_azimuth_deg",
        "source_depth_km",
    ),
    "depth": ("source_magnitude", "source_depth_km"),
}

# Columns whose training range is kept with the weights, used as a condition or not.
RANGE_COLUMNS = (*CONDITION_SETS["coordinates"], "path_ep_distance_km", "path_hyp_distance_km")


class ExtrapolationWarning(UserWarning):
    """A scenario value lies outside the range the model was trained on."""


def condition_columns(condition_set: str) -> tuple[str, ...]:
    """Return the columns of a named condition set.

    Raises
    ------
    ScenarioError
        If there is no set of that name.
    """
    if condition_set not in CONDITION_SETS:
        raise ScenarioError(
            f"Condition set '{condition_set}' is unknown; it is one of {', '.join(CONDITION_SETS)}."
        )
    return CONDITION_SETS[condition_set]


def training_ranges(table: pd.DataFrame) -> dict[str, list[float]]:
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
        for column, values in ((column, _continuous(table, column)) for column in RANGE_COLUMNS)
    }


def _continuous(
    table: pd.DataFrame, column: str, middle: float | None = None
) -> NDArray[np.float64]:
    """Return a column; longitudes without the jump of a region that crosses the date line.

    Those around 180 degrees may then exceed it, in the ranges kept with the weights too.
    """
    values = table[column].to_numpy(float)
    if not column.endswith("_longitude_deg"):
        return values
    return unwrapped_longitude(values, middle_longitude(values) if middle is None else middle)


def inside_range(table: pd.DataFrame, column: str, limits: Sequence[float]) -> NDArray[np.bool_]:
    """Tell which rows lie in the trained range of a column; NaN is never inside.

    The epicentral distance has no least value: right above a source is no other world, and too
    near is what the hypocentral distance says.

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
    table: pd.DataFrame, ranges: Mapping[str, Sequence[float]], extrapolate: bool = False
) -> list[str]:
    """Compare a scenario with the ranges a model was trained on.

    Parameters
    ----------
    table : pandas.DataFrame
        Scenario table.
    ranges : mapping
        Column to (lowest, highest) value seen in training.
    extrapolate : bool
        Warn instead of raising.

    Returns
    -------
    list of str
        One sentence per column that leaves its range; empty when all is well.

    Raises
    ------
    RangeError
        At the first such column, unless `extrapolate` is set.
    """
    messages = []
    for column, (low, high) in ranges.items():
        outside = ~inside_range(table, column, (low, high))
        if not outside.any():
            continue
        first = int(np.argmax(outside))
        row = table.iloc[first]
        # Of a longitude across the date line: the range as seen from the given value.
        turn = row[column] - _continuous(table, column, 0.5 * (low + high))[first]
        where = ""
        if not column.startswith("source_"):
            where = f" (station {row.station_network_code}.{row.station_code})"
        message = (
            f"{column} = {row[column]:.6g}{where} is outside the trained range "
            f"{low + turn:.6g} to {high + turn:.6g}"
        )
        if not extrapolate:
            raise RangeError(f"{message}; --extrapolate (extrapolate=True) tries all the same.")
        message += f" ({outside.sum()} of {len(table)} rows)."
        warnings.warn(message, ExtrapolationWarning, stacklevel=2)
        messages.append(message)
    return messages


def scaled_conditions(
    table: pd.DataFrame, condition_set: str, ranges: Mapping[str, Sequence[float]]
) -> NDArray[np.float32]:
    """Return the conditions, min-max scaled to 0..1 by the training ranges.

    Azimuth is scaled by the full circle, so that its scaling does not depend on the data.

    Returns
    -------
    numpy.ndarray
        Shape (record, condition), float32.
    """
    columns = condition_columns(condition_set)
    limits = [
        (0.0, 360.0) if column == "path_azimuth_deg" else ranges[column] for column in columns
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
    # A data set with a single depth or magnitude has no width to divide by.
    width = np.where(high > low, high - low, 1.0)
    return ((values - low) / width).astype(np.float32)
