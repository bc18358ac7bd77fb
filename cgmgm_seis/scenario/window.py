"""Time window of records: components, sampling rate, start relative to the origin, length."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cgmgm_seis.errors import ScenarioError

# Longest record, samples: 2.8 hours at 100 Hz.
MOST_SAMPLES = 1_000_000


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
        If a component is repeated or missing, the rate is not positive, or the number of samples
        is not 1 to `MOST_SAMPLES`.

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
        if not 1 <= self.n_samples <= MOST_SAMPLES:
            raise ScenarioError(
                f"n_samples = {self.n_samples} (sampling_rate = {self.sampling_rate:g} Hz) must be "
                f"1 to {MOST_SAMPLES:,}."
            )

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

    def select(
        self,
        components: str | None = None,
        start_offset_s: float | None = None,
        duration_s: float | None = None,
    ) -> tuple[list[int], slice]:
        """Return the component indices and the samples of a part of the window.

        Parameters
        ----------
        components : str, optional
            Components and their order; by default all.
        start_offset_s, duration_s : float, optional
            Start relative to the origin time and length, s; by default those of the window.

        Raises
        ------
        ScenarioError
            If a component is repeated or not in the window, or the part exceeds the window.

        Examples
        --------
        >>> Window().select("E", start_offset_s=0.0, duration_s=20.0)
        ([2], slice(500, 2500, None))
        """
        order = self.component_order
        wanted = order if components is None else components
        if not wanted or len(set(wanted)) < len(wanted) or set(wanted) - set(order):
            raise ScenarioError(f"components = '{wanted}' must be some of {order}, each once.")
        start = self.start_offset_s if start_offset_s is None else start_offset_s
        first = round((start - self.start_offset_s) * self.sampling_rate)
        last = self.n_samples
        if duration_s is not None:
            last = first + round(duration_s * self.sampling_rate)
        if not 0 <= first < last <= self.n_samples:
            length = "" if duration_s is None else f" lasting {duration_s:g} s"
            raise ScenarioError(
                f"A record starting {start:g} s after the origin time{length} must lie within the "
                f"model's window, {self.start_offset_s:g} to {self.end_offset_s:g} s."
            )
        return [order.index(component) for component in wanted], slice(first, last)

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
