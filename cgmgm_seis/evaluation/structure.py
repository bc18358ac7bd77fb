"""What a model has learned: the tables of the section "Learned structure" of the report.

Terms of sources, sites and paths, semivariograms, correlations between frequencies, scaling with
magnitude and distance, and H/V each have a module ``structure_..`` of their own.
"""

import logging
from collections.abc import Mapping

import pandas as pd

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.evaluation.comparisons import Compared, medians, residuals
from cgmgm_seis.evaluation.gmm_table import NON_ERGODIC, SpectralModel, compared_component
from cgmgm_seis.evaluation.measures import BOTH, main_spectrum, spectral_columns
from cgmgm_seis.evaluation.pick_tables import RECORDED
from cgmgm_seis.evaluation.records import Records
from cgmgm_seis.evaluation.residuals import FEWEST
from cgmgm_seis.evaluation.simulator_draws import can_be_simulated_again
from cgmgm_seis.evaluation.structure_frequencies import frequency_correlations
from cgmgm_seis.evaluation.structure_hv import FEWEST_RECORDS, hv_peaks, hv_summary, hv_table
from cgmgm_seis.evaluation.structure_scaling import (
    Scaling,
    scaling_of_generators,
    scaling_of_gmms,
    scaling_table,
)
from cgmgm_seis.evaluation.structure_terms import (
    TRUTH,
    term_correlations,
    terms_table,
    why_no_terms,
)
from cgmgm_seis.evaluation.structure_variogram import FEWEST_BINS, semivariogram_tables
from cgmgm_seis.gmm.pygmm_models import frequency_correlation
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.simulator.spectra import ln_spectrum

logger = logging.getLogger(__name__)

Found = tuple[dict[str, pd.DataFrame], dict[str, str]]


def structure_tables(
    records: Records,
    compared: Mapping[str, Compared],
    models: Mapping[str, SpectralModel],
    generators: Mapping[str, GroundMotionModel],
    scaling: Scaling | None = None,
) -> Found:
    """Return the tables of the section, and what is missing with the reason.

    Parameters
    ----------
    records : Records
        The records.
    compared : mapping
        Generator to its comparison with the records.
    models : mapping
        Name to ground-motion model of spectra.
    generators : mapping
        Name to generator, for the trained ranges.
    scaling : Scaling, optional
        Realizations at other magnitudes and distances.

    Returns
    -------
    tables : dict
        Name to table, which may be empty.
    missing : dict
        What is not available, and the reason.
    """
    tables: dict[str, pd.DataFrame] = {}
    missing: dict[str, str] = {}
    if not records.calibrated.any() or not compared:
        return tables, missing
    predicted = {
        name: model.predict(records.calibrated_scenario, records.series, records.frequencies)[0]
        for name, model in models.items()
    }
    parts = [
        _terms(records, medians(compared), predicted.get(NON_ERGODIC)),
        _semivariograms(records, residuals(compared), predicted),
        _frequencies(records, residuals(compared)),
        _hv(records, medians(compared)),
    ]
    if scaling:
        beyond, left_out = scaling_of_gmms(models, scaling.grid, records) if models else ({}, {})
        everything = {**scaling_of_generators(scaling, generators), **beyond}
        table = scaling_table(everything, scaling.grid, records.series)
        parts.append(({"scaling": table}, left_out | scaling.missing))
    for own, left_out in parts:
        tables |= own
        missing |= left_out
    for what, why in missing.items():
        logger.warning("No %s: %s.", what, why.rstrip("."))
    return tables, missing


def _terms(records: Records, found: Mapping[str, Floats], non_ergodic: Floats | None) -> Found:
    """Return the terms of generators, of the non-ergodic model and of the simulator."""
    what, scenario, series = (
        "terms of sources, sites and paths",
        records.calibrated_scenario,
        records.series,
    )
    if why := why_no_terms(scenario):
        return {}, {what: why}
    horizontal = compared_component(records.window.component_order)
    component = horizontal or main_spectrum(series)[0]
    measures = [f"FAS {f:g} Hz" for f in records.frequencies]
    places = series.get_indexer(pd.MultiIndex.from_product([[component], measures]))
    predictions = {name: values[:, places] for name, values in found.items()}
    missing, references = dict[str, str](), list[str]()
    if non_ergodic is not None:
        predictions[NON_ERGODIC] = non_ergodic[:, places]
        references.append(NON_ERGODIC)
    if horizontal and can_be_simulated_again(records.scenario):
        predictions[TRUTH] = ln_spectrum(scenario, records.frequencies)
        references.append(TRUTH)
    if not references:
        missing["agreement of terms"] = (
            "there is neither a non-ergodic model fitted to a training split nor a simulator"
        )
    terms = terms_table(predictions, scenario, component, measures)
    return {"terms": terms, "term_correlations": term_correlations(terms, references)}, missing


def _semivariograms(
    records: Records,
    found: Mapping[tuple[str, str], Floats],
    predicted: Mapping[str, Floats],
) -> Found:
    """Return the semivariograms of generators, and of records about ground-motion models."""
    series = records.series
    wanted = {f"{kind} {f:g} Hz" for kind in ("FAS", "EAS") for f in records.frequencies}
    wanted |= {"RotD50 PGA", "RotD50 PGV"} if _has_both(series) else {"PGA", "PGV"}
    component = compared_component(records.window.component_order) or series[0][0]
    chosen = [
        place
        for place, (own, measure) in enumerate(series)
        if own in (component, BOTH) and measure in wanted
    ]
    everything = {
        **{key: values[:, chosen] for key, values in found.items()},
        **{
            (name, "recorded"): (records.ln_measures - values)[:, chosen]
            for name, values in predicted.items()
        },
    }
    table, fits = semivariogram_tables(everything, records.calibrated_scenario, series[chosen])
    missing: dict[str, str] = {}
    if table.empty:
        missing["semivariograms"] = f"no event has {FEWEST} pairs of records at similar distances"
    elif fits["sill"].isna().all():
        missing["ranges of semivariograms"] = f"there are fewer than {FEWEST_BINS} bins of distance"
    return {"semivariograms": table, "semivariogram_fits": fits}, missing


def _frequencies(records: Records, found: Mapping[tuple[str, str], Floats]) -> Found:
    """Return the correlation between frequencies of the main spectrum."""
    what = "correlation between frequencies"
    component, kind = main_spectrum(records.series)
    frequencies, places = spectral_columns(records.series, component, kind)
    missing, published = dict[str, str](), None
    if _has_both(records.series):
        try:
            published = frequency_correlation(frequencies)
        except CgmgmError as error:
            missing[f"{what} of Bayless & Abrahamson"] = str(error)
    else:
        missing[f"{what} of Bayless & Abrahamson"] = "it is that of both horizontals"
    chosen = {key: values[:, places] for key, values in found.items()}
    table = frequency_correlations(chosen, frequencies, component, published)
    if table.empty:
        missing = {what: f"{len(records.ln_measures)} records are fewer than {FEWEST}"}
    return {"frequency_correlations": table}, missing


def _hv(records: Records, found: Mapping[str, Floats]) -> Found:
    """Return H/V by station of records and generators."""
    series, what = records.series, "H/V spectral ratios"
    if not _has_both(series) or "Z" not in records.window.component_order:
        return {}, {what: "they need all three components"}
    frequencies, horizontal = spectral_columns(series, BOTH, "EAS")
    _, vertical = spectral_columns(series, "Z", "FAS")
    values = {RECORDED: records.ln_measures, **found}
    ratios = hv_table(
        {name: own[:, horizontal] - own[:, vertical] for name, own in values.items()},
        records.calibrated_scenario,
        frequencies.tolist(),
    )
    peaks = hv_peaks(ratios)
    tables = {"hv_ratios": ratios, "hv_peaks": peaks, "hv_summary": hv_summary(ratios, peaks)}
    if ratios.empty:
        return tables, {what: f"no station has {FEWEST_RECORDS} records"}
    return tables, {}


def _has_both(series: pd.MultiIndex) -> bool:
    return BOTH in series.get_level_values("component")
