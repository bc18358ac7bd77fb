"""Comparison of generators with the records: residuals, and waveforms shown in figures."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cgmgm_seis.evaluation.distributions import log_spectrogram
from cgmgm_seis.evaluation.draws import Draws
from cgmgm_seis.evaluation.highlights import (
    Highlights,
    distance_thirds,
    envelopes,
    ranked,
    section_rows,
)
from cgmgm_seis.evaluation.measures import FREQUENCIES, main_spectrum, spectral_columns
from cgmgm_seis.evaluation.pick_tables import RECORDED
from cgmgm_seis.evaluation.records import Records
from cgmgm_seis.evaluation.residuals import Comparison, compare
from cgmgm_seis.evaluation.tables import (
    measures_table,
    pit_table,
    places_table,
    records_table,
    stacked,
)
from cgmgm_seis.scenario.arrays import Floats


@dataclass(frozen=True)
class Compared:
    """Comparison of a generator with the records.

    Parameters
    ----------
    highlights : Highlights
        Some waveforms of realization 0, and its envelopes.
    comparison : Comparison, optional
        Residuals of the calibrated records; None if no record is calibrated.
    log_spectrograms : numpy.ndarray, optional
        Log spectrograms of realization 0 of the calibrated records; None if there are none.
    ranks : dict
        "best", "median" and "worst" to the row of the scenario.
    """

    highlights: Highlights
    comparison: Comparison | None
    log_spectrograms: Floats | None
    ranks: dict[str, int]


def compare_draws(records: Records, drawn: Draws, seed: int) -> Compared:
    """Compare the realizations of a generator with the records; only a few waveforms are kept.

    Parameters
    ----------
    records : Records
        The records.
    drawn : Draws
        Measures of all realizations and waveforms of realization 0, for every record.
    seed : int
        Random seed of the PIT.
    """
    comparison, spectrograms, ranks = None, None, dict[str, int]()
    chosen = records.calibrated
    if chosen.any():
        own = drawn.measures[chosen]
        comparison = compare(
            records.ln_measures, own, records.calibrated_scenario, records.series, seed
        )
        spectrograms = log_spectrogram(drawn.first[chosen], records.window.sampling_rate)
        _, places = spectral_columns(records.series, *main_spectrum(records.series))
        rows = np.flatnonzero(chosen)
        by_role = ranked(records.ln_measures, own[:, 0], places)
        ranks = {role: int(rows[row]) for role, row in by_role.items()}
    shown = {*section_rows(records.scenario), *ranks.values()}
    highlights = _highlights(drawn.first, records, shown)
    return Compared(highlights, comparison, spectrograms, ranks)


def all_highlights(records: Records, compared: Mapping[str, Compared]) -> dict[str, Highlights]:
    """Return the highlights of the generators, and of the records in all rows shown."""
    found = {name: own.highlights for name, own in compared.items()}
    shown = {row for own in found.values() for row in own.waveforms}
    return {**found, RECORDED: _highlights(records.waveforms, records, shown)}


def medians(compared: Mapping[str, Compared]) -> dict[str, Floats]:
    """Return the median over the realizations of every generator, (calibrated record, series)."""
    return {name: found.median for name, found in _comparisons(compared).items()}


def residuals(compared: Mapping[str, Compared]) -> dict[tuple[str, str], Floats]:
    """Return the residuals of every generator, by its name and "recorded" or "generated"."""
    return {
        (name, kind): values
        for name, found in _comparisons(compared).items()
        for kind, values in found.residuals.items()
    }


def comparison_tables(
    records: Records, compared: Mapping[str, Compared]
) -> dict[str, pd.DataFrame]:
    """Return the tables of residuals by name; empty if no record is calibrated."""
    comparisons = _comparisons(compared)
    if not comparisons:
        return {}
    known = (records.ln_measures, records.calibrated_scenario, records.series)
    component, spectrum = main_spectrum(records.series)
    ranks = [
        {"generator": name, "role": role, "row": row}
        for name, own in compared.items()
        for role, row in own.ranks.items()
    ]
    return {
        "measures": measures_table(comparisons),
        "bins": stacked({name: found.bins for name, found in comparisons.items()}),
        "pit": pit_table(comparisons, records.series),
        "places": places_table(
            medians(compared), *known, [(component, f"{spectrum} {f:g} Hz") for f in FREQUENCIES]
        ),
        "records": records_table(comparisons, *known),
        "highlights": pd.DataFrame(ranks),
    }


def _comparisons(compared: Mapping[str, Compared]) -> dict[str, Comparison]:
    return {name: own.comparison for name, own in compared.items() if own.comparison}


def _highlights(waveforms: NDArray[np.float32], records: Records, shown: set[int]) -> Highlights:
    thirds, _ = distance_thirds(records.scenario)
    return Highlights(
        {row: waveforms[row].copy() for row in shown},
        envelopes(waveforms, records.spans, records.window.sampling_rate, thirds),
    )
