"""What an evaluation found: its tables, as text, as nested numbers and as files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cgmgm_seis.discriminator import DiscriminativeScore
from cgmgm_seis.draws import MEASURES
from cgmgm_seis.outputs import PROVENANCE_FILE, complete_folder
from cgmgm_seis.provenance import versions
from cgmgm_seis.residuals import Comparison

Floats = NDArray[np.float64]

RECORDED, SIMULATOR = "recorded", "simulator itself"
PHASES = ("p", "s")
PIT_EDGES = np.linspace(0.0, 1.0, 11)
METRICS_FILE = "metrics.json"


@dataclass(frozen=True)
class Evaluation:
    """What was measured.

    Parameters
    ----------
    metrics : dict
        All numbers but those of single records, nested, JSON-ready; NaN is None.
    tables : dict
        "measures", "pit", "picks", "discriminator" and "records", each a DataFrame; those that
        could not be measured are missing.
    """

    metrics: dict[str, Any]
    tables: dict[str, pd.DataFrame]

    def __str__(self) -> str:
        """Return the tables to read; those of single records and of the PIT are left out."""
        m = self.metrics
        parts = [
            f"{m['dataset']['name']}, split {m['dataset']['split']}: "
            f"{m['dataset']['records']} records of {m['dataset']['events']} events, "
            f"{m['n_realizations']} realizations, seed {m['seed']}"
        ]
        for name, table in self.tables["measures"].groupby("generator", sort=False):
            model = m["generators"][name]["model"]
            made_by = f" ({model['class']}, version {model['version']})" if model else ""
            parts.append(f"{name}{made_by}: natural logarithms\n{text(table, ['generator'])}")
        if "picks" in self.tables:
            parts.append(f"PhaseNet picks\n{text(self.tables['picks'])}")
        for name, found in m["generators"].items():
            if score := found["discriminator"]:
                parts.append(
                    f"Discriminative score |accuracy - 0.5| of {name}: {score['mean']:.3f} "
                    f"+- {score['spread']:.3f} ({len(score['accuracies'])} seeds; "
                    f"guessing gives {score['chance']:.3f})"
                )
        return "\n\n".join(parts)


def write_evaluation(
    folder: str | Path,
    evaluation: Evaluation,
    command: Sequence[str] = (),
    overwrite: bool = False,
) -> list[tuple[Path, str]]:
    """Write an evaluation to a new folder, which appears complete or not at all.

    Parameters
    ----------
    folder : str or pathlib.Path
        The folder to make.
    evaluation : Evaluation
        What `evaluate` returned.
    command : sequence of str
        Command line, program first, for the provenance.
    overwrite : bool
        Replace an existing folder that holds a provenance file.

    Returns
    -------
    list of (pathlib.Path, str)
        Files written and what they hold, one line each.

    Raises
    ------
    OutputError
        If the folder exists or cannot be written.
    """
    folder = Path(folder)
    made_by = {
        "about": "A comparison of generated with recorded seismograms.",
        "command": list(command),
        "versions": versions(),
    }
    written = {METRICS_FILE: "all numbers, by generator", PROVENANCE_FILE: "command and versions"}
    with complete_folder(folder, overwrite) as temporary:
        for name, content in ((METRICS_FILE, evaluation.metrics), (PROVENANCE_FILE, made_by)):
            text = json.dumps(content, indent=1, allow_nan=False)
            (temporary / name).write_text(text + "\n")
        for name, table in evaluation.tables.items():
            table.to_csv(temporary / f"{name}.csv", index=False)
            written[f"{name}.csv"] = f"table of {len(table)} rows"
    return [(folder / name, description) for name, description in written.items()]


def measures_table(comparisons: Mapping[str, Comparison]) -> pd.DataFrame:
    """Stack the comparisons; beside every sigma stands the simulator's, where there is one."""
    table = _stacked({name: found.table for name, found in comparisons.items()})
    if SIMULATOR in comparisons:
        floor = comparisons[SIMULATOR].table[["component", "measure", "sigma"]]
        floor = floor.rename(columns={"sigma": "simulator_sigma"})
        table = table.merge(floor, on=["component", "measure"], how="left")
        table["sigma_ratio"] = table["sigma"] / table["simulator_sigma"]
    return table


def pit_table(comparisons: Mapping[str, Comparison], components: str) -> pd.DataFrame:
    """Return the share of records in every tenth of the PIT."""
    tables = {}
    names = [f"{low:.1f}-{high:.1f}" for low, high in pairwise(PIT_EDGES)]
    for name, found in comparisons.items():
        series = found.pit.reshape(len(found.pit), -1).T
        shares = [np.histogram(values, PIT_EDGES)[0] / len(values) for values in series]
        tables[name] = pd.DataFrame(shares, _grid(components), names).reset_index()
    return _stacked(tables)


def records_table(
    comparisons: Mapping[str, Comparison],
    recorded: Floats,
    scenario: pd.DataFrame,
    components: str,
) -> pd.DataFrame:
    """Return the values of every record, component and measure."""
    grid = _grid(components).to_frame(index=False)
    columns = ["source_id", "station_network_code", "station_code"]
    n_series = len(grid)
    tables = {
        name: pd.concat(
            [
                scenario.loc[np.repeat(scenario.index, n_series), columns].reset_index(drop=True),
                pd.concat([grid] * len(scenario), ignore_index=True),
            ],
            axis=1,
        ).assign(
            ln_recorded=recorded.ravel(), ln_median=found.median.ravel(), pit=found.pit.ravel()
        )
        for name, found in comparisons.items()
    }
    return _stacked(tables)


def picks_table(
    picks: Mapping[str, pd.DataFrame], onsets: Mapping[str, Floats] | None
) -> pd.DataFrame:
    """Return how often each phase is picked, and how far from the onset, or the record's pick."""
    rows = []
    for name, found in picks.items():
        for phase in PHASES:
            times = found[f"{phase}_s"].to_numpy(float)
            reference = onsets[phase] if onsets else picks[RECORDED][f"{phase}_s"]
            delays = times - reference
            delays = delays[np.isfinite(delays)]
            if not onsets and name == RECORDED:
                delays = delays[:0]
            rows.append(
                {
                    "generator": name,
                    "phase": phase.upper(),
                    "picked": np.isfinite(times).mean(),
                    "reference": "true onset" if onsets else "recorded pick",
                    "compared": len(delays),
                    "median_s": np.median(delays) if len(delays) else np.nan,
                    "p90_s": np.percentile(np.abs(delays), 90) if len(delays) else np.nan,
                }
            )
    return pd.DataFrame(rows)


def discriminator_table(scores: Mapping[str, DiscriminativeScore]) -> pd.DataFrame:
    """Return the accuracy of every classifier."""
    rows = [
        {"generator": name, "classifier": number, "accuracy": accuracy}
        for name, score in scores.items()
        for number, accuracy in enumerate(score.accuracies)
    ]
    return pd.DataFrame(rows)


def _stacked(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(tables, names=["generator"]).reset_index("generator").reset_index(drop=True)


def _grid(components: str) -> pd.MultiIndex:
    return pd.MultiIndex.from_product([list(components), MEASURES], names=["component", "measure"])


def nested(table: pd.DataFrame, name: str, keys: list[str]) -> dict[str, Any] | None:
    """Return the rows of a generator as dicts inside dicts, by the keys."""
    if table.empty:
        return None
    nested: dict[str, Any] = {}
    for row in table[table["generator"] == name].drop(columns="generator").to_dict("records"):
        *path, last = [row.pop(key) for key in keys]
        place = nested
        for key in path:
            place = place.setdefault(key, {})
        place[last] = row
    return nested


def plain(value: Any) -> Any:
    """Return nested numbers as JSON has them: Python's own, NaN as None."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def text(table: pd.DataFrame, without: Sequence[str] = ()) -> str:
    """Return a table to read."""
    shown = table.drop(columns=list(without))
    return shown.to_string(index=False, float_format=lambda value: f"{value:.3f}", na_rep="")
