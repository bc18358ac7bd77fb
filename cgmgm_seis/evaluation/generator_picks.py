"""PhaseNet's picks on records and on one realization of every generator."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.evaluation.identity import parameters_sha256
from cgmgm_seis.evaluation.pick_tables import pick_records, picks_by_bin, picks_table
from cgmgm_seis.measures.picks import load_picker, pick
from cgmgm_seis.scenario.spans import Spans
from cgmgm_seis.scenario.window import Window
from cgmgm_seis.storage.chunks import Chunks

logger = logging.getLogger(__name__)


class GeneratorPicks:
    """PhaseNet's picks by generator; empty after an error, which is logged as a warning."""

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

    def add(self, name: str, waveforms: NDArray[np.float32], spans: Spans, chunks: Chunks) -> None:
        """Pick one realization of every record; finished chunks are saved and looked up."""
        if self.picker is None:
            return
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
