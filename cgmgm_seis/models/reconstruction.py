"""Spectrograms of recorded motion, and of what a generator makes of it: encoded and decoded."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cgmgm_seis.scenario.arrays import Floats


@dataclass(frozen=True)
class Reconstruction:
    """Spectrograms of records before and after a generator's encoder and decoder.

    Parameters
    ----------
    times : numpy.ndarray
        Centres of the frames, s after the origin time, shape (frame,).
    frequencies : numpy.ndarray
        Hz, shape (bin,).
    recorded, reconstructed : numpy.ndarray
        ln amplitude in the generator's own representation, (record, component, bin, frame); NaN
        in frames outside the valid spans of the records.
    representation : str
        What the amplitudes are of.
    """

    times: Floats
    frequencies: Floats
    recorded: Floats
    reconstructed: Floats
    representation: str


@runtime_checkable
class Reconstructs(Protocol):
    """A generator that can encode records and decode the result."""

    def reconstruct(self, waveforms: NDArray[np.float32], scenario: pd.DataFrame) -> Reconstruction:
        """Encode records (record, component, sample), m/s, and decode the mean of the latents."""
