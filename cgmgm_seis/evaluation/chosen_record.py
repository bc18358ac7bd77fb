"""One record chosen by the user: several draws of every generator, and reconstructions."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.evaluation.draws import Draw
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.models.reconstruction import Reconstruction, Reconstructs
from cgmgm_seis.scenario.window import Window

logger = logging.getLogger(__name__)

Waveforms = NDArray[np.float32]


@dataclass(frozen=True)
class ChosenRecord:
    """A record, draws for its scenario, and its reconstructions.

    Parameters
    ----------
    row : int
        Row of the scenario.
    recorded : numpy.ndarray
        Velocity, m/s, shape (component, sample).
    draws : dict
        Generator to its first realizations, (realization, component, sample).
    reconstructions : dict
        Generator to the spectrograms of the record, encoded and decoded.
    """

    row: int
    recorded: Waveforms
    draws: dict[str, Waveforms]
    reconstructions: dict[str, Reconstruction] = field(default_factory=dict)


def row_of_record(scenario: pd.DataFrame, record: str) -> int:
    """Return the row of a record given as EVENT/STATION.

    Parameters
    ----------
    scenario : pandas.DataFrame
        Scenario table.
    record : str
        ``source_id``, a slash, and the station code with or without the network's.

    Raises
    ------
    CgmgmError
        If there is no such record, or more than one.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "source_id": ["a", "a"],
    ...     "station_network_code": ["BK", "NC"],
    ...     "station_code": ["CVS", "CVS"],
    ... })
    >>> row_of_record(table, "a/NC.CVS")
    1
    """
    event, _, station = record.rpartition("/")
    code = scenario["station_code"].astype(str)
    named = scenario["station_network_code"].astype(str) + "." + code
    own = scenario["source_id"].astype(str) == event
    rows = np.flatnonzero(own & ((code == station) | (named == station)))
    if len(rows) == 1:
        return int(rows[0])
    if len(rows):
        which = ", ".join(f"{event}/{named.iloc[row]}" for row in rows)
        raise CgmgmError(f"Record '{record}' is not unique; it may be {which}.")
    known = ", ".join(named[own]) or "none"
    raise CgmgmError(
        f"Record '{record}' is not among the {len(scenario)} records compared; stations of event "
        f"'{event}' there: {known}."
    )


def draw_record(
    row: int,
    waveforms: Waveforms,
    scenario: pd.DataFrame,
    window: Window,
    draws: Mapping[str, Draw],
    models: Mapping[str, GroundMotionModel],
    n_draws: int,
    seed: int,
) -> ChosenRecord:
    """Draw the first realizations of one record, and reconstruct it.

    Parameters
    ----------
    row : int
        Row of the record.
    waveforms, scenario, window
        All records, their scenario table and window.
    draws : mapping
        Generator, including the simulator, to the function that draws from it.
    models : mapping
        Generator to model; those that can are asked to reconstruct the record, if it has all of
        their components.
    n_draws, seed : int
        Number of realizations, the same as those that are compared, and random seed.
    """
    table = scenario.iloc[[row]].reset_index(drop=True)
    reconstructions = {}
    for name, model in models.items():
        if not isinstance(model, Reconstructs):
            logger.warning("No reconstruction by %s: it cannot encode records.", name)
        elif model.component_order != window.component_order:
            logger.warning(
                "No reconstruction by %s: it needs components %s, the records have %s.",
                *(name, model.component_order, window.component_order),
            )
        else:
            reconstructions[name] = model.reconstruct(waveforms[[row]], table)
    drawn = {name: draw(table, n_draws, seed)[0] for name, draw in draws.items()}
    return ChosenRecord(row, waveforms[row], drawn, reconstructions)
