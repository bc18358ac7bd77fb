"""EvolutionaryCGM: generate the evolving spectrum of a record, then draw the waveform from it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.linalg import solve_toeplitz
from torch import Tensor, nn

from cgmgm_seis.evolution import Evolution
from cgmgm_seis.models.base import Batch, GroundMotionModel
from cgmgm_seis.models.random_effects import RandomEffects
from cgmgm_seis.models.spectral_decoder import Spectra, SpectralDecoder
from cgmgm_seis.parallel import gathered
from cgmgm_seis.regions import middle_longitude
from cgmgm_seis.seeding import event_numbers, generator, record_keys
from cgmgm_seis.spatial import local_km, random_waves, scenario_features, station_spacing_km
from cgmgm_seis.spatial_fields import fit_correlation, gaussian_fields

CITATION = (
    "EvolutionaryCGM of cgmgm-seis; after Ren et al., Learning Physics for Unveiling Hidden "
    "Earthquake Ground Motions via Conditional Generative Modeling, Nature Communications (2026), "
    "arXiv:2407.15089"
)
DEFAULT_BATCH_SIZE = 32
EVENT_COLUMNS = 4  # of a record's key: those of the source
# Order of the autoregressive filter that whitens records.
WHITENING_ORDER = 12
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
        self.register_buffer("whitening", torch.eye(1, WHITENING_ORDER + 1)[0])
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
            "centre": self.centre,
            "n_training_records": self.n_training_records,
        }

    # ---- what the networks hear ------------------------------------------------------------

    def fit_normalisation(self, waveforms: NDArray[np.float32], scenario: pd.DataFrame) -> None:
        """Take ranges, station spacing, whitening filter and levels from the training split."""
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
        step = -(-len(waveforms) // NORMALISATION_RECORDS)
        some = waveforms[::step]
        n_bins = self.evolution.n_bins
        energies = self.powers(some).sum(dim=1).unflatten(1, (-1, n_bins))
        self.whitening = _whitening(energies).to(self.whitening)
        self._fit_noise_shape(some, scenario[::step])
        powers = self.powers(some).unflatten(2, (-1, n_bins)) / self.evolution.noise_response
        seconds = self.hop / self.sampling_rate
        self.decoder.noise_level = powers.flatten(0, 1).median(dim=0).values.log()
        self.decoder.wave_level = (powers.sum(dim=1) * seconds).log().mean(dim=0)

    def _fit_noise_shape(self, waveforms: NDArray[np.float32], scenario: pd.DataFrame) -> None:
        """Take the fine shape of the noise's spectrum from what comes before P."""
        until_p = self.conditions(scenario)["times"][:, 0].numpy() - self.start_offset_s - MARGIN_S
        lengths = (until_p * self.sampling_rate).astype(int) - WHITENING_ORDER
        # As long as half of the records have it, or the longest that resolves all of the shape.
        length = min(int(np.median(lengths)), self.evolution.finest)
        if length > self.evolution.n_fft:
            noise = self._whitened(waveforms[lengths >= length])[:, :, :length]
            self.evolution.fit_noise_shape(noise.double().cpu().numpy())

    def features(self, waveforms: NDArray[np.float32], scenario: pd.DataFrame) -> dict[str, Tensor]:
        """Return conditions and whitened spectrograms of records (record, component, sample).

        Returns
        -------
        dict of torch.Tensor
            Those of `conditions`; "powers" (record, frame, component * bin), squared m/s; "event"
            (record,), a number that records of an event share; "receiver" (record, 2), km east
            and north.
        """
        return {
            **self.conditions(scenario),
            "powers": self.powers(waveforms),
            "event": torch.as_tensor(event_numbers(scenario)),
            "receiver": torch.as_tensor(self._receivers(scenario), dtype=torch.float32),
        }

    def conditions(self, scenario: pd.DataFrame) -> dict[str, Tensor]:
        """Return what the networks hear of a scenario.

        Returns
        -------
        dict of torch.Tensor
            "plain" (record, 5): magnitude, depth, distance and its logarithm, scaled to -1..1, and
            ln(S - P); "source", "site" and "path" (record, 2 wave), Fourier features; "times"
            (record, 2), P and S of the 1-D table, s after the origin.
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
        }
        return {key: torch.as_tensor(x, dtype=torch.float32) for key, x in values.items()}

    def powers(self, waveforms: NDArray[np.float32]) -> Tensor:
        """Return the power of whitened records in every frame and bin.

        The spectrum of ground motion spans many orders of magnitude; whitened, what leaks
        through the window from one frequency to another is no matter (Blackman & Tukey 1958).
        """
        frames = self._whitened(waveforms).unfold(-1, self.evolution.n_fft, self.hop)
        spectra = torch.fft.rfft(frames * self.evolution.window)
        return torch.view_as_real(spectra).square().sum(dim=-1).transpose(1, 2).flatten(2)

    def _whitened(self, waveforms: NDArray[np.float32]) -> Tensor:
        """Return whitened records without the first samples, for which the filter lacks a past.

        A record cut out of the ground's motion starts with a step, which would be taken for noise.
        """
        records = torch.as_tensor(np.ascontiguousarray(waveforms, dtype=np.float32))
        kernel = self.whitening.flip(0)[None, None].to(records.device)
        whitened = nn.functional.conv1d(records.flatten(0, 1)[:, None], kernel)
        return whitened.unflatten(0, records.shape[:2])[:, :, 0]

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
            middle = self.effects.mean.expand(len(output), -1)
            median = self.decoder.with_latents(output, middle, magnitude)
            mean, log_variance = self._encoded(batch, self.decoder.spectra(median), onsets)
            _, event = torch.unique(batch["event"], return_inverse=True)
            if self.training:
                self.effects.follow(mean, log_variance.exp(), batch["event"])
            divergence = self.effects.divergence(mean, log_variance, event) / len(mean)
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
        penalty = 0.5 * self.decoder.delay.weight.square().sum() / self.n_training_records
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
        """Smooth the site terms between stations; estimate how record terms correlate.

        The correlation between receivers is that of the latents of the training records.
        """
        parts, sites = [], self.waves.new_empty(0, self.decoder.site.in_features)
        for batch in batches:
            output = self.decoder(batch)
            middle = self.effects.mean.expand(len(output), -1)
            median = self.decoder.with_latents(output, middle, batch["plain"][:, 0])
            onsets = batch["times"] - self.start_offset_s + self.decoder.delays(batch)
            mean, log_variance = self._encoded(batch, self.decoder.spectra(median), onsets)
            latents = self.effects.standardised(mean, log_variance.exp())
            parts.append(gathered(*latents, batch["event"], batch["receiver"]))
            sites = torch.cat([sites, *gathered(batch["site"])]).unique(dim=0)
        columns = [torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True)]
        self.decoder.smooth_sites(sites, SITE_NUGGET)
        found = fit_correlation(*columns)
        effects = self.effects
        effects.length_km = torch.tensor(found.length_km).to(effects.length_km)
        effects.correlated = torch.as_tensor(found.share).to(effects.correlated)
        shares = found.share.round(3).tolist()
        return {"spatial_correlation": {"length_km": found.length_km, "shares": shares}}

    def _encoded(self, batch: Batch, median: Spectra, onsets: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of the latents' posterior, each (record, latent)."""
        mean, log_variance = self.encoder(self._heard(batch, median, onsets)).chunk(2, dim=1)
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
        n_fft, first = self.evolution.n_fft, WHITENING_ORDER
        starts = torch.arange(first, self.n_samples - n_fft + 1, self.hop, device=self.device)
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
            events = [(seed, "event", *keys[row][:EVENT_COLUMNS], k) for row, k in pairs]
            field = None if fields is None else fields[tuple(np.transpose(pairs))].to(self.device)
            return self._draw(batch, events, [(seed, *keys[row], k) for row, k in pairs], field)

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
        middle, magnitude = self.effects.mean.expand(len(scenario), -1), conditions["plain"][:, 0]
        output = self.decoder.with_latents(self.decoder(conditions), middle, magnitude)
        noise, waves = self.decoder.spectra(output)
        n_fft = self.evolution.n_fft
        colour = self._colour(n_fft).abs().square()
        return Spectra(self.evolution.noise_density(noise, n_fft) * colour, waves * colour)

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
        self,
        conditions: Batch,
        events: list[tuple[Any, ...]],
        records: list[tuple[Any, ...]],
        field: Tensor | None,
    ) -> NDArray[np.float32]:
        """Draw one batch for the keys of its events and records: (record, component, sample)."""
        generators = [generator(*key) for key in records]
        event, record = (
            torch.as_tensor(_normal(several, self.n_latents)).to(self.device)
            for several in ([generator(*key) for key in events], generators)
        )
        latents, magnitude = self.effects.draw(event, record, field), conditions["plain"][:, 0]
        output = self.decoder.with_latents(self.decoder(conditions), latents, magnitude)
        spectra = self.decoder.spectra(output)
        onsets = conditions["times"] + self.decoder.delays(conditions) - self.start_offset_s
        evolution, n_components = self.evolution, len(self.component_order)
        drawn = evolution.draw(
            spectra.noise,
            spectra.waves,
            onsets,
            evolution.numbers(generators, n_components),
            self._colour(evolution.n_draw),
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


def _normal(generators: Sequence[np.random.Generator], n: int) -> NDArray[np.float32]:
    return np.stack([random.standard_normal(n, dtype=np.float32) for random in generators])


def _bands(n_bins: int) -> Tensor:
    """Return the matrix (bin, band) of means over logarithmic bands."""
    edges = np.unique(np.geomspace(1, n_bins + 1, N_BANDS + 1).round()) - 1
    bins = np.arange(n_bins)[:, None]
    inside = (bins >= edges[:-1]) & (bins < edges[1:])
    return torch.as_tensor(inside / inside.sum(axis=0), dtype=torch.float32)


def _whitening(energies: Tensor) -> Tensor:
    """Return the prediction-error filter of the geometric mean of spectra (record, component, bin).

    The Yule-Walker equations for the autocorrelation of a spectrum; minimum phase, so that onsets
    stay where they are.
    """
    # A bin without any power, such as 0 Hz of demeaned records, has no logarithm.
    logarithm = energies.double().clamp_min(1e-30).log().mean(dim=(0, 1)).numpy()
    correlation = np.fft.irfft(np.exp(logarithm - logarithm.max()))[: WHITENING_ORDER + 1]
    prediction = solve_toeplitz(correlation[:-1], correlation[1:])
    return torch.as_tensor(np.concatenate([[1.0], -prediction]))
