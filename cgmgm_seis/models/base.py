"""Base class of all generators: a SeisBench model that turns scenarios into records."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from inspect import Parameter, signature
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from cgmgm_seis.models.conditions import training_ranges
from cgmgm_seis.models.devices import check_device
from cgmgm_seis.models.sampling import Batch as Batch
from cgmgm_seis.models.sampling import SamplingModel
from cgmgm_seis.models.step import Step
from cgmgm_seis.scenario.travel_times import TravelTimeTable, bay_area_travel_times
from cgmgm_seis.storage.json_files import plain


class GroundMotionModel(SamplingModel):
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
        if travel_time_grid is None:
            self.register_buffer("travel_time_table", torch.empty(0))
            self.set_travel_times(bay_area_travel_times())
        else:
            self.travel_time_grid = dict(travel_time_grid)
            shape = self.travel_time_grid["shape"]
            self.register_buffer("travel_time_table", torch.zeros(2, *shape))

    # ---- what a generator implements -------------------------------------------------------

    @abstractmethod
    def features(self, waveforms: NDArray[np.float32], scenario: pd.DataFrame) -> dict[str, Tensor]:
        """Turn records (record, component, sample) in m/s into the tensors used in training.

        Records are zero outside their valid spans, see `cgmgm_seis.scenario.spans.valid_spans`.
        """

    @abstractmethod
    def loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the mean loss per record of a batch of features as "loss", and its terms."""

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
