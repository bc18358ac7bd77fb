"""Amplitudes of EvolutionaryCGM drawn from its spectra and scatter, without waveforms.

The latents are those of the waveforms of the same seed; what waveforms add by their random phases
is drawn from its distribution.  With the latents at their mean, expected spectra are computed as
exactly as the drawn process allows: leakage, the energy within the window, and the steps at its
ends.  Latents multiply the noise and each wave, linear in ln energy; how they change leakage is
taken into account to first order and on average, and their effect on durations is neglected.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from cgmgm_seis.measures.random_vibration import Peaks, duration, peaks
from cgmgm_seis.models.base import Batch
from cgmgm_seis.models.evolutionary.conditioning import standard_normal
from cgmgm_seis.models.evolutionary.decoder import OUTPUT_SCALE
from cgmgm_seis.models.evolutionary.leakage import Leakage
from cgmgm_seis.models.evolutionary.networks import EvolutionaryNetworks
from cgmgm_seis.models.evolutionary.smoothed_amplitudes import RAYLEIGH, squared_factors
from cgmgm_seis.models.evolutionary.spectral_tables import PeakTables, SmoothingTables
from cgmgm_seis.scenario.seeding import N_SOURCE_COLUMNS, Realization, record_keys
from cgmgm_seis.scenario.table import check_scenario

# Receivers whose spectra are computed at once, and realizations of them drawn at once.
RECEIVERS, RECORDS = 256, 2048
# Coefficients of the relative covariance of two Rayleigh amplitudes in powers of the squared
# coherence (Middleton 1960, chapter 9); the last contains the rest of the series, so that
# coherence 1 gives their variance.
COVARIANCE = (1 / 4, 1 / 64, 1 / 256, 4 / math.pi - 1.0 - 1 / 4 - 1 / 64 - 1 / 256)


class Expected(NamedTuple):
    """Distribution of the amplitudes of some records with the latents at their mean.

    Parameters
    ----------
    energy : torch.Tensor
        Squared smoothed amplitudes of noise, P and S, (record, 3, component, frequency).
    effects : torch.Tensor
        Effect of latents on ln of those of P and S, (record, 2, component, frequency, latent).
    steps : torch.Tensor
        Variance of noise at the start and at the end of the records, and of waves at the end,
        (record, 3, component).
    step_loadings : torch.Tensor
        Effect of latents on ln of the last of these, (record, latent, component).
    variance : torch.Tensor
        Relative variance of smoothed amplitudes due to the phases, (record, component, frequency).
    moments : torch.Tensor
        Spectral moments of noise, P and S of the mean horizontal, (record, 3 * component * node,
        oscillator * moment).
    duration : numpy.ndarray
        Duration of the strong motion of every oscillator, s, (record, oscillator).
    """

    energy: Tensor
    effects: Tensor
    steps: Tensor
    step_loadings: Tensor
    variance: Tensor
    moments: Tensor | None
    duration: NDArray[np.float64] | None


class SpectralDraw:
    """Draws ln FAS, EAS and, by random vibration theory, peaks from the spectra of a model.

    Parameters
    ----------
    model : EvolutionaryNetworks
        The generator, perhaps conditioned.
    kinds : sequence of str
        Some of "fas", "eas", "pga", "pgv" and "psa".
    frequencies, periods : sequence of float
        Frequencies of the spectra, Hz, and periods of the PSA, s.
    """

    def __init__(
        self,
        model: EvolutionaryNetworks,
        kinds: Sequence[str],
        frequencies: Sequence[float],
        periods: Sequence[float],
    ) -> None:
        self.model = model
        self.kinds = tuple(kinds)
        # Effects of latents, and of latents times magnitude, on ln energies at the bins: of the
        # noise and of both waves, (2 * latent, 3, component, bin).
        decoder = model.decoder
        noise, waves, _ = (OUTPUT_SCALE * decoder.loadings.weight.detach().T).split(
            decoder.sizes, dim=1
        )
        shape = (-1, decoder.n_components, len(decoder.nodes))
        self.loadings = torch.cat([noise, waves], dim=1).unflatten(1, shape) @ decoder.nodes
        order = model.component_order
        pair = [k for k, component in enumerate(order) if component != "Z"]
        self.pair = pair if len(pair) == 2 else [len(order) - 1]
        known = {"pga": (0.0,), "pgv": (None,), "psa": tuple(periods)}
        self.oscillators = {kind: known[kind] for kind in self.kinds if kind in known}
        smoothing = SmoothingTables.of(model.evolution, frequencies)
        self.smoothing = {name: self._tensor(x) for name, x in smoothing._asdict().items()}
        energies = model.evolution.energies
        self.leakage = Leakage.of(model, self.loadings[:, 1:], self.smoothing)
        # Density of energy of the envelopes by sample, and its integral, (sample, envelope).
        self.energies = self._tensor(energies.T)
        reached = np.pad(np.cumsum(energies, axis=1), ((0, 0), (1, 0))) / model.sampling_rate
        self.reached = self._tensor(reached.T)
        every = [period for own in self.oscillators.values() for period in own]
        self.peaks = PeakTables.of(model.evolution, every) if every else None
        if self.peaks is not None:
            self.moments, self.nodes, self.edges, self.strong = map(self._tensor, self.peaks)

    def _tensor(self, values: NDArray[Any]) -> Tensor:
        like, found = self.model.whitening, torch.as_tensor(values)
        return found.to(like.device, like.dtype.to_complex() if found.is_complex() else like.dtype)

    @torch.no_grad()
    def __call__(
        self, scenario: pd.DataFrame, n_realizations: int = 1, seed: int = 0
    ) -> dict[str, NDArray[np.float32]]:
        """Draw amplitudes.

        Parameters
        ----------
        scenario : pandas.DataFrame
            Scenario table.
        n_realizations, seed : int
            As in `GroundMotionModel.sample`, whose latents these are.

        Returns
        -------
        dict
            Kind to natural logarithms: "fas" (record, realization, component, frequency), "eas"
            (record, realization, frequency), "pga" and "pgv" (record, realization), "psa" (record,
            realization, period); units as in `cgmgm_seis.grid.measures.Measures`.
        """
        scenario = check_scenario(scenario)
        parts = []
        for first in range(0, len(scenario), RECEIVERS):
            block = scenario.iloc[first : first + RECEIVERS].reset_index(drop=True)
            parts.append(self._block(block, n_realizations, seed))
        return {kind: np.concatenate([part[kind] for part in parts]) for kind in self.kinds}

    def _block(
        self, scenario: pd.DataFrame, n_realizations: int, seed: int
    ) -> dict[str, NDArray[np.float32]]:
        """Draw the amplitudes of some receivers."""
        model = self.model
        conditions = model.on_device(model.conditions(scenario))
        numbers = model.on_device(model.fields(scenario, n_realizations, seed))
        numbers |= model.on_device(self._numbers(scenario, n_realizations, seed))
        shape = len(scenario), n_realizations, -1
        flat = {name: x.flatten(0, 1) for name, x in numbers.items()}
        latents = model.effects.draw(
            flat["event_term"], flat["record_term"], flat.get("field"), flat.get("correction")
        ).unflatten(0, shape[:2])
        own = latents - model._middle(conditions).reshape(-1, 1, model.n_latents)
        own = torch.cat([own, own * conditions["plain"][:, :1, None]], dim=2)
        expected = self._expected(conditions)
        step = max(1, RECORDS // len(scenario))
        parts = [
            self._drawn(expected, *pair)
            for pair in zip(own.split(step, 1), numbers["phases"].split(step, 1), strict=True)
        ]
        return {kind: np.concatenate([part[kind] for part in parts], axis=1) for kind in self.kinds}

    def _numbers(self, scenario: pd.DataFrame, n_realizations: int, seed: int) -> dict[str, Tensor]:
        """Return the normal numbers of terms and phases, each (record, realization, number)."""
        n, n_components = self.model.n_latents, len(self.model.component_order)
        n_frequencies = self.smoothing["root"].shape[0]
        n_oscillators = sum(len(periods) for periods in self.oscillators.values())
        total = n + n_components * (n_frequencies + 2) + n_oscillators
        shape = len(scenario), n_realizations
        records, events = np.empty((*shape, total), np.float32), np.empty((*shape, n), np.float32)
        known: dict[tuple[tuple[float, ...], int], NDArray[np.float32]] = {}
        for row, key in enumerate(record_keys(scenario)):
            for k in range(n_realizations):
                realization = Realization(seed, key, k)
                # The first numbers are the latents of the waveforms.
                records[row, k] = standard_normal(realization.record(), total)
                event = key[:N_SOURCE_COLUMNS], k
                if event not in known:
                    known[event] = standard_normal(realization.event(), n)
                events[row, k] = known[event]
        return {
            "event_term": torch.as_tensor(events),
            "record_term": torch.as_tensor(records[..., :n]),
            "phases": torch.as_tensor(records[..., n:]),
        }

    # ---- expected spectra ------------------------------------------------------------------

    def _expected(self, conditions: Batch) -> Expected:
        """Return the distribution with the latents at their mean."""
        model, tables, evolution = self.model, self.smoothing, self.model.evolution
        seconds = evolution.n_samples / model.sampling_rate
        noise, waves = model._median(conditions)
        onsets = model._onsets(conditions)
        inside, ending = self._energy_inside(onsets)
        gains = evolution.wave_shape + model._gains(conditions)
        colour = model._colour(evolution.finest).abs().square()
        filters = torch.exp(2.0 * gains @ evolution.node_lines) * colour
        energy = waves * inside[..., None, None]
        lines = energy.sum(dim=1).transpose(1, 2).flatten(2) @ evolution.smears.flatten(0, 1)
        lines = lines * filters
        steady = seconds * evolution.noise_density(noise, evolution.finest) * colour
        amplitudes = torch.sqrt(lines + steady).clamp_min(torch.finfo(lines.dtype).tiny)
        smoothed = amplitudes @ tables["smoothing"]
        # Share of the waves in changes of the smoothed amplitude.
        share = (lines / amplitudes) @ tables["smoothing"] / smoothed
        total = smoothed.square()
        at = energy @ tables["bins"]
        by_wave = at.sum(dim=2) / at.sum(dim=(1, 2))[:, None]
        effects, convexity = self.leakage.effects(energy, conditions["plain"][:, 0])
        by_wave = by_wave * torch.exp(convexity)
        last, step_loadings = self._last(waves, ending, gains)
        first = steady.sum(dim=-1) * (2.0 * model.sampling_rate / evolution.finest / seconds)
        peaks = self._peaks(lines, steady, energy, filters, onsets) if self.peaks else (None, None)
        return Expected(
            torch.cat([1.0 - share[:, None], share[:, None] * by_wave], dim=1) * total[:, None],
            effects,
            torch.stack([first, first, last], dim=1),
            step_loadings,
            self._variance(at, share, onsets),
            *peaks,
        )

    def _energy_inside(self, onsets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the share of energy within the record, and its density at the end, 1/s.

        Both have the shape (record, wave, envelope).
        """
        rate, n = self.model.sampling_rate, self.model.n_samples
        left = n - (onsets * rate).long().clamp(0, n - 1)
        return self.reached[left], self.energies[left - 1]

    def _last(self, waves: Tensor, ending: Tensor, gains: Tensor) -> tuple[Tensor, Tensor]:
        """Return the variance of waves at the end of records, and the latents' effect on its ln."""
        model, evolution = self.model, self.model.evolution
        filters = torch.exp(2.0 * gains @ evolution.node_bins)
        filters = filters * model._colour(model.n_fft).abs().square()
        by_bin = (waves * ending[..., None, None]).sum(dim=2) * filters[:, None]
        last = by_bin.sum(dim=(1, 3))
        weights = by_bin / last.clamp_min(torch.finfo(last.dtype).tiny)[:, None, :, None]
        effect = torch.einsum("rwcb,lwcb->rlc", weights, self.loadings[:, 1:])
        return 2.0 * model.sampling_rate / model.n_fft * last, effect

    def _variance(self, at: Tensor, share: Tensor, onsets: Tensor) -> Tensor:
        """Return the relative variance (record, component, frequency) due to the phases.

        The coherence between two frequencies is the Fourier transform of the density of energy
        over time, at their difference.
        """
        lags_hz, coherences = self.smoothing["lags_hz"], self.smoothing["coherences"]
        turns = torch.exp(-2j * torch.pi * onsets[..., None] * lags_hz)
        waves = (turns[:, :, None] * coherences).flatten(1, 2)
        mixed = at.flatten(1, 2).flatten(2).transpose(1, 2)
        mixed = mixed / mixed.sum(dim=-1, keepdim=True)
        # In place, since these are the largest arrays.
        squared = (mixed @ waves.real).square_().add_((mixed @ waves.imag).square_())
        squared = squared.unflatten(1, share.shape[1:]).mul_(share[..., None].square())
        # Noise is coherent with itself only.
        squared[..., 0] = 1.0
        first, *others = reversed(COVARIANCE)
        covariance = squared * first
        for factor in others:
            covariance.add_(factor).mul_(squared)
        return torch.einsum("rcfl,lf->rcf", covariance, self.smoothing["lags"])

    def _peaks(
        self, lines: Tensor, steady: Tensor, energy: Tensor, filters: Tensor, onsets: Tensor
    ) -> tuple[Tensor, NDArray[np.float64]]:
        """Return the moments and durations of `Expected`."""
        assert self.peaks is not None
        lines, steady, filters = (x[:, self.pair] for x in (lines, steady, filters))
        to_moments, nodes = self.moments.flatten(1), self.nodes
        shape = len(nodes.T), *self.moments.shape[2:]
        at = energy[:, :, :, self.pair] @ nodes
        by_wave = at.sum(dim=2) / at.sum(dim=(1, 2))[:, None]
        of_noise, of_waves = ((x @ to_moments).unflatten(2, shape) for x in (steady, lines))
        moments = torch.cat(
            [of_noise[:, None], of_waves[:, None] * by_wave[..., None, None]], dim=1
        ) / len(self.pair)
        # Shares of waves and envelopes in the energy of every oscillator.
        weights = (filters @ to_moments).unflatten(2, shape)[..., 0]
        shares = torch.einsum("rwkcg,rcgm->rmwk", at, weights)
        own, rest = (x.sum(dim=(1, 2, 3)) for x in (moments[:, 1:, ..., 0], moments[:, :1, ..., 0]))
        shares = shares * (own / (own + rest) / shares.sum(dim=(2, 3)))[..., None, None]
        still = (rest / (own + rest))[..., None] * (self.model.sampling_rate / self.model.n_samples)
        density = torch.einsum("rmwk,mkt->rmwt", shares, self.strong) + still[..., None]
        first, second = onsets.unbind(dim=1)
        limits = torch.stack([second - first, self.edges[-1] - second], dim=1)
        widths = torch.minimum(self.edges, limits.clamp_min(0.0)[..., None]).diff(dim=-1)
        density = torch.cat([still, density.flatten(2)], dim=2)
        widths = torch.cat([first[:, None].clamp_min(0.0), widths.flatten(1)], dim=1)[:, None]
        total = moments.sum(dim=(1, 2, 3))
        seconds = duration(*(x.double().cpu().numpy() for x in (density, widths, total)))
        return moments.flatten(1, 3).flatten(2), seconds

    # ---- drawing ---------------------------------------------------------------------------

    def _drawn(
        self, expected: Expected, latents: Tensor, phases: Tensor
    ) -> dict[str, NDArray[np.float32]]:
        """Draw amplitudes for latents (record, realization, latent) and normal numbers."""
        tables, n_components = self.smoothing, len(self.model.component_order)
        n_frequencies = tables["root"].shape[0]
        sizes = [n_components * n_frequencies, 2 * n_components]
        sizes.append(phases.shape[-1] - sum(sizes))
        phase, ends, at_peaks = phases.split(sizes, dim=-1)
        found: dict[str, Tensor] = {}
        if {"fas", "eas"} & set(self.kinds):
            phase = phase.unflatten(-1, (n_components, n_frequencies)) @ tables["root"].T
            energy = self._energy(expected, latents)
            steps = self._steps(expected, latents, ends.unflatten(-1, (2, n_components)))
            variance = expected.variance[:, None]
            if "fas" in self.kinds:
                squared = RAYLEIGH * energy * squared_factors(variance, phase, variance) + steps
                found["fas"] = 0.5 * torch.log(squared)
            if "eas" in self.kinds:
                found["eas"] = self._eas(energy, variance, phase, steps)
        drawn = {kind: x.cpu().numpy().astype(np.float32) for kind, x in found.items()}
        if self.peaks is not None:
            drawn |= self._drawn_peaks(expected, latents, at_peaks)
        return drawn

    def _energy(self, expected: Expected, latents: Tensor) -> Tensor:
        """Return the squared smoothed amplitudes (record, realization, component, frequency)."""
        noise = torch.tensordot(latents, self.loadings[:, 0] @ self.smoothing["bins"], dims=1)
        plain = latents[..., : self.model.n_latents]
        effects = expected.effects.flatten(1, 3).mT
        waves = (plain @ effects).unflatten(2, expected.effects.shape[1:4])
        factors = torch.exp(torch.cat([noise[:, :, None], waves], dim=2))
        return (expected.energy[:, None] * factors).sum(dim=2)

    def _steps(self, expected: Expected, latents: Tensor, numbers: Tensor) -> Tensor:
        """Return the squared amplitudes (.., component, frequency) of steps at the ends.

        A record starts and ends abruptly; the spectrum of a step falls as 1 / f only, so that it
        exceeds the waves at high frequencies.
        """
        first, last, waves = expected.steps.unbind(dim=1)
        effect = torch.exp(torch.einsum("rkl,rlc->rkc", latents, expected.step_loadings))
        start, end = numbers.square().unbind(dim=2)
        jumps = first[:, None] * start + (last[:, None] + waves[:, None] * effect) * end
        return jumps[..., None] * self.smoothing["step"]

    def _eas(self, energy: Tensor, variance: Tensor, phase: Tensor, steps: Tensor) -> Tensor:
        """Return ln EAS (record, realization, frequency) of energies (.., component, frequency).

        The mean of two squared amplitudes has up to twice the degrees of freedom of one.
        """
        energy, steps = energy[:, :, self.pair], steps[:, :, self.pair].mean(dim=2)
        shares = energy / energy.sum(dim=2, keepdim=True)
        m = 1.0 / shares.square().sum(dim=2)
        mean = 1.0 - 1.0 / (4.0 * m) + 1.0 / (32.0 * m**2) + (RAYLEIGH - 25.0 / 32.0) / m**3
        parts = shares * variance[:, :, self.pair].sqrt()
        whole = parts.square().sum(dim=2)
        number = (parts * phase[:, :, self.pair]).sum(dim=2) / whole.sqrt()
        one = (shares * variance[:, :, self.pair]).sum(dim=2)
        squared = mean * energy.mean(dim=2) * squared_factors(whole, number, one) + steps
        return 0.5 * torch.log(squared)

    def _drawn_peaks(
        self, expected: Expected, latents: Tensor, numbers: Tensor
    ) -> dict[str, NDArray[np.float32]]:
        """Draw peaks, whose random part is independent between oscillators."""
        assert expected.moments is not None
        assert expected.duration is not None
        effects = self.loadings[:, :, self.pair] @ self.nodes
        factors = torch.exp(torch.tensordot(latents, effects, dims=1).flatten(2))
        moments = (factors @ expected.moments).unflatten(2, (-1, 3)).double().cpu().numpy()
        found: Peaks = peaks(moments, expected.duration[:, None])
        values = found.ln_median + found.sigma * numbers.double().cpu().numpy()
        drawn, first = {}, 0
        for kind, periods in self.oscillators.items():
            own = values[..., first : first + len(periods)].astype(np.float32)
            drawn[kind] = own if kind == "psa" else own[..., 0]
            first += len(periods)
        return drawn
