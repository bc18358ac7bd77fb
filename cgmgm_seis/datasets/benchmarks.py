"""Import of SeisBench's benchmark data sets for training: selection, units and column names."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from seisbench.data import WaveformBenchmarkDataset, WaveformDataset
from tqdm import tqdm

from cgmgm_seis.datasets.windows import NEEDED_COLUMNS, TIME_FORMAT, restore_codes
from cgmgm_seis.errors import DatasetError, reason_of
from cgmgm_seis.output.seisbench_writer import new_dataset
from cgmgm_seis.scenario.columns import LIMITS
from cgmgm_seis.scenario.geography import Region, wrapped_longitude
from cgmgm_seis.scenario.table import add_paths

logger = logging.getLogger(__name__)

# Column names of some data sets, and SeisBench's usual names.
SYNONYMS = {"source_id_list": "source_id", "source_event_id": "source_id"}
UNIT_COLUMNS = ("trace_units", "trace_unit")
# Ground-motion data sets without units in their files: m/s, and m/s^2 for accelerometers.
GROUND_MOTION_SETS = ("InstanceGM", "AQ2009GM")
LENGTHS = {"nm": 1e-9, "um": 1e-6, "mm": 1e-3, "cm": 1e-2, "m": 1.0, "km": 1e3}
# Acceleration is integrated above this frequency, with a cosine taper from half of it, Hz.
INTEGRATION_HZ = 0.5


def import_benchmark(
    name: str | Path,
    out: str | Path,
    region: Region | None = None,
    min_magnitude: float | None = None,
    max_distance_km: float | None = None,
    normalise_amplitudes: bool = False,
    overwrite: bool = False,
    progress: bool = False,
) -> pd.DataFrame:
    """Select records of a benchmark data set and write them as velocity in m/s.

    Chunks are read one after the other, record by record.

    Parameters
    ----------
    name : str or pathlib.Path
        A class of `seisbench.data`, such as "CEED", "InstanceGM" or "ETHZ", which SeisBench
        downloads if it is not in its cache; or a folder in SeisBench's format.
    out : str or pathlib.Path
        Folder of the data set.
    region : Region, optional
        Region of the epicentres.
    min_magnitude, max_distance_km : float, optional
        Smallest magnitude and largest epicentral distance.
    normalise_amplitudes : bool
        Divide each record by its peak (of all components), which allows records in counts, and
        mark them in the metadata.  Models are then trained on shapes only, not on amplitudes.
    overwrite : bool
        Replace an existing data set.
    progress : bool
        Show a progress bar if stderr is a terminal.

    Returns
    -------
    pandas.DataFrame
        The metadata; ``trace_units_original`` and ``trace_amplitude_factor`` describe the
        conversion of units.

    Raises
    ------
    DatasetError
        If the data set does not exist, columns are missing, units are unknown or counts, or no
        records are left.
    OutputError
        If ``out`` exists and may not be overwritten, or cannot be written.
    """
    kept: list[dict[Any, Any]] = []
    lost: dict[str, int] = {}
    unit = "normalised" if normalise_amplitudes else "mps"
    response = "not restituted" if normalise_amplitudes else "restituted"
    with new_dataset(out, overwrite, unit=unit, response=response) as writer:
        for chunk in _chunks(name):
            table = _table(chunk)
            chosen = _chosen(table, region, min_magnitude, max_distance_km, lost)
            desc = f"{Path(name).name}{chunk.chunks[0]}"
            bar = tqdm(chosen, desc=desc, unit="rec", disable=None if progress else True)
            for position in bar:
                row = table.iloc[position].to_dict()
                factor, acceleration = _unit(row, chunk, str(name), normalise_amplitudes)
                samples = chunk.get_waveforms(int(position)).astype(float)
                if not np.isfinite(samples).all() or not np.ptp(samples, axis=-1).all():
                    lost["not finite, or constant"] = lost.get("not finite, or constant", 0) + 1
                    continue
                if acceleration:
                    samples = integrated(samples, row["trace_sampling_rate_hz"])
                if normalise_amplitudes:
                    factor = 1.0 / np.abs(samples).max()
                row |= {
                    "trace_amplitude_factor": factor,
                    "trace_units": "normalised" if normalise_amplitudes else "m/s",
                    "trace_simulated": bool(row.get("trace_simulated", False)),
                    "trace_npts": samples.shape[-1],
                }
                kept.append(row)
                writer.add(row, factor * samples)
        for reason, count in lost.items():
            logger.info("%d records left out: %s.", count, reason)
        if not kept:
            why = ", ".join(f"{count} {reason}" for reason, count in lost.items())
            raise DatasetError(f"No records of {name} are left ({why}); at least one is needed.")
    return pd.DataFrame(kept)


def unit_factor(text: str) -> tuple[float, bool] | None:
    """Return the factor of a unit to m/s or m/s^2, and whether it is an acceleration.

    Returns
    -------
    tuple or None
        None if the text is not a unit of velocity or acceleration, for example "counts".

    Examples
    --------
    >>> unit_factor("1e-6m/s"), unit_factor("cm/s**2"), unit_factor("counts")
    ((1e-06, False), (0.01, True), None)
    """
    tidy = text.lower().replace(" ", "").replace("meters", "m").replace("persecond", "/s")
    match = re.fullmatch(
        r"([0-9.]+(?:e-?[0-9]+)?)?\*?(nm|um|mm|cm|m|km)(?:/s|ps)((?:\*\*|\^)?2|/s)?", tidy
    )
    if match is None:
        return None
    number, length, square = match.groups()
    return float(number or 1.0) * LENGTHS[length], bool(square)


def integrated(acceleration: NDArray[np.float64], sampling_rate: float) -> NDArray[np.float64]:
    """Integrate acceleration (.., sample) to velocity above `INTEGRATION_HZ`.

    The mean is removed, and the integration is done in the frequency domain, padded to twice the
    length.
    """
    n = acceleration.shape[-1]
    frequencies = np.fft.rfftfreq(2 * n, 1.0 / sampling_rate)
    ramp = np.clip(frequencies / INTEGRATION_HZ * 2.0 - 1.0, 0.0, 1.0)
    taper = 0.5 - 0.5 * np.cos(np.pi * ramp)
    centred = acceleration - acceleration.mean(axis=-1, keepdims=True)
    spectrum = np.fft.rfft(centred, 2 * n)
    spectrum[..., 1:] *= taper[1:] / (2j * np.pi * frequencies[1:])
    spectrum[..., 0] = 0.0
    return np.fft.irfft(spectrum, 2 * n)[..., :n]


def _chunks(name: str | Path) -> Iterator[WaveformDataset]:
    """Yield the chunks of a data set, with only one in memory at a time."""
    options = {"component_order": "ZNE", "dimension_order": "NCW", "cache": None}
    try:
        if Path(name).is_dir():
            for chunk in WaveformDataset.available_chunks(Path(name)):
                yield WaveformDataset(Path(name), chunks=[chunk], **options)
            return
        import seisbench.data

        found = getattr(seisbench.data, str(name), None)
        if not (isinstance(found, type) and issubclass(found, WaveformBenchmarkDataset)):
            raise DatasetError(
                f"'{name}' is neither a folder nor a data set of seisbench.data, such as CEED, "
                "InstanceGM or ETHZ."
            )
        kind: Any = found
        for chunk in kind.available_chunks():
            yield kind(chunks=[chunk], **options)
    except KeyError as error:
        raise DatasetError(
            f"{name} is not a readable SeisBench data set: it lacks {error}."
        ) from error
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{name} is not a readable SeisBench data set: {reason_of(error)}."
        ) from error


def _table(dataset: WaveformDataset) -> pd.DataFrame:
    """Return the metadata of a chunk with the columns needed for training."""
    restore_codes(dataset)
    table = dataset.metadata.drop(columns=["index", "trace_chunk"], errors="ignore")
    names = {old: new for old, new in SYNONYMS.items() if old in table and new not in table}
    table = table.rename(columns=names)
    missing = [column for column in NEEDED_COLUMNS if column not in table]
    if missing:
        raise DatasetError(
            f"The data set lacks the metadata columns {', '.join(missing)}; "
            f"required are {', '.join(NEEDED_COLUMNS)}."
        )
    for column in LIMITS:
        table[column] = pd.to_numeric(table[column], errors="coerce")
    for column in ("source_longitude_deg", "station_longitude_deg"):
        table[column] = table[column].map(wrapped_longitude)
    for column in ("source_origin_time", "trace_start_time"):
        times = pd.to_datetime(table[column], utc=True, format="mixed", errors="coerce")
        table[column] = times.dt.strftime(TIME_FORMAT)
    return table


def _chosen(
    table: pd.DataFrame,
    region: Region | None,
    min_magnitude: float | None,
    max_distance_km: float | None,
    lost: dict[str, int],
) -> NDArray[np.intp]:
    """Return the positions of the selected rows, count the others and add the path columns."""
    wanted = np.ones(len(table), dtype=bool)

    def keep(condition: Any, reason: str) -> None:
        nonlocal wanted
        condition = np.asarray(condition, dtype=bool)
        if count := int((wanted & ~condition).sum()):
            lost[reason] = lost.get(reason, 0) + count
        wanted = wanted & condition

    possible = table[list(NEEDED_COLUMNS)].notna().all(axis=1)
    for column, (low, high) in LIMITS.items():
        possible &= table[column].between(low, high)
    keep(possible, "without a magnitude, a time or possible coordinates")
    order = table.get("trace_component_order", pd.Series("ZNE", index=table.index))
    keep(order.map(lambda letters: set("ZNE") <= {*str(letters)}), "without all of Z, N and E")
    if min_magnitude is not None:
        keep(table["source_magnitude"] >= min_magnitude, "below the smallest magnitude")
    if region is not None:
        keep(
            region.contains(table["source_latitude_deg"], table["source_longitude_deg"]),
            f"outside the region {region}",
        )
    paths = add_paths(table[wanted])
    for column in ("path_ep_distance_km", "path_hyp_distance_km", "path_azimuth_deg"):
        table[column] = paths[column].reindex(table.index)
    if max_distance_km is not None:
        keep(table["path_ep_distance_km"] <= max_distance_km, f"beyond {max_distance_km:g} km")
    return np.flatnonzero(wanted)


def _unit(
    row: dict[Any, Any], dataset: WaveformDataset, name: str, normalise: bool
) -> tuple[float, bool]:
    """Return the factor to m/s or m/s^2 and whether to integrate; store the original unit."""
    texts = [row.get(column) for column in UNIT_COLUMNS] + [dataset.data_format.get("unit")]
    text = next((str(text) for text in texts if isinstance(text, str) and text), "unknown units")
    if name in GROUND_MOTION_SETS and unit_factor(text) is None:
        strong = str(row.get("trace_channel", ""))[1:2] in ("N", "L", "G")
        text = "m/s^2" if strong else "m/s"
    row["trace_units_original"] = text
    found = unit_factor(text)
    if normalise:
        return 1.0, bool(found and found[1])
    raw = str(dataset.data_format.get("instrument_response", "")).startswith("not")
    if found is None or (raw and not any(isinstance(t, str) and t for t in texts[:2])):
        response = dataset.data_format.get("instrument_response", "unknown")
        raise DatasetError(
            f"Records of {name} are in {text} (instrument response: {response}), but must be in "
            "m/s or m/s^2 for training on amplitudes; --normalise-amplitudes "
            "(normalise_amplitudes=True) divides each record by its peak instead."
        )
    return found
