"""Maps drawn from the spectra and the scatter of a generator, without waveforms."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cgmgm_seis.errors import ScenarioError
from cgmgm_seis.grid.job import GridJob, check_returned
from cgmgm_seis.models.conditions import ExtrapolationWarning
from cgmgm_seis.models.spectral import SpectralSampler

# Records per task: many nodes share what is computed once for every realization.
TASK_RECORDS = 20_000


@dataclass(frozen=True)
class SpectraJob(GridJob):
    """A `GridJob` without waveforms, whose measures come from the spectra of the generator.

    Its realizations have the event and record terms of those of a `GridJob` with the same seed;
    the rest, the randomness of the phases, is drawn from its distribution.

    Parameters
    ----------
    model, weights, source, nodes, measures, n_realizations, seed, extrapolate, device, folder
        As in `GridJob`.
    task_records : int
        Approximate number of records per task; affects the values by rounding only.

    Raises
    ------
    CgmgmError
        If the model has no spectra, or pyRVT, which peaks need, is not installed.
    ScenarioError
        If waveforms or the movie are wanted.
    """

    waveforms: bool = False
    task_records: int = TASK_RECORDS

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.waveforms or self.movie:
            raise ScenarioError(
                f"Method 'spectra' draws no {'waveforms' if self.waveforms else 'movie'}; "
                "use 'waveforms'."
            )
        self._sampler  # noqa: B018  # raises an error before the work begins

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What the results depend on, JSON-serialisable."""
        return {**super().identity, "method": "spectra"}

    @property
    def about(self) -> dict[str, Any]:
        """What made the results, for the provenance."""
        return {**super().about, "method": "spectra"}

    @cached_property
    def _sampler(self) -> SpectralSampler:
        measures = self.measures
        return self.model.spectral_sampler(
            tuple(measures.axes), measures.frequencies, measures.periods
        )

    def run(self, first: int, last: int) -> Mapping[str, float]:
        """Draw and save the measures of one task; see `GridJob.run`."""
        began = perf_counter()
        scenario = self.nodes.scenario(self.source, first, last)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExtrapolationWarning)
            self.model.check_ranges(scenario, self.extrapolate)
        drawn = self._sampler(scenario, self.n_realizations, self.seed)
        shape = (len(scenario), self.n_realizations, -1)
        values = np.concatenate([drawn[kind].reshape(shape) for kind in self.measures.axes], axis=2)
        # ln of an amplitude of zero may be -infinity.
        check_returned(not (np.isnan(values) | np.isposinf(values)).any(), first, last)
        drawn_at = perf_counter()
        arrays: dict[str, NDArray[Any]] = {"measures": values}
        self.chunks.save(first, last, **arrays)
        return {"generation": drawn_at - began, "writing": perf_counter() - drawn_at}

    def __getstate__(self) -> dict[str, Any]:
        """Exclude the sampler, which holds the model."""
        state = super().__getstate__()
        state.pop("_sampler", None)
        return state
