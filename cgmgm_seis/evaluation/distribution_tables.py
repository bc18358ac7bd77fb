"""Tables of distributions of log spectrograms: distances and projections."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from cgmgm_seis.evaluation.comparisons import Compared
from cgmgm_seis.evaluation.distributions import (
    filled,
    frechet_distance,
    frechet_test,
    principal_components,
    t_sne,
    valid_cells,
)
from cgmgm_seis.evaluation.pick_tables import RECORDED
from cgmgm_seis.evaluation.records import Records
from cgmgm_seis.scenario.arrays import Floats

# With fewer events there are too few different exchanges for a small p-value.
FEWEST_EXCHANGED = 6


@dataclass(frozen=True)
class Distributions:
    """Tables of distributions.

    Parameters
    ----------
    tables : dict
        "distributions" and "projections".
    missing : dict
        What is not available, and the reason.
    variance_shares : list of float, optional
        Variance shares of the principal components.
    """

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    variance_shares: list[float] | None = None


def distribution_tables(
    records: Records, compared: Mapping[str, Compared], seed: int, tsne: bool
) -> Distributions:
    """Compare the distributions of log spectrograms of calibrated records and of generators.

    Parameters
    ----------
    records : Records
        The records.
    compared : mapping
        Generator to its comparison with the records.
    seed : int
        Random seed of the exchanges of events, and of t-SNE.
    tsne : bool
        Also project with t-SNE.
    """
    recorded, events = records.log_spectrograms, records.calibrated_scenario["source_id"]
    generated = {
        name: own.log_spectrograms
        for name, own in compared.items()
        if own.log_spectrograms is not None
    }
    if not generated:
        return Distributions()
    if len(recorded) < 3:
        reason = f"{len(recorded)} record(s) are too few; at least 3 are needed"
        return Distributions(missing={"distributions": reason})
    _, n_components, n_samples = records.waveforms.shape
    spans = records.spans[records.calibrated]
    valid = valid_cells(spans, n_samples, n_components, recorded.shape[1])
    generated = {name: filled(cells, valid, recorded) for name, cells in generated.items()}
    recorded = filled(recorded, valid, recorded)
    missing = {}
    if events.nunique() < FEWEST_EXCHANGED:
        reason = f"{events.nunique()} event(s) are too few; at least {FEWEST_EXCHANGED} are needed"
        missing["chance of the Frechet distance"] = reason
    projections, shares = projections_table(recorded, generated, seed, tsne)
    tables = {
        "distributions": frechet_table(recorded, generated, events, seed),
        "projections": projections,
    }
    return Distributions(tables, missing, shares)


def frechet_table(
    recorded: Floats, generated: Mapping[str, Floats], events: pd.Series, seed: int
) -> pd.DataFrame:
    """Return the Frechet distance of every generator, and the distance expected by chance.

    Parameters
    ----------
    recorded : numpy.ndarray
        Log spectrograms of the records, (record, cell).
    generated : mapping
        Generator to the log spectrograms of realization 0, same shape.
    events : pandas.Series
        The event of every record.
    seed : int
        Random seed of the exchanges.
    """
    rows = []
    for name, features in generated.items():
        chance = p_value = np.nan
        if events.nunique() >= FEWEST_EXCHANGED:
            chance, p_value = frechet_test(recorded, features, events, seed)
        distance = frechet_distance(recorded, features)
        rows.append(
            {
                "generator": name,
                "frechet_distance": distance,
                "chance": chance,
                "p_value": p_value,
            }
        )
    return pd.DataFrame(rows)


def projections_table(
    recorded: Floats, generated: Mapping[str, Floats], seed: int, tsne: bool
) -> tuple[pd.DataFrame, list[float]]:
    """Return projections of log spectrograms, and the variance shares of principal components.

    Parameters
    ----------
    recorded, generated, seed
        As in `frechet_table`.
    tsne : bool
        Also project with t-SNE.
    """
    points, shares = principal_components(recorded, *generated.values())
    projected = {"PCA": points}
    if tsne:
        projected["t-SNE"] = t_sne(recorded, *generated.values(), seed=seed)
    tables = [
        pd.DataFrame({"generator": name, "method": method, "x": xy[:, 0], "y": xy[:, 1]})
        for method, sets in projected.items()
        for name, xy in zip((RECORDED, *generated), sets, strict=True)
    ]
    return pd.concat(tables, ignore_index=True), [float(share) for share in shares]
