"""Weights by name: those that come with the package, and those in SeisBench's cache."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

from packaging.version import InvalidVersion, Version
from packaging.version import parse as parse_version

from cgmgm_seis.errors import WeightsError, WeightsNotFoundError, reason_of
from cgmgm_seis.models.weights_card import card_html
from cgmgm_seis.models.weights_files import SavedModel, read_metadata

logger = logging.getLogger(__name__)

LATEST = "latest"


class NamedModel(SavedModel):
    """A model whose weights have names and versions, as those of SeisBench's models.

    Files ``NAME.json.vVERSION`` and ``NAME.pt.vVERSION`` in the folder of the model in SeisBench's
    cache are found by their name, and so are ``NAME.json`` and ``NAME.pt`` with the version in the
    JSON file.  SeisBench renames the latter when it looks for weights; here they stay as they are.
    """

    component_order: str
    sampling_rate: float

    def _repr_html_(self) -> str:
        """Return the weight card, which notebooks show in place of the tree of layers."""
        return card_html(
            {
                "name": self.weights_name,
                "model": self.name,
                "version": self.weights_version or "",
                "docstring": self.weights_docstring or "",
                "ranges": self.ranges,
                "card": self.card,
                "components": f"{' '.join(self.component_order)}, {self.sampling_rate:g} Hz",
                "citation": self.citation,
            }
        )

    @classmethod
    def bundled_path(cls) -> Path:
        """Return the folder of the weights that come with the package."""
        return Path(str(files("cgmgm_seis.models") / "bundled" / cls._name_internal().lower()))

    @classmethod
    def cache_path(cls) -> Path:
        """Return the folder of the model's weights in SeisBench's cache."""
        return Path(cls._model_path())

    @classmethod
    def from_pretrained(
        cls,
        name: str,
        version_str: str = LATEST,
        update: bool = False,
        force: bool = False,
        wait_for_file: bool = False,
    ) -> Self:
        """Load named weights, those bundled with the package or in SeisBench's cache.

        Nothing is downloaded unless `update` or `force` is set.

        Parameters
        ----------
        name : str
            Name of the weights.
        version_str : str
            Version, or "latest", the highest one that is available locally.
        update : bool
            Download the version from SeisBench's repository if it is not available locally.
        force, wait_for_file : bool
            What to do about an incomplete download: begin again, or wait for it.

        Raises
        ------
        WeightsNotFoundError
            If no weights have that name and version; the message lists the available ones.
        WeightsError
            If they are damaged, or SeisBench's repository cannot be reached.
        """
        if update or force:
            cls._download(name, version_str, force, wait_for_file)
        found = cls.find_pretrained(name, version_str)
        if found is None:
            versions = ", ".join(cls.list_versions(name))
            known = f"versions {versions} of it" if versions else ", ".join(cls.list_pretrained())
            raise WeightsNotFoundError(
                f"{cls._name_internal()} has no weights '{name}' (version {version_str}); "
                f"available are {known or 'none'}."
            )
        path_json, suffix = found
        cls.warn_of(name, path_json)
        return cls.load(path_json.with_name(name), version_str=suffix)

    @classmethod
    def find_pretrained(
        cls, name: str, version_str: str = LATEST
    ) -> tuple[Path, str | None] | None:
        """Return the JSON file of local weights and the version in its name, or None."""
        found = cls._local(name)
        if version_str == LATEST and found:
            version_str = max(found, key=version_order)
        return found.get(version_str)

    @classmethod
    def list_pretrained(cls, details: bool = False, remote: bool = False) -> Any:
        """List the locally available weights: bundled and in SeisBench's cache.

        Parameters
        ----------
        details : bool
            Return a dictionary of name to docstring instead of a list.
        remote : bool
            Include SeisBench's repository, over the network.
        """
        names = {
            name
            for folder in (cls.bundled_path(), cls.cache_path())
            for path in folder.glob("*.json*")
            if (name := cls._parse_weight_filename(path.name)[0]) and cls._local(name)
        }
        texts = {name: cls._docstring(name) for name in names} if details else dict.fromkeys(names)
        if remote:
            with _network():
                further = set(super().list_pretrained(remote=True)) - names
                texts |= {name: cls._get_latest_docstring(name, remote=True) for name in further}
        texts = dict(sorted(texts.items()))
        return texts if details else list(texts)

    @classmethod
    def list_versions(cls, name: str, remote: bool = False) -> list[str]:
        """List the locally available versions of weights, the lowest first.

        Parameters
        ----------
        name : str
            Name of the weights.
        remote : bool
            Include SeisBench's repository, over the network.
        """
        versions = set(cls._local(name))
        if remote:
            versions |= cls._remote_versions(name)
        return sorted(versions, key=version_order)

    @classmethod
    def warn_of(cls, name: str, path_json: Path) -> None:
        """Log the warnings about named weights that the class lists in ``_weight_warnings``.

        Each is a regular expression of names, a version and a text, for example of weights that
        were recalled.  SeisBench's own log is off on the command line.
        """
        version = _version_in(path_json)
        for pattern, warned, text in cls._weight_warnings:
            if re.fullmatch(pattern, name) and warned == version:
                logger.warning("Weight version warning: %s", text)

    @classmethod
    def _local(cls, name: str) -> dict[str, tuple[Path, str | None]]:
        """Return the JSON file of local weights, and the version in its name, by version.

        Files of the package come before those in the cache, and there, as in SeisBench, those
        without a version in their name before others.
        """
        found: dict[str, tuple[Path, str | None]] = {}
        for folder in (cls.cache_path(), cls.bundled_path()):
            paths = [path for path in folder.glob("*.json*") if path.is_file()]
            for path in sorted(paths, key=lambda path: path.name, reverse=True):
                parsed, kind, version = cls._parse_weight_filename(path.name)
                if parsed == name and kind == "json":
                    found[version or _version_in(path)] = path, version
        return found

    @classmethod
    def _docstring(cls, name: str) -> str:
        """Return the description of the latest local version of weights, empty if damaged."""
        try:
            found = cls.find_pretrained(name)
            return str(read_metadata(found[0]).get("docstring", "")) if found else ""
        except WeightsError:
            return ""

    @classmethod
    def _remote_versions(cls, name: str) -> set[str]:
        """Return the versions of weights in SeisBench's repository, over the network."""
        with _network():
            try:
                return set(super().list_versions(name, remote=True))
            except ValueError as error:
                if "404" in str(error):  # the repository has no folder of this model
                    return set()
                raise

    @classmethod
    def _download(cls, name: str, version_str: str, force: bool, wait_for_file: bool) -> None:
        """Download weights of SeisBench's repository into the cache, unless they are there."""
        remote = cls._remote_versions(name)
        if version_str == LATEST:
            version_str = max({*remote, *cls._local(name)}, key=version_order, default=LATEST)
        if version_str in cls._local(name) or version_str not in remote:
            return
        paths = cls._pretrained_path(name, version_str)
        with _network():
            cls._ensure_weight_files(name, version_str, *paths, force, wait_for_file)


def version_order(version: str) -> tuple[bool, Version | str]:
    """Return the sort key of versions; texts that are no versions come first.

    Examples
    --------
    >>> sorted(["10", "2", "draft"], key=version_order)
    ['draft', '2', '10']
    """
    try:
        return True, parse_version(version)
    except InvalidVersion:
        return False, version


def _version_in(path_json: Path) -> str:
    """Return the version in a JSON file; 1, as in SeisBench, if there is none or it is damaged."""
    try:
        return str(read_metadata(path_json).get("version", "1"))
    except WeightsError:
        return "1"


@contextmanager
def _network() -> Iterator[None]:
    """Turn errors of SeisBench's downloads into one sentence."""
    try:
        yield
    except Exception as error:  # requests, urllib and SeisBench raise several kinds of errors
        raise WeightsError(
            f"SeisBench's repository of weights cannot be used ({reason_of(error)}); without "
            "update=True, force=True and remote=True, local weights are used."
        ) from error
