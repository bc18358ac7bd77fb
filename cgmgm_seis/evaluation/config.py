"""Settings of an evaluation."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.scenario.seeding import check_seed


@dataclass(frozen=True)
class EvaluationConfig:
    """Settings of an evaluation.

    Parameters
    ----------
    split : str
        Split to read, with events unseen in training; without a ``split`` column all records are
        read.
    n_realizations : int
        Realizations of every record, at least 2; coverage is inaccurate below about 20.
    seed : int
        Random seed of the realizations, the discriminator and the selection of events.
    max_records : int, optional
        Use randomly selected whole events with at most this number of records.
    picker : str or pathlib.Path
        See `cgmgm_seis.measures.picks.load_picker`; if it is not available, or "none", picks are
        left out.
    n_classifiers : int
        Number of networks of the discriminative score; 0 leaves it out.
    strict : bool
        Raise an error if a record cannot be used, instead of leaving it out and counting it.
    units : str
        Unit of the samples if the data set does not state it, such as "m/s" or "cm/s".
    tsne : bool
        Also project the log spectrograms with t-SNE.
    gmms : bool
        Compare with ground-motion models: those fitted to the training split and published ones,
        or, for a flatfile, the NGA-West2 models.
    scaling : bool
        Draw every generator also at other magnitudes and distances, inside and outside of its
        trained ranges: 14 realizations for every 100 of the records.
    record : str, optional
        A record, EVENT/STATION, of which several draws and reconstructions are shown.
    n_draws : int
        Number of draws of this record.
    columns : str, pathlib.Path or mapping, optional
        Names of a flatfile's columns, see `cgmgm_seis.evaluation.flatfile.read_flatfile`.
    workers : int, optional
        Number of processes that measure realizations and train classifiers; by default up to the
        number of cores, depending on the amount of work.
    chunk_folder : pathlib.Path, optional
        Save finished chunks of realizations, picks and classifiers here, and use those of an
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
    strict: bool = False
    units: str = ""
    tsne: bool = False
    gmms: bool = True
    scaling: bool = True
    record: str | None = None
    n_draws: int = 4
    columns: str | Path | Mapping[str, str] | None = None
    workers: int | None = None
    chunk_folder: Path | None = None
    progress: bool = False

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if self.n_realizations < 2:
            raise CgmgmError(f"n_realizations = {self.n_realizations} must be at least 2.")
        numbers = {"max_records": 1, "n_classifiers": 0, "workers": 1, "n_draws": 1}
        for name, least in numbers.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise CgmgmError(f"{name} = {value} must be at least {least}.")
