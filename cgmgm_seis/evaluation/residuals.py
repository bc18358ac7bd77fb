"""Residuals between a generator and records: bias, scatter, calibration, tau and phi.

All values are natural logarithms; a set of records is an array (record, series), a set of
realizations (record, realization, series).  A series is one measure of one component.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar

from cgmgm_seis.evaluation.distributions import crps
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.seeding import random_generator

BAND = (0.16, 0.84)
# Logarithms closer than this are equal, since rounding depends on the batch.
TIE = 1e-9
# Bins of residuals: column of the scenario, and edges in magnitudes or km.
BINS = {
    "magnitude": (
        "source_magnitude",
        (-1.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 8.0),
    ),
    "distance": ("path_hyp_distance_km", (0.0, 10.0, 20.0, 30.0, 40.0, 60.0, 80.0, 120.0, 250.0)),
}
# Minimum number of records in a bin.
FEWEST = 10
# Maximum share of tau^2 in tau^2 + phi^2.
_MOST_BETWEEN = 1.0 - 1e-9


@dataclass(frozen=True)
class MixedEffects:
    """Mean of residuals, and their standard deviations between (tau) and within (phi) events."""

    mean: float
    tau: float
    phi: float


def mixed_effects(residuals: ArrayLike, events: ArrayLike) -> MixedEffects:
    """Split residuals into a mean, event terms and the rest, by restricted maximum likelihood.

    The model is residual = mean + event term + rest (Abrahamson & Youngs 1992, equation 1).  For
    a random intercept only, mean and phi follow from the share of tau^2, so that the likelihood
    (Patterson & Thompson 1971) has one unknown, which is found by a bounded search.

    Parameters
    ----------
    residuals : array_like
        Shape (record,).
    events : array_like
        The event of every record, shape (record,).

    Returns
    -------
    MixedEffects
        tau and phi are NaN if the data do not determine them: with fewer than 2 events, or no
        event with 2 records.

    Examples
    --------
    >>> split = mixed_effects([1.0, 1.2, -1.0, -1.2], ["a", "a", "b", "b"])
    >>> print(f"{split.mean:.2f} {split.tau:.2f} {split.phi:.2f}")
    0.00 1.55 0.14
    """
    y = np.asarray(residuals, float)
    _, event = np.unique(np.asarray(events), return_inverse=True)
    sizes = np.bincount(event)
    if len(sizes) < 2 or sizes.max() < 2:
        return MixedEffects(float(y.mean()), np.nan, np.nan)
    means = np.bincount(event, y) / sizes
    within = float(np.sum((y - means[event]) ** 2))
    if np.ptp(y) < TIE:
        return MixedEffects(float(y.mean()), 0.0, 0.0)

    def solve(share: float) -> tuple[float, float, float]:
        """Return -2 ln likelihood, mean and phi^2 at a share of tau^2."""
        ratio = share / (1.0 - share)  # tau^2 / phi^2
        weights = sizes / (1.0 + ratio * sizes)
        mean = float(np.sum(weights * means) / np.sum(weights))
        variance = (within + np.sum(weights * (means - mean) ** 2)) / (len(y) - 1)
        deviance = (len(y) - 1) * np.log(variance)
        deviance += np.sum(np.log1p(ratio * sizes)) + np.log(np.sum(weights))
        return float(deviance), mean, float(variance)

    best = minimize_scalar(
        lambda share: solve(share)[0],
        bounds=(0.0, _MOST_BETWEEN),
        method="bounded",
        options={"xatol": 1e-10},
    )
    share = float(best.x)
    _, mean, variance = solve(share)
    return MixedEffects(mean, float(np.sqrt(variance * share / (1.0 - share))), variance**0.5)


@dataclass(frozen=True)
class Comparison:
    """Comparison of a generator with records.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per series, see `compare`.
    median : numpy.ndarray
        Median of the realizations, shape (record, series).
    pit : numpy.ndarray
        Probability integral transform of the records, 0 to 1, same shape.
    bins : pandas.DataFrame
        One row per series and bin of magnitude or distance, see `binned`.
    residuals : dict
        "recorded" and "generated" to the records and realization 0 minus the median of the other
        realizations, shape (record, series).
    """

    table: pd.DataFrame
    median: Floats
    pit: Floats
    bins: pd.DataFrame
    residuals: dict[str, Floats]


def compare(
    recorded: Floats,
    generated: Floats,
    scenario: pd.DataFrame,
    names: pd.MultiIndex,
    seed: int = 0,
) -> Comparison:
    """Compare the realizations of a generator with the records.

    tau and phi are computed for the records and for realization 0, both relative to the median of
    the other realizations.  For a perfect generator the two pairs agree, except by chance, for any
    number of realizations.

    Parameters
    ----------
    recorded : numpy.ndarray
        Natural logarithms, shape (record, series).
    generated : numpy.ndarray
        Natural logarithms, shape (record, realization, series), at least 2 realizations; a
        realization is common to all records of an event.
    scenario : pandas.DataFrame
        Scenario table of the records: event, magnitude and distance of each.
    names : pandas.MultiIndex
        Component and measure of the series.
    seed : int
        Random seed of the PIT.

    Returns
    -------
    Comparison
        The table's columns: "bias" (mean of generated - recorded), "median_bias" (mean of
        median - recorded), "sigma" (standard deviation of recorded - median), "coverage" (share
        of records in the band of the realizations' quantiles `BAND`), "crps" (mean of
        `cgmgm_seis.evaluation.distributions.crps`), "tau_recorded", "phi_recorded",
        "tau_generated" and "phi_generated".
    """
    events = scenario["source_id"].astype(str)
    median = np.median(generated, axis=1)
    others = np.median(generated[:, 1:], axis=1)
    columns = {
        "bias": generated.mean(axis=(0, 1)) - recorded.mean(axis=0),
        "median_bias": (median - recorded).mean(axis=0),
        "sigma": (recorded - median).std(axis=0),
        "coverage": in_band(recorded, generated).mean(axis=0),
        "crps": crps(recorded, generated).mean(axis=0),
    }
    residuals = {"recorded": recorded - others, "generated": generated[:, 0] - others}
    for name, values in residuals.items():
        splits = [mixed_effects(column, events) for column in values.T]
        columns[f"tau_{name}"] = np.array([split.tau for split in splits])
        columns[f"phi_{name}"] = np.array([split.phi for split in splits])
    table = pd.DataFrame(columns, index=names).reset_index()
    bins = binned(median - recorded, scenario, names)
    return Comparison(table, median, pit(recorded, generated, seed), bins, residuals)


def in_band(recorded: Floats, generated: Floats) -> NDArray[np.bool_]:
    """Return which records are between the quantiles `BAND` of their realizations.

    Parameters
    ----------
    recorded : numpy.ndarray
        Shape (record, series).
    generated : numpy.ndarray
        Shape (record, realization, series).
    """
    # With Weibull's plotting positions, a record that follows the distribution of the realizations
    # is in the band with the nominal probability, exactly for 24 realizations and within 0.01 for
    # 20; other plotting positions give 0.62.
    low, high = np.quantile(generated, BAND, axis=1, method="weibull")
    inside: NDArray[np.bool_] = (recorded >= low - TIE) & (recorded <= high + TIE)
    return inside


def binned(residuals: Floats, scenario: pd.DataFrame, names: pd.MultiIndex) -> pd.DataFrame:
    """Return the statistics of residuals in bins of magnitude and of hypocentral distance.

    Parameters
    ----------
    residuals : numpy.ndarray
        Median - recorded, shape (record, series).
    scenario : pandas.DataFrame
        Scenario table of the records.
    names : pandas.MultiIndex
        Component and measure of the series.

    Returns
    -------
    pandas.DataFrame
        Columns "by" (magnitude or distance), "low", "high" and "mean" of the bin, "records",
        "component", "measure", "bias", "sigma", "tau" and "phi"; bins with fewer than `FEWEST`
        records are omitted.
    """
    events = scenario["source_id"].astype(str).to_numpy()
    tables = []
    for by, (name, edges) in BINS.items():
        values = scenario[name].to_numpy(float)
        place = np.digitize(values, edges)
        for number, (low, high) in enumerate(pairwise(edges), start=1):
            inside = place == number
            if inside.sum() < FEWEST:
                continue
            own = residuals[inside]
            splits = [mixed_effects(column, events[inside]) for column in own.T]
            table = pd.DataFrame(
                {
                    "by": by,
                    "low": low,
                    "high": high,
                    "mean": values[inside].mean(),
                    "records": int(inside.sum()),
                    "bias": own.mean(axis=0),
                    "sigma": own.std(axis=0),
                    "tau": [split.tau for split in splits],
                    "phi": [split.phi for split in splits],
                },
                index=names,
            )
            tables.append(table.reset_index())
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def pit(recorded: Floats, generated: Floats, seed: int = 0) -> Floats:
    """Return the probability integral transform of records among their realizations.

    It is the rank among the realizations, randomised within a rank and over ties (Czado et al.
    2009, equation 1), and is uniform for a perfect generator.

    Parameters
    ----------
    recorded : numpy.ndarray
        Shape (record, ..).
    generated : numpy.ndarray
        Shape (record, realization, ..).
    seed : int
        Random seed.

    Returns
    -------
    numpy.ndarray
        Values from 0 to 1, in the shape of the records.
    """
    difference = generated - recorded[:, None]
    below = (difference < -TIE).sum(axis=1)
    ties = (np.abs(difference) <= TIE).sum(axis=1)
    place = random_generator(seed, "pit").random(recorded.shape)
    result: Floats = (below + place * (ties + 1)) / (generated.shape[1] + 1)
    return result
