"""Epochs of stations: which of them were open at the time of an earthquake, and where."""

import logging
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from obspy import Inventory, UTCDateTime
from obspy.core.inventory import Station
from obspy.geodetics import locations2degrees

from cgmgm_seis.errors import ScenarioError
from cgmgm_seis.scenario.geography import KM_PER_DEGREE
from cgmgm_seis.scenario.obspy_files import NO_VALUE

logger = logging.getLogger("cgmgm_seis")

CODES = ["station_network_code", "station_code"]
PLACE = ["station_latitude_deg", "station_longitude_deg"]
STATION = [*CODES, *PLACE, "station_elevation_m"]
# Begin and end of an epoch, seconds since 1970; infinite where they are not given.
EPOCH = ["start_s", "end_s"]
# Locations of a station that are farther apart are reported, km.
SAME_PLACE_KM = 1.0
# Number of stations that are listed in a message.
LISTED = 5


def inventory_epochs(inventory: Inventory) -> pd.DataFrame:
    """Return a table of the epochs of an inventory, one row for each epoch of a station.

    Returns
    -------
    pandas.DataFrame
        The columns in `STATION` (degrees, metres) and `EPOCH` (seconds since 1970).  Coordinates
        are NaN if the inventory has none, as one made of RESP files.
    """
    rows = [
        (network.code, station.code, *_place(station), *_epoch(station))
        for network in inventory
        for station in network
    ]
    return pd.DataFrame(rows, columns=[*STATION, *EPOCH])


def epochs_at(epochs: pd.DataFrame, time: UTCDateTime | None = None) -> pd.DataFrame:
    """Return the epoch of each station that holds at a time, or its last one.

    Parameters
    ----------
    epochs : pandas.DataFrame
        The columns in `STATION` and `EPOCH`, one row for each epoch of a station.
    time : obspy.UTCDateTime, optional
        Of several epochs that hold at this time, the one that began last is returned.  By default
        it is the last epoch of each station.

    Returns
    -------
    pandas.DataFrame
        One row per station, in the order of their first rows; stations that were not open, or
        have no coordinates, are left out.
    """
    found = epochs.dropna(subset=PLACE)
    if time is not None:
        found = _open(found, time)
    chosen = found.sort_values("start_s", kind="stable").drop_duplicates(CODES, keep="last")
    return epochs[CODES].drop_duplicates().merge(chosen, on=CODES)


def open_stations(epochs: pd.DataFrame, time: UTCDateTime | None = None) -> pd.DataFrame:
    """Return the stations at a time, see `epochs_at`, and log which are left out and why.

    Returns
    -------
    pandas.DataFrame
        The columns in `STATION`, one row per station.

    Raises
    ------
    ScenarioError
        If no station is left.
    """
    if epochs.empty:
        raise ScenarioError("The inventory contains no stations; at least one is needed.")
    chosen = epochs_at(epochs, time)
    names = station_names(epochs)
    usable = names.isin(station_names(chosen))
    placed = names.isin(names[epochs[PLACE].notna().all(axis=1)])
    reasons = [
        f"{what}: {_listed(list(left))}"
        for left, what in (
            (names[~placed].unique(), "no coordinates, as in RESP files"),
            (names[placed & ~usable].unique(), f"not open at {time}"),
        )
        if len(left)
    ]
    if chosen.empty:
        raise ScenarioError(
            f"None of the {names.nunique()} station(s) can be used ({'; '.join(reasons)}); at "
            "least one must have coordinates and be open at the time of the earthquake."
        )
    if reasons:
        logger.warning(
            "%d of %d stations are left out (%s).",
            names.nunique() - len(chosen),
            names.nunique(),
            "; ".join(reasons),
        )
    if time is None:
        if moved := _moved(epochs, overlapping=False):
            logger.warning(
                "No event time is given: the last epoch is used of the %d station(s) that moved "
                "(%s).",
                len(moved),
                _listed(moved),
            )
    else:
        report_overlaps(_open(epochs, time))
    return chosen[STATION]


def report_overlaps(epochs: pd.DataFrame) -> None:
    """Log a warning about stations that have two locations at the same time."""
    if moved := _moved(epochs, overlapping=True):
        logger.warning(
            "%d station(s) have two locations at the same time (%s); the one whose epoch began "
            "last is used.",
            len(moved),
            _listed(moved),
        )


def station_names(table: pd.DataFrame) -> pd.Series:
    """Return the names NET.STA of the stations of a table."""
    return table["station_network_code"].str.cat(table["station_code"], sep=".")


def _open(epochs: pd.DataFrame, time: UTCDateTime) -> pd.DataFrame:
    """Return the epochs that hold at a time."""
    return epochs[epochs["start_s"].le(time.timestamp) & epochs["end_s"].ge(time.timestamp)]


def _moved(epochs: pd.DataFrame, overlapping: bool) -> list[str]:
    """Return the stations with locations farther apart than `SAME_PLACE_KM`, and how far."""
    places = epochs.dropna(subset=PLACE).drop_duplicates([*CODES, *PLACE, *EPOCH])
    several = places[places.duplicated(CODES, keep=False)]
    found = {}
    for name, rows in several.groupby(station_names(several), sort=False):
        for one, other in combinations(rows[[*PLACE, *EPOCH]].to_numpy(float), 2):
            apart = KM_PER_DEGREE * locations2degrees(*one[:2], *other[:2])
            together = min(one[3], other[3]) > max(one[2], other[2])
            if apart > SAME_PLACE_KM and (together or not overlapping):
                found[name] = f"{name} by {apart:.1f} km"
    return list(found.values())


def _place(station: Station) -> tuple[float, float, float]:
    """Return latitude, longitude (NaN if ObsPy's reader found none) and elevation (0 if none)."""
    latitude, longitude = float(station.latitude), float(station.longitude)
    if latitude == longitude == 0.0:
        latitude = longitude = np.nan
    elevation = float(station.elevation or 0.0)
    return latitude, longitude, 0.0 if elevation == NO_VALUE else elevation


def _epoch(station: Station) -> tuple[float, float]:
    """Return begin and end of the epoch of a station, seconds since 1970."""
    start, end = station.start_date, station.end_date
    return (
        -np.inf if start is None else start.timestamp,
        np.inf if end is None else end.timestamp,
    )


def _listed(names: Sequence[str]) -> str:
    """Return names separated by commas, at most `LISTED` of them."""
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")
