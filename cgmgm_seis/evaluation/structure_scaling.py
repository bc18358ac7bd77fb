"""Scaling of measures with magnitude and distance, inside and outside of trained ranges."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.evaluation.gmm_table import NON_ERGODIC, REFITTED, SpectralModel
from cgmgm_seis.evaluation.identity import records_sha256
from cgmgm_seis.evaluation.measures import BOTH, PERIODS, rotd50_series
from cgmgm_seis.evaluation.records import Records
from cgmgm_seis.gmm.pygmm_models import NGA_WEST2, NGAWest2
from cgmgm_seis.measures.response_spectra import resolved_periods
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.models.conditions import HYPOCENTRAL, inside_range
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.geography import (
    KM_PER_DEGREE,
    local_km,
    middle_longitude,
    wrapped_longitude,
)
from cgmgm_seis.scenario.seeding import random_generator
from cgmgm_seis.scenario.table import check_scenario
from cgmgm_seis.scenario.window import Window

# Points of each curve, and records of the data per source from which curves are drawn: together
# they limit the extra realizations to 14 % of those of 100 records or more.
N_POINTS, RECORDS_PER_SOURCE, MOST_SOURCES = 7, 100, 8
# How far curves go beyond the trained ranges: magnitudes, and a factor of the largest distance.
BEYOND_MAGNITUDE, BEYOND_DISTANCE = 0.5, 1.5
MAGNITUDE, DISTANCE = "magnitude", "distance"
# Mean and standard deviation (row, series), and which rows are extrapolated (row,).
Predictions = tuple[Floats, Floats, NDArray[np.bool_]]
# Velocity at which motion must reach a receiver before the window ends, km/s: that of slow S.
SLOWEST_KM_S = 3.0
COLUMNS = {MAGNITUDE: "source_magnitude", DISTANCE: HYPOCENTRAL}


@dataclass(frozen=True)
class ScalingGrid:
    """Scenario of a curve over magnitude and one over distance, from several sources.

    Parameters
    ----------
    scenario : pandas.DataFrame
        Scenario table; every row is an event of its own.
    by : numpy.ndarray
        "magnitude" or "distance", the curve of every row.
    values : numpy.ndarray
        Magnitude or hypocentral distance (km) of every row, the same for all sources.
    magnitude, distance_km : float
        Magnitude of the curve over distance, and distance of the curve over magnitude.
    """

    scenario: pd.DataFrame
    by: NDArray[np.str_]
    values: Floats
    magnitude: float
    distance_km: float

    @property
    def sha256(self) -> str:
        """Checksum of the scenario."""
        return records_sha256(np.empty(0), self.scenario)


@dataclass(frozen=True)
class Scaling:
    """What generators draw on a grid.

    Parameters
    ----------
    grid : ScalingGrid
        The scenario.
    drawn : dict
        Generator to ln measures, shape (row, realization, series).
    missing : dict
        What could not be drawn, and the reason.
    """

    grid: ScalingGrid
    drawn: dict[str, Floats] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def scaling_grid(
    scenario: pd.DataFrame,
    models: Mapping[str, GroundMotionModel],
    window: Window,
    seed: int = 0,
) -> ScalingGrid:
    """Return the scenario at which scaling is shown.

    Sources are some of the data's, chosen at random; receivers are virtual, on the line from the
    source to the middle of the stations.

    Parameters
    ----------
    scenario : pandas.DataFrame
        Scenario table of the records.
    models : mapping
        Name to model; magnitudes and distances cover the trained ranges of all of them, or the
        range of the records.
    window : Window
        Window of the records; distances from which S would arrive after its end are left out.
    seed : int
        Random seed of the choice of sources.
    """
    sources = _sources(scenario, seed)
    magnitudes, distances = _axes(scenario, models, window, sources)
    magnitude = float(scenario["source_magnitude"].median())
    distance = float(np.clip(scenario[HYPOCENTRAL].median(), distances[0], distances[-1]))
    curve = pd.DataFrame(
        {
            "by": [MAGNITUDE] * N_POINTS + [DISTANCE] * N_POINTS,
            "value": np.r_[magnitudes, distances],
            "magnitude": np.r_[magnitudes, np.full(N_POINTS, magnitude)],
            "distance": np.r_[np.full(N_POINTS, distance), distances],
        }
    )
    grid = sources.merge(curve, how="cross")
    table = pd.DataFrame(
        {
            "source_id": [f"scaling{number:04d}" for number in range(len(grid))],
            "source_latitude_deg": grid["source_latitude_deg"],
            "source_longitude_deg": grid["source_longitude_deg"],
            "source_depth_km": grid["source_depth_km"],
            "source_magnitude": grid["magnitude"],
            **_receivers(grid, scenario),
        }
    )
    return ScalingGrid(
        check_scenario(table),
        grid["by"].to_numpy(str),
        grid["value"].to_numpy(float),
        magnitude,
        distance,
    )


def _sources(scenario: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return some events of the data, one for every `RECORDS_PER_SOURCE` records."""
    sources = scenario.drop_duplicates("source_id")
    wanted = int(np.clip(len(scenario) // RECORDS_PER_SOURCE, 1, MOST_SOURCES))
    chosen = random_generator(seed, "scaling").permutation(len(sources))[:wanted]
    return sources.iloc[np.sort(chosen)].reset_index(drop=True)


def _axes(
    scenario: pd.DataFrame,
    models: Mapping[str, GroundMotionModel],
    window: Window,
    sources: pd.DataFrame,
) -> tuple[Floats, Floats]:
    """Return the magnitudes and distances of the curves."""
    low, high = _limits(scenario, models, MAGNITUDE)
    magnitudes = np.linspace(low - BEYOND_MAGNITUDE, high + BEYOND_MAGNITUDE, N_POINTS)
    nearest, farthest = _limits(scenario, models, DISTANCE)
    # A receiver above the deepest source is this far away, and a little more.
    nearest = max(nearest, float(sources["source_depth_km"].max()) + 1.0, 1.0)
    farthest = max(farthest, 2.0 * nearest)
    end = window.start_offset_s + window.n_samples / window.sampling_rate
    reach = max(min(BEYOND_DISTANCE * farthest, SLOWEST_KM_S * end), nearest)
    return magnitudes, np.geomspace(nearest, reach, N_POINTS)


def _limits(
    scenario: pd.DataFrame, models: Mapping[str, GroundMotionModel], by: str
) -> tuple[float, float]:
    column = COLUMNS[by]
    known = [model.ranges[column] for model in models.values() if column in model.ranges]
    known = known or [[scenario[column].min(), scenario[column].max()]]
    return float(min(low for low, _ in known)), float(max(high for _, high in known))


def _receivers(grid: pd.DataFrame, scenario: pd.DataFrame) -> dict[str, Floats]:
    """Return coordinates of receivers at hypocentral distances, towards the middle of stations."""
    centre = (
        float(scenario["station_latitude_deg"].mean()),
        middle_longitude(scenario["station_longitude_deg"]),
    )
    latitude, longitude = (grid[f"source_{name}_deg"] for name in ("latitude", "longitude"))
    towards = -local_km(latitude, longitude, centre)
    length = np.hypot(*towards.T)
    towards[length == 0.0] = (0.0, 1.0)
    towards /= np.hypot(*towards.T)[:, None]
    depth = grid["source_depth_km"].to_numpy(float)
    epicentral = np.sqrt(np.maximum(grid["distance"].to_numpy(float) ** 2 - depth**2, 0.0))
    east, north = (towards * epicentral[:, None]).T / KM_PER_DEGREE
    east /= np.cos(np.radians(latitude.to_numpy(float)))
    return {
        "station_latitude_deg": latitude.to_numpy(float) + north,
        "station_longitude_deg": np.array(
            [wrapped_longitude(x) for x in (longitude.to_numpy(float) + east).tolist()]
        ),
    }


def scaling_table(
    predictions: Mapping[str, Predictions],
    grid: ScalingGrid,
    names: pd.MultiIndex,
) -> pd.DataFrame:
    """Return the curves of all models.

    Parameters
    ----------
    predictions : mapping
        Model to the medians and standard deviations of ln measures, shape (row, series), NaN
        where it has none, and whether rows are extrapolated, shape (row,).
    grid : ScalingGrid
        The scenario.
    names : pandas.MultiIndex
        Component and measure of the series.

    Returns
    -------
    pandas.DataFrame
        Columns "generator", "by", "value" (magnitude or km), "component", "measure", "ln_median"
        (mean over the sources, which all models share), "sigma" (root mean square) and
        "extrapolated" (share of the sources from which the row is outside the model's ranges).
    """
    tables = []
    keys = pd.DataFrame({"by": grid.by, "value": grid.values})
    for name, (medians, sds, outside) in predictions.items():
        for (by, _), own in keys.groupby(["by", "value"], sort=False):
            rows, kind = own.index.to_numpy(), str(by)
            table = names.to_frame(index=False).assign(
                generator=name,
                by=kind,
                value=float(own["value"].iloc[0]),
                ln_median=medians[rows].mean(axis=0),
                sigma=np.sqrt((sds[rows] ** 2).mean(axis=0)),
                extrapolated=outside[rows].mean(),
            )
            tables.append(table[table["ln_median"].notna()])
    if not tables:
        return pd.DataFrame()
    order = ["generator", "by", "value", "component", "measure"]
    found = pd.concat(tables, ignore_index=True)
    return found[[*order, "ln_median", "sigma", "extrapolated"]]


def scaling_of_generators(
    scaling: Scaling, models: Mapping[str, GroundMotionModel]
) -> dict[str, Predictions]:
    """Return medians and standard deviations of realizations, see `scaling_table`.

    Parameters
    ----------
    scaling : Scaling
        Measures of the realizations.
    models : mapping
        Name to model, for its ranges; the simulator has none.
    """
    scenario = scaling.grid.scenario
    found: dict[str, Predictions] = {}
    for name, values in scaling.drawn.items():
        outside = np.zeros(len(scenario), bool)
        for column, limits in (models[name].ranges if name in models else {}).items():
            if column in scenario:
                outside |= ~inside_range(scenario, column, limits)
        found[name] = np.median(values, axis=1), values.std(axis=1), outside
    return found


def scaling_of_gmms(
    models: Mapping[str, SpectralModel], grid: ScalingGrid, records: Records
) -> tuple[dict[str, Predictions], dict[str, str]]:
    """Return predictions of ground-motion models, and the reason why some are missing.

    Parameters
    ----------
    models : mapping
        Name to model of spectra; NGA-West2 models are added for RotD50.
    grid : ScalingGrid
        The scenario.
    records : Records
        Define series and frequencies.
    """
    names = records.series
    found: dict[str, Predictions] = {}
    for name, model in models.items():
        mean, sd, outside = model.predict(grid.scenario, names, records.frequencies)
        if name in (REFITTED, NON_ERGODIC):  # they know the range of their magnitudes only
            known = records.scenario[HYPOCENTRAL]
            outside = outside | ~grid.scenario[HYPOCENTRAL].between(known.min(), known.max())
        found[name] = mean, sd, np.asarray(outside)
    if BOTH not in names.get_level_values("component"):
        return found, {"scaling of NGA-West2 models": "they need both horizontals"}
    periods = resolved_periods(PERIODS, records.window.sampling_rate)
    places = names.get_indexer(rotd50_series(periods))
    try:
        for name in NGA_WEST2:
            told = NGAWest2(name, periods).predict(grid.scenario)
            mean, sd = np.full((2, len(grid.scenario), len(names)), np.nan)
            mean[:, places], sd[:, places] = told.mean, told.sd
            found[name] = mean, sd, told.extrapolated
    except CgmgmError as error:
        return found, {"scaling of NGA-West2 models": str(error)}
    return found, {}
