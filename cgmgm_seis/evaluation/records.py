"""The records of an evaluation and their measures."""

import logging
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cgmgm_seis.evaluation.data import APPROXIMATE, calibrated
from cgmgm_seis.evaluation.distributions import log_spectrogram
from cgmgm_seis.evaluation.draws import gathered, measure
from cgmgm_seis.evaluation.measures import FREQUENCIES, horizontals, series
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.spans import Spans, valid_spans
from cgmgm_seis.scenario.window import Window

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Records:
    """Records and their measures; amplitudes are used for calibrated records only.

    Parameters
    ----------
    waveforms : numpy.ndarray
        Velocity, m/s, float32, shape (record, component, sample).
    scenario : pandas.DataFrame
        Scenario table, one row per record.
    window : Window
        Window of the records.
    ln_measures : numpy.ndarray
        Natural logarithms of the measures, shape (calibrated record, series).
    log_spectrograms : numpy.ndarray
        Log spectrograms, shape (calibrated record, cell), see
        `cgmgm_seis.evaluation.distributions.log_spectrogram`.
    """

    waveforms: NDArray[np.float32]
    scenario: pd.DataFrame
    window: Window
    ln_measures: Floats
    log_spectrograms: Floats

    @classmethod
    def measured(
        cls,
        waveforms: NDArray[np.float32],
        scenario: pd.DataFrame,
        window: Window,
        pool: Executor,
    ) -> "Records":
        """Return records with their measures, computed in the processes of a pool."""
        chosen = waveforms[calibrated(scenario)]
        if len(chosen) < len(waveforms):
            logger.warning("Amplitudes: %s and left out.", _approximate(scenario))
        names = series(window.component_order, window.sampling_rate)
        ln_measures = np.empty((0, len(names)))
        if len(chosen):
            ln_measures = gathered(measure(pool, chosen, window))
        spectrograms = log_spectrogram(chosen, window.sampling_rate)
        return cls(waveforms, scenario, window, ln_measures, spectrograms)

    @cached_property
    def calibrated(self) -> NDArray[np.bool_]:
        """True for records with reliable amplitudes, shape (record,)."""
        return calibrated(self.scenario)

    @cached_property
    def calibrated_scenario(self) -> pd.DataFrame:
        """Scenario table of the calibrated records."""
        return self.scenario[self.calibrated].reset_index(drop=True)

    @cached_property
    def spans(self) -> Spans:
        """Valid spans of the records, shape (record, 2)."""
        return valid_spans(self.scenario, self.window.n_samples)

    @cached_property
    def events(self) -> pd.Series:
        """The event of every record."""
        return self.scenario["source_id"].astype(str)

    @cached_property
    def series(self) -> pd.MultiIndex:
        """Component and measure of the series."""
        return series(self.window.component_order, self.window.sampling_rate)

    @property
    def frequencies(self) -> tuple[float, ...]:
        """Frequencies at which ground-motion models are compared, Hz."""
        return tuple(f for f in FREQUENCIES if f <= 0.5 * self.window.sampling_rate)

    @property
    def left_out(self) -> dict[str, str]:
        """Measures and amplitudes that are not available, and the reason."""
        found: dict[str, str] = {}
        if not horizontals(self.window.component_order):
            found["EAS and RotD50"] = "they need both horizontals"
        approximate = self.scenario[~self.calibrated]
        if len(approximate):
            key = "amplitudes of some records" if self.calibrated.any() else "amplitudes"
            found[key] = f"{_approximate(self.scenario)}; {_codes(approximate)}"
        return found


def _approximate(scenario: pd.DataFrame) -> str:
    n_approximate = int((~calibrated(scenario)).sum())
    return f"{n_approximate} of {len(scenario)} records are flagged {APPROXIMATE}"


def _codes(scenario: pd.DataFrame) -> str:
    """Return the event and station of the first few records."""
    named = (
        scenario["source_id"].astype(str) + " " + scenario["station_code"].astype(str)
    ).tolist()
    return ", ".join(named[:10]) + (", .." if len(named) > 10 else "")
