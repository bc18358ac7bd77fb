"""What was recorded of an earthquake, read from files, to condition a generator on it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from obspy import Inventory, UTCDateTime

from cgmgm_seis.datasets.records import BAND_HZ, read_observed
from cgmgm_seis.datasets.windows import open_unchecked, read_records
from cgmgm_seis.errors import DatasetError
from cgmgm_seis.evaluation.flatfile import built_in_layout, read_flatfile
from cgmgm_seis.evaluation.measures import (
    horizontals,
    ln_larger_horizontal,
    ln_rotd50,
    rotd50_series,
)
from cgmgm_seis.evaluation.stationlist import read_stationlist
from cgmgm_seis.grid.measures import Measures as AmplitudeMeasures
from cgmgm_seis.measures.response_spectra import period_range, resolved_periods
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.models.conditioned import Measures
from cgmgm_seis.models.conditions import inside_range
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.geography import local_km
from cgmgm_seis.scenario.spans import VALID_END, VALID_START, cut_to_spans, valid_spans
from cgmgm_seis.scenario.stations import receivers
from cgmgm_seis.scenario.table import cross
from cgmgm_seis.scenario.times import read_times

logger = logging.getLogger("cgmgm_seis")

# Differences of epicentre, km, magnitude and origin time, s, below which two rows are of the same
# earthquake.
SAME_KM, SAME_MAGNITUDE, SAME_S = 10.0, 0.5, 60.0
# Frequencies of recorded waveforms that are used, Hz, within the band of recorded motion.
FREQUENCIES = (2.0, 5.0, 10.0)
# Longest period of response spectra that is used, s, the end of that band.
LONGEST_S = 1.0 / BAND_HZ[0]


@dataclass(frozen=True)
class Given:
    """Recorded amplitudes of one earthquake.

    Parameters
    ----------
    values : numpy.ndarray
        Natural logarithms of amplitudes, NaN where unknown, (record, series).
    scenario : pandas.DataFrame
        Scenario table of the records.
    measures : callable
        Returns the natural logarithms (.., series) of velocities (.., component, sample).
    """

    values: Floats
    scenario: pd.DataFrame
    measures: Measures

    def condition(
        self, model: GroundMotionModel, extrapolate: bool | float = False
    ) -> GroundMotionModel:
        """Return a model given these records."""
        return model.condition(self.values, self.scenario, self.measures, extrapolate)

    def chosen(self, rows: NDArray[np.bool_]) -> "Given":
        """Return some of the records."""
        return Given(self.values[rows], self.scenario[rows].reset_index(drop=True), self.measures)


def read_given(
    path: str | Path,
    earthquake: pd.DataFrame,
    model: GroundMotionModel,
    inventory: Inventory | None = None,
    extrapolate: bool | float = False,
) -> Given:
    """Read the records of an earthquake.

    Parameters
    ----------
    path : str or pathlib.Path
        A CSV file of amplitudes (`read_flatfile`; the columns of NGA-West2 are recognised),
        ShakeMap's ``stationlist.json``, the folder of a SeisBench data set, or, with an inventory,
        waveforms in counts.
    earthquake : pandas.DataFrame
        Source columns, one row.
    model : GroundMotionModel
        The model to be conditioned; records outside of its trained ranges are left out.
    inventory : obspy.Inventory, optional
        Responses of the waveforms' instruments.
    extrapolate : bool or float
        Keep the records if only the earthquake is outside of the trained ranges.

    Raises
    ------
    CgmgmError
        If the model cannot be conditioned.
    DatasetError
        If the file cannot be read, or has no usable record of the earthquake.
    """
    model.check_conditionable()
    path = Path(path)
    if path.suffix.lower() == ".csv":
        found = _amplitudes(path, earthquake, model)
    elif path.suffix.lower() == ".json":
        found = _stationlist(path, earthquake, model)
    elif (path / "metadata.csv").is_file():
        found = _dataset(path, earthquake, model)
    elif inventory is not None:
        found = _waveforms(path, earthquake, model, inventory)
    else:
        raise DatasetError(
            f"{path} must be a CSV file of amplitudes, ShakeMap's stationlist.json or the folder "
            "of a SeisBench data set; waveforms in counts need the StationXML of their stations as "
            "well."
        )
    inside = [
        inside_range(found.scenario, column, limits)
        for column, limits in model.ranges.items()
        if not (extrapolate and column.startswith("source_"))
    ]
    used = np.all(inside, axis=0) if inside else np.ones(len(found.scenario), bool)
    if not used.all():
        logger.warning(
            "%d of %d records of %s are outside of the trained ranges and are left out.",
            (~used).sum(),
            len(used),
            path,
        )
    if not used.any():
        raise DatasetError(f"{path} has 0 records within the trained ranges; at least 1 is needed.")
    logger.info("Conditioned on %d records of %s.", used.sum(), path)
    return found.chosen(used)


def _amplitudes(path: Path, earthquake: pd.DataFrame, model: GroundMotionModel) -> Given:
    """Read PGA, PGV and PSA of a flatfile."""
    flatfile = read_flatfile(path, built_in_layout(path))
    rows = _of_earthquake(flatfile.scenario, earthquake, path)
    periods = _used_periods(flatfile.periods, path, model)
    wanted = rotd50_series(periods)
    places = flatfile.names.get_indexer(wanted)
    values = np.full((int(rows.sum()), len(wanted)), np.nan)
    values[:, places >= 0] = flatfile.values[rows][:, places[places >= 0]]
    measures = _of_horizontals(ln_rotd50, periods, path, model)
    return Given(values, flatfile.scenario[rows].reset_index(drop=True), measures)


def _stationlist(path: Path, earthquake: pd.DataFrame, model: GroundMotionModel) -> Given:
    """Read PGA, PGV and PSA of the larger horizontal, of ShakeMap's list of stations."""
    found = read_stationlist(path)
    for reason, count in found.left_out.items():
        logger.warning("%d %s of %s are left out.", count, reason, path)
    if found.n_single:
        logger.warning(
            "%d stations of %s have one horizontal; its amplitudes are used as the larger of two.",
            found.n_single,
            path,
        )
    scenario = cross(earthquake, found.stations.drop(columns="hypocentral_km"))
    # The list does not say of which earthquake it is, but how far that is from the stations.
    apart = (scenario["path_hyp_distance_km"] - found.stations["hypocentral_km"]).abs().median()
    if apart > SAME_KM:
        raise DatasetError(
            f"The hypocentral distances of {path} differ by {apart:.0f} km from those of the given "
            f"earthquake; at most {SAME_KM:g} km are allowed."
        )
    periods = _used_periods(found.periods, path, model)
    used = [True, True, *(period in periods for period in found.periods)]
    measures = _of_horizontals(ln_larger_horizontal, periods, path, model)
    return Given(found.values[:, used], scenario, measures)


def _of_horizontals(
    measures: Callable[..., Floats],
    periods: tuple[float, ...],
    path: Path,
    model: GroundMotionModel,
) -> Measures:
    """Return measures of two horizontals for the components and sampling rate of a model."""
    if not horizontals(model.component_order):
        raise DatasetError(
            f"Amplitudes of {path} are of two horizontals; the model has the components "
            f"{model.component_order}."
        )
    return partial(
        measures,
        component_order=model.component_order,
        sampling_rate=model.sampling_rate,
        periods=periods,
    )


def _used_periods(
    periods: tuple[float, ...], path: Path, model: GroundMotionModel
) -> tuple[float, ...]:
    """Return the periods of response spectra that are used, s."""
    resolved = resolved_periods(periods, model.sampling_rate)
    used = tuple(period for period in resolved if period <= LONGEST_S)
    if left_out := [f"{period:g}" for period in periods if period not in used]:
        logger.info(
            "PSA of %s at %s s is not used: periods must be at least %g s and at most %g s.",
            path,
            ", ".join(left_out),
            period_range(model.sampling_rate)[0],
            LONGEST_S,
        )
    return used


def _dataset(path: Path, earthquake: pd.DataFrame, model: GroundMotionModel) -> Given:
    """Read the records of a SeisBench data set."""
    dataset = open_unchecked(path, model.window)
    rows = _of_earthquake(dataset.metadata, earthquake, path)
    records, scenario = read_records(dataset.filter(rows, inplace=False), model.window)
    return _spectra(records, scenario, model)


def _waveforms(
    path: Path, earthquake: pd.DataFrame, model: GroundMotionModel, inventory: Inventory
) -> Given:
    """Read waveforms in counts, with their valid spans."""
    window, origin = model.window, UTCDateTime(earthquake["source_origin_time"].iloc[0])
    stream = read_observed(
        str(path),
        inventory,
        origin,
        start_offset_s=window.start_offset_s,
        duration_s=window.n_samples / window.sampling_rate,
        sampling_rate=window.sampling_rate,
        band_hz=BAND_HZ,
    )
    start = origin + window.start_offset_s
    scenario = cross(earthquake, receivers(inventory))
    rows, records, spans = [], [], []
    codes = scenario["station_network_code"], scenario["station_code"]
    for row, (network, station) in enumerate(zip(*codes, strict=True)):
        own = stream.select(network=network, station=station)
        traces = [own.select(component=component) for component in window.component_order]
        if not all(traces):
            continue
        # Triggered instruments start late or stop early.
        first = max(
            round((part[0].stats.starttime - start) * window.sampling_rate) for part in traces
        )
        length = min(min(part[0].stats.npts for part in traces), window.n_samples - first)
        record = np.zeros((len(traces), window.n_samples), np.float32)
        for values, part in zip(record, traces, strict=True):
            values[first : first + length] = part[0].data[:length]
        rows.append(row)
        records.append(record)
        spans.append((first, first + length))
    if not rows:
        raise DatasetError(
            f"0 stations of {path} have the components {window.component_order} and coordinates in "
            "the inventory; at least 1 is needed."
        )
    firsts, lasts = zip(*spans, strict=True)
    scenario = scenario.iloc[rows].reset_index(drop=True)
    spanned = scenario.assign(**{VALID_START: firsts, VALID_END: lasts})
    return _spectra(np.stack(records), spanned, model)


def _spectra(
    waveforms: NDArray[np.float32], scenario: pd.DataFrame, model: GroundMotionModel
) -> Given:
    """Return the spectra at `FREQUENCIES` and the PGV of recorded waveforms.

    The likelihood of all coefficients of a spectrogram would trust the model's noise, coda and
    site response more than they deserve at real stations.
    """
    kinds = ("eas" if horizontals(model.component_order) else "fas", "pgv")
    measures = AmplitudeMeasures(model.component_order, model.sampling_rate, kinds, FREQUENCIES)
    spans = valid_spans(scenario, model.n_samples)
    values = measures(cut_to_spans(waveforms, spans, model.sampling_rate))
    return Given(values.astype(float), scenario, measures)


def _of_earthquake(table: pd.DataFrame, earthquake: pd.DataFrame, path: Path) -> NDArray[np.bool_]:
    """Return the rows of an earthquake, found by place, magnitude and, if needed, time."""
    source = earthquake.iloc[0]
    centre = source["source_latitude_deg"], source["source_longitude_deg"]
    places = local_km(table["source_latitude_deg"], table["source_longitude_deg"], centre)
    near = np.hypot(*places.T) < SAME_KM
    apart = (table["source_magnitude"].astype(float) - source["source_magnitude"]).abs()
    found = near & (apart <= SAME_MAGNITUDE).to_numpy()
    events = table["source_id"].astype(str)
    if events[found].nunique() > 1:
        (origin,) = read_times(earthquake["source_origin_time"])
        after = read_times(table["source_origin_time"]) - origin
        found &= (after.dt.total_seconds().abs() < SAME_S).to_numpy()
    if (n_events := events[found].nunique()) != 1:
        raise DatasetError(
            f"{path} has {n_events} earthquakes within {SAME_KM:g} km, {SAME_MAGNITUDE:g} "
            f"magnitudes and {SAME_S:g} s of the given one; exactly 1 is needed."
        )
    return np.asarray(found, bool)
