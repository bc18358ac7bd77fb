"""Discriminative score: how well a small network separates generated from recorded waveforms."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from tqdm.auto import tqdm

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.scenario.seeding import random_generator
from cgmgm_seis.storage.chunks import Chunks

EPOCHS, STEPS = 20, 300  # minimum number of both
BATCH_SIZE = 64
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 1e-2
TEST_BATCH = 256
# Number of random exchanges in the two-sample test.
FLIPS = 9999
# Amplitude in units of the record's rms: smaller ones are input linearly, larger ones as logarithm.
QUIET = 0.01


@dataclass(frozen=True)
class DiscriminativeScore:
    """Accuracy of classifiers on their test halves.

    Parameters
    ----------
    accuracies : tuple of float
        One per seed; 0.5 is guessing, 1 is always right.
    chance : float
        Mean of abs(accuracy - 0.5) expected from guessing, for a test half of this size.
    p_values : tuple of float
        p-values, one per seed, of the hypothesis that recorded and generated waveforms have the
        same distribution.
    """

    accuracies: tuple[float, ...]
    chance: float
    p_values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean of abs(accuracy - 0.5), 0 to 0.5; lower is better."""
        return float(np.mean(np.abs(np.array(self.accuracies) - 0.5)))

    @property
    def spread(self) -> float:
        """Standard deviation of abs(accuracy - 0.5) over the seeds."""
        return float(np.std(np.abs(np.array(self.accuracies) - 0.5)))

    @property
    def p_value(self) -> float:
        """p-value of the classifier two-sample test over all seeds.

        It is twice the median p-value, at most 1, which is valid although the test halves overlap
        (Meinshausen et al. 2009).
        """
        return min(1.0, 2.0 * float(np.median(self.p_values)))


def discriminative_score(
    recorded: NDArray[np.float32],
    generated: NDArray[np.float32],
    events: ArrayLike,
    seed: int = 0,
    n_seeds: int = 5,
    progress: bool = False,
    chunks: Chunks | None = None,
) -> DiscriminativeScore:
    """Train a classifier of recorded and generated waveforms, and test it on other events.

    The score of Yoon et al. (2019), abs(accuracy - 0.5), with a convolutional network.  Every
    record is divided by its rms over all components, so that the classifier cannot use the
    level, whose bias is measured with Fourier spectra, but only the shape, the onsets, and the
    ratios of components and of signal to noise.  Every seed selects another half of the events
    and initialises another network.

    The classifiers are used for a two-sample test (Lopez-Paz & Oquab 2017).  Records of an event
    are not independent, so the p-value is the share of `FLIPS` random exchanges of recorded and
    generated in whole events, including none, that are separated at least as well.

    Parameters
    ----------
    recorded : numpy.ndarray
        Shape (record, component, sample).
    generated : numpy.ndarray
        One realization of the same records, same shape.
    events : array_like
        The event of every record, shape (record,); no event is in both halves.
    seed : int
        Random seed of the halves, the networks and the batches.
    n_seeds : int
        Number of classifiers.
    progress : bool
        Show a progress bar where stderr is a terminal.
    chunks : Chunks, optional
        Where results of finished classifiers are saved and looked up; by default nowhere.

    Returns
    -------
    DiscriminativeScore
        Accuracy and p-value for every seed.

    Raises
    ------
    CgmgmError
        If there are fewer than two events.
    """
    names = np.asarray(events).astype(str)
    if len(np.unique(names)) < 2:
        raise CgmgmError(
            f"{len(np.unique(names))} event(s) cannot be split into halves; at least 2 are needed."
        )
    real, fake = prepared(recorded), prepared(generated)
    chunks = chunks or Chunks(None, {})
    accuracies, p_values, tested = [], [], 0
    hidden = None if progress else True
    for number in tqdm(range(n_seeds), desc="Discriminator", unit="seed", disable=hidden):
        training = half_of_events(names, seed, number)
        if (kept := chunks.load(number, number + 1)) is None:
            network = _train(torch.cat([real[training], fake[training]]), seed + number)
            kept = {"right": _right(network, real[~training], fake[~training])}
            chunks.save(number, number + 1, **kept)
        right = kept["right"]
        accuracies.append(float(right.mean()))
        p_values.append(_p_value(right, names[~training], seed, number))
        tested += int((~training).sum())
    # Mean absolute value of a normal deviate with the standard deviation of 2 n coin tosses.
    chance = float(np.sqrt(2.0 / np.pi) * 0.5 / np.sqrt(2.0 * tested / n_seeds))
    return DiscriminativeScore(tuple(accuracies), chance, tuple(p_values))


def half_of_events(events: NDArray[np.str_], seed: int, number: int) -> NDArray[np.bool_]:
    """Return the records (mask) of randomly selected events with half of all records."""
    names, record_event, sizes = np.unique(events, return_inverse=True, return_counts=True)
    order = random_generator(seed, "halves", number).permutation(len(names))
    before = np.cumsum(sizes[order]) - sizes[order]
    chosen = np.zeros(len(names), bool)
    # The last event is always in the test half, however large it is.
    chosen[order[:-1]] = before[:-1] < len(events) / 2
    drawn: NDArray[np.bool_] = chosen[record_event]
    return drawn


def prepared(waveforms: NDArray[np.float32]) -> Tensor:
    """Divide every record by its rms and compress it, so that noise and coda are visible."""
    records = torch.as_tensor(waveforms, dtype=torch.float32)
    rms = records.square().mean(dim=(1, 2), keepdim=True).sqrt()
    return torch.asinh(records / (QUIET * rms))


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
                nn.ReLU(),
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


def _train(records: Tensor, seed: int) -> Discriminator:
    """Train one classifier of records, recorded ones first, keeping the random state of torch."""
    labels = (torch.arange(len(records)) < len(records) // 2).float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Discriminator(records.shape[1])
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY
        )
        epochs = max(EPOCHS, -(-STEPS * BATCH_SIZE // len(records)))
        order = torch.cat([torch.randperm(len(records)) for _ in range(epochs)])
        batches = order.split(BATCH_SIZE)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, len(batches))
        for rows in batches:
            loss = nn.functional.binary_cross_entropy_with_logits(
                network(records[rows]), labels[rows]
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


@torch.no_grad()
def _right(network: Discriminator, real: Tensor, fake: Tensor) -> NDArray[np.float64]:
    """Return the share classified correctly of every record and its generated counterpart."""
    logits = [
        torch.cat([network(part) for part in records.split(TEST_BATCH)]) for records in (real, fake)
    ]
    told_right = (logits[0] > 0).double() + (logits[1] <= 0).double()
    return (0.5 * told_right).numpy()


def _p_value(right: NDArray[np.float64], events: NDArray[np.str_], seed: int, number: int) -> float:
    """Return the p-value from exchanges in random events, where right becomes wrong."""
    _, event = np.unique(events, return_inverse=True)
    excess = np.bincount(event, right - 0.5)
    signs = random_generator(seed, "flips", number).choice([-1.0, 1.0], (FLIPS, len(excess)))
    # Treat sums that differ by rounding only as equal.
    as_good = (signs @ excess >= excess.sum() - 1e-9).sum()
    return float((as_good + 1) / (FLIPS + 1))
