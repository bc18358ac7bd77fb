"""Evaluation of models against a flatfile of amplitudes: bias, scatter, calibration, trends."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cgmgm_seis.errors import CgmgmError, DatasetError
from cgmgm_seis.evaluation.amplitude_tables import (
    Predicted,
    amplitude_groups_table,
    amplitude_records_table,
    amplitudes_table,
    of_prediction,
    of_realizations,
)
from cgmgm_seis.evaluation.config import EvaluationConfig
from cgmgm_seis.evaluation.data import dataset_name, some_events
from cgmgm_seis.evaluation.draws import measuring_pool, model_draw, reduce_draws
from cgmgm_seis.evaluation.flatfile import Flatfile, read_flatfile
from cgmgm_seis.evaluation.generators import common_window, say_extrapolation
from cgmgm_seis.evaluation.identity import ChunkFolder, settings_of
from cgmgm_seis.evaluation.measures import (
    horizontals,
    ln_rotd50,
    rotd50_series,
)
from cgmgm_seis.evaluation.metrics import Findings, evaluation_of
from cgmgm_seis.evaluation.tables import Evaluation, nested, places_table, plain
from cgmgm_seis.gmm.pygmm_models import DEFAULT_VS30, NGA_WEST2, NGAWest2
from cgmgm_seis.measures.response_spectra import period_range, resolved_periods
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.models.conditions import inside_range
from cgmgm_seis.scenario.window import Window

logger = logging.getLogger(__name__)


def evaluate_flatfile(
    table: str | Path,
    generators: Mapping[str, GroundMotionModel],
    config: EvaluationConfig | None = None,
) -> Evaluation:
    """Compare generators and the NGA-West2 models with recorded amplitudes.

    Residuals are generated - recorded, as in `cgmgm_seis.evaluation.evaluate`: the median of the
    realizations, or of the ground-motion model, minus the record, in natural logarithms.  Records
    outside the ranges of a model are included, and their share is given.

    Parameters
    ----------
    table : str or pathlib.Path
        CSV file, see `cgmgm_seis.evaluation.flatfile`.
    generators : mapping
        Name to model; all with the same rate, start and length.  Those without two horizontals
        are left out, since the amplitudes are RotD50.
    config : EvaluationConfig, optional
        Settings; those for waveforms or a split have no effect.

    Returns
    -------
    Evaluation
        Tables "amplitudes", "amplitude_groups", "amplitude_places" and "amplitude_records"; the
        first two are also in the metrics, by generator.

    Raises
    ------
    DatasetError
        If the flatfile cannot be used.
    CgmgmError
        If the models' windows differ or all lack two horizontals, or a model returns constant or
        NaN records or has a reserved name.
    """
    config = config or EvaluationConfig()
    generators, left_out = _with_two_horizontals(generators)
    window = _horizontal(common_window(generators))
    flatfile = _chosen(read_flatfile(table, config.columns), window.sampling_rate, config)
    outside = {
        name: say_extrapolation(name, model, flatfile.scenario)
        for name, model in generators.items()
    }
    predicted = _of_generators(generators, flatfile, window, config)
    notes = {**flatfile.notes, **left_out}
    if config.gmms:
        try:
            predicted |= _of_ground_motion_models(flatfile)
            notes |= _said_of_sites(flatfile.scenario)
        except CgmgmError as error:
            logger.warning("No ground-motion models: %s", error)
            notes["ground-motion models"] = str(error)
    tables = _tables(predicted, flatfile)
    found = evaluation_of(
        generators,
        dataset_name(table),
        "all records",
        flatfile.scenario,
        settings_of(config, window),
        Findings(tables, notes, dict.fromkeys(generators)),
    )
    series = ["component", "measure"]
    by = {"amplitudes": series, "amplitude_groups": [*series, "group"]}
    metrics = {
        key: {name: nested(tables[key], name, keys) for name in predicted}
        for key, keys in by.items()
    }
    dataset = {**found.metrics["dataset"], "outside_trained_ranges": outside}
    return replace(found, metrics={**found.metrics, "dataset": dataset, **plain(metrics)})


def _with_two_horizontals(
    generators: Mapping[str, GroundMotionModel],
) -> tuple[dict[str, GroundMotionModel], dict[str, str]]:
    """Return the generators that have RotD50, all if none has, and notes on the others."""
    kept = {name: model for name, model in generators.items() if horizontals(model.component_order)}
    if not kept:
        return dict(generators), {}
    left_out = {
        name: f"it generates {model.component_order} only, and RotD50 needs two horizontals"
        for name, model in generators.items()
        if name not in kept
    }
    for name, reason in left_out.items():
        logger.warning("%s is left out: %s.", name, reason)
    return kept, left_out


def _horizontal(window: Window) -> Window:
    """Return the horizontals of a window, which RotD50 needs."""
    places = horizontals(window.component_order)
    if not places:
        raise CgmgmError(
            f"Components {window.component_order} of the models must include two horizontals, "
            "which RotD50 needs."
        )
    return window.part(places, slice(None))


def _of_generators(
    generators: Mapping[str, GroundMotionModel],
    flatfile: Flatfile,
    window: Window,
    config: EvaluationConfig,
) -> dict[str, Predicted]:
    """Draw realizations of every generator, and compute the measures of the flatfile."""
    scenario, events = flatfile.scenario, flatfile.scenario["source_id"].astype(str)
    places = rotd50_series(flatfile.periods).get_indexer(flatfile.names)
    settings = {**settings_of(config, window), "periods": flatfile.periods}
    chunks = ChunkFolder(config.chunk_folder, settings, flatfile.values, scenario, generators)
    predicted = {}
    with measuring_pool(len(scenario) * config.n_realizations, config.workers) as pool:
        for name, model in generators.items():
            drawn = reduce_draws(
                model_draw(model, window),
                scenario,
                window,
                config.n_realizations,
                config.seed,
                name,
                config.progress,
                pool,
                chunks.of("amplitudes", name),
                partial(ln_rotd50, periods=flatfile.periods),
                keep_first=False,
            )
            predicted[name] = of_realizations(
                drawn.measures[:, :, places], flatfile.values, events, _outside(model, scenario)
            )
    return predicted


def _of_ground_motion_models(flatfile: Flatfile) -> dict[str, Predicted]:
    """Return the predictions of the NGA-West2 models."""
    places = rotd50_series(flatfile.periods).get_indexer(flatfile.names)
    return {
        name: of_prediction(
            NGAWest2(name, flatfile.periods).predict(flatfile.scenario).of(places),
            flatfile.values,
        )
        for name in NGA_WEST2
    }


def _tables(predicted: Mapping[str, Predicted], flatfile: Flatfile) -> dict[str, pd.DataFrame]:
    """Return all tables by name."""
    known = (flatfile.values, flatfile.scenario, flatfile.names)
    medians = {name: own.median for name, own in predicted.items()}
    return {
        "amplitudes": amplitudes_table(predicted, *known),
        "amplitude_groups": amplitude_groups_table(predicted, *known),
        "amplitude_places": places_table(medians, *known, flatfile.names.tolist()),
        "amplitude_records": amplitude_records_table(predicted, *known),
    }


def _chosen(flatfile: Flatfile, sampling_rate: float, config: EvaluationConfig) -> Flatfile:
    """Leave out periods that the models cannot resolve, and events beyond `max_records`."""
    periods = tuple(resolved_periods(flatfile.periods, sampling_rate))
    kept = flatfile.names.isin(rotd50_series(periods))
    notes = dict(flatfile.notes)
    shortest, longest = period_range(sampling_rate)
    if others := [f"{t:g} s" for t in flatfile.periods if t not in periods]:
        notes[f"PSA at {', '.join(others)}"] = (
            f"the period must be from {shortest:g} to {longest:g} s, 5 to 100,000 samples at "
            f"{sampling_rate:g} Hz"
        )
    rows = np.asarray(np.isfinite(flatfile.values[:, kept]).any(axis=1))
    left_out = dict(flatfile.scenario.attrs["left_out"])
    if not rows.all():
        left_out["without an amplitude at a period of the models"] = int((~rows).sum())
    if not rows.any():
        raise DatasetError(
            f"0 of {len(rows)} rows have PGA, PGV or PSA at {shortest:g} to {longest:g} s; at "
            "least 1 is needed."
        )
    if config.max_records is not None:
        events = flatfile.scenario["source_id"].astype(str)
        rows &= some_events(events, rows, config.max_records, config.seed)
    # A measure may be available for other events only.
    kept &= np.isfinite(flatfile.values[rows]).any(axis=0)
    scenario = flatfile.scenario.loc[rows].reset_index(drop=True)
    scenario.attrs["left_out"] = left_out
    return Flatfile(
        scenario, flatfile.values[np.ix_(rows, kept)], flatfile.names[kept], periods, notes
    )


def _outside(model: GroundMotionModel, scenario: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which records are outside the trained ranges of a model."""
    inside = [inside_range(scenario, column, limits) for column, limits in model.ranges.items()]
    return ~np.all(inside, axis=0) if inside else np.zeros(len(scenario), bool)


def _said_of_sites(scenario: pd.DataFrame) -> dict[str, str]:
    """Return a note on the records with unknown Vs30, which ground-motion models need."""
    given = "station_vs30_mps" in scenario
    unknown = int(scenario["station_vs30_mps"].isna().sum()) if given else len(scenario)
    if not unknown:
        return {}
    said = f"{DEFAULT_VS30:g} m/s is assumed for {unknown} of {len(scenario)} records"
    logger.warning("Vs30 of ground-motion models: %s.", said)
    return {"Vs30 of some stations, for ground-motion models": said}
