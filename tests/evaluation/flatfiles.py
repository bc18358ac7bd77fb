"""A small table of recorded amplitudes for tests."""

import numpy as np
import pandas as pd


def pairs(n_events=4, n_stations=3):
    """Return the places of some events and stations, all within the ranges of the tiny model."""
    event, station = np.divmod(np.arange(n_events * n_stations), n_stations)
    return pd.DataFrame(
        {
            "source_id": [f"e{k}" for k in event],
            "source_latitude_deg": 37.7 + 0.01 * (event % 7),
            "source_longitude_deg": -122.2,
            "source_depth_km": 5.0 + event % 5,
            "source_magnitude": 3.5 + 0.1 * (event % 11),
            "station_network_code": "NA",
            "station_code": [f"{k:03d}" for k in station],
            "station_latitude_deg": 37.8 + 0.02 * station,
            "station_longitude_deg": -122.1,
        }
    )


GOOD = pairs().assign(pga_g=0.1)
