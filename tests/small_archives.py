"""A small archive for tests: a pulse of known velocity in counts, with metadata made to order."""

import numpy as np
from obspy import Catalog, Inventory, Stream, Trace, UTCDateTime
from obspy.core.event import Event, Magnitude, Origin
from obspy.core.inventory import Channel, InstrumentSensitivity, Network, Response, Station

ORIGIN = UTCDateTime("2020-01-01T00:01:00")
RATE, BEFORE_S, LENGTH_S = 100.0, 60.0, 160.0
# Peak velocity of the vertical, north and east component, m/s, and counts per m/s**2.
PEAKS, GAIN = (0.01, 0.02, 0.03), 426212.0
PGV = max(PEAKS)
CORNERS = {"Z": (0.0, -90.0), "N": (0.0, 0.0), "E": (90.0, 0.0)}
G = 9.80665


def velocity():
    """Return a wave packet of 2 Hz, 11 s after the origin, with noise; shape (3, sample), m/s."""
    times = np.arange(round(LENGTH_S * RATE)) / RATE - BEFORE_S
    packet = np.cos(4.0 * np.pi * (times - 11.0)) * np.exp(-(((times - 11.0) / 1.5) ** 2))
    noise = np.random.default_rng(0).standard_normal((3, len(times)))
    return np.outer(PEAKS, packet) + 1e-6 * noise


def counts(station="AAA", code="HN", location="", gain=GAIN):
    """Return the record of an accelerometer, XX.AAA..HN?, int32."""
    motion = velocity()
    omega = 2.0 * np.pi * np.fft.rfftfreq(motion.shape[1], 1.0 / RATE)
    acceleration = np.fft.irfft(1j * omega * np.fft.rfft(motion), motion.shape[1])
    stream = Stream()
    for component, samples in zip("ZNE", acceleration, strict=True):
        header = {"network": "XX", "station": station, "channel": code + component}
        header |= {"location": location, "sampling_rate": RATE, "starttime": ORIGIN - BEFORE_S}
        stream.append(Trace(np.round(gain * samples).astype(np.int32), header))
    return stream


def channel(code, location="", unit="M/S**2", gain=GAIN, depth=0.0, **changes):
    """Return a channel with the response of one stage, which is flat."""
    azimuth, dip = CORNERS[code[-1]]
    response = Response.from_paz([], [], gain, input_units="M/S**2", output_units="COUNTS")
    response.response_stages[0].input_units = unit
    response.instrument_sensitivity.input_units = unit
    values = {"azimuth": azimuth, "dip": dip, "response": response} | changes
    return Channel(code, location, 37.9, -122.0, 0.0, depth, **values)


def sensitivity(unit="M/S**2", gain=GAIN):
    """Return a response of a sensitivity without stages."""
    return Response(instrument_sensitivity=InstrumentSensitivity(gain, 1.0, unit, "COUNTS"))


def inventory(channels=None, station="AAA"):
    """Return an inventory of one station, by default with the channels HNZ, HNN and HNE."""
    channels = [channel(f"HN{c}") for c in "ZNE"] if channels is None else channels
    return Inventory(
        [Network("XX", [Station(station, 37.9, -122.0, 0.0, channels=channels)])], source="test"
    )


def catalogue():
    """Return a catalogue of one earthquake 11 km from the station."""
    origin = Origin(time=ORIGIN, latitude=38.0, longitude=-122.0, depth=8000.0)
    return Catalog([Event(origins=[origin], magnitudes=[Magnitude(mag=4.0)])])


def write(stream, folder):
    """Write every trace to a file of its own, and return the folder."""
    folder.mkdir(exist_ok=True)
    for number, trace in enumerate(stream):
        trace.write(str(folder / f"{number:02d}_{trace.id}.mseed"), "MSEED")
    return folder
