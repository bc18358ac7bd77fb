"""Correlation of residuals between frequencies."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cgmgm_seis.evaluation.residuals import FEWEST
from cgmgm_seis.evaluation.tables import stacked
from cgmgm_seis.scenario.arrays import Floats

PUBLISHED = "Bayless & Abrahamson"


def frequency_correlations(
    residuals: Mapping[tuple[str, str], Floats],
    frequencies: ArrayLike,
    component: str,
    published: Floats | None = None,
) -> pd.DataFrame:
    """Return the correlations of total residuals between frequencies.

    Parameters
    ----------
    residuals : mapping
        (generator, "recorded" or "generated") to residuals, shape (record, frequency).
    frequencies : array_like
        Hz.
    component : str
        Component of the spectra.
    published : numpy.ndarray, optional
        Correlations of a published model, shape (frequency, frequency), NaN where it has none.

    Returns
    -------
    pandas.DataFrame
        Columns "generator", "residuals", "component", "frequency_1_hz", "frequency_2_hz" (every
        pair, also of a frequency with itself), "records" and "correlation"; empty with fewer
        than `cgmgm_seis.evaluation.residuals.FEWEST` records.
    """
    with np.errstate(invalid="ignore"):  # residuals that are all equal have no correlation
        found = {
            key: (len(values), np.corrcoef(values, rowvar=False))
            for key, values in residuals.items()
            if len(values) >= FEWEST
        }
    if found and published is not None:
        found[PUBLISHED, "published"] = (0, published)
    f = np.asarray(frequencies, float)
    first, second = (x.ravel() for x in np.meshgrid(f, f, indexing="ij"))
    parts = []
    for (generator, kind), (records, correlations) in found.items():
        table = pd.DataFrame(
            {
                "residuals": kind,
                "component": component,
                "frequency_1_hz": first,
                "frequency_2_hz": second,
                "records": records,
                "correlation": np.ravel(correlations),
            }
        )
        parts.append(stacked({generator: table[table["correlation"].notna()]}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
