"""Find, describe and load weights of any model by name or path."""

import logging
from pathlib import Path
from typing import Any

from cgmgm_seis.errors import WeightsError, WeightsNotFoundError
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.models.registry import model_class, model_names
from cgmgm_seis.models.weights_files import read_metadata
from cgmgm_seis.storage.files import sha256
from cgmgm_seis.storage.seisbench_cache import PAIR_FILE

logger = logging.getLogger(__name__)


def load_model(name_or_path: str | Path, device: str = "cpu") -> GroundMotionModel:
    """Load a generator from named weights or from a pair of files.

    Parameters
    ----------
    name_or_path : str or pathlib.Path
        A name such as "bay_area", or the path of a pair of files, with or without ``.json``
        or ``.pt``.
    device : str
        "cpu", "cuda", "mps" or "auto", the fastest available.

    Raises
    ------
    WeightsError
        If the weights are missing, damaged or unsafe.
    CgmgmError
        If the device is not available.
    """
    path_json, version = _find(name_or_path)
    metadata = read_metadata(path_json)
    name = metadata.get("model")
    if name is None or name not in model_names():
        raise WeightsError(
            f"{path_json} holds weights of {name or 'an unnamed model'}; the model must be one of "
            f"{', '.join(model_names())}."
        )
    cls = model_class(name)
    base = _without_suffix(path_json)
    if path_json.parent in (cls.bundled_path(), cls.cache_path()):
        cls.warn_of(base.name, path_json)
    model = cls.load(base, version_str=version)
    return model.to_device(device)


def list_weights() -> list[dict[str, Any]]:
    """Return `weights_info` of all named weights, bundled and in SeisBench's cache.

    Damaged weights are skipped and logged.
    """
    found = []
    for model in model_names():
        for name in model_class(model).list_pretrained():
            try:
                found.append(weights_info(name))
            except WeightsError as error:
                logger.warning("%s", error)
    return found


def weights_info(name_or_path: str | Path) -> dict[str, Any]:
    """Describe weights: name, model, version, docstring, card, ranges, files and checksums.

    Returns
    -------
    dict
        "sha256" and "size_bytes" hold one value per file, by file name.
    """
    path_json, version = _find(name_or_path)
    metadata = read_metadata(path_json)
    base = _without_suffix(path_json)
    _, path_pt = GroundMotionModel._get_weights_file_paths(base, version)
    if not path_pt.is_file():
        raise WeightsNotFoundError(f"{path_pt} is missing beside {path_json}.")
    return {
        "name": base.name,
        "model": metadata.get("model"),
        "version": metadata.get("version"),
        "docstring": metadata.get("docstring", ""),
        "model_args": metadata.get("model_args", {}),
        "ranges": metadata.get("model_args", {}).get("ranges", {}),
        "card": metadata.get("card", {}),
        "path": str(base),
        "sha256": {path.name: sha256(path) for path in (path_json, path_pt)},
        "size_bytes": {path.name: path.stat().st_size for path in (path_json, path_pt)},
    }


def _find(name_or_path: str | Path) -> tuple[Path, str | None]:
    """Return the JSON file of the weights, and the version in its file name."""
    path = Path(name_or_path)
    if path.name in ("", ".."):
        raise WeightsError(
            f"Weights '{name_or_path}' must be a name, or the path of a pair of files."
        )
    if match := PAIR_FILE.fullmatch(path.name):
        path, version = path.with_name(match["name"]), match["version"]
    else:
        version = None
    path_json, _ = GroundMotionModel._get_weights_file_paths(path, version)
    if path_json.is_file():
        return path_json, version
    for model in model_names():
        if found := model_class(model).find_pretrained(str(name_or_path)):
            return found
    names = [name for model in model_names() for name in model_class(model).list_pretrained()]
    raise WeightsNotFoundError(
        f"Weights '{name_or_path}' were not found; give one of the names "
        f"{', '.join(names) or '(none)'}, or the path of a pair of files, .json and .pt."
    )


def _without_suffix(path_json: Path) -> Path:
    return path_json.with_name(path_json.name.split(".json")[0])
