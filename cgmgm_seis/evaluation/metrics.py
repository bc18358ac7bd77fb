"""The results of an evaluation as nested numbers, in addition to its tables."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from cgmgm_seis.datasets.windows import repeated_records
from cgmgm_seis.evaluation.chosen_record import ChosenRecord
from cgmgm_seis.evaluation.discriminator import DiscriminativeScore
from cgmgm_seis.evaluation.highlights import Highlights
from cgmgm_seis.evaluation.measures import FREQUENCIES, main_series
from cgmgm_seis.evaluation.pick_tables import RECORDED
from cgmgm_seis.evaluation.simulator_draws import is_simulated
from cgmgm_seis.evaluation.tables import Evaluation, nested, plain
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.output.provenance import trained_on
from cgmgm_seis.scenario.spans import partial, valid_spans


@dataclass(frozen=True)
class Findings:
    """Results of an evaluation.

    Parameters
    ----------
    tables : mapping
        Name to table, which may be empty.
    missing : mapping
        What is not available, and the reason.
    scores : mapping
        Generator, including the simulator, to its discriminative score.
    variance_shares : list of float, optional
        Variance shares of the principal components of log spectrograms.
    highlights : dict
        Waveforms and envelopes of the records and of every generator.
    chosen : ChosenRecord, optional
        A record of which draws and reconstructions are shown.
    """

    tables: Mapping[str, pd.DataFrame]
    missing: Mapping[str, str]
    scores: Mapping[str, DiscriminativeScore | None] = field(default_factory=dict)
    variance_shares: list[float] | None = None
    highlights: dict[str, Highlights] = field(default_factory=dict)
    chosen: ChosenRecord | None = None


def evaluation_of(
    models: Mapping[str, GroundMotionModel],
    dataset: str,
    split: str,
    scenario: pd.DataFrame,
    settings: Mapping[str, Any],
    findings: Findings,
) -> Evaluation:
    """Combine the results of an evaluation; empty tables are left out.

    Parameters
    ----------
    models : mapping
        Name to model.
    dataset : str
        Name of the data set.
    split : str
        The requested split.
    scenario : pandas.DataFrame
        Scenario table of the records used.
    settings : mapping
        Settings: window, realizations, seed and picker.
    findings : Findings
        The results.
    """
    tables = {name: table for name, table in findings.tables.items() if len(table)}
    empty = pd.DataFrame()
    keys = {
        "measures": ["component", "measure"],
        "pit": ["component", "measure"],
        "picks": ["phase"],
    }
    metrics = {
        "dataset": {
            "name": dataset,
            "split": split if "split" in scenario else "all records",
            "records": len(scenario),
            "events": int(scenario["source_id"].nunique()) if "source_id" in scenario else None,
            "left_out": scenario.attrs.get("left_out", {}),
            "sharing_event_and_station": repeated_records(scenario),
            "partial": _partial(scenario, settings["window"]["n_samples"]),
            "simulated": is_simulated(scenario),
        },
        **settings,
        "models": {name: _identity(model) for name, model in models.items()},
        "not_available": dict(findings.missing),
        RECORDED: {"picks": nested(tables.get("picks", empty), RECORDED, ["phase"])},
        "variance_shares": findings.variance_shares,
        "generators": {
            name: {
                "model": _identity(models.get(name)),
                **{key: nested(tables.get(key, empty), name, by) for key, by in keys.items()},
                "discriminator": _score(score),
                "frechet_distance": _frechet(tables.get("distributions", empty), name),
            }
            for name, score in findings.scores.items()
        },
    }
    if "ground_motion_models" in tables:
        table, by = tables["ground_motion_models"], ["component", "measure"]
        metrics["ground_motion_models"] = {
            name: nested(table, name, by) for name in table["generator"].unique()
        }
    metrics["learned_structure"] = _structure(tables)
    return Evaluation(plain(metrics), tables, scenario, findings.highlights, findings.chosen)


def _structure(tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Return the tables of `cgmgm_seis.evaluation.structure` by generator."""
    series = ["component", "measure"]
    keys = {
        "term_correlations": ["against", "kind", *series],
        "semivariogram_fits": ["residuals", *series],
        "frequency_correlations": ["residuals", "component", "frequency_1_hz", "frequency_2_hz"],
        "scaling": ["by", *series, "value"],
    }
    found: dict[str, Any] = {}
    if "hv_summary" in tables:
        found["hv_summary"] = tables["hv_summary"].set_index("generator").to_dict("index")
    for name in [name for name in keys if name in tables]:
        table = tables[name]
        if name == "scaling":
            names = pd.MultiIndex.from_frame(table[series])
            table = table[names.isin(main_series(names))]
            table = table.assign(value=table["value"].map("{:.4g}".format))
        if name == "frequency_correlations":
            own = table[["frequency_1_hz", "frequency_2_hz"]]
            table = table[own.isin(FREQUENCIES).all(axis=1) & (own.iloc[:, 0] < own.iloc[:, 1])]
            table = table.assign(**{str(column): own[column].map("{:g}".format) for column in own})
        found[name] = {
            generator: nested(table, generator, keys[name])
            for generator in table["generator"].unique()
        }
    return found


def _partial(scenario: pd.DataFrame, n_samples: int) -> int:
    """Return the number of records that fill only a part of the window."""
    return int(partial(valid_spans(scenario, n_samples), n_samples).sum())


def _identity(model: GroundMotionModel | None) -> dict[str, Any] | None:
    """Return the identification of a model's weights; None for the simulator."""
    if model is None:
        return None
    return {
        "class": type(model).__name__,
        "weights": model.weights_name,
        "version": model.weights_version,
        "sha256": model.weights_sha256,
        "trained_on": trained_on(model.card),
        "label": model.weights_docstring or "",
    }


def _score(score: DiscriminativeScore | None) -> dict[str, Any] | None:
    if score is None:
        return None
    found = {"mean": score.mean, "spread": score.spread, "p_value": score.p_value}
    return {**found, **asdict(score)}


def _frechet(table: pd.DataFrame, name: str) -> float | None:
    own = table[table["generator"] == name] if len(table) else table
    return float(own["frechet_distance"].iloc[0]) if len(own) else None
