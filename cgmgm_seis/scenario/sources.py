"""Sources: the earthquakes of a scenario."""

import logging
from typing import Any

import pandas as pd
from obspy import Catalog, UTCDateTime
from obspy.core.event import Event

from cgmgm_seis.errors import ScenarioError
from cgmgm_seis.scenario.columns import SOURCE_COLUMNS, check_limits
from cgmgm_seis.scenario.events import (
    event_id,
    preferred_magnitude,
    preferred_origin,
    unique_events,
    unique_ids,
)
from cgmgm_seis.scenario.geography import wrapped_longitude
from cgmgm_seis.scenario.mechanisms import mechanism_columns
from cgmgm_seis.scenario.times import utc

logger = logging.getLogger(__name__)

DEFAULT_DEPTH_KM = 8.0
DEFAULT_ORIGIN_TIME = UTCDateTime(2020, 1, 1)
DEFAULT_SOURCE_ID = "scenario"
# Columns of sources that are made of events: the type of the magnitude, and whether the depth is
# `DEFAULT_DEPTH_KM` because the event has none.
MAGNITUDE_TYPE, DEPTH_IS_ESTIMATED = "source_magnitude_type", "source_depth_is_estimated"


def source(
    magnitude: float | None = None,
    latitude: float | None = None,
    longitude: float | None = None,
    depth_km: float | None = None,
    origin_time: UTCDateTime | str | None = None,
    source_id: str | None = None,
    *,
    event: Event | None = None,
) -> pd.DataFrame:
    """Return the table of one earthquake, from its parameters or from an ObsPy event.

    Parameters
    ----------
    magnitude : float, optional
        Moment magnitude.
    latitude, longitude : float, optional
        Epicentre, degrees.
    depth_km : float, optional
        Depth below sea level, km; 8 km by default.
    origin_time : obspy.UTCDateTime or str, optional
        Origin time; 2020-01-01 by default.
    source_id : str, optional
        Name of the earthquake; "scenario" by default.
    event : obspy.core.event.Event, optional
        An event whose values are used for parameters that are not given, see `event_source`.

    Returns
    -------
    pandas.DataFrame
        The ``source_*`` columns of a scenario table, one row; combine it with receivers by
        `cgmgm_seis.cross`.  That of an event also contains ``source_magnitude_type``.

    Raises
    ------
    ScenarioError
        If magnitude or epicentre is missing, or a value is not finite or outside its limits.

    Examples
    --------
    >>> source(4.5, 37.938, -122.057)[["source_magnitude", "source_depth_km"]]
       source_magnitude  source_depth_km
    0               4.5              8.0
    """
    given = {
        "source_id": source_id,
        "source_origin_time": None if origin_time is None else str(utc(origin_time)),
        "source_latitude_deg": latitude,
        "source_longitude_deg": longitude,
        "source_depth_km": depth_km,
        "source_magnitude": magnitude,
    }
    values = {column: value for column, value in given.items() if value is not None}
    if not isinstance(event, Event | None):
        raise ScenarioError(f"event = {event!r} must be an obspy.core.event.Event.")
    if event is not None:
        values = event_source(event, **values)
    else:
        defaults = {
            "source_id": DEFAULT_SOURCE_ID,
            "source_origin_time": str(DEFAULT_ORIGIN_TIME),
            "source_depth_km": DEFAULT_DEPTH_KM,
        }
        values = _complete(defaults | values, "The source")
    others = [column for column in values if column not in SOURCE_COLUMNS]
    return check_limits(pd.DataFrame([values])[[*SOURCE_COLUMNS, *others]])


def event_source(event: Event, **overrides: Any) -> dict[str, Any]:
    """Return the ``source_*`` columns of an ObsPy event.

    The preferred origin is used, or else the first one, and the preferred magnitude, or else the
    first moment magnitude or the first one.  Magnitudes are not converted; the column
    ``source_magnitude_type`` contains their type, or "unknown".  Depths are converted from metres
    to km, and longitudes above 180 degrees to negative ones.  An event without a depth gets 8 km,
    which is logged and marked by a column ``source_depth_is_estimated``.  A focal mechanism is kept
    in the columns of `cgmgm_seis.scenario.mechanisms`.

    Parameters
    ----------
    event : obspy.core.event.Event
        The event; the ``source_id`` is that of `event_id`.
    **overrides
        Columns that override the values of the event.  A magnitude without a type is a moment
        magnitude.

    Raises
    ------
    ScenarioError
        If the event has no origin time, epicentre or magnitude.
    """
    values = _event_values(event, overrides)
    _say_depths([values])
    return values


def catalog_sources(
    catalog: Catalog,
) -> tuple[list[tuple[Event, dict[str, Any]]], list[tuple[str, str]]]:
    """Return the events of a catalogue with their ``source_*`` columns, each event once.

    Parameters
    ----------
    catalog : obspy.Catalog
        The catalogue; see `unique_events` for events that are listed more than once, and
        `unique_ids` for their identifiers.

    Returns
    -------
    usable : list of (obspy.core.event.Event, dict)
        Events and their columns, see `event_source`.
    left_out : list of (str, str)
        Identifiers of events without origin time, epicentre or magnitude, with the reason.  Their
        number is logged.
    """
    events = unique_events(catalog)
    usable, left_out = [], []
    for event, name in zip(events, unique_ids(events), strict=True):
        try:
            usable.append((event, _event_values(event, {"source_id": name})))
        except ScenarioError as error:
            left_out.append((name, str(error)))
    _say_depths([values for _, values in usable])
    if left_out:
        logger.warning(
            "%d of %d event(s) left out, for example: %s",
            len(left_out),
            len(events),
            left_out[0][1],
        )
    return usable, left_out


def _event_values(event: Event, overrides: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of `event_source` without logging."""
    origin, magnitude = preferred_origin(event), preferred_magnitude(event)
    values: dict[str, Any] = {"source_id": event_id(event)}
    if origin is not None:
        values |= {
            "source_origin_time": None if origin.time is None else str(origin.time),
            "source_latitude_deg": origin.latitude,
            "source_longitude_deg": None
            if origin.longitude is None
            else wrapped_longitude(origin.longitude),
            "source_depth_km": None if origin.depth is None else origin.depth / 1000.0,
        }
    if magnitude is not None:
        values |= {
            "source_magnitude": magnitude.mag,
            MAGNITUDE_TYPE: magnitude.magnitude_type or "unknown",
        }
    values |= mechanism_columns(event)
    if "source_magnitude" in overrides:
        values[MAGNITUDE_TYPE] = "Mw"
    values |= overrides
    if values.get("source_depth_km") is None:
        values |= {"source_depth_km": DEFAULT_DEPTH_KM, DEPTH_IS_ESTIMATED: True}
    return _complete(values, f"Event {values['source_id']}")


def _say_depths(sources: list[dict[str, Any]]) -> None:
    """Log how many sources have the default depth instead of one of their own."""
    names = [values["source_id"] for values in sources if DEPTH_IS_ESTIMATED in values]
    if names:
        logger.warning(
            "%d event(s) without depth get %g km, for example %s.",
            len(names),
            DEFAULT_DEPTH_KM,
            names[0],
        )


def _complete(values: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the columns of a source, or raise an error that lists the missing ones."""
    missing = [column for column in SOURCE_COLUMNS if values.get(column) is None]
    if missing:
        raise ScenarioError(f"{name} has no {', '.join(missing)}; all of them are required.")
    return values
