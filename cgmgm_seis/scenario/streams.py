"""Generated records as ObsPy objects: Stream, Inventory and Catalog.

Channels follow the FDSN's source identifiers: the band code of the sampling rate, X (generated; N
for acceleration) and the component; the location code is the realization.
"""

import re
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from obspy import Catalog, Inventory, Stream, Trace, UTCDateTime
from obspy.core import AttribDict
from obspy.core.event import Event, Magnitude, Origin, ResourceIdentifier
from obspy.core.inventory import Channel, Comment, Network, Response, Site, Station
from obspy.geodetics import gps2dist_azimuth

from cgmgm_seis.errors import OutputError, ScenarioError
from cgmgm_seis.scenario.columns import SOURCE_COLUMNS
from cgmgm_seis.scenario.quantities import Quantity, find_quantity
from cgmgm_seis.scenario.sources import MAGNITUDE_TYPE
from cgmgm_seis.scenario.window import Window

# FDSN band codes of records with a corner period of 10 s or more, by lowest rate in Hz.
BAND_CODES = {1000.0: "F", 250.0: "C", 80.0: "H", 10.0: "B", 1.5: "M", 0.0: "L"}
# StationXML's azimuth and dip of a component, degrees.
ORIENTATIONS = {"Z": (0.0, -90.0), "N": (0.0, 0.0), "E": (90.0, 0.0)}
# StationXML's type of a channel that was computed and not recorded.
SYNTHESIZED = "SYNTHESIZED"
_UNIT_NAMES = {"M/S**2": "metres per second squared", "M/S": "metres per second", "M": "metres"}
MAX_REALIZATIONS = 36**2


def channel_code(component: str, sampling_rate: float, quantity: str = "velocity") -> str:
    """Return the channel code of a generated component.

    Examples
    --------
    >>> channel_code("Z", 100.0), channel_code("Z", 100.0, "acceleration")
    ('HXZ', 'HNZ')
    """
    band = next(code for lowest, code in BAND_CODES.items() if sampling_rate >= lowest)
    return f"{band}{find_quantity(quantity).instrument_code}{component}"


def location_code(realization: int) -> str:
    """Return the location code of a realization: two base-36 characters, 00 to ZZ.

    Examples
    --------
    >>> location_code(35)
    '0Z'
    """
    return np.base_repr(realization, 36).zfill(2)


def to_stream(
    waveforms: NDArray[np.floating],
    scenario: pd.DataFrame,
    window: Window,
    processing: str | None = None,
    quantity: str = "velocity",
) -> Stream:
    """Convert an array of records to an ObsPy Stream.

    Parameters
    ----------
    waveforms : numpy.ndarray
        Ground motion, shape (record, realization, component, sample).
    scenario : pandas.DataFrame
        Scenario table with one row per record.
    window : Window
        Window of the records.
    processing : str, optional
        What made the records: the first entry of ``stats.processing``, where ObsPy appends what
        is done to a trace later.
    quantity : str
        Quantity of the waveforms: "velocity" (m/s), "acceleration" (m/s2) or "displacement" (m).

    Returns
    -------
    obspy.Stream
        Traces ordered by record, realization and component, float32.  ``stats`` contain
        ``coordinates`` (latitude, longitude, elevation in metres), ``distance`` (epicentral,
        metres), ``back_azimuth`` (degrees) and ``quantity``.

    Raises
    ------
    OutputError
        If there are more realizations than location codes, a code is empty or not printable, or
        two rows have the same channel at the same time.

    Notes
    -----
    ObsPy cuts network codes longer than 2 and station codes longer than 5 characters when it writes
    MiniSEED; `cgmgm_seis.scenario.codes.check_format_codes` refuses them.

    Examples
    --------
    >>> from cgmgm_seis.scenario.table import from_points
    >>> table = from_points(4.5, (37.938, -122.057), [(37.876, -122.236)])
    >>> zeros = np.zeros((1, 2, 3, 6000), np.float32)
    >>> stream = to_stream(zeros, table, Window("ZNE", 100.0, -5.0, 6000))
    >>> print(stream[-1].id, stream[-1].stats.starttime)
    SY.V0000.01.HXE 2019-12-31T23:59:55.000000Z
    """
    n_records, n_realizations, *shape = waveforms.shape
    if [n_records, *shape] != [len(scenario), len(window.component_order), window.n_samples]:
        raise OutputError(
            f"waveforms of shape {waveforms.shape} do not match {len(scenario)} scenario rows, the "
            f"components {window.component_order} and {window.n_samples} samples; the axes must be "
            "record, realization, component, sample."
        )
    if n_realizations > MAX_REALIZATIONS:
        raise OutputError(
            f"{n_realizations} realizations are too many; there are location codes (00 to ZZ) for "
            f"at most {MAX_REALIZATIONS}."
        )
    _check_codes(scenario, window.duration_s)
    samples = np.asarray(waveforms, dtype=np.float32)
    traces = []
    for row, record in zip(scenario.to_dict(orient="records"), samples, strict=True):
        header = {
            "network": row["station_network_code"],
            "station": row["station_code"],
            "sampling_rate": window.sampling_rate,
            "starttime": UTCDateTime(row["source_origin_time"]) + window.start_offset_s,
            "quantity": quantity,
            "distance": row["path_ep_distance_km"] * 1000.0,
            "back_azimuth": gps2dist_azimuth(
                row["source_latitude_deg"],
                row["source_longitude_deg"],
                row["station_latitude_deg"],
                row["station_longitude_deg"],
            )[2],
        }
        coordinates = {
            "latitude": row["station_latitude_deg"],
            "longitude": row["station_longitude_deg"],
            "elevation": row["station_elevation_m"],
        }
        for realization, components in enumerate(record):
            for component, data in zip(window.component_order, components, strict=True):
                trace = Trace(np.ascontiguousarray(data), header)
                trace.stats.location = location_code(realization)
                trace.stats.channel = channel_code(component, window.sampling_rate, quantity)
                trace.stats.coordinates = AttribDict(coordinates)
                if processing:
                    trace.stats.processing = [processing]
                traces.append(trace)
    return Stream(traces)


def to_inventory(stream: Stream, comment: str, gain: float = 1.0) -> Inventory:
    """Return an inventory that describes the channels of a generated Stream.

    Parameters
    ----------
    stream : obspy.Stream
        A Stream created by `to_stream`.
    comment : str
        Origin of the records: model, weights version, seed, scenario.  It is added to every
        channel.
    gain : float
        Counts per SI unit of the files that the inventory describes.

    Returns
    -------
    obspy.Inventory
        One channel per trace id, with a flat response to the quantity of its trace, in SI units.
        Channels have the epoch of the records; stations have none, so that they can be the
        receivers of another earthquake.

    Examples
    --------
    >>> from cgmgm_seis.scenario.table import from_points
    >>> table = from_points(4.5, (37.938, -122.057), [(37.876, -122.236)])
    >>> zeros = np.zeros((1, 1, 3, 6000), np.float32)
    >>> stream = to_stream(zeros, table, Window("ZNE", 100.0, -5.0, 6000))
    >>> to_inventory(stream, "CGMGM, seed 1").get_contents()["channels"]
    ['SY.V0000.00.HXE', 'SY.V0000.00.HXN', 'SY.V0000.00.HXZ']
    """
    start = min(trace.stats.starttime for trace in stream)
    end = max(trace.stats.endtime for trace in stream)
    networks: dict[str, dict[str, Station]] = {}
    described = set()
    for trace in stream:
        if trace.id in described:
            continue
        described.add(trace.id)
        stats = trace.stats
        place = dict(stats.coordinates)
        stations = networks.setdefault(stats.network, {})
        if stats.station not in stations:
            stations[stats.station] = Station(
                stats.station,
                **place,
                site=Site(f"Receiver {stats.network}.{stats.station} of generated seismograms"),
            )
        azimuth, dip = ORIENTATIONS[stats.component]
        quantity = find_quantity(stats.quantity)
        stations[stats.station].channels.append(
            Channel(
                stats.channel,
                stats.location,
                **place,
                depth=0.0,
                azimuth=azimuth,
                dip=dip,
                types=[SYNTHESIZED],
                sample_rate=stats.sampling_rate,
                start_date=start,
                end_date=end,
                description=f"Generated ground {quantity.name}, realization {stats.location}",
                comments=[Comment(comment)],
                response=_flat_response(quantity, gain),
            )
        )
    return Inventory(
        [Network(code, list(stations.values())) for code, stations in networks.items()],
        source="cgmgm-seis",
    )


def is_synthesized(inventory: Inventory, trace: Trace) -> bool:
    """Return whether a trace is of a channel that StationXML gives the type SYNTHESIZED.

    The channels of `to_inventory` are; networks use the type for computed channels, too.

    Examples
    --------
    >>> from cgmgm_seis.scenario.table import from_points
    >>> table = from_points(4.5, (37.938, -122.057), [(37.876, -122.236)])
    >>> zeros = np.zeros((1, 1, 3, 6000), np.float32)
    >>> stream = to_stream(zeros, table, Window("ZNE", 100.0, -5.0, 6000))
    >>> is_synthesized(to_inventory(stream, "CGMGM, seed 1"), stream[0])
    True
    """
    stats = trace.stats
    codes = stats.network, stats.station, stats.location, stats.channel
    return any(
        SYNTHESIZED in (channel.types or ())
        for network in inventory.select(*codes, time=stats.starttime)
        for station in network
        for channel in station
    )


def to_catalog(scenario: pd.DataFrame) -> Catalog:
    """Return the sources of a scenario as an ObsPy catalogue, depths in metres.

    The last part of an event's resource identifier is its ``source_id``, so that
    `from_event_and_inventory` returns the same table.  Magnitudes have the type in the column
    ``source_magnitude_type``, and none if it is unknown; without the column they are Mw.

    Raises
    ------
    ScenarioError
        If rows with the same ``source_id`` have different source parameters.

    Examples
    --------
    >>> from cgmgm_seis.scenario.table import from_points
    >>> catalog = to_catalog(from_points(4.5, (37.938, -122.057), depth_km=12.5))
    >>> catalog[0].preferred_origin().depth
    12500.0
    """
    sources = scenario.drop_duplicates(list(SOURCE_COLUMNS))
    repeated = sources["source_id"][sources["source_id"].duplicated()]
    if len(repeated):
        raise ScenarioError(
            f"Source {repeated.iloc[0]} has more than one location, time or magnitude; only one of "
            "each is allowed."
        )
    return Catalog(
        [_event(row) for row in sources.to_dict(orient="records")],
        resource_id=ResourceIdentifier("smi:local/cgmgm-seis/catalog"),
    )


def _event(row: Mapping[Hashable, Any]) -> Event:
    """Return the event of a scenario row, with identifiers derived from its source_id."""
    name = re.sub(r"[^\w.~-]", "_", str(row["source_id"]), flags=re.ASCII)
    prefix = f"smi:local/cgmgm-seis/{{}}/{name}"
    origin = Origin(
        resource_id=ResourceIdentifier(prefix.format("origin")),
        time=UTCDateTime(row["source_origin_time"]),
        latitude=row["source_latitude_deg"],
        longitude=row["source_longitude_deg"],
        depth=row["source_depth_km"] * 1000.0,
    )
    magnitude = Magnitude(
        resource_id=ResourceIdentifier(prefix.format("magnitude")),
        mag=row["source_magnitude"],
        magnitude_type=_magnitude_type(row),
        origin_id=origin.resource_id,
    )
    return Event(
        resource_id=ResourceIdentifier(prefix.format("event")),
        event_type="earthquake",
        origins=[origin],
        magnitudes=[magnitude],
        preferred_origin_id=origin.resource_id,
        preferred_magnitude_id=magnitude.resource_id,
    )


def _magnitude_type(row: Mapping[Hashable, Any]) -> str | None:
    """Return the type of a row's magnitude, or None if it is unknown."""
    found = row.get(MAGNITUDE_TYPE, "Mw")
    return None if pd.isna(found) or found in ("", "unknown") else str(found)


def set_gain(response: Response, gain: float) -> None:
    """Set the gain of a flat response, counts per unit of ground motion."""
    response.instrument_sensitivity.value = gain
    response.instrument_sensitivity.output_units = "COUNTS"
    stage = response.response_stages[0]
    stage.stage_gain, stage.output_units = gain, "COUNTS"


def _flat_response(quantity: Quantity, gain: float) -> Response:
    """Return the response of records that are already ground motion."""
    unit = quantity.stationxml_unit
    response = Response.from_paz([], [], 1.0, input_units=unit, output_units=unit)
    described = f"{quantity.name.capitalize()} in {_UNIT_NAMES[unit]}"
    response.instrument_sensitivity.input_units_description = described
    if gain != 1.0:
        set_gain(response, gain)
    return response


def _check_codes(scenario: pd.DataFrame, duration_s: float) -> None:
    """Raise an error for codes that no format can hold and for overlapping records."""
    for column in ("station_network_code", "station_code"):
        for code in scenario[column].astype(str).unique():
            if not code.strip() or not code.isprintable():
                raise OutputError(
                    f"{column} = {code!r} must have at least one printable character."
                )
    times = pd.DataFrame(
        {
            "code": scenario["station_network_code"] + "." + scenario["station_code"],
            "time": [UTCDateTime(time).timestamp for time in scenario["source_origin_time"]],
        }
    ).sort_values(["code", "time"])
    overlapping = times.groupby("code")["time"].diff() < duration_s
    if overlapping.any():
        raise OutputError(
            f"Station {times['code'][overlapping].iloc[0]} has two records at the same time; a "
            "channel can contain only one."
        )
