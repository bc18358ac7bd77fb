"""Import of waveform archives with a catalogue and station metadata as data sets for training."""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from obspy import Catalog, Inventory, Stream, UTCDateTime
from obspy.core.event import Event
from obspy.geodetics import gps2dist_azimuth, locations2degrees
from tqdm.auto import tqdm

from cgmgm_seis.datasets.catalogue_picks import OUTSIDE, CataloguePicks
from cgmgm_seis.datasets.instruments import channel_of, units_source
from cgmgm_seis.datasets.left_out import Fault, unused_waveforms, write_left_out
from cgmgm_seis.datasets.records import (
    MARGIN_S,
    by_preference,
    clipped_peak,
    remove_instrument,
)
from cgmgm_seis.datasets.spans import AFTER_S_S, say_partial, usable_part
from cgmgm_seis.datasets.traces import merge
from cgmgm_seis.datasets.waveform_index import WaveformIndex
from cgmgm_seis.errors import DatasetError
from cgmgm_seis.output.seisbench_writer import DatasetWriter, new_dataset
from cgmgm_seis.scenario.geography import KM_PER_DEGREE
from cgmgm_seis.scenario.obspy_files import NO_VALUE, read_catalog, read_inventory
from cgmgm_seis.scenario.sources import DEPTH_IS_ESTIMATED, catalog_sources
from cgmgm_seis.scenario.spans import VALID_END, VALID_START
from cgmgm_seis.scenario.station_epochs import (
    PLACE,
    STATION,
    epochs_at,
    inventory_epochs,
    report_overlaps,
)
from cgmgm_seis.scenario.streams import is_synthesized
from cgmgm_seis.scenario.table import add_paths
from cgmgm_seis.scenario.travel_times import TravelTimeTable, bay_area_travel_times
from cgmgm_seis.scenario.window import MOST_SAMPLES, Window

logger = logging.getLogger(__name__)

# The noise window ends this time before the P arrival of the 1-D model, because P may be early, s.
NOISE_GUARD_S = 1.0
DEFECT_POLICIES = ("refuse", "flag")

Paths = str | Path | Iterable[str | Path]
Faults = list[Fault]


@dataclass(frozen=True)
class Processing:
    """Processing of raw records.

    Parameters
    ----------
    start_offset_s, duration_s : float
        Window: start relative to the origin time and duration, seconds.
    sampling_rate : float
        Sampling rate of the result, Hz.
    band_hz : tuple of float
        Band without attenuation by the pre-filter of the response removal, Hz: the second and
        third corner of its cosine taper.  The first corner is half of the lower limit; the upper
        limit is at most 0.8, and the last corner at most 0.9 times the smaller Nyquist frequency
        of record and result.
    max_distance_km : float
        Largest epicentral distance of stations.
    min_snr_db : float
        Smallest signal-to-noise ratio; records below are left out.
    gaps, clipping : str
        "refuse" leaves out records with clipping, or with gaps between P and the coda (see
        `cgmgm_seis.datasets.spans.needed_s`); other gaps end the valid span.  "flag" marks them,
        and interpolates gaps linearly.

    Raises
    ------
    DatasetError
        If a value is not valid.
    """

    start_offset_s: float = -5.0
    duration_s: float = 60.0
    sampling_rate: float = 100.0
    band_hz: tuple[float, float] = (0.5, 40.0)
    max_distance_km: float = 100.0
    min_snr_db: float = 3.0
    gaps: str = "refuse"
    clipping: str = "refuse"

    def __post_init__(self) -> None:
        low, high = self.band_hz
        if not 0.0 < low < high:
            raise DatasetError(f"The band {low:g} to {high:g} Hz must satisfy 0 < low < high.")
        for name in ("gaps", "clipping"):
            if getattr(self, name) not in DEFECT_POLICIES:
                raise DatasetError(
                    f"{name} = '{getattr(self, name)}' must be {' or '.join(DEFECT_POLICIES)}."
                )
        for name in ("duration_s", "sampling_rate", "max_distance_km"):
            if not getattr(self, name) > 0.0:
                raise DatasetError(f"{name} = {getattr(self, name):g} must be above 0.")
        if self.start_offset_s > -NOISE_GUARD_S or self.start_offset_s + self.duration_s <= 0.0:
            raise DatasetError(
                f"A window with start_offset_s = {self.start_offset_s:g} and duration_s = "
                f"{self.duration_s:g} is not valid; it must start at least {NOISE_GUARD_S:g} s "
                "before the origin time, for the noise, and end after it."
            )
        if not 1.0 <= (n_samples := self.duration_s * self.sampling_rate) <= MOST_SAMPLES:
            raise DatasetError(
                f"duration_s = {self.duration_s:g} with sampling_rate = {self.sampling_rate:g} Hz "
                f"is {n_samples:g} samples; there must be 1 to {MOST_SAMPLES:,}."
            )

    @property
    def window(self) -> Window:
        """Window of the result."""
        n_samples = round(self.duration_s * self.sampling_rate)
        return Window("ZNE", self.sampling_rate, self.start_offset_s, n_samples)

    def pre_filter(self, sampling_rate: float) -> tuple[float, float, float, float]:
        """Return the corner frequencies of the pre-filter for the sampling rate of a record, Hz.

        Examples
        --------
        >>> Processing().pre_filter(100.0)
        (0.25, 0.5, 40.0, 45.0)
        """
        low, high = self.band_hz
        nyquist = min(sampling_rate, self.sampling_rate) / 2.0
        flat = min(high, 0.8 * nyquist)
        return 0.5 * low, low, flat, min(1.125 * flat, 0.9 * nyquist)


def import_records(
    events: Paths | Catalog,
    inventory: Paths | Inventory,
    waveforms: Paths,
    out: str | Path,
    processing: Processing | None = None,
    travel_times: TravelTimeTable | None = None,
    picker: Any = None,
    overwrite: bool = False,
    progress: bool = False,
) -> pd.DataFrame:
    """Convert raw counts to a SeisBench data set of ground velocity around the origin times.

    For each station, the first usable instrument is selected, in the order HH, BH, HN, others;
    sensors in boreholes come last.  Records that fill only a part of the window, such as triggered
    ones, are used if they cover the arrivals (`cgmgm_seis.datasets.spans.needed_s`); they are zero
    outside their valid span, which the metadata contain, see `cgmgm_seis.scenario.spans`.
    The metadata also contain the selected instrument, the reasons why others were not used, and the
    processing; ``left_out.csv`` in the same folder lists all events, instruments and waveform
    files that were not used, with the reason.

    Parameters
    ----------
    events : path(s) or obspy.Catalog
        QuakeML or another format supported by ObsPy.  Events that are listed more than once are
        used once, see `catalog_sources`.
    inventory : path(s) or obspy.Inventory
        StationXML with responses, or another format supported by ObsPy.
    waveforms : path(s)
        Waveform files in counts, MiniSEED or another format supported by ObsPy, folders of such
        files or SDS archives; see `WaveformIndex`.  Unreadable files are listed and skipped.
    out : str or pathlib.Path
        Folder of the data set.
    processing : Processing, optional
        Window, sampling rate, band and limits.
    travel_times : TravelTimeTable, optional
        Arrival times for the windows of the signal-to-noise ratio; by default those of the Bay
        Area.
    picker : seisbench.models.PhaseNet, optional
        Picker for P and S where the catalogue has no picks; see
        `cgmgm_seis.measures.picks.load_picker`.
    overwrite : bool
        Replace an existing data set.
    progress : bool
        Show a progress bar if stderr is a terminal.

    Returns
    -------
    pandas.DataFrame
        The metadata.

    Raises
    ------
    DatasetError
        If no records are left; the message contains the reasons.
    ScenarioError
        If the catalogue or the inventory cannot be read.
    OutputError
        If ``out`` exists and may not be overwritten, or cannot be written.
    """
    processing = processing or Processing()
    table = travel_times or bay_area_travel_times()
    catalog = events if isinstance(events, Catalog) else read_catalog(events)
    stations = inventory if isinstance(inventory, Inventory) else read_inventory(inventory)
    report_overlaps(inventory_epochs(stations))
    usable, unusable = catalog_sources(catalog)
    left_out: Faults = [(name, "", "", reason) for name, reason in unusable]
    rows: list[dict[str, Any]] = []
    codes = {f"{network.code}.{station.code}" for network in stations for station in network}
    picks = CataloguePicks(codes)
    windows: dict[str, list[tuple[str, UTCDateTime, UTCDateTime]]] = defaultdict(list)
    with new_dataset(out, overwrite) as writer:
        index = WaveformIndex(waveforms, progress)
        bar = tqdm(usable, unit="event", desc="Records", disable=None if progress else True)
        for event, source in bar:
            start = UTCDateTime(source["source_origin_time"]) + processing.start_offset_s
            end = start + processing.duration_s
            found: list[tuple[dict[str, Any], NDArray[np.float32]]] = []
            for station in near_stations(stations, source, processing.max_distance_km):
                window = source["source_id"], start - MARGIN_S, end + MARGIN_S
                windows[_station_name(station)].append(window)
                found += _station_record(
                    source, station, stations, index, processing, table, left_out
                )
            rows += _write_event(writer, event, found, processing, picks, picker)
        picks.say()
        _say_left_out(left_out)
        say_partial(rows, processing.window)
        if usable:
            left_out += unused_waveforms(
                index, codes, windows, rows, left_out, processing.max_distance_km
            )
        left_out += [("", "", name, reason) for name, reason in index.unreadable.items()]
        if not rows:
            reasons = Counter(fault[3] for fault in left_out).most_common(3)
            why = " ".join(f"({count} times) {reason}" for reason, count in reasons)
            raise DatasetError(
                f"No records of the {len(catalog)} event(s) can be used; at least one is needed. "
                f"{why or f'No station within {processing.max_distance_km:g} km has waveforms.'}"
            )
        write_left_out(writer.folder, left_out)
    return pd.DataFrame(rows)


def near_stations(
    inventory: Inventory, source: dict[str, Any], max_distance_km: float
) -> list[dict[str, Any]]:
    """Return the ``station_*`` columns of stations near a source that operated at that time."""
    time = UTCDateTime(source["source_origin_time"])
    place = source["source_latitude_deg"], source["source_longitude_deg"]
    found = epochs_at(inventory_epochs(inventory), time)
    degrees = locations2degrees(*place, *found[PLACE].to_numpy(float).T)
    # Distances on the sphere are within 1 % of the ellipsoid, so that the geodesic is not needed
    # for stations that are much farther away.
    near = found[degrees * KM_PER_DEGREE <= 1.01 * max_distance_km + 1.0]
    return [
        station
        for station in near[STATION].to_dict("records")
        if gps2dist_azimuth(*place, *(station[column] for column in PLACE))[0]
        <= 1000.0 * max_distance_km
    ]


def _station_record(
    source: dict[str, Any],
    station: dict[str, Any],
    inventory: Inventory,
    index: WaveformIndex,
    processing: Processing,
    table: TravelTimeTable,
    left_out: Faults,
) -> Iterator[tuple[dict[str, Any], NDArray[np.float32]]]:
    """Yield the record of the first usable instrument of a station, if any."""
    origin = UTCDateTime(source["source_origin_time"])
    start = origin + processing.start_offset_s
    end = start + processing.duration_s
    name = _station_name(station)
    passed_over: list[str] = []
    instruments = index.read(name, start - MARGIN_S, end + MARGIN_S)
    # Clipped instruments are tried last, and are used and flagged only if no others are available.
    later: list[str] = []
    onsets_s = _onsets_s(source, station, processing, table)
    queue = by_preference(instruments, inventory, start)
    while queue:
        instrument = queue.pop(0)
        traces = instruments[instrument]
        try:
            if instrument not in later and (peak := clipped_peak(traces)):
                if processing.clipping == "flag":
                    later.append(instrument)
                    queue.append(instrument)
                    continue
                raise DatasetError(f"{instrument} is clipped at {peak:.0f} counts.")
            velocity, facts = _velocity(traces, inventory, start, onsets_s, processing)
            row = _row(source, station, velocity, facts, onsets_s, processing)
        except DatasetError as error:
            passed_over.append(str(error))
            left_out.append((source["source_id"], name, instrument, str(error)))
            continue
        row["trace_clipped"] = instrument in later
        row["trace_instruments_passed_over"] = " ".join(passed_over)
        yield row, np.stack([trace.data for trace in velocity]).astype(np.float32)
        return


def _onsets_s(
    source: dict[str, Any],
    station: dict[str, Any],
    processing: Processing,
    table: TravelTimeTable,
) -> tuple[float, float]:
    """Return the P and S times of the 1-D model, seconds after the start of the window."""
    (pair,) = add_paths(pd.DataFrame([source | station])).to_dict("records")
    p, s = table.at(pair["source_depth_km"], pair["path_ep_distance_km"])
    return float(p) - processing.start_offset_s, float(s) - processing.start_offset_s


def _velocity(
    traces: Stream,
    inventory: Inventory,
    start: UTCDateTime,
    onsets_s: tuple[float, float],
    processing: Processing,
) -> tuple[Stream, dict[str, Any]]:
    """Return the velocity of an instrument in the window, and metadata of its processing."""
    name = traces[0].id[:-1]
    merged = merge(traces, "interpolate")
    rate = merged[0].stats.sampling_rate
    pre_filter = processing.pre_filter(rate)
    window, bridged = processing.window, processing.gaps == "flag"
    part, (begin, finish) = usable_part(
        traces, start, onsets_s, window, pre_filter[1], bridge_gaps=bridged
    )
    merged.trim(*part)
    if any(np.ptp(trace.data) == 0 for trace in merged):
        raise DatasetError(f"{name} has a component with constant samples.")
    peak = max(float(np.abs(trace.data).max()) for trace in merged)
    velocity = remove_instrument(merged, inventory, start, processing.sampling_rate, pre_filter)
    last = start + (window.n_samples - 1) / window.sampling_rate
    velocity.trim(start, last, pad=True, fill_value=0.0)
    if "".join(trace.stats.component for trace in velocity) != "ZNE" or any(
        trace.stats.npts != window.n_samples for trace in velocity
    ):
        raise DatasetError(f"{name} does not cover the window with all components Z, N and E.")
    for trace in velocity:
        trace.data[:begin] = trace.data[finish:] = 0.0
    gaps_s = [gap[6] for gap in traces.get_gaps() if gap[5] > start and gap[4] < last]
    gap_s = float(sum(gap for gap in gaps_s if gap > 0.0)) if bridged else 0.0
    channel = channel_of(merged[0], inventory, start)
    facts = {
        "station_sensor_depth_m": float("nan")
        if channel.depth == NO_VALUE
        else float(channel.depth),
        "trace_units_source": units_source(channel),
        VALID_START: begin,
        VALID_END: finish,
        "trace_sampling_rate_original_hz": rate,
        "trace_prefilter_hz": ",".join(f"{corner:g}" for corner in pre_filter),
        "trace_f_min_hz": pre_filter[1],
        "trace_f_max_hz": pre_filter[2],
        "trace_has_gaps": bool(gap_s),
        "trace_gap_s": gap_s,
        "trace_peak_counts": peak,
        "trace_source_channels": " ".join(trace.id for trace in merged),
        "trace_simulated": any(is_synthesized(inventory, trace) for trace in merged),
    }
    return velocity, facts


def _row(
    source: dict[str, Any],
    station: dict[str, Any],
    velocity: Stream,
    facts: dict[str, Any],
    onsets_s: tuple[float, float],
    processing: Processing,
) -> dict[str, Any]:
    """Return the metadata of a record, or raise an error if its signal is too weak."""
    stats = velocity[0].stats
    start = UTCDateTime(source["source_origin_time"]) + processing.start_offset_s
    source = {DEPTH_IS_ESTIMATED: False} | source
    (pair,) = add_paths(pd.DataFrame([source | station])).to_dict("records")
    row = {str(column): value for column, value in pair.items()}
    snr = _snr_db(
        np.stack([trace.data for trace in velocity]),
        (facts[VALID_START], facts[VALID_END]),
        onsets_s,
        processing.sampling_rate,
    )
    name = f"{stats.network}.{stats.station}.{stats.location}.{stats.channel[:2]}"
    if not snr >= processing.min_snr_db:
        raise DatasetError(
            f"{name} has a signal-to-noise ratio of {snr:.1f} dB; it must be at least "
            f"{processing.min_snr_db:g} dB."
        )
    row |= {
        "station_location_code": stats.location,
        "trace_channel": stats.channel[:2],
        "trace_start_time": str(start),
        "trace_sampling_rate_hz": processing.sampling_rate,
        "trace_npts": stats.npts,
        "trace_units": "m/s",
        "trace_snr_db": snr,
        "trace_pgv_mps": max(float(np.abs(trace.data).max()) for trace in velocity),
    }
    return row | facts


def _snr_db(
    record: NDArray[Any],
    span: tuple[int, int],
    onsets_s: tuple[float, float],
    sampling_rate: float,
) -> float:
    """Return the ratio in dB of the mean power from P to 10 s after S to that of the noise.

    Parameters
    ----------
    record : numpy.ndarray
        Shape (component, sample).
    span : tuple of int
        First valid sample, and the one after the last.
    onsets_s : tuple of float
        Predicted P and S times, seconds after the first sample.
    sampling_rate : float
        Hz.
    """
    p, s = onsets_s
    first, last = span
    noise = record[:, first : max(int((p - NOISE_GUARD_S) * sampling_rate), first + 2)]
    end = min(int((s + AFTER_S_S) * sampling_rate), last)
    signal = record[:, int(p * sampling_rate) : end]
    powers = [np.mean(part**2) if part.size else 0.0 for part in (signal, noise)]
    with np.errstate(divide="ignore"):
        return float(10.0 * np.log10(powers[0] / powers[1])) if powers[1] else float("nan")


def _write_event(
    writer: DatasetWriter,
    event: Event,
    found: list[tuple[dict[str, Any], NDArray[np.float32]]],
    processing: Processing,
    picks: CataloguePicks,
    picker: Any,
) -> list[dict[str, Any]]:
    """Add picks to the records of one event and write them."""
    if not found:
        return []
    times = picks.of(event, {_station_name(row) for row, _ in found})
    automatic = None
    if picker is not None:
        from cgmgm_seis.measures.picks import pick

        records = np.stack([record for _, record in found])
        spans = np.array([[row[VALID_START], row[VALID_END]] for row, _ in found])
        automatic = pick(picker, records, processing.sampling_rate, spans=spans)
    for number, (row, record) in enumerate(found):
        start, sources = UTCDateTime(row["trace_start_time"]), set()
        for phase in "ps":
            sample = float("nan")
            if (time := times.get((_station_name(row), phase))) is not None:
                sample = (time - start) * processing.sampling_rate
                if not 0.0 <= sample < row["trace_npts"]:
                    picks.unused[OUTSIDE] += 1
                    sample = float("nan")
            if np.isfinite(sample):
                sources.add("catalogue")
            elif automatic is not None:
                sample = automatic[f"{phase}_s"].iloc[number] * processing.sampling_rate
                sources |= {"PhaseNet"} if np.isfinite(sample) else set()
            row[f"trace_{phase}_arrival_sample"] = sample
        row["trace_pick_source"] = " and ".join(sorted(sources))
        writer.add(row, record)
    return [row for row, _ in found]


def _station_name(row: dict[str, Any]) -> str:
    return f"{row['station_network_code']}.{row['station_code']}"


def _say_left_out(left_out: Faults) -> None:
    """Log how many instruments were left out, with one example of each kind of reason."""
    instruments = sorted(fault for fault in left_out if fault[2] and fault[0])
    kinds: dict[str, list[str]] = defaultdict(list)
    for *_, instrument, reason in instruments:
        kinds[" ".join(reason.removeprefix(instrument).split()[:3])].append(reason)
    for reasons in kinds.values():
        logger.info("%d instrument(s) left out, for example: %s", len(reasons), reasons[0])
