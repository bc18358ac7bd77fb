"""Train PhaseNet from scratch on simulated or generated records and let it pick recorded windows.

    python tests/benchmarks/bench_picker.py simulated|generated [RECORDS [EPOCHS]]

Needs ../shared/data/norcal_windows.  Windows of odd numbers are for choosing a recipe; those of
even numbers are the test.  Where ../shared/phasenet exists, the published weights pick too.
"""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

SHARED = Path(__file__).resolve().parents[3] / "shared"
RATE = 100.0
WINDOW = 3001
LABEL_SIGMA = 20.0  # samples
BATCH = 64
LEARNING_RATE = 2e-3
NEAR_S_MINUS_P = 400.0  # samples; two thirds of the training records are nearer than this

Floats = NDArray[np.float32]


def training_records(kind: str, n: int) -> tuple[Floats, NDArray[np.float64]]:
    """Return n records, (record, Z N E, sample), and the samples of P and S, (record, 2)."""
    from cgmgm_seis import EvolutionaryCGM
    from cgmgm_seis.simulator.catalogue import simulate_catalogue

    # About ten records an earthquake, a third of them near.
    waveforms, table = simulate_catalogue(max(1, n // 5), seed=77)
    onsets = table[["trace_p_arrival_sample", "trace_s_arrival_sample"]].to_numpy()
    near = np.diff(onsets)[:, 0] < NEAR_S_MINUS_P
    share = np.where(near, 2.0 / near.sum(), 1.0 / (~near).sum()) / 3.0
    rng = np.random.default_rng(0)
    chosen = np.sort(rng.choice(len(table), min(n, len(table)), replace=False, p=share))
    scenario, onsets = table.iloc[chosen].reset_index(drop=True), onsets[chosen]
    if kind == "simulated":
        return waveforms[chosen], onsets
    model = EvolutionaryCGM.from_pretrained("bay_area_evolutionary")
    records = model.sample(scenario, seed=5, extrapolate=True)[:, 0]
    return records.astype(np.float32), (np.transpose(model.onsets(scenario)) + 5.0) * RATE


def example(
    rng: np.random.Generator, records: Floats, onsets: NDArray[np.float64], i: int
) -> tuple[Floats, NDArray[np.float64]]:
    """Cut a window of record i and change what no picker should mind: window and onsets."""
    p, s = onsets[i]
    first = int(rng.integers(max(0, int(s) - WINDOW + 50), max(1, int(p) - 50)))
    first = min(first, records.shape[-1] - WINDOW)
    # What recordings come with: some corner, steep or not.
    corner = np.exp(rng.uniform(np.log(0.3), np.log(2.0)))
    band = butter(int(rng.integers(1, 5)), corner, "highpass", fs=RATE, output="sos")
    record = records[i] - records[i][:, :1]
    x = sosfilt(band, record)[:, first : first + WINDOW]
    # Any orientation, polarity and gains.
    angle = rng.uniform(0.0, 2.0 * np.pi)
    cos, sin = np.cos(angle), np.sin(angle)
    x[1:] = np.array([[cos, -sin], [sin, cos]]) @ x[1:]
    x *= rng.choice([-1.0, 1.0]) * np.exp(0.2 * rng.standard_normal((3, 1)))
    # Noise of a colour and level of its own, in proportion to P.
    at_p = int(p) - first
    level = x[:, max(at_p, 0) : max(at_p, 0) + 100].std() * np.exp(rng.uniform(-5.0, -0.7))
    noise = rng.standard_normal((3, WINDOW))
    pole = rng.uniform(-0.3, 0.9)
    noise = sosfilt([[1.0, 0.0, 0.0, 1.0, -pole, 0.0]], noise)
    if rng.random() < 0.7:
        x += level * noise / noise.std()
    x -= x.mean(axis=1, keepdims=True)
    return x / x.std(axis=1, keepdims=True), onsets[i] - first


def batch(
    rng: np.random.Generator,
    records: Floats,
    onsets: NDArray[np.float64],
    chosen: NDArray[np.int64],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return windows and labels (record, P S noise, sample) as tensors."""
    x = np.empty((len(chosen), 3, WINDOW), np.float32)
    y = np.empty((len(chosen), 3, WINDOW), np.float32)
    samples = np.arange(WINDOW)
    for j, i in enumerate(chosen):
        x[j], at = example(rng, records, onsets, i)
        y[j, :2] = np.exp(-0.5 * ((samples - at[:, None]) / LABEL_SIGMA) ** 2)
        y[j, 2] = np.clip(1.0 - y[j, 0] - y[j, 1], 0.0, 1.0)
    return torch.from_numpy(x), torch.from_numpy(y)


def trained(records: Floats, onsets: NDArray[np.float64], epochs: int) -> torch.nn.Module:
    """Train PhaseNet from scratch."""
    import seisbench.models as sbm

    torch.manual_seed(0)
    rng = np.random.default_rng(1)
    picker = sbm.PhaseNet(phases="PSN", norm="std")
    steps = epochs * (len(records) // BATCH)
    optimizer = torch.optim.AdamW(picker.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    start = time.perf_counter()
    for epoch in range(epochs):
        losses = []
        order = rng.permutation(len(records))
        for first in range(0, len(order) - BATCH + 1, BATCH):
            x, y = batch(rng, records, onsets, order[first : first + BATCH])
            loss = -(y * torch.log(picker(x) + 1e-5)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(
            f"epoch {epoch + 1}: {np.mean(losses):.4f}, {time.perf_counter() - start:.0f} s",
            flush=True,
        )
    return picker.eval()


def errors(picker: torch.nn.Module) -> pd.DataFrame:
    """Return the errors of the nearest picks, s; NaN where there is none."""
    import seisbench.data as sbd
    from obspy import Stream, Trace, UTCDateTime

    data = sbd.WaveformDataset(
        SHARED / "data" / "norcal_windows", component_order="ZNE", sampling_rate=RATE
    )
    rows = []
    for i in range(len(data)):
        record = data.get_waveforms(i).astype(float)
        if (record == 0.0).all(axis=1).any():
            continue
        stream = Stream(
            Trace(trace * 1e9, {"station": "REC", "channel": f"HX{c}", "sampling_rate": RATE})
            for trace, c in zip(record, "ZNE", strict=True)
        )
        picks = picker.classify(stream, P_threshold=0.3, S_threshold=0.3).picks
        for phase in "PS":
            onset = data.metadata[f"trace_{phase.lower()}_arrival_sample"].iloc[i] / RATE
            off = [pick.peak_time - UTCDateTime(0) - onset for pick in picks if pick.phase == phase]
            if np.isfinite(onset):
                rows.append((i % 2, phase, min(off, key=abs, default=np.nan)))
    return pd.DataFrame(rows, columns=["odd", "phase", "error"])


def report(name: str, picker: torch.nn.Module) -> None:
    """Print the shares of good picks and the median error."""
    for (odd, phase), off in errors(picker).groupby(["odd", "phase"])["error"]:
        print(
            f"{name:10} {'chosen on' if odd else 'test':9} {phase} of {len(off):3}: within 0.1 s "
            f"{(off.abs() < 0.1).mean():.2f}, within 0.5 s {(off.abs() < 0.5).mean():.2f}, "
            f"median {off.median():+.3f} s",
            flush=True,
        )


def main(kind: str, n: int = 3000, epochs: int = 25) -> None:
    """Train, test and compare with the published weights."""
    cache = Path(tempfile.mkdtemp(prefix="seisbench-cache-"))
    published = SHARED / "phasenet" / "seisbench_cache"
    if published.is_dir():
        shutil.copytree(published, cache, dirs_exist_ok=True, copy_function=shutil.copyfile)
        for folder in (cache, *cache.rglob("*")):
            folder.chmod(0o755 if folder.is_dir() else 0o644)
    os.environ["SEISBENCH_CACHE_ROOT"] = str(cache)
    try:
        import seisbench.models as sbm

        picker = trained(*training_records(kind, n), epochs)
        report(kind, picker)
        if published.is_dir():
            report("published", sbm.PhaseNet.from_pretrained("original"))
    finally:
        shutil.rmtree(cache, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
