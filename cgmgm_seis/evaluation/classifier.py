"""A small network that learns to distinguish recorded and generated waveforms."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cgmgm_seis.models.devices import one_thread
from cgmgm_seis.storage.chunks import Chunks

EPOCHS, STEPS = 20, 300  # minimum number of both
BATCH_SIZE = 64
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 1e-2
TEST_BATCH = 256
# Amplitude in units of the record's rms: smaller ones are input linearly, larger ones as logarithm.
QUIET = 0.01


class Discriminator(nn.Module):
    """Four strided convolutions of a record and its absolute value, pooling, and one output.

    The convolutions are those of one dimension, as images of one row: images have the layout of
    memory that takes two thirds of the time.
    """

    def __init__(self, n_components: int) -> None:
        super().__init__()
        widths = (2 * n_components, 16, 32, 64, 64)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [
                nn.Conv2d(before, after, (1, 9), stride=(1, 4), padding=(0, 4), bias=False),
                # With batch statistics, which differ from those of single records, the score is
                # lower by a third.
                nn.GroupNorm(4, after),
                nn.ReLU(inplace=True),
            ]
        self.layers = nn.Sequential(*layers)
        self.output = nn.Sequential(nn.Dropout(0.3), nn.Linear(2 * widths[-1], 1))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, records: Tensor) -> Tensor:
        """Return the logit (record,), positive for recorded."""
        images = torch.cat([records, records.abs()], dim=1).unsqueeze(2)
        hidden = self.layers(images.contiguous(memory_format=torch.channels_last)).squeeze(2)
        pooled = torch.cat([hidden.mean(dim=2), hidden.amax(dim=2)], dim=1)
        logits: Tensor = self.output(pooled).squeeze(1)
        return logits


def write_waveforms(file: Path, *waveforms: NDArray[np.float32]) -> None:
    """Write the `prepared` records of several arrays to a file."""
    with file.open("wb") as out:
        for records in waveforms:
            for first in range(0, len(records), TEST_BATCH):
                out.write(prepared(records[first : first + TEST_BATCH]).numpy().tobytes())


def prepared(waveforms: NDArray[np.float32]) -> Tensor:
    """Divide every record by its rms and compress it, so that noise and coda are visible."""
    records = torch.as_tensor(waveforms, dtype=torch.float32)
    rms = records.square().mean(dim=(1, 2), keepdim=True).sqrt()
    return torch.asinh(records / (QUIET * rms))


def told_right(
    file: Path,
    shape: tuple[int, ...],
    training: NDArray[np.bool_],
    seed: int,
    number: int,
    chunks: Chunks,
) -> NDArray[np.float64]:
    """Train a classifier, and return `right_of` of the records that are not for training.

    Recorded and generated waveforms are in a file, of shape (2, record, component, sample).
    """
    if (kept := chunks.load(number, number + 1)) is None:
        # Pages of the file are memory that all processes share.
        waveforms = np.memmap(file, np.float32, "r", shape=shape)
        # Rounding depends on the number of threads, and scores on rounding.
        with one_thread():
            network = train(waveforms, np.flatnonzero(training), seed + number)
            kept = {"right": right_of(network, waveforms, np.flatnonzero(~training))}
        chunks.save(number, number + 1, **kept)
    return kept["right"]


def train(waveforms: NDArray[np.float32], rows: NDArray[np.intp], seed: int) -> Discriminator:
    """Train one classifier with some records, keeping the random state of torch."""
    n_records = 2 * len(rows)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Discriminator(waveforms.shape[2])
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY
        )
        epochs = max(EPOCHS, -(-STEPS * BATCH_SIZE // n_records))
        order = torch.cat([torch.randperm(n_records) for _ in range(epochs)])
        batches = order.split(BATCH_SIZE)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, len(batches))
        for batch in batches:
            # The first half of the numbers are recorded, the others generated.
            kind, place = np.divmod(batch.numpy(), len(rows))
            loss = nn.functional.binary_cross_entropy_with_logits(
                network(torch.from_numpy(waveforms[kind, rows[place]])),
                torch.from_numpy(kind == 0).float(),
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


@torch.no_grad()
def right_of(
    network: Discriminator, waveforms: NDArray[np.float32], rows: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the share classified correctly of every record and its generated counterpart."""
    logits = [
        torch.cat(
            [
                network(torch.from_numpy(records[rows[first : first + TEST_BATCH]]))
                for first in range(0, len(rows), TEST_BATCH)
            ]
        )
        for records in waveforms
    ]
    told_right = (logits[0] > 0).double() + (logits[1] <= 0).double()
    return (0.5 * told_right).numpy()
