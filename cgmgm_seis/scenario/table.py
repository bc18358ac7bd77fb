"""The scenario table: one row per source-receiver pair, with SeisBench's column names.

`cross` builds it from sources and receivers, and the metadata of a SeisBench data set already is
one; training, generation and the writers all use it.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from obspy import Inventory, UTCDateTime
from obspy.core.event import Event
from obspy.geodetics import gps2dist_azimuth

from cgmgm_seis.errors import ScenarioError
from cgmgm_seis.scenario.codes import VIRTUAL_NETWORK
from cgmgm_seis.scenario.columns import COLUMNS, PATH_COLUMNS, REQUIRED_COLUMNS, check_limits
from cgmgm_seis.scenario.sources import (
    DEFAULT_DEPTH_KM,
    DEFAULT_ORIGIN_TIME,
    DEFAULT_SOURCE_ID,
    event_source,
)

# Renamed because arguments are called source and receivers as well.
from cgmgm_seis.scenario.sources import source as source_of
from cgmgm_seis.scenario.stations import Places, point
from cgmgm_seis.scenario.stations import receivers as receivers_of


def cross(source: pd.DataFrame, receivers: pd.DataFrame) -> pd.DataFrame:
    """Build a scenario of all pairs of sources and receivers.

    Parameters
    ----------
    source : pandas.DataFrame
        One or more sources, see `cgmgm_seis.source`.
    receivers : pandas.DataFrame
        Receivers, see `cgmgm_seis.receivers`.

    Returns
    -------
    pandas.DataFrame
        The scenario table, with the distances and azimuths of the pairs.

    Raises
    ------
    ScenarioError
        If a value is missing or outside its limits, or two receivers have the same codes.

    Examples
    --------
    >>> from cgmgm_seis import receivers, source
    >>> table = cross(source(4.5, 37.938, -122.057), receivers([(37.876, -122.236)]))
    >>> table.path_ep_distance_km.round(1).tolist()
    [17.2]
    """
    if not isinstance(source, pd.DataFrame):
        raise ScenarioError(
            f"source = {source!r} must be a table with the columns of cgmgm_seis.source."
        )
    return check_scenario(source.merge(receivers_of(receivers), how="cross"))


def from_points(
    magnitude: float,
    source: tuple[float, float],
    stations: Places | None = None,
    depth_km: float = DEFAULT_DEPTH_KM,
    origin_time: UTCDateTime | str | None = None,
    source_id: str = DEFAULT_SOURCE_ID,
) -> pd.DataFrame:
    """Build the scenario of one source and several receivers.

    Parameters
    ----------
    magnitude : float
        Moment magnitude.
    source : tuple of float
        Latitude and longitude of the epicentre, degrees.
    stations : optional
        Points, an obspy.Inventory, a pandas.DataFrame with latitudes and longitudes, or station
        files, see `cgmgm_seis.receivers`.  Points become virtual receivers with network SY and
        codes V0000, V0001, ..  By default the bundled Bay Area stations.
    depth_km : float
        Source depth below sea level, km.
    origin_time : obspy.UTCDateTime or str, optional
        Origin time, by default 2020-01-01.  Where it is given, stations of an inventory or a file
        that were not open are left out.
    source_id : str
        Name of the event.

    Returns
    -------
    pandas.DataFrame
        The scenario table.

    Raises
    ------
    ScenarioError
        If a value is missing, not finite or outside its limits.

    Examples
    --------
    >>> table = from_points(4.5, (37.938, -122.057), [(37.876, -122.236)])
    >>> table.path_ep_distance_km.round(1).tolist()
    [17.2]
    """
    latitude, longitude = point(source, "source")
    earthquake = source_of(magnitude, latitude, longitude, depth_km, origin_time, source_id)
    return cross(earthquake, receivers_of(stations, origin_time))


def from_event_and_inventory(
    event: Event, inventory: Inventory | None = None, **overrides: Any
) -> pd.DataFrame:
    """Build the scenario of an ObsPy event at the stations of an inventory.

    Parameters
    ----------
    event : obspy.core.event.Event
        The event; see `event_source` for the origin and magnitude that are used.
    inventory : obspy.Inventory, optional
        Every station that was open becomes one receiver; by default the bundled Bay Area
        stations.
    **overrides
        ``source_*`` columns that override the event's values, e.g. ``source_depth_km=8``.

    Raises
    ------
    ScenarioError
        If the event has no origin or magnitude, or the inventory has no stations.
    """
    earthquake = event_source(event, **overrides)
    return cross(
        pd.DataFrame([earthquake]), receivers_of(inventory, earthquake["source_origin_time"])
    )


def check_scenario(table: pd.DataFrame) -> pd.DataFrame:
    """Return a complete copy of a scenario table, or raise an error if it is not valid.

    Missing codes, elevations and times get default values; missing distances and azimuths are
    computed.

    Parameters
    ----------
    table : pandas.DataFrame
        At least the columns in `REQUIRED_COLUMNS`; further columns are kept.

    Raises
    ------
    ScenarioError
        If a column is missing, or a value is not finite or outside its limits; the message
        contains the column, the value and the limits.
    """
    missing = [column for column in REQUIRED_COLUMNS if column not in table]
    if missing:
        raise ScenarioError(f"The scenario lacks the required columns {', '.join(missing)}.")
    if table.empty:
        raise ScenarioError("The scenario has 0 rows; at least one receiver is needed.")
    table = check_limits(table)
    defaults: dict[str, Any] = {
        "source_id": DEFAULT_SOURCE_ID,
        "source_origin_time": str(DEFAULT_ORIGIN_TIME),
        "station_network_code": VIRTUAL_NETWORK,
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

    Epicentral distances and azimuths (source to receiver, clockwise from north) are geodesics
    on the WGS84 ellipsoid; the hypocentral distance combines the epicentral distance and the
    depth by Pythagoras.
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


def spread_rows(scenario: pd.DataFrame, most: int) -> NDArray[np.intp]:
    """Return at most some rows of a scenario, ordered by and evenly spread over the distances.

    Examples
    --------
    >>> table = from_points(4.5, (37.9, -122.1), [(37.9 - 0.1 * k, -122.1) for k in (3, 1, 2)])
    >>> spread_rows(table, 2).tolist()
    [1, 0]
    """
    order = np.argsort(scenario["path_ep_distance_km"].to_numpy(float), kind="stable")
    places = np.linspace(0, len(order) - 1, min(len(order), most)).round().astype(int)
    return order[places]
