"""Damped oscillators driven by ground acceleration: the recursion of Nigam & Jennings (1969)."""

from functools import lru_cache
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft
from scipy.signal import cont2discrete, lfilter

from cgmgm_seis.scenario.arrays import Floats

# Wanted samples per period of an oscillator, and the allowed factors of oversampling.
SAMPLES_PER_PERIOD = 40.0
OVERSAMPLING = (2, 4, 8)
# Oscillators that are kept; each has some 1 MB for records of 6,000 samples.
KEPT = 32


class Oscillator(NamedTuple):
    """Filter from the spectrum of acceleration to finer samples of the pseudo-acceleration.

    The filter is that of `recursion`, applied in the frequency domain: as if the motion repeated
    itself for ever.  From the response of an oscillator that begins at rest this differs by a free
    vibration, which is known from the first two samples and is subtracted.

    Parameters
    ----------
    transfer : numpy.ndarray
        From the rfft of acceleration to that of the response, complex, (frequency,).
    at_rest : numpy.ndarray
        From the rfft to the first two samples of the response from rest, (frequency, 2), complex;
        they are the real parts of the product.
    known : numpy.ndarray
        Responses from rest to acceleration of 1 and to a slope of 1 a sample, and the free
        vibrations that begin with the samples -1, 0 and 0, -1, (4, fine sample).
    """

    transfer: NDArray[np.complexfloating]
    at_rest: NDArray[np.complexfloating]
    known: NDArray[np.floating]

    @classmethod
    @lru_cache(maxsize=KEPT)
    def of(
        cls,
        n_samples: int,
        sampling_rate: float,
        period: float,
        damping: float,
        single: bool = False,
    ) -> Self:
        """Return the oscillator of a period, s, for records of a length and rate, Hz.

        In `single` precision, float32, it takes half the time.

        The acceleration is linear between the fine samples: this multiplies its spectrum by
        sinc^2, which is reversed here.
        """
        factor = oversampling(period * sampling_rate)
        b, a = recursion(period, damping, sampling_rate * factor)
        places = np.arange(n_samples // 2 + 1) / (n_samples * factor)
        gains = factor / np.sinc(places) ** 2
        if n_samples % 2 == 0:
            # Both signs of the Nyquist frequency share its power when there are higher ones.
            gains[-1] *= 0.5
        delay = np.exp(-2j * np.pi * places)
        delays = delay[:, None] ** np.arange(3)
        transfer = gains * (delays @ b) / (delays @ a)
        # Of a real sample, every frequency but zero has two halves.
        sample = np.where(places > 0.0, 2.0, 1.0) * gains / (n_samples * factor)
        at_rest = [b[0] * sample, (b[0] / delay + b[1] - a[1] * b[0]) * sample]
        fine = np.arange(n_samples * factor)
        start = -(fine == 0).astype(float)
        known = [
            lfilter(b, a, np.ones(len(fine))),
            lfilter(b, a, fine / factor),
            lfilter([1.0, a[1]], a, start),
            lfilter([0.0, 1.0], a, start),
        ]
        real, paired = (np.float32, np.complex64) if single else (np.float64, np.complex128)
        return cls(
            transfer.astype(paired),
            np.transpose(at_rest).astype(paired),
            np.array(known, real),
        )

    def response(
        self, spectrum: NDArray[Any], level: NDArray[Any], slope: NDArray[Any]
    ) -> NDArray[Any]:
        """Return the response (.., fine sample), from rest, to a spectrum and a line.

        All three have the precision of the oscillator.

        Parameters
        ----------
        spectrum : numpy.ndarray
            rfft of the acceleration without the line, (.., frequency).
        level, slope : numpy.ndarray
            Acceleration of the line at the first sample, and its change from sample to sample,
            (.., 1).
        """
        found: NDArray[Any] = irfft(spectrum * self.transfer, self.known.shape[1])
        surplus = found[..., :2] - (spectrum @ self.at_rest).real
        found += np.concatenate([level, slope, surplus], axis=-1) @ self.known
        return found


def oversampling(samples: float) -> int:
    """Return the smallest factor that gives enough samples per period."""
    enough = [factor for factor in OVERSAMPLING if factor * samples >= SAMPLES_PER_PERIOD]
    return enough[0] if enough else OVERSAMPLING[-1]


def recursion(period: float, damping: float, sampling_rate: float) -> tuple[Floats, Floats]:
    """Return the filter (b, a) from acceleration to pseudo-acceleration.

    It is the first-order hold of the oscillator u'' + 2 h w u' + w^2 u = w^2 a.
    """
    w = 2.0 * np.pi / period
    numerator, denominator = np.array([w**2]), np.array([1.0, 2.0 * damping * w, w**2])
    b, a, _ = cont2discrete((numerator, denominator), 1.0 / sampling_rate, method="foh")
    return b[0], a
