"""The tables of an evaluation, also as text and as nested numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from cgmgm_seis.evaluation.chosen_record import ChosenRecord
from cgmgm_seis.evaluation.discriminator import DiscriminativeScore
from cgmgm_seis.evaluation.highlights import Highlights
from cgmgm_seis.evaluation.measures import main_amplitudes, main_series
from cgmgm_seis.evaluation.residuals import Comparison
from cgmgm_seis.scenario.arrays import Floats

SIMULATOR = "simulator itself"
PIT_EDGES = np.linspace(0.0, 1.0, 11)
# Columns that identify a record.
CODES = ["source_id", "station_network_code", "station_code"]


@dataclass(frozen=True)
class Evaluation:
    """Result of an evaluation.

    Parameters
    ----------
    metrics : dict
        All numbers except those of single records and bins, nested, JSON-serialisable; NaN is
        None.
    tables : dict
        Name to DataFrame; reasons for missing tables are in "not_available" of the metrics.
    scenario : pandas.DataFrame
        Scenario table of the records used.
    highlights : dict
        Waveforms and envelopes of the records and of every generator, for the figures.
    chosen : ChosenRecord, optional
        A record of which draws and reconstructions are shown.
    """

    metrics: dict[str, Any]
    tables: dict[str, pd.DataFrame]
    scenario: pd.DataFrame
    highlights: dict[str, Highlights] = field(default_factory=dict)
    chosen: ChosenRecord | None = None

    def __str__(self) -> str:
        """Return the tables as text, without those of single records and of bins."""
        m = self.metrics
        parts = [
            f"{m['dataset']['name']}, split {m['dataset']['split']}: "
            f"{m['dataset']['records']} records of {m['dataset']['events'] or 'unknown'} events, "
            f"{m['n_realizations']} realizations, seed {m['seed']}",
            *said_of_records(m["dataset"]),
        ]
        if "measures" in self.tables:
            table = self.tables["measures"]
            names = pd.MultiIndex.from_frame(table[["component", "measure"]])
            table = table[names.isin(main_series(names))]
            for name, own in table.groupby("generator", sort=False):
                model = m["generators"][name]["model"]
                made_by = f" ({model['class']}, version {model['version']})" if model else ""
                parts.append(f"{name}{made_by}: natural logarithms\n{text(own, ['generator'])}")
        if "amplitudes" in self.tables:
            table = self.tables["amplitudes"]
            table = table[table["measure"].isin(main_amplitudes(table["measure"].tolist()))]
            parts.append(f"Natural logarithms, generated - recorded\n{text(table, ['component'])}")
        for key, title in PRINTED.items():
            if key in self.tables:
                parts.append(f"{title}\n{text(self.tables[key])}")
        parts += [f"Not available: {key}: {why}" for key, why in m["not_available"].items()]
        return "\n\n".join(parts)


PRINTED = {
    "ground_motion_models": "Generators and ground-motion models, natural logarithms",
    "picks": "PhaseNet picks",
    "discriminator": "Discriminator: |accuracy - 0.5|, lower is better",
    "distributions": "Frechet distance of log spectrograms, ln units per cell",
}


def said_of_records(dataset: Mapping[str, Any]) -> list[str]:
    """Return notes on records left out, partial, repeated, or outside trained ranges."""
    sentences = []
    if dataset["left_out"]:
        reasons = "; ".join(f"{count} {reason}" for reason, count in dataset["left_out"].items())
        sentences.append(f"Records left out: {reasons}.")
    if repeated := dataset["sharing_event_and_station"]:
        sentences.append(f"{repeated} records share event and station; all of them are used.")
    if partial := dataset["partial"]:
        sentences.append(
            f"{partial} of {dataset['records']} records fill only a part of the window; recorded "
            "and generated motion are compared within that part."
        )
    for name, outside in dataset.get("outside_trained_ranges", {}).items():
        sentences += [f"{name}: {sentence}" for sentence in outside]
    return sentences


def measures_table(comparisons: Mapping[str, Comparison]) -> pd.DataFrame:
    """Return the table of all comparisons; with a simulator, its sigma is added to every row."""
    table = stacked({name: found.table for name, found in comparisons.items()})
    if SIMULATOR in comparisons:
        floor = comparisons[SIMULATOR].table[["component", "measure", "sigma"]]
        floor = floor.rename(columns={"sigma": "simulator_sigma"})
        table = table.merge(floor, on=["component", "measure"], how="left")
        table["sigma_ratio"] = table["sigma"] / table["simulator_sigma"]
    return table


def pit_table(comparisons: Mapping[str, Comparison], names: pd.MultiIndex) -> pd.DataFrame:
    """Return the share of records in every tenth of the PIT."""
    labels = [f"{low:.1f}-{high:.1f}" for low, high in pairwise(PIT_EDGES)]
    tables = {}
    for name, found in comparisons.items():
        shares = [np.histogram(values, PIT_EDGES)[0] / len(values) for values in found.pit.T]
        tables[name] = pd.DataFrame(shares, names, labels).reset_index()
    return stacked(tables)


def records_table(
    comparisons: Mapping[str, Comparison],
    recorded: Floats,
    scenario: pd.DataFrame,
    names: pd.MultiIndex,
) -> pd.DataFrame:
    """Return the values of every record and main series."""
    chosen = main_series(names)
    places = names.get_indexer(chosen)
    columns = scenario[[*CODES, "source_magnitude", "path_hyp_distance_km"]]
    repeated = columns.loc[columns.index.repeat(len(chosen))].reset_index(drop=True)
    grid = chosen.to_frame(index=False)
    grids = pd.concat([grid] * len(scenario), ignore_index=True)
    tables = {
        name: pd.concat([repeated, grids], axis=1).assign(
            ln_recorded=recorded[:, places].ravel(),
            ln_median=found.median[:, places].ravel(),
            pit=found.pit[:, places].ravel(),
        )
        for name, found in comparisons.items()
    }
    return stacked(tables)


def places_table(
    medians: Mapping[str, Floats],
    recorded: Floats,
    scenario: pd.DataFrame,
    names: pd.MultiIndex,
    chosen: Sequence[tuple[str, str]],
) -> pd.DataFrame:
    """Return the bias of every station and event.

    Parameters
    ----------
    medians : mapping
        Generator to its medians, shape (record, series).
    recorded : numpy.ndarray
        Natural logarithms, shape (record, series); NaN is ignored.
    scenario : pandas.DataFrame
        Scenario table of the records.
    names : pandas.MultiIndex
        Component and measure of the series.
    chosen : sequence of (str, str)
        The series to return; those not among `names` are left out.

    Returns
    -------
    pandas.DataFrame
        Columns "kind" (station or event), "name", "latitude_deg", "longitude_deg", "records",
        "component", "measure" and "bias", the mean of median - recorded.
    """
    stations = scenario["station_network_code"] + "." + scenario["station_code"].astype(str)
    grouped = {
        "station": (stations, "station_latitude_deg", "station_longitude_deg"),
        "event": (scenario["source_id"].astype(str), "source_latitude_deg", "source_longitude_deg"),
    }
    tables: dict[str, pd.DataFrame] = {}
    for generator, median in medians.items():
        parts = []
        for kind, (labels, latitude, longitude) in grouped.items():
            for series in (series for series in chosen if series in names):
                place = names.get_loc(series)
                values = pd.DataFrame(
                    {
                        "latitude_deg": scenario[latitude].to_numpy(),
                        "longitude_deg": scenario[longitude].to_numpy(),
                        "bias": median[:, place] - recorded[:, place],
                    }
                )
                groups = values.groupby(labels.to_numpy())
                part = groups.mean().assign(records=groups["bias"].count(), kind=kind)
                part = part.assign(component=series[0], measure=series[1])
                parts.append(part[part["records"] > 0].rename_axis("name").reset_index())
        tables[generator] = pd.concat(parts, ignore_index=True)
    return stacked(tables)


def discriminator_table(scores: Mapping[str, DiscriminativeScore]) -> pd.DataFrame:
    """Return the score of every generator: mean, spread, value for guessing, and p-value."""
    rows = [
        {
            "generator": name,
            "score": score.mean,
            "spread": score.spread,
            "guessing": score.chance,
            "p_value": score.p_value,
            "classifiers": len(score.accuracies),
        }
        for name, score in scores.items()
    ]
    return pd.DataFrame(rows)


def stacked(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Concatenate the tables of generators; the first column is the name of the generator."""
    if not any(len(table) for table in tables.values()):
        return pd.DataFrame()
    return pd.concat(tables, names=["generator"]).reset_index("generator").reset_index(drop=True)


def nested(table: pd.DataFrame, name: str, keys: list[str]) -> dict[str, Any] | None:
    """Return the rows of a generator as nested dictionaries, by the keys."""
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
    """Return nested values in types that JSON supports: plain Python, NaN as None."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def text(table: pd.DataFrame, without: Sequence[str] = ()) -> str:
    """Return a table as text."""
    shown = table.drop(columns=list(without))
    return shown.to_string(index=False, float_format=lambda value: f"{value:.3f}", na_rep="")
