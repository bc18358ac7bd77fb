"""Splitting the records of a data set into train, dev and test, by event, station or region."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from seisbench.data import WaveformDataset

from cgmgm_seis.datasets.metadata import check_metadata_files
from cgmgm_seis.datasets.windows import SPLITS
from cgmgm_seis.errors import DatasetError, OutputError, reason_of
from cgmgm_seis.scenario.geography import local_km, middle_longitude
from cgmgm_seis.scenario.seeding import check_seed, random_generator
from cgmgm_seis.storage.files import clear_parts, write_file

# Side length of the square cells of a split by region, km.
CELL_KM = 20.0


def split_dataset(
    folder: str | Path,
    by: str = "event",
    seed: int = 0,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    overwrite: bool = False,
) -> pd.DataFrame:
    """Write the column ``split`` into the metadata of a data set.

    All other content of the metadata is unchanged; each file is replaced completely or not at all.

    Parameters
    ----------
    folder : str or pathlib.Path
        Data set in SeisBench format.
    by : str
        Records that are kept in the same split: "event", those of an event; "station", those of a
        station, for tests at new sites (events may be in several splits); "region", those of all
        epicentres in a square of 20 km, for tests in new source regions.
    seed : int
        Random seed.
    fractions : sequence of float
        Expected fractions of train, dev and test; they must sum to 1.
    overwrite : bool
        Replace an existing split.

    Returns
    -------
    pandas.DataFrame
        The metadata with the new column.

    Raises
    ------
    DatasetError
        If the data set cannot be read, lacks a column, or a split would be empty.
    OutputError
        If the data set already has a split, or the metadata cannot be written.
    """
    if by not in SPLITTERS:
        raise DatasetError(f"by = '{by}' is not known; it must be one of {', '.join(SPLITTERS)}.")
    folder = Path(folder)
    try:
        check_metadata_files(folder)
        chunks = WaveformDataset.available_chunks(folder)
        paths = [folder / f"metadata{chunk}.csv" for chunk in chunks]
        parts = [pd.read_csv(path, dtype=str, keep_default_na=False) for path in paths]
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{folder} is not a readable SeisBench data set: {reason_of(error)}."
        ) from error
    table = pd.concat(parts, ignore_index=True)
    if "split" in table and not overwrite:
        raise OutputError(
            f"{folder} already has a split; --overwrite (overwrite=True) replaces it."
        )
    needed, split = SPLITTERS[by]
    missing = [column for column in needed if column not in table]
    if missing:
        raise DatasetError(f"{folder} lacks the columns {', '.join(missing)} for a split by {by}.")
    table["split"] = split(table, seed, fractions)
    counts = table["split"].value_counts()
    for name, share in zip(SPLITS, fractions, strict=True):
        if share and not counts.get(name, 0):
            raise DatasetError(
                f"The split {name} by {by} would have none of the {len(table)} records; use "
                "another seed, other fractions or more data."
            )
    clear_parts(folder)
    start = 0
    for path, part in zip(paths, parts, strict=True):
        part["split"] = table["split"].to_numpy()[start : start + len(part)]
        start += len(part)
        write_file(path, part.to_csv(index=False).encode())
    return table


def event_split(
    scenario: pd.DataFrame, seed: int = 0, fractions: Sequence[float] = (0.8, 0.1, 0.1)
) -> NDArray[np.str_]:
    """Assign records to the train, dev or test split by event.

    The split of an event depends only on the seed and its ``source_id``, so it does not change
    if other events are added.

    Parameters
    ----------
    scenario : pandas.DataFrame
        Scenario table.
    seed : int
        Random seed.
    fractions : sequence of float
        Expected fractions of events in train, dev and test; they must sum to 1.

    Returns
    -------
    numpy.ndarray
        "train", "dev" or "test" for each row.

    Raises
    ------
    DatasetError
        If the fractions are not three positive numbers or zeros that sum to 1.
    """
    check_fractions(fractions)
    seed = check_seed(seed)
    limits = np.cumsum(fractions)[:-1]
    events, record_event = np.unique(scenario["source_id"].astype(str), return_inverse=True)
    draws = [random_generator(seed, "split", event).random() for event in events.tolist()]
    return np.array(SPLITS)[np.searchsorted(limits, draws, side="right")][record_event]


def check_fractions(fractions: Sequence[float]) -> None:
    """Raise `DatasetError` unless the fractions of train, dev and test are valid."""
    if len(fractions) != len(SPLITS) or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-9:
        raise DatasetError(
            f"Split fractions {tuple(fractions)} are not valid; they must be three numbers of at "
            "least 0 that sum to 1."
        )


def station_split(
    table: pd.DataFrame, seed: int = 0, fractions: Sequence[float] = (0.8, 0.1, 0.1)
) -> NDArray[np.str_]:
    """Assign records to splits by station, depending only on the seed and the station codes."""
    names = table["station_network_code"].astype(str) + "." + table["station_code"].astype(str)
    return event_split(pd.DataFrame({"source_id": "station " + names}), seed, fractions)


def region_split(
    table: pd.DataFrame, seed: int = 0, fractions: Sequence[float] = (0.8, 0.1, 0.1)
) -> NDArray[np.str_]:
    """Assign records to splits by the square of 20 km that contains their epicentre.

    Squares are assigned in random order, each to the split that lacks most of its records.
    """
    check_fractions(fractions)
    seed = check_seed(seed)
    try:
        places = table[["source_latitude_deg", "source_longitude_deg"]].astype(float).to_numpy()
    except ValueError as error:
        raise DatasetError(f"An epicentre is not valid: {error}; numbers are needed.") from error
    if not np.isfinite(places).all():
        raise DatasetError("An epicentre is missing; a split by region needs one for each record.")
    centre = float(places[:, 0].mean()), middle_longitude(places[:, 1])
    squares = np.floor(local_km(places[:, 0], places[:, 1], centre) / CELL_KM).astype(int)
    _, square, sizes = np.unique(squares, axis=0, return_inverse=True, return_counts=True)
    lacking = np.array(fractions) * len(table)
    chosen = np.empty(len(sizes), dtype=int)
    for cell in random_generator(seed, "split by region").permutation(len(sizes)):
        chosen[cell] = int(np.argmax(lacking))
        lacking[chosen[cell]] -= sizes[cell]
    return np.array(SPLITS)[chosen[square.ravel()]]


# By name: the required columns, and the function that assigns records.
SPLITTERS: dict[str, tuple[tuple[str, ...], Any]] = {
    "event": (("source_id",), event_split),
    "station": (("station_network_code", "station_code"), station_split),
    "region": (("source_latitude_deg", "source_longitude_deg"), region_split),
}
