"""Components of the records of a data set: which move, and which to use."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from seisbench.data import WaveformDataset

from cgmgm_seis.datasets.samples import read_sample
from cgmgm_seis.errors import DatasetError
from cgmgm_seis.scenario.seeding import random_generator

# Start of the reason for which records are left out; the letters of the components follow.
STILL = "NaN or constant on "
# Number of records that are read to find the components with motion.
SAMPLED_RECORDS = 100


def moving(record: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which components of a record (component, sample) are finite and not constant.

    Those without samples are not among them.
    """
    differs = (record != record[..., :1]).any(axis=-1)
    return np.asarray(np.isfinite(record).all(axis=-1) & differs)


def letters(component_order: str, chosen: Iterable[bool]) -> str:
    """Return the chosen components.

    Examples
    --------
    >>> letters("ZNE", [True, False, True])
    'ZE'
    """
    return "".join(letter for letter, yes in zip(component_order, chosen, strict=True) if yes)


def common_components(available: Iterable[str], component_order: str) -> str:
    """Return the most components that at least half of the records have all of.

    Without any such components, those with the most records are returned, and without records all.

    Parameters
    ----------
    available : iterable of str
        Components of each record, in any order; others than those of `component_order` do not
        count.
    component_order : str
        The possible components and their order.

    Examples
    --------
    >>> common_components(["ZNE", "ZNE", "Z"], "ZNE"), common_components(["ENZ", "Z", "Z"], "ZNE")
    ('ZNE', 'Z')
    """
    counts = Counter(_in_order(own, component_order) for own in available)
    counts.pop("", None)
    if not counts:
        return component_order
    having = {
        own: sum(count for other, count in counts.items() if set(own) <= set(other))
        for own in counts
    }
    half = counts.total() / 2
    return max(having, key=lambda own: (having[own] >= half and len(own), having[own]))


def moving_components(dataset: WaveformDataset, firsts: NDArray[np.float64], n_samples: int) -> str:
    """Return `common_components` of some records of an open data set, from their samples.

    Parameters
    ----------
    dataset : seisbench.data.WaveformDataset
        Data set with the possible components, and dimensions in the order NCW.
    firsts : numpy.ndarray
        Sample of each trace at which the window starts, NaN if unknown.
    n_samples : int
        Length of the window.
    """
    order = dataset.component_order
    rows = random_generator(0, "components").permutation(np.flatnonzero(firsts >= 0))
    available = []
    for row in rows[:SAMPLED_RECORDS]:
        first = int(firsts[row])
        try:
            cut = read_sample(dataset, int(row))[0][:, first : first + n_samples]
        except DatasetError:  # left out and said when all records are read
            continue
        if cut.shape[-1] == n_samples:
            available.append(letters(order, moving(cut)))
    return common_components(available, order)


def component_hint(orders: Iterable[str], left_out: Mapping[str, int], component_order: str) -> str:
    """Return which components would be usable where none of the records has all.

    Parameters
    ----------
    orders : iterable of str
        Component order of each record.
    left_out : mapping
        Numbers of records left out, by reason.
    component_order : str
        The wanted components.
    """
    found = Counter(_in_order(own, component_order) for own in orders)
    del found[component_order]
    for reason, count in left_out.items():
        if reason.startswith(STILL):
            still = reason.removeprefix(STILL)
            found[letters(component_order, (c not in still for c in component_order))] += count
    found.pop("", None)
    if not found:
        return "at least one is needed"
    ((own, count),) = found.most_common(1)
    return f"{count} have {own}: give --components {own} (component_order='{own}')"


def _in_order(own: str, component_order: str) -> str:
    return letters(component_order, (letter in own for letter in component_order))
