"""Sources: the earthquakes of a scenario."""

from typing import Any

import pandas as pd
from obspy import UTCDateTime
from obspy.core.event import Event

from cgmgm_seis.errors import ScenarioError
from cgmgm_seis.scenario.columns import SOURCE_COLUMNS, check_limits
from cgmgm_seis.scenario.geography import wrapped_longitude

DEFAULT_DEPTH_KM = 8.0
DEFAULT_ORIGIN_TIME = UTCDateTime(2020, 1, 1)
DEFAULT_SOURCE_ID = "scenario"


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
        `cgmgm_seis.cross`.

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
        "source_origin_time": None if origin_time is None else str(UTCDateTime(origin_time)),
        "source_latitude_deg": latitude,
        "source_longitude_deg": longitude,
        "source_depth_km": depth_km,
        "source_magnitude": magnitude,
    }
    values = {column: value for column, value in given.items() if value is not None}
    if event is not None:
        values = event_source(event, **values)
    else:
        defaults = {
            "source_id": DEFAULT_SOURCE_ID,
            "source_origin_time": str(DEFAULT_ORIGIN_TIME),
            "source_depth_km": DEFAULT_DEPTH_KM,
        }
        values = _complete(defaults | values, "The source")
    return check_limits(pd.DataFrame([values])[list(SOURCE_COLUMNS)])


def event_source(event: Event, **overrides: Any) -> dict[str, Any]:
    """Return the ``source_*`` columns of an ObsPy event.

    The preferred (or else first) origin and magnitude are used.  Depths are converted from
    metres to km, and longitudes above 180 degrees to negative ones.

    Parameters
    ----------
    event : obspy.core.event.Event
        The event; the last part of its resource identifier becomes the ``source_id``.
    **overrides
        Columns that override the values of the event.

    Raises
    ------
    ScenarioError
        If the event has no origin time, epicentre, depth or magnitude.
    """
    origin = event.preferred_origin() or (event.origins[0] if event.origins else None)
    magnitude = event.preferred_magnitude() or (event.magnitudes[0] if event.magnitudes else None)
    name = str(event.resource_id).rsplit("/", 1)[-1]
    values: dict[str, Any] = {"source_id": name}
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
        values["source_magnitude"] = magnitude.mag
    return _complete(values | overrides, f"Event {name}")


def _complete(values: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the columns of a source, or raise an error that lists the missing ones."""
    missing = [column for column in SOURCE_COLUMNS if values.get(column) is None]
    if missing:
        raise ScenarioError(f"{name} has no {', '.join(missing)}; all of them are required.")
    return values
