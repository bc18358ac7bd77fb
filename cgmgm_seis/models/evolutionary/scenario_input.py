"""Input of the networks for a scenario."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cgmgm_seis.models.conditions import trained_range
from cgmgm_seis.models.evolutionary.places import scenario_features
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.geography import local_km

# Number of plain conditions.
N_PLAIN = 5
# Minimum S - P time, s, and the logarithm that is subtracted to centre the input.
LEAST_S_MINUS_P, MIDDLE = 0.3, 1.5


def network_input(
    scenario: pd.DataFrame,
    arrivals: tuple[Floats, Floats],
    ranges: Mapping[str, Sequence[float]],
    waves: Floats,
    centre: Sequence[float],
) -> dict[str, Floats]:
    """Return the conditions of a scenario by name, see `EvolutionaryCGM.conditions`.

    Parameters
    ----------
    scenario : pandas.DataFrame
        Scenario table.
    arrivals : tuple of numpy.ndarray
        P and S of the 1-D table, s after the origin, each (record,).
    ranges : mapping
        Column to [lowest, highest] value seen in training.
    waves : numpy.ndarray
        Wave vectors of the Fourier features, 1/km, (wave, 2).
    centre : sequence of float
        Latitude and longitude of the region's centre.
    """
    p, s = arrivals
    low, high = trained_range(ranges, "path_hyp_distance_km")
    distance = scenario["path_hyp_distance_km"].to_numpy(float)
    logarithms = np.log(np.maximum([low, high], 1.0))
    plain = [
        scaled_to_one(scenario["source_magnitude"], trained_range(ranges, "source_magnitude")),
        scaled_to_one(scenario["source_depth_km"], trained_range(ranges, "source_depth_km")),
        scaled_to_one(distance, (low, high)),
        scaled_to_one(np.log(np.maximum(distance, 1.0)), logarithms),
        np.log(np.maximum(s - p, LEAST_S_MINUS_P)) - MIDDLE,
    ]
    site, source, path = scenario_features(scenario, waves, centre)
    return {
        "plain": np.stack(plain, axis=1),
        "source": source,
        "site": site,
        "path": path,
        "times": np.stack([p, s], axis=1),
        "receiver": receivers_km(scenario, centre),
    }


def receivers_km(scenario: pd.DataFrame, centre: Sequence[float]) -> Floats:
    """Return the receivers' coordinates (record, 2), km east and north of the region's centre."""
    latitude, longitude = scenario["station_latitude_deg"], scenario["station_longitude_deg"]
    return local_km(latitude, longitude, centre)


def scaled_to_one(values: Any, limits: Any) -> Floats:
    """Scale values within limits to -1..1."""
    low, high = limits
    # If all records have the same depth or magnitude, the width is 0: do not divide by it.
    return 2.0 * (np.asarray(values, float) - low) / ((high - low) or 1.0) - 1.0
