"""Channels of an inventory at a time: response in SI units, orientation and depth."""

import re
from copy import copy
from itertools import pairwise

from obspy import Inventory, Trace, UTCDateTime
from obspy.core.inventory import Channel, PolesZerosResponseStage, Response
from obspy.core.inventory.response import ResponseStage

from cgmgm_seis.datasets.knet import header_channel
from cgmgm_seis.errors import DatasetError

# Metres per unit of length, and m/s**2 per unit of acceleration with a name of its own.
LENGTHS = {"NM": 1e-9, "UM": 1e-6, "MM": 1e-3, "CM": 1e-2, "M": 1.0}
ACCELERATIONS = {"G": 9.80665, "GAL": 1e-2, "MGAL": 1e-5}
# What follows the unit of length, by the SI name of the quantity.
PER_TIME = {
    "M": ("",),
    "M/S": ("/S", "S-1", "S**-1", "*S**-1"),
    "M/S**2": ("/S**2", "/S2", "/S/S", "/(S**2)", "S-2", "S**-2", "*S**-2"),
}
# Other spellings, replaced in this order after white space was removed; the micro sign in upper
# case is the Greek letter.
SPELLINGS = (
    ("\N{GREEK CAPITAL LETTER MU}", "U"),
    ("\N{SUPERSCRIPT TWO}", "**2"),
    ("^", "**"),
    ("METERS", "M"),
    ("METRES", "M"),
    ("METER", "M"),
    ("METRE", "M"),
    ("SECONDS", "S"),
    ("SECOND", "S"),
    ("SEC", "S"),
    ("PER", "/"),
)
OTHER_UNITS = {"VOLT": "V", "VOLTS": "V", "COUNT": "COUNTS", "DIGITALCOUNTS": "COUNTS"}
# Orientation (azimuth, dip) in degrees of the component codes that have one by SEED's convention.
ORIENTATIONS = {"Z": (0.0, -90.0), "N": (0.0, 0.0), "E": (90.0, 0.0)}
# Band codes of seismometers with a corner period below 10 s, whose response is not flat in the
# usual bands.
SHORT_PERIOD_BANDS = "ESDG"
# A sensor below this depth is regarded as one in a borehole, m.
BOREHOLE_M = 10.0


def motion_unit(unit: str | None) -> tuple[str, float] | None:
    """Return the SI unit of ground motion of a unit, and how many of them it is.

    Upper and lower case and white space are ignored.

    Parameters
    ----------
    unit : str, optional
        Unit of displacement, velocity or acceleration, such as ``M/S``, ``cm/s^2`` or ``G``.

    Returns
    -------
    tuple of (str, float) or None
        ``M``, ``M/S`` or ``M/S**2`` and the factor; None for any other unit.

    Examples
    --------
    >>> motion_unit("nm/s")
    ('M/S', 1e-09)
    >>> motion_unit("g ")
    ('M/S**2', 9.80665)
    >>> motion_unit("(M/S)**2") is None
    True
    """
    name = _plain(unit)
    if name in ACCELERATIONS:
        return "M/S**2", ACCELERATIONS[name]
    length = next((length for length in LENGTHS if name.startswith(length)), "")
    for si, endings in PER_TIME.items():
        if length and name.removeprefix(length) in endings:
            return si, LENGTHS[length]
    return None


def _plain(unit: str | None) -> str:
    """Return a unit in upper case, without white space and with one spelling of each word."""
    name = re.sub(r"\s+", "", unit or "").upper()
    for spelling, replacement in SPELLINGS:
        name = name.replace(spelling, replacement)
    return OTHER_UNITS.get(name, name)


def channel_of(trace: Trace, inventory: Inventory, time: UTCDateTime) -> Channel:
    """Return the description of the channel of a trace: its K-NET header, or that of `channel_at`.

    Raises
    ------
    DatasetError
        As in `channel_at`.
    """
    return header_channel(trace) if "knet" in trace.stats else channel_at(inventory, trace.id, time)


def channel_at(inventory: Inventory, trace_id: str, time: UTCDateTime) -> Channel:
    """Return the description of a channel at a time.

    Parameters
    ----------
    inventory : obspy.Inventory
        Station metadata; equal descriptions of a channel count as one.
    trace_id : str
        NET.STA.LOC.CHAN.
    time : obspy.UTCDateTime
        The time.

    Raises
    ------
    DatasetError
        If there is no description with a response, or two different ones.
    """
    network, station, location, code = trace_id.split(".")
    found: list[Channel] = []
    for net in inventory:
        for sta in net if net.code == network else ():
            for channel in sta if sta.code == station else ():
                if (
                    (channel.location_code, channel.code) == (location, code)
                    and (channel.start_date is None or channel.start_date <= time)
                    and (channel.end_date is None or time < channel.end_date)
                    and channel.response is not None
                    and not any(_same(channel, other) for other in found)
                ):
                    found.append(channel)
    if not found:
        raise DatasetError(f"the inventory has none for {trace_id} at {time}.")
    if len(found) > 1:
        raise DatasetError(
            f"channel {trace_id} has {len(found)} different descriptions at {time}; one is allowed."
        )
    return found[0]


def _same(one: Channel, other: Channel) -> bool:
    """Return whether two descriptions of a channel say the same of its records."""
    names = ("azimuth", "dip", "depth", "response")
    return all(getattr(one, name) == getattr(other, name) for name in names)


def si_response(channel: Channel) -> tuple[Response, float]:
    """Return the response of a channel with an input unit in SI, and the factor of its records.

    A response that is only a sensitivity is flat.

    Returns
    -------
    response : obspy.core.inventory.Response
        A copy, whose input unit is ``M``, ``M/S`` or ``M/S**2``.
    factor : float
        Records must be multiplied by it after removal of this response.

    Raises
    ------
    DatasetError
        If the response is not one of ground motion, or is incomplete.
    """
    response = copy(channel.response)
    stages = sorted(response.response_stages, key=lambda stage: stage.stage_sequence_number)
    stages = stages or [_flat_stage(channel)]
    sensitivity = response.instrument_sensitivity
    overall = sensitivity.input_units if sensitivity else None
    unit = stages[0].input_units or overall
    motion = motion_unit(unit)
    if motion is None:
        raise DatasetError(
            f"the input unit of {channel.code} is {unit!r}; it must be one of displacement, "
            "velocity or acceleration, such as M/S or M/S**2."
        )
    if motion_unit(overall) not in (None, motion):
        raise DatasetError(
            f"the input unit of {channel.code} is {unit!r} in its first stage and {overall!r} in "
            "its sensitivity; they must agree."
        )
    response.response_stages = _with_units(stages, motion[0], channel.code)
    return response, motion[1]


def units_source(channel: Channel) -> str:
    """Return how records of a channel were converted to velocity, for the metadata."""
    removed = "response" if channel.response.response_stages else "sensitivity"
    response, _ = si_response(channel)
    integrated = response.response_stages[0].input_units == "M/S**2"
    return f"counts, {removed} removed{', integrated' if integrated else ''}"


def _flat_stage(channel: Channel) -> ResponseStage:
    """Return a stage with the sensitivity of a channel, or raise an error if it is not flat."""
    sensitivity = channel.response.instrument_sensitivity
    if sensitivity is None or not sensitivity.value:
        raise DatasetError(f"the response of {channel.code} has no stages and no sensitivity.")
    if channel.code[:1] in SHORT_PERIOD_BANDS and channel.code[1:2] != "N":
        raise DatasetError(
            f"the response of {channel.code}, a short-period seismometer, has no stages; a "
            "sensitivity suffices only for accelerometers and broadband seismometers."
        )
    return PolesZerosResponseStage(
        1,
        sensitivity.value,
        sensitivity.frequency or 1.0,
        sensitivity.input_units,
        sensitivity.output_units or "COUNTS",
        "LAPLACE (RADIANS/SECOND)",
        sensitivity.frequency or 1.0,
        [],
        [],
    )


def _with_units(stages: list[ResponseStage], first: str, code: str) -> list[ResponseStage]:
    """Return copies of stages whose units are complete, agree and are known to ObsPy.

    ObsPy ignores the scale of units behind the first stage, and takes all units that it does not
    know for the same one.
    """
    stages = [copy(stage) for stage in stages]
    for stage, following in pairwise(stages):
        out, into = stage.output_units, following.input_units
        if (
            out
            and into
            and (motion_unit(out) or _plain(out)) != (motion_unit(into) or _plain(into))
        ):
            raise DatasetError(
                f"stage {stage.stage_sequence_number} of the response of {code} has the output "
                f"unit {out!r}, and the following one the input unit {into!r}; they must agree."
            )
        stage.output_units = following.input_units = _plain(out or into) or None
    for stage in stages:
        changes = stage.input_units != stage.output_units
        # ObsPy passes over a gain without a frequency.
        ignored = stage.stage_gain not in (None, 1.0) and stage.stage_gain_frequency is None
        if ignored or (changes and stage.stage_gain is None):
            raise DatasetError(
                f"stage {stage.stage_sequence_number} of the response of {code} has no gain with "
                "a frequency; one is needed."
            )
    stages[0].input_units = first
    stages[-1].output_units = _plain(stages[-1].output_units) or None
    return stages


def orientation(channel: Channel) -> tuple[float, float]:
    """Return azimuth and dip of a channel, degrees.

    Values that are not given are those of the component codes Z, N and E; a vertical component
    needs no azimuth.

    Raises
    ------
    DatasetError
        If a value of another component is not given.
    """
    azimuth, dip = channel.azimuth, channel.dip
    vertical = dip is not None and abs(dip) == 90.0
    usual = ORIENTATIONS.get(channel.code[-1:], (0.0 if vertical else None, None))
    azimuth = usual[0] if azimuth is None else azimuth
    dip = usual[1] if dip is None else dip
    if azimuth is None or dip is None:
        raise DatasetError(
            f"{channel.code} has no azimuth or no dip; both are needed unless its component is "
            f"one of {', '.join(ORIENTATIONS)}."
        )
    return float(azimuth), float(dip)


def sensor_depth(trace: Trace, inventory: Inventory, time: UTCDateTime) -> float:
    """Return the depth of a sensor below the surface, m; 0 if it is not described."""
    try:
        return float(channel_of(trace, inventory, time).depth)
    except DatasetError:
        return 0.0
