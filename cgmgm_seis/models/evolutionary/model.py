"""EvolutionaryCGM: generate the evolving spectrum of a record, then draw the waveform from it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.linalg import solve_toeplitz
from scipy.signal.windows import tukey
from torch import Tensor, nn

from cgmgm_seis.measures.intensity import smoothed_fas
from cgmgm_seis.models.base import Batch, GroundMotionModel
from cgmgm_seis.models.collectives import gathered
from cgmgm_seis.models.evolutionary.calibration import fit_gains
from cgmgm_seis.models.evolutionary.correlation import fit_correlation, gaussian_fields
from cgmgm_seis.models.evolutionary.decoder import Spectra, SpectralDecoder
from cgmgm_seis.models.evolutionary.evolution import Evolution
from cgmgm_seis.models.evolutionary.latent_means import LatentMeans
from cgmgm_seis.models.evolutionary.places import (
    random_waves,
    scenario_features,
    station_spacing_km,
)
from cgmgm_seis.models.evolutionary.random_effects import RandomEffects
from cgmgm_seis.scenario.geography import local_km, middle_longitude
from cgmgm_seis.scenario.seeding import event_numbers, generator, record_keys

CITATION = (
    "EvolutionaryCGM of cgmgm-seis; after Ren et al., Learning Physics for Unveiling Hidden "
    "Earthquake Ground Motions via Conditional Generative Modeling, Nature Communications (2026), "
    "arXiv:2407.15089"
)
DEFAULT_BATCH_SIZE = 32
EVENT_COLUMNS = 4  # of a record's key: those of the source
# Length of the autoregressive filter that whitens records, s: it resolves the microseism.
WHITENING_S = 1.0
# Frequencies of the mean spectrum that it is fitted to: number, and lowest in Hz.
N_SMOOTHED, LOWEST_HZ = 100, 0.1
# Below this frequency the waves' fine shape is taken from the data, Hz, and what it counts, in
# records, that displacement spectra are flat there.
FINE_BELOW_HZ, FLAT_RECORDS = 3.0, 20.0
# A wave's amplitude over that of the noise above which it is heard.
HEARD = 3.0
# Steps that settle the means of the latents, and rounds of these and of the covariances.
SETTLING_STEPS, SETTLING_ROUNDS, LINE_SEARCH = 40, 3, "strong_wolfe"
# The calibration: its rounds, terms, and records at most.
CALIBRATION_ROUNDS, CALIBRATION_TERMS, CALIBRATION_RECORDS = 2, 4, 4000
# Records from which levels and the whitening filter are taken.
NORMALISATION_RECORDS = 1000
N_PLAIN = 5
# Periods whose mean power the encoder hears: after P or S, from and to, s.
PERIODS = (
    ("P", -1000.0, -0.8),
    ("P", -0.4, 0.8),
    ("P", 0.8, 1000.0),
    ("S", -0.4, 0.8),
    ("S", 0.8, 4.0),
    ("S", 4.0, 12.0),
    ("S", 12.0, 1000.0),
)
# Those of P end so long before S, half a window, s.
BEFORE_S = 0.8
N_BANDS = 12
# Noise is taken until so long before P of the 1-D table, s.
MARGIN_S = 1.0
# Below this ratio to what is expected, the encoder hears silence.
LEAST_RATIO = 1e-3
ENCODER_WIDTH = 192
LOG_VARIANCES = (-10.0, 3.0)
# Shares of the training before the latents, and then the delays, are learned.
LATENTS_FROM, DELAYS_FROM = 0.05, 0.1
# What latents do to the ln energy of a wave is, a priori, a random walk over frequency with steps
# of this size: where noise hides the wave, it goes on as beside it.
LOADING_STEP = 0.02
# What a station has for itself, as a share of the standard deviation of the smooth site terms.
SITE_NUGGET = 0.15


class Scatter(NamedTuple):
    """Standard deviations of ln FAS, each (component, frequency).

    Parameters
    ----------
    tau : numpy.ndarray
        Between events.
    phi : numpy.ndarray
        Within an event.
    """

    tau: NDArray[np.float64]
    phi: NDArray[np.float64]


class EvolutionaryCGM(GroundMotionModel):
    """Conditional generative model of evolving spectra.

    A record is Gaussian noise with an evolving spectrum (Priestley 1965): stationary ground noise,
    P and S, each a sum of short pulses and coda that start at its onset.  Networks give the
    spectra and the onsets for a scenario and latents, which have an event's and a record's share.
    Training maximises the Gaussian likelihood of the records' spectrograms (Itakura-Saito:
    Fevotte, Bertin & Durrieu 2009), as a variational autoencoder (Kingma & Welling 2014).

    Parameters
    ----------
    component_order : str
        Components and their order.
    n_latents : int
        Number of latents.
    width : int
        Width of the hidden layers.
    n_waves : int
        Wave vectors of the Fourier features of places.
    feature_length : float
        Shortest correlation length of these, in units of the training stations' median spacing.
    n_fft : int
        Window of the spectrogram, samples; its hop is a quarter.
    n_stations : int
        Stations with terms of their own, set by training.
    station_length_km : float
        Correlation length of these terms, km.
    centre : sequence of float
        Latitude and longitude of the region's centre, set by training.
    n_training_records : int
        Set by training.
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
        "learning_rate": 3e-3,
        "weight_decay": 0.05,
        "gradient_clip": 1e4,
    }

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
        self.centre = list(centre)
        self.n_training_records = n_training_records
        self.hop = n_fft // 4
        self.evolution = Evolution(self.n_samples, self.sampling_rate, n_fft)
        n_bins, n_components = self.evolution.n_bins, len(component_order)
        self.waves: Tensor
        self.whitening: Tensor
        self.bands: Tensor
        self.register_buffer("waves", torch.zeros(n_waves, 2))
        self.order = round(WHITENING_S * self.sampling_rate)
        self.register_buffer("whitening", torch.eye(1, self.order + 1)[0])
        self.calibration: Tensor
        n_nodes = len(self.evolution.nodes_hz)
        self.register_buffer("calibration", torch.zeros(CALIBRATION_TERMS, n_components, n_nodes))
        self.register_buffer("bands", _bands(n_bins), persistent=False)
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
        n_heard = len(PERIODS) * n_components * self.bands.shape[1] + N_PLAIN
        self.encoder = nn.Sequential(
            nn.Linear(n_heard, ENCODER_WIDTH), nn.SiLU(), nn.Linear(ENCODER_WIDTH, 2 * n_latents)
        )
        self.effects = RandomEffects(n_latents)

    def get_model_args(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain Python."""
        return super().get_model_args() | {
            "n_latents": self.n_latents,
            "width": self.width,
            "n_waves": self.n_waves,
            "feature_length": self.feature_length,
            "n_fft": self.evolution.n_fft,
            "n_stations": len(self.means.stations.places),
            "station_length_km": self.means.stations.length_km,
            "centre": self.centre,
            "n_training_records": self.n_training_records,
        }

    # ---- what the networks hear ------------------------------------------------------------

    def fit_normalisation(self, waveforms: NDArray[np.float32], scenario: pd.DataFrame) -> None:
        """Take ranges, stations, whitening, fine shapes and levels from the training split."""
        super().fit_normalisation(waveforms, scenario)
        self.n_training_records = len(scenario)
        places = scenario[["station_latitude_deg", "station_longitude_deg"]].drop_duplicates()
        # The mean longitude is that of directions, since a region may cross the date line.
        middle = middle_longitude(places["station_longitude_deg"])
        self.centre = [
            round(degrees, 3) for degrees in (places["station_latitude_deg"].mean(), middle)
        ]
        length = self.feature_length * station_spacing_km(scenario, self.centre)
        self.waves = torch.as_tensor(random_waves(self.n_waves, length)).to(self.waves)
        self.means.stations.set_places(torch.as_tensor(self._receivers(places)))
        step = -(-len(waveforms) // NORMALISATION_RECORDS)
        some = waveforms[::step]
        self.whitening = _whitening(some, self.order, self.sampling_rate).to(self.whitening)
        until_p = self.conditions(scenario[::step])["times"][:, 0].numpy() - self.start_offset_s
        lengths = ((until_p - MARGIN_S) * self.sampling_rate).astype(int) - self.order
        self._fit_shapes(self._whitened(some), lengths)
        n_bins = self.evolution.n_bins
        powers = self.powers(some).unflatten(2, (-1, n_bins)) / self.evolution.noise_response
        seconds = self.hop / self.sampling_rate
        self.decoder.noise_level = powers.flatten(0, 1).median(dim=0).values.log()
        level = (powers.sum(dim=1) * seconds).log().mean(dim=0)
        flat = torch.ones(self.evolution.n_envelopes, len(self.component_order), n_bins)
        leaked = self.evolution.leaked(flat.to(level)).mean(dim=0)
        self.decoder.wave_level = level - leaked.log()

    def _fit_shapes(self, whitened: Tensor, lengths: NDArray[np.int_]) -> None:
        """Take the fine shapes of the spectra: the noise's before P, and the waves'.

        The first samples (record,) of the whitened records (record, component, sample) are noise.
        """
        # As long as half of the records have it, or the longest that resolves all of the shape.
        length = min(int(np.median(lengths)), self.evolution.finest)
        if length > self.evolution.n_fft:
            noise = whitened[lengths >= length][:, :, :length]
            self.evolution.fit_noise_shape(noise.double().cpu().numpy())
        quiet = lengths > self.evolution.n_fft
        steps = self._slopes(whitened[quiet].cpu().numpy(), lengths[quiet])
        steps[self.evolution.nodes_hz[1:] > FINE_BELOW_HZ] = 0.0
        shape = np.append(-np.cumsum(steps[::-1])[::-1], 0.0)
        self.evolution.set_wave_shape(torch.as_tensor(shape))

    def _slopes(
        self, whitened: NDArray[np.float32], lengths: NDArray[np.int_]
    ) -> NDArray[np.float64]:
        """Return the mean steps (node - 1,) of the waves' ln amplitude from node to node.

        Of records (record, component, sample), where both nodes are heard above the noise in
        their first samples (record,).  With few records they are nearly those of the whitened
        velocity of a flat displacement spectrum (Brune 1970).
        """
        samples, nodes = np.arange(whitened.shape[-1]), self.evolution.nodes_hz
        shares = np.minimum(samples / lengths[:, None], 1.0)
        windows = np.sin(np.pi * shares) ** 2
        windows *= np.sqrt(len(samples) / (windows**2).sum(axis=1, keepdims=True))
        noise, record = (
            smoothed_fas(x, self.sampling_rate, nodes)
            for x in (whitened * windows[:, None].astype(np.float32), whitened)
        )
        heard = record > HEARD * noise
        logarithm = 0.5 * np.log(np.where(heard, record**2 - noise**2, 1.0))
        both = heard[..., 1:] & heard[..., :-1]
        total = np.where(both, np.diff(logarithm), 0.0).sum(axis=(0, 1))
        angles = -2j * np.pi * np.outer(nodes, np.arange(self.order + 1)) / self.sampling_rate
        flat = np.log(nodes * np.abs(np.exp(angles) @ self.whitening.double().cpu().numpy()))
        return (total + FLAT_RECORDS * np.diff(flat)) / (both.sum(axis=(0, 1)) + FLAT_RECORDS)

    def features(self, waveforms: NDArray[np.float32], scenario: pd.DataFrame) -> dict[str, Tensor]:
        """Return conditions and whitened spectrograms of records (record, component, sample).

        Returns
        -------
        dict of torch.Tensor
            Those of `conditions`; "powers" (record, frame, component * bin), squared m/s; "event"
            (record,), a number that records of an event share; "ln_fas" (record, component, node),
            of the records themselves.
        """
        return {
            **self.conditions(scenario),
            "powers": self.powers(waveforms),
            "event": torch.as_tensor(event_numbers(scenario)),
            "ln_fas": torch.as_tensor(self._ln_fas(waveforms), dtype=torch.float32),
        }

    def conditions(self, scenario: pd.DataFrame) -> dict[str, Tensor]:
        """Return what the networks hear of a scenario.

        Returns
        -------
        dict of torch.Tensor
            "plain" (record, 5): magnitude, depth, distance and its logarithm, scaled to -1..1, and
            ln(S - P); "source", "site" and "path" (record, 2 wave), Fourier features; "times"
            (record, 2), P and S of the 1-D table, s after the origin; "receiver" (record, 2), km
            east and north of the centre.
        """
        p, s = self.travel_times.at(scenario["source_depth_km"], scenario["path_ep_distance_km"])
        low, high = self.ranges["path_hyp_distance_km"]
        distance = scenario["path_hyp_distance_km"].to_numpy(float)
        logarithms = np.log(np.maximum([low, high], 1.0))
        plain = [
            _scaled(scenario["source_magnitude"], self.ranges["source_magnitude"]),
            _scaled(scenario["source_depth_km"], self.ranges["source_depth_km"]),
            _scaled(distance, (low, high)),
            _scaled(np.log(np.maximum(distance, 1.0)), logarithms),
            np.log(np.maximum(s - p, 0.3)) - 1.5,
        ]
        waves = self.waves.double().cpu().numpy()
        site, source, path = scenario_features(scenario, waves, self.centre)
        values = {
            "plain": np.stack(plain, axis=1),
            "source": source,
            "site": site,
            "path": path,
            "times": np.stack([p, s], axis=1),
            "receiver": self._receivers(scenario),
        }
        return {key: torch.as_tensor(x, dtype=torch.float32) for key, x in values.items()}

    def powers(self, waveforms: NDArray[np.float32]) -> Tensor:
        """Return the power of whitened records in every frame and bin.

        The spectrum of ground motion spans many orders of magnitude; whitened, what leaks
        through the window from one frequency to another is no matter (Blackman & Tukey 1958).
        """
        whitened = self._whitened(waveforms).to(self.evolution.window)
        frames = whitened.unfold(-1, self.evolution.n_fft, self.hop)
        spectra = torch.fft.rfft(frames * self.evolution.window)
        return torch.view_as_real(spectra).square().sum(dim=-1).transpose(1, 2).flatten(2)

    def _whitened(self, waveforms: NDArray[np.float32]) -> Tensor:
        """Return whitened records without the first samples, for which the filter lacks a past.

        A record cut out of the ground's motion starts with a step, which would be taken for noise.
        """
        records = torch.as_tensor(np.asarray(waveforms, dtype=np.float64))
        n_samples = records.shape[-1]
        n = n_samples + self.order
        spectra = torch.fft.rfft(records, n) * torch.fft.rfft(self.whitening.double().cpu(), n)
        return torch.fft.irfft(spectra, n)[..., self.order : n_samples].float()

    def _ln_fas(self, waveforms: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return ln of the smoothed FAS (record, component, node), m/s x s."""
        spectra = smoothed_fas(waveforms, self.sampling_rate, self.evolution.nodes_hz)
        return np.log(np.maximum(spectra, np.finfo(np.float32).tiny))

    # ---- training --------------------------------------------------------------------------

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return minus the evidence lower bound and its parts, nats a record.

        The likelihood of a spectrogram is that of independent complex Gaussian coefficients,

            sum ln s2 + abs(X)^2 / s2,

        times hop / window, for frames overlap; half of it at 0 Hz and Nyquist, which are real.
        The first share of a training does without latents, and without delays to the 1-D times.
        """
        output, magnitude = self.decoder(batch), batch["plain"][:, 0]
        delays = self.decoder.delays(batch)
        times = batch["times"] - self.start_offset_s
        onsets = times + delays if self.training_progress >= DELAYS_FROM else times
        divergence = output.new_zeros(())
        if self.training_progress < LATENTS_FROM:
            spectra = self.decoder.spectra(output)
        else:
            mean, log_variance = self._encoded(batch, output, onsets)
            _, event = torch.unique(batch["event"], return_inverse=True)
            own = mean - self.means(batch)
            if self.training:
                whole = gathered(own, log_variance.exp(), batch["event"])
                self.effects.follow(whole[0], whole[1], whole[2])
            divergence = self.effects.divergence(own, log_variance, event) / len(mean)
            noise = self._normal(mean, generator)
            latents = mean + torch.exp(0.5 * log_variance) * noise
            output = self.decoder.with_latents(output, latents, magnitude)
            spectra = self.decoder.spectra(output)
        expected = torch.baddbmm(*self._means(spectra, onsets))
        terms = torch.log(expected) + batch["powers"] / expected
        n_components = len(self.component_order)
        weights = terms.new_ones(n_components, self.evolution.n_bins)
        weights[:, 0] = weights[:, -1] = 0.5
        weights *= self.hop / self.evolution.n_fft
        # A constant that keeps the sum small enough for single precision.
        weights = weights.flatten()
        level = self.decoder.noise_level.flatten() + math.log(self.evolution.noise_response)
        level = (level @ weights) * terms.shape[1]
        likelihood = (terms.sum(dim=1) @ weights).mean() - level
        # Standard normal weights are a Gaussian process, with the scales of the decoder.
        prior = 0.5 * self.decoder.delay.weight.square().sum() + self.means.penalty()
        penalty = prior / self.n_training_records
        if self.training_progress >= LATENTS_FROM:
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
        """Settle the means of the latents, smooth the sites, correlate neighbours, calibrate.

        The correlation between receivers is that of the latents of the training records.
        """
        parts = []
        for batch in batches:
            onsets = batch["times"] - self.start_offset_s + self.decoder.delays(batch)
            mean, log_variance = self._encoded(batch, self.decoder(batch), onsets)
            names = [name for name in batch if name != "powers"]
            parts.append(gathered(mean, log_variance, *(batch[name] for name in names)))
        mean, log_variance, *known = (torch.cat(column) for column in zip(*parts, strict=True))
        records = dict(zip(names, known, strict=True))
        self._settle(records, mean, log_variance)
        own = self.effects.standardised(mean - self.means(records), log_variance.exp())
        columns = (x.cpu().numpy() for x in (*own, records["event"], records["receiver"]))
        self.decoder.smooth_sites(records["site"].unique(dim=0), SITE_NUGGET)
        found = fit_correlation(*columns)
        effects = self.effects
        effects.length_km = torch.tensor(found.length_km).to(effects.length_km)
        effects.correlated = torch.as_tensor(found.share).to(effects.correlated)
        shares = found.share.round(3).tolist()
        return {
            "spatial_correlation": {"length_km": found.length_km, "shares": shares},
            "bias_taken_off": self._calibrate(records),
        }

    def _settle(self, records: Batch, mean: Tensor, log_variance: Tensor) -> None:
        """Take the latents' means and covariances to where the divergence has its minimum.

        The posteriors (record, latent) stay: it is one more M step, of all records at once.
        """
        _, event = torch.unique(records["event"], return_inverse=True)
        trained = [x for x in self.means.parameters() if x.requires_grad]
        if not trained:
            return
        optimizer = torch.optim.LBFGS(trained, max_iter=SETTLING_STEPS, line_search_fn=LINE_SEARCH)

        def loss() -> float:
            optimizer.zero_grad()
            own = mean - self.means(records)
            value = self.effects.divergence(own, log_variance, event) + self.means.penalty()
            value = value / len(mean)
            value.backward()
            return float(value.detach())

        for _ in range(SETTLING_ROUNDS):
            with torch.enable_grad():
                optimizer.step(loss)
            own = mean - self.means(records)
            self.effects.follow(own, log_variance.exp(), records["event"], momentum=1.0)

    def _calibrate(self, records: Batch) -> dict[str, Any]:
        """Set the calibration, which takes the mean error of ln FAS off the waves.

        A function of magnitude and distance, from records that are drawn in the place of training
        records where the scenario's waves stand above its noise.  Their latents are at the mean:
        ln FAS is linear in these, so they would add nothing but chance.

        Returns
        -------
        dict
            Frequencies, and the mean error of each component there before.
        """
        step = -(-len(records["event"]) // CALIBRATION_RECORDS)
        batch = {name: values[::step] for name, values in records.items()}
        recorded, heard = batch["ln_fas"].double().cpu().numpy(), self._heard_nodes(batch)
        design = _calibrating(batch["plain"]).double().cpu().numpy()
        self.calibration = torch.zeros_like(self.calibration)
        errors = []
        for part in range(CALIBRATION_ROUNDS):
            error = recorded - self._median_ln_fas(batch, part)
            errors.append(-(error * heard).sum(axis=0) / np.maximum(heard.sum(axis=0), 1))
            found = torch.as_tensor(fit_gains(error, heard, design)).to(self.calibration)
            self.calibration = self.calibration + found
        table = dict(zip(self.component_order, errors[0].round(3).tolist(), strict=True))
        return {"at (Hz)": self.evolution.nodes_hz.round(2).tolist(), "ln FAS": table}

    def _heard_nodes(self, batch: Batch) -> NDArray[np.bool_]:
        """Return where the waves stand above the noise, with the latents at their mean."""
        noise, waves = self._median(batch)
        evolution = self.evolution
        bins = np.arange(evolution.n_bins) * self.sampling_rate / evolution.n_fft
        nodes = torch.as_tensor(np.searchsorted(bins, evolution.nodes_hz), device=noise.device)
        # Linear between the bins, times the fine shape; and the noise's energy in the window.
        share = torch.as_tensor(evolution.nodes_hz).to(noise) / bins[1] - (nodes - 1)
        energy = waves.sum(dim=(1, 2))
        energy = torch.lerp(energy[..., nodes - 1], energy[..., nodes], share)
        energy = energy * torch.exp(2.0 * evolution.wave_shape)
        lines = evolution.noise_density(noise, evolution.finest)
        places = np.rint(evolution.nodes_hz * evolution.finest / self.sampling_rate).astype(int)
        seconds = self.n_samples / self.sampling_rate
        return (energy > HEARD**2 * seconds * lines[..., places]).cpu().numpy()

    def _median_ln_fas(self, batch: Batch, part: int) -> NDArray[np.float64]:
        """Return ln FAS of records drawn once for conditions, with the latents at their mean."""
        found = []
        for rows in torch.arange(len(batch["plain"])).split(DEFAULT_BATCH_SIZE):
            conditions = {name: values[rows.to(values.device)] for name, values in batch.items()}
            generators = [generator("calibration", part, row) for row in rows.tolist()]
            latents = self.effects.mean + self.means(conditions)
            found.append(self._ln_fas(self._draw(conditions, latents, generators)))
        return np.concatenate(found)

    def _encoded(self, batch: Batch, output: Tensor, onsets: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of the latents' posterior, each (record, latent).

        Parameters
        ----------
        batch : mapping
            Features.
        output : torch.Tensor
            Of the decoder, without latents.
        onsets : torch.Tensor
            P and S after the record's start, s.
        """
        middle = self.effects.mean.expand(len(output), -1)
        output = self.decoder.with_latents(output, middle, batch["plain"][:, 0])
        heard = self._heard(batch, self.decoder.spectra(output), onsets)
        mean, log_variance = self.encoder(heard).chunk(2, dim=1)
        return mean, log_variance.clamp(*LOG_VARIANCES)

    def _means(self, spectra: Spectra, onsets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the mean spectrogram as noise + weights @ leaked.

        Returns
        -------
        tuple of torch.Tensor
            Noise (record, 1, component * bin), weights (record, frame, wave * envelope) and leaked
            spectra (record, wave * envelope, component * bin).
        """
        weights = self.evolution.response(self._centres()[:, None] - onsets[:, None])
        leaked = self.evolution.leaked(spectra.waves)
        noise = self.evolution.noise_response * self.evolution.leaked_noise(spectra.noise)
        return noise.flatten(1)[:, None], weights.flatten(2), leaked.flatten(3).flatten(1, 2)

    def _centres(self) -> Tensor:
        """Return the centres of the frames, s after the record's start."""
        n_fft = self.evolution.n_fft
        starts = torch.arange(self.order, self.n_samples - n_fft + 1, self.hop, device=self.device)
        return (starts + n_fft // 2) / self.sampling_rate

    def _heard(self, batch: Batch, spectra: Spectra, onsets: Tensor) -> Tensor:
        """Return the encoder's input: ln of recorded over expected power, by period and band.

        Relative to what the scenario lets expect, so the latents cannot take over what the
        conditions tell.  The gradient goes through the expectation: what the latents need not
        correct costs no divergence.
        """
        delays = self._centres() - onsets.detach()[:, :, None]
        p, s = delays.unbind(dim=1)
        inside = [
            (p >= low) & (p < high) & (s < -BEFORE_S) if wave == "P" else (s >= low) & (s < high)
            for wave, low, high in PERIODS
        ]
        mask = torch.stack(inside, dim=1).to(onsets.dtype)
        frames = mask.sum(dim=2, keepdim=True)
        mask = mask / frames.clamp_min(1.0)
        noise, weights, leaked = self._means(spectra, onsets)
        expected = torch.baddbmm(noise, mask @ weights, leaked)
        ratio = (mask @ batch["powers"] / expected).unflatten(2, (len(self.component_order), -1))
        logarithms = torch.log(ratio @ self.bands + LEAST_RATIO) * (frames > 0.0)[..., None]
        return torch.cat([logarithms.flatten(1), batch["plain"]], dim=1)

    # ---- generation ------------------------------------------------------------------------

    @torch.no_grad()
    def sample(
        self,
        scenario: pd.DataFrame,
        n_realizations: int = 1,
        seed: int = 0,
        batch_size: int | None = None,
        extrapolate: bool = False,
        progress: bool = False,
    ) -> NDArray[np.float32]:
        """Draw records; see `GroundMotionModel.sample`.

        Records of one source share its event term, in every realization another one, and what
        correlates of their record terms is one field over the receivers.
        """
        scenario = self._checked(scenario, n_realizations, extrapolate)
        keys = record_keys(scenario)
        conditions = self.conditions(scenario)
        fields = self._fields(scenario, keys, n_realizations, seed)

        def draw(pairs: list[tuple[int, int]]) -> NDArray[np.float32]:
            rows = [row for row, _ in pairs]
            batch = {key: values[rows].to(self.device) for key, values in conditions.items()}
            field = None if fields is None else fields[tuple(np.transpose(pairs))].to(self.device)
            events = [generator(seed, "event", *keys[row][:EVENT_COLUMNS], k) for row, k in pairs]
            records = [generator(seed, *keys[row], k) for row, k in pairs]
            event, record = (
                torch.as_tensor(_normal(several, self.n_latents)).to(self.device)
                for several in (events, records)
            )
            latents = self.means(batch) + self.effects.draw(event, record, field)
            return self._draw(batch, latents, records)

        step = batch_size or DEFAULT_BATCH_SIZE
        return self._in_batches(len(scenario), n_realizations, step, progress, draw)

    @torch.no_grad()
    def onsets(self, scenario: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the P and S times, s after the origin: those of the 1-D table and the delays.

        They are exact: `sample` draws every realization with these onsets.
        """
        conditions = {key: x.to(self.device) for key, x in self.conditions(scenario).items()}
        times = conditions["times"] + self.decoder.delays(conditions)
        p, s = times.double().cpu().numpy().T
        return p, s

    @torch.no_grad()
    def median_spectra(self, scenario: pd.DataFrame) -> Spectra:
        """Return the spectra of the ground for scenarios, with the latents at their mean.

        Returns
        -------
        Spectra
            Power spectral density of the noise, (m/s)^2/Hz, and energy spectra of P and S by
            envelope, (m/s x s)^2: the square root of their sum is the FAS of the wave.
        """
        conditions = {key: x.to(self.device) for key, x in self.conditions(scenario).items()}
        noise, waves = self._median(conditions)
        n_fft = self.evolution.n_fft
        colour = self._colour(n_fft).abs().square()
        gains = self.evolution.wave_shape + self._gains(conditions)
        amplified = waves * torch.exp(2.0 * gains @ self.evolution.node_bins)[:, None, None]
        return Spectra(self.evolution.noise_density(noise, n_fft) * colour, amplified * colour)

    @torch.no_grad()
    def scatter(self, frequencies: Sequence[float], magnitude: float, wave: str = "S") -> Scatter:
        """Return the standard deviations tau and phi of ln FAS of a wave that the model draws.

        Between events and between the records of an event, from the covariances of the latents
        and what they do to ln FAS.  Without the terms of sources, sites and paths, which are
        known, and without the chance of noise, which smoothing takes off.

        Parameters
        ----------
        frequencies : sequence of float
            Hz, shape (frequency,).
        magnitude : float
            Of the earthquake.
        wave : str
            "P" or "S".

        Returns
        -------
        Scatter
            tau and phi, each (component, frequency).
        """
        scaled = float(_scaled(magnitude, self.ranges["source_magnitude"]))
        loadings = self.decoder.energy_loadings(scaled)["PS".index(wave)]
        at_bins = 0.5 * torch.einsum("cnl,nb->clb", loadings, self.decoder.nodes)
        bins = np.asarray(frequencies, float) * self.evolution.n_fft / self.sampling_rate
        lower = torch.as_tensor(np.clip(bins, 0, self.evolution.n_bins - 1.001))
        index = lower.long().to(at_bins.device)
        share = (lower - lower.floor()).to(at_bins)
        found = torch.lerp(at_bins[..., index], at_bins[..., index + 1], share)
        tau, phi = (
            torch.einsum("clf,lk->ckf", found, root).square().sum(dim=1).sqrt()
            for root in self.effects.roots()
        )
        return Scatter(tau.double().cpu().numpy(), phi.double().cpu().numpy())

    def _median(self, conditions: Batch) -> Spectra:
        """Return the decoder's spectra with the latents at their mean."""
        latents = self.effects.mean + self.means(conditions)
        output, magnitude = self.decoder(conditions), conditions["plain"][:, 0]
        return self.decoder.spectra(self.decoder.with_latents(output, latents, magnitude))

    def _gains(self, conditions: Batch) -> Tensor:
        """Return the calibration's ln amplitudes of records, (record, component, node)."""
        return torch.einsum("rt,tcn->rcn", _calibrating(conditions["plain"]), self.calibration)

    @property
    def correlation_length_km(self) -> float:
        """Length over which record terms of an event correlate between receivers, km; 0: none."""
        return float(self.effects.length_km)

    def _receivers(self, scenario: pd.DataFrame) -> NDArray[np.float64]:
        """Return the receivers' places (record, 2), km from the region's centre."""
        latitude, longitude = scenario["station_latitude_deg"], scenario["station_longitude_deg"]
        return local_km(latitude, longitude, self.centre)

    def _fields(
        self, scenario: pd.DataFrame, keys: Sequence[tuple[float, ...]], n: int, seed: int
    ) -> Tensor | None:
        """Return the fields of every source and realization: (record, realization, latent)."""
        length_km, receivers = self.correlation_length_km, self._receivers(scenario)
        if length_km == 0.0:
            return None
        fields = np.empty((len(keys), n, self.n_latents), dtype=np.float32)
        sources = np.array([key[:EVENT_COLUMNS] for key in keys])
        for source in np.unique(sources, axis=0):
            rows = np.flatnonzero((sources == source).all(axis=1))
            for k in range(n):
                random = generator(seed, "field", *source.tolist(), k)
                drawn = gaussian_fields(receivers[rows], length_km, self.n_latents, random)
                fields[rows, k] = drawn
        return torch.as_tensor(fields)

    def _draw(
        self, conditions: Batch, latents: Tensor, generators: Sequence[np.random.Generator]
    ) -> NDArray[np.float32]:
        """Draw one batch with the generators of its records: (record, component, sample)."""
        output = self.decoder(conditions)
        output = self.decoder.with_latents(output, latents, conditions["plain"][:, 0])
        spectra = self.decoder.spectra(output)
        onsets = conditions["times"] + self.decoder.delays(conditions) - self.start_offset_s
        evolution, n_components = self.evolution, len(self.component_order)
        drawn = evolution.draw(
            spectra.noise,
            spectra.waves,
            onsets,
            evolution.numbers(generators, n_components),
            self._colour(evolution.n_draw),
            self._gains(conditions),
        )
        return drawn.cpu().numpy()

    def _colour(self, n: int) -> Tensor:
        """Return the frequency response (n/2 + 1,) that undoes the whitening."""
        return 1.0 / torch.fft.rfft(self.whitening, n)


def _scaled(values: Any, limits: Any) -> NDArray[np.float64]:
    """Scale to -1..1."""
    low, high = limits
    # A data set with a single depth or magnitude has no width to divide by.
    return 2.0 * (np.asarray(values, float) - low) / ((high - low) or 1.0) - 1.0


def _calibrating(plain: Tensor) -> Tensor:
    """Return what the calibration is linear in, (record, `CALIBRATION_TERMS`).

    That is 1, magnitude, its square and ln distance.
    """
    magnitude, distance = plain[:, [0, 3]].clamp(-1.0, 1.0).unbind(dim=1)
    return torch.stack([torch.ones_like(magnitude), magnitude, magnitude**2, distance], dim=1)


def _normal(generators: Sequence[np.random.Generator], n: int) -> NDArray[np.float32]:
    return np.stack([random.standard_normal(n, dtype=np.float32) for random in generators])


def _bands(n_bins: int) -> Tensor:
    """Return the matrix (bin, band) of means over logarithmic bands."""
    edges = np.unique(np.geomspace(1, n_bins + 1, N_BANDS + 1).round()) - 1
    bins = np.arange(n_bins)[:, None]
    inside = (bins >= edges[:-1]) & (bins < edges[1:])
    return torch.as_tensor(inside / inside.sum(axis=0), dtype=torch.float32)


def _whitening(waveforms: NDArray[np.float32], order: int, sampling_rate: float) -> Tensor:
    """Return the prediction-error filter of the geometric mean of records' spectra.

    The Yule-Walker equations for the autocorrelation of a spectrum; minimum phase, so that onsets
    stay where they are.
    """
    n = 4 * waveforms.shape[-1]
    smoothed = np.geomspace(LOWEST_HZ, 0.5 * sampling_rate, N_SMOOTHED)
    tapered = waveforms * tukey(waveforms.shape[-1], 0.1).astype(np.float32)
    spectra = smoothed_fas(tapered, sampling_rate, smoothed)
    # A frequency without any power has no logarithm.
    logarithm = 2.0 * np.log(np.maximum(spectra, 1e-15)).mean(axis=(0, 1))
    frequencies = np.maximum(np.fft.rfftfreq(n, 1.0 / sampling_rate), LOWEST_HZ)
    fine = np.interp(np.log(frequencies), np.log(smoothed), logarithm)
    correlation = np.fft.irfft(np.exp(fine - fine.max()))[: order + 1]
    prediction = solve_toeplitz(correlation[:-1], correlation[1:])
    return torch.as_tensor(np.concatenate([[1.0], -prediction]))
