"""The scenario table: one row per source-receiver pair, with SeisBench's column names.

Points, an ObsPy Event and Inventory, and a SeisBench data set's metadata all become this table;
training, generation and the writers all take it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from obspy import Inventory, UTCDateTime
from obspy.core.event import Event
from obspy.geodetics import gps2dist_azimuth

from cgmgm_seis.errors import ScenarioError
from cgmgm_seis.scenario.stations import bay_area_stations

DEFAULT_DEPTH_KM = 8.0
DEFAULT_ORIGIN_TIME = UTCDateTime(2020, 1, 1)

SOURCE_COLUMNS = (
    "source_id",
    "source_origin_time",
    "source_latitude_deg",
    "source_longitude_deg",
    "source_depth_km",
    "source_magnitude",
)
STATION_COLUMNS = (
    "station_network_code",
    "station_code",
    "station_location_code",
    "station_latitude_deg",
    "station_longitude_deg",
    "station_elevation_m",
)
PATH_COLUMNS = ("path_ep_distance_km", "path_hyp_distance_km", "path_azimuth_deg")
COLUMNS = SOURCE_COLUMNS + STATION_COLUMNS + PATH_COLUMNS

# What a physical scenario may hold at all; a model's trained ranges are narrower.
LIMITS = {
    "source_latitude_deg": (-90.0, 90.0),
    "source_longitude_deg": (-180.0, 180.0),
    "source_depth_km": (-10.0, 800.0),
    "source_magnitude": (-3.0, 10.0),
    "station_latitude_deg": (-90.0, 90.0),
    "station_longitude_deg": (-180.0, 180.0),
}
# Without these columns there is no scenario; the others have defaults.
REQUIRED_COLUMNS = tuple(LIMITS)


def from_points(
    magnitude: float,
    source: tuple[float, float],
    stations: Sequence[tuple[float, float]] | pd.DataFrame | None = None,
    depth_km: float = DEFAULT_DEPTH_KM,
    origin_time: UTCDateTime | str = DEFAULT_ORIGIN_TIME,
    source_id: str = "scenario",
) -> pd.DataFrame:
    """Build the scenario of one source and some receivers.

    Parameters
    ----------
    magnitude : float
        Moment magnitude.
    source : tuple of float
        Latitude and longitude of the epicentre, degrees.
    stations : sequence of (latitude, longitude), or pandas.DataFrame, optional
        Virtual receivers get network SY and codes V0000, V0001, ..; a table keeps its codes.
        By default the bundled Bay Area stations.
    depth_km : float
        Source depth below sea level, km.
    origin_time : obspy.UTCDateTime or str
        Origin time.
    source_id : str
        Name of the event.

    Returns
    -------
    pandas.DataFrame
        The scenario table.

    Raises
    ------
    ScenarioError
        If a value is missing, not finite or impossible.

    Examples
    --------
    >>> table = from_points(4.5, (37.938, -122.057), [(37.876, -122.236)])
    >>> table.path_ep_distance_km.round(1).tolist()
    [17.2]
    """
    if stations is None:
        stations = bay_area_stations()
    elif not isinstance(stations, pd.DataFrame):
        stations = _virtual_stations(stations)
    latitude, longitude = source
    return _combine(
        {
            "source_id": source_id,
            "source_origin_time": str(UTCDateTime(origin_time)),
            "source_latitude_deg": latitude,
            "source_longitude_deg": longitude,
            "source_depth_km": depth_km,
            "source_magnitude": magnitude,
        },
        stations,
    )


def from_event_and_inventory(
    event: Event, inventory: Inventory | None = None, **overrides: Any
) -> pd.DataFrame:
    """Build the scenario of a catalogued earthquake at real stations.

    Parameters
    ----------
    event : obspy.core.event.Event
        Its preferred (else first) origin and magnitude are used; QuakeML depths are metres.
    inventory : obspy.Inventory, optional
        Every station becomes a receiver, once; by default the bundled Bay Area stations.
    **overrides
        ``source_*`` columns that replace the event's values, e.g. ``source_depth_km=8``.

    Raises
    ------
    ScenarioError
        If the event has no origin, depth or magnitude, or the inventory has no station.
    """
    values = event_source(event, **overrides)
    stations = bay_area_stations() if inventory is None else inventory_stations(inventory)
    return _combine(values, stations)


def event_source(event: Event, **overrides: Any) -> dict[str, Any]:
    """Return the ``source_*`` columns of a catalogued earthquake.

    Its preferred (else first) origin and magnitude are used; QuakeML depths are metres, and
    longitudes above 180 degrees are taken westward.

    Parameters
    ----------
    event : obspy.core.event.Event
        The event; its name is the last part of its resource identifier.
    **overrides
        Columns that replace the event's values.

    Raises
    ------
    ScenarioError
        If the event has no origin time, place, depth or magnitude.
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
    values |= overrides
    missing = [column for column in SOURCE_COLUMNS if values.get(column) is None]
    if missing:
        raise ScenarioError(f"Event {name} has no {', '.join(missing)}; every one is needed.")
    return values


def wrapped_longitude(longitude_deg: float) -> float:
    """Return a longitude within -180 to 180 degrees; those inside stay exactly as they are.

    Examples
    --------
    >>> wrapped_longitude(181.5)
    -178.5
    """
    if -180.0 <= longitude_deg <= 180.0:
        return longitude_deg
    return (longitude_deg + 180.0) % 360.0 - 180.0


def check_scenario(table: pd.DataFrame) -> pd.DataFrame:
    """Return a complete copy of a scenario table, or say what is wrong with it.

    Missing codes, elevations and times get defaults, missing paths are computed.

    Parameters
    ----------
    table : pandas.DataFrame
        At least the columns of `REQUIRED_COLUMNS`; further columns are kept.

    Raises
    ------
    ScenarioError
        If a column is missing, or a value is not finite or impossible; the message names
        the column, the value and what is allowed.
    """
    missing = [column for column in REQUIRED_COLUMNS if column not in table]
    if missing:
        raise ScenarioError(f"The scenario lacks the columns {', '.join(missing)}.")
    if table.empty:
        raise ScenarioError("The scenario has 0 rows; at least one receiver is needed.")
    table = table.copy()
    for column, (low, high) in LIMITS.items():
        values = pd.to_numeric(table[column], errors="coerce").to_numpy(float)
        bad = ~((values >= low) & (values <= high))
        if bad.any():
            value = table[column].iloc[int(np.argmax(bad))]
            raise ScenarioError(
                f"{column} = {value} is not allowed; it must lie within {low:g} to {high:g}."
            )
        table[column] = values
    defaults: dict[str, Any] = {
        "source_id": "scenario",
        "source_origin_time": str(DEFAULT_ORIGIN_TIME),
        "station_network_code": "SY",
        "station_code": [f"V{i:04d}" for i in range(len(table))],
        "station_location_code": "",
        "station_elevation_m": 0.0,
    }
    table = table.assign(**{name: value for name, value in defaults.items() if name not in table})
    if any(column not in table for column in PATH_COLUMNS):
        table = add_paths(table)
    others = [column for column in table if column not in COLUMNS]
    return table[[*COLUMNS, *others]].reset_index(drop=True)


def add_paths(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with epicentral and hypocentral distance (km) and azimuth (degrees).

    Distances and azimuths (source to receiver, clockwise from north) are geodesics on the
    WGS84 ellipsoid; the hypocentral distance adds the depth by Pythagoras.
    """
    ends = table[
        [
            "source_latitude_deg",
            "source_longitude_deg",
            "station_latitude_deg",
            "station_longitude_deg",
        ]
    ].itertuples(index=False, name=None)
    paths = np.array([gps2dist_azimuth(*pair)[:2] for pair in ends]).reshape(-1, 2)
    distance = paths[:, 0] / 1000.0
    return table.assign(
        path_ep_distance_km=distance,
        path_hyp_distance_km=np.hypot(distance, table["source_depth_km"].to_numpy(float)),
        path_azimuth_deg=paths[:, 1],
    )


def _virtual_stations(points: Iterable[tuple[float, float]]) -> pd.DataFrame:
    """Name bare coordinates: network SY, five-character codes in base 10."""
    points = list(points)
    if len(points) > 10_000:
        raise ScenarioError(f"{len(points)} virtual receivers are too many; 10000 have codes.")
    return pd.DataFrame(
        {
            "station_network_code": "SY",
            "station_code": [f"V{i:04d}" for i in range(len(points))],
            "station_latitude_deg": [point[0] for point in points],
            "station_longitude_deg": [point[1] for point in points],
            "station_elevation_m": 0.0,
        }
    )


def inventory_stations(inventory: Inventory) -> pd.DataFrame:
    """List the stations of an inventory once each, whatever the number of their epochs."""
    rows = {
        (network.code, station.code): {
            "station_network_code": network.code,
            "station_code": station.code,
            "station_latitude_deg": float(station.latitude),
            "station_longitude_deg": float(station.longitude),
            "station_elevation_m": float(station.elevation or 0.0),
        }
        for network in inventory
        for station in network
    }
    if not rows:
        raise ScenarioError("The inventory holds 0 stations; at least one is needed.")
    return pd.DataFrame(list(rows.values()))


def _combine(source: dict[str, Any], stations: pd.DataFrame) -> pd.DataFrame:
    """Cross one source with its receivers."""
    table = stations.assign(**source)
    codes = table["station_network_code"] + "." + table["station_code"]
    if codes.duplicated().any():
        raise ScenarioError(
            f"Station {codes[codes.duplicated()].iloc[0]} occurs twice; codes must be unique."
        )
    return check_scenario(table)
