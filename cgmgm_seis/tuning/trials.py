"""The trials of a search: a file written after each trial, a table, and their ranking."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from hyperopt import JOB_STATE_DONE, STATUS_FAIL, STATUS_OK, Trials

from cgmgm_seis.errors import TrainingError, reason_of
from cgmgm_seis.storage.files import write_file
from cgmgm_seis.storage.identity import difference, plain
from cgmgm_seis.storage.json_files import json_bytes, read_json
from cgmgm_seis.tuning.space import SearchSpace

TRIALS_FILE = "trials.json"
TABLE_FILE = "trials.csv"
UNREADABLE, START_ANEW = (
    "not a readable file of trials",
    "; --overwrite (overwrite=True) replaces the search",
)
COMPLETE, STOPPED, FAILED = "complete", "stopped", "failed"
# Number of complete trials from which on others are compared with their median.
FEWEST_COMPARED = 4


@dataclass
class Trial:
    """One trial of a search.

    Parameters
    ----------
    number : int
        0, 1, ..
    settings : dict
        Values of the searched settings.
    state : str
        "complete"; "stopped" early, since it was worse than others; or "failed".
    score : float, optional
        Value of the objective, lower is better; None for a failed trial.
    scores : list of float
        Best score on the dev split up to each epoch.
    seconds : float
        Wall time, s.
    message : str
        Reason why the trial failed.
    """

    number: int
    settings: dict[str, Any]
    state: str = COMPLETE
    score: float | None = None
    scores: list[float] = field(default_factory=list)
    seconds: float = 0.0
    message: str = ""


class TrialsFile:
    """The finished trials of a search, written to a file after each trial.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the search.
    identity : mapping
        What must be equal in a resumed search, JSON-serialisable.

    Raises
    ------
    TrainingError
        If the file is damaged or belongs to another search.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.path = folder / TRIALS_FILE
        self.identity = plain(identity)
        self.trials: list[Trial] = []
        if self.path.is_file():
            self._load()

    def add(self, trial: Trial) -> None:
        """Add a finished trial; several workers may finish in any order."""
        self.trials = sorted([*self.trials, trial], key=lambda known: known.number)
        content = {"search": self.identity, "trials": [asdict(known) for known in self.trials]}
        write_file(self.path, json_bytes(content, allow_nan=True))
        write_file(self.path.with_name(TABLE_FILE), self.table().to_csv(index=False).encode())

    def next_number(self) -> int:
        """Return the number of the next trial."""
        return 1 + max((trial.number for trial in self.trials), default=-1)

    def best(self) -> Trial:
        """Return the complete trial with the lowest score.

        Raises
        ------
        TrainingError
            If no trial is complete.
        """
        return best_trial(self.trials)

    def complete_scores(self) -> list[float]:
        """Return the scores of the complete trials."""
        return [t.score for t in self.trials if t.state == COMPLETE and t.score is not None]

    def table(self) -> pd.DataFrame:
        """Return a table with one row per trial."""
        rows = [
            {
                "trial": trial.number,
                "state": trial.state,
                "score": trial.score,
                "epochs": len(trial.scores),
                "seconds": round(trial.seconds, 1),
                **trial.settings,
                "message": trial.message,
            }
            for trial in self.trials
        ]
        return pd.DataFrame(rows)

    def is_hopeless(self, scores: list[float]) -> bool:
        """Return whether a trial is worse than the median of complete trials at the same epoch.

        The median stopping rule of Golovin et al. (2017), with the best score up to an epoch.
        """
        n = len(scores)
        others = [trial.scores[n - 1] for trial in self.trials if trial.state == COMPLETE]
        return len(others) >= FEWEST_COMPARED and scores[-1] > statistics.median(others)

    def to_hyperopt(self, space: SearchSpace) -> Trials:
        """Return the trials in the format of hyperopt."""
        trials = Trials()
        for trial in self.trials:
            point = space.point(trial.settings)
            misc = {
                "tid": trial.number,
                "cmd": ("domain_attachment", "FMinIter_Domain"),
                "idxs": {name: [trial.number] for name in point},
                "vals": {name: [value] for name, value in point.items()},
            }
            failed = trial.state == FAILED
            result = (
                {"status": STATUS_FAIL} if failed else {"status": STATUS_OK, "loss": trial.score}
            )
            (document,) = trials.new_trial_docs([trial.number], [None], [result], [misc])
            document["state"] = JOB_STATE_DONE
            trials.insert_trial_doc(document)
        trials.refresh()
        return trials

    def _load(self) -> None:
        before, self.trials = read_trials(self.path)
        if found := difference(before, self.identity):
            raise TrainingError(
                f"The search in {self.path.parent} has {found}; it can be resumed with the same "
                f"settings and data only."
            )


def read_trials(path: Path) -> tuple[dict[str, Any], list[Trial]]:
    """Return the identity of a search and its finished trials from a file of trials.

    Raises
    ------
    TrainingError
        If the file is missing or damaged.
    """
    content = read_json(path, TrainingError, UNREADABLE, START_ANEW)
    try:
        return content["search"], [Trial(**row) for row in content["trials"]]
    except (TypeError, KeyError) as error:
        raise TrainingError(f"{path} is {UNREADABLE}: {reason_of(error)}{START_ANEW}.") from error


def best_trial(trials: Sequence[Trial], **settings: Any) -> Trial:
    """Return the complete trial with the lowest score.

    Parameters
    ----------
    trials : sequence of Trial
        The trials.
    **settings
        Settings of which trials are preferred, for example ``condition_set="distance"``; if none
        of these is complete, the best of all is returned.

    Raises
    ------
    TrainingError
        If no trial is complete.
    """
    complete = [trial for trial in trials if trial.state == COMPLETE]
    if not complete:
        reason = next((trial.message for trial in trials if trial.message), "")
        raise TrainingError(
            f"0 of {len(trials)} trials are complete, and at least 1 is needed; the first "
            f"failed with: {reason}"
        )
    own = [trial for trial in complete if settings.items() <= trial.settings.items()]
    return min(own or complete, key=lambda trial: (trial.score, trial.number))
