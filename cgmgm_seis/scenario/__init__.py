"""Scenarios: sources, receivers and the paths between them.

Names are imported when they are first used.
"""

from typing import TYPE_CHECKING

from cgmgm_seis import lazy_names

if TYPE_CHECKING:
    from cgmgm_seis.scenario.coastlines import plot_coastlines
    from cgmgm_seis.scenario.geography import Region
    from cgmgm_seis.scenario.obspy_files import read_catalog, read_event, read_inventory
    from cgmgm_seis.scenario.sources import source
    from cgmgm_seis.scenario.stations import bay_area_stations, receivers
    from cgmgm_seis.scenario.streams import to_catalog, to_inventory, to_stream
    from cgmgm_seis.scenario.table import (
        add_paths,
        check_scenario,
        cross,
        from_event_and_inventory,
        from_points,
    )
    from cgmgm_seis.scenario.travel_times import TravelTimeTable, bay_area_travel_times
    from cgmgm_seis.scenario.window import Window

__all__ = [
    "Region",
    "TravelTimeTable",
    "Window",
    "add_paths",
    "bay_area_stations",
    "bay_area_travel_times",
    "check_scenario",
    "cross",
    "from_event_and_inventory",
    "from_points",
    "plot_coastlines",
    "read_catalog",
    "read_event",
    "read_inventory",
    "receivers",
    "source",
    "to_catalog",
    "to_inventory",
    "to_stream",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Region": "geography",
        "TravelTimeTable": "travel_times",
        "Window": "window",
        "add_paths": "table",
        "bay_area_stations": "stations",
        "bay_area_travel_times": "travel_times",
        "check_scenario": "table",
        "cross": "table",
        "from_event_and_inventory": "table",
        "from_points": "table",
        "plot_coastlines": "coastlines",
        "read_catalog": "obspy_files",
        "read_event": "obspy_files",
        "read_inventory": "obspy_files",
        "receivers": "stations",
        "source": "sources",
        "to_catalog": "streams",
        "to_inventory": "streams",
        "to_stream": "streams",
    },
)
