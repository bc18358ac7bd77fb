"""Drawing records of a scenario from a generator, as arrays and as ObsPy Streams."""

import math
import warnings
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from obspy import Stream
from torch import Tensor
from tqdm.auto import tqdm

from cgmgm_seis import __version__
from cgmgm_seis.errors import ScenarioError, WeightsError
from cgmgm_seis.measures.quantities import in_quantity
from cgmgm_seis.models.conditioned import ConditionedModel
from cgmgm_seis.models.conditions import (
    MAGNITUDE,
    RANGE_COLUMNS,
    RUPTURE,
    ExtrapolationWarning,
    check_magnitude_types,
    check_ranges,
)
from cgmgm_seis.models.extrapolation import PeakComparison
from cgmgm_seis.models.spectral import SpectralModel
from cgmgm_seis.scenario.quantities import find_quantity
from cgmgm_seis.scenario.seeding import Realization, drawn_seed, record_keys
from cgmgm_seis.scenario.streams import check_codes, check_realizations, to_stream
from cgmgm_seis.scenario.table import check_scenario
from cgmgm_seis.scenario.travel_times import TravelTimeTable
from cgmgm_seis.scenario.window import Window

Batch = Mapping[str, Tensor]
# Records that are in memory at a time where results are written part by part: 18 MB of
# three-component waveforms.
PART_RECORDS = 256


class SamplingModel(SpectralModel, ConditionedModel):
    """What generators need to draw records; see `cgmgm_seis.models.base.GroundMotionModel`."""

    sampling_batch_size: ClassVar[int] = 64
    component_order: str
    sampling_rate: float
    start_offset_s: float
    n_samples: int
    ranges: dict[str, list[float]]
    travel_time_table: Tensor
    travel_time_grid: dict

    # ---- what a generator implements -------------------------------------------------------

    @abstractmethod
    def conditions(self, scenario: pd.DataFrame) -> dict[str, Tensor]:
        """Return the input of the networks for a scenario, each tensor (record, ..)."""

    @abstractmethod
    def numbers(self, realizations: Sequence[Realization]) -> dict[str, Tensor]:
        """Return the random numbers of realizations, each tensor (realization, ..).

        Use only the random generators of each `Realization`, so that the numbers do not depend on
        the batch.
        """

    @abstractmethod
    def forward(self, batch: Batch) -> Tensor:
        """Draw a batch of records.

        Parameters
        ----------
        batch : mapping
            As yielded by `inputs`: `conditions`, `numbers` and `fields` of some realizations.

        Returns
        -------
        torch.Tensor
            Velocity, m/s, shape (realization, component, sample).
        """

    # ---- sampling --------------------------------------------------------------------------

    def fields(self, scenario: pd.DataFrame, n_realizations: int, seed: int) -> dict[str, Tensor]:
        """Return random numbers shared by neighbouring records, by default none.

        Returns
        -------
        dict of torch.Tensor
            Each of shape (record, realization, ..).
        """
        return {}

    def sampler(self) -> Self:
        """Return the model called by `sample`: this one, or a copy in another precision."""
        return self

    def sample(
        self,
        scenario: pd.DataFrame,
        n_realizations: int = 1,
        seed: int | None = 0,
        batch_size: int | None = None,
        extrapolate: bool | float = False,
        progress: bool = False,
    ) -> NDArray[np.float32]:
        """Draw records.

        Parameters
        ----------
        scenario : pandas.DataFrame
            Scenario table, see `cgmgm_seis.scenario.table`.
        n_realizations : int
            Records drawn per row.
        seed : int, optional
            The same seed, row and realization give the same samples (to rounding), whatever
            the batch size, order or other rows; at least 0.  None gives new records every time.
        batch_size : int, optional
            Records drawn at once; affects memory and speed only.
        extrapolate : bool or float
            Warn instead of raising where the scenario is outside the trained ranges, for
            magnitudes by up to 0.5; a number is that limit instead.  For magnitudes outside their
            range a second warning compares the PGA with a published model, unless the limit is
            infinite.
        progress : bool
            Show a progress bar.

        Returns
        -------
        numpy.ndarray
            Velocity, m/s, float32, shape (record, realization, component, sample).
        """
        parts = self.sample_parts(
            scenario, n_realizations, seed, batch_size, extrapolate, progress, part_records=None
        )
        ((_, waveforms),) = parts
        return waveforms

    @torch.no_grad()
    def sample_parts(
        self,
        scenario: pd.DataFrame,
        n_realizations: int = 1,
        seed: int | None = 0,
        batch_size: int | None = None,
        extrapolate: bool | float = False,
        progress: bool = False,
        part_records: int | None = PART_RECORDS,
    ) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Draw records some rows at a time, in memory that does not grow with the scenario.

        Parameters
        ----------
        scenario, n_realizations, seed, batch_size, extrapolate, progress
            As in `sample`.
        part_records : int, optional
            Largest number of records at a time, but at least those of a row; None for all of the
            scenario.  Samples do not depend on it.

        Yields
        ------
        slice, numpy.ndarray
            Rows of the scenario, one part after the other, and their records as in `sample`.
        """
        if n_realizations < 1:
            raise ScenarioError(f"n_realizations = {n_realizations} must be at least 1.")
        seed = drawn_seed(seed)
        scenario = check_scenario(scenario)
        self.check_ranges(scenario, extrapolate)
        comparison = None
        if MAGNITUDE in self.ranges and extrapolate != math.inf:
            comparison = PeakComparison(scenario, self.window, self.ranges[MAGNITUDE])
        n_rows, draw = len(scenario), self.sampler()
        step = n_rows if part_records is None else max(1, part_records // n_realizations)
        shape = n_realizations, len(self.component_order), self.n_samples
        batches = self.inputs(scenario, n_realizations, seed, batch_size)
        drawn = (record for batch in batches for record in draw(batch).cpu().numpy())
        total = n_rows * n_realizations
        with tqdm(total=total, desc="Records", unit="rec", disable=not progress) as bar:
            for first in range(0, n_rows, step):
                rows = slice(first, min(first + step, n_rows))
                part = np.empty((rows.stop - first, *shape), np.float32)
                for place, record in zip(part.reshape(-1, *shape[1:]), drawn, strict=False):
                    place[:] = record
                    bar.update()
                if comparison:
                    comparison.add(first, part)
                    if rows.stop == n_rows and (text := comparison.text()):
                        warnings.warn(text, ExtrapolationWarning, stacklevel=3)
                yield rows, part

    def inputs(
        self,
        scenario: pd.DataFrame,
        n_realizations: int = 1,
        seed: int | None = 0,
        batch_size: int | None = None,
    ) -> Iterator[dict[str, Tensor]]:
        """Yield the input of `forward` batch by batch; realizations of a row follow each other.

        Parameters
        ----------
        scenario, n_realizations, seed, batch_size
            As in `sample`.

        Examples
        --------
        >>> from cgmgm_seis import EvolutionaryCGM, from_points
        >>> model = EvolutionaryCGM.from_pretrained("bay_area_evolutionary")
        >>> batch = next(model.inputs(from_points(4, (37.9, -122.1), [(37.8, -122.2)])))
        >>> model(batch).shape
        torch.Size([1, 3, 6000])
        """
        seed = drawn_seed(seed)
        keys = record_keys(scenario)
        conditions = self.conditions(scenario)
        fields = self.fields(scenario, n_realizations, seed)
        pairs = [(row, k) for row in range(len(scenario)) for k in range(n_realizations)]
        step = batch_size or self.sampling_batch_size
        for start in range(0, len(pairs), step):
            part = pairs[start : start + step]
            rows, draws = (list(places) for places in zip(*part, strict=True))
            yield self.on_device(
                {
                    **{name: values[rows] for name, values in conditions.items()},
                    **{name: values[rows, draws] for name, values in fields.items()},
                    **self.numbers([Realization(seed, keys[row], k) for row, k in part]),
                }
            )

    def on_device(self, batch: Batch) -> dict[str, Tensor]:
        """Return tensors on the model's device, floating-point ones in its precision."""
        like = self.travel_time_table
        return {
            name: values.to(like.device, like.dtype if values.is_floating_point() else None)
            for name, values in batch.items()
        }

    def generate(
        self,
        scenario: pd.DataFrame,
        n_realizations: int = 1,
        seed: int | None = 0,
        batch_size: int | None = None,
        extrapolate: bool | float = False,
        progress: bool = False,
        components: str | None = None,
        start_offset_s: float | None = None,
        duration_s: float | None = None,
        quantity: str = "velocity",
    ) -> Stream:
        """Draw records as an ObsPy Stream.

        Parameters
        ----------
        scenario, n_realizations, seed, batch_size, extrapolate, progress
            As in `sample`.
        components : str, optional
            Components to return and their order; by default all.
        start_offset_s, duration_s : float, optional
            Start relative to the origin time and length, s, within the model's window; by default
            the whole window.  The samples are the same as in the whole record.
        quantity : str
            "velocity" (m/s), "acceleration" (m/s2) or "displacement" (m, high-passed at 0.1 Hz),
            see `cgmgm_seis.measures.quantities.in_quantity`.

        Returns
        -------
        obspy.Stream
            One trace per row, realization and component; the location code is the realization
            (00, 01, ..), the channel at 100 Hz HXZ, HXN or HXE, or HNZ .. for acceleration.

        Examples
        --------
        >>> from cgmgm_seis import EvolutionaryCGM, from_points
        >>> model = EvolutionaryCGM.from_pretrained("bay_area_evolutionary")
        >>> stream = model.generate(from_points(4, (37.9, -122.1), [(37.8, -122.2)]), seed=1)
        >>> print(stream[0].id, stream[0].stats.npts)
        SY.V0000.00.HXZ 6000
        """
        parts = self.generate_parts(
            scenario,
            n_realizations,
            seed,
            batch_size,
            extrapolate,
            progress,
            components,
            start_offset_s,
            duration_s,
            quantity,
        )
        return Stream([trace for _, part in parts for trace in part])

    def generate_parts(
        self,
        scenario: pd.DataFrame,
        n_realizations: int = 1,
        seed: int | None = 0,
        batch_size: int | None = None,
        extrapolate: bool | float = False,
        progress: bool = False,
        components: str | None = None,
        start_offset_s: float | None = None,
        duration_s: float | None = None,
        quantity: str = "velocity",
        part_records: int | None = PART_RECORDS,
    ) -> Iterator[tuple[slice, Stream]]:
        """Draw records as ObsPy Streams of some rows at a time, see `sample_parts`.

        Yields
        ------
        slice, obspy.Stream
            Rows of the scenario, one part after the other, and their records as in `generate`.
        """
        scenario = check_scenario(scenario)
        places, samples = self.window.select(components, start_offset_s, duration_s)
        window = self.window.part(places, samples)
        find_quantity(quantity)  # raises an error before the records are drawn
        check_realizations(n_realizations)
        check_codes(scenario, window.duration_s)
        seed = drawn_seed(seed)  # that of None is part of stats.processing
        parts = self.sample_parts(
            scenario, n_realizations, seed, batch_size, extrapolate, progress, part_records
        )
        for rows, waveforms in parts:
            motion = in_quantity(waveforms[:, :, places], self.sampling_rate, quantity)
            yield (
                rows,
                to_stream(
                    motion[..., samples],
                    scenario.iloc[rows],
                    window,
                    processing=(
                        f"cgmgm-seis {__version__}: generate(model={self.name}::weights="
                        f"{self.weights_name}::sha256={self.weights_sha256[:12]}::seed={seed})"
                    ),
                    quantity=quantity,
                ),
            )

    # ---- what every generator can do -------------------------------------------------------

    @property
    def window(self) -> Window:
        """Components, sampling rate, start and length of the records."""
        return Window(self.component_order, self.sampling_rate, self.start_offset_s, self.n_samples)

    @property
    def correlation_length_km(self) -> float:
        """Correlation length between receivers of records of one event, km; 0 for none."""
        return 0.0

    def check_ranges(self, scenario: pd.DataFrame, extrapolate: bool | float = False) -> list[str]:
        """Compare a scenario with the trained ranges and the type of the magnitudes.

        See `check_ranges` and `check_magnitude_types` in `cgmgm_seis.models.conditions`.
        """
        if not self.ranges:
            raise WeightsError(
                f"This {self.name} is untrained; train it or load weights before sampling."
            )
        columns = (*RANGE_COLUMNS, RUPTURE)
        ranges = {column: self.ranges[column] for column in columns if column in self.ranges}
        trained = self.card.get("data", {}).get("magnitude_types") or ("Mw",)
        messages = check_ranges(scenario, ranges, extrapolate)
        return messages + check_magnitude_types(scenario, trained)

    @property
    def travel_times(self) -> TravelTimeTable:
        """First P and S arrivals of the model's region."""
        grid = self.travel_time_grid
        return TravelTimeTable(
            self.travel_time_table.double().cpu().numpy(),
            grid["depth_step_km"],
            grid["distance_step_km"],
        )

    def onsets(self, scenario: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the P and S times of every scenario row, s after the origin time.

        These are the onsets in the records of `sample`; here the times of the 1-D table.
        """
        p, s = self.travel_times.at(scenario["source_depth_km"], scenario["path_ep_distance_km"])
        return p, s
