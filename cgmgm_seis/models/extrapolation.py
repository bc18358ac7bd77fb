"""Generated peak acceleration beside a published model, where the magnitude is extrapolated."""

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.gmm.pygmm_models import NGAWest2
from cgmgm_seis.measures.intensity import acceleration, pga
from cgmgm_seis.measures.response_spectra import rotd50
from cgmgm_seis.models.conditions import ExtrapolationWarning, beyond_magnitudes
from cgmgm_seis.scenario.window import Window

PUBLISHED = "BSSA14"
# Records that are compared at most, spread over the distances.
COMPARED_RECORDS = 20


def compare_extrapolated(
    waveforms: NDArray[np.float32],
    scenario: pd.DataFrame,
    window: Window,
    limits: Sequence[float],
) -> None:
    """Warn how the PGA of magnitudes outside their trained range compares with a published model.

    Parameters
    ----------
    waveforms, scenario, window
        As in `compare_peaks`.
    limits : sequence of float
        Trained range of the magnitude.
    """
    outside = beyond_magnitudes(scenario, limits) > 0.0
    if outside.any():
        message = compare_peaks(waveforms, scenario, window, outside)
        warnings.warn(message, ExtrapolationWarning, stacklevel=3)


def compare_peaks(
    waveforms: NDArray[np.float32],
    scenario: pd.DataFrame,
    window: Window,
    chosen: NDArray[np.bool_],
) -> str:
    """Compare the PGA of generated records with that of a published model, in one sentence.

    Parameters
    ----------
    waveforms : numpy.ndarray
        Velocity, m/s, shape (record, realization, component, sample).
    scenario : pandas.DataFrame
        Scenario table, one row per record.
    window : Window
        Window of the records.
    chosen : numpy.ndarray
        Records to compare, shape (record,); of more than `COMPARED_RECORDS`, some that are spread
        over the distances.

    Returns
    -------
    str
        The median over the records of the factor between the median PGA of all realizations and
        that of the model, and its range; or the reason why it is not known, which is that pyGMM
        is not installed or that no component is horizontal.
    """
    rows = np.flatnonzero(chosen)
    rows = rows[np.argsort(scenario["path_ep_distance_km"].to_numpy(float)[rows], kind="stable")]
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), COMPARED_RECORDS)).round().astype(int)]
    some = scenario.iloc[rows].reset_index(drop=True)
    lowest, highest = some["source_magnitude"].min(), some["source_magnitude"].max()
    magnitudes = f"{lowest:g}" if lowest == highest else f"{lowest:g} to {highest:g}"
    subject = f"The PGA generated for M {magnitudes} is"
    horizontal = [place for place, name in enumerate(window.component_order) if name != "Z"]
    if not horizontal:
        return f"{subject} not compared with {PUBLISHED}, which is a model of horizontal motion."
    try:
        published = NGAWest2(PUBLISHED).predict(some).mean[:, 0]
    except CgmgmError as error:
        return f"{subject} not compared with a published model: {error}"
    records = waveforms[rows][:, :, horizontal]
    if len(horizontal) == 2:
        peaks = rotd50(acceleration(records, window.sampling_rate))
    else:
        peaks = pga(records[:, :, 0], window.sampling_rate)
    factors = np.exp(np.median(np.log(peaks), axis=1) - published)
    distance = some["path_ep_distance_km"]
    where = f"at 1 receiver, {distance[0]:.0f} km from the epicentre"
    if len(some) > 1:
        where = (
            f"{factors.min():.2g} to {factors.max():.2g} times at {len(some)} receivers, "
            f"{distance.min():.0f} to {distance.max():.0f} km from the epicentre"
        )
    return f"{subject} {np.median(factors):.2g} times that of {PUBLISHED} ({where})."
