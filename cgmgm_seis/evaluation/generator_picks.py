"""PhaseNet's picks on records and on one realization of every generator."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.evaluation.identity import parameters_sha256
from cgmgm_seis.evaluation.pick_tables import RECORDED, pick_records, picks_by_bin, picks_table
from cgmgm_seis.measures.picks import COMPONENTS, absent_components, load_picker, pick
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.spans import Spans
from cgmgm_seis.scenario.window import Window
from cgmgm_seis.storage.chunks import Chunks

logger = logging.getLogger(__name__)

# Distance of P picks from the predicted onset where PhaseNet lacks a component, s.  Recorded P in
# the Bay Area is up to 1.3 s off the 1-D times.
P_WITHIN_S = 2.0
# In place of PhaseNet's weights: no picks.
NO_PICKER = "none"
# What the reports say PhaseNet lacks.
LACKING = "three components for PhaseNet"


class GeneratorPicks:
    """PhaseNet's picks by generator; empty after an error, which is logged as a warning."""

    def __init__(self, name_or_path: str | Path, window: Window, progress: bool) -> None:
        self.window, self.progress = window, progress
        self.found: dict[str, pd.DataFrame] = {}
        self.missing: dict[str, str] = {}
        self.picker: Any = None
        self.sha256 = ""
        self.p_window_s: Floats | None = None
        if name_or_path == NO_PICKER:
            self.missing = {"picks": "not asked for"}
            return
        try:
            self.picker = load_picker(name_or_path)
            self.sha256 = parameters_sha256(self.picker)
        except CgmgmError as error:
            self._give_up(error)

    @property
    def made_by(self) -> dict[str, Any]:
        """What all picks depend on, for the identity of finished chunks."""
        window_s = None if self.p_window_s is None else self.p_window_s.round(3).tolist()
        return {"picker": self.sha256, "p_window_s": window_s}

    def near_onsets(self, models: Mapping[str, GroundMotionModel], scenario: pd.DataFrame) -> None:
        """Look for P near the onsets of the models only, if PhaseNet lacks a component.

        The same times hold for the records and for all generators.
        """
        if absent_components(self.window.component_order):
            onsets = np.array([model.onsets(scenario)[0] for model in models.values()])
            ends = onsets.min(axis=0) - P_WITHIN_S, onsets.max(axis=0) + P_WITHIN_S
            self.p_window_s = np.stack(ends, axis=-1) - self.window.start_offset_s

    def add(self, name: str, waveforms: NDArray[np.float32], spans: Spans, chunks: Chunks) -> None:
        """Pick one realization of every record; finished chunks are saved and looked up."""
        if self.picker is None:
            return
        if name == RECORDED and (lacking := self._lacking(waveforms)):
            self.missing[LACKING] = lacking
        rate, order = self.window.sampling_rate, self.window.component_order
        try:
            self.found[name] = pick(
                self.picker,
                waveforms,
                rate,
                order,
                progress=self.progress,
                chunks=chunks,
                spans=spans,
                p_window_s=self.p_window_s,
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

    def _lacking(self, waveforms: NDArray[np.float32]) -> str:
        """Return a note on the components that are copies of others, or an empty text."""
        if lacks := absent_components(self.window.component_order):
            last = [letter for letter in COMPONENTS if letter not in lacks][-1]
            note = f"copies of {last} stand for {' and '.join(lacks)}"
        elif still := int((np.ptp(waveforms, axis=-1) == 0.0).any(axis=1).sum()):
            note = (
                f"in {still} of {len(waveforms)} records, components without motion are copies of "
                "one with motion"
            )
        else:
            return ""
        if self.p_window_s is not None:
            note += f"; P is picked within {P_WITHIN_S:g} s of the predicted onset"
        return note

    def _give_up(self, error: CgmgmError) -> None:
        logger.warning("No picks: %s", error)
        self.missing = {"picks": str(error)}
        self.picker, self.found = None, {}
