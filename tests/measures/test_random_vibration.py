"""Peaks by random vibration theory, against pyRVT and against drawn motion."""

import builtins

import numpy as np
import pytest

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.measures import random_vibration
from cgmgm_seis.measures.random_vibration import duration, peaks

pytestmark = pytest.mark.usefixtures("pyrvt")

FREQUENCIES = np.linspace(0.0, 50.0, 2001)
AMPLITUDES = FREQUENCIES**2 * np.exp(-FREQUENCIES / 3.0)


def moments(amplitudes):
    angular = 2.0 * np.pi * FREQUENCIES
    return np.array([2.0 * np.trapezoid(angular**k * amplitudes**2, FREQUENCIES) for k in range(3)])


@pytest.mark.parametrize("seconds", [0.5, 4.0, 40.0])
def test_peak_factor_is_that_of_pyrvt(seconds):
    """The table reproduces Vanmarcke's peak factor of pyRVT within 0.3 %."""
    from pyrvt.peak_calculators import get_peak_calculator

    _, factor = get_peak_calculator("V75", {})(seconds, FREQUENCIES, AMPLITUDES)
    found = peaks(moments(AMPLITUDES), np.array(seconds))
    assert found.factor == pytest.approx(factor, rel=3e-3)


def test_peaks_of_stationary_motion():
    """Median and scatter of 2,000 drawn records: within 0.03, and within 15 %."""
    rng, n, rate = np.random.default_rng(0), 2000, 100.0
    lines = np.fft.rfftfreq(n, 1.0 / rate)
    amplitudes = np.interp(lines, FREQUENCIES, AMPLITUDES)
    normal = rng.standard_normal((2, 2000, len(lines)))
    spectra = (normal[0] + 1j * normal[1]) / np.sqrt(2.0) * amplitudes
    drawn = np.log(np.abs(np.fft.irfft(spectra, n) * rate).max(axis=1))
    found = peaks(moments(AMPLITUDES), np.array(n / rate))
    assert found.ln_median == pytest.approx(np.median(drawn), abs=0.03)
    assert found.sigma == pytest.approx(drawn.std(), rel=0.15)


def test_duration_of_stationary_motion_is_its_own():
    """Constant energy over 12 s is a duration of 12 s; decaying energy is shorter than half."""
    widths = np.full(240, 0.05)
    constant = duration(np.full(240, 1.0 / 12.0), widths, moments(AMPLITUDES))
    assert constant == pytest.approx(12.0)
    decaying = np.exp(-np.arange(240) * 0.05 / 2.0)
    decaying /= (decaying * widths).sum()
    assert 2.0 < duration(decaying, widths, moments(AMPLITUDES)) < 5.0


def test_without_pyrvt(monkeypatch):
    """One sentence says what to install."""
    known = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("pyrvt"):
            raise ImportError(name)
        return known(name, *args, **kwargs)

    random_vibration._factors.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(CgmgmError, match=r"pip install 'cgmgm-seis\[rvt\]'"):
        peaks(moments(AMPLITUDES), np.array(4.0))
