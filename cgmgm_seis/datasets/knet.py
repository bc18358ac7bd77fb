"""K-NET and KiK-net records: SEED codes, and the sensitivity in their headers."""

from obspy import Trace
from obspy.core.inventory import Channel, InstrumentSensitivity, Response

from cgmgm_seis.scenario.obspy_files import NO_VALUE

# Component, azimuth and dip in degrees of the directions in K-NET files; UD is positive upwards.
DIRECTIONS = {"UD": ("Z", 0.0, -90.0), "NS": ("N", 0.0, 0.0), "EW": ("E", 90.0, 0.0)}
# Location codes of the sensors of KiK-net: 1 is in the borehole, 2 at the surface.
BOREHOLE = "1"
LOCATIONS = {"": "", BOREHOLE: BOREHOLE, "2": ""}


def set_seed_codes(trace: Trace) -> None:
    """Replace the direction of a K-NET record (EW, NS1, ..) by channel and location codes."""
    direction, sensor = trace.stats.channel[:2], trace.stats.channel[2:]
    if "knet" in trace.stats and direction in DIRECTIONS:
        trace.stats.channel = f"HN{DIRECTIONS[direction][0]}"
        trace.stats.location = LOCATIONS.get(sensor, sensor)


def header_channel(trace: Trace) -> Channel:
    """Return the channel that the header of a K-NET record describes: a flat accelerometer."""
    header, stats = trace.stats.knet, trace.stats
    angles = {component: pair for component, *pair in DIRECTIONS.values()}
    azimuth, dip = angles[stats.component]
    sensitivity = InstrumentSensitivity(1.0 / stats.calib, 1.0, "M/S**2", "COUNTS")
    return Channel(
        stats.channel,
        stats.location,
        header.stla,
        header.stlo,
        header.stel,
        NO_VALUE if stats.location == BOREHOLE else 0.0,
        azimuth=azimuth,
        dip=dip,
        response=Response(instrument_sensitivity=sensitivity),
    )
