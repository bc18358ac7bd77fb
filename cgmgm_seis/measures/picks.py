"""P and S picks of many records at once, with PhaseNet (Zhu & Beroza 2019) through SeisBench."""

from pathlib import Path
from typing import Any, Self
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import pandas as pd
import seisbench
import seisbench.models
from numpy.typing import ArrayLike, NDArray
from obspy import Stream, Trace, UTCDateTime
from packaging.version import parse
from tqdm.auto import tqdm

from cgmgm_seis.errors import DatasetError, WeightsError, reason_of
from cgmgm_seis.scenario.spans import TAPER_S, Spans
from cgmgm_seis.storage.chunks import Chunks
from cgmgm_seis.storage.seisbench_cache import PAIR_FILE
from cgmgm_seis.storage.torch_files import check_torch_file

COLUMNS = ("p_s", "s_s", "p_probability", "s_probability")
# The components that PhaseNet needs, in its order.
COMPONENTS = "ZNE"
# PhaseNet was trained on counts; its normalisation loses precision for motion in m/s.
NANOMETRES = 1e9
# Number of records converted to a stream at the same time, which limits the memory.
CHUNK = 128
START = UTCDateTime(0)
TIMEOUT_S = 5.0


class PhaseNet(seisbench.models.PhaseNet):
    """PhaseNet of SeisBench, whose files of weights are checked and run no code when read."""

    @classmethod
    def load(cls, path: str | Path, version_str: str | None = None, **kwargs: Any) -> Self:
        """Load a pair of files on the CPU; options as for `seisbench.models.PhaseNet.load`."""
        _, path_pt = cls._get_weights_file_paths(path, version_str)
        check_torch_file(path_pt, WeightsError)
        # torch reads anything if an environment variable says so, unless it is told not to.
        safe = {**kwargs, "map_location": "cpu", "weights_only": True}
        model: Self = super().load(path, version_str, **safe)
        return model


def load_picker(name_or_path: str | Path = "original") -> Any:
    """Load PhaseNet.

    The weights are searched as a pair of files, then in SeisBench's cache.  They are downloaded
    only if they are found in neither, after a check of at most a few seconds that the server can
    be reached.

    Parameters
    ----------
    name_or_path : str or pathlib.Path
        A name of PhaseNet weights in SeisBench, such as "original", "stead" or "instance", or
        the path of a pair of files, with or without the ending ``.json`` or ``.pt`` (and ``.v1``).

    Returns
    -------
    seisbench.models.PhaseNet
        The picker for `pick`; its method ``to`` moves it to another device.

    Raises
    ------
    WeightsError
        If the weights are missing and cannot be downloaded, or are damaged.
    """
    path, version = Path(name_or_path), None
    if match := PAIR_FILE.fullmatch(path.name):
        path, version = path.with_name(match["name"]), match["version"]
    try:
        if all(file.is_file() for file in PhaseNet._get_weights_file_paths(path, version)):
            return PhaseNet.load(path, version_str=version)
        # Anything with a folder or a suffix is a path, not a name.
        if path.name == str(name_or_path) and (_is_cached(path.name) or _is_online()):
            return PhaseNet.from_pretrained(path.name)
    except Exception as error:  # SeisBench and torch raise any kind for damaged files
        raise WeightsError(
            f"PhaseNet weights '{name_or_path}' cannot be loaded ({reason_of(error)}); {_WAYS}."
        ) from error
    raise WeightsError(f"PhaseNet weights '{name_or_path}' are not available; {_WAYS}.")


_WAYS = (
    'download them once with seisbench.models.PhaseNet.from_pretrained("original") while '
    "online, or pass the path of a pair of files .json and .pt"
)


def _is_cached(name: str) -> bool:
    versions = PhaseNet.list_versions(name, remote=False)
    latest = max(versions, key=parse, default="")
    return all(file.is_file() for file in PhaseNet._pretrained_path(name, latest))


def _is_online() -> bool:
    """Return whether SeisBench's repository responds; SeisBench itself has no timeout."""
    try:
        urlopen(seisbench.remote_model_root, timeout=TIMEOUT_S).close()
    except HTTPError:
        return True
    except OSError:
        return False
    return True


def pick(
    picker: Any,
    waveforms: ArrayLike,
    sampling_rate: float = 100.0,
    component_order: str = "ZNE",
    threshold: float = 0.3,
    batch_size: int = 64,
    progress: bool = False,
    chunks: Chunks | None = None,
    spans: Spans | None = None,
    p_window_s: ArrayLike | None = None,
) -> pd.DataFrame:
    """Pick P and S on records, at the times of the largest probabilities.

    Many records are processed at once with SeisBench's `annotate`, which resamples them to the
    sampling rate of the weights, cuts windows that overlap by half (three for a record of 60 s),
    removes their means, normalises them and averages the predicted probabilities.

    PhaseNet needs three components.  Those that are missing, or constant in a record, are replaced
    by a copy of the last of Z, N and E that the record has: with zeros instead, it finds a fifth
    fewer onsets (see the page on evaluation).

    Parameters
    ----------
    picker : seisbench.models.PhaseNet
        See `load_picker`.
    waveforms : array_like
        Velocity, m/s, shape (record, component, sample).
    sampling_rate : float
        Hz.
    component_order : str
        The components, some of Z, N (or 1) and E (or 2), for example "ZNE" or "E".
    threshold : float
        Probability that must be exceeded for a pick.
    batch_size : int
        Number of windows per call of the network; affects memory and speed only.
    progress : bool
        Show a progress bar if stderr is a terminal.
    chunks : Chunks, optional
        Storage of finished chunks of records, for resuming; none by default.
    spans : numpy.ndarray, optional
        Valid spans (record, 2), see `cgmgm_seis.scenario.spans`: there are no picks outside them,
        nor within 1 s of their ends; by default records are valid as a whole.
    p_window_s : array_like, optional
        Earliest and latest P, seconds after the first sample, shape (record, 2); by default P may
        be anywhere.  Without a vertical, PhaseNet may take S for P.

    Returns
    -------
    pandas.DataFrame
        One row per record: ``p_s, s_s``, seconds after the first sample, NaN where the threshold
        is not exceeded; ``p_probability, s_probability``, the largest probabilities, also of
        records without picks.

    Raises
    ------
    DatasetError
        If the shape does not match the components, a component is unknown, samples are not
        finite, or the records are shorter than the picker's window (3001 samples at its rate).

    Examples
    --------
    >>> waveforms = model.sample(scenario)[:, 0]  # doctest: +SKIP
    >>> pick(load_picker(), waveforms)["p_s"] + model.start_offset_s  # doctest: +SKIP
    """
    records = np.asarray(waveforms)
    _check(picker, records, sampling_rate, component_order)
    chunks = chunks or Chunks(None, {})
    n_samples = records.shape[-1]
    limits = np.stack([_limits(len(records), spans, n_samples, sampling_rate)] * 2, axis=1)
    if p_window_s is not None:
        earliest, latest = np.asarray(p_window_s, float).T
        limits[:, 0, 0] = np.maximum(limits[:, 0, 0], earliest)
        limits[:, 0, 1] = np.minimum(limits[:, 0, 1], latest)
    found = np.empty((len(records), len(COLUMNS)))
    bar = tqdm(total=len(records), desc="Picking", unit="rec", disable=None if progress else True)
    with bar:
        for first in range(0, len(records), CHUNK):
            last = min(first + CHUNK, len(records))
            if (kept := chunks.load(first, last)) is None:
                whole = with_all_components(records[first:last], component_order)
                stream = _stream(whole, sampling_rate)
                annotations = picker.annotate(stream, copy=False, batch_size=batch_size)
                kept = {"picks": _picks(annotations, limits[first:last], threshold)}
                chunks.save(first, last, **kept)
            found[first:last] = kept["picks"]
            bar.update(last - first)
    return pd.DataFrame(found, columns=list(COLUMNS))


def absent_components(component_order: str) -> str:
    """Return which of Z, N (or 1) and E (or 2) are not among some components.

    Examples
    --------
    >>> absent_components("E"), absent_components("21Z")
    ('ZN', '')
    """
    return "".join(c for c in COMPONENTS if c not in _geographic(component_order))


def with_all_components(records: NDArray[Any], component_order: str) -> NDArray[Any]:
    """Return records (record, component, sample) with Z, N and E, as PhaseNet needs them.

    Components that are missing, or constant in a record, are copies of the last of Z, N and E that
    is not; a record that is constant as a whole stays so.

    Parameters
    ----------
    records : numpy.ndarray
        Shape (record, component, sample).
    component_order : str
        Some of Z, N (or 1) and E (or 2).

    Examples
    --------
    >>> with_all_components(np.array([[[0.0, 3.0]]]), "E").tolist()
    [[[0.0, 3.0], [0.0, 3.0], [0.0, 3.0]]]
    """
    whole = np.zeros((len(records), len(COMPONENTS), records.shape[-1]), records.dtype)
    whole[:, [COMPONENTS.index(c) for c in _geographic(component_order)]] = records
    moves = np.ptp(whole, axis=-1) != 0.0
    last = len(COMPONENTS) - 1 - moves[:, ::-1].argmax(axis=1)
    return np.where(moves[..., None], whole, whole[np.arange(len(whole)), last][:, None])


def _geographic(component_order: str) -> str:
    return component_order.translate(str.maketrans("12", "NE"))


def _limits(
    n_records: int, spans: Spans | None, n_samples: int, sampling_rate: float
) -> NDArray[np.float64]:
    """Return the times between which spans allow picks, s, shape (record, 2)."""
    limits = np.full((n_records, 2), [-np.inf, np.inf])
    if spans is not None:
        begins, ends = np.asarray(spans).T
        inner, cut = begins > 0, ends < n_samples
        limits[inner, 0] = begins[inner] / sampling_rate + TAPER_S
        limits[cut, 1] = ends[cut] / sampling_rate - TAPER_S
    return limits


def _picks(
    annotations: Stream, limits_s: NDArray[np.float64], threshold: float
) -> NDArray[np.float64]:
    """Return the `COLUMNS` of all records (record, column); station codes are record numbers.

    Picks are within `limits_s` (record, phase, 2), P and S, s after the start of the records.
    """
    found = np.full((len(limits_s), len(COLUMNS)), np.nan)
    for trace in annotations:
        phase = trace.stats.channel[-1].lower()
        if phase in "ps":
            row, times = int(trace.stats.station), trace.times(reftime=START)
            first, last = limits_s[row, "ps".index(phase)]
            probability = np.where((times >= first) & (times <= last), trace.data, 0.0)
            best = int(probability.argmax())
            found[row, COLUMNS.index(f"{phase}_probability")] = probability[best]
            if probability[best] > threshold:
                found[row, COLUMNS.index(f"{phase}_s")] = times[best]
    return found


def _stream(records: np.ndarray, sampling_rate: float) -> Stream:
    """Return a Stream with one station per record (Z, N, E), named by its number."""
    return Stream(
        Trace(
            data.astype(float) * NANOMETRES,
            {
                "station": str(row),
                "channel": f"HX{component}",
                "sampling_rate": sampling_rate,
                "starttime": START,
            },
        )
        for row, record in enumerate(records)
        for component, data in zip(COMPONENTS, record, strict=True)
    )


def _check(picker: Any, records: np.ndarray, sampling_rate: float, component_order: str) -> None:
    if records.ndim != 3 or records.shape[1] != len(component_order):
        raise DatasetError(
            f"Waveforms of shape {records.shape} must have the axes (record, component, sample) "
            f"with the {len(component_order)} components {component_order}."
        )
    known = _geographic(component_order)
    if set(known) - set(COMPONENTS) or len(set(known)) < len(known):
        raise DatasetError(
            f"Components {component_order} must be some of Z, N (or 1) and E (or 2), each once, "
            "for PhaseNet."
        )
    window_s = picker.in_samples / picker.sampling_rate
    if records.shape[2] < window_s * sampling_rate:
        raise DatasetError(
            f"Records of {records.shape[2] / sampling_rate:g} s are too short for PhaseNet; "
            f"they must be at least {window_s:g} s long."
        )
    if not np.isfinite(records).all():
        bad = np.flatnonzero(~np.isfinite(records).all(axis=(1, 2)))
        raise DatasetError(
            f"{len(bad)} of {len(records)} records (the first is record {bad[0]}) contain samples "
            f"that are not finite; all samples must be finite."
        )
