"""The contract every generator keeps: a SeisBench model that turns scenarios into records."""

import hashlib
import json
import pickle
import tempfile
import warnings
import zipfile
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from obspy import Stream
from packaging.version import parse
from seisbench.models.base import SeisBenchModel
from torch import Tensor
from tqdm import tqdm

from cgmgm_seis.errors import CgmgmError, ScenarioError, WeightsError
from cgmgm_seis.models.collectives import Share
from cgmgm_seis.models.conditions import RANGE_COLUMNS, check_ranges, training_ranges
from cgmgm_seis.scenario.streams import to_stream
from cgmgm_seis.scenario.table import check_scenario
from cgmgm_seis.scenario.travel_times import TravelTimeTable, bay_area_travel_times
from cgmgm_seis.scenario.window import Window

Batch = Mapping[str, Tensor]


class GroundMotionModel(SeisBenchModel):
    """Base class of the generators.

    A new generator implements `sample`, `features` and `loss`; streams, files, training and
    the command line then work with it unchanged.

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
        Steps and shape of the table of travel times; by default the Bay Area's table.
    citation : str, optional
        What to cite.
    """

    # Settings of `cgmgm_seis.training.config.TrainingConfig` that suit the model better than its
    # defaults.
    training_defaults: ClassVar[Mapping[str, Any]] = {}

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
        # SeisBench's load() expects this attribute of every model.
        self.default_args: dict[str, Any] = {}
        # Share of the epochs that are done, for losses that change on the way; set by training.
        self.training_progress = 1.0
        # Rows of the batch that `loss` gets, where several processes share it; set by training.
        self.share: Share | None = None
        self.weights_name = "untrained"
        self.weights_sha256 = ""
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
    def sample(
        self,
        scenario: pd.DataFrame,
        n_realizations: int = 1,
        seed: int = 0,
        batch_size: int | None = None,
        extrapolate: bool = False,
        progress: bool = False,
    ) -> NDArray[np.float32]:
        """Draw records.

        Parameters
        ----------
        scenario : pandas.DataFrame
            Scenario table, see `cgmgm_seis.scenario.table`.
        n_realizations : int
            Records drawn per row.
        seed : int
            The same seed, row and realization give the same samples (to rounding), whatever
            the batch size, order or other rows.
        batch_size : int, optional
            Records drawn at once; affects memory and speed only.
        extrapolate : bool
            Warn instead of raising where the scenario leaves the trained range.
        progress : bool
            Show a progress bar.

        Returns
        -------
        numpy.ndarray
            Velocity, m/s, float32, shape (record, realization, component, sample).
        """

    @abstractmethod
    def features(self, waveforms: NDArray[np.float32], scenario: pd.DataFrame) -> dict[str, Tensor]:
        """Turn records (record, component, sample) in m/s into the tensors of training."""

    @abstractmethod
    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the mean loss per record of a batch of features as "loss", and its parts."""

    # ---- what their `sample` shares ---------------------------------------------------------

    def _checked(
        self, scenario: pd.DataFrame, n_realizations: int, extrapolate: bool
    ) -> pd.DataFrame:
        """Return the checked scenario, or say what cannot be drawn."""
        if n_realizations < 1:
            raise ScenarioError(f"n_realizations = {n_realizations} is not allowed; 1 or more.")
        scenario = check_scenario(scenario)
        self.check_ranges(scenario, extrapolate)
        return scenario

    def _in_batches(
        self,
        n_records: int,
        n_realizations: int,
        batch_size: int,
        progress: bool,
        draw: Callable[[list[tuple[int, int]]], NDArray[np.float32]],
    ) -> NDArray[np.float32]:
        """Fill (record, realization, component, sample) by drawing some (row, realization)."""
        pairs = [(row, k) for row in range(n_records) for k in range(n_realizations)]
        shape = (n_records, n_realizations, len(self.component_order), self.n_samples)
        waveforms = np.empty(shape, dtype=np.float32)
        flat = waveforms.reshape(-1, *shape[2:])
        with tqdm(total=len(pairs), desc="Records", unit="rec", disable=not progress) as bar:
            for start in range(0, len(pairs), batch_size):
                part = pairs[start : start + batch_size]
                flat[start : start + batch_size] = draw(part)
                bar.update(len(part))
        return waveforms

    # ---- training --------------------------------------------------------------------------

    def fit_normalisation(self, waveforms: NDArray[np.float32], scenario: pd.DataFrame) -> None:
        """Take ranges (and a subclass's scaling) from the records of the training split."""
        self.ranges = training_ranges(scenario)

    def after_training(self, batches: Iterable[Batch]) -> dict[str, Any]:
        """Estimate what only the trained model can tell of its training records.

        Parameters
        ----------
        batches : iterable
            Features of the training split.

        Returns
        -------
        dict
            For the weight card.
        """
        return {}

    def score(self, losses: Mapping[str, float]) -> float:
        """Return what to compare trainings with other settings by; the smaller, the better.

        Parameters
        ----------
        losses : mapping
            Means over a split of what `loss` returns.
        """
        return losses["loss"]

    def _normal(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """Return standard normal numbers like a tensor (record, ..) of the batch."""
        return self._own_rows(self._whole(like).normal_(generator=generator))

    def _uniform(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """Return numbers between 0 and 1 like a tensor (record, ..) of the batch."""
        return self._own_rows(self._whole(like).uniform_(generator=generator))

    def _whole(self, like: Tensor) -> Tensor:
        n_records = len(like) if self.share is None else self.share.total
        return like.new_empty(n_records, *like.shape[1:])

    def _own_rows(self, whole: Tensor) -> Tensor:
        return whole if self.share is None else whole[self.share.first : self.share.last]

    # ---- what every generator can do -------------------------------------------------------

    @property
    def window(self) -> Window:
        """Components, sampling rate, start and length of the records."""
        return Window(self.component_order, self.sampling_rate, self.start_offset_s, self.n_samples)

    @property
    def correlation_length_km(self) -> float:
        """Length over which records of an event correlate between receivers, km; 0: none."""
        return 0.0

    def generate(
        self,
        scenario: pd.DataFrame,
        n_realizations: int = 1,
        seed: int = 0,
        batch_size: int | None = None,
        extrapolate: bool = False,
        progress: bool = False,
        components: str | None = None,
        start_offset_s: float | None = None,
        duration_s: float | None = None,
    ) -> Stream:
        """Draw records as an ObsPy Stream.

        Parameters
        ----------
        scenario, n_realizations, seed, batch_size, extrapolate, progress
            As in `sample`.
        components : str, optional
            Those wanted and their order; by default all.
        start_offset_s, duration_s : float, optional
            Start relative to the origin time and length, s, within the model's window, by default
            all of it.  The samples are those of the whole record.

        Returns
        -------
        obspy.Stream
            One trace per row, realization and component, velocity in m/s; the location code
            is the realization (00, 01, ..), the channel HXZ, HXN or HXE at 100 Hz.

        Examples
        --------
        >>> from cgmgm_seis import EvolutionaryCGM, from_points
        >>> model = EvolutionaryCGM.from_pretrained("bay_area_evolutionary")
        >>> stream = model.generate(from_points(4, (37.9, -122.1), [(37.8, -122.2)]), seed=1)
        >>> print(stream[0].id, stream[0].stats.npts)
        SY.V0000.00.HXZ 6000
        """
        scenario = check_scenario(scenario)
        rows, samples = self._window(components, start_offset_s, duration_s)
        waveforms = self.sample(scenario, n_realizations, seed, batch_size, extrapolate, progress)
        return to_stream(
            waveforms[:, :, rows, samples],
            scenario,
            self.window.part(rows, samples),
        )

    def _window(
        self, components: str | None, start_offset_s: float | None, duration_s: float | None
    ) -> tuple[list[int], slice]:
        """Return the rows and samples of a part of the model's window."""
        wanted = self.component_order if components is None else components
        if not wanted or len(set(wanted)) < len(wanted) or set(wanted) - set(self.component_order):
            raise CgmgmError(
                f"components = '{wanted}' are not to be had; some of {self.component_order}, each "
                f"once, are."
            )
        start = self.start_offset_s if start_offset_s is None else start_offset_s
        first = round((start - self.start_offset_s) * self.sampling_rate)
        last = self.n_samples
        if duration_s is not None:
            last = first + round(duration_s * self.sampling_rate)
        if not 0 <= first < last <= self.n_samples:
            end = self.start_offset_s + self.n_samples / self.sampling_rate
            length = "the rest" if duration_s is None else f"{duration_s:g} s"
            raise CgmgmError(
                f"{length} from {start:g} s after the origin on leaves the window of the model, "
                f"{self.start_offset_s:g} to {end:g} s."
            )
        return [self.component_order.index(component) for component in wanted], slice(first, last)

    def check_ranges(self, scenario: pd.DataFrame, extrapolate: bool = False) -> list[str]:
        """Compare a scenario with the trained ranges; see `cgmgm_seis.models.conditions`."""
        if not self.ranges:
            raise WeightsError(
                f"This {self.name} has 0 trained ranges; train it or load weights before sampling."
            )
        ranges = {column: self.ranges[column] for column in RANGE_COLUMNS if column in self.ranges}
        return check_ranges(scenario, ranges, extrapolate)

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

        Where the records of `sample` begin to move; here those of the 1-D table.
        """
        p, s = self.travel_times.at(scenario["source_depth_km"], scenario["path_ep_distance_km"])
        return p, s

    def to_device(self, device: str) -> Self:
        """Move the model to "cpu", "cuda", "mps", .., or with "auto" to the fastest at hand.

        Raises
        ------
        CgmgmError
            If there is no such device.
        """
        if device == "auto":
            self.to_preferred_device()
            return self
        try:
            if torch.device(device).type == "meta":
                raise RuntimeError("a device without memory")
            return self.to(torch.device(device))
        except (RuntimeError, AssertionError) as error:
            raise CgmgmError(f"Device '{device}' is not available here; cpu always is.") from error

    def set_travel_times(self, table: TravelTimeTable) -> None:
        """Replace the table of travel times, for a model of another region."""
        self.travel_time_table = torch.tensor(table.times, dtype=torch.float32)
        self.travel_time_grid = {
            "depth_step_km": table.depth_step_km,
            "distance_step_km": table.distance_step_km,
            "shape": list(table.times.shape[1:]),
        }

    # ---- SeisBench's weights ---------------------------------------------------------------

    @property
    def card(self) -> dict[str, Any]:
        """The weight card: training data, seed, epochs, metrics; empty before training."""
        return dict((self._weights_metadata or {}).get("card", {}))

    def get_model_args(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain Python, as SeisBench saves them."""
        return {
            "component_order": self.component_order,
            "sampling_rate": self.sampling_rate,
            "start_offset_s": self.start_offset_s,
            "n_samples": self.n_samples,
            "ranges": self.ranges,
            "travel_time_grid": self.travel_time_grid,
            "citation": self._citation,
        }

    def save(
        self,
        path: str | Path,
        weights_docstring: str = "",
        version_str: str | None = None,
        card: Mapping[str, Any] | None = None,
    ) -> None:
        """Save as SeisBench's pair of files, ``path.json`` and ``path.pt``.

        The files are complete or absent: they are written under other names and renamed.

        Parameters
        ----------
        path : str or pathlib.Path
            Name without suffix.
        weights_docstring : str
            Text that says what the weights are.
        version_str : str, optional
            Appended to the file names as ``.v<version>`` and stored in the JSON.
        card : mapping, optional
            The weight card, plain values only.
        """
        path = Path(path)
        final_json, final_pt = self._get_weights_file_paths(path, version_str)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".saving-") as folder:
            device = self.device
            self.to("cpu")
            super().save(Path(folder) / path.name, weights_docstring, version_str)
            self.to(device)
            new_json, new_pt = self._get_weights_file_paths(Path(folder) / path.name, version_str)
            metadata = json.loads(new_json.read_text())
            metadata |= {
                "model": self.name,
                "version": version_str or "1",
                "card": dict(card) if card is not None else self.card,
            }
            new_json.write_text(json.dumps(metadata, indent=1))
            new_pt.replace(final_pt)
            new_json.replace(final_json)

    @classmethod
    def load(cls, path: str | Path, version_str: str | None = None, **kwargs: Any) -> Self:
        """Load a pair of files written by `save`, on the CPU and never unpickling code.

        Raises
        ------
        WeightsError
            If a file is missing, truncated, of another model, or holds pickled code.
        """
        path = Path(path)
        path_json, path_pt = cls._get_weights_file_paths(path, version_str)
        metadata = read_metadata(path_json)
        if metadata.get("model") != cls._name_internal():
            raise WeightsError(
                f"{path_json} holds weights of {metadata.get('model')}; "
                f"{cls._name_internal()} can load its own only."
            )
        kwargs = {"map_location": "cpu", **kwargs, "weights_only": True}
        try:
            with warnings.catch_warnings():
                # torch warns of foreign pickles before it refuses them.
                warnings.simplefilter("ignore")
                model = super().load(path, version_str, **kwargs)
            spans = [low <= high for low, high in model.ranges.values()]
        except FileNotFoundError as error:
            raise WeightsError(f"{error.filename} is missing beside {path_json}.") from error
        except pickle.UnpicklingError as error:
            raise WeightsError(
                f"{path_pt} is damaged or holds pickled objects; only tensors are allowed."
            ) from error
        except (
            RuntimeError,
            EOFError,
            zipfile.BadZipFile,
            TypeError,
            KeyError,
            ValueError,
        ) as error:
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise WeightsError(f"{path_pt} cannot be loaded: {reason}") from error
        finite = all(tensor.isfinite().all() for tensor in model.state_dict().values())
        if not (finite and all(spans)):
            raise WeightsError(f"{path_pt} holds NaN, or its ranges do not rise; it is damaged.")
        model.weights_name = path.name
        model.weights_sha256 = sha256(path_pt)
        return model.eval()

    @classmethod
    def bundled_path(cls) -> Path:
        """Return the folder of the weights that come with the package."""
        return Path(str(files("cgmgm_seis.models") / "bundled" / cls._name_internal().lower()))

    @classmethod
    def from_pretrained(
        cls,
        name: str,
        version_str: str = "latest",
        update: bool = False,
        force: bool = False,
        wait_for_file: bool = False,
    ) -> Self:
        """Load named weights: those bundled with the package first, then SeisBench's cache.

        Nothing is downloaded unless `update` or `force` asks for it; parameters as in
        `seisbench.models.base.SeisBenchModel.from_pretrained`.

        Raises
        ------
        WeightsError
            If there are no such weights; the message lists the names there are.
        """
        if update or force:
            return super().from_pretrained(name, version_str, update, force, wait_for_file)
        found = cls.find_pretrained(name, version_str)
        if found is None:
            raise WeightsError(
                f"{cls._name_internal()} has no weights '{name}' (version {version_str}); "
                f"there are {', '.join(cls.list_pretrained()) or 'none'}."
            )
        path_json, version_str = found
        return cls.load(path_json.with_name(name), version_str=version_str)

    @classmethod
    def find_pretrained(cls, name: str, version_str: str = "latest") -> tuple[Path, str] | None:
        """Return the JSON file and version of named weights at hand, or None."""
        for folder in (cls.bundled_path(), cls._model_path()):
            versions = _versions(folder, name)
            if version_str != "latest":
                versions = [version for version in versions if version == version_str]
            if versions:
                latest = max(versions, key=parse)
                return cls._get_weights_file_paths(folder / name, latest)[0], latest
        return None

    @classmethod
    def list_pretrained(cls, details: bool = False, remote: bool = False) -> Any:
        """List the weights at hand: bundled and in SeisBench's cache.

        Parameters
        ----------
        details : bool
            Return a dict of name to docstring instead of a list.
        remote : bool
            Also ask SeisBench's repository, over the network.
        """
        names = {
            path.name.split(".json.v")[0]
            for folder in (cls.bundled_path(), cls._model_path())
            for path in folder.glob("*.json.v*")
        }
        found = [cls.find_pretrained(name) for name in names]
        texts: dict[str, str] = {
            path.name.split(".json.v")[0]: read_metadata(path).get("docstring", "")
            for path, _ in filter(None, found)
        }
        if remote:
            texts = {**super().list_pretrained(details=True, remote=True), **texts}
        texts = dict(sorted(texts.items()))
        return texts if details else list(texts)


def read_metadata(path: Path) -> dict[str, Any]:
    """Read the JSON file of a pair of weights files, or say what is wrong with it."""
    try:
        metadata = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise WeightsError(f"There is no weights file {path}.") from error
    except (ValueError, OSError) as error:
        raise WeightsError(f"{path} is not a readable JSON file: {error}.") from error
    if not isinstance(metadata, dict):
        raise WeightsError(f"{path} holds {type(metadata).__name__}, a JSON object is needed.")
    return metadata


def sha256(path: Path) -> str:
    """Return the SHA-256 checksum of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _versions(folder: Path, name: str) -> list[str]:
    prefix = f"{name}.json.v"
    names = [path.name for path in folder.glob("*.json.v*")]
    return [found.removeprefix(prefix) for found in names if found.startswith(prefix)]
