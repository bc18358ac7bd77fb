"""Summary of the content of a data set and of its use in training."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from seisbench.data import WaveformDataset

from cgmgm_seis.datasets.components import component_hint
from cgmgm_seis.datasets.splitting import event_split
from cgmgm_seis.datasets.units import UNIT_COLUMNS, velocity_factors
from cgmgm_seis.datasets.windows import (
    NEEDED_COLUMNS,
    SPLITS,
    choose_components,
    first_samples,
    open_dataset,
    read_records,
    shortest,
    trace_spans,
    usable_rows,
)
from cgmgm_seis.errors import DatasetError
from cgmgm_seis.measures.intensity import smoothed_fas
from cgmgm_seis.scenario.geography import middle_longitude, unwrapped_longitude
from cgmgm_seis.scenario.seeding import check_seed, random_generator
from cgmgm_seis.scenario.spans import Spans, cut_to_spans, partial, valid_spans
from cgmgm_seis.scenario.table import add_paths
from cgmgm_seis.scenario.window import Window

DEFAULT_WINDOW = Window()
# Number of records that are read for the spectra.
SAMPLED_RECORDS = 200
FREQUENCIES_HZ = np.geomspace(0.5, 40.0, 60)
# Part of the messages about records that are not used.
LEFT_OUT = "records left out"
# Optional columns and their use.
OPTIONAL_COLUMNS = {
    "station_network_code": "names of stations",
    "station_code": "names of stations",
    "station_elevation_m": "StationXML",
    "trace_p_arrival_sample": "picks to compare with",
    "trace_s_arrival_sample": "picks to compare with",
    "trace_snr_db": "signal-to-noise ratios",
    "trace_units": "a check of the units",
    "trace_simulated": "the weight card",
    "split": "a custom split",
}
FLAGS = {
    "trace_simulated": "simulated",
    "trace_clipped": "clipped",
    "trace_has_gaps": "bridged gaps",
    "trace_units_approximate": "approximate amplitudes",
    "source_depth_is_estimated": "estimated depths",
    "source_origin_time_is_placeholder": "placeholder origin times",
    "trace_start_time_is_estimated": "estimated start times",
}


@dataclass(frozen=True)
class Summary:
    """Summary of a data set.

    Attributes
    ----------
    name : str
        Name of the folder.
    table : pandas.DataFrame
        Metadata of the usable records, with the split that training would use.
    lines : list of (str, str)
        Lines of the summary: name and text.
    frequencies : numpy.ndarray
        Hz.
    spectra : numpy.ndarray
        Smoothed FAS of a random selection of records, m/s x s, shape (record, frequency),
        geometric mean of the components.
    spectra_magnitudes : numpy.ndarray
        Magnitudes of these records.
    """

    name: str
    table: pd.DataFrame
    lines: list[tuple[str, str]]
    frequencies: NDArray[np.float64]
    spectra: NDArray[np.float64]
    spectra_magnitudes: NDArray[np.float64]

    def __str__(self) -> str:
        width = max(len(name) for name, _ in self.lines)
        return "\n".join(f"{name:{width}}  {text}" for name, text in self.lines)


def summarise(
    folder: str | Path,
    window: Window | None = None,
    seed: int = 0,
    units: str = "",
) -> Summary:
    """Summarise a data set as it would be used by training with these settings.

    Parameters
    ----------
    folder : str or pathlib.Path
        Data set in SeisBench format.
    window : Window, optional
        Window of the model to be trained; by default `DEFAULT_WINDOW` with the components that most
        records have.
    seed : int
        Random seed of the split and of the selection of records for the spectra.
    units : str
        Unit of the samples if the data set does not state it.

    Raises
    ------
    DatasetError
        If it cannot be read or lacks columns required for training.
    """
    seed = check_seed(seed)
    with _Messages() as said:
        window = window or choose_components(folder, DEFAULT_WINDOW)
        dataset = open_dataset(folder, window)
        metadata = dataset.metadata
        velocity, refusal = _in_velocity(dataset, units)
        rows, _ = usable_rows(metadata, window.component_order, velocity)
        spans = trace_spans(metadata, window)
        covers = _covers(metadata, window) & (np.diff(spans)[:, 0] >= shortest(window))
        covered = rows[covers[rows]]
    table = metadata.iloc[covered].assign(source_id=lambda part: part["source_id"].astype(str))
    table = add_paths(table)
    lines = [
        ("data set", str(Path(folder).resolve())),
        (
            "records",
            f"{len(metadata)} of {metadata['source_id'].nunique()} events; {len(covered)} usable",
        ),
    ]
    if len(rows) > len(covered):
        said.append(f"{len(rows) - len(covered)} records left out: not covering the window.")
    lines += [
        ("left out" if LEFT_OUT in text else "note", text.removesuffix("."))
        for text in dict.fromkeys(said)
    ]
    given = "split" in table
    if len(table):
        if not given:
            table["split"] = event_split(table, seed)
        lines += _ranges(table)
        lines += _said_of_spans(spans[covered], window)
    lines += _formats(dataset, metadata)
    missing = [f"{name} ({use})" for name, use in OPTIONAL_COLUMNS.items() if name not in metadata]
    lines.append(("missing columns", ", ".join(missing) or "none"))
    spectra = np.empty((0, len(FREQUENCIES_HZ)))
    magnitudes = np.empty(0)
    if len(table):
        chosen = random_generator(seed, "summary").permutation(covered)[:SAMPLED_RECORDS]
        some = dataset.filter(np.isin(np.arange(len(metadata)), chosen), inplace=False)
        try:
            with _Messages() as bad:
                waveforms, scenario = read_records(some, window, units=units)
            own = valid_spans(scenario, window.n_samples)
            cut = cut_to_spans(waveforms, own, window.sampling_rate)
            smooth = smoothed_fas(cut, window.sampling_rate, FREQUENCIES_HZ)
            with np.errstate(divide="ignore"):
                spectra = np.exp(np.log(smooth).mean(axis=1))
            magnitudes = scenario["source_magnitude"].to_numpy(float)
            lines += [
                (f"of {len(chosen)} read", text.removesuffix("."))
                for text in bad
                if LEFT_OUT in text
            ]
        except DatasetError as error:
            lines.append(("waveforms", str(error)))
    verdict = f"fail: {refusal}" if refusal else _verdict(table, given, metadata, window)
    lines.append(("train would", verdict.removesuffix(".")))
    return Summary(Path(folder).resolve().name, table, lines, FREQUENCIES_HZ, spectra, magnitudes)


def _covers(metadata: pd.DataFrame, window: Window) -> NDArray[np.bool_]:
    """Return which traces cover the window according to their metadata."""
    first = first_samples(metadata, window)
    if "trace_npts" not in metadata:
        return np.asarray(first >= 0)
    npts = pd.to_numeric(metadata["trace_npts"], errors="coerce").to_numpy(float)
    duration_s = npts / metadata["trace_sampling_rate_hz"].to_numpy(float)
    last = first + window.n_samples
    return np.asarray((first >= 0) & (last <= duration_s * window.sampling_rate + 1.5))


def _said_of_spans(spans: Spans, window: Window) -> list[tuple[str, str]]:
    """Return a line about records that fill only a part of the window, if there are any."""
    shortened = partial(spans, window.n_samples)
    if not shortened.any():
        return []
    seconds = np.diff(spans[shortened]) / window.sampling_rate
    text = (
        f"{shortened.sum()} of {len(spans)} records fill {seconds.min():.3g} to "
        f"{seconds.max():.3g} s of the window of {window.duration_s:g} s"
    )
    return [("valid spans", text)]


def _ranges(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return lines about the ranges of values, the number of picks and the flags."""

    def span(column: str, unit: str) -> str:
        values = table[column].to_numpy(float)
        if column.endswith("longitude_deg"):
            values = unwrapped_longitude(values, middle_longitude(values))
        return f"{np.nanmin(values):.4g} to {np.nanmax(values):.4g}{unit}"

    stations = table[["station_latitude_deg", "station_longitude_deg"]].drop_duplicates()
    lines = [
        ("magnitudes", span("source_magnitude", "")),
        ("depths", span("source_depth_km", " km")),
        ("distances", span("path_ep_distance_km", " km")),
        (
            "epicentres",
            f"latitude {span('source_latitude_deg', '')}, "
            f"longitude {span('source_longitude_deg', '')}",
        ),
        ("stations", f"{len(stations)} locations"),
    ]
    for column, name in (("trace_snr_db", "SNR"), ("station_elevation_m", "elevations")):
        if column in table and table[column].notna().any():
            unit = " dB" if column == "trace_snr_db" else " m"
            lines.append((name, span(column, unit)))
    for phase in "ps":
        column = f"trace_{phase}_arrival_sample"
        if column in table:
            lines.append((f"{phase.upper()} samples", f"{table[column].notna().sum()} records"))
    flags = [
        f"{int(table[column].eq(True).sum())} {text}"
        for column, text in FLAGS.items()
        if column in table and table[column].eq(True).any()
    ]
    return [*lines, *([("flags", ", ".join(flags))] if flags else [])]


def _formats(dataset: WaveformDataset, metadata: pd.DataFrame) -> list[tuple[str, str]]:
    """Return lines about sampling rates, components and units."""
    rates = metadata["trace_sampling_rate_hz"].value_counts()
    orders = metadata["trace_component_order"].value_counts()
    unit = dataset.data_format.get("unit", "not stated")
    lines = [
        ("sampling rates", ", ".join(f"{count} at {rate:g} Hz" for rate, count in rates.items())),
        ("components", ", ".join(f"{count} {order}" for order, count in orders.items())),
        ("units", f"{unit}, response {dataset.data_format.get('instrument_response', '?')}"),
    ]
    for column in metadata.columns.intersection([*UNIT_COLUMNS]):
        counts = metadata[column].fillna("not stated").value_counts()
        lines[-1] = (
            "units",
            f"{lines[-1][1]}; " + ", ".join(f"{count} {name}" for name, count in counts.items()),
        )
    return lines


def _in_velocity(dataset: WaveformDataset, units: str) -> tuple[NDArray[np.bool_], str]:
    """Return which records are in a unit of velocity; or all, and why training refuses them."""
    try:
        return np.isfinite(velocity_factors(dataset, units)), ""
    except DatasetError as error:
        return np.ones(len(dataset), bool), str(error)


def _verdict(table: pd.DataFrame, given: bool, metadata: pd.DataFrame, window: Window) -> str:
    """Return a description of what training would do with the data set."""
    order = window.component_order
    if table.empty:
        orders = metadata["trace_component_order"].astype(str)
        if not orders.map(lambda own: set(order) <= {*own}).any():
            return f"fail: no usable records; {component_hint(orders, {}, order)}"
        return f"fail: no usable records; required columns are {', '.join(NEEDED_COLUMNS)}"
    counts = table["split"].value_counts()
    parts = ", ".join(
        f"{counts.get(name, 0)} {name} "
        f"({table.loc[table['split'] == name, 'source_id'].nunique()} events)"
        for name in SPLITS
    )
    how = "its own split" if given else "a split by event"
    of = "" if order == DEFAULT_WINDOW.component_order else f" of the components {order}"
    text = f"use {len(table)} records{of} with {how}: {parts}"
    shared = table.groupby("source_id")["split"].nunique() > 1
    if shared.any():
        text += f"; {shared.sum()} events are in several splits"
    if not counts.get("train", 0) or not counts.get("dev", 0):
        return f"fail: train and dev need at least 1 record each; it would {text}"
    return text


class _Messages(logging.Handler):
    """Collect the log messages of the package instead of showing them."""

    def __enter__(self) -> list[str]:
        self.said: list[str] = []
        self._logger = logging.getLogger("cgmgm_seis")
        self._before = self._logger.handlers, self._logger.propagate
        self._logger.handlers, self._logger.propagate = [self], False
        return self.said

    def emit(self, record: logging.LogRecord) -> None:
        """Store one message."""
        self.said.append(record.getMessage())

    def __exit__(self, *_: object) -> None:
        self._logger.handlers, self._logger.propagate = self._before
