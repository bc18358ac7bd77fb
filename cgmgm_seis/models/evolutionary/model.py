"""EvolutionaryCGM: generate the evolving spectrum of a record, then draw the waveform from it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from cgmgm_seis.measures.intensity import smoothed_fas
from cgmgm_seis.models.base import Batch, GroundMotionModel
from cgmgm_seis.models.collectives import gathered
from cgmgm_seis.models.evolutionary.calibration import (
    above_noise,
    design,
    fit_gains,
    node_steps,
)
from cgmgm_seis.models.evolutionary.conditioned import ConditionedNetworks
from cgmgm_seis.models.evolutionary.correlation import fit_correlation
from cgmgm_seis.models.evolutionary.normalisation import (
    aligned,
    fit_shapes,
    noise_and_wave_levels,
    whitened,
    whitening_filter,
)
from cgmgm_seis.models.evolutionary.places import random_waves, station_spacing_km
from cgmgm_seis.models.evolutionary.scenario_input import receivers_km
from cgmgm_seis.models.evolutionary.settling import settle
from cgmgm_seis.models.evolutionary.spectral_draw import SpectralDraw
from cgmgm_seis.models.reconstruction import Reconstruction
from cgmgm_seis.models.spectral import SpectralSampler
from cgmgm_seis.models.step import Step
from cgmgm_seis.scenario.geography import middle_longitude
from cgmgm_seis.scenario.seeding import event_numbers, random_generator
from cgmgm_seis.scenario.spans import Spans, cut_to_spans, valid_spans

# Rounds of the calibration, and maximum number of records used in it.
CALIBRATION_ROUNDS, CALIBRATION_RECORDS = 2, 12000
# Number of records used for levels and the whitening filter.
NORMALISATION_RECORDS = 1000
# Noise windows end this long before P of the 1-D table, s.
MARGIN_S = 1.0
# Shares of the training after which the latents, and then the delays, are trained.
LATENTS_FROM, DELAYS_FROM = 0.05, 0.1
# The prior of the latents' effect on the ln energy of a wave is a random walk over frequency with
# steps of this size: where noise hides the wave, it follows neighbouring frequencies.
LOADING_STEP = 0.02
# Station-specific part of the site terms, as a share of the standard deviation of the smooth part.
SITE_NUGGET = 0.15


class EvolutionaryCGM(ConditionedNetworks):
    """Conditional generative model of evolving spectra.

    A record is Gaussian noise with an evolving spectrum (Priestley 1965): stationary ground noise,
    and P and S waves, each a sum of short pulses and coda that start at the onset.  Networks
    predict spectra and onsets from the scenario and from latents, which are the sum of an event
    term and a record term.  Training maximises the Gaussian likelihood of the records'
    spectrograms (Itakura-Saito: Fevotte, Bertin & Durrieu 2009), as a variational autoencoder
    (Kingma & Welling 2014).

    Parameters
    ----------
    component_order : str
        Components and their order.
    n_latents : int
        Number of latents.
    width : int
        Width of the hidden layers.
    n_waves : int
        Number of wave vectors of the Fourier features of places.
    feature_length : float
        Shortest correlation length of the Fourier features, in units of the median spacing of the
        training stations.
    n_fft : int
        Window length of the spectrogram, samples; the hop is a quarter of it.
    n_stations : int
        Number of stations with a station term, set by training.
    station_length_km : float
        Correlation length of the station terms, km.
    centre : sequence of float
        Latitude and longitude of the region's centre, set by training.
    n_training_records : int
        Number of training records, set by training.
    **kwargs
        Sampling rate, start offset, length, ranges and travel times: see `GroundMotionModel`.

    Examples
    --------
    >>> model = EvolutionaryCGM(component_order="Z")
    >>> model.evolution.n_bins
    81
    """

    training_defaults: ClassVar[Mapping[str, Any]] = {
        "epochs": 60,
        "batch_size": 64,
        # At 3e-3 some trainings diverge.
        "learning_rate": 2e-3,
        "weight_decay": 0.05,
        "gradient_clip": 1e4,
    }
    uses_spans: ClassVar[bool] = True
    from_data: ClassVar[tuple[str, ...]] = (
        *GroundMotionModel.from_data,
        *("n_stations", "centre", "n_training_records"),
    )
    search_space: ClassVar[Mapping[str, Any]] = {
        "learning_rate": {"from": 1e-3, "to": 1e-2},
        "weight_decay": {"from": 3e-3, "to": 0.3},
        "batch_size": [16, 32, 64],
        "n_latents": [8, 16, 24],
        "width": [64, 128, 192],
        "n_waves": [32, 64, 128],
        "feature_length": [1.5, 2.5, 4.0],
    }
    not_searched: ClassVar[tuple[str, ...]] = (*GroundMotionModel.not_searched, "n_fft")
    train_options: ClassVar[Mapping[str, str]] = {"latent": "n_latents", "width": "width"}

    def fit_normalisation(self, waveforms: NDArray[np.float32], scenario: pd.DataFrame) -> None:
        """Set ranges, stations, whitening, fine shapes and levels from the training split."""
        super().fit_normalisation(waveforms, scenario)
        self.n_training_records = len(scenario)
        places = scenario[["station_latitude_deg", "station_longitude_deg"]].drop_duplicates()
        # A directional mean of the longitudes, since a region may cross the date line.
        middle = middle_longitude(places["station_longitude_deg"])
        self.centre = [
            round(degrees, 3) for degrees in (places["station_latitude_deg"].mean(), middle)
        ]
        length = self.feature_length * station_spacing_km(scenario, self.centre)
        self.waves = torch.as_tensor(random_waves(self.n_waves, length)).to(self.waves)
        self.means.stations.set_places(torch.as_tensor(receivers_km(places, self.centre)))
        step = -(-len(waveforms) // NORMALISATION_RECORDS)
        some, spans = waveforms[::step], valid_spans(scenario[::step], self.n_samples)
        filtered = whitening_filter(some, spans, self.order, self.sampling_rate)
        self.whitening = filtered.to(self.whitening)
        until_p = self.conditions(scenario[::step])["times"][:, 0].numpy() - self.start_offset_s
        lengths = ((until_p - MARGIN_S) * self.sampling_rate).astype(int) - self.order
        # The whitened records lack the first samples.
        filled = spans - np.array([0, self.order])
        first, last = filled.T
        records = aligned(whitened(some, self.whitening), filled)
        fit_shapes(self.evolution, records, lengths - first, last - first, self.whitening)
        self.decoder.noise_level, self.decoder.wave_level = noise_and_wave_levels(
            self.evolution,
            self.powers(some),
            self._inside(torch.as_tensor(spans)),
            self.hop / self.sampling_rate,
        )

    def features(self, waveforms: NDArray[np.float32], scenario: pd.DataFrame) -> dict[str, Tensor]:
        """Return conditions and whitened spectrograms of records (record, component, sample).

        Returns
        -------
        dict of torch.Tensor
            Those of `conditions`; "powers" (record, frame, component * bin), squared m/s; "event"
            (record,), a number common to the records of an event; "span" (record, 2), see
            `cgmgm_seis.scenario.spans`; "ln_fas" (record, component, node), of the unfiltered
            records.
        """
        spans = valid_spans(scenario, self.n_samples)
        return {
            **self.conditions(scenario),
            "powers": self.powers(waveforms),
            "event": torch.as_tensor(event_numbers(scenario)),
            "span": torch.as_tensor(spans),
            "ln_fas": torch.as_tensor(self._ln_fas(waveforms, spans), dtype=torch.float32),
        }

    def powers(self, waveforms: NDArray[np.float32]) -> Tensor:
        """Return the power of whitened records in every frame and bin.

        The spectrum of ground motion spans many orders of magnitude; whitening makes the leakage
        through the window from one frequency to another negligible (Blackman & Tukey 1958).
        """
        records = whitened(waveforms, self.whitening).to(self.evolution.window)
        frames = records.unfold(-1, self.evolution.n_fft, self.hop)
        spectra = torch.fft.rfft(frames * self.evolution.window)
        return torch.view_as_real(spectra).square().sum(dim=-1).transpose(1, 2).flatten(2)

    def _ln_fas(self, waveforms: NDArray[np.float32], spans: Spans) -> NDArray[np.float64]:
        """Return ln of the smoothed FAS (record, component, node) of the spans, m/s x s."""
        cut = cut_to_spans(waveforms, spans, self.sampling_rate)
        spectra = smoothed_fas(cut, self.sampling_rate, self.evolution.nodes_hz)
        return np.log(np.maximum(spectra, np.finfo(np.float32).tiny))

    # ---- training --------------------------------------------------------------------------

    def loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the negative evidence lower bound and its terms, nats per record.

        The likelihood is that of `MeanSpectrogram`, times hop / window, since frames overlap, and
        of the frames within the records' spans.
        The first epochs use neither latents nor delays relative to the 1-D times.
        """
        output, magnitude = self.decoder(batch), batch["plain"][:, 0]
        delays = self.decoder.delays(batch)
        times = batch["times"] - self.start_offset_s
        onsets = times + delays if step.progress >= DELAYS_FROM else times
        divergence = output.new_zeros(())
        if step.progress < LATENTS_FROM:
            spectra = self.decoder.spectra(output)
        else:
            mean, log_variance = self._encoded(batch, output, onsets)
            _, event = torch.unique(batch["event"], return_inverse=True)
            # bfloat16 is too coarse for running moments and factors of covariances.
            with torch.autocast(self.device.type, enabled=False):
                own = mean - self.means(batch)
                if self.training:
                    whole = gathered(own, log_variance.exp(), batch["event"])
                    self.effects.follow(whole[0], whole[1], whole[2])
                divergence = self.effects.divergence(own, log_variance, event) / len(mean)
            latents = mean + torch.exp(0.5 * log_variance) * step.normal(mean)
            output = self.decoder.with_latents(output, latents, magnitude)
            spectra = self.decoder.spectra(output)
        level = self.decoder.noise_level + math.log(self.evolution.noise_response)
        likelihood = self._means(spectra, onsets).minus_ln_likelihood(
            batch["powers"], self._inside(batch["span"]), level, self.hop / self.n_fft
        )
        # With standard normal weights, delays are a Gaussian process with the decoder's scales.
        prior = 0.5 * self.decoder.delay.weight.square().sum() + self.means.penalty()
        penalty = prior / self.n_training_records
        if step.progress >= LATENTS_FROM:
            steps = self.decoder.loading_steps(self.effects.spread())
            penalty = penalty + 0.5 * steps / LOADING_STEP**2 / self.n_training_records
        return {
            "loss": likelihood + divergence + penalty,
            "likelihood": likelihood,
            "divergence": divergence,
            "penalty": penalty,
            "delay": delays.square().mean().sqrt(),
        }

    @torch.no_grad()
    def after_training(self, batches: Iterable[Batch]) -> dict[str, Any]:
        """Fit the latents' means and covariances, smooth site terms, fit correlation, calibrate.

        The correlation between receivers is estimated from the latents of the training records.
        """
        parts = []
        for batch in batches:
            onsets = self._onsets(batch)
            mean, log_variance = self._encoded(batch, self.decoder(batch), onsets)
            names = [name for name in batch if name != "powers"]
            parts.append(gathered(mean, log_variance, *(batch[name] for name in names)))
        mean, log_variance, *known = (torch.cat(column) for column in zip(*parts, strict=True))
        records = dict(zip(names, known, strict=True))
        settle(self.means, self.effects, records, mean, log_variance)
        own = self.effects.standardised(mean - self.means(records), log_variance.exp())
        columns = (x.cpu().numpy() for x in (*own, records["event"], records["receiver"]))
        self.decoder.smooth_sites(records["site"].unique(dim=0), SITE_NUGGET)
        found = fit_correlation(*columns)
        self.effects.correlate(found)
        return {
            "spatial_correlation": {
                "length_km": found.length_km,
                "shares": found.share.round(3).tolist(),
                "variances": found.variance.round(3).tolist(),
            },
            "bias_taken_off": self._calibrate(records),
        }

    @torch.no_grad()
    def reconstruct(self, waveforms: NDArray[np.float32], scenario: pd.DataFrame) -> Reconstruction:
        """Encode records and decode the mean of the latents.

        Parameters
        ----------
        waveforms : numpy.ndarray
            Velocity, m/s, shape (record, component, sample).
        scenario : pandas.DataFrame
            Scenario table.

        Returns
        -------
        Reconstruction
            Of whitened velocity; the reconstructed spectrogram is the expected one, which has no
            speckle.
        """
        batch = self.on_device(self.features(waveforms, scenario))
        output = self.decoder(batch)
        onsets = self._onsets(batch)
        mean, _ = self._encoded(batch, output, onsets)
        output = self.decoder.with_latents(output, mean, batch["plain"][:, 0])
        expected = self._means(self.decoder.spectra(output), onsets).expected()
        inside = self._inside(batch["span"])
        recorded, reconstructed = (
            (0.5 * torch.log(powers.clamp_min(torch.finfo(powers.dtype).tiny)))
            .masked_fill(~inside[:, :, None], torch.nan)
            .unflatten(2, (len(self.component_order), -1))
            .permute(0, 2, 3, 1)
            .double()
            .cpu()
            .numpy()
            for powers in (batch["powers"], expected)
        )
        return Reconstruction(
            self.start_offset_s + self._centres().double().cpu().numpy(),
            np.arange(self.evolution.n_bins) * self.sampling_rate / self.n_fft,
            recorded,
            reconstructed,
            "spectrogram of whitened velocity",
        )

    def spectral_sampler(
        self, kinds: Sequence[str], frequencies: Sequence[float], periods: Sequence[float]
    ) -> SpectralSampler:
        """Return a function that draws amplitudes without waveforms; see the base class.

        The latents are those of the waveforms of `sample` with the same seed.

        Examples
        --------
        >>> from cgmgm_seis import EvolutionaryCGM, from_points
        >>> model = EvolutionaryCGM.from_pretrained("bay_area_evolutionary")
        >>> sampler = model.spectral_sampler(("fas", "eas"), (2.0, 5.0), ())
        >>> drawn = sampler(from_points(4, (37.9, -122.1), [(37.8, -122.2)]), 10, 1)
        >>> drawn["fas"].shape, drawn["eas"].shape
        ((1, 10, 3, 2), (1, 10, 2))
        """
        return SpectralDraw(self, kinds, frequencies, periods)

    def _calibrate(self, records: Batch) -> dict[str, Any]:
        """Set the calibration, which removes the mean error of ln FAS from the waves.

        It is a function of magnitude and distance, fitted to records generated for the scenarios
        of training records, where the waves exceed the noise.

        Returns
        -------
        dict
            Frequencies, and the mean error of each component before the calibration.
        """
        step = -(-len(records["event"]) // CALIBRATION_RECORDS)
        batch = {name: values[::step] for name, values in records.items()}
        recorded = batch["ln_fas"].double().cpu().numpy()
        seconds = (batch["span"][:, 1] - batch["span"][:, 0]) / self.sampling_rate
        heard = above_noise(self.evolution, self._median(batch), seconds)
        terms = design(batch["plain"]).double().cpu().numpy()
        self.calibration = torch.zeros_like(self.calibration)
        errors = []
        for part in range(CALIBRATION_ROUNDS):
            error = recorded - self._mean_ln_fas(batch, part)
            errors.append(-(error * heard).sum(axis=0) / np.maximum(heard.sum(axis=0), 1))
            found = torch.as_tensor(fit_gains(error, heard, terms, node_steps())).to(
                self.calibration
            )
            self.calibration = self.calibration + found
        table = dict(zip(self.component_order, errors[0].round(3).tolist(), strict=True))
        return {"at (Hz)": self.evolution.nodes_hz.round(2).tolist(), "ln FAS": table}

    def _mean_ln_fas(self, batch: Batch, part: int) -> NDArray[np.float64]:
        """Return the mean ln FAS of two records drawn for each scenario.

        Their latents are opposite, which removes the scatter that is linear in them.  What remains
        is needed: where waves and noise are equally strong, ln FAS is convex in the latents, and
        greater on average than for mean latents.
        """
        found = []
        for rows in torch.arange(len(batch["plain"])).split(self.sampling_batch_size):
            conditions = {name: values[rows.to(values.device)] for name, values in batch.items()}
            generators = [random_generator("calibration", part, row) for row in rows.tolist()]
            middle = self.effects.mean + self.means(conditions)
            normal = np.stack([g.standard_normal(middle.shape[1]) for g in generators])
            deviation = torch.as_tensor(normal).to(middle) @ self.effects.spread().T
            keys = self.evolution.keys(generators)
            spans = conditions["span"].cpu().numpy()
            both = [
                self._ln_fas(self._draw(conditions, latents, keys).cpu().numpy(), spans)
                for latents in (middle + deviation, middle - deviation)
            ]
            found.append(np.mean(both, axis=0))
        return np.concatenate(found)

    def _encoded(self, batch: Batch, output: Tensor, onsets: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of the latents' posterior, each (record, latent).

        Parameters
        ----------
        batch : mapping
            Features.
        output : torch.Tensor
            Output of the decoder without latents.
        onsets : torch.Tensor
            Onsets of P and S after the record's start, s.
        """
        middle = self.effects.mean.expand(len(output), -1)
        output = self.decoder.with_latents(output, middle, batch["plain"][:, 0])
        means = self._means(self.decoder.spectra(output), onsets)
        delays = self._centres() - onsets.detach()[:, :, None]
        inside = self._inside(batch["span"])
        moments = self.encoder.posterior(batch["powers"], inside, batch["plain"], delays, means)
        # With autocast, networks return bfloat16.
        mean, log_variance = (moment.to(self.effects.mean.dtype) for moment in moments)
        return mean, log_variance
