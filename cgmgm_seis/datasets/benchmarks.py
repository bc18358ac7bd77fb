"""Import of SeisBench's benchmark data sets for training: selection, units and column names."""

import itertools
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from seisbench.data import WaveformBenchmarkDataset, WaveformDataset
from tqdm.auto import tqdm

from cgmgm_seis.datasets.components import common_components, moving
from cgmgm_seis.datasets.metadata import open_as_written, tidy_metadata
from cgmgm_seis.datasets.samples import sample_or_none
from cgmgm_seis.datasets.units import NORMALISED, record_units, unit_factor
from cgmgm_seis.datasets.windows import NEEDED_COLUMNS, restore_codes
from cgmgm_seis.errors import DatasetError, reason_of
from cgmgm_seis.output.seisbench_writer import WAVEFORMS_FILE, new_dataset
from cgmgm_seis.scenario.columns import LIMITS
from cgmgm_seis.scenario.geography import Region
from cgmgm_seis.scenario.table import add_paths
from cgmgm_seis.storage.folders import check_folder

logger = logging.getLogger(__name__)

# Acceleration is integrated above this frequency, with a cosine taper from half of it, Hz.
INTEGRATION_HZ = 0.5


def import_benchmark(
    name: str | Path,
    out: str | Path,
    region: Region | None = None,
    min_magnitude: float | None = None,
    max_distance_km: float | None = None,
    normalise_amplitudes: bool = False,
    units: str = "",
    overwrite: bool = False,
    progress: bool = False,
) -> pd.DataFrame:
    """Select records of a benchmark data set and write them as velocity in m/s.

    Chunks are read one after the other, record by record.  Records of any lengths are copied whole,
    with the components that most of them have.

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
    units : str
        Unit of the samples if the data set does not state it, such as "m/s" or "m/s^2".
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
    lost: Counter[str] = Counter()
    unit = NORMALISED if normalise_amplitudes else "mps"
    response = "not restituted" if normalise_amplitudes else "restituted"
    check_folder(out, overwrite, WAVEFORMS_FILE)
    chunks = _chunks(name)
    first = next(chunks)
    order = common_components(first.metadata["trace_component_order"].astype(str), "ZNE")
    if order != "ZNE":
        logger.warning("Only the components %s, which most records have, are written.", order)
    with new_dataset(out, overwrite, order, unit=unit, response=response) as writer:
        for chunk in itertools.chain([first], chunks):
            chunk.component_order = order
            table, stated = _table(chunk), record_units(chunk, units)
            _check_units(stated, str(name), normalise_amplitudes)
            chosen = _chosen(table, order, region, min_magnitude, max_distance_km, lost)
            desc = f"{Path(name).name}{chunk.chunks[0]}"
            bar = tqdm(chosen, desc=desc, unit="rec", disable=None if progress else True)
            for position in bar:
                own = stated.iloc[position]
                found = unit_factor(own) or ((1.0, False) if normalise_amplitudes else None)
                if found is None:
                    lost[f"in {own or 'unknown units'}"] += 1
                    continue
                factor, acceleration = found
                row = table.iloc[position].to_dict()
                if (sample := sample_or_none(chunk, int(position), lost)) is None:
                    continue
                samples = sample[0].astype(float)
                if not moving(samples).all():
                    lost["not finite, or constant"] += 1
                    continue
                if acceleration:
                    samples = integrated(samples, row["trace_sampling_rate_hz"])
                if normalise_amplitudes:
                    factor = 1.0 / np.abs(samples).max()
                row |= {
                    "trace_units_original": own or "unknown units",
                    "trace_amplitude_factor": factor,
                    "trace_units": unit if normalise_amplitudes else "m/s",
                    "trace_simulated": bool(row.get("trace_simulated", False)),
                    "trace_npts": samples.shape[-1],
                }
                kept.append(row)
                writer.add(row, factor * samples)
        _say_lost(lost, len(kept), str(name))
    return pd.DataFrame(kept)


def _say_lost(lost: Counter[str], n_kept: int, name: str) -> None:
    """Log the numbers of records left out by reason; raise if none is left."""
    for reason, count in lost.items():
        logger.info("%d records left out: %s.", count, reason)
    if not n_kept:
        why = ", ".join(f"{count} {reason}" for reason, count in lost.items())
        raise DatasetError(f"No records of {name} are left ({why}); at least one is needed.")


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
                yield open_as_written(WaveformDataset, Path(name), chunks=[chunk], **options)
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
            yield open_as_written(kind, chunks=[chunk], **options)
    except DatasetError:
        raise
    except KeyError as error:
        raise DatasetError(
            f"{name} is not a readable SeisBench data set: it lacks {error}."
        ) from error
    except Exception as error:  # pandas, HDF5 and SeisBench raise any kind for damaged files
        raise DatasetError(
            f"{name} is not a readable SeisBench data set: {reason_of(error)}."
        ) from error


def _table(dataset: WaveformDataset) -> pd.DataFrame:
    """Return the metadata of a chunk with the columns needed for training."""
    restore_codes(dataset)
    tidy_metadata(dataset.metadata)
    table = dataset.metadata.drop(columns=["index", "trace_chunk"], errors="ignore")
    missing = [column for column in NEEDED_COLUMNS if column not in table]
    if missing:
        raise DatasetError(
            f"The data set lacks the metadata columns {', '.join(missing)}; "
            f"required are {', '.join(NEEDED_COLUMNS)}."
        )
    return table


def _chosen(
    table: pd.DataFrame,
    component_order: str,
    region: Region | None,
    min_magnitude: float | None,
    max_distance_km: float | None,
    lost: Counter[str],
) -> NDArray[np.intp]:
    """Return the positions of the selected rows, count the others and add the path columns."""
    wanted = np.ones(len(table), dtype=bool)

    def keep(condition: Any, reason: str) -> None:
        nonlocal wanted
        condition = np.asarray(condition, dtype=bool)
        if count := int((wanted & ~condition).sum()):
            lost[reason] += count
        wanted = wanted & condition

    possible = table[list(NEEDED_COLUMNS)].notna().all(axis=1)
    for column, (low, high) in LIMITS.items():
        possible &= table[column].between(low, high)
    keep(possible, "without a magnitude, a readable time or possible coordinates")
    own = table["trace_component_order"].astype(str)
    complete = own.map(lambda letters: set(component_order) <= {*letters})
    keep(complete, f"without all of the components {component_order}")
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


def _check_units(stated: "pd.Series[str]", name: str, normalise: bool) -> None:
    """Raise an error if no record has a unit of velocity or acceleration."""
    if normalise or not len(stated) or any(unit_factor(unit) for unit in stated.unique()):
        return
    raise DatasetError(
        f"Records of {name} are in {stated.iloc[0] or 'unknown units'}, but must be in m/s or "
        "m/s^2 for training on amplitudes; --units (units=..) gives units that the data set does "
        "not state, and --normalise-amplitudes (normalise_amplitudes=True) divides each record by "
        "its peak instead."
    )
