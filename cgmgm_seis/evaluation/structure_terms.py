"""Source, site and path terms: predictions of a model taken apart at the records of the data.

    ln FAS = form(M, R, Z) + source term (event) + site term (station) + path term (the rest)

Predictions of every model are taken apart in the same way, so that terms of generators, of the
non-ergodic Gaussian process and of the simulator can be compared.  Events and stations have random
effects with restricted maximum likelihood.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import Bounds, minimize

from cgmgm_seis.evaluation.tables import stacked
from cgmgm_seis.gmm.mixed_model import MixedModel
from cgmgm_seis.gmm.nonergodic import ergodic_form, station_codes
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.geography import middle_longitude, unwrapped_longitude, wrapped_longitude

SOURCE, SITE, PATH = KINDS = ("source", "site", "path")
TRUTH = "simulated truth"
# With fewer events, source terms cannot be told from scaling with magnitude and depth.
FEWEST_EVENTS = 12
# Terms of events and stations with fewer records do not count in correlations, since what one
# record has in excess may belong to its source, its site or its path.
FEWEST_RECORDS = 2
FEWEST_STATIONS = 5
# Bounds of the variances of events and stations relative to that of the rest.
_VARIANCES = (1e-4, 1e4)
# Variance of the rest below which a model has no terms, ln units squared.
_NOTHING = 1e-10


def why_no_terms(scenario: pd.DataFrame) -> str | None:
    """Return the reason why terms cannot be determined from records, or None."""
    events = scenario["source_id"].nunique()
    if events < FEWEST_EVENTS:
        return (
            f"{events} event(s) cannot tell source terms from scaling; at least {FEWEST_EVENTS} "
            "are needed"
        )
    stations = int((pd.Series(station_codes(scenario)).value_counts() >= FEWEST_RECORDS).sum())
    if stations < FEWEST_STATIONS:
        return (
            f"{stations} station(s) have records of {FEWEST_RECORDS} events; at least "
            f"{FEWEST_STATIONS} are needed"
        )
    form = ergodic_form(scenario, "refitted")
    if len(scenario) <= form.shape[1] + events:
        return f"{len(scenario)} records of {events} events are too few to tell terms apart"
    if np.linalg.matrix_rank(form) < form.shape[1]:
        return "magnitudes, distances or depths have too few different values"
    return None


def take_apart(predictions: Floats, scenario: pd.DataFrame) -> dict[str, Floats]:
    """Return the source, site and path terms of predictions.

    Parameters
    ----------
    predictions : numpy.ndarray
        ln FAS, shape (record, frequency).
    scenario : pandas.DataFrame
        Scenario table of the records, for which `why_no_terms` is None.

    Returns
    -------
    dict
        "source", "site" and "path" to terms in ln units, shape (record, frequency).
    """
    form = ergodic_form(scenario, "refitted")
    stations, station = np.unique(station_codes(scenario), return_inverse=True)
    _, event = np.unique(scenario["source_id"].astype(str), return_inverse=True)
    features = np.concatenate([form, np.eye(len(stations))[station]], axis=1)
    free = np.arange(features.shape[1]) < form.shape[1]
    terms = {kind: np.zeros(predictions.shape) for kind in KINDS}
    fit, *_ = np.linalg.lstsq(form, predictions)
    residuals = predictions - form @ fit
    for place, model in enumerate(MixedModel.of(features, residuals, event, free)):
        y = residuals[:, place]
        if y.var() < _NOTHING:
            continue
        variance, ratio = _best_variances(model)
        weights = model.posterior(np.where(free, 1.0, variance), ratio).mean
        rest = y - features @ weights
        size = np.bincount(event)
        source = (np.bincount(event, rest) * ratio / (1.0 + ratio * size))[event]
        terms[SITE][:, place] = weights[~free][station]
        terms[SOURCE][:, place] = source
        terms[PATH][:, place] = rest - source
    return terms


def _best_variances(model: MixedModel) -> tuple[float, float]:
    """Return the variances of stations and events, relative to the rest."""

    def deviance(logarithms: Floats) -> tuple[float, Floats]:
        variance, ratio = np.exp(logarithms).tolist()
        found = model.evidence(np.where(model.free, 1.0, variance), ratio)
        return found.deviance, np.array([found.by_ln_variance.sum(), found.by_ln_ratio])

    limits = np.log([_VARIANCES] * 2)
    best = minimize(deviance, np.zeros(2), jac=True, method="L-BFGS-B", bounds=Bounds(*limits.T))
    variance, ratio = np.exp(best.x).tolist()
    return variance, ratio


def terms_table(
    predictions: Mapping[str, Floats], scenario: pd.DataFrame, component: str, measures: list[str]
) -> pd.DataFrame:
    """Return the terms of models at the sources, stations and paths of the data.

    Parameters
    ----------
    predictions : mapping
        Model to predictions of the measures, shape (record, measure).
    scenario : pandas.DataFrame
        Scenario table of the records, for which `why_no_terms` is None.
    component : str
        Component of the measures.
    measures : list of str
        Names of the measures.

    Returns
    -------
    pandas.DataFrame
        Columns "generator", "kind" (source, site or path), "name" (event, station, or both),
        "latitude_deg", "longitude_deg" (middle of a path), "records" (of the event or station,
        for a path the smaller number), "component", "measure" and "term", ln units.
    """
    places = {kind: _places(scenario, kind) for kind in KINDS}
    tables = {}
    for name, values in predictions.items():
        parts = []
        for kind, term in take_apart(values, scenario).items():
            rows, counts, table = places[kind]
            for place, measure in enumerate(measures):
                own = table.assign(records=counts, component=component, measure=measure)
                parts.append(own.assign(term=term[rows, place]))
        tables[name] = pd.concat(parts, ignore_index=True)
    return stacked(tables)


def _places(
    scenario: pd.DataFrame, kind: str
) -> tuple[NDArray[np.intp], NDArray[np.intp], pd.DataFrame]:
    """Return one row of the scenario per term, the number of its records, and its location."""
    events, stations = scenario["source_id"].astype(str).to_numpy(str), station_codes(scenario)
    if kind == PATH:
        sizes = [
            np.unique(own, return_inverse=True, return_counts=True) for own in (events, stations)
        ]
        counts = np.minimum(*(count[place] for _, place, count in sizes))
        rows, names = np.arange(len(scenario)), np.char.add(np.char.add(events, " "), stations)
    else:
        names = events if kind == SOURCE else stations
        _, rows, counts = np.unique(names, return_index=True, return_counts=True)
    ends = {SOURCE: ["source"], SITE: ["station"], PATH: ["source", "station"]}[kind]
    latitudes = scenario[[f"{end}_latitude_deg" for end in ends]].to_numpy(float)
    longitudes = scenario[[f"{end}_longitude_deg" for end in ends]].to_numpy(float)
    middle = unwrapped_longitude(longitudes, middle_longitude(longitudes)).mean(axis=1)
    table = pd.DataFrame(
        {
            "kind": kind,
            "name": names[rows],
            "latitude_deg": latitudes.mean(axis=1)[rows],
            "longitude_deg": [wrapped_longitude(x) for x in middle[rows].tolist()],
        }
    )
    return rows, counts, table


def term_correlations(terms: pd.DataFrame, references: list[str]) -> pd.DataFrame:
    """Return how well the terms of models agree with those of reference models.

    Parameters
    ----------
    terms : pandas.DataFrame
        See `terms_table`.
    references : list of str
        Models in the table to compare with.

    Returns
    -------
    pandas.DataFrame
        Columns "generator", "against", "kind", "component", "measure", "terms" (number of
        events, stations or paths with at least `FEWEST_RECORDS` records), "correlation" (NaN if a
        model has no terms), "sd" of the model's terms, "sd_against" and "sd_difference", ln units.
    """
    if terms.empty:
        return pd.DataFrame()
    enough = terms[terms["records"] >= FEWEST_RECORDS]
    keys = ["kind", "component", "measure"]
    groups = {
        key: own["term"].to_numpy() for key, own in enough.groupby(["generator", *keys], sort=False)
    }
    rows = []
    for (name, *key), values in groups.items():
        # References are compared with each other once.
        later = references[references.index(name) + 1 :] if name in references else references
        for against in later:
            others = groups[against, *key]
            varies = len(values) > 2 and min(values.std(), others.std()) > 0.0
            rows.append(
                {
                    "generator": name,
                    "against": against,
                    **dict(zip(keys, key, strict=True)),
                    "terms": len(values),
                    "correlation": np.corrcoef(values, others)[0, 1] if varies else np.nan,
                    "sd": values.std(),
                    "sd_against": others.std(),
                    "sd_difference": (values - others).std(),
                }
            )
    return pd.DataFrame(rows)
