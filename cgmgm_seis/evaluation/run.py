"""Evaluation on a data set: bias, scatter, calibration, picks, distributions, discriminator.

Other modules of this package contain the parts: `measures` of waveforms, `draws` of realizations,
statistics in `residuals` and `distributions`.  On data of the package's simulator, the simulator
is evaluated like a model, as a lower bound: no generator can explain what it does not explain.
"""

import logging
from collections.abc import Mapping
from concurrent.futures import Executor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from seisbench.data import WaveformDataset

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.evaluation.chosen_record import ChosenRecord, draw_record, row_of_record
from cgmgm_seis.evaluation.comparisons import (
    Compared,
    all_highlights,
    compare_draws,
    comparison_tables,
    medians,
)
from cgmgm_seis.evaluation.config import EvaluationConfig
from cgmgm_seis.evaluation.data import EvaluationData
from cgmgm_seis.evaluation.discriminator import Classifiers
from cgmgm_seis.evaluation.distribution_tables import distribution_tables
from cgmgm_seis.evaluation.draws import Draw, measuring_pool, model_draw, reduce_draws
from cgmgm_seis.evaluation.generator_picks import GeneratorPicks
from cgmgm_seis.evaluation.generators import common_window, not_shared, say_extrapolation
from cgmgm_seis.evaluation.gmm_table import SpectralModel, ground_motion_models_beside
from cgmgm_seis.evaluation.identity import ChunkFolder, settings_of
from cgmgm_seis.evaluation.metrics import Findings, evaluation_of
from cgmgm_seis.evaluation.pick_tables import RECORDED
from cgmgm_seis.evaluation.records import Records
from cgmgm_seis.evaluation.simulator_draws import can_be_simulated_again, simulator_draw
from cgmgm_seis.evaluation.structure import structure_tables
from cgmgm_seis.evaluation.structure_scaling import Scaling, scaling_grid
from cgmgm_seis.evaluation.tables import SIMULATOR, Evaluation, discriminator_table
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.scenario.spans import valid_spans
from cgmgm_seis.scenario.window import Window
from cgmgm_seis.storage.chunks import Chunks

logger = logging.getLogger(__name__)

Generators = Mapping[str, GroundMotionModel]


def evaluate(
    dataset: WaveformDataset | str | Path,
    generators: Generators,
    config: EvaluationConfig | None = None,
) -> Evaluation:
    """Compare realizations of generators with the records of a data set.

    Parts that need data missing from the data set are left out and listed in "not_available".

    Parameters
    ----------
    dataset : seisbench.data.WaveformDataset, str or pathlib.Path
        Data set in m/s; without magnitudes or coordinates only the records are picked.
    generators : mapping
        Name to model; all with the same rate, start and length.  Components that not all of them
        have are not compared.
    config : EvaluationConfig, optional
        Settings; `EvaluationConfig.columns` has no effect.

    Returns
    -------
    Evaluation
        Numbers, tables and waveforms for figures.

    Raises
    ------
    DatasetError
        If the data set cannot be used or the split is empty.
    CgmgmError
        If the models' windows differ or have no common component, or a model returns constant or
        NaN records or has a reserved name.
    """
    config = config or EvaluationConfig()
    data = EvaluationData(dataset, common_window(generators), config)
    picks = GeneratorPicks(config.picker, data.window, config.progress)
    if data.missing_columns:
        scenario, findings = _only_picks(data, picks)
    else:
        scenario, findings = _everything(data, generators, picks)
    settings = {**settings_of(config, data.window), "picker": str(config.picker)}
    return evaluation_of(generators, data.name, config.split, scenario, settings, findings)


def _only_picks(data: EvaluationData, picks: GeneratorPicks) -> tuple[pd.DataFrame, Findings]:
    """Pick records whose metadata is not sufficient to generate them."""
    waveforms, metadata = data.read_picked()
    spans = valid_spans(metadata, waveforms.shape[-1])
    picks.add(RECORDED, waveforms, spans, Chunks(None, {}))
    lacking = ", ".join(data.missing_columns)
    logger.warning("Only the records are picked: the data set lacks %s.", lacking)
    missing = {
        "everything but the picks of the records": f"the data set lacks {lacking}",
        **picks.missing,
    }
    return metadata, Findings(picks.tables(metadata), missing)


def _everything(
    data: EvaluationData, generators: Generators, picks: GeneratorPicks
) -> tuple[pd.DataFrame, Findings]:
    """Evaluate everything that the split allows.

    Classifiers are trained in the processes of the pool while everything else is done here.
    """
    config = data.config
    waveforms, scenario = data.read_split()
    n_waveforms = len(scenario) * config.n_realizations
    with (
        TemporaryDirectory() as folder,
        measuring_pool(n_waveforms, config.workers, config.n_classifiers) as pool,
    ):
        records, compared, classifiers, scaling, chosen = _compare(
            data, waveforms, scenario, generators, picks, pool, config.chunk_folder or Path(folder)
        )
        distributions = distribution_tables(records, compared, config.seed, config.tsne)
        tables = {
            **comparison_tables(records, compared),
            **distributions.tables,
            "discriminator": pd.DataFrame(),  # holds the place
            **picks.tables(records.scenario),
        }
        missing = records.left_out | not_shared(generators) | data.left_out | distributions.missing
        models: dict[str, SpectralModel] = {}
        if config.gmms:
            tables["ground_motion_models"], models, left_out = ground_motion_models_beside(
                records, medians(compared), data.read_training()
            )
            missing |= left_out
        structure, left_out = structure_tables(records, compared, models, generators, scaling)
        tables |= structure
        missing |= left_out
        scores = {name: own.score(config.progress) for name, own in classifiers.items()}
    tables["discriminator"] = discriminator_table(scores)
    if config.n_classifiers and not scores:
        missing["discriminator"] = "1 event cannot be split into halves"
        logger.warning("No discriminative score: 1 event cannot be split into halves.")
    return records.scenario, Findings(
        tables,
        missing | picks.missing,
        {name: scores.get(name) for name in compared},
        distributions.variance_shares,
        all_highlights(records, compared),
        chosen,
    )


def _compare(
    data: EvaluationData,
    waveforms: NDArray[np.float32],
    scenario: pd.DataFrame,
    generators: Generators,
    picks: GeneratorPicks,
    pool: Executor,
    folder: Path,
) -> tuple[
    Records, dict[str, Compared], dict[str, Classifiers], Scaling | None, ChosenRecord | None
]:
    """Draw realizations of every generator, compute measures and picks, and start classifiers."""
    config, window = data.config, data.window
    row = None if config.record is None else row_of_record(scenario, config.record)
    chunks = ChunkFolder(
        config.chunk_folder, settings_of(config, window), waveforms, scenario, generators
    )
    spans = valid_spans(scenario, window.n_samples)
    picks.near_onsets(generators, scenario)
    picks.add(RECORDED, waveforms, spans, chunks.of("picks", RECORDED, **picks.made_by))
    compared: dict[str, Compared] = {}
    classifiers: dict[str, Classifiers] = {}
    scaling, chosen = None, None
    if config.scaling:
        scaling = Scaling(scaling_grid(scenario, generators, window, config.seed))
    draws = _draws(generators, scenario, window, pool)
    if row is not None:
        chosen = draw_record(
            *(row, waveforms, scenario, window, draws, generators),
            *(config.n_draws, config.seed),
        )
    records = Records.measured(waveforms, scenario, window, pool)
    for name, draw in draws.items():
        drawn = reduce_draws(
            draw,
            scenario,
            window,
            config.n_realizations,
            config.seed,
            name,
            config.progress,
            pool,
            chunks.of("realizations", name),
        )
        if scaling:
            _draw_scaling(name, draw, scaling, data, pool, chunks)
        if config.n_classifiers and records.events.nunique() > 1:
            classifiers[name] = Classifiers(
                folder / f"waveforms_{len(classifiers)}",
                waveforms,
                drawn.first,
                records.events,
                pool,
                config.seed,
                config.n_classifiers,
                chunks.of("classifiers", name),
            )
        picks.add(name, drawn.first, spans, chunks.of("picks", name, **picks.made_by))
        compared[name] = compare_draws(records, drawn, config.seed)
    return records, compared, classifiers, scaling, chosen


def _draw_scaling(
    name: str,
    draw: Draw,
    scaling: Scaling,
    data: EvaluationData,
    pool: Executor,
    chunks: ChunkFolder,
) -> None:
    """Draw a generator at other magnitudes and distances; a failure there is not one elsewhere."""
    config = data.config
    try:
        drawn = reduce_draws(
            draw,
            scaling.grid.scenario,
            data.window,
            config.n_realizations,
            config.seed,
            f"{name}, scaling",
            config.progress,
            pool,
            chunks.of("scaling", name, grid=scaling.grid.sha256),
            keep_first=False,
        )
    except CgmgmError as error:
        scaling.missing[f"scaling of {name}"] = str(error)
    else:
        scaling.drawn[name] = drawn.measures


def _draws(
    generators: Generators, scenario: pd.DataFrame, window: Window, pool: Executor
) -> dict[str, Draw]:
    """Return the functions that draw from the generators, and from the simulator for its data."""
    draws = {name: model_draw(model, window) for name, model in generators.items()}
    for name, model in generators.items():
        say_extrapolation(name, model, scenario)
    if can_be_simulated_again(scenario) and (simulator := simulator_draw(window, pool)):
        draws[SIMULATOR] = simulator
    return draws
