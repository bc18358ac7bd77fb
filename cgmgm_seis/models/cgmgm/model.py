"""CGM-GM, the published conditional generative model of ground motion."""

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cgmgm_seis.errors import CgmgmError, WeightsError
from cgmgm_seis.models.base import Batch, GroundMotionModel
from cgmgm_seis.models.cgmgm.calibration import calibrate
from cgmgm_seis.models.cgmgm.networks import (
    LatentPrior,
    SequenceEncoder,
    decode,
    deviation,
    every_frame,
    heard_past,
    mlp,
)
from cgmgm_seis.models.cgmgm.noise import NOISE_CLIP, frames_before, noise_level, without_bursts
from cgmgm_seis.models.cgmgm.spectrogram import Spectrogram
from cgmgm_seis.models.conditions import condition_columns, rupture_ranges, scaled_conditions
from cgmgm_seis.models.reconstruction import Reconstruction
from cgmgm_seis.models.step import Step
from cgmgm_seis.scenario.seeding import Realization
from cgmgm_seis.scenario.spans import valid_spans

CITATION = (
    "Ren et al., Learning Physics for Unveiling Hidden Earthquake Ground Motions via Conditional "
    "Generative Modeling, Nature Communications (2026), arXiv:2407.15089"
)
# Added to amplitudes (m/s x samples) before their logarithm, as published.
AMPLITUDE_FLOOR = 1e-10
CONDITIONS = ("conditions", "onsets")
# Records whose amplitudes are computed at once.
NORMALISATION_BATCH = 64
# Times in seconds over which the networks notice that P or S have come, and the scale of the time
# since then.
ARRIVAL_SCALES_S, RECORD_SCALE_S = (0.5, 2.0, 8.0), 60.0


class CGMGM(GroundMotionModel):
    """Conditional generative model of ground motion (Ren et al. 2026).

    A sequence of latents, one per frame, is drawn from a recurrent prior whose input includes the
    conditions; a decoder turns every latent into the log amplitudes of one STFT frame; phases are
    retrieved with the Griffin-Lim algorithm.  The model is trained as a variational autoencoder.

    Parameters
    ----------
    condition_set : str
        Name of a condition set, see `cgmgm_seis.models.conditions.CONDITION_SETS`.
    component_order : str
        "E" is the published single component; "ZNE" models three components together.
    n_latents, prior_size, embedding_size : int
        Width of the latents, of the prior's GRU and of the embedded conditions.
    alpha : float
        Weight of the squared error of the waveform rebuilt with the true phase, relative to the
        record's variance and computed with Parseval's theorem.  The published weight is 0.01 to
        0.1, but applies to an error in m/s, which makes it 1e-11 of the loss.
    beta : float
        Weight of the Kullback-Leibler divergence.
    n_fft, hop : int
        Window length and hop of the STFT, samples.
    griffin_lim_iterations : int
        Iterations of phase retrieval, with momentum 0.99.
    log_amplitude_range : sequence of float
        log10 amplitudes that are scaled to 0 and 1; set from the training split.
    ln_gains : sequence of sequence of float, optional
        Added to ln amplitudes of generated records, (component, bin); set after training, so that
        the mean ln energy from P on is that of the training records.
    past_dropout : bool
        In training, hide a random part of the previous latents from the prior.
    arrivals : bool
        Embed, in every frame, also the time since P and S of the travel-time table; not with
        `published`.
    speckle : bool
        Give decoded amplitudes the scatter of white noise's, and begin phase retrieval with its
        phases instead of random ones, which takes fewer iterations; not with `published`.
    published : bool
        The published model, to reproduce it and to compare with it: its embedding (which ends with
        a ReLU), windows, latents, prior, loss, phase retrieval and optimizer.  The differences are
        listed in the documentation, "Theory of CGM-GM".
    **kwargs
        Sampling rate, start offset, length, ranges and travel times: see `GroundMotionModel`.

    Examples
    --------
    >>> model = CGMGM(component_order="E", published=True)
    >>> sum(parameter.numel() for parameter in model.parameters())
    173009
    """

    # Adam with torch's StepLR(100, 0.99), and gradients as they are.
    training_with: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": {"optimizer": "adam", "schedule": "step", "gradient_clip": 0.0}
    }
    uses_spans: ClassVar[bool] = True
    uses_progress: ClassVar[bool] = False
    from_data: ClassVar[tuple[str, ...]] = (
        *GroundMotionModel.from_data,
        "log_amplitude_range",
        "ln_gains",
    )
    # The paper's search space, see also `searched`.  Its alpha weights an error in m/s
    # and has no effect; here, unless `published`, the error is relative.
    search_space: ClassVar[Mapping[str, Any]] = {
        "learning_rate": [6e-4, 7e-4, 8e-4],
        "prior_size": [16, 32],
        "n_latents": [8, 16, 32],
        "beta": [0.01, 0.02, 0.04, 0.05, 0.06, 0.08, 0.1, 0.2],
        "weight_decay": [1e-6, 5e-6, 1e-5],
        "alpha": [0.01, 0.05, 0.1],
        "embedding_size": [16, 32],
        "batch_size": [128, 256],
    }
    not_searched: ClassVar[tuple[str, ...]] = (
        *GroundMotionModel.not_searched,
        *("n_fft", "hop", "published"),
    )
    train_options: ClassVar[Mapping[str, str]] = {
        "condition_set": "condition_set",
        "latent": "n_latents",
        "prior": "prior_size",
        "embedding": "embedding_size",
        "alpha": "alpha",
        "beta": "beta",
        "arrivals": "arrivals",
        "speckle": "speckle",
        "past_dropout": "past_dropout",
        "published": "published",
    }
    adjustable: ClassVar[tuple[str, ...]] = ("alpha", "beta", "past_dropout", "speckle")

    def __init__(
        self,
        condition_set: str = "coordinates",
        component_order: str = "ZNE",
        n_latents: int = 32,
        prior_size: int = 32,
        embedding_size: int = 16,
        alpha: float = 0.0,
        beta: float = 0.02,
        n_fft: int = 160,
        hop: int = 46,
        griffin_lim_iterations: int = 50,
        log_amplitude_range: Sequence[float] = (-10.0, 0.0569),
        ln_gains: Sequence[Sequence[float]] | None = None,
        past_dropout: bool = True,
        arrivals: bool = False,
        speckle: bool = False,
        published: bool = False,
        citation: str | None = CITATION,
        **kwargs: Any,
    ) -> None:
        super().__init__(component_order=component_order, citation=citation, **kwargs)
        if published and (arrivals or speckle):
            raise CgmgmError("published = True must not be combined with arrivals or speckle.")
        self.condition_set = condition_set
        self.n_latents = n_latents
        self.prior_size = prior_size
        self.embedding_size = embedding_size
        self.alpha = alpha
        self.beta = beta
        self.n_fft = n_fft
        self.hop = hop
        self.griffin_lim_iterations = 500 if published else griffin_lim_iterations
        self.log_amplitude_range = list(log_amplitude_range)
        self.ln_gains = None if ln_gains is None else [list(gains) for gains in ln_gains]
        self.past_dropout = past_dropout
        self.arrivals = arrivals
        self.speckle = speckle
        self.published = published
        self.spectrogram = Spectrogram(self.n_samples, n_fft, hop, rectangular=published)

        n_outputs = len(component_order) * self.spectrogram.n_bins
        if self.ln_gains is not None and sum(map(len, self.ln_gains)) != n_outputs:
            raise WeightsError(
                f"ln_gains must be a list for each of the components {component_order}, each of "
                f"{self.spectrogram.n_bins} numbers."
            )
        n_conditions = len(condition_columns(condition_set))
        if arrivals:
            n_conditions += 2 * (len(ARRIVAL_SCALES_S) + 1)
        self.embedding = mlp(n_conditions, 32, 32, embedding_size)
        if published:
            self.embedding.append(nn.ReLU())
        self.encoder = SequenceEncoder(n_outputs, embedding_size, n_latents)
        self.prior = LatentPrior(n_latents, embedding_size, prior_size, published)
        self.decoder = mlp(n_latents + embedding_size, 128, 128, n_outputs)

    # ---- training --------------------------------------------------------------------------

    @classmethod
    def searched(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the settings of a trial: as published, the prior is as wide as the latents."""
        sizes = [settings.get(name, 0) for name in ("prior_size", "n_latents")]
        return {**settings, "prior_size": max(sizes)} if all(sizes) else settings

    def fit_normalisation(self, waveforms: NDArray[np.float32], scenario: pd.DataFrame) -> None:
        """Set the ranges and the range of the log amplitudes from the training split."""
        super().fit_normalisation(waveforms, scenario)
        self.ranges |= rupture_ranges(scenario, self.condition_set)
        low, high = np.inf, -np.inf
        spans = torch.as_tensor(valid_spans(scenario, self.n_samples))
        for start in range(0, len(waveforms), NORMALISATION_BATCH):
            part = slice(start, start + NORMALISATION_BATCH)
            records = torch.as_tensor(waveforms[part])
            frames = self._to_frames(self.spectrogram.transform(records).abs())
            amplitudes = frames[self.spectrogram.inside(spans[part])]
            low = min(low, float(amplitudes.min()))
            high = max(high, float(amplitudes.max()))
        self.log_amplitude_range = np.log10(np.array([low, high]) + AMPLITUDE_FLOOR).tolist()

    def features(self, waveforms: NDArray[np.float32], scenario: pd.DataFrame) -> dict[str, Tensor]:
        """Return scaled conditions and log amplitudes of records (record, component, sample).

        Returns
        -------
        dict of torch.Tensor
            Those of `conditions`; "amplitudes" (record, frame, component * bin), scaled to 0..1;
            "variance" (record,), (m/s)^2, of the valid samples, summed over
            components; "span" (record, 2), see `cgmgm_seis.scenario.spans`; with `published` also
            "waveforms" (record, component, sample), m/s.
        """
        records = torch.as_tensor(np.ascontiguousarray(waveforms, dtype=np.float32))
        spans = valid_spans(scenario, self.n_samples)
        amplitudes = self.spectrogram.transform(records).abs()
        batch = {
            **self.conditions(scenario),
            "amplitudes": self._to_frames(self._scale(amplitudes)),
            "variance": torch.stack(
                [
                    record[:, first:last].var(dim=-1).sum()
                    for record, (first, last) in zip(records, spans, strict=True)
                ]
            ),
            "span": torch.as_tensor(spans),
        }
        if self.published:
            batch["waveforms"] = records
        return batch

    def loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the loss of Ren et al. and its terms, summed over a record, mean over records.

        loss = (scaled log amplitude error)^2 + alpha (waveform error)^2 + beta KL.

        Only frames within a record's span count, and their sum is scaled to the number of all
        frames, so that losses of records with other spans can be compared.
        """
        target = batch["amplitudes"]
        inside = self.spectrogram.inside(batch["span"])
        weights = self._frame_weights(batch)
        condition = self._embedded(batch)
        # Encoder and decoder get nearly all they need from the latents.  If their gradients trained
        # the embedding too, it would not learn what the prior needs, such as arrival times.
        given = condition if self.published else condition.detach()
        mean, log_variance = self.encoder(target, given, inside)
        latents = mean + deviation(log_variance, self.published) * step.normal(mean)
        if self.published:
            start, noise = step.normal(mean[:, 0]), step.normal(mean)
            _, prior_mean, prior_log_variance = self.prior.roll(condition, noise, start)
        else:
            heard = inside.to(latents.dtype)
            if self.past_dropout:
                heard = heard * heard_past(latents, step)
            prior_mean, prior_log_variance = self.prior(latents, condition, heard)
        output = decode(self.decoder, latents, given)

        divergence = 0.5 * (
            prior_log_variance
            - log_variance
            + torch.exp(log_variance - prior_log_variance)
            + (mean - prior_mean) ** 2 * torch.exp(-prior_log_variance)
            - 1.0
        )
        parts = {
            "amplitude": ((output - target) ** 2 * weights).sum(dim=(1, 2)).mean(),
            "divergence": (divergence * weights).sum(dim=(1, 2)).mean(),
            "waveform": self._waveform_error(output, batch).mean(),
        }
        loss = parts["amplitude"] + self.alpha * parts["waveform"] + self.beta * parts["divergence"]
        return {"loss": loss, **parts}

    def score(self, losses: Mapping[str, float]) -> float:
        """Return the negative evidence lower bound, nats per record, independent of alpha and beta.

        The log amplitudes are taken as normal, with the decoder's output as mean and one common
        standard deviation, the root mean squared error, which is optimal (Rybkin, Daniilidis &
        Levine 2021).  The loss cannot serve as score, since it decreases with alpha and beta.
        """
        n_amplitudes = self.spectrogram.n_frames * (
            self.spectrogram.n_bins * len(self.component_order)
        )
        variance = losses["amplitude"] / n_amplitudes
        logarithm = 1.0 + math.log(2.0 * math.pi * variance) if variance > 0.0 else -math.inf
        return 0.5 * n_amplitudes * logarithm + losses["divergence"]

    def _frame_weights(self, batch: Batch) -> Tensor:
        """Return weights (record, frame, 1): 0 outside the span, and `n_frames` in total."""
        inside = self.spectrogram.inside(batch["span"])[:, :, None]
        return inside * (self.spectrogram.n_frames / inside.sum(dim=1, keepdim=True))

    def _waveform_error(self, output: Tensor, batch: Batch) -> Tensor:
        """Return the squared error (record,) of the waveforms rebuilt with the true phase."""
        if self.published:
            spectra = self.spectrogram.transform(batch["waveforms"])
            rebuilt = self.spectrogram.inverse(
                torch.polar(self._unscale(self._from_frames(output)), spectra.angle())
            )
            first, last = batch["span"][:, :, None].unbind(dim=1)
            samples = torch.arange(self.n_samples, device=output.device)
            valid = ((samples >= first) & (samples < last)) * (self.n_samples / (last - first))
            return ((rebuilt - batch["waveforms"]) ** 2 * valid[:, None]).sum(dim=(1, 2))
        if self.alpha == 0.0:
            return output.new_zeros(len(output))
        difference = self._unscale(output) - self._unscale(batch["amplitudes"])
        weights = self.spectrogram.energy_weights().flatten().repeat(len(self.component_order))
        squared = difference.square() * self._frame_weights(batch)
        energy = squared.sum(dim=1) @ weights.to(output.device)
        return energy / (batch["variance"] + AMPLITUDE_FLOOR**2)

    @torch.no_grad()
    def after_training(self, batches: Iterable[Batch]) -> dict[str, Any]:
        """Set `ln_gains`, unless `published`, see `cgmgm_seis.models.cgmgm.calibration`."""

        def set_gains(gains: Tensor) -> None:
            self.ln_gains = gains.tolist()

        if self.published:
            return {}
        recorded = ((self._unscale(self._from_frames(b["amplitudes"])), b) for b in batches)
        return calibrate(self, self.spectrogram, recorded, set_gains)

    # ---- reconstruction --------------------------------------------------------------------

    @torch.no_grad()
    def reconstruct(self, waveforms: NDArray[np.float32], scenario: pd.DataFrame) -> Reconstruction:
        """Encode records and decode the mean of the latents.

        Parameters
        ----------
        waveforms : numpy.ndarray
            Velocity, m/s, shape (record, component, sample).
        scenario : pandas.DataFrame
            Scenario table.
        """
        batch = self.on_device(self.features(waveforms, scenario))
        condition = self._embedded(batch)
        inside = self.spectrogram.inside(batch["span"])
        mean, _ = self.encoder(batch["amplitudes"], condition, inside)
        frames = (batch["amplitudes"], decode(self.decoder, mean, condition))
        recorded, reconstructed = (
            torch.log(self._unscale(self._from_frames(scaled)) + AMPLITUDE_FLOOR)
            .masked_fill(~inside[:, None, None], torch.nan)
            .double()
            .cpu()
            .numpy()
            for scaled in frames
        )
        spectrogram = self.spectrogram
        return Reconstruction(
            self.start_offset_s
            + np.arange(spectrogram.n_frames) * spectrogram.hop / self.sampling_rate,
            np.arange(spectrogram.n_bins) * self.sampling_rate / spectrogram.n_fft,
            recorded,
            reconstructed,
            "spectrogram of velocity (m/s)",
        )

    # ---- generation ------------------------------------------------------------------------

    def conditions(self, scenario: pd.DataFrame) -> dict[str, Tensor]:
        """Return the scaled conditions and the first arrivals of a scenario.

        Returns
        -------
        dict of torch.Tensor
            "conditions" (record, condition); "onsets" (record, 2) of P and S, samples after the
            record's start.
        """
        onsets = np.stack(self.onsets(scenario), axis=1, dtype=np.float32)
        return {
            "conditions": torch.as_tensor(
                scaled_conditions(scenario, self.condition_set, self.ranges)
            ),
            "onsets": torch.as_tensor((onsets - self.start_offset_s) * self.sampling_rate),
        }

    def numbers(self, realizations: Sequence[Realization]) -> dict[str, Tensor]:
        """Return the random numbers of latents and phases.

        Returns
        -------
        dict of torch.Tensor
            "noise" (realization, frame, latent), standard normal; "turns" (realization, component,
            bin, frame), uniform between 0 and 1, or with `speckle` "speckle" (realization,
            component, sample), standard normal; "start" (realization, latent), the latent before
            the first frame: zeros, or standard normal with `published`.
        """
        generators = [realization.record() for realization in realizations]
        n_frames, n_components = self.spectrogram.n_frames, len(self.component_order)
        shape = (n_frames, self.n_latents)
        found = {"noise": [g.standard_normal(shape, dtype=np.float32) for g in generators]}
        if self.speckle:
            shape = (n_components, self.n_samples)
            found["speckle"] = [g.standard_normal(shape, dtype=np.float32) for g in generators]
        else:
            phases = (n_components, self.spectrogram.n_bins, n_frames)
            found["turns"] = [g.random(phases, dtype=np.float32) for g in generators]
        found["start"] = [np.zeros(self.n_latents, dtype=np.float32) for _ in generators]
        if self.published:
            found["start"] = [g.standard_normal(self.n_latents, np.float32) for g in generators]
        return {name: torch.as_tensor(np.stack(values)) for name, values in found.items()}

    def sampler(self) -> Self:
        """Return a copy whose networks are in double precision.

        The rounding of matrix products depends on the number of rows, and phase retrieval
        amplifies 1e-7 to 1e-3; in double precision the batch size has no effect.
        """
        # Apple's accelerator has no double precision.
        if self.device.type == "mps":
            return self
        found = copy.deepcopy(self)
        for network in (found.embedding, found.prior, found.decoder):
            network.double()
        return found

    def forward(self, batch: Batch) -> Tensor:
        """Draw latents, amplitudes and phases of a batch; see `GroundMotionModel.forward`."""
        # The networks may be in double precision; phases are always retrieved in single precision.
        precision = next(self.embedding.parameters()).dtype
        onsets = batch["onsets"][:, 0].float()
        condition = self._embedded({name: batch[name].to(precision) for name in CONDITIONS})
        noise, start = batch["noise"].to(precision), batch["start"].to(precision)
        latents, _, _ = self.prior.roll(condition, noise, start)
        scaled = decode(self.decoder, latents, condition).float()
        amplitudes = self._unscale(self._from_frames(scaled))
        before = frames_before(self.spectrogram, onsets)
        if self.ln_gains is not None:
            amplitudes = amplitudes * torch.tensor(self.ln_gains).to(amplitudes).exp()[..., None]
        if not self.published:
            amplitudes = without_bursts(amplitudes, before)
        if self.speckle:
            speckle = self.spectrogram.transform(batch["speckle"].float())
            amplitudes = amplitudes * speckle.abs() / self.spectrogram.typical_noise()
            phases = speckle.angle()
        else:
            phases = 2.0 * torch.pi * batch["turns"].float()
        records = self.spectrogram.griffin_lim(
            amplitudes.flatten(0, 1),
            phases.flatten(0, 1),
            self.griffin_lim_iterations,
            onsets=None if self.published else onsets.repeat_interleave(len(self.component_order)),
            noise=NOISE_CLIP * noise_level(self.spectrogram, amplitudes, before).flatten(),
        )
        return records.unflatten(0, (-1, len(self.component_order)))

    def _embedded(self, batch: Batch) -> Tensor:
        """Return the embedded conditions, (record, embedding) or (record, frame, embedding)."""
        conditions = batch["conditions"]
        if self.arrivals:
            frames = torch.arange(self.spectrogram.n_frames).to(conditions) * self.spectrogram.hop
            since = (frames[:, None] - batch["onsets"][:, None].to(conditions)) / self.sampling_rate
            known = [torch.tanh(since / scale) for scale in ARRIVAL_SCALES_S]
            repeated = every_frame(conditions, len(frames))
            conditions = torch.cat([repeated, *known, since / RECORD_SCALE_S], dim=-1)
        embedded: Tensor = self.embedding(conditions)
        return embedded

    # ---- amplitudes ------------------------------------------------------------------------

    def _scale(self, amplitudes: Tensor) -> Tensor:
        low, high = self.log_amplitude_range
        return (torch.log10(amplitudes + AMPLITUDE_FLOOR) - low) / (high - low)

    def _unscale(self, scaled: Tensor) -> Tensor:
        low, high = self.log_amplitude_range
        if not self.published:
            # The decoder's output is unbounded; do not leave the amplitudes of the training data.
            scaled = scaled.clamp(0.0, 1.0)
        amplitudes = torch.pow(10.0, scaled * (high - low) + low) - AMPLITUDE_FLOOR
        return amplitudes.clamp_min(0.0)

    def _to_frames(self, spectra: Tensor) -> Tensor:
        """(record, component, bin, frame) to (record, frame, component * bin)."""
        return spectra.permute(0, 3, 1, 2).flatten(2).contiguous()

    def _from_frames(self, frames: Tensor) -> Tensor:
        """(record, frame, component * bin) to (record, component, bin, frame)."""
        return frames.unflatten(2, (len(self.component_order), -1)).permute(0, 2, 3, 1)
