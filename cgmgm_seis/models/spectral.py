"""What generators have in common that draw amplitudes without waveforms; by default they refuse."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.models.named_weights import NamedModel

# Scenario, number of realizations and seed to ln amplitudes (record, realization, ..) by kind.
SpectralSampler = Callable[[pd.DataFrame, int, int], Mapping[str, NDArray[np.float32]]]


class SpectralModel(NamedModel):
    """A model that may draw amplitudes from its spectra."""

    def spectral_sampler(
        self, kinds: Sequence[str], frequencies: Sequence[float], periods: Sequence[float]
    ) -> SpectralSampler:
        """Return a function that draws amplitudes from the model's spectra, without waveforms.

        Parameters
        ----------
        kinds : sequence of str
            Some of "fas", "eas", "pga", "pgv" and "psa".
        frequencies, periods : sequence of float
            Frequencies of the spectra, Hz, and periods of the PSA, s.

        Returns
        -------
        callable
            Of a scenario, the number of realizations and the seed; it returns a dictionary of
            kind to natural logarithms of the amplitudes, (record, realization, ..).

        Raises
        ------
        CgmgmError
            If the model draws waveforms only.
        """
        raise CgmgmError(
            f"{self.name}, weights {self.weights_name}, has no spectra from which amplitudes could "
            'be drawn; use EvolutionaryCGM, or the method "waveforms".'
        )
