"""Ground-motion models by name: published ones, and fitted ones of a file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from cgmgm_seis.errors import CgmgmError, RangeError
from cgmgm_seis.gmm.base import ErgodicFAS, ErgodicGMM, Prediction
from cgmgm_seis.gmm.nonergodic import NonErgodicFAS
from cgmgm_seis.gmm.pygmm_models import BA19, NGA_WEST2, NGAWest2
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.storage.files import sha256

ERGODIC, NON_ERGODIC, EAS_MODEL = "ergodic", "nonergodic", "BA19"
NAMES = (ERGODIC, f"{NON_ERGODIC}:FILE", EAS_MODEL, *NGA_WEST2)


@dataclass(frozen=True)
class NamedGMM:
    """A ground-motion model that predicts measures of a list, as far as it defines them.

    It consists of texts only, so that it can be sent to other processes; models of files are
    loaded when they are used, once per process.

    Parameters
    ----------
    name : str
        "ergodic" (`ErgodicGMM`, FAS of one horizontal), "nonergodic:FILE" (a file of
        `NonErgodicFAS.save`), "BA19" (EAS) or a name of `NGA_WEST2` (RotD50 of PGA, PGV, PSA).
    sha256 : str
        Checksum of the file; empty for published models.

    Examples
    --------
    >>> from cgmgm_seis.scenario.table import from_points
    >>> scenario = from_points(3.0, (37.9, -122.2), [(37.9, -122.1)])
    >>> labels, found = NamedGMM.of("ergodic").predict(scenario, "E", (2.0, 3.0), (0.3,))
    >>> labels, found.sd.tolist()
    (['fas E 2 Hz'], [[0.72]])
    """

    name: str
    sha256: str = ""

    @classmethod
    def of(cls, name: str) -> Self:
        """Return the model of a name.

        Raises
        ------
        CgmgmError
            If the name is unknown, the file cannot be used, or pyGMM is needed and not installed.
        """
        kind, _, file = name.partition(":")
        if kind == NON_ERGODIC and file:
            path = str(Path(file).absolute())
            found = cls(f"{kind}:{path}", _sha256(path))
            _loaded(found)
            return found
        if name not in (ERGODIC, EAS_MODEL, *NGA_WEST2):
            raise CgmgmError(
                f"Ground-motion model '{name}' is not known; it must be one of {', '.join(NAMES)}."
            )
        if name == EAS_MODEL:
            BA19()
        elif name != ERGODIC:
            NGAWest2(name)
        return cls(name)

    @property
    def short(self) -> str:
        """Name without the folder and the ending of a file."""
        kind, _, file = self.name.partition(":")
        return f"{kind} {Path(file).stem}" if file else kind

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of measures that the model predicts."""
        if self.name == EAS_MODEL:
            return ("eas",)
        return ("pga", "pgv", "psa") if self.name in NGA_WEST2 else ("fas",)

    def predict(
        self,
        scenario: pd.DataFrame,
        component: str | None,
        frequencies: Sequence[float],
        periods: Sequence[float],
    ) -> tuple[list[str], Prediction]:
        """Predict the measures that the model defines.

        Parameters
        ----------
        scenario : pandas.DataFrame
            Scenario table.
        component : str, optional
            Horizontal component of the FAS.
        frequencies, periods : sequence of float
            Frequencies, Hz, and periods, s; those that the model does not have are left out.

        Returns
        -------
        labels : list of str
            Names of the predicted measures, such as "fas E 2 Hz", "eas 5 Hz", "pga" or
            "psa 0.3 s".
        prediction : Prediction
            Shape (record, label).
        """
        nothing = np.empty((len(scenario), 0))
        if self.name in NGA_WEST2:
            known = _resolved(lambda t: NGAWest2(self.name, (t,)), periods)
            labels = ["pga", "pgv", *(f"psa {t:g} s" for t in known)]
            return labels, NGAWest2(self.name, known).predict(scenario)
        if self.name == EAS_MODEL:
            model = BA19()
            known = _resolved(lambda f: model.fit(scenario, nothing, (f,)), frequencies)
            labels = [f"eas {f:g} Hz" for f in known]
            return labels, _some(model.fit(scenario, nothing, known).predict, scenario, known)
        if self.name == ERGODIC:
            known = _resolved(ErgodicFAS, frequencies) if component else ()
            labels = [f"fas {component} {f:g} Hz" for f in known]
            published = ErgodicGMM().fit(scenario, nothing, known)
            return labels, _some(published.predict, scenario, known)
        fitted = _loaded(self)
        known = tuple(f for f in frequencies if f in fitted.frequencies)
        found = _some(fitted.predict, scenario, known)
        own = fitted.card.get("component", component)
        places = [fitted.frequencies.index(f) for f in known]
        return [f"fas {own} {f:g} Hz" for f in known], found.of(places)


def _some(
    predict: Callable[[pd.DataFrame], Prediction], scenario: pd.DataFrame, known: Sequence[float]
) -> Prediction:
    """Return a prediction, or an empty one if none of the frequencies is known."""
    if known:
        return predict(scenario)
    empty: Floats = np.empty((len(scenario), 0))
    return Prediction(empty, empty, empty, empty, np.zeros(len(scenario), bool))


def _resolved(make: Callable[[float], object], values: Sequence[float]) -> tuple[float, ...]:
    """Return the frequencies or periods for which a model can be made."""
    found = []
    for value in values:
        try:
            make(value)
        except RangeError:
            continue
        found.append(value)
    return tuple(found)


def _sha256(path: str) -> str:
    try:
        return sha256(Path(path))
    except OSError as error:
        raise CgmgmError(f"{path} cannot be read: {error.strerror}.") from error


@cache
def _loaded(model: NamedGMM) -> NonErgodicFAS:
    """Load a model of a file once per process.

    Raises
    ------
    CgmgmError
        If the file is not the one that was named.
    """
    path = model.name.partition(":")[2]
    if _sha256(path) != model.sha256:
        raise CgmgmError(f"{path} has changed or is another file on this worker.")
    return NonErgodicFAS.load(path)
