"""Comparison of generators and ground-motion models for the same unseen records."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.evaluation.config import EvaluationConfig
from cgmgm_seis.evaluation.data import TRAINING_SPLIT, EvaluationData, calibrated
from cgmgm_seis.evaluation.measures import BOTH, horizontals
from cgmgm_seis.evaluation.records import Records
from cgmgm_seis.gmm.base import ErgodicGMM, FASModel, compared_component
from cgmgm_seis.gmm.nonergodic import NonErgodicFAS
from cgmgm_seis.gmm.pygmm_models import BA19
from cgmgm_seis.measures.intensity import smoothed_fas
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.window import Window

logger = logging.getLogger(__name__)

# Waveforms (record, component, sample) and scenario of blocks of records.
Blocks = Iterable[tuple[NDArray[np.float32], pd.DataFrame]]

PUBLISHED = "ergodic, published"
REFITTED = "ergodic, fitted to the training split"
NON_ERGODIC = "non-ergodic, fitted to the training split"
CALIFORNIA = "BA19, published for California"


@dataclass(frozen=True)
class SpectralModel:
    """A ground-motion model of one kind of spectrum ("FAS" or "EAS") of a component."""

    component: str
    spectrum: str
    model: FASModel

    def predict(
        self, scenario: pd.DataFrame, names: pd.MultiIndex, frequencies: tuple[float, ...]
    ) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """Return mean and standard deviation, and which records are extrapolated.

        Mean and standard deviation have the shape (record, series), NaN in series that the model
        does not predict; it was fitted at `frequencies`, Hz.
        """
        told = self.model.predict(scenario)
        measures = [(self.component, f"{self.spectrum} {f:g} Hz") for f in frequencies]
        places = names.get_indexer(pd.MultiIndex.from_tuples(measures))
        mean, sd = np.full((2, len(scenario), len(names)), np.nan)
        mean[:, places], sd[:, places] = told.mean, told.sd
        return mean, sd, told.extrapolated


def ground_motion_models_beside(
    records: Records, medians: Mapping[str, Floats], training: Blocks
) -> tuple[pd.DataFrame, dict[str, SpectralModel], dict[str, str]]:
    """Compare ground-motion models with generators, for one horizontal and for both.

    Parameters
    ----------
    records : Records
        The records.
    medians : mapping
        Generator to the median over its realizations, shape (calibrated record, series).
    training : iterable
        See `fitted_models`.

    Returns
    -------
    table : pandas.DataFrame
        See `ground_motion_models_table`; empty without generators or horizontals.
    models : dict
        Name to the fitted or published model.
    missing : dict
        Models that are not available, and the reason.
    """
    component = compared_component(records.window.component_order)
    if not medians:
        return pd.DataFrame(), {}, {}
    if component is None:
        return pd.DataFrame(), {}, {"ground-motion models": "the records have no horizontals"}
    missing: dict[str, str] = {}
    fitted: dict[str, FASModel] = {}
    used: dict[str, SpectralModel] = {}

    def leave_out(what: str, error: CgmgmError) -> None:
        logger.warning("No %s: %s", what, error)
        missing[what] = str(error)

    def beside(component: str, spectrum: str, fitted: Mapping[str, FASModel]) -> pd.DataFrame:
        frequencies, scenario = records.frequencies, records.calibrated_scenario
        wanted = [(component, f"{spectrum} {f:g} Hz") for f in frequencies]
        places = records.series.get_indexer(pd.MultiIndex.from_tuples(wanted))
        models = {**published_models(scenario, spectrum, frequencies), **fitted}
        used.update({name: SpectralModel(component, spectrum, own) for name, own in models.items()})
        return ground_motion_models_table(
            {name: median[:, places] for name, median in medians.items()},
            models,
            records.ln_measures[:, places],
            scenario,
            component,
            spectrum,
            frequencies,
        )

    try:
        fitted = fitted_models(training, records.window, records.frequencies)
    except CgmgmError as error:
        leave_out("fitted ground-motion models", error)
    tables = [beside(component, "FAS", fitted)]
    if horizontals(records.window.component_order):
        try:
            tables.append(beside(BOTH, "EAS", {}))
        except CgmgmError as error:
            leave_out(CALIFORNIA, error)
    else:
        missing[CALIFORNIA] = "it needs both horizontals"
    return pd.concat(tables, ignore_index=True), used, missing


def fitted_models(
    training: Blocks, window: Window, frequencies: tuple[float, ...]
) -> dict[str, FASModel]:
    """Fit ground-motion models to the training split of a data set: ergodic and non-ergodic.

    Parameters
    ----------
    training : iterable of (numpy.ndarray, pandas.DataFrame)
        Waveforms (record, component, sample), m/s, and scenario tables of the training split, see
        `cgmgm_seis.evaluation.data.EvaluationData.read_training`.
    window : Window
        Window of the waveforms; spectra are those of `compared_component`.
    frequencies : tuple of float
        Frequencies, Hz.

    Returns
    -------
    dict
        Name to a fitted `cgmgm_seis.gmm.base.FASModel`.

    Raises
    ------
    CgmgmError
        If the training split is missing or too small.
    """
    scenario, ln_fas = training_spectra(training, window, frequencies)
    return {
        REFITTED: NonErgodicFAS(fields=()).fit(scenario, ln_fas, frequencies),
        NON_ERGODIC: NonErgodicFAS().fit(scenario, ln_fas, frequencies),
    }


def fit_nonergodic(
    dataset: str | Path,
    component_order: str,
    frequencies: Sequence[float],
    config: EvaluationConfig | None = None,
) -> NonErgodicFAS:
    """Fit the non-ergodic model to the training split of a data set; its card names the data.

    Parameters
    ----------
    dataset : str or pathlib.Path
        SeisBench data set.
    component_order : str
        Components that are read; the model is fitted to the last horizontal.
    frequencies : sequence of float
        Frequencies, Hz.
    config : EvaluationConfig, optional
        Units of the data set and progress bar.

    Raises
    ------
    CgmgmError
        If the data set cannot be used, or its training split is missing or too small.
    """
    data = EvaluationData(dataset, Window(component_order), config)
    scenario, ln_fas = training_spectra(data.read_training(), data.window, frequencies)
    model = NonErgodicFAS().fit(scenario, ln_fas, frequencies)
    model.card = {
        "dataset": data.name,
        "split": TRAINING_SPLIT,
        "component": compared_component(data.window.component_order) or "Z",
        "records": len(scenario),
        "events": int(scenario["source_id"].nunique()),
    }
    return model


def training_spectra(
    training: Blocks, window: Window, frequencies: Sequence[float]
) -> tuple[pd.DataFrame, Floats]:
    """Return the scenario and ln FAS (record, frequency) of calibrated training records.

    Parameters
    ----------
    training, window, frequencies
        See `fitted_models`.

    Raises
    ------
    CgmgmError
        If there are none.
    """
    component = window.component_order.index(compared_component(window.component_order) or "Z")
    scenarios, spectra = [], []
    for waveforms, scenario in training:
        trusted = calibrated(scenario)
        own = smoothed_fas(waveforms[trusted, component], window.sampling_rate, frequencies)
        scenarios.append(scenario[trusted])
        spectra.append(np.log(own))
    if not sum(map(len, scenarios)):
        raise CgmgmError(
            f"The split '{TRAINING_SPLIT}' has 0 usable records; at least 1 is needed for a fit."
        )
    return pd.concat(scenarios, ignore_index=True), np.concatenate(spectra)


def published_models(
    scenario: pd.DataFrame, spectrum: str, frequencies: tuple[float, ...]
) -> dict[str, FASModel]:
    """Return the published models of a kind of spectrum.

    Parameters
    ----------
    scenario : pandas.DataFrame
        Scenario table; published models are not fitted to it.
    spectrum : str
        "FAS" of one horizontal, for the ergodic Bay Area model, or "EAS" of both, for BA19 of
        pyGMM.
    frequencies : tuple of float
        Frequencies, Hz.

    Raises
    ------
    CgmgmError
        If pyGMM, the extra ``gmm``, is not installed.
    """
    name, model = (PUBLISHED, ErgodicGMM()) if spectrum == "FAS" else (CALIFORNIA, BA19())
    return {name: model.fit(scenario, np.empty((len(scenario), len(frequencies))), frequencies)}


def ground_motion_models_table(
    medians: Mapping[str, Floats],
    models: Mapping[str, FASModel],
    recorded: Floats,
    scenario: pd.DataFrame,
    component: str,
    spectrum: str,
    frequencies: tuple[float, ...],
) -> pd.DataFrame:
    """Return bias and sigma of generators and ground-motion models for the same records.

    Parameters
    ----------
    medians : mapping
        Generator to the median over its realizations of ln FAS, shape (record, frequency).
    models : mapping
        Name to a fitted model, see `fitted_models` and `published_models`.
    recorded : numpy.ndarray
        ln FAS of the records, shape (record, frequency).
    scenario : pandas.DataFrame
        Scenario table of the records.
    component, spectrum : str
        Component of the spectra, and their kind, "FAS" or "EAS".
    frequencies : tuple of float
        Frequencies, Hz.

    Returns
    -------
    pandas.DataFrame
        Columns "generator", "component", "measure", "bias" (mean of predicted - recorded), "sigma"
        (standard deviation of the same), "stated_sigma" (sigma predicted by the model, root mean
        square) and "extrapolated" (share of the records outside the model's data).
    """
    rows = []
    predictions = {name: model.predict(scenario) for name, model in models.items()}
    for name in (*medians, *predictions):
        told = predictions.get(name)
        mean = told.mean if told else medians[name]
        for place, frequency in enumerate(frequencies):
            residuals = mean[:, place] - recorded[:, place]
            rows.append(
                {
                    "generator": name,
                    "component": component,
                    "measure": f"{spectrum} {frequency:g} Hz",
                    "bias": residuals.mean(),
                    "sigma": residuals.std(),
                    "stated_sigma": np.sqrt((told.sd[:, place] ** 2).mean()) if told else np.nan,
                    "extrapolated": told.extrapolated.mean() if told else np.nan,
                }
            )
    return pd.DataFrame(rows)
