"""Measures of ground motion at the nodes of a map, and their names."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.measures.intensity import (
    acceleration,
    effective_amplitude,
    fas,
    konno_ohmachi,
    pgv,
)
from cgmgm_seis.measures.response_spectra import check_periods, psa, rotd50, rotd50_psa
from cgmgm_seis.scenario.arrays import Floats

KINDS = ("fas", "eas", "pga", "pgv", "psa")
FREQUENCIES = (2.0, 5.0, 10.0, 15.0)  # Hz, those of Ren et al. (2026)
PERIODS = (0.1, 0.3, 1.0)  # s
# Records measured at once, so that they fit the processor's cache.
BLOCK = 16


@dataclass(frozen=True)
class Measures:
    """Measures of records as natural logarithms, `n_series` numbers per record.

    FAS of every component; EAS of both horizontals (Goulet et al. 2018); RotD50 (Boore 2010) of
    PGA, PGV and 5 % damped PSA.  A model with one component has FAS and the peaks of that
    component, but no EAS.

    Parameters
    ----------
    component_order : str
        Components of the model.
    sampling_rate : float
        Sampling rate, Hz.
    kinds : sequence of str
        Some of `KINDS`.
    frequencies, periods : sequence of float
        Frequencies, Hz, and periods, s.

    Raises
    ------
    CgmgmError
        If a kind is unknown, or a frequency or period is not resolved.

    Examples
    --------
    >>> measures = Measures("ZNE", 100.0, ("eas", "pgv"), (2.0, 5.0))
    >>> measures.labels
    ['eas 2 Hz', 'eas 5 Hz', 'pgv']
    """

    component_order: str
    sampling_rate: float
    kinds: Sequence[str] = KINDS
    frequencies: Sequence[float] = FREQUENCIES
    periods: Sequence[float] = PERIODS

    def __post_init__(self) -> None:
        for kind in self.kinds:
            if kind not in KINDS:
                raise CgmgmError(f"Measure '{kind}' must be one of {', '.join(KINDS)}.")
        for frequency in self.frequencies:
            if not 0.0 < frequency <= 0.5 * self.sampling_rate:
                raise CgmgmError(
                    f"Frequency {frequency:g} Hz must be above 0 and at most "
                    f"{0.5 * self.sampling_rate:g} Hz, the Nyquist frequency."
                )
        check_periods(self.periods, self.sampling_rate)

    @property
    def horizontals(self) -> list[int]:
        """Indices of the two horizontal components; empty if there are not two."""
        found = [k for k, component in enumerate(self.component_order) if component != "Z"]
        return found if len(found) == 2 else []

    @property
    def axes(self) -> dict[str, dict[str, Sequence[float] | Sequence[str]]]:
        """Named axes of every kind that is measured; the series of a kind are their product."""
        known: dict[str, dict[str, Sequence[float] | Sequence[str]]] = {
            "fas": {"component": list(self.component_order), "frequency": self.frequencies},
            "eas": {"frequency": self.frequencies},
            "pga": {},
            "pgv": {},
            "psa": {"period": self.periods},
        }
        wanted = [kind for kind in KINDS if kind in self.kinds]
        return {kind: known[kind] for kind in wanted if kind != "eas" or self.horizontals}

    @property
    def slices(self) -> dict[str, slice]:
        """Slice of the series of every kind."""
        sizes = [int(np.prod([len(axis) for axis in axes.values()])) for axes in self.axes.values()]
        ends = np.cumsum(sizes).tolist()
        return {k: slice(end - n, end) for k, n, end in zip(self.axes, sizes, ends, strict=True)}

    @property
    def n_series(self) -> int:
        """Number of values per record."""
        return max((part.stop for part in self.slices.values()), default=0)

    @property
    def labels(self) -> list[str]:
        """Readable names of the series."""
        names: list[str] = []
        for kind, axes in self.axes.items():
            texts = [""]
            for axis, values in axes.items():
                unit = {"frequency": " Hz", "period": " s"}.get(axis, "")
                shown = [v if isinstance(v, str) else f"{v:g}{unit}" for v in values]
                texts = [f"{text} {value}" for text in texts for value in shown]
            names += [f"{kind}{text}" for text in texts]
        return names

    def definition(self, kind: str) -> str:
        """Return a description of a kind of measure."""
        both = "RotD50 (Boore 2010) of both horizontals" if self.horizontals else "one component"
        smoothed = "Konno-Ohmachi smoothed, b = 20"
        return {
            "fas": f"Fourier amplitude spectrum of velocity, {smoothed}",
            "eas": f"effective amplitude spectrum of both horizontals, velocity, {smoothed}",
            "pga": f"peak ground acceleration, {both}",
            "pgv": f"peak ground velocity, {both}",
            "psa": f"pseudo-spectral acceleration, 5 % damping, {both}",
        }[kind]

    def __call__(self, waveforms: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return ln measures (.., series) of velocities (.., component, sample), m/s."""
        records = waveforms.reshape(-1, *waveforms.shape[-2:])
        values = np.empty((len(records), self.n_series), dtype=np.float32)
        for first in range(0, len(records), BLOCK):
            block = slice(first, first + BLOCK)
            measured = self._measured(records[block])
            parts = [measured[kind].reshape(len(records[block]), -1) for kind in self.axes]
            with np.errstate(divide="ignore"):
                values[block] = np.log(np.concatenate(parts, axis=1))
        return values.reshape(*waveforms.shape[:-2], self.n_series)

    def _measured(self, x: NDArray[np.float32]) -> dict[str, Floats]:
        """Return the values (record, ..) of every kind, which share transforms.

        In the precision of the records.
        """
        rate, pair, kinds = self.sampling_rate, self.horizontals, self.axes
        found: dict[str, Floats] = {}
        if {"fas", "eas"} & set(kinds):
            _, amplitudes = fas(x if "fas" in kinds else x[:, pair], rate, x.dtype)
            smoothing = (x.shape[-1], rate, self.frequencies)
            if "fas" in kinds:
                found["fas"] = konno_ohmachi(amplitudes, *smoothing)
            if "eas" in kinds:
                both = amplitudes[:, pair] if "fas" in kinds else amplitudes
                found["eas"] = konno_ohmachi(effective_amplitude(both), *smoothing)
        motion = x[:, pair] if pair else x[:, -1]
        peak = rotd50 if pair else pgv
        if "pgv" in kinds:
            found["pgv"] = peak(motion)
        if {"pga", "psa"} & set(kinds):
            motion = acceleration(motion, rate, x.dtype)
        if "pga" in kinds:
            found["pga"] = peak(motion)
        if "psa" in kinds:
            spectrum = rotd50_psa if pair else psa
            found["psa"] = spectrum(motion, rate, self.periods, quantity="acceleration")
        return found
