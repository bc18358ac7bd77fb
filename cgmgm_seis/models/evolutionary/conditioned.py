"""The networks of EvolutionaryCGM, conditioned on what was recorded of an earthquake."""

import copy
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from cgmgm_seis.models.base import Batch
from cgmgm_seis.models.conditioned import BAND_HZ, Measures
from cgmgm_seis.models.evolutionary.conditioning import Conditioning, Evidence, check_given
from cgmgm_seis.models.evolutionary.decoder import Spectra
from cgmgm_seis.models.evolutionary.evidence import (
    N_DERIVED,
    N_DRAWS,
    N_PAIRS,
    STEP,
    of_amplitudes,
    of_spectrograms,
)
from cgmgm_seis.models.evolutionary.networks import EvolutionaryNetworks
from cgmgm_seis.models.evolutionary.spectrogram import MeanSpectrogram
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.seeding import random_generator, record_keys
from cgmgm_seis.scenario.table import check_scenario

# Records whose evidence is computed at once.
EVIDENCE_RECORDS = 8


class ConditionedNetworks(EvolutionaryNetworks):
    """`EvolutionaryNetworks` that can be conditioned, with the same parameters."""

    def condition(
        self,
        values: NDArray[Any],
        scenario: pd.DataFrame,
        measures: Measures | None = None,
        extrapolate: bool | float = False,
        band_hz: tuple[float, float] = BAND_HZ,
    ) -> Self:
        """Return this model given what was recorded of one earthquake; see the base class."""
        return self.given(self.evidence(values, scenario, measures, extrapolate, band_hz))

    def given(self, evidence: Evidence | None) -> Self:
        """Return this model conditioned on evidence, or unconditioned; the networks are shared."""
        found = copy.copy(self)
        found.conditioning = None
        if evidence is not None:
            _, between = self.effects.standardisation()
            latitude, longitude = self.centre
            found.conditioning = Conditioning(
                evidence,
                between.double().cpu().numpy(),
                self.effects.correlated.double().cpu().numpy(),
                self.correlation_length_km,
                (latitude, longitude),
            )
        return found

    @torch.no_grad()
    def evidence(
        self,
        values: NDArray[Any],
        scenario: pd.DataFrame,
        measures: Measures | None = None,
        extrapolate: bool | float = False,
        band_hz: tuple[float, float] = BAND_HZ,
    ) -> Evidence:
        """Return what records or amplitudes of one earthquake say of the latents.

        Parameters and errors are those of `condition`.
        """
        scenario = check_scenario(scenario)
        self.check_ranges(scenario, extrapolate)
        check_given(values, scenario, measures is None, len(self.component_order), self.n_samples)
        free = self.given(None)
        if measures is not None:
            return Evidence.of(
                scenario,
                *of_amplitudes(np.asarray(values, float), *free._responses(scenario, measures)),
            )
        batch = self.on_device(free.features(values, scenario))
        rows = torch.arange(len(scenario)).split(EVIDENCE_RECORDS)
        parts = [
            free._record_evidence({name: x[k] for name, x in batch.items()}, band_hz) for k in rows
        ]
        return Evidence.of(scenario, *map(np.concatenate, zip(*parts, strict=True)))

    def _record_evidence(self, batch: Batch, band_hz: tuple[float, float]) -> tuple[Floats, Floats]:
        """Return what records say of the standardised latents, see `of_spectrograms`.

        Coefficients count by the share of the waves in their expected power, since the noise at a
        station differs from the expected one by more than its scatter in the training records.
        """
        onsets = self._onsets(batch)
        output, magnitude, means = self.decoder(batch), batch["plain"][:, 0], self.means(batch)

        frequencies = torch.arange(self.evolution.n_bins) * self.sampling_rate / self.n_fft
        inside = (frequencies >= band_hz[0]) & (frequencies <= band_hz[1])
        used = torch.nonzero(inside.repeat(len(self.component_order)))[:, 0].to(means.device)

        def spectrogram(standard: Tensor) -> MeanSpectrogram:
            latents = means + self.effects.latents(standard)
            outputs = self.decoder.with_latents(output, latents, magnitude)
            noise, weights, leaked = self._means(self.decoder.spectra(outputs), onsets)
            return MeanSpectrogram(noise[..., used], weights, leaked[..., used])

        median = spectrogram(means.new_zeros(means.shape))
        weights = self._inside(batch["span"])[:, :, None] * (self.hop / self.n_fft)
        weights = weights * (1.0 - median.noise / median.expected())
        _, between = self.effects.standardisation()
        return of_spectrograms(
            lambda standard: torch.log(spectrogram(standard).expected()),
            batch["powers"][..., used],
            weights,
            1.0 + between,
        )

    def _responses(
        self, scenario: pd.DataFrame, measures: Measures
    ) -> tuple[Floats, Floats, Floats]:
        """Return expected measures (record, series), draws at the median, and derivatives.

        Draws at the median are (record, draw, series); derivatives with respect to the
        standardised latents, (record, series, latent), are differences between records with the
        same random numbers.  Peaks are convex in the latents, so that their mean over the prior is
        above the median; the difference is estimated from pairs of opposite latents, in which what
        is linear cancels, and is one for all records.
        """
        n, (_, between) = self.n_latents, self.effects.standardisation()
        fixed = torch.cat([torch.zeros(N_DRAWS, n)] + [STEP * torch.eye(n)] * N_DERIVED)
        draws = [*range(N_DRAWS), *np.repeat(np.arange(N_DERIVED), n).tolist()]
        draws += 2 * [*range(N_PAIRS)]
        spread = torch.sqrt(1.0 + between).cpu()
        conditions = self.on_device(self.conditions(scenario))
        found = []
        for row, key in enumerate(record_keys(scenario)):
            own = {name: x[row : row + 1] for name, x in conditions.items()}
            random = random_generator("evidence of the prior", *key)
            prior = spread * torch.as_tensor(random.standard_normal((N_PAIRS, n), np.float32))
            standard = torch.cat([fixed, prior, -prior])
            found.append(self._measured(own, key, standard, draws, measures))
        median, stepped, pairs = np.split(np.stack(found), [N_DRAWS, len(fixed)], axis=1)
        stepped = stepped.reshape(len(found), N_DERIVED, n, -1)
        slopes = (stepped - median[:, :N_DERIVED, None]).mean(axis=1) / STEP
        convexity = pairs.mean(axis=(0, 1)) - median[:, :N_PAIRS].mean(axis=(0, 1))
        return median.mean(axis=1) + convexity, median, slopes.transpose(0, 2, 1)

    def _measured(
        self,
        conditions: Batch,
        key: Sequence[float],
        standard: Tensor,
        draws: Sequence[int],
        measures: Measures,
    ) -> Floats:
        """Return measures (draw, series) of a record for standardised latents (draw, latent).

        Equal numbers in `draws` stand for equal random numbers.
        """
        own = {name: x.expand(len(draws), *x.shape[1:]) for name, x in conditions.items()}
        latents = self.means(own) + self.effects.latents(standard.to(self.whitening))
        random = [random_generator("evidence", *key, draw) for draw in draws]
        records = self._draw(own, latents, self.evolution.keys(random))
        return np.asarray(measures(records.cpu().numpy()), float)

    # ---- mean spectrogram ------------------------------------------------------------------

    def _onsets(self, batch: Batch) -> Tensor:
        """Return the onsets of P and S (record, wave), s after the record's start."""
        return batch["times"] - self.start_offset_s + self.decoder.delays(batch)

    def _means(self, spectra: Spectra, onsets: Tensor) -> MeanSpectrogram:
        """Return the mean spectrogram for onsets (record, wave), s after the record's start."""
        weights = self.evolution.response(self._centres()[:, None] - onsets[:, None])
        leaked = self.evolution.leaked(spectra.waves)
        noise = self.evolution.noise_response * self.evolution.leaked_noise(spectra.noise)
        return MeanSpectrogram(
            noise.flatten(1)[:, None], weights.flatten(2), leaked.flatten(3).flatten(1, 2)
        )

    def _starts(self) -> Tensor:
        """Return the first samples of the frames."""
        end = self.n_samples - self.n_fft + 1
        return torch.arange(self.order, end, self.hop, device=self.device)

    def _centres(self) -> Tensor:
        """Return the centres of the frames, s after the record's start."""
        return (self._starts() + self.n_fft // 2) / self.sampling_rate

    def _inside(self, spans: Tensor) -> Tensor:
        """Return which frames (record, frame) depend on samples within the spans only.

        The whitening filter extends a frame by its length to earlier samples.
        """
        starts, (first, last) = self._starts().to(spans.device), spans[:, :, None].unbind(dim=1)
        return (starts - self.order >= first) & (starts + self.n_fft <= last)
