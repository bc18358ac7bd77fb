"""Short-time Fourier transform, its inverse and phase retrieval."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

EULER = 0.5772156649015329
# Waveforms processed at once by Griffin-Lim on a CPU, so that their spectrograms fit its cache.
CPU_CHUNK = 16


@dataclass(frozen=True)
class Spectrogram:
    """An STFT of fixed-length records, with a Hann window.

    Parameters
    ----------
    n_samples : int
        Length of the records, samples.
    n_fft : int
        Window length = transform length, samples.
    hop : int
        Samples between frames; frame m is centred on sample m * hop.
    rectangular : bool
        Transform and invert with a rectangular window, but retrieve phases with the Hann window, as
        in the published code of Ren et al.  This multiplies amplitudes of waveforms by 1.6; for
        comparison with that code only.
    """

    n_samples: int = 6000
    n_fft: int = 160
    hop: int = 46
    rectangular: bool = False

    @property
    def n_bins(self) -> int:
        """Number of frequencies, from zero to the Nyquist frequency."""
        return self.n_fft // 2 + 1

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return self.n_samples // self.hop + 1

    def window(self, device: torch.device | str = "cpu") -> Tensor:
        """Return the periodic Hann window, shape (n_fft,)."""
        return torch.hann_window(self.n_fft, device=device)

    def transform(self, waveforms: Tensor) -> Tensor:
        """Return the complex STFT, shape (..., bin, frame), of waveforms (..., sample)."""
        return self._stft(waveforms, self._transform_window(waveforms.device))

    def inverse(self, spectra: Tensor) -> Tensor:
        """Return the least-squares waveforms (..., sample) of spectra (..., bin, frame)."""
        return self._istft(spectra, self._transform_window(spectra.device))

    def _transform_window(self, device: torch.device) -> Tensor:
        window = self.window(device)
        return torch.ones_like(window) if self.rectangular else window

    def inside(self, spans: Tensor) -> Tensor:
        """Return which frames (record, frame) use samples within spans (record, 2) only."""
        centres = torch.arange(self.n_frames, device=spans.device) * self.hop
        first, last = spans[:, :, None].unbind(dim=1)
        # A record is reflected at the ends of the window.
        begins = (centres - self.n_fft // 2).clamp_min(0)
        ends = (centres + self.n_fft // 2).clamp_max(self.n_samples)
        return (begins >= first) & (ends <= last)

    def energy_weights(self) -> Tensor:
        """Return weights (bin,) with sum(w abs(S)^2) = sum(x^2), Parseval's theorem for the STFT.

        Exact where the squared windows of the frames add up to a constant; for the Hann window
        within 1 % at any hop up to a third of its length.
        """
        window = self.window()
        weights = torch.full((self.n_bins, 1), 2.0)
        weights[0] = 1.0
        if self.n_fft % 2 == 0:
            weights[-1] = 1.0
        return weights * self.hop / (self.n_fft * (window**2).sum())

    def typical_noise(self) -> float:
        """Return exp(mean ln amplitude) of white noise of unit variance.

        Its amplitudes have a Rayleigh distribution, whose mean logarithm is half of Euler's
        constant below that of the mean power; not exact at zero and at the Nyquist frequency.
        """
        power = float((self.window() ** 2).sum())
        return math.sqrt(power * math.exp(-EULER))

    def griffin_lim(
        self,
        amplitudes: Tensor,
        phases: Tensor,
        iterations: int = 50,
        momentum: float = 0.99,
        onsets: Tensor | None = None,
        noise: Tensor | None = None,
        chunk: int | None = None,
    ) -> Tensor:
        """Rebuild waveforms from STFT amplitudes.

        Fast Griffin-Lim (Griffin and Lim 1984; Perraudin, Balazs and Soendergaard 2013).  Before
        an onset the waveform is clipped to the noise level in every iteration: the amplitudes do
        not determine when within a window the energy arrives, and onsets would come too early.

        Parameters
        ----------
        amplitudes : torch.Tensor
            Shape (waveform, bin, frame).
        phases : torch.Tensor
            Shape (waveform, bin, frame), initial phases in radians.
        iterations : int
            Number of iterations.
        momentum : float
            0 gives the original algorithm.
        onsets : torch.Tensor, optional
            Shape (waveform,), sample of the first arrival.
        noise : torch.Tensor, optional
            Shape (waveform,), maximum amplitude before the onset; required with `onsets`.
        chunk : int, optional
            Waveforms processed at once; by default as many as fit the cache of a CPU, and all
            of them on other devices.

        Returns
        -------
        torch.Tensor
            Shape (waveform, sample).
        """
        if chunk is None:
            chunk = CPU_CHUNK if amplitudes.device.type == "cpu" else max(len(amplitudes), 1)
        window = self.window(amplitudes.device)
        waveforms = amplitudes.new_empty(len(amplitudes), self.n_samples)
        for part in _chunks(len(amplitudes), chunk):
            limits = None
            if onsets is not None and noise is not None:
                limits = self._limits(onsets[part], noise[part])
            waveforms[part] = self._retrieve(
                amplitudes[part], phases[part], window, iterations, momentum, limits
            )
        return waveforms

    def _retrieve(
        self,
        amplitudes: Tensor,
        phases: Tensor,
        window: Tensor,
        iterations: int,
        momentum: float,
        limits: Tensor | None,
    ) -> Tensor:
        """Run the iterations on one chunk."""
        inertia = momentum / (1.0 + momentum)
        spectra = torch.polar(amplitudes, phases)
        previous: Tensor | None = None
        for _ in range(iterations):
            waveforms = _clip(self._istft(spectra, window), limits)
            rebuilt = self._stft(waveforms, window)
            spectra = rebuilt if previous is None else rebuilt - inertia * previous
            previous = rebuilt
            spectra = spectra * (amplitudes / spectra.abs().clamp_min(1e-30))
        return _clip(self._istft(spectra, window), limits)

    def _limits(self, onsets: Tensor, noise: Tensor) -> Tensor:
        """Return the maximum amplitude of every sample: noise before the onset, no limit after."""
        before = torch.arange(self.n_samples, device=onsets.device) < onsets[:, None]
        return torch.where(before, noise[:, None], torch.inf)

    def _stft(self, waveforms: Tensor, window: Tensor) -> Tensor:
        shape = waveforms.shape[:-1]
        spectra = torch.stft(
            waveforms.reshape(-1, self.n_samples),
            self.n_fft,
            self.hop,
            window=window,
            return_complex=True,
        )
        return spectra.reshape(*shape, self.n_bins, self.n_frames)

    def _istft(self, spectra: Tensor, window: Tensor) -> Tensor:
        shape = spectra.shape[:-2]
        waveforms = torch.istft(
            spectra.reshape(-1, self.n_bins, self.n_frames),
            self.n_fft,
            self.hop,
            window=window,
            length=self.n_samples,
        )
        return waveforms.reshape(*shape, self.n_samples)


def _clip(waveforms: Tensor, limits: Tensor | None) -> Tensor:
    return waveforms if limits is None else torch.clamp(waveforms, -limits, limits)


def _chunks(n: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, n, size))
