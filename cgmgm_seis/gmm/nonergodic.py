"""A non-ergodic model of Fourier amplitude spectra: a Gaussian process over the region.

The components follow Lacour et al. (2023): an ergodic form; source, site and path terms that depend
on location and are the same for all earthquakes; and the remaining variability between and within
events.  Hyperparameters maximise the (restricted) marginal likelihood of the records.

    ln FAS = form(M, R, Z) + source(epicentre) + site(station) + path + event term + rest

The source and site terms are Gaussian fields with a squared-exponential covariance; each station
also has an independent term.  The path term is the mean of a third field along the line from the
epicentre to the station, times a power of distance, so that paths through the same rock have
similar terms.  A power of 1 gives the line integral (cell-specific attenuation, Dawood &
Rodriguez-Marek 2013, with a continuous field instead of cells); smaller powers reduce the effect
of long paths, whose rays reach greater depths with smaller differences.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import Bounds, minimize

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.gmm.base import NEAREST_KM, ErgodicGMM, Prediction
from cgmgm_seis.gmm.mixed_model import MixedModel, Posterior
from cgmgm_seis.gmm.sine_basis import SineBasis, path_mean_variance
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.geography import local_km, middle_longitude
from cgmgm_seis.storage.array_files import read_arrays, write_arrays

FIELDS = ("source", "site", "path")
FORMS = ("refitted", "published")
# The standard deviation of the path field refers to its effect over this distance, km.
PATH_KM = 30.0
# Bounds of the variances relative to phi^2, and starting values of the search.
_VARIANCES = (1e-5, 1e3)
_FIRST_VARIANCE = 0.3
_FIRST_LENGTH_KM = 20.0
# Format of saved models, and its version.
_FORMAT = ("cgmgm-seis NonErgodicFAS", 1)


@dataclass(frozen=True)
class Term:
    """Part of a prediction: mean and its standard deviation, each of shape (record, frequency)."""

    mean: Floats
    sd: Floats


@dataclass(frozen=True)
class _Prior:
    """Variances of the terms and of events relative to phi^2, and correlation lengths in km."""

    variances: dict[str, float]
    ratio: float
    lengths: dict[str, float]


class NonErgodicFAS:
    """Ground-motion model with spatial source, site and path terms, a `FASModel`.

    Parameters
    ----------
    fields : sequence of str
        Spatial terms: any of "source", "site" and "path"; none gives an ergodic model.
    form : str
        "refitted" fits coefficients of 1, M, M^2, ln R, R, M ln R and Z together with the other
        terms; "published" adds a constant to `ErgodicGMM`.
    path_exponent : float
        Power of distance in the path term.  For simulated records the likelihood is larger with
        0.5 than with 1.
    n_functions : int
        Number of sine functions of each field; more functions resolve shorter correlation
        lengths but take longer.

    Attributes
    ----------
    frequencies : tuple of float
        Frequencies of the fit, Hz.
    card : dict
        What the model was fitted to, JSON-serialisable; saved with the model.

    Raises
    ------
    CgmgmError
        If a field or the form is unknown.

    Examples
    --------
    >>> model = NonErgodicFAS().fit(scenario, ln_fas, (2.0, 5.0))  # doctest: +SKIP
    >>> model.predict(unseen).mean  # doctest: +SKIP
    """

    def __init__(
        self,
        fields: Sequence[str] = FIELDS,
        form: str = "refitted",
        path_exponent: float = 0.5,
        n_functions: int = 256,
    ) -> None:
        for name, known in [*((field, FIELDS) for field in fields), (form, FORMS)]:
            if name not in known:
                raise CgmgmError(f"'{name}' is not known; it must be one of {', '.join(known)}.")
        self.fields = tuple(field for field in FIELDS if field in fields)
        self.form = form
        self.path_exponent = path_exponent
        self.n_functions = n_functions
        self.frequencies: tuple[float, ...] = ()
        self.card: dict[str, Any] = {}
        self._fitted: list[tuple[_Prior, Posterior]] = []

    def fit(self, scenario: pd.DataFrame, ln_fas: Floats, frequencies: Sequence[float]) -> Self:
        """Fit coefficients, fields and hyperparameters, one frequency after the other.

        See `FASModel.fit` for the parameters.

        Raises
        ------
        CgmgmError
            If the shapes do not match, values are not finite, or there are too few records or
            events.
        """
        ln_fas = np.asarray(ln_fas, float)
        expected = (len(scenario), len(frequencies))
        if ln_fas.shape != expected or not np.isfinite(ln_fas).all():
            raise CgmgmError(
                f"ln FAS of shape {ln_fas.shape} cannot be fitted; "
                f"it must be finite numbers of shape {expected}."
            )
        self.frequencies = tuple(float(f) for f in frequencies)
        events = scenario["source_id"].astype(str).to_numpy()
        form, n_events = ergodic_form(scenario, self.form), len(np.unique(events))
        n_form = form.shape[1]
        if len(scenario) <= n_form + n_events or n_events <= n_form:
            raise CgmgmError(
                f"{len(scenario)} record(s) of {n_events} event(s) are too few for a fit; there "
                f"must be more than {n_form} events, and more than {n_form} records in addition "
                "to one per event."
            )
        if np.linalg.matrix_rank(form) < n_form:
            raise CgmgmError(
                "Magnitudes, distances or depths with only 1 or 2 different values cannot be "
                "fitted; they must vary independently."
            )
        self._learn_region(scenario)
        features = self._features(scenario)
        residuals = ln_fas - self._offset(scenario)
        free = np.arange(features.shape[1]) < n_form
        self._fitted = []
        prior = self._first_prior()
        for model in MixedModel.of(features, residuals, events, free):
            # The search starts at the result of the previous frequency.
            prior = self._best_prior(model, prior)
            variances, _ = self._weights(prior, len(free))
            self._fitted.append((prior, model.posterior(variances, prior.ratio)))
        return self

    def predict(self, scenario: pd.DataFrame) -> Prediction:
        """Return mean and standard deviations of ln FAS for new events.

        ``sd`` includes, besides tau and phi, the uncertainty of the terms at these locations.

        Raises
        ------
        CgmgmError
            If the model has not been fitted.
        """
        self._check_fitted()
        everything = self._sum_of(scenario, tuple(self._columns()))
        shape = everything.mean.shape
        tau = np.broadcast_to([posterior.tau for _, posterior in self._fitted], shape)
        phi = np.broadcast_to([posterior.phi for _, posterior in self._fitted], shape)
        low, high = self._magnitudes
        magnitude = scenario["source_magnitude"].to_numpy(float)
        return Prediction(
            everything.mean + self._offset(scenario),
            tau,
            phi,
            np.sqrt(everything.sd**2 + tau**2 + phi**2),
            (magnitude < low) | (magnitude > high),
        )

    def terms(self, scenario: pd.DataFrame) -> dict[str, Term]:
        """Return the spatial terms of ln FAS by name; the site term includes the station term.

        Raises
        ------
        CgmgmError
            If the model has not been fitted.
        """
        self._check_fitted()
        members = {"site": ("site", "station")}
        return {
            field: self._sum_of(scenario, members.get(field, (field,))) for field in self.fields
        }

    @property
    def hyperparameters(self) -> pd.DataFrame:
        """One row per frequency: tau, phi, standard deviations and correlation lengths (km).

        The standard deviation of the path is that of its effect over `PATH_KM` in a constant
        field.
        """
        rows = []
        for frequency, (prior, posterior) in zip(self.frequencies, self._fitted, strict=True):
            row = {"frequency_hz": frequency, "tau": posterior.tau, "phi": posterior.phi}
            for name, variance in prior.variances.items():
                row[f"{name}_sd"] = variance**0.5 * posterior.phi
            rows.append(row | {f"{name}_km": length for name, length in prior.lengths.items()})
        return pd.DataFrame(rows)

    # ---- files -----------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write the fitted model to a file of plain arrays and JSON (npz).

        Raises
        ------
        CgmgmError
            If the model has not been fitted.
        OutputError
            If the file cannot be written.
        """
        self._check_fitted()
        name, version = _FORMAT
        content = {
            "format": name,
            "version": version,
            "arguments": {
                "fields": self.fields,
                "form": self.form,
                "path_exponent": self.path_exponent,
                "n_functions": self.n_functions,
            },
            "frequencies": self.frequencies,
            "centre": self._centre,
            "magnitudes": self._magnitudes,
            "priors": [asdict(prior) for prior, _ in self._fitted],
            "tau": [posterior.tau for _, posterior in self._fitted],
            "phi": [posterior.phi for _, posterior in self._fitted],
            "card": self.card,
        }
        arrays = {
            "corner": self._basis.corner,
            "size": self._basis.size,
            "orders": self._basis.orders,
            "stations": self._stations,
            "mean": np.stack([posterior.mean for _, posterior in self._fitted]),
            "root": np.stack([posterior.root for _, posterior in self._fitted]),
        }
        write_arrays(Path(path), content, arrays)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the model of a file of `save`.

        Raises
        ------
        CgmgmError
            If the file is missing, damaged or not of this class, or its numbers do not fit
            together.
        """
        content, arrays = read_arrays(Path(path))
        if (content.get("format"), content.get("version")) != _FORMAT:
            raise CgmgmError(
                f"{path} is of format '{content.get('format')}', version "
                f"{content.get('version')}; it must be '{_FORMAT[0]}', version {_FORMAT[1]}."
            )
        try:
            model = cls(**content["arguments"])
            model._restore(content, arrays)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CgmgmError(
                f"{path} is not a complete model: its entries do not fit together ({error!r})."
            ) from error
        return model

    def _restore(self, content: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Set what `fit` sets, from the content of a file; ValueError if it is inconsistent."""
        self.frequencies = tuple(float(f) for f in content["frequencies"])
        self.card = dict(content["card"])
        self._centre = [float(degrees) for degrees in content["centre"]]
        low, high = content["magnitudes"]
        self._magnitudes = float(low), float(high)
        self._basis = SineBasis(arrays["corner"], arrays["size"], arrays["orders"])
        self._stations = arrays["stations"].astype(str)
        columns = self._columns()
        n, n_weights = len(self.frequencies), max(part.stop for part in columns.values())
        shapes = {
            "corner": (2,),
            "size": (2,),
            "orders": (self.n_functions, 2),
            "mean": (n, n_weights),
            "root": (n, n_weights, n_weights),
        }
        for name, shape in shapes.items():
            if arrays[name].shape != shape or not np.isfinite(arrays[name]).all():
                raise ValueError(f"{name} must be finite numbers of shape {shape}")
        self._fitted = []
        for place, own in enumerate(
            zip(content["priors"], content["tau"], content["phi"], strict=True)
        ):
            prior, tau, phi = own
            if {*prior["variances"]} != {*columns} - {"form"}:
                raise ValueError(f"variances must be those of {', '.join(columns)}")
            known = {*prior["lengths"]} == {*self.fields}
            numbers = [tau, phi, *prior["variances"].values(), *prior["lengths"].values()]
            if not (known and np.isfinite(numbers).all() and phi > 0.0 and tau >= 0.0):
                raise ValueError("tau, phi and lengths must be those of a fit")
            posterior = Posterior(arrays["mean"][place], arrays["root"][place], tau, phi)
            self._fitted.append((_Prior(**prior), posterior))
        if len(self._fitted) != n or not n:
            raise ValueError(
                f"{len(self._fitted)} fits must be those of {n} frequencies, 1 or more"
            )

    # ---- features --------------------------------------------------------------------------

    def _learn_region(self, scenario: pd.DataFrame) -> None:
        """Store the extent of the region, its stations and the range of magnitudes."""
        self._centre = [
            float(scenario["source_latitude_deg"].mean()),
            middle_longitude(scenario["source_longitude_deg"]),
        ]
        self._basis = SineBasis.around(np.concatenate(self._ends(scenario)), self.n_functions)
        self._stations = (
            np.unique(station_codes(scenario)) if "site" in self.fields else np.empty(0, str)
        )
        magnitude = scenario["source_magnitude"]
        self._magnitudes = float(magnitude.min()), float(magnitude.max())

    def _ends(self, scenario: pd.DataFrame, field: str = "path") -> tuple[Floats, Floats]:
        """Return both ends (record, 2), km, of the lines along which a field is averaged."""
        names = {"source": ("source", "source"), "site": ("station", "station")}
        first, last = (
            local_km(
                scenario[f"{name}_latitude_deg"], scenario[f"{name}_longitude_deg"], self._centre
            )
            for name in names.get(field, ("source", "station"))
        )
        return first, last

    def _columns(self) -> dict[str, slice]:
        """Return the columns of `_features` for each term."""
        sizes = {"form": 1 if self.form == "published" else 7}
        sizes |= dict.fromkeys(self.fields, self.n_functions)
        if len(self._stations):
            sizes["station"] = len(self._stations)
        ends = np.cumsum(list(sizes.values())).tolist()
        return {
            name: slice(end - size, end)
            for (name, size), end in zip(sizes.items(), ends, strict=True)
        }

    def _features(self, scenario: pd.DataFrame) -> Floats:
        """Return the features that are multiplied by the weights, (record, weight)."""
        parts = [ergodic_form(scenario, self.form)]
        for field in self.fields:
            means = self._basis.means(*self._ends(scenario, field))
            parts.append(means * self._growth(scenario, field)[:, None])
        parts.append((station_codes(scenario)[:, None] == self._stations).astype(float))
        return np.concatenate(parts, axis=1)

    def _growth(self, scenario: pd.DataFrame, field: str) -> Floats:
        """Return the factor of the mean of a field, (record,)."""
        if field == "path":
            return (_distance(scenario) / PATH_KM) ** self.path_exponent
        return np.ones(len(scenario))

    def _offset(self, scenario: pd.DataFrame) -> Floats | float:
        """Return the part of ln FAS that is not fitted, (record, frequency)."""
        if self.form == "refitted":
            return 0.0
        return ErgodicGMM().fit(scenario, np.empty(0), self.frequencies).predict(scenario).mean

    # ---- hyperparameters -------------------------------------------------------------------

    def _first_prior(self) -> _Prior:
        terms = [name for name in self._columns() if name != "form"]
        low, high = self._basis.shortest_km, self._basis.longest_km
        length = float(np.clip(_FIRST_LENGTH_KM, low, high))
        return _Prior(
            dict.fromkeys(terms, _FIRST_VARIANCE),
            _FIRST_VARIANCE,
            dict.fromkeys(self.fields, length),
        )

    def _weights(self, prior: _Prior, n_weights: int) -> tuple[Floats, Floats]:
        """Return the prior variances of the weights, and d ln variance / d ln length."""
        variances, slopes = np.ones(n_weights), np.zeros(n_weights)
        columns = self._columns()
        for name, variance in prior.variances.items():
            variances[columns[name]] = variance
        for name, length in prior.lengths.items():
            variances[columns[name]] *= self._basis.variances(length)
            slopes[columns[name]] = self._basis.variance_slopes(length)
        return variances, slopes

    def _best_prior(self, model: MixedModel, start: _Prior) -> _Prior:
        """Return the hyperparameters that maximise the restricted likelihood."""
        columns = self._columns()
        terms, fields = list(start.variances), list(start.lengths)

        def unpack(logarithms: Floats) -> _Prior:
            values = np.exp(logarithms).tolist()
            ratio = values[len(terms)]
            return _Prior(
                dict(zip(terms, values, strict=False)),
                ratio,
                dict(zip(fields, values[len(terms) + 1 :], strict=True)),
            )

        def deviance(logarithms: Floats) -> tuple[float, Floats]:
            prior = unpack(logarithms)
            variances, slopes = self._weights(prior, len(model.free))
            found = model.evidence(variances, prior.ratio)
            by_variance = [found.by_ln_variance[columns[name]].sum() for name in terms]
            by_length = [(found.by_ln_variance * slopes)[columns[name]].sum() for name in fields]
            return found.deviance, np.array([*by_variance, found.by_ln_ratio, *by_length])

        first = [*start.variances.values(), start.ratio, *start.lengths.values()]
        lengths = (self._basis.shortest_km, self._basis.longest_km)
        limits = np.log([_VARIANCES] * (len(terms) + 1) + [lengths] * len(fields))
        best = minimize(
            deviance,
            np.log(first),
            jac=True,
            method="L-BFGS-B",
            bounds=Bounds(*limits.T),
            options={"ftol": 1e-8, "gtol": 0.05},
        )
        return unpack(best.x)

    # ---- prediction ------------------------------------------------------------------------

    def _check_fitted(self) -> None:
        if not self._fitted:
            raise CgmgmError("The model has not been fitted; call fit() first.")

    def _sum_of(self, scenario: pd.DataFrame, names: Sequence[str]) -> Term:
        """Return mean and standard deviation of the sum of the given terms."""
        everything = self._features(scenario)
        features = np.zeros_like(everything)
        for name, columns in self._columns().items():
            if name in names:
                features[:, columns] = everything[:, columns]
        means, sds = [], []
        for prior, posterior in self._fitted:
            means.append(features @ posterior.mean)
            missing = self._missing_variance(scenario, features, prior, names)
            sds.append(np.sqrt(posterior.sd(features) ** 2 + missing * posterior.phi**2))
        return Term(np.stack(means, axis=1), np.stack(sds, axis=1))

    def _missing_variance(
        self, scenario: pd.DataFrame, features: Floats, prior: _Prior, names: Sequence[str]
    ) -> Floats:
        """Return the prior variance not described by the weights, as at new stations."""
        columns = self._columns()
        missing = np.zeros(len(scenario))
        if "station" in names:
            missing += prior.variances["station"] * ~np.isin(
                station_codes(scenario), self._stations
            )
        for name, length in prior.lengths.items():
            if name in names:
                first, last = self._ends(scenario, name)
                full = path_mean_variance(np.hypot(*(last - first).T), length)
                full *= self._growth(scenario, name) ** 2
                held = features[:, columns[name]] ** 2 @ self._basis.variances(length)
                missing += prior.variances[name] * np.maximum(full - held, 0.0)
        return missing


def _distance(scenario: pd.DataFrame) -> Floats:
    return np.maximum(scenario["path_hyp_distance_km"].to_numpy(float), NEAREST_KM)


def ergodic_form(scenario: pd.DataFrame, form: str) -> Floats:
    """Return the terms of the ergodic form (record, coefficient), roughly centred."""
    constant = np.ones(len(scenario))
    if form == "published":
        return constant[:, None]
    magnitude = scenario["source_magnitude"].to_numpy(float) - 3.0
    depth = scenario["source_depth_km"].to_numpy(float) / 10.0 - 1.0
    distance = _distance(scenario) / PATH_KM
    ln_r = np.log(distance)
    terms = [constant, magnitude, magnitude**2, ln_r, distance - 1.0, magnitude * ln_r, depth]
    return np.stack(terms, axis=1)


def station_codes(scenario: pd.DataFrame) -> NDArray[np.str_]:
    """Return network and station code of each record."""
    network = scenario["station_network_code"].astype(str)
    return (network + "." + scenario["station_code"].astype(str)).to_numpy(str)
