"""Tables that compare recorded amplitudes with generators and ground-motion models.

Rows of a flatfile may lack some measures, so the records used differ between measures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from cgmgm_seis.evaluation.residuals import BAND, TIE, in_band, mixed_effects
from cgmgm_seis.evaluation.tables import CODES
from cgmgm_seis.gmm.base import NEAREST_KM, Prediction
from cgmgm_seis.gmm.mixed_model import MixedModel
from cgmgm_seis.scenario.arrays import Floats

Flags = NDArray[np.bool_]

DISTANCE = "path_hyp_distance_km"
# Groups of records: column of the scenario, lower limit (inclusive) and upper limit (exclusive).
GROUPS = {
    "M < 4": ("source_magnitude", -np.inf, 4.0),
    "M >= 4": ("source_magnitude", 4.0, np.inf),
    "R < 25 km": (DISTANCE, 0.0, 25.0),
    "25 km <= R < 80 km": (DISTANCE, 25.0, 80.0),
    "R >= 80 km": (DISTANCE, 80.0, np.inf),
}
ALL = "all"
INSIDE, OUTSIDE = "inside its ranges", "outside its ranges"


@dataclass(frozen=True)
class Predicted:
    """Prediction of records by a generator or a ground-motion model.

    Parameters
    ----------
    median : numpy.ndarray
        Median of the logarithms, shape (record, series).
    covered : numpy.ndarray
        True for records within the predicted 16 to 84 % band, shape (record, series).
    tau, phi : numpy.ndarray
        Predicted standard deviations between and within events, NaN if unknown, (series,).
    extrapolated : numpy.ndarray
        True for records outside the ranges of the model, shape (record,).
    """

    median: Floats
    covered: Flags
    tau: Floats
    phi: Floats
    extrapolated: Flags


def of_realizations(
    generated: Floats, recorded: Floats, events: pd.Series, extrapolated: Flags
) -> Predicted:
    """Return the prediction of a generator from its realizations.

    tau and phi are those of realization 0 relative to the median of the others, as in
    `cgmgm_seis.evaluation.residuals.compare`.

    Parameters
    ----------
    generated : numpy.ndarray
        Natural logarithms, shape (record, realization, series).
    recorded : numpy.ndarray
        Shape (record, series).
    events : pandas.Series
        The event of every record.
    extrapolated : numpy.ndarray
        True for records outside the trained ranges, shape (record,).
    """
    splits = [
        mixed_effects(residuals, events)
        for residuals in (generated[:, 0] - np.median(generated[:, 1:], axis=1)).T
    ]
    return Predicted(
        np.median(generated, axis=1),
        in_band(recorded, generated),
        np.array([split.tau for split in splits]),
        np.array([split.phi for split in splits]),
        extrapolated,
    )


def of_prediction(told: Prediction, recorded: Floats) -> Predicted:
    """Return the prediction of a ground-motion model; tau and phi are root mean squares.

    Parameters
    ----------
    told : Prediction
        The prediction, shape (record, series).
    recorded : numpy.ndarray
        Shape (record, series).
    """
    within = np.abs(recorded - told.mean) <= ndtri(BAND[1]) * told.sd
    tau, phi = (np.sqrt(np.mean(part**2, axis=0)) for part in (told.tau, told.phi))
    return Predicted(told.mean, within, tau, phi, told.extrapolated)


def amplitudes_table(
    predicted: Mapping[str, Predicted],
    recorded: Floats,
    scenario: pd.DataFrame,
    names: pd.MultiIndex,
) -> pd.DataFrame:
    """Return the statistics of all records, one row per generator and measure.

    Parameters
    ----------
    predicted : mapping
        Name to prediction.
    recorded : numpy.ndarray
        Natural logarithms, NaN where missing, shape (record, series).
    scenario : pandas.DataFrame
        Scenario table of the records.
    names : pandas.MultiIndex
        Component and measure of the series.

    Returns
    -------
    pandas.DataFrame
        Columns "generator", "component", "measure"; those of `residual_statistics`; "stated_tau"
        and "stated_phi", predicted by the model; those of `trends`; and "extrapolated", the share
        of records outside the ranges of the model.
    """
    rows = []
    for name, said in predicted.items():
        for place, (component, measure) in enumerate(names):
            known = np.isfinite(recorded[:, place])
            own = scenario[known]
            residuals = (said.median - recorded)[known, place]
            rows.append(
                {
                    "generator": name,
                    "component": component,
                    "measure": measure,
                    **residual_statistics(residuals, said.covered[known, place], own),
                    "stated_tau": said.tau[place],
                    "stated_phi": said.phi[place],
                    **trends(residuals, own),
                    "extrapolated": said.extrapolated[known].mean(),
                }
            )
    return pd.DataFrame(rows)


def amplitude_groups_table(
    predicted: Mapping[str, Predicted],
    recorded: Floats,
    scenario: pd.DataFrame,
    names: pd.MultiIndex,
) -> pd.DataFrame:
    """Return the statistics of groups of records; parameters as in `amplitudes_table`.

    Returns
    -------
    pandas.DataFrame
        Columns "generator", "component", "measure", "group" (a key of `GROUPS`, `INSIDE` or
        `OUTSIDE`) and those of `residual_statistics`; groups without records are left out.
    """
    common = {
        group: scenario[column].between(low, high, inclusive="left").to_numpy()
        for group, (column, low, high) in GROUPS.items()
    }
    rows = []
    for name, said in predicted.items():
        groups = {**common, INSIDE: ~said.extrapolated, OUTSIDE: said.extrapolated}
        for place, (component, measure) in enumerate(names):
            known = np.isfinite(recorded[:, place])
            for group, members in groups.items():
                chosen = known & members
                if not chosen.any():
                    continue
                residuals = (said.median - recorded)[chosen, place]
                found = residual_statistics(
                    residuals, said.covered[chosen, place], scenario[chosen]
                )
                labels = {"generator": name, "component": component, "measure": measure}
                rows.append({**labels, "group": group, **found})
    return pd.DataFrame(rows)


def residual_statistics(
    residuals: Floats, covered: Flags, scenario: pd.DataFrame
) -> dict[str, float]:
    """Return the statistics of residuals, generated - recorded, of one measure.

    Parameters
    ----------
    residuals : numpy.ndarray
        Shape (record,).
    covered : numpy.ndarray
        True for records within the predicted band, shape (record,).
    scenario : pandas.DataFrame
        Scenario table of the records.

    Returns
    -------
    dict
        "records" and "events", the numbers of both; "bias", the mean; "sigma", the standard
        deviation; "tau" and "phi", its parts between and within events; "coverage", the share of
        records within the band.
    """
    events = scenario["source_id"].astype(str)
    split = mixed_effects(residuals, events)
    return {
        "records": len(residuals),
        "events": events.nunique(),
        "bias": float(residuals.mean()),
        "sigma": float(residuals.std()),
        "tau": split.tau,
        "phi": split.phi,
        "coverage": float(covered.mean()),
    }


def trends(residuals: Floats, scenario: pd.DataFrame) -> dict[str, float]:
    """Return the slopes of residuals with ln R and magnitude, fitted together.

    Both are fixed effects in a model with random event terms, whose variance is that of
    `mixed_effects`, so that records of one event do not count as independent magnitudes.

    Parameters
    ----------
    residuals : numpy.ndarray
        Shape (record,).
    scenario : pandas.DataFrame
        Scenario table of the records; R is the hypocentral distance.

    Returns
    -------
    dict
        "slope_ln_distance" and "slope_magnitude", per unit of ln R and of magnitude, and their
        standard errors, "slope_ln_distance_se" and "slope_magnitude_se"; NaN if the records do
        not determine them.
    """
    distance = np.maximum(scenario[DISTANCE].to_numpy(float), NEAREST_KM)
    axes = np.stack([np.log(distance), scenario["source_magnitude"].to_numpy(float)], axis=1)
    features = np.c_[np.ones(len(axes)), axes - axes.mean(axis=0)]
    slopes, errors = np.full(2, np.nan), np.full(2, np.nan)
    n_free = features.shape[1]
    if len(residuals) > n_free and np.linalg.matrix_rank(features) == n_free:
        slopes, errors = _slopes(residuals, features, scenario["source_id"].astype(str))
    return {
        "slope_ln_distance": float(slopes[0]),
        "slope_ln_distance_se": float(errors[0]),
        "slope_magnitude": float(slopes[1]),
        "slope_magnitude_se": float(errors[1]),
    }


def _slopes(residuals: Floats, features: Floats, events: pd.Series) -> tuple[Floats, Floats]:
    """Return the coefficients of all features but the first, and their standard errors."""
    n_free = features.shape[1]
    if np.ptp(residuals) < TIE:
        return np.zeros(n_free - 1), np.zeros(n_free - 1)
    split = mixed_effects(residuals, events)
    ratio = (split.tau / split.phi) ** 2 if split.phi > 0.0 else 0.0
    [model] = MixedModel.of(features, residuals[:, None], events, np.ones(n_free, bool))
    found = model.posterior(np.ones(n_free), ratio)
    return found.mean[1:], found.sd(np.eye(n_free))[1:]


def amplitude_records_table(
    predicted: Mapping[str, Predicted],
    recorded: Floats,
    scenario: pd.DataFrame,
    names: pd.MultiIndex,
) -> pd.DataFrame:
    """Return the values of single records, one row per record and available measure.

    Parameters as in `amplitudes_table`; columns of the record, "component", "measure",
    "ln_recorded", and for every generator "ln_median NAME" and "extrapolated NAME".
    """
    rows, places = np.nonzero(np.isfinite(recorded))
    known = scenario[[*CODES, "source_magnitude", DISTANCE]].iloc[rows].reset_index(drop=True)
    series = names[places].to_frame(index=False)
    found: dict[str, NDArray[Any]] = {"ln_recorded": recorded[rows, places]}
    for name, said in predicted.items():
        found[f"ln_median {name}"] = said.median[rows, places]
        found[f"extrapolated {name}"] = said.extrapolated[rows]
    return pd.concat([known, series, pd.DataFrame(found)], axis=1)
