"""Which model is better on the same unseen records: generators beside ground-motion models."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from seisbench.data import WaveformDataset

from cgmgm_seis.datasets.windows import open_dataset, read_records
from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.evaluation.data import calibrated
from cgmgm_seis.gmm.base import ErgodicGMM, FASModel
from cgmgm_seis.gmm.nonergodic import NonErgodicFAS
from cgmgm_seis.gmm.pygmm_models import BA19
from cgmgm_seis.measures.intensity import smoothed_fas
from cgmgm_seis.scenario.window import Window

Floats = NDArray[np.float64]

TRAINING_SPLIT = "train"
PUBLISHED = "ergodic, published"
REFITTED = "ergodic, fitted to the training split"
NON_ERGODIC = "non-ergodic, fitted to the training split"
CALIFORNIA = "BA19, published for California"
# Records read at once.
BLOCK_RECORDS = 500


def compared_component(component_order: str) -> str | None:
    """Return the horizontal that models are compared on: the last, E, as in Ren et al. (2026)."""
    horizontals = component_order.replace("Z", "")
    return horizontals[-1] if horizontals else None


def fitted_models(
    dataset: WaveformDataset | str | Path, window: Window, frequencies: tuple[float, ...]
) -> dict[str, FASModel]:
    """Fit ground-motion models to the training split of a data set: ergodic and non-ergodic.

    Parameters
    ----------
    dataset : seisbench.data.WaveformDataset, str or pathlib.Path
        Data set in m/s.
    window : Window
        What to read of every record; the spectra are of `compared_component`.
    frequencies : tuple of float
        Hz.

    Returns
    -------
    dict
        Name to a fitted `cgmgm_seis.gmm.base.FASModel`.

    Raises
    ------
    CgmgmError
        If there is no training split, or too small a one to fit to.
    """
    scenario, ln_fas = _training_spectra(dataset, window, frequencies)
    if not len(scenario):
        raise CgmgmError(f"There is no usable record of split {TRAINING_SPLIT} to fit to.")
    return {
        REFITTED: NonErgodicFAS(fields=()).fit(scenario, ln_fas, frequencies),
        NON_ERGODIC: NonErgodicFAS().fit(scenario, ln_fas, frequencies),
    }


def published_models(
    scenario: pd.DataFrame, spectrum: str, frequencies: tuple[float, ...]
) -> dict[str, FASModel]:
    """Return the published models of a kind of spectrum.

    Parameters
    ----------
    scenario : pandas.DataFrame
        Scenario table; published models are not fitted to it.
    spectrum : str
        "FAS" of one horizontal: the Bay Area's ergodic model; "EAS" of both: BA19 of pyGMM.
    frequencies : tuple of float
        Hz.

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
    """Return bias and sigma of generators and ground-motion models on the same records.

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
        What the spectra are of, and their kind: "FAS" or "EAS".
    frequencies : tuple of float
        Hz.

    Returns
    -------
    pandas.DataFrame
        Columns "generator", "component", "measure", "bias" (mean of predicted - recorded), "sigma"
        (standard deviation of the same), "stated_sigma" (what a model says of itself, root mean
        square) and "extrapolated" (share of the records outside of its data).
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


def _training_spectra(
    dataset: WaveformDataset | str | Path, window: Window, frequencies: tuple[float, ...]
) -> tuple[pd.DataFrame, Floats]:
    """Return scenario and ln FAS of the training split, read a few records at a time."""
    component = window.component_order.index(compared_component(window.component_order) or "Z")
    view = open_dataset(dataset, window)
    empty = view.metadata.iloc[:0], np.empty((0, len(frequencies)))
    if "split" not in view.metadata:
        return empty
    rows = np.flatnonzero(view.metadata["split"] == TRAINING_SPLIT)
    scenarios, spectra = [], []
    for first in range(0, len(rows), BLOCK_RECORDS):
        part = view.copy()
        mask = np.zeros(len(view), bool)
        mask[rows[first : first + BLOCK_RECORDS]] = True
        part.filter(mask)
        try:
            waveforms, scenario = read_records(part, window, skip_bad=True)
        except CgmgmError:  # none of these covers the window
            continue
        trusted = calibrated(scenario)
        own = smoothed_fas(waveforms[trusted, component], window.sampling_rate, frequencies)
        scenarios.append(scenario[trusted])
        spectra.append(np.log(own))
    if not scenarios:
        return empty
    return pd.concat(scenarios, ignore_index=True), np.concatenate(spectra)
