"""Requests to IRIS Syngine's interface, turned into a scenario and what is wanted of it."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import pandas as pd
from obspy import UTCDateTime

from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.scenario.codes import check_format_codes
from cgmgm_seis.scenario.quantities import QUANTITIES
from cgmgm_seis.scenario.sources import DEFAULT_DEPTH_KM, source
from cgmgm_seis.scenario.stations import receivers
from cgmgm_seis.scenario.table import cross
from cgmgm_seis.serve.limits import Limits, RequestError
from cgmgm_seis.serve.moment import requested_magnitude
from cgmgm_seis.serve.parameters import Parameters, as_time, body_lines, matches

# Defaults of Syngine's documentation; the codes are those of receivers given by coordinates.
ORIGIN_TIME = UTCDateTime(1900, 1, 1)
NETWORK, STATION, LOCATION, KERNEL_WIDTH = "XX", "S{:04d}", "SE", 12
# MiniSEED and ObsPy's times in nanoseconds hold these years.
YEARS = (1900, 2200)
MOST_SEED = 2**63 - 1
# Most samples of an answer for one of the model.
MOST_UPSAMPLING = 10.0
NAMES = (
    "model",
    "network",
    "station",
    "receiverlatitude",
    "receiverlongitude",
    "networkcode",
    "stationcode",
    "locationcode",
    "eventid",
    "sourcelatitude",
    "sourcelongitude",
    "sourcedepthinmeters",
    "magnitude",
    "sourcemomenttensor",
    "sourcedoublecouple",
    "sourceforce",
    "origintime",
    "starttime",
    "endtime",
    "label",
    "components",
    "units",
    "scale",
    "dt",
    "kernelwidth",
    "format",
    "nodata",
    "seed",
)
_RECEIVER = ("network", "station", "receiverlatitude", "receiverlongitude")
_COORDINATES = ("station_latitude_deg", "station_longitude_deg")
_CODES = ("networkcode", "stationcode", "locationcode")
_BULK_CODES = {"NETCODE": "networkcode", "STACODE": "stationcode", "LOCCODE": "locationcode"}
_MOST_OFFSET = 1e6
_PHASE = re.compile(r"([PS])([+-]\d+(?:\.\d*)?)?", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


@dataclass(frozen=True)
class Wanted:
    """A request: the scenario and what is wanted of its records.

    Parameters
    ----------
    model : GroundMotionModel
        The generator.
    scenario : pandas.DataFrame
        Scenario table; ``station_location_code`` is the location code of the answer.
    magnitude_note : str
        Where the magnitude is from.
    spans : list of (float, float)
        Start and end of every row, s after the origin time.
    components : str
        Some of Z, N, E, R and T.
    quantity : str
        "displacement", "velocity" or "acceleration".
    scale : float
        Factor of the amplitudes.
    dt : float
        Sampling interval, s.
    kernel_width : int
        Half width of the kernel of the interpolation, samples of the model.
    sac : bool
        Whether the answer is a zip archive of SAC files, not MiniSEED.
    label : str
        Beginning of the names of files.
    seed : int
        Random seed.
    """

    model: GroundMotionModel
    scenario: pd.DataFrame
    magnitude_note: str
    spans: list[tuple[float, float]]
    components: str
    quantity: str
    scale: float
    dt: float
    kernel_width: int
    sac: bool
    label: str
    seed: int


def from_query(
    given: Iterable[tuple[str, str]],
    models: Mapping[str, GroundMotionModel],
    stations: pd.DataFrame,
    limits: Limits,
) -> Wanted:
    """Return what the parameters of a GET request want.

    Parameters
    ----------
    given : iterable of (str, str)
        Names and values of the query.
    models : mapping
        Model by its name in lower case.
    stations : pandas.DataFrame
        Receivers that ``network`` and ``station`` choose from.
    limits : Limits
        The largest request that is answered.
    """
    parameters = Parameters(given, NAMES)
    if any(name in parameters for name in ("receiverlatitude", "receiverlongitude")):
        both = parameters.required("receiverlatitude"), parameters.required("receiverlongitude")
        if any(name in parameters for name in ("network", "station")):
            raise RequestError("Give either network and station or the receiver's coordinates.")
        codes = {name: parameters.text(name) for name in _CODES if name in parameters}
        places = [_virtual(1, *both, codes)]
    elif any(name in parameters for name in ("network", "station")):
        places = _known(stations, parameters.text("network"), parameters.text("station"))
        for place in places:
            place["station_location_code"] = _location(parameters.text("locationcode", LOCATION))
    else:
        raise RequestError(
            "The receiver is missing: give receiverlatitude and receiverlongitude, or network and "
            "station."
        )
    return _wanted(parameters, pd.DataFrame(places), models, limits)


def from_bulk(
    body: str,
    models: Mapping[str, GroundMotionModel],
    stations: pd.DataFrame,
    limits: Limits,
) -> Wanted:
    """Return what the body of a POST request wants: lines of parameters, then of receivers.

    A receiver is ``latitude longitude [NETCODE=..] [STACODE=..] [LOCCODE=..]`` or
    ``network station``.
    """
    given, lines = body_lines(body)
    limits.check_stations(len(lines))
    places: dict[tuple[str, str], dict[str, object]] = {}
    for number, line in enumerate(lines, 1):
        for place in _bulk_line(line, number, stations):
            key = str(place["station_network_code"]), str(place["station_code"])
            first = places.setdefault(key, place)
            if any(first[column] != place[column] for column in _COORDINATES):
                raise RequestError(f"Receiver {'.'.join(key)} is given twice; use other codes.")
    if not places:
        raise RequestError("The body has no line with a receiver; at least one is needed.")
    parameters = Parameters(given, NAMES)
    for name in (*_RECEIVER, *_CODES):
        if name in parameters:
            raise RequestError(f"Parameter '{name}' belongs in a receiver's line of the body.")
    return _wanted(parameters, pd.DataFrame(list(places.values())), models, limits)


def _bulk_line(line: str, number: int, stations: pd.DataFrame) -> list[dict[str, object]]:
    """Return the receivers of one line of a body."""
    words, codes = line.split(), {}
    for word in words[2:]:
        name, _, value = word.partition("=")
        if name.upper() not in _BULK_CODES:
            raise RequestError(
                f"'{line[:80]}' is not a receiver such as '37.9 -122.1 NETCODE=XX' or 'BK BKS'."
            )
        codes[_BULK_CODES[name.upper()]] = value
    if len(words) >= 2 and all(_NUMBER.fullmatch(word) for word in words[:2]):
        return [_virtual(number, float(words[0]), float(words[1]), codes)]
    if len(words) != 2:
        raise RequestError(
            f"'{line[:80]}' is not a receiver such as '37.9 -122.1 NETCODE=XX' or 'BK BKS'."
        )
    return _known(stations, *words)


def _virtual(
    number: int, latitude: float, longitude: float, codes: Mapping[str, str]
) -> dict[str, object]:
    """Return a receiver given by its coordinates."""
    return {
        "station_network_code": codes.get("networkcode", NETWORK),
        "station_code": codes.get("stationcode", STATION.format(number)),
        "station_location_code": _location(codes.get("locationcode", LOCATION)),
        "station_latitude_deg": latitude,
        "station_longitude_deg": longitude,
        "station_elevation_m": 0.0,
    }


def _known(stations: pd.DataFrame, network: str, station: str) -> list[dict[str, object]]:
    """Return the receivers of the server whose codes match patterns."""
    chosen = [
        row | {"station_location_code": LOCATION}
        for row in stations.to_dict(orient="records")
        if matches(row["station_network_code"], network) and matches(row["station_code"], station)
    ]
    if not chosen:
        raise RequestError(
            f"network = '{network[:40]}' and station = '{station[:40]}' match none of this "
            f"server's {len(stations)} stations; give coordinates, or other codes."
        )
    return [{str(name): value for name, value in row.items()} for row in chosen]


def _location(code: str) -> str:
    """Return a location code, empty for two dashes."""
    code = "" if code == "--" else code
    if not re.fullmatch(r"[A-Za-z0-9]{0,2}", code):
        raise RequestError(f"locationcode = '{code[:40]}' must have 0 to 2 letters or digits.")
    return code


def _wanted(
    parameters: Parameters,
    places: pd.DataFrame,
    models: Mapping[str, GroundMotionModel],
    limits: Limits,
) -> Wanted:
    """Combine receivers with the other parameters."""
    limits.check_stations(len(places))
    if "eventid" in parameters:
        raise RequestError(
            "eventid cannot be answered, because this server has no catalogue of mechanisms; give "
            "sourcelatitude, sourcelongitude, sourcedepthinmeters and magnitude."
        )
    if "model" not in parameters:
        raise RequestError(f"Parameter 'model' is missing; it is one of {', '.join(models)}.")
    model = models[parameters.choice("model", list(models), "")]
    rate = model.sampling_rate
    magnitude, note = requested_magnitude(parameters)
    origin = parameters.time("origintime", ORIGIN_TIME)
    if not YEARS[0] <= origin.year <= YEARS[1]:
        raise RequestError(f"origintime = {origin} must be in {YEARS[0]} to {YEARS[1]}.")
    earthquake = source(
        magnitude,
        parameters.required("sourcelatitude"),
        parameters.required("sourcelongitude"),
        parameters.number("sourcedepthinmeters", DEFAULT_DEPTH_KM * 1000.0) / 1000.0,
        origin,
    )
    scenario = cross(earthquake, receivers(places))
    sac = parameters.choice("format", ("miniseed", "saczip"), "miniseed") == "saczip"
    check_format_codes(scenario, "mseed")
    model.check_ranges(scenario)
    dt = parameters.number("dt", 1.0 / rate, 1.0 / rate / MOST_UPSAMPLING, 1.0 / rate)
    components = _components(parameters.text("components"), model)
    spans = _spans(parameters, scenario, model, origin)
    limits.check_samples(
        round(sum(end - start for start, end in spans) / dt) * len(components)
        + len(scenario) * len(model.component_order) * model.n_samples
    )
    return Wanted(
        model=model,
        scenario=scenario,
        magnitude_note=note,
        spans=spans,
        components=components,
        quantity=parameters.choice("units", list(QUANTITIES), "displacement"),
        scale=parameters.number("scale", 1.0),
        dt=dt,
        kernel_width=parameters.integer("kernelwidth", KERNEL_WIDTH, 1, 64),
        sac=sac,
        label=_label(parameters.text("label")),
        seed=parameters.integer("seed", 0, 0, MOST_SEED),
    )


def _components(text: str, model: GroundMotionModel) -> str:
    """Return the components wanted; R and T are made of N and E."""
    order = model.component_order
    allowed = order + ("RT" if {"N", "E"} <= set(order) else "")
    wanted = (text or order).upper().replace(",", "")
    if len(set(wanted)) < len(wanted) or set(wanted) - set(allowed):
        raise RequestError(f"components = '{text[:40]}' must be some of {allowed}, each once.")
    return wanted


def _label(text: str) -> str:
    """Return a label, which is a part of file names."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]{0,64}", text) or text.startswith("."):
        raise RequestError(
            f"label = '{text[:40]}' must have at most 64 letters, digits, '_', '-' or '.', and "
            "must not begin with '.'."
        )
    return text


def _spans(
    parameters: Parameters, scenario: pd.DataFrame, model: GroundMotionModel, origin: UTCDateTime
) -> list[tuple[float, float]]:
    """Return start and end of every row, s after the origin time, within the model's window."""
    window = model.window
    onsets = dict(zip("PS", model.onsets(scenario), strict=True))
    starts, ends = parameters.text("starttime"), parameters.text("endtime")
    spans = []
    for row in range(len(scenario)):
        onset = {phase: float(times[row]) for phase, times in onsets.items()}
        start = _offset("starttime", starts, origin, 0.0, onset.__getitem__)
        start = window.start_offset_s if start is None else start
        end = _offset("endtime", ends, origin, start, onset.__getitem__)
        end = window.end_offset_s if end is None else end
        window.select(None, start, end - start)  # raises an error outside the window
        spans.append((start, end))
    return spans


def _offset(
    name: str, text: str, origin: UTCDateTime, base: float, onset: Callable[[str], float]
) -> float | None:
    """Return a time in s after the origin time; a number counts from `base`."""
    if not text:
        return None
    if _NUMBER.fullmatch(text):
        value = base + float(text)
    elif match := _PHASE.fullmatch(text):
        value = onset(match[1].upper()) + float(match[2] or 0.0)
    else:
        value = float(as_time(name, text) - origin)
    if not abs(value) < _MOST_OFFSET:
        raise RequestError(f"{name} = '{text[:40]}' must be within {_MOST_OFFSET:g} s.")
    return value
