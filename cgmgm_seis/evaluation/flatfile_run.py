"""Models against a flatfile of recorded amplitudes: bias, scatter, calibration, trends."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cgmgm_seis import __version__
from cgmgm_seis.errors import CgmgmError, DatasetError
from cgmgm_seis.evaluation.amplitude_tables import (
    Predicted,
    amplitude_groups_table,
    amplitude_records_table,
    amplitudes_table,
    of_prediction,
    of_realizations,
)
from cgmgm_seis.evaluation.data import some_events
from cgmgm_seis.evaluation.draws import measuring_pool, model_draw, reduce_draws
from cgmgm_seis.evaluation.flatfile import Flatfile, read_flatfile
from cgmgm_seis.evaluation.identity import model_state, records_sha256
from cgmgm_seis.evaluation.measures import (
    horizontals,
    ln_rotd50,
    resolved_periods,
    rotd50_series,
)
from cgmgm_seis.evaluation.metrics import evaluation_of
from cgmgm_seis.evaluation.run import common_window, say_extrapolation
from cgmgm_seis.evaluation.tables import Evaluation, nested, places_table, plain
from cgmgm_seis.gmm.pygmm_models import DEFAULT_VS30, NGA_WEST2, NGAWest2
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.models.conditions import inside_range
from cgmgm_seis.storage.chunks import Chunks

logger = logging.getLogger(__name__)

Floats = NDArray[np.float64]


def evaluate_flatfile(
    models: Mapping[str, GroundMotionModel],
    path: str | Path,
    columns: str | Path | Mapping[str, str] | None = None,
    n_realizations: int = 20,
    seed: int = 0,
    max_records: int | None = None,
    gmms: bool = True,
    workers: int | None = None,
    chunk_folder: Path | None = None,
    progress: bool = False,
) -> Evaluation:
    """Compare realizations of models with recorded amplitudes, beside the NGA-West2 models.

    Residuals are generated - recorded, as in `cgmgm_seis.evaluation.evaluate`: the median of the
    realizations, or of the ground-motion model, minus the record, in natural logarithms.  Records
    outside of the ranges of a model count, and are counted.

    Parameters
    ----------
    models : mapping
        Name to model; all of one window (components, rate, start, length) with two horizontals.
    path : str or pathlib.Path
        CSV file, see `cgmgm_seis.evaluation.flatfile`.
    columns : str, pathlib.Path or mapping, optional
        See `cgmgm_seis.evaluation.flatfile.read_flatfile`.
    n_realizations : int
        Realizations of every record, 2 or more; coverage means little below about 20.
    seed : int
        Of the realizations and the choice of events.
    max_records : int, optional
        Draw whole events until the next one would exceed this number of records.
    gmms : bool
        Put the NGA-West2 models beside the generators.
    workers, chunk_folder, progress
        See `cgmgm_seis.evaluation.evaluate`.

    Returns
    -------
    Evaluation
        Tables "amplitudes", "amplitude_groups", "amplitude_places" and "amplitude_records"; the
        first two also in the metrics, "amplitudes" and "amplitude_groups" by generator.

    Raises
    ------
    DatasetError
        If the flatfile cannot be used.
    CgmgmError
        If the models' windows differ or have no two horizontals, a model draws silence or NaN, has
        a reserved name, or there are fewer than two realizations.
    """
    window = common_window(models, n_realizations)
    if not horizontals(window.component_order):
        raise CgmgmError(
            f"Models of components {window.component_order} have no RotD50; two horizontals have."
        )
    order = "".join(window.component_order[k] for k in horizontals(window.component_order))
    window = replace(window, component_order=order)
    flatfile = _chosen(read_flatfile(path, columns), window.sampling_rate, max_records, seed)
    scenario, recorded, names = flatfile.scenario, flatfile.values, flatfile.names
    notes, events = dict(flatfile.notes), scenario["source_id"].astype(str)
    series = rotd50_series(flatfile.periods)
    places = series.get_indexer(names)
    settings = {"window": asdict(window), "n_realizations": n_realizations, "seed": seed}
    measures = partial(ln_rotd50, periods=flatfile.periods)
    identity = {
        **settings,
        "version": __version__,
        "records": records_sha256(recorded, scenario),
        "periods": flatfile.periods,
    }
    predicted: dict[str, Predicted] = {}
    outside: dict[str, list[str]] = {}
    with measuring_pool(len(scenario) * n_realizations, workers) as pool:
        for name, model in models.items():
            outside[name] = say_extrapolation(name, model, scenario)
            made_by = {"kind": "amplitudes", "generator": name, "model": model_state(model)}
            drawn = reduce_draws(
                model_draw(model, window),
                scenario,
                window,
                n_realizations,
                seed,
                name,
                progress,
                pool,
                Chunks(chunk_folder, {**identity, **made_by}),
                measures,
                keep_first=False,
            )
            generated = drawn.measures[:, :, places]
            predicted[name] = of_realizations(
                generated, recorded, events, _outside(model, scenario)
            )
    if gmms:
        try:
            for name in NGA_WEST2:
                told = NGAWest2(name, flatfile.periods).predict(scenario).of(places)
                predicted[name] = of_prediction(told, recorded)
            notes |= _said_of_sites(scenario)
        except CgmgmError as error:
            logger.warning("No ground-motion models: %s", error)
            notes["ground-motion models"] = str(error)
    tables = {
        "amplitudes": amplitudes_table(predicted, recorded, scenario, names),
        "amplitude_groups": amplitude_groups_table(predicted, recorded, scenario, names),
        "amplitude_places": places_table(
            {name: said.median for name, said in predicted.items()},
            recorded,
            scenario,
            names,
            names.tolist(),
        ),
        "amplitude_records": amplitude_records_table(predicted, recorded, scenario, names),
    }
    found = evaluation_of(
        models, list(models), path, "all records", scenario, settings, tables, None, notes
    )
    by = {"amplitudes": ["component", "measure"]}
    by["amplitude_groups"] = [*by["amplitudes"], "group"]
    metrics = {
        key: {name: nested(tables[key], name, keys) for name in predicted}
        for key, keys in by.items()
    }
    dataset = {**found.metrics["dataset"], "outside_trained_ranges": outside}
    return replace(found, metrics={**found.metrics, "dataset": dataset, **plain(metrics)})


def _chosen(
    flatfile: Flatfile, sampling_rate: float, max_records: int | None, seed: int
) -> Flatfile:
    """Leave out periods that the models do not resolve, and events if there are too many."""
    periods = tuple(resolved_periods(flatfile.periods, sampling_rate))
    kept = flatfile.names.isin(rotd50_series(periods))
    notes = dict(flatfile.notes)
    if short := [f"{t:g} s" for t in flatfile.periods if t not in periods]:
        notes[f"PSA at {', '.join(short)}"] = (
            f"5 samples of {sampling_rate:g} Hz, {5.0 / sampling_rate:g} s, are the shortest period"
        )
    rows = np.asarray(np.isfinite(flatfile.values[:, kept]).any(axis=1))
    left_out = dict(flatfile.scenario.attrs["left_out"])
    if not rows.all():
        left_out["without an amplitude at a period of the models"] = int((~rows).sum())
    if not rows.any():
        raise DatasetError(
            f"0 of {len(rows)} rows have PGA, PGV or PSA at {5.0 / sampling_rate:g} s or more; "
            "1 must."
        )
    if max_records is not None:
        events = flatfile.scenario["source_id"].astype(str)
        rows &= some_events(events, rows, max_records, seed)
    # A measure may be of other events only.
    kept &= np.isfinite(flatfile.values[rows]).any(axis=0)
    scenario = flatfile.scenario.loc[rows].reset_index(drop=True)
    scenario.attrs["left_out"] = left_out
    return Flatfile(
        scenario, flatfile.values[np.ix_(rows, kept)], flatfile.names[kept], periods, notes
    )


def _outside(model: GroundMotionModel, scenario: pd.DataFrame) -> NDArray[np.bool_]:
    """Tell which records lie outside of the trained ranges of a model."""
    inside = [inside_range(scenario, column, limits) for column, limits in model.ranges.items()]
    return ~np.all(inside, axis=0) if inside else np.zeros(len(scenario), bool)


def _said_of_sites(scenario: pd.DataFrame) -> dict[str, str]:
    """Say of how many records the Vs30 is not known, which ground-motion models need."""
    given = "station_vs30_mps" in scenario
    unknown = int(scenario["station_vs30_mps"].isna().sum()) if given else len(scenario)
    if not unknown:
        return {}
    said = f"{DEFAULT_VS30:g} m/s are taken for {unknown} of {len(scenario)} records"
    logger.warning("Vs30 of ground-motion models: %s.", said)
    return {"Vs30 of some stations, for ground-motion models": said}
