"""Time one training step of CGMGM against a plain version of the published loop.

Run ``python tests/benchmarks/bench_training.py``; the bar is a ratio of at least 1.4.

The plain version does what Ren et al. describe, as a straightforward script would: conditions
repeated over the frames, a Python loop over a GRU cell for the prior, a waveform error through
the inverse STFT with the true phase, Adam.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from cgmgm_seis import CGMGM, from_points
from cgmgm_seis.models.step import Step

N_SAMPLES, N_FFT, HOP = 6000, 160, 46
CONDITIONS, EMBEDDING, LATENT, PRIOR = 6, 16, 32, 32
ALPHA, BETA = 0.01, 0.02


class PlainCGMGM(nn.Module):
    """The published architecture at its best setting, one component."""

    def __init__(self) -> None:
        super().__init__()
        bins, hidden = N_FFT // 2 + 1, 128 + EMBEDDING
        self.embedding = layers(CONDITIONS, 32, 32, EMBEDDING)
        self.encoder = nn.GRU(bins + EMBEDDING, hidden, batch_first=True)
        self.norm = nn.BatchNorm1d(hidden)
        self.mean, self.log_variance = layers(hidden, 64, LATENT), layers(hidden, 64, LATENT)
        self.cell = nn.GRUCell(LATENT + EMBEDDING, PRIOR)
        self.prior_mean, self.prior_log_variance = (
            nn.Linear(PRIOR, LATENT),
            nn.Linear(PRIOR, LATENT),
        )
        self.decoder = layers(LATENT + EMBEDDING, 128, 128, bins)

    def roll(self, condition: Tensor, frames: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return latents and their moments (record, frame, latent), drawn one by one."""
        latent = torch.zeros(len(condition), LATENT)
        hidden = torch.zeros(len(condition), PRIOR)
        latents, means, log_variances = [], [], []
        for _ in range(frames):
            hidden = self.cell(torch.cat([latent, condition], dim=1), hidden)
            mean, log_variance = self.prior_mean(hidden), self.prior_log_variance(hidden)
            latent = mean + 0.5 * torch.exp(log_variance) * torch.randn_like(mean)
            latents.append(latent)
            means.append(mean)
            log_variances.append(log_variance)
        return torch.stack(latents, 1), torch.stack(means, 1), torch.stack(log_variances, 1)

    def loss(self, scaled: Tensor, phases: Tensor, waveforms: Tensor, conditions: Tensor) -> Tensor:
        """Return the loss; scaled is (record, frame, bin), phases are (record, bin, frame)."""
        frames = scaled.shape[1]
        condition = self.embedding(conditions)
        repeated = condition[:, None].repeat(1, frames, 1)
        hidden, _ = self.encoder(torch.cat([scaled, repeated], dim=2))
        hidden = self.norm(hidden.transpose(1, 2)).transpose(1, 2)
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        latents = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        _, prior_mean, prior_log_variance = self.roll(condition, frames)
        output = self.decoder(torch.cat([latents, repeated], dim=2))

        divergence = 0.5 * (
            prior_log_variance
            - log_variance
            + (log_variance.exp() + (mean - prior_mean) ** 2) / prior_log_variance.exp()
            - 1.0
        )
        amplitudes = 10.0 ** (output.transpose(1, 2) * 10.0569 - 10.0)
        rebuilt = torch.istft(
            torch.polar(amplitudes, phases),
            N_FFT,
            HOP,
            window=torch.hann_window(N_FFT),
            length=N_SAMPLES,
        )
        error = ((output - scaled) ** 2).sum(dim=(1, 2)).mean()
        waveform_error = ((rebuilt - waveforms) ** 2).sum(dim=1).mean()
        return error + ALPHA * waveform_error + BETA * divergence.sum(dim=(1, 2)).mean()


def layers(*widths: int) -> nn.Sequential:
    """Return linear layers with ReLU between them."""
    made: list[nn.Module] = []
    for before, after in pairwise(widths):
        made += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*made[:-1])


def plain_step(waveforms: Tensor) -> Callable[[], None]:
    """Return the published training step on a batch of waveforms (record, sample)."""
    model = PlainCGMGM()
    optimizer = torch.optim.Adam(model.parameters(), lr=8e-4, weight_decay=1e-5)
    spectra = torch.stft(waveforms, N_FFT, HOP, window=torch.ones(N_FFT), return_complex=True)
    scaled = ((torch.log10(spectra.abs() + 1e-10) + 10.0) / 10.0569).transpose(1, 2).contiguous()
    phases, conditions = spectra.angle(), torch.rand(len(waveforms), CONDITIONS)

    def step() -> None:
        optimizer.zero_grad()
        model.loss(scaled, phases, waveforms, conditions).backward()
        optimizer.step()

    return step


def project_step(waveforms: Tensor, alpha: float) -> Callable[[], None]:
    """Return the training step of this project on the same batch."""
    model = CGMGM(component_order="E", alpha=alpha, beta=BETA)
    points = [(37.0 + 0.01 * i, -122.0) for i in range(len(waveforms))]
    scenario = from_points(3.0, (37.5, -122.0), points)
    records = waveforms[:, None].numpy()
    model.fit_normalisation(records, scenario)
    batch = model.features(records, scenario)
    drawn = Step(torch.Generator().manual_seed(0))
    optimizer = torch.optim.AdamW(model.parameters(), lr=8e-4, weight_decay=1e-5, fused=True)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        model.loss(batch, drawn)["loss"].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1000.0)
        optimizer.step()

    return step


def records_like(n: int) -> Tensor:
    """Return decaying noise (record, sample), about as strong as a small earthquake."""
    rng = np.random.default_rng(0)
    times = np.arange(N_SAMPLES) / 100.0
    envelope = 1e-4 * np.exp(-np.abs(times - rng.uniform(8.0, 25.0, (n, 1))) / 4.0) + 1e-7
    return torch.as_tensor(envelope * rng.standard_normal((n, N_SAMPLES)), dtype=torch.float32)


def main() -> None:
    """Alternate the steps and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=10)
    # Several threads wait for each other where other programs share the cores.
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    waveforms = records_like(arguments.batch)
    steps = {
        "published": plain_step(waveforms),
        "cgmgm-seis, alpha 0.01": project_step(waveforms, ALPHA),
        "cgmgm-seis, alpha 0": project_step(waveforms, 0.0),
    }
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for repeat in range(arguments.repeats + 1):
        for name, step in steps.items():
            began = time.perf_counter()
            step()
            if repeat:  # the first is warm-up
                seconds[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, median in medians.items():
        ratio = medians["published"] / median
        print(f"{name:23s} {1000 * median:6.1f} ms a step of {arguments.batch}, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
