"""The columns of a scenario table and the limits of their values."""

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

# Limits of physically possible scenarios; the ranges of a trained model are narrower.
LIMITS = {
    "source_latitude_deg": (-90.0, 90.0),
    "source_longitude_deg": (-180.0, 180.0),
    "source_depth_km": (-10.0, 800.0),
    "source_magnitude": (-3.0, 10.0),
    "station_latitude_deg": (-90.0, 90.0),
    "station_longitude_deg": (-180.0, 180.0),
}
# These columns are required; the others have defaults.
REQUIRED_COLUMNS = tuple(LIMITS)


def check_limits(table: pd.DataFrame, rows: Sequence[str] = ()) -> pd.DataFrame:
    """Return a copy of a table after checking that the columns in `LIMITS` are within them.

    Parameters
    ----------
    table : pandas.DataFrame
        A scenario, or only the columns of its sources or receivers.
    rows : sequence of str, optional
        Names of the rows for error messages.

    Raises
    ------
    ScenarioError
        If a value is not finite or outside the limits; the message contains all such columns, the
        first value of each, and the limits.
    """
    table = table.copy()
    wrong = []
    for column, (low, high) in LIMITS.items():
        if column not in table:
            continue
        values = pd.to_numeric(table[column], errors="coerce").to_numpy(float)
        bad = ~((values >= low) & (values <= high))
        if bad.any():
            row = int(np.argmax(bad))
            wrong.append(
                f"{rows[row] + ': ' if rows else ''}{column} = {table[column].iloc[row]} is not "
                f"valid; it must be a number from {low:g} to {high:g}"
            )
        table[column] = values
    if wrong:
        raise ScenarioError(", and ".join(wrong) + ".")
    return table
