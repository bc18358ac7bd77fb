"""Units of the samples of a data set, and their factors to m/s."""

import logging
import re
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from seisbench.data import WaveformDataset

from cgmgm_seis.errors import DatasetError

logger = logging.getLogger(__name__)

# Columns with the unit of each record; the first that has a value counts.
UNIT_COLUMNS = ("trace_units", "trace_unit")
# Unit of records that were divided by their peak by `cgmgm-seis dataset from-seisbench`.
NORMALISED = "normalised"
# Ground-motion data sets without units in their files: m/s, and m/s^2 for accelerometers.
GROUND_MOTION_SETS = ("instancegm", "aq2009gm")
LENGTHS = {"nm": 1e-9, "um": 1e-6, "mm": 1e-3, "cm": 1e-2, "m": 1.0, "km": 1e3}
_NOT_STATED = ("", "none", "nan", "null", "unknown", "?", "-")
_UNIT = re.compile(
    r"([0-9.]+(?:e[+-]?[0-9]+)?)?\*?"
    r"(nm|um|mm|cm|m|km)"
    r"(?:/s|ps|\*?s(?:\^|\*\*)?-1)"
    r"((?:\*\*|\^)?2|/s)?"
    # Its gain is only approximate, which the column trace_units_approximate flags.
    r"(?:_uncertain_gain)?"
)


def unit_factor(text: str) -> tuple[float, bool] | None:
    """Return the factor of a unit to m/s or m/s^2, and whether it is an acceleration.

    Returns
    -------
    tuple or None
        None if the text is not a unit of velocity or acceleration, for example "counts".

    Examples
    --------
    >>> unit_factor("1e-6m/s"), unit_factor("cm/s**2"), unit_factor("counts")
    ((1e-06, False), (0.01, True), None)
    """
    tidy = re.sub(r"\s+", "", text.lower()).replace("\N{MICRO SIGN}", "u")
    tidy = tidy.replace("\N{GREEK SMALL LETTER MU}", "u").replace("meters", "m")
    tidy = tidy.replace("persecond", "/s").replace("/sec", "/s").replace("/(s", "/s").rstrip(")")
    if tidy == "gal":
        return 1e-2, True
    match = _UNIT.fullmatch(tidy)
    if match is None:
        return None
    number, length, square = match.groups()
    return float(number or 1.0) * LENGTHS[length], bool(square)


def record_units(dataset: WaveformDataset, units: str = "") -> "pd.Series[str]":
    """Return the unit of every record as the data set states it.

    The columns `UNIT_COLUMNS` come first, then the data format, then what is known of
    `GROUND_MOTION_SETS` (the data set's folder has this name), and then `units`.

    Parameters
    ----------
    dataset : seisbench.data.WaveformDataset
        The data set.
    units : str
        Unit of the records for which nothing is stated.

    Returns
    -------
    pandas.Series
        The units, empty where unknown.  If the instrument response has not been removed, a unit of
        the data format is followed by ``(instrument response: ..)``.

    Raises
    ------
    DatasetError
        If `units` are not a unit of velocity or acceleration, or contradict the data set.
    """
    metadata, data_format = dataset.metadata, dataset.data_format
    found = pd.Series("", index=metadata.index, dtype=object)
    for column in UNIT_COLUMNS:
        if column in metadata:
            found = found.where(found != "", _stated(metadata[column]))
    response = str(data_format.get("instrument_response", ""))
    common = _stated(pd.Series([data_format.get("unit")]))[0]
    if common and response.startswith("not") and unit_factor(common):
        common = f"{common} (instrument response: {response})"
    found = found.where(found != "", common)
    if Path(dataset.path).name.lower() in GROUND_MOTION_SETS:
        channels = metadata.get("trace_channel", pd.Series("", index=metadata.index))
        strong = channels.astype(str).str[1:2].isin(["N", "L", "G"])
        found = found.where(found != "", strong.map({True: "m/s^2", False: "m/s"}))
    if units:
        _check_given(units, found)
    return found.where(found != "", units)


def velocity_factors(dataset: WaveformDataset, units: str = "") -> NDArray[np.float64]:
    """Return the factor to m/s of every record; NaN where the unit is not one of velocity.

    Conversions are logged, as are records that are normalised and have the factor 1.

    Parameters
    ----------
    dataset, units
        As in `record_units`.

    Returns
    -------
    numpy.ndarray
        Shape (record,).

    Raises
    ------
    DatasetError
        If no record is in a unit of velocity, or `units` are not valid.
    """
    found = record_units(dataset, units)
    counts = found.value_counts()
    factors = {unit: _velocity_factor(unit) for unit in counts.index}
    if len(found) and not np.isfinite(list(factors.values())).any():
        raise DatasetError(_refusal(counts.index[0]))
    for unit, factor in factors.items():
        if unit == NORMALISED:
            logger.warning("The records are normalised; their amplitudes have no physical meaning.")
        elif np.isfinite(factor) and factor != 1.0:
            logger.warning(
                "%d records are in units of %s and are converted to m/s.", counts[unit], unit
            )
    return found.map(factors).to_numpy(float)


def _velocity_factor(unit: str) -> float:
    if unit == NORMALISED:
        return 1.0
    factor, acceleration = unit_factor(unit) or (np.nan, False)
    return np.nan if acceleration else factor


def _stated(texts: "pd.Series[str]") -> "pd.Series[str]":
    """Return units as text, empty where nothing is stated."""
    tidy = texts.where(texts.notna(), "").astype(str).str.strip()
    return tidy.where(~tidy.str.lower().isin(_NOT_STATED), "").astype(object)


def _check_given(units: str, stated: "pd.Series[str]") -> None:
    """Raise unless the units given are known, and the data set states none or the same."""
    factor = unit_factor(units)
    if factor is None:
        raise DatasetError(
            f"units = '{units}' is not known; it must be a unit of velocity or acceleration such "
            "as m/s, cm/s or m/s^2."
        )
    if (stated != "").all() and not any(unit_factor(unit) == factor for unit in stated):
        raise DatasetError(
            f"units = '{units}' must be left out, because the data set states its units: "
            f"{', '.join(stated.unique())}."
        )


def _refusal(unit: str) -> str:
    """Return the sentence for a data set in this unit, with what can be done."""
    importer = "`cgmgm-seis dataset from-seisbench`"
    if not unit:
        return (
            "The data set does not state the units of its samples, which must be velocity; give "
            "them with --units (units=..), such as m/s or cm/s."
        )
    if unit_factor(unit):
        return f"The data set is in {unit}, but must be velocity; {importer} integrates it to m/s."
    return (
        f"The data set is in {unit}, but must be velocity in m/s; {importer} "
        "--normalise-amplitudes converts it to normalised records without amplitudes."
    )
