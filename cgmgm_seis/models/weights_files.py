"""Write and read models as SeisBench's pairs of weights files."""

import json
import pickle
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from seisbench.models.base import SeisBenchModel

from cgmgm_seis.errors import WeightsError, WeightsNotFoundError, one_line
from cgmgm_seis.models.weights_schema import fault_of
from cgmgm_seis.storage.files import SAVING, sha256
from cgmgm_seis.storage.json_files import finite, read_json
from cgmgm_seis.storage.torch_files import check_torch_file

# The oldest SeisBench that can read the weights, where SeisBench would name the installed one.
OLDEST_SEISBENCH = "0.12.2"


class SavedModel(SeisBenchModel):
    """A SeisBench model whose pair of files also holds a version and a weight card.

    Parameters
    ----------
    citation : str, optional
        Publication to cite.

    Attributes
    ----------
    ranges : dict
        Scenario column to [lowest, highest] value seen in training.
    weights_name : str
        Name of the loaded weights.
    weights_sha256 : str
        Checksum of the ``.pt`` file; empty without weights.
    """

    ranges: dict[str, list[float]]

    def __init__(self, citation: str | None = None) -> None:
        super().__init__(citation=citation)
        # SeisBench's load() expects this attribute of every model.
        self.default_args: dict[str, Any] = {}
        self.weights_name = "untrained"
        self.weights_sha256 = ""

    @property
    def card(self) -> dict[str, Any]:
        """The weight card: training data, seed, epochs, metrics; empty before training."""
        return dict((self._weights_metadata or {}).get("card", {}))

    def save(
        self,
        path: str | Path,
        weights_docstring: str = "",
        version_str: str | None = None,
        card: Mapping[str, Any] | None = None,
    ) -> None:
        """Save as SeisBench's pair of files, ``path.json`` and ``path.pt``.

        The files are complete or absent: they are written under temporary names and renamed.

        Parameters
        ----------
        path : str or pathlib.Path
            Name without suffix.
        weights_docstring : str
            Description of the weights.
        version_str : str, optional
            Appended to the file names as ``.v<version>`` and stored in the JSON.
        card : mapping, optional
            The weight card, plain values only.
        """
        path = Path(path)
        final_json, final_pt = self._get_weights_file_paths(path, version_str)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=SAVING) as folder:
            device = self.device
            self.to("cpu")
            super().save(Path(folder) / path.name, weights_docstring, version_str)
            self.to(device)
            new_json, new_pt = self._get_weights_file_paths(Path(folder) / path.name, version_str)
            metadata = json.loads(new_json.read_bytes())
            metadata["seisbench_requirement"] = OLDEST_SEISBENCH
            metadata |= {
                "model": self.name,
                "version": version_str or "1",
                "card": finite(dict(card) if card is not None else self.card),
            }
            new_json.write_bytes(json.dumps(metadata, indent=1).encode())
            new_pt.replace(final_pt)
            new_json.replace(final_json)

    @classmethod
    def load(cls, path: str | Path, version_str: str | None = None, **kwargs: Any) -> Self:
        """Load a pair of files written by `save`, on the CPU and without unpickling code.

        Raises
        ------
        WeightsNotFoundError
            If a file is missing.
        WeightsError
            If a file is truncated, of another model, or contains pickled code.
        """
        path = Path(path)
        path_json, path_pt = cls._get_weights_file_paths(path, version_str)
        if not path_json.is_file():
            raise WeightsNotFoundError(f"Weights file {path_json} was not found.")
        if not path_pt.is_file():
            raise WeightsNotFoundError(f"{path_pt} is missing beside {path_json}.")
        metadata = read_metadata(path_json)
        if metadata.get("model") != cls._name_internal():
            raise WeightsError(
                f"{path_json} holds weights of {metadata.get('model')}, not of "
                f"{cls._name_internal()}."
            )
        kwargs = {"map_location": "cpu", **kwargs, "weights_only": True}
        check_torch_file(path_pt, WeightsError)
        try:
            with warnings.catch_warnings():
                # torch warns about pickled objects before it refuses them.
                warnings.simplefilter("ignore")
                model = super().load(path, version_str, **kwargs)
            spans = [low <= high for low, high in model.ranges.values()]
        except pickle.UnpicklingError as error:
            raise WeightsError(
                f"{path_pt} is damaged or contains pickled objects; only tensors are allowed."
            ) from error
        except Exception as error:  # torch and constructors raise any kind for wrong content
            raise WeightsError(f"{path_pt} cannot be loaded: {one_line(error)}") from error
        finite = all(tensor.isfinite().all() for tensor in model.state_dict().values())
        if not (finite and all(spans)):
            raise WeightsError(
                f"{path_pt} is damaged: weights must be finite, and ranges must increase."
            )
        model.weights_name = path.name
        model.weights_sha256 = sha256(path_pt)
        return model.eval()


def read_metadata(path: Path) -> dict[str, Any]:
    """Read the JSON file of a pair of weights files.

    Raises
    ------
    WeightsError
        If the file is missing or is not a JSON object, or a field has an impossible value.
    """
    if not path.exists():
        raise WeightsError(f"Weights file {path} was not found.")
    metadata = read_json(path, WeightsError)
    if not isinstance(metadata, dict):
        raise WeightsError(f"{path} must hold a JSON object, not {type(metadata).__name__}.")
    if fault := fault_of(metadata):
        raise WeightsError(f"{path}: {fault}.")
    return metadata
