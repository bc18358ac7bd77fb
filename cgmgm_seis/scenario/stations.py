"""The bundled receivers: real seismic stations of the San Francisco Bay Area."""

from importlib.resources import files

import pandas as pd


def bay_area_stations() -> pd.DataFrame:
    """Return the 58 bundled stations of networks BG, BK, CE, NC, NP, PB, TA and WR.

    Returns
    -------
    pandas.DataFrame
        One row per station with ``station_network_code``, ``station_code``,
        ``station_latitude_deg``, ``station_longitude_deg`` and ``station_elevation_m``.
    """
    with (files("cgmgm_seis.scenario") / "data" / "bay_area_stations.csv").open() as file:
        return pd.read_csv(
            file,
            dtype={"station_network_code": str, "station_code": str},
            keep_default_na=False,
        )
