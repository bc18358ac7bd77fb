"""The networks of EvolutionaryCGM, and sampling from them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.models.base import Batch, GroundMotionModel
from cgmgm_seis.models.evolutionary.calibration import N_TERMS, design
from cgmgm_seis.models.evolutionary.conditioning import Conditioning, standard_normal
from cgmgm_seis.models.evolutionary.correlation import event_fields
from cgmgm_seis.models.evolutionary.decoder import Spectra, SpectralDecoder
from cgmgm_seis.models.evolutionary.encoder import Encoder
from cgmgm_seis.models.evolutionary.evolution import Evolution
from cgmgm_seis.models.evolutionary.latent_means import LatentMeans
from cgmgm_seis.models.evolutionary.random_effects import RandomEffects
from cgmgm_seis.models.evolutionary.scatter import Scatter, ln_fas_scatter
from cgmgm_seis.models.evolutionary.scenario_input import (
    N_PLAIN,
    network_input,
    receivers_km,
    scaled_to_one,
)
from cgmgm_seis.scenario.seeding import N_SOURCE_COLUMNS, Realization, record_keys

CITATION = (
    "EvolutionaryCGM of cgmgm-seis; after Ren et al., Learning Physics for Unveiling Hidden "
    "Earthquake Ground Motions via Conditional Generative Modeling, Nature Communications (2026), "
    "arXiv:2407.15089"
)
# Length of the autoregressive whitening filter, s, long enough to resolve the microseism.
WHITENING_S = 1.0


class EvolutionaryNetworks(GroundMotionModel):
    """`EvolutionaryCGM` without its training, with the same parameters."""

    def __init__(
        self,
        component_order: str = "ZNE",
        n_latents: int = 16,
        width: int = 128,
        n_waves: int = 64,
        feature_length: float = 2.5,
        n_fft: int = 160,
        n_stations: int = 0,
        station_length_km: float = 3.0,
        centre: Sequence[float] = (0.0, 0.0),
        n_training_records: int = 1,
        citation: str | None = CITATION,
        **kwargs: Any,
    ) -> None:
        super().__init__(component_order=component_order, citation=citation, **kwargs)
        self.n_latents = n_latents
        self.width = width
        self.n_waves = n_waves
        self.feature_length = feature_length
        self.n_fft = n_fft
        self.station_length_km = station_length_km
        self.centre = list(centre)
        self.n_training_records = n_training_records
        self.hop = n_fft // 4
        self.evolution = Evolution(self.n_samples, self.sampling_rate, n_fft)
        n_bins, n_components = self.evolution.n_bins, len(component_order)
        self.waves: Tensor
        self.whitening: Tensor
        self.register_buffer("waves", torch.zeros(n_waves, 2))
        self.order = round(WHITENING_S * self.sampling_rate)
        self.register_buffer("whitening", torch.eye(1, self.order + 1)[0])
        self.calibration: Tensor
        n_nodes = len(self.evolution.nodes_hz)
        self.register_buffer("calibration", torch.zeros(N_TERMS, n_components, n_nodes))
        self.decoder = SpectralDecoder(
            N_PLAIN,
            2 * n_waves,
            n_latents,
            n_components,
            n_bins,
            self.evolution.n_envelopes,
            width,
        )
        self.means = LatentMeans(N_PLAIN, 2 * n_waves, n_latents, n_stations, station_length_km)
        self.encoder = Encoder(N_PLAIN, n_components, n_bins, n_latents)
        self.effects = RandomEffects(n_latents)
        self.conditioning: Conditioning | None = None

    @property
    def n_stations(self) -> int:
        """Number of stations with a station term."""
        return len(self.means.stations.places)

    def conditions(self, scenario: pd.DataFrame) -> dict[str, Tensor]:
        """Return the input of the networks for a scenario.

        Returns
        -------
        dict of torch.Tensor
            "plain" (record, 5): magnitude, depth, distance and its logarithm, scaled to -1..1, and
            ln(S - P); "source", "site" and "path" (record, 2 wave), Fourier features; "times"
            (record, 2), P and S of the 1-D table, s after the origin; "receiver" (record, 2), km
            east and north of the centre.
        """
        if self.conditioning is not None:
            self.conditioning.check(scenario)
        arrivals = self.travel_times.at(
            scenario["source_depth_km"], scenario["path_ep_distance_km"]
        )
        waves = self.waves.double().cpu().numpy()
        values = network_input(scenario, arrivals, self.ranges, waves, self.centre)
        return {key: torch.as_tensor(x, dtype=torch.float32) for key, x in values.items()}

    def numbers(self, realizations: Sequence[Realization]) -> dict[str, Tensor]:
        """Return the random numbers of realizations.

        Returns
        -------
        dict of torch.Tensor
            Standard normal "event_term", the same for records of one source, and "record_term",
            each (realization, latent); "key" (realization, 3) of the numbers of waveforms.
        """
        events = [realization.event() for realization in realizations]
        records = [realization.record() for realization in realizations]
        return {
            "event_term": torch.as_tensor(_normal(events, self.n_latents)),
            "record_term": torch.as_tensor(_normal(records, self.n_latents)),
            "key": self.evolution.keys(records),
        }

    def fields(self, scenario: pd.DataFrame, n_realizations: int, seed: int) -> dict[str, Tensor]:
        """Return the correlated part of record terms: a field over the receivers of a source.

        Returns
        -------
        dict of torch.Tensor
            "field" (record, realization, latent), standard normal, unless records are independent;
            "correction", of the same shape, if the model is conditioned on records.
        """
        found = {}
        length_km, receivers = self.correlation_length_km, receivers_km(scenario, self.centre)
        if length_km > 0.0:
            keys = [key[:N_SOURCE_COLUMNS] for key in record_keys(scenario)]
            found["field"] = event_fields(
                keys, receivers, length_km, self.n_latents, n_realizations, seed
            )
        if self.conditioning is not None:
            found["correction"] = self.conditioning.corrections(scenario, n_realizations, seed)
        return {name: torch.as_tensor(values) for name, values in found.items()}

    def forward(self, batch: Batch) -> Tensor:
        """Draw latents, and records with their spectra; see `GroundMotionModel.forward`.

        Records of one source share an event term, which differs between realizations.
        """
        terms = batch["event_term"], batch["record_term"]
        shared = batch.get("field"), batch.get("correction")
        latents = self.means(batch) + self.effects.draw(*terms, *shared)
        return self._draw(batch, latents, batch["key"])

    @torch.no_grad()
    def onsets(self, scenario: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the P and S times, s after the origin: times of the 1-D table plus delays.

        They are exact: every realization drawn by `sample` has these onsets.
        """
        conditions = self.on_device(self.conditions(scenario))
        times = conditions["times"] + self.decoder.delays(conditions)
        p, s = times.double().cpu().numpy().T
        return p, s

    @torch.no_grad()
    def median_spectra(self, scenario: pd.DataFrame) -> Spectra:
        """Return the spectra of ground motion for a scenario, with the latents at their mean.

        In a conditioned model it is their mean given the records.

        Returns
        -------
        Spectra
            Power spectral density of the noise, (m/s)^2/Hz, and energy spectra of P and S by
            envelope, (m/s x s)^2; the square root of their sum is the FAS of the wave.
        """
        conditions = self.on_device(self.conditions(scenario))
        noise, waves = self._median(conditions)
        n_fft = self.evolution.n_fft
        colour = self._colour(n_fft).abs().square()
        gains = self.evolution.wave_shape + self._gains(conditions)
        amplified = waves * torch.exp(2.0 * gains @ self.evolution.node_bins)[:, None, None]
        return Spectra(self.evolution.noise_density(noise, n_fft) * colour, amplified * colour)

    @torch.no_grad()
    def scatter(self, frequencies: Sequence[float], magnitude: float, wave: str = "S") -> Scatter:
        """Return the standard deviations tau and phi of ln FAS of a generated wave.

        They describe the scatter between events and between the records of an event, and follow
        from the covariances of the latents and their effect on ln FAS.  Terms of sources, sites
        and paths are not included, since they are known; neither is the randomness of the noise
        process, which smoothing removes.

        Parameters
        ----------
        frequencies : sequence of float
            Frequencies, Hz, shape (frequency,).
        magnitude : float
            Magnitude of the earthquake.
        wave : str
            "P" or "S".

        Returns
        -------
        Scatter
            tau and phi, each (component, frequency).
        """
        if self.conditioning is not None:
            raise CgmgmError(
                "The scatter of a conditioned model differs from place to place; draw realizations "
                "instead."
            )
        scaled = float(scaled_to_one(magnitude, self.ranges["source_magnitude"]))
        bins = np.asarray(frequencies, float) * self.n_fft / self.sampling_rate
        return ln_fas_scatter(self.decoder, self.effects, bins, scaled, "PS".index(wave))

    def _median(self, conditions: Batch) -> Spectra:
        """Return the decoder's spectra with the latents at their mean."""
        latents = self.means(conditions) + self._middle(conditions)
        output, magnitude = self.decoder(conditions), conditions["plain"][:, 0]
        return self.decoder.spectra(self.decoder.with_latents(output, latents, magnitude))

    def _middle(self, conditions: Batch) -> Tensor:
        """Return the mean latents without `means`: (latent,), if conditioned (record, latent)."""
        if self.conditioning is None:
            return self.effects.mean
        given = self.conditioning.mean(conditions["receiver"].double().cpu().numpy())
        return self.effects.latents(torch.as_tensor(given).to(self.effects.mean))

    def _gains(self, conditions: Batch) -> Tensor:
        """Return the calibration's ln amplitudes of records, (record, component, node)."""
        return torch.einsum("rt,tcn->rcn", design(conditions["plain"]), self.calibration)

    @property
    def correlation_length_km(self) -> float:
        """Correlation length between receivers of record terms of one event, km; 0 for none."""
        return float(self.effects.length_km)

    def _draw(self, conditions: Batch, latents: Tensor, keys: Tensor) -> Tensor:
        """Draw records (record, component, sample) with the random numbers of keys (record, 3)."""
        output = self.decoder(conditions)
        output = self.decoder.with_latents(output, latents, conditions["plain"][:, 0])
        spectra = self.decoder.spectra(output)
        onsets = conditions["times"] + self.decoder.delays(conditions) - self.start_offset_s
        return self.evolution.draw(
            spectra.noise,
            spectra.waves,
            onsets,
            keys,
            self._colour(self.evolution.n_draw),
            self._gains(conditions),
        )

    def _colour(self, n: int) -> Tensor:
        """Return the frequency response (n/2 + 1,) that undoes the whitening."""
        return 1.0 / torch.fft.rfft(self.whitening, n)


def _normal(generators: Sequence[np.random.Generator], n: int) -> NDArray[np.float32]:
    return np.stack([standard_normal(random, n) for random in generators])
