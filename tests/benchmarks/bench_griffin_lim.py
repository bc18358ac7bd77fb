"""Count the waveforms a second of CGMGM.sample against the published way to generate.

Run ``python tests/benchmarks/bench_griffin_lim.py``; the bar is a ratio of at least 8.

The plain version draws latents from the rolled prior, decodes them and runs 500 Griffin-Lim
iterations with momentum 0.99 on batches of 50, as Ren et al. describe.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from bench_training import CONDITIONS, HOP, N_FFT, N_SAMPLES, PlainCGMGM
from torch import Tensor

from cgmgm_seis import CGMGM, from_points
from cgmgm_seis.models.conditions import training_ranges

ITERATIONS, MOMENTUM = 500, 0.99


def plain_griffin_lim(amplitudes: Tensor) -> Tensor:
    """Return waveforms (record, sample) of amplitudes (record, bin, frame)."""
    window = torch.hann_window(N_FFT)
    angles = torch.polar(torch.ones_like(amplitudes), 2 * torch.pi * torch.rand_like(amplitudes))
    previous = torch.zeros_like(angles)
    for _ in range(ITERATIONS):
        waveforms = torch.istft(amplitudes * angles, N_FFT, HOP, window=window, length=N_SAMPLES)
        rebuilt = torch.stft(waveforms, N_FFT, HOP, window=window, return_complex=True)
        angles = rebuilt - previous * (MOMENTUM / (1 + MOMENTUM))
        angles = angles / (angles.abs() + 1e-16)
        previous = rebuilt
    return torch.istft(amplitudes * angles, N_FFT, HOP, window=window, length=N_SAMPLES)


def plain_generation(n: int) -> Callable[[], None]:
    """Return a function that generates n waveforms in the published way."""
    model = PlainCGMGM().eval()
    conditions = torch.rand(n, CONDITIONS)

    @torch.no_grad()
    def generate() -> None:
        condition = model.embedding(conditions)
        latents, _, _ = model.roll(condition, N_SAMPLES // HOP + 1)
        repeated = condition[:, None].repeat(1, latents.shape[1], 1)
        output = model.decoder(torch.cat([latents, repeated], dim=2)).transpose(1, 2)
        plain_griffin_lim(10.0 ** (output * 10.0569 - 10.0))

    return generate


def project_generation(n: int) -> Callable[[], None]:
    """Return a function that generates n waveforms with CGMGM's defaults."""
    scenario = from_points(3.0, (37.5, -122.0), [(37.0 + 0.01 * i, -122.0) for i in range(n)])
    model = CGMGM(component_order="E", ranges=training_ranges(scenario)).eval()

    def generate() -> None:
        model.sample(scenario)

    return generate


def main() -> None:
    """Alternate the two and print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    # Several threads wait for each other where other programs share the cores.
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    ways = {
        "published": plain_generation(arguments.batch),
        "cgmgm-seis": project_generation(arguments.batch),
    }
    ways["cgmgm-seis"]()  # warm-up
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(arguments.repeats):
        for name, generate in ways.items():
            began = time.perf_counter()
            generate()
            seconds[name].append(time.perf_counter() - began)
    rates = {name: arguments.batch / statistics.median(values) for name, values in seconds.items()}
    for name, rate in rates.items():
        print(f"{name:12s} {rate:7.1f} waveforms a second, {arguments.batch} at once")
    print(f"ratio {rates['cgmgm-seis'] / rates['published']:.1f} (at least 8)")


if __name__ == "__main__":
    main()
