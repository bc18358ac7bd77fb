"""Random numbers that depend only on the record: one counter-based generator per key."""

import hashlib
import operator
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray

from cgmgm_seis.errors import CgmgmError

# Rows with the same values in these columns get the same random numbers.
RECORD_COLUMNS = (
    "source_latitude_deg",
    "source_longitude_deg",
    "source_depth_km",
    "source_magnitude",
    "station_latitude_deg",
    "station_longitude_deg",
)
# The first columns describe the source.
N_SOURCE_COLUMNS = 4


def check_seed(seed: object) -> int:
    """Return a random seed as a plain integer, so that all integers of a value are the same key.

    Raises
    ------
    CgmgmError
        If it is not an integer or negative.

    Examples
    --------
    >>> check_seed(np.int64(3))
    3
    """
    try:
        number = operator.index(seed)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if number < 0:
        raise CgmgmError(f"seed = {seed!r} must be an integer of at least 0.")
    return number


def drawn_seed(seed: int | None) -> int:
    """Return a random seed, see `check_seed`; None gives a new one every time, as in NumPy."""
    return secrets.randbits(32) if seed is None else check_seed(seed)


def random_generator(*key: int | float | str) -> np.random.Generator:
    """Return the random number generator of a key.

    The key is hashed (BLAKE2b) into the 128-bit key of a Philox generator (Salmon et al. 2011),
    so the streams of similar keys are independent, and no value depends on earlier draws.

    Parameters
    ----------
    *key : int, float or str
        For example (seed, record values, realization).

    Examples
    --------
    >>> bool(random_generator(1, "a").normal() == random_generator(1, "a").normal())
    True
    """
    digest = hashlib.blake2b(repr(key).encode(), digest_size=16).digest()
    # NumPy takes any ISeedSequence, its types only SeedSequence.
    words = Key(np.frombuffer(digest, "<u8"))
    return np.random.Generator(np.random.Philox(words))  # type: ignore[arg-type]


class Key(ISeedSequence):
    """A key given as words: with their own arguments, generators collect entropy as well."""

    def __init__(self, words: NDArray[np.uint64]) -> None:
        self.words = words

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> NDArray[np.uint64]:
        """Return the words."""
        return self.words


def record_keys(scenario: pd.DataFrame) -> Sequence[tuple[float, ...]]:
    """Return the values that identify each row, independent of its position in the table.

    A place has one key, however it is written: -0.0 is 0.0, and longitude -180 is 180.

    Examples
    --------
    >>> from cgmgm_seis.scenario.table import from_points
    >>> here, there = (from_points(4, (-0.0, side), [(0.1, 0.0)]) for side in (180.0, -180.0))
    >>> record_keys(here) == record_keys(there)
    True
    """
    values = scenario[list(RECORD_COLUMNS)].to_numpy(float) + 0.0  # -0.0 becomes 0.0
    longitudes = [name.endswith("longitude_deg") for name in RECORD_COLUMNS]
    values[(values == -180.0) & longitudes] = 180.0
    return [tuple(row) for row in values.tolist()]


@dataclass(frozen=True)
class Realization:
    """A realization of a record and its random number generators.

    Parameters
    ----------
    seed : int
        Random seed, shared by all realizations.
    key : tuple of float
        Key of the record, see `record_keys`.
    number : int
        Number of the realization.

    Examples
    --------
    >>> source = (37.9, -122.1, 8.0, 4.0)
    >>> one, other = (Realization(1, (*source, 37.8, lon), 0) for lon in (-122.0, -121.0))
    >>> bool(one.event().normal() == other.event().normal())
    True
    >>> bool(one.record().normal() == other.record().normal())
    False
    """

    seed: int
    key: tuple[float, ...]
    number: int

    def record(self) -> np.random.Generator:
        """Return a new generator for this record only."""
        return random_generator(self.seed, *self.key, self.number)

    def event(self) -> np.random.Generator:
        """Return a new generator that all records of this realization of the event share."""
        return random_generator(self.seed, "event", *self.key[:N_SOURCE_COLUMNS], self.number)


def event_numbers(scenario: pd.DataFrame) -> NDArray[np.int64]:
    """Return one number per record (record,), equal for records of the same ``source_id``."""
    names = scenario["source_id"].astype(str)
    numbers = {
        name: int(random_generator("event", name).integers(2**62)) for name in names.unique()
    }
    return np.array([numbers[name] for name in names], np.int64)
