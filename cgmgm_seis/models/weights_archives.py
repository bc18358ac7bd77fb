"""Sharing weights: archives with card, licence and checksums, and their installation."""

import hashlib
import json
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, build_opener

from packaging.version import InvalidVersion
from packaging.version import parse as parse_version

from cgmgm_seis import __version__
from cgmgm_seis.errors import WeightsError, WeightsNotFoundError, reason_of
from cgmgm_seis.models.registry import model_class
from cgmgm_seis.models.weights import load_model, weights_info
from cgmgm_seis.models.weights_card import card_markdown
from cgmgm_seis.models.weights_files import read_metadata
from cgmgm_seis.storage.bounded_answers import BoundedAnswers
from cgmgm_seis.storage.files import sha256, write_file
from cgmgm_seis.storage.folders import check_new
from cgmgm_seis.storage.seisbench_cache import PAIR_FILE, check_kept

NAME = re.compile(r"[A-Za-z0-9_-]+")
# The largest download and content of an archive, bytes.
MOST_BYTES = 2 * 2**30
_TIMEOUT_S = 60.0


# ---- packing -----------------------------------------------------------------------------------


def pack_weights(
    name_or_path: str | Path,
    license_id: str,
    out: str | Path | None = None,
    name: str | None = None,
    version: str | None = None,
    overwrite: bool = False,
) -> tuple[Path, str]:
    """Write weights as one archive for Zenodo, Hugging Face or a web server.

    The archive contains the pair of files, the card as ``README.md``, ``LICENSE`` and
    ``SHA256SUMS``.  The same weights give the same archive.

    Parameters
    ----------
    name_or_path : str or pathlib.Path
        Weights, as in `cgmgm_seis.load_model`.
    license_id : str
        SPDX identifier of the licence of the weights, for example "CC-BY-4.0".
    out : str or pathlib.Path, optional
        The archive; by default NAME-vVERSION.zip.
    name, version : str, optional
        Name and version of the packed weights; by default those they have.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    pathlib.Path, str
        The archive and its SHA-256 checksum.

    Raises
    ------
    WeightsError
        If the weights cannot be loaded, or a name or version is not valid.
    OutputError
        If the archive exists or cannot be written.
    """
    load_model(name_or_path)  # weights that do not load are not shared
    info = weights_info(name_or_path)
    name, version = name or info["name"], version or str(info["version"])
    _check_names(name, version)
    if not re.fullmatch(r"[A-Za-z0-9.+-]+", license_id):
        raise WeightsError(
            f"license = '{license_id}' must be an SPDX identifier such as CC-BY-4.0."
        )
    out = Path(out or f"{name}-v{version}.zip")
    check_new(out, overwrite)
    path_json, path_pt = (Path(info["path"]).with_name(file) for file in info["sha256"])
    metadata = read_metadata(path_json)
    card = metadata.get("card", {}) | {"license": license_id}
    metadata |= {"version": version, "card": card}
    contents = {
        f"{name}.json.v{version}": json.dumps(metadata, indent=1).encode(),
        f"{name}.pt.v{version}": path_pt.read_bytes(),
        "README.md": card_markdown(info | {"name": name, "version": version}, license_id).encode(),
        "LICENSE": (
            f"The weights {name} are licensed under {license_id}.\n"
            f"Text of the licence: https://spdx.org/licenses/{license_id}.html\n"
        ).encode(),
    }
    sums = [f"{hashlib.sha256(content).hexdigest()}  {file}" for file, content in contents.items()]
    contents["SHA256SUMS"] = ("\n".join(sums) + "\n").encode()
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for file, content in contents.items():
            # A fixed time, and no compression, which differs between versions of zlib: the same
            # weights give the same checksum.
            archive.writestr(zipfile.ZipInfo(f"{name}-v{version}/{file}"), content)
    write_file(out, buffer.getvalue())
    return out, sha256(out)


# ---- installing --------------------------------------------------------------------------------


def add_weights(
    source: str | Path, checksum: str | None = None, overwrite: bool = False
) -> dict[str, Any]:
    """Install weights in SeisBench's cache, where they are found by their name.

    Parameters
    ----------
    source : str or pathlib.Path
        Path or URL (https or http) of an archive of `pack_weights`, or of a pair of files.
    checksum : str, optional
        Expected SHA-256 checksum, hexadecimal: of the archive, or of the ``.pt`` file of a pair.
    overwrite : bool
        Replace installed weights of the same name and version.

    Returns
    -------
    dict
        `cgmgm_seis.models.weights.weights_info` of the installed weights.

    Raises
    ------
    WeightsError
        If the checksum differs, the weights are damaged, unsafe or of an unknown model, or others
        of their name and version are installed.
    OutputError
        If the cache cannot be written.
    """
    check_kept()
    with TemporaryDirectory(prefix="weights-") as folder:
        base, version = _fetched(source, Path(folder), checksum)
        model = load_model(base if version is None else f"{base}.json.v{version}")
        cls = model_class(model.name)
        path_json, path_pt = cls._get_weights_file_paths(base, version)
        version = str(read_metadata(path_json).get("version", "1"))
        _check_names(base.name, version)
        _check_installed(cls, base.name, version, sha256(path_pt), overwrite)
        new_pt, new_json = cls._pretrained_path(base.name, version)
        # The JSON file comes last, because weights are found by it.
        write_file(new_pt, path_pt.read_bytes())
        write_file(new_json, path_json.read_bytes())
    return weights_info(new_json)


def _check_installed(cls: Any, name: str, version: str, digest: str, overwrite: bool) -> None:
    """Raise an error if other weights of a name and version are there and may not be replaced."""
    found = cls.find_pretrained(name, version)
    if found is None:
        return
    path_json, suffix = found
    path_pt = cls._get_weights_file_paths(path_json.with_name(name), suffix)[1]
    if path_json.parent == cls.bundled_path():
        raise WeightsError(
            f"Weights '{name}' version {version} come with the package; others must have another "
            "name or version."
        )
    same = path_pt.is_file() and sha256(path_pt) == digest
    if not (same or overwrite):
        raise WeightsError(
            f"Other weights '{name}' version {version} are in {path_json.parent}; --overwrite "
            "(overwrite=True) replaces them."
        )
    if suffix is None:  # files without a version in their name would be found first
        for path in (path_json, path_pt):
            path.unlink(missing_ok=True)


def _check_names(name: str, version: str) -> None:
    """Raise an error unless weights can be found by this name and version."""
    if not NAME.fullmatch(name):
        raise WeightsError(
            f"The name of weights '{name}' must consist of letters, digits, - and _."
        )
    try:
        parse_version(version)
    except InvalidVersion as error:
        raise WeightsError(f"Version '{version}' must be a version such as 1 or 2.1.") from error


def _fetched(source: str | Path, folder: Path, checksum: str | None) -> tuple[Path, str | None]:
    """Return the path of a local pair of files without suffix, and the version in its names."""
    text = str(source)
    is_url = text.startswith(("https://", "http://"))
    file = Path(urlsplit(text).path if is_url else text)
    if not file.name:
        raise WeightsNotFoundError(f"{text} must be a file, .zip, .json or .pt.")
    if file.suffix == ".zip":
        archive = folder / "weights.zip" if is_url else file
        if is_url:
            _download(text, archive)
        elif not archive.is_file():
            raise WeightsNotFoundError(f"{archive} was not found.")
        _check_sum(archive, text, checksum)
        return _unpacked(archive, text, folder)
    pair = PAIR_FILE.fullmatch(file.name)
    base, version = (file.with_name(pair["name"]), pair["version"]) if pair else (file, None)
    names = [
        f"{base.name}.{kind}{f'.v{version}' * (version is not None)}" for kind in ("json", "pt")
    ]
    if is_url:
        if not pair:
            raise WeightsError(f"{text} must be the URL of a .zip, .json or .pt file.")
        for name in names:
            _download(text.replace(file.name, name), folder / name)
        base = folder / base.name
    for name in names:
        if not base.with_name(name).is_file():
            raise WeightsNotFoundError(f"{base.with_name(name)} was not found.")
    _check_sum(base.with_name(names[1]), text, checksum)
    return base, version


def _check_sum(path: Path, source: str, checksum: str | None) -> None:
    if checksum is not None and (found := sha256(path)) != checksum.strip().lower():
        raise WeightsError(
            f"{source} has the checksum {found}, not {checksum}: it is damaged or another file."
        )


def _unpacked(archive: Path, source: str, folder: Path) -> tuple[Path, str | None]:
    """Unpack the pair of files in an archive, whatever folder they are in, and nothing else."""
    with _opened(archive, source) as content:
        files = [
            (match, entry)
            for entry in content.infolist()
            if (match := PAIR_FILE.fullmatch(Path(entry.filename).name))
        ]
        found = {match["kind"]: (match, entry) for match, entry in files}
        names = {(match["name"], match["version"]) for match, _ in files}
        if len(files) != 2 or len(found) != 2 or len(names) != 1:
            raise WeightsError(
                f"{source} contains {len(files)} files NAME.json and NAME.pt; it must contain one "
                "pair."
            )
        if sum(entry.file_size for _, entry in files) > MOST_BYTES:
            raise WeightsError(f"{source} contains more than {MOST_BYTES} bytes.")
        for match, entry in files:
            with content.open(entry) as packed, (folder / match[0]).open("wb") as file:
                shutil.copyfileobj(packed, file)
    ((name, version),) = names
    return folder / name, version


@contextmanager
def _opened(archive: Path, source: str) -> Iterator[zipfile.ZipFile]:
    """Open a ZIP archive; its errors are WeightsError."""
    try:
        with zipfile.ZipFile(archive) as content:
            yield content
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError) as error:
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(
            f"{source} is not a readable ZIP archive: {reason_of(error)}."
        ) from error


def _download(url: str, target: Path) -> None:
    """Download a file."""
    request = Request(url, headers={"User-Agent": f"cgmgm-seis/{__version__}"})
    try:
        opener = build_opener(BoundedAnswers(MOST_BYTES))
        with opener.open(request, timeout=_TIMEOUT_S) as answer, target.open("wb") as file:
            shutil.copyfileobj(answer, file)
    except (OSError, HTTPException, ValueError) as error:
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(f"{url} cannot be downloaded: {reason_of(error)}.") from error
