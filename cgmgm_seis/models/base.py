"""Base class of all generators: a SeisBench model that turns scenarios into records."""

import math
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from inspect import Parameter, signature
from typing import Any, ClassVar, Self

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
    check_magnitude_types,
    check_ranges,
    training_ranges,
)
from cgmgm_seis.models.devices import check_device
from cgmgm_seis.models.extrapolation import compare_extrapolated
from cgmgm_seis.models.spectral import SpectralModel
from cgmgm_seis.models.step import Step
from cgmgm_seis.scenario.quantities import find_quantity
from cgmgm_seis.scenario.seeding import Realization, drawn_seed, record_keys
from cgmgm_seis.scenario.streams import to_stream
from cgmgm_seis.scenario.table import check_scenario
from cgmgm_seis.scenario.travel_times import TravelTimeTable, bay_area_travel_times
from cgmgm_seis.scenario.window import Window
from cgmgm_seis.storage.json_files import plain

Batch = Mapping[str, Tensor]


class GroundMotionModel(SpectralModel, ConditionedModel):
    """Base class of the generators.

    A new generator implements `conditions`, `numbers` and `forward`, which draw a batch of records,
    and `features` and `loss`, which train it; every argument of its constructor is an attribute of
    the same name.  Sampling, streams, files, training, tuning, evaluation, maps and the command
    line then work with it unchanged, once it is listed in `cgmgm_seis.models.registry`.

    Parameters
    ----------
    component_order : str
        Components and their order, for example "ZNE" or "E".
    sampling_rate : float
        Samples per second of the records, Hz.
    start_offset_s : float
        Start of the records relative to the origin time, seconds.
    n_samples : int
        Length of the records, samples.
    ranges : mapping, optional
        Scenario column to [lowest, highest] value seen in training; set by training.
    travel_time_grid : mapping, optional
        Steps and shape of the travel-time table; by default that of the Bay Area.
    citation : str, optional
        Publication to cite.

    Attributes
    ----------
    sampling_batch_size : int
        Records that `sample` draws at once by default.
    training_defaults : mapping
        Settings of `cgmgm_seis.training.config.TrainingConfig` that replace its defaults for this
        model.
    training_with : mapping
        Arguments that are flags, and the settings that also replace the defaults where they are
        set.
    from_data : tuple of str
        Arguments of the constructor that are set from the training data.
    search_space : mapping
        Default search space: name of an argument or of a setting to a list of values, or
        to ``{"from": low, "to": high}``, see `cgmgm_seis.tuning.space.SearchSpace`.
    not_searched : tuple of str
        Arguments that a search must not vary, since scores would not be comparable.
    train_options : mapping
        Options of ``cgmgm-seis train`` that belong to the model, and the arguments they set.
    adjustable : tuple of str
        Arguments that may change when trained weights are trained further.
    uses_spans : bool
        Whether training uses valid samples only (`cgmgm_seis.scenario.spans`); otherwise records
        that fill only a part of the window are left out.
    uses_progress : bool
        Whether the loss depends on `Step.progress`.  If not, and with the schedule "step", a run
        can be resumed with more epochs.
    """

    sampling_batch_size: ClassVar[int] = 64
    training_defaults: ClassVar[Mapping[str, Any]] = {}
    training_with: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    from_data: ClassVar[tuple[str, ...]] = ("ranges", "travel_time_grid")
    search_space: ClassVar[Mapping[str, Any]] = {}
    not_searched: ClassVar[tuple[str, ...]] = (
        "component_order",
        "sampling_rate",
        "start_offset_s",
        "n_samples",
    )
    train_options: ClassVar[Mapping[str, str]] = {}
    adjustable: ClassVar[tuple[str, ...]] = ()
    uses_spans: ClassVar[bool] = False
    uses_progress: ClassVar[bool] = True

    def __init__(
        self,
        component_order: str = "ZNE",
        sampling_rate: float = 100.0,
        start_offset_s: float = -5.0,
        n_samples: int = 6000,
        ranges: Mapping[str, Sequence[float]] | None = None,
        travel_time_grid: Mapping[str, Any] | None = None,
        citation: str | None = None,
    ) -> None:
        super().__init__(citation=citation)
        self.component_order = component_order
        self.sampling_rate = sampling_rate
        self.start_offset_s = start_offset_s
        self.n_samples = n_samples
        self.ranges = {column: list(limits) for column, limits in (ranges or {}).items()}
        self.travel_time_table: Tensor
        if travel_time_grid is None:
            self.register_buffer("travel_time_table", torch.empty(0))
            self.set_travel_times(bay_area_travel_times())
        else:
            self.travel_time_grid = dict(travel_time_grid)
            shape = self.travel_time_grid["shape"]
            self.register_buffer("travel_time_table", torch.zeros(2, *shape))

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

    @abstractmethod
    def features(self, waveforms: NDArray[np.float32], scenario: pd.DataFrame) -> dict[str, Tensor]:
        """Turn records (record, component, sample) in m/s into the tensors used in training.

        Records are zero outside their valid spans, see `cgmgm_seis.scenario.spans.valid_spans`.
        """

    @abstractmethod
    def loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the mean loss per record of a batch of features as "loss", and its terms."""

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

    @torch.no_grad()
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
        if n_realizations < 1:
            raise ScenarioError(f"n_realizations = {n_realizations} must be at least 1.")
        seed = drawn_seed(seed)
        scenario = check_scenario(scenario)
        self.check_ranges(scenario, extrapolate)
        shape = (len(scenario), n_realizations, len(self.component_order), self.n_samples)
        waveforms = np.empty(shape, dtype=np.float32)
        flat = waveforms.reshape(-1, *shape[2:])
        draw, first = self.sampler(), 0
        with tqdm(total=len(flat), desc="Records", unit="rec", disable=not progress) as bar:
            for batch in self.inputs(scenario, n_realizations, seed, batch_size):
                records = draw(batch).cpu().numpy()
                flat[first : first + len(records)] = records
                first += len(records)
                bar.update(len(records))
        if MAGNITUDE in self.ranges and extrapolate != math.inf:
            compare_extrapolated(waveforms, scenario, self.window, self.ranges[MAGNITUDE])
        return waveforms

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

    # ---- training --------------------------------------------------------------------------

    @classmethod
    def searched(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the arguments and settings of a trial of a search, where some limit others."""
        return settings

    @classmethod
    def default_settings(cls, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the default settings of the training of a model with some arguments."""
        found = dict(cls.training_defaults)
        for flag, settings in cls.training_with.items():
            if arguments.get(flag):
                found |= settings
        return found

    def fit_normalisation(self, waveforms: NDArray[np.float32], scenario: pd.DataFrame) -> None:
        """Set the ranges (and scaling in a subclass) from the records of the training split."""
        self.ranges = training_ranges(scenario)

    def after_training(self, batches: Iterable[Batch]) -> dict[str, Any]:
        """Estimate what needs the trained model, such as a calibration, from the training records.

        Parameters
        ----------
        batches : iterable
            Features of the training split.

        Returns
        -------
        dict
            Entries for the weight card.
        """
        return {}

    def score(self, losses: Mapping[str, float]) -> float:
        """Return the score that compares trainings with different settings; lower is better.

        Parameters
        ----------
        losses : mapping
            Values returned by `loss`, averaged over a split.
        """
        return losses["loss"]

    # ---- what every generator can do -------------------------------------------------------

    @property
    def window(self) -> Window:
        """Components, sampling rate, start and length of the records."""
        return Window(self.component_order, self.sampling_rate, self.start_offset_s, self.n_samples)

    @property
    def correlation_length_km(self) -> float:
        """Correlation length between receivers of records of one event, km; 0 for none."""
        return 0.0

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
        scenario = check_scenario(scenario)
        rows, samples = self.window.select(components, start_offset_s, duration_s)
        find_quantity(quantity)  # raises an error before the records are drawn
        seed = drawn_seed(seed)  # that of None is part of stats.processing
        waveforms = self.sample(scenario, n_realizations, seed, batch_size, extrapolate, progress)
        motion = in_quantity(waveforms[:, :, rows], self.sampling_rate, quantity)
        return to_stream(
            motion[..., samples],
            scenario,
            self.window.part(rows, samples),
            processing=(
                f"cgmgm-seis {__version__}: generate(model={self.name}::weights="
                f"{self.weights_name}::sha256={self.weights_sha256[:12]}::seed={seed})"
            ),
            quantity=quantity,
        )

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

    def to_device(self, device: str) -> Self:
        """Move the model to "cpu", "cuda", "mps", .., or with "auto" to the fastest available.

        Raises
        ------
        CgmgmError
            If the device is not available.
        """
        if device == "auto":
            self.to_preferred_device()
            return self
        check_device(device)
        return self.to(torch.device(device))

    def set_travel_times(self, table: TravelTimeTable) -> None:
        """Replace the table of travel times, for a model of another region."""
        self.travel_time_table = torch.as_tensor(table.times).to(self.travel_time_table)
        self.travel_time_grid = {
            "depth_step_km": table.depth_step_km,
            "distance_step_km": table.distance_step_km,
            "shape": list(table.times.shape[1:]),
        }

    # ---- arguments -------------------------------------------------------------------------

    @classmethod
    def arguments(cls) -> dict[str, Any]:
        """Return the arguments of the constructor and their defaults, the base class's first.

        Examples
        --------
        >>> from cgmgm_seis import CGMGM
        >>> CGMGM.arguments()["sampling_rate"], CGMGM.arguments()["n_latents"]
        (100.0, 32)
        """
        found: dict[str, Any] = {}
        for base in cls.__mro__:
            parameters = signature(base).parameters.values()
            named = {
                parameter.name: parameter.default
                for parameter in parameters
                if parameter.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
            }
            found = {**named, **found}
            if all(parameter.kind != Parameter.VAR_KEYWORD for parameter in parameters):
                break  # the base class gets no further arguments
        return found

    def get_model_args(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain Python, as SeisBench saves them."""
        return {name: plain(getattr(self, name)) for name in self.arguments()}
