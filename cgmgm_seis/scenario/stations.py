"""Receivers: the stations of a scenario."""

from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
from obspy import Inventory, UTCDateTime

from cgmgm_seis.errors import ScenarioError
from cgmgm_seis.scenario.codes import VIRTUAL_NETWORK, point_codes
from cgmgm_seis.scenario.station_epochs import inventory_epochs, open_stations
from cgmgm_seis.scenario.station_files import complete_stations, read_stations
from cgmgm_seis.scenario.times import utc

Places: TypeAlias = (
    Iterable[tuple[float, float]] | Inventory | pd.DataFrame | str | Path | Iterable[str | Path]
)


def receivers(places: Places | None = None, time: UTCDateTime | str | None = None) -> pd.DataFrame:
    """Return a table of receivers, from points, an inventory, a table or station files.

    Parameters
    ----------
    places : optional
        One of

        - points, a sequence of (latitude, longitude) in degrees: virtual receivers of network SY
          with codes V0000, V0001, ..;
        - an obspy.Inventory: one receiver per station;
        - a pandas.DataFrame with latitudes and longitudes and columns named as in
          `cgmgm_seis.scenario.station_files`; further ``station_*`` columns are kept;
        - one or more station files, see `read_stations`;
        - None: the bundled Bay Area stations.
    time : obspy.UTCDateTime or str, optional
        Time of the earthquake, for inventories and station files: the location of each station
        at this time is used, and stations that were not open are left out, which is logged.  By
        default it is the location of the last epoch.

    Returns
    -------
    pandas.DataFrame
        The ``station_*`` columns of a scenario table, one row per receiver; combine them with a
        source by `cgmgm_seis.cross`.

    Raises
    ------
    ScenarioError
        If there are no receivers, a value is missing or outside its limits, or two receivers
        have the same codes.

    Examples
    --------
    >>> table = receivers([(37.876, -122.236), (37.77, -122.42)])
    >>> table[["station_network_code", "station_code", "station_latitude_deg"]]
      station_network_code station_code  station_latitude_deg
    0                   SY        V0000                37.876
    1                   SY        V0001                37.770
    """
    time = None if time is None else utc(time)
    if places is None:
        table = bay_area_stations()
    elif isinstance(places, Inventory):
        table = open_stations(inventory_epochs(places), time)
    elif isinstance(places, pd.DataFrame):
        table = complete_stations(places, "The table of receivers")
    elif isinstance(places, str | Path):
        table = read_stations(places, time)
    elif not isinstance(places, Iterable) or isinstance(places, Mapping | pd.Series):
        raise ScenarioError(
            f"Receivers of the type {type(places).__name__} are not supported; they must be "
            "points (latitude, longitude), an obspy.Inventory, a pandas.DataFrame or station files."
        )
    else:
        listed = list(places)
        paths = [place for place in listed if isinstance(place, str | Path)]
        if paths and len(paths) < len(listed):
            raise ScenarioError(
                f"The receivers contain points and files such as {paths[0]}; they must be either."
            )
        table = read_stations(paths, time) if paths else _virtual_stations(listed)
    check_codes(table)
    return table


def check_codes(table: pd.DataFrame) -> None:
    """Raise `ScenarioError` unless the network and station codes are unique."""
    codes = table["station_network_code"] + "." + table["station_code"]
    if codes.duplicated().any():
        raise ScenarioError(
            f"Station {codes[codes.duplicated()].iloc[0]} occurs twice; codes must be unique."
        )


def bay_area_stations() -> pd.DataFrame:
    """Return the 58 bundled stations of the networks BG, BK, CE, NC, NP, PB, TA and WR.

    Returns
    -------
    pandas.DataFrame
        One row per station with ``station_network_code``, ``station_code``,
        ``station_latitude_deg``, ``station_longitude_deg`` and ``station_elevation_m``.
    """
    with (files("cgmgm_seis.scenario") / "data" / "bay_area_stations.csv").open("rb") as file:
        return pd.read_csv(
            file,
            dtype={"station_network_code": str, "station_code": str},
            keep_default_na=False,
        )


def point(place: Any, name: str = "A point") -> tuple[float, float]:
    """Return latitude and longitude of a place, or raise `ScenarioError` if it is not two numbers.

    Examples
    --------
    >>> point([37.9, -122.1])
    (37.9, -122.1)
    """
    try:
        latitude, longitude = (float(value) for value in place)
    except (TypeError, ValueError) as error:
        raise ScenarioError(
            f"{name} = {place!r} must be a latitude and a longitude, such as (37.9, -122.1)."
        ) from error
    return latitude, longitude


def _virtual_stations(places: list[Any]) -> pd.DataFrame:
    """Return a table of points with virtual station codes."""
    codes = point_codes(len(places))
    points = [point(place) for place in places]
    table = pd.DataFrame(
        {
            "station_network_code": VIRTUAL_NETWORK,
            "station_code": codes,
            "station_latitude_deg": [point[0] for point in points],
            "station_longitude_deg": [point[1] for point in points],
            "station_elevation_m": 0.0,
        }
    )
    return complete_stations(table, "The list of points")
