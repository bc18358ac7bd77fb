"""Discriminative score: how well a small network separates generated from recorded waveforms."""

from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm.auto import tqdm

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.evaluation.classifier import told_right, write_waveforms
from cgmgm_seis.scenario.seeding import random_generator
from cgmgm_seis.storage.chunks import Chunks

# Number of random exchanges in the two-sample test.
FLIPS = 9999


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
) -> DiscriminativeScore:
    """Train classifiers of recorded and generated waveforms, and test them on other events.

    Parameters, result and errors are those of `Classifiers`.
    """
    with TemporaryDirectory() as folder, ThreadPoolExecutor(1) as pool:
        file = Path(folder) / "waveforms"
        return Classifiers(file, recorded, generated, events, pool, seed, n_seeds).score()


class Classifiers:
    """Classifiers of recorded and generated waveforms, in training in the processes of a pool.

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
    file : pathlib.Path
        File for the waveforms, which all processes read; it is removed by `score`.
    recorded : numpy.ndarray
        Shape (record, component, sample).
    generated : numpy.ndarray
        One realization of the same records, same shape.
    events : array_like
        The event of every record, shape (record,); no event is in both halves.
    pool : concurrent.futures.Executor
        Trains the classifiers.
    seed : int
        Random seed of the halves, the networks and the batches.
    n_seeds : int
        Number of classifiers.
    chunks : Chunks, optional
        Where results of finished classifiers are saved and looked up; by default nowhere.

    Raises
    ------
    CgmgmError
        If there are fewer than two events.
    """

    def __init__(
        self,
        file: Path,
        recorded: NDArray[np.float32],
        generated: NDArray[np.float32],
        events: ArrayLike,
        pool: Executor,
        seed: int = 0,
        n_seeds: int = 5,
        chunks: Chunks | None = None,
    ) -> None:
        self.file, self.seed, self.events = file, seed, np.asarray(events).astype(str)
        if (n_events := len(np.unique(self.events))) < 2:
            raise CgmgmError(
                f"{n_events} event(s) cannot be split into halves; at least 2 are needed."
            )
        self.halves = [half_of_events(self.events, seed, number) for number in range(n_seeds)]
        chunks = chunks or Chunks(None, {})
        write_waveforms(file, recorded, generated)
        shape = (2, *np.shape(recorded))
        self.futures = [
            pool.submit(told_right, file, shape, half, seed, number, chunks)
            for number, half in enumerate(self.halves)
        ]

    def score(self, progress: bool = False) -> DiscriminativeScore:
        """Wait for the classifiers, and return accuracy and p-value of every one.

        Parameters
        ----------
        progress : bool
            Show a progress bar where stderr is a terminal.
        """
        n_seeds = len(self.futures)
        with tqdm(
            total=n_seeds, desc="Discriminator", unit="seed", disable=None if progress else True
        ) as bar:
            for future in as_completed(self.futures):
                future.result()
                bar.update()
        self.file.unlink()
        right = [future.result() for future in self.futures]
        p_values = [
            _p_value(own, self.events[~half], self.seed, number)
            for number, (own, half) in enumerate(zip(right, self.halves, strict=True))
        ]
        # Mean absolute value of a normal deviate with the standard deviation of 2 n coin tosses.
        tested = sum(map(len, right)) / n_seeds
        chance = float(np.sqrt(2.0 / np.pi) * 0.5 / np.sqrt(2.0 * tested))
        accuracies = tuple(float(own.mean()) for own in right)
        return DiscriminativeScore(accuracies, chance, tuple(p_values))


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


def _p_value(right: NDArray[np.float64], events: NDArray[np.str_], seed: int, number: int) -> float:
    """Return the p-value from exchanges in random events, where right becomes wrong."""
    _, event = np.unique(events, return_inverse=True)
    excess = np.bincount(event, right - 0.5)
    signs = random_generator(seed, "flips", number).choice([-1.0, 1.0], (FLIPS, len(excess)))
    # Treat sums that differ by rounding only as equal.
    as_good = (signs @ excess >= excess.sum() - 1e-9).sum()
    return float((as_good + 1) / (FLIPS + 1))
