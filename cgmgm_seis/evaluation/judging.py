"""What an evaluation measures of a generator, from its realizations and the records."""

import logging
from collections.abc import Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from seisbench.data import WaveformDataset

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.evaluation.data import APPROXIMATE, calibrated
from cgmgm_seis.evaluation.discriminator import DiscriminativeScore
from cgmgm_seis.evaluation.distributions import (
    frechet_distance,
    frechet_test,
    log_spectrogram,
    principal_components,
    t_sne,
)
from cgmgm_seis.evaluation.draws import gathered, measure
from cgmgm_seis.evaluation.gmm_table import (
    CALIFORNIA,
    compared_component,
    fitted_models,
    ground_motion_models_table,
    published_models,
)
from cgmgm_seis.evaluation.highlights import (
    Highlights,
    distance_thirds,
    envelopes,
    ranked,
    section_rows,
)
from cgmgm_seis.evaluation.identity import parameters_sha256
from cgmgm_seis.evaluation.measures import (
    BOTH,
    FREQUENCIES,
    horizontals,
    main_spectrum,
    series,
    spectral_columns,
)
from cgmgm_seis.evaluation.pick_tables import RECORDED, pick_records, picks_by_bin, picks_table
from cgmgm_seis.evaluation.residuals import Comparison, compare
from cgmgm_seis.evaluation.tables import (
    discriminator_table,
    measures_table,
    pit_table,
    places_table,
    records_table,
    stacked,
)
from cgmgm_seis.gmm.base import FASModel
from cgmgm_seis.measures.picks import load_picker, pick
from cgmgm_seis.scenario.window import Window
from cgmgm_seis.storage.chunks import Chunks

logger = logging.getLogger(__name__)

Floats = NDArray[np.float64]

# With fewer events there are fewer exchanges than a small p-value needs.
FEWEST_EXCHANGED = 6


class Judged:
    """Everything measured of waveforms but picks; amplitudes of calibrated records only."""

    def __init__(
        self,
        waveforms: NDArray[np.float32],
        scenario: pd.DataFrame,
        window: Window,
        seed: int,
        tsne: bool,
    ) -> None:
        self.waveforms, self.scenario, self.window, self.seed = waveforms, scenario, window, seed
        self.tsne = tsne
        self.events = scenario["source_id"].astype(str)
        self.names = series(window.component_order, window.sampling_rate)
        self.frequencies = tuple(f for f in FREQUENCIES if f <= 0.5 * window.sampling_rate)
        self.missing: dict[str, str] = {}
        self.trusted = calibrated(scenario)
        self.trusted_scenario = scenario[self.trusted].reset_index(drop=True)
        if left_out := int((~self.trusted).sum()):
            reason = f"{left_out} of {len(scenario)} records are flagged {APPROXIMATE}"
            logger.warning("Amplitudes: %s and left out.", reason)
            key = "amplitudes of some records" if self.trusted.any() else "amplitudes"
            self.missing[key] = f"{reason}; {_codes(scenario[~self.trusted])}"
        self.recorded: Floats = np.empty((0, len(self.names)))
        self.comparisons: dict[str, Comparison] = {}
        self.scores: dict[str, DiscriminativeScore] = {}
        self.features: dict[str, Floats] = {}
        self.highlights: dict[str, Highlights] = {}
        self.ranks: dict[str, dict[str, int]] = {}
        self.section = section_rows(scenario)
        self.thirds, _ = distance_thirds(scenario)

    def classifiers(self, wanted: int) -> int:
        """Return how many classifiers can be trained."""
        if self.events.nunique() >= 2:
            return wanted
        if wanted:
            self.missing["discriminator"] = "1 event has no halves"
            logger.warning("No discriminative score: 1 event has no halves.")
        return 0

    def measure_records(self, pool: Executor) -> None:
        """Measure the records themselves."""
        trusted = self.waveforms[self.trusted]
        if len(trusted):
            self.recorded = gathered(measure(pool, trusted, self.window))
        self.features[RECORDED] = log_spectrogram(trusted, self.window.sampling_rate)

    def add(self, name: str, measures: Floats, first: NDArray[np.float32]) -> None:
        """Compare the realizations of a generator; waveforms are kept of a few rows only."""
        rate = self.window.sampling_rate
        shown = set(self.section)
        if self.trusted.any():
            own = measures[self.trusted]
            self.comparisons[name] = compare(
                self.recorded, own, self.trusted_scenario, self.names, self.seed
            )
            self.features[name] = log_spectrogram(first[self.trusted], rate)
            _, places = spectral_columns(self.names, *main_spectrum(self.names))
            rows = np.flatnonzero(self.trusted)
            found = ranked(self.recorded, own[:, 0], places)
            self.ranks[name] = {role: int(rows[row]) for role, row in found.items()}
            shown |= set(self.ranks[name].values())
        self.highlights[name] = Highlights(
            {row: first[row].copy() for row in shown}, envelopes(first, rate, self.thirds)
        )

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables by name; empty ones could not be made."""
        shown = {row for found in self.highlights.values() for row in found.waveforms}
        self.highlights[RECORDED] = Highlights(
            {row: self.waveforms[row].copy() for row in shown},
            envelopes(self.waveforms, self.window.sampling_rate, self.thirds),
        )
        found = {"discriminator": discriminator_table(self.scores)}
        if not self.comparisons:
            return found
        known = (self.recorded, self.trusted_scenario, self.names)
        component, spectrum = main_spectrum(self.names)
        ranks = [
            {"generator": name, "role": role, "row": row}
            for name, ranked_rows in self.ranks.items()
            for role, row in ranked_rows.items()
        ]
        return {
            "measures": measures_table(self.comparisons),
            "bins": stacked({name: c.bins for name, c in self.comparisons.items()}),
            "pit": pit_table(self.comparisons, self.names),
            "places": places_table(
                {name: found.median for name, found in self.comparisons.items()},
                *known,
                [(component, f"{spectrum} {f:g} Hz") for f in FREQUENCIES],
            ),
            "records": records_table(self.comparisons, *known),
            "highlights": pd.DataFrame(ranks),
            **self._distributions(),
            **found,
        }

    def beside_gmms(self, dataset: WaveformDataset | str | Path) -> pd.DataFrame:
        """Return the table of generators and ground-motion models, of one horizontal and both."""
        if not self.comparisons:
            return pd.DataFrame()
        component = compared_component(self.window.component_order)
        if component is None:
            self.missing["ground-motion models"] = "the records have no horizontals"
            return pd.DataFrame()
        fitted: dict[str, FASModel] = {}
        try:
            fitted = fitted_models(dataset, self.window, self.frequencies)
        except CgmgmError as error:
            self._leave_out("fitted ground-motion models", error)
        tables = [self._beside(component, "FAS", fitted)]
        if horizontals(self.window.component_order):
            try:
                tables.append(self._beside(BOTH, "EAS", {}))
            except CgmgmError as error:
                self._leave_out(CALIFORNIA, error)
        else:
            self.missing[CALIFORNIA] = "it is of both horizontals together"
        return pd.concat(tables, ignore_index=True)

    def _beside(
        self, component: str, spectrum: str, fitted: Mapping[str, FASModel]
    ) -> pd.DataFrame:
        wanted = [(component, f"{spectrum} {f:g} Hz") for f in self.frequencies]
        places = self.names.get_indexer(pd.MultiIndex.from_tuples(wanted))
        published = published_models(self.trusted_scenario, spectrum, self.frequencies)
        return ground_motion_models_table(
            {name: found.median[:, places] for name, found in self.comparisons.items()},
            {**published, **fitted},
            self.recorded[:, places],
            self.trusted_scenario,
            component,
            spectrum,
            self.frequencies,
        )

    def _leave_out(self, what: str, error: CgmgmError) -> None:
        logger.warning("No %s: %s", what, error)
        self.missing[what] = str(error)

    def _distributions(self) -> dict[str, pd.DataFrame]:
        recorded, others = self.features[RECORDED], dict(self.features)
        del others[RECORDED]
        if len(recorded) < 3:
            self.missing["distributions"] = f"{len(recorded)} record(s) have no distribution"
            return {}
        events = self.trusted_scenario["source_id"]
        if events.nunique() < FEWEST_EXCHANGED:
            reason = f"{events.nunique()} event(s) are too few to exchange"
            self.missing["chance of the Frechet distance"] = reason
        distances = []
        for name, features in others.items():
            chance = p_value = np.nan
            if events.nunique() >= FEWEST_EXCHANGED:
                chance, p_value = frechet_test(recorded, features, events, self.seed)
            found = {"frechet_distance": frechet_distance(recorded, features)}
            distances.append({"generator": name, **found, "chance": chance, "p_value": p_value})
        points, shares = principal_components(recorded, *others.values())
        projected = {"PCA": points}
        if self.tsne:
            projected["t-SNE"] = t_sne(recorded, *others.values(), seed=self.seed)
        tables = [
            pd.DataFrame({"generator": name, "method": method, "x": xy[:, 0], "y": xy[:, 1]})
            for method, sets in projected.items()
            for name, xy in zip(self.features, sets, strict=True)
        ]
        self.variance_shares = [float(share) for share in shares]
        return {
            "distributions": pd.DataFrame(distances),
            "projections": pd.concat(tables, ignore_index=True),
        }


class GeneratorPicks:
    """PhaseNet's picks by generator; after a warning none."""

    def __init__(self, name_or_path: str | Path, window: Window, progress: bool) -> None:
        self.window, self.progress = window, progress
        self.found: dict[str, pd.DataFrame] = {}
        self.missing: dict[str, str] = {}
        self.picker: Any = None
        self.sha256 = ""
        try:
            self.picker = load_picker(name_or_path)
            self.sha256 = parameters_sha256(self.picker)
        except CgmgmError as error:
            self._give_up(error)

    def add(self, name: str, waveforms: NDArray[np.float32], chunks: Chunks) -> None:
        """Pick one realization of every record; finished chunks are looked for and kept."""
        if self.picker is None:
            return
        rate, order = self.window.sampling_rate, self.window.component_order
        try:
            self.found[name] = pick(
                self.picker, waveforms, rate, order, progress=self.progress, chunks=chunks
            )
        except CgmgmError as error:
            self._give_up(error)

    def tables(self, scenario: pd.DataFrame) -> dict[str, pd.DataFrame]:
        """Return the tables of picks by name."""
        if not self.found:
            return {}
        records = pick_records(self.found, scenario, self.window.sampling_rate)
        return {
            "picks": picks_table(records),
            "picks_by_bin": picks_by_bin(records),
            "pick_records": records,
        }

    def _give_up(self, error: CgmgmError) -> None:
        logger.warning("No picks: %s", error)
        self.missing["picks"] = str(error)
        self.picker, self.found = None, {}


def _codes(scenario: pd.DataFrame) -> str:
    """Name records by event and station, the first few of them."""
    named = (
        scenario["source_id"].astype(str) + " " + scenario["station_code"].astype(str)
    ).tolist()
    return ", ".join(named[:10]) + (", .." if len(named) > 10 else "")
