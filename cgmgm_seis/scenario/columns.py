"""The columns of a scenario table, and the values that they may hold."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cgmgm_seis.errors import ScenarioError

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


def check_limits(table: pd.DataFrame, rows: Sequence[str] = ()) -> pd.DataFrame:
    """Return a copy of a table whose columns of `LIMITS` are numbers within them.

    Parameters
    ----------
    table : pandas.DataFrame
        A scenario, or the columns of sources or receivers alone.
    rows : sequence of str, optional
        Names of the rows, for the message of an error.

    Raises
    ------
    ScenarioError
        If a value is not finite or impossible; the message names the column, the value and what
        is allowed.
    """
    table = table.copy()
    for column, (low, high) in LIMITS.items():
        if column not in table:
            continue
        values = pd.to_numeric(table[column], errors="coerce").to_numpy(float)
        bad = ~((values >= low) & (values <= high))
        if bad.any():
            row = int(np.argmax(bad))
            raise ScenarioError(
                f"{rows[row] + ': ' if rows else ''}{column} = {table[column].iloc[row]} is not "
                f"allowed; it must lie within {low:g} to {high:g}."
            )
        table[column] = values
    return table
