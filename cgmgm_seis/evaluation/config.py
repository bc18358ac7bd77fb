"""Settings of an evaluation."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cgmgm_seis.errors import CgmgmError


@dataclass(frozen=True)
class EvaluationConfig:
    """Settings of an evaluation.

    Parameters
    ----------
    split : str
        Split to read, with events unseen in training; without a ``split`` column all is read.
    n_realizations : int
        Realizations of every record, 2 or more; coverage means little below about 20.
    seed : int
        Of the realizations, the discriminator and the choice of events.
    max_records : int, optional
        Draw whole events until the next one would exceed this number of records.
    picker : str or pathlib.Path
        See `cgmgm_seis.measures.picks.load_picker`; where it is missing the picks are left out.
    n_classifiers : int
        Networks of the discriminative score; 0 leaves it out.
    skip_bad : bool
        Leave out records with NaN or constant components.
    tsne : bool
        Project the log spectrograms with t-SNE too.
    gmms : bool
        Put ground-motion models beside the generators: those fitted to the training split and
        published ones, or, beside a flatfile, the NGA-West2 models.
    columns : str, pathlib.Path or mapping, optional
        Names of a flatfile's columns, see `cgmgm_seis.evaluation.flatfile.read_flatfile`.
    workers : int, optional
        Processes that measure realizations; by default as many as cores, if there is much to do.
    chunk_folder : pathlib.Path, optional
        Keep finished chunks of realizations, picks and classifiers here, and use those of an
        interrupted run with the same weights, records, seed and number of realizations.  The
        caller removes it.
    progress : bool
        Show progress bars where stderr is a terminal.

    Raises
    ------
    CgmgmError
        If a number is too small.

    Examples
    --------
    >>> EvaluationConfig(n_realizations=10, seed=3).split
    'test'
    """

    split: str = "test"
    n_realizations: int = 20
    seed: int = 0
    max_records: int | None = None
    picker: str | Path = "original"
    n_classifiers: int = 5
    skip_bad: bool = False
    tsne: bool = False
    gmms: bool = True
    columns: str | Path | Mapping[str, str] | None = None
    workers: int | None = None
    chunk_folder: Path | None = None
    progress: bool = False

    def __post_init__(self) -> None:
        if self.n_realizations < 2:
            raise CgmgmError(
                f"{self.n_realizations} realization(s) have no scatter; there must be at least 2."
            )
        for name, least in (("max_records", 1), ("n_classifiers", 0), ("workers", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise CgmgmError(f"{name} = {value} must be at least {least}.")
