"""Time window of records: components, sampling rate, start relative to the origin, length."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cgmgm_seis.errors import ScenarioError


@dataclass(frozen=True)
class Window:
    """Components, sampling rate, start and length of records.

    Parameters
    ----------
    component_order : str
        Components and their order, for example "ZNE" or "E".
    sampling_rate : float
        Samples per second, Hz.
    start_offset_s : float
        Time of the first sample relative to the origin time, seconds.
    n_samples : int
        Number of samples.

    Raises
    ------
    ScenarioError
        If a component is repeated or missing, or the rate or the length is not positive.

    Examples
    --------
    >>> window = Window("ZNE", sampling_rate=100.0, start_offset_s=-5.0, n_samples=6000)
    >>> window.duration_s, window.end_offset_s
    (60.0, 55.0)
    >>> window.part([2], slice(500, 2500))
    Window(component_order='E', sampling_rate=100.0, start_offset_s=0.0, n_samples=2000)
    """

    component_order: str = "ZNE"
    sampling_rate: float = 100.0
    start_offset_s: float = -5.0
    n_samples: int = 6000

    def __post_init__(self) -> None:
        order = self.component_order
        if not order or len(set(order)) < len(order):
            raise ScenarioError(f"component_order = '{order}' must contain each component once.")
        if not self.sampling_rate > 0.0:
            raise ScenarioError(f"sampling_rate = {self.sampling_rate:g} Hz must be above 0.")
        if self.n_samples < 1:
            raise ScenarioError(f"n_samples = {self.n_samples} must be at least 1.")

    @property
    def duration_s(self) -> float:
        """Duration, seconds."""
        return self.n_samples / self.sampling_rate

    @property
    def end_offset_s(self) -> float:
        """End relative to the origin time, seconds: one sampling interval after the last sample."""
        return self.start_offset_s + self.duration_s

    @property
    def times(self) -> NDArray[np.float64]:
        """Times of the samples relative to the origin time, seconds, shape (sample,)."""
        return self.start_offset_s + np.arange(self.n_samples) / self.sampling_rate

    def part(self, components: Sequence[int], samples: slice) -> "Window":
        """Return the window of ``waveforms[.., components, samples]``.

        Parameters
        ----------
        components : sequence of int
            Indices in the component order.
        samples : slice
            Consecutive samples.
        """
        first, last, _ = samples.indices(self.n_samples)
        return replace(
            self,
            component_order="".join(self.component_order[place] for place in components),
            start_offset_s=self.start_offset_s + first / self.sampling_rate,
            n_samples=last - first,
        )
